"""Who is helped from the floor lies, is on hands and knees, kneels, puts one foot down, and stands, held meanwhile."""

import numpy as np

from models.interactions.composition import TOUCH_M
from models.types import ACTIONS, SMPL_JOINTS

FPS = 20.0
COUNT = 6
ANKLES, KNEES, FEET, WRISTS = (
    [SMPL_JOINTS.index(f"{side}_{name}") for side in ("left", "right")] for name in ("ankle", "knee", "foot", "wrist")
)
NECK = SMPL_JOINTS.index("neck")


def test_somebody_rises_from_the_floor_in_stages(accepted, joints_of) -> None:
    for motion, _ in accepted("help_from_floor", COUNT):
        joints = joints_of(motion)[0]
        neck, knees, wrists = joints[:, NECK, 2], joints[:, KNEES, 2], joints[:, WRISTS, 2]
        stages = [
            neck < 0.35,
            (wrists.max(axis=1) < 0.2) & (knees.max(axis=1) < 0.15) & (neck > 0.35),
            (neck > 0.65) & (knees.max(axis=1) < 0.15) & (wrists.min(axis=1) > 0.2),
            (neck > 0.6) & (knees.max(axis=1) > 0.35) & (knees.min(axis=1) < 0.15),
            (joints[:, 0, 2] > 0.75) & (joints[:, ANKLES, 2].max(axis=1) < 0.16),
        ]
        begins = [int(np.argmax(stage)) for stage in stages]
        assert all(stage.any() for stage in stages) and begins == sorted(begins) and stages[0][0] and stages[-1][-1]
        assert joints[..., 2].min() > -0.03 and joints[:, FEET, 2].min(axis=1).max() < 0.25
        assert motion.actions[0, 0] == ACTIONS.index("lying") and motion.actions[0, -1] == ACTIONS.index("standing")


def test_hands_hold_from_the_knees_until_somebody_stands(accepted, palm_gaps) -> None:
    for motion, _ in accepted("help_from_floor", COUNT):
        back, arm = motion.details["touches"]
        assert back["part"] == "back" and arm["part"].split()[-1] in ("arm", "forearm")
        assert max(palm_gaps(motion)) < TOUCH_M
        kneels = np.flatnonzero(motion.actions[0] == ACTIONS.index("kneeling")) / FPS
        stands = np.flatnonzero(motion.actions[0] == ACTIONS.index("standing"))[0] / FPS
        assert all(t["from_s"] < kneels[-1] + 0.5 and t["until_s"] >= stands for t in (back, arm))


def test_the_carer_is_on_the_side_that_is_said_and_on_the_feet(accepted, joints_of, seen_from) -> None:
    for motion, facts in accepted("help_from_floor", COUNT):
        joints = joints_of(motion)
        _, left, _ = seen_from(joints[0], joints[1, :, 0])[-1]
        assert 0.4 < abs(left) < 0.8 and facts.side == ("left" if left > 0.0 else "right")
        assert joints[1][:, FEET, 2].min(axis=1).max() < 0.06 and joints[1][:, 0, 2].min() > 0.4


def test_takes_differ_in_how_somebody_lies_in_sides_and_timing(accepted, joints_of) -> None:
    made = accepted("help_from_floor", COUNT)
    assert {facts.side for _, facts in made} == {"left", "right"}
    assert np.ptp([len(motion.timestamps_s) for motion, _ in made]) > 1.0 * FPS
    lying = np.array([joints_of(motion)[0, 0] for motion, _ in made])
    hips = lying[:, SMPL_JOINTS.index("left_hip"), 2] - lying[:, SMPL_JOINTS.index("right_hip"), 2]
    assert np.ptp(hips) > 0.1, "on the back, the side or the front"
    assert np.ptp([joints_of(motion)[1, 0, 0, :2] for motion, _ in made], axis=0).max() > 0.8


def test_same_seed_same_motion(same_again) -> None:
    assert same_again("help_from_floor", 1)
