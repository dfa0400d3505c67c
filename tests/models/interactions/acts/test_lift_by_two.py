"""Two carers, one on either side, hold back and arm of who gets up from the floor, from the knees until they stand."""

import numpy as np

from models.interactions.composition import TOUCH_M
from models.types import ACTIONS, SMPL_JOINTS

FPS = 20.0
COUNT = 4
FEET = [SMPL_JOINTS.index(f"{side}_foot") for side in ("left", "right")]
NECK = SMPL_JOINTS.index("neck")


def test_somebody_lies_and_ends_standing_between_two_carers(accepted, joints_of, seen_from) -> None:
    for motion, facts in accepted("lift_by_two", COUNT):
        joints = joints_of(motion)
        assert [track.role for track in motion.people] == ["resident", "carer", "carer"]
        assert (facts.role, facts.other, facts.together) == ("carer", "resident", ("carer",))
        assert joints[0, 0, NECK, 2] < 0.4 and joints[0, -1, 0, 2] > 0.7
        assert motion.actions[0, 0] == ACTIONS.index("lying") and motion.actions[0, -1] == ACTIONS.index("standing")
        # From the moment that both hold to the end: one on the left, the other on the right, on their feet.
        held = round(max(touch["from_s"] for touch in motion.details["touches"]) * FPS)
        left = np.array([seen_from(joints[0], joints[carer, :, 0])[-1, 1] for carer in (1, 2)])
        assert left[0] * left[1] < 0.0 and np.all((np.abs(left) > 0.35) & (np.abs(left) < 0.85))
        for carer in (1, 2):
            assert joints[carer, held:, FEET, 2].min(axis=0).max() < 0.08 and joints[carer, :, 0, 2].min() > 0.4


def test_four_hands_hold_while_somebody_rises(accepted, palm_gaps) -> None:
    for motion, _ in accepted("lift_by_two", COUNT):
        touches = motion.details["touches"]
        assert [touch["person"] for touch in touches] == ["person_1", "person_1", "person_2", "person_2"]
        assert {touch["other"] for touch in touches} == {"person_0"}
        assert [touch["part"] for touch in touches[::2]] == ["back", "lower back"]
        arms = [touch["part"].split() for touch in touches[1::2]]
        assert {side for side, *_ in arms} == {"left", "right"} and all(part[-1] in ("arm", "forearm") for part in arms)
        assert max(palm_gaps(motion)) < TOUCH_M
        stands = np.flatnonzero(motion.actions[0] == ACTIONS.index("standing"))[0] / FPS
        assert all(touch["until_s"] >= stands and touch["until_s"] - touch["from_s"] > 3.0 for touch in touches)


def test_takes_differ_in_who_is_where_and_when_they_come(accepted, joints_of) -> None:
    made = accepted("lift_by_two", COUNT)
    assert len({tuple(touch["part"] for touch in motion.details["touches"]) for motion, _ in made}) > 1
    starts = np.array([joints_of(motion)[1:, 0, 0, :2] for motion, _ in made])
    assert np.ptp(starts, axis=0).max() > 0.8
    assert np.ptp([joints_of(motion)[0, 0, NECK, 2] for motion, _ in made]) > 0.03, "on the back, the side, the front"


def test_same_seed_same_motion(same_again) -> None:
    assert same_again("lift_by_two", 0)
