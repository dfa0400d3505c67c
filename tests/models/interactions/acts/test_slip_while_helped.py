"""Who is helped goes down: out of a hand that loses them, or lowered by hands that hold on; labels call it a fall."""

import numpy as np

from models.interactions.composition import TOUCH_M
from models.types import ACTIONS, SMPL_JOINTS

FPS = 20.0
COUNT = 8
FALL, FALLEN = ACTIONS.index("fall"), ACTIONS.index("fallen")
NECK, ANKLES = SMPL_JOINTS.index("neck"), [SMPL_JOINTS.index(f"{side}_ankle") for side in ("left", "right")]


def test_the_resident_ends_on_the_floor_and_labels_say_so(accepted, joints_of) -> None:
    for motion, _ in accepted("slip_while_helped", COUNT):
        joints, details = joints_of(motion), motion.details
        onset, rest = (round(details[name] * FPS) for name in ("onset_s", "rest_s"))
        labels = motion.actions[0]
        assert not np.isin(labels[: onset - 12], (FALL, FALLEN)).any() and labels[-1] == FALLEN
        assert FALL in labels[onset : rest + 1] and 0.0 < details["onset_s"] < details["impact_s"] < details["rest_s"]
        assert joints[0, :, NECK, 2].max() > 0.9 and joints[0, -1, NECK, 2] < 0.4 and joints[0, -1, 0, 2] < 0.35
        assert not np.isin(motion.actions[1], (FALL, FALLEN)).any() and joints[1, -1, 0, 2] > 0.65


def test_hands_hold_on_to_who_is_lowered_and_lose_who_falls(accepted, palm_gaps) -> None:
    outcomes = set()
    for motion, facts in accepted("slip_while_helped", COUNT):
        touches, details = motion.details["touches"], motion.details
        assert max(palm_gaps(motion)) < TOUCH_M and facts.outcome == details["outcome"]
        outcomes.add((facts.event, facts.outcome == "lowered"))
        if facts.outcome == "lowered":
            assert len(touches) == 2 and all(touch["until_s"] > details["impact_s"] for touch in touches)
        else:
            (touch,) = touches
            assert details["onset_s"] < touch["until_s"] < details["onset_s"] + 0.5
            assert (facts.outcome == "slips") == (details["cause"] == "slip")
    assert outcomes == {("walk_beside", False), ("walk_beside", True), ("help_up", True)}


def test_who_is_lowered_goes_down_slower_than_who_falls(accepted, joints_of) -> None:
    speeds: dict[bool, list[float]] = {True: [], False: []}
    for motion, facts in accepted("slip_while_helped", COUNT):
        heights = joints_of(motion)[0, :, 0, 2]
        speeds[facts.outcome == "lowered"].append(-float(np.gradient(heights, 1.0 / FPS).min()))
    assert np.median(speeds[True]) < 0.75 * np.median(speeds[False]) and max(speeds[True]) < 1.7


def test_the_carer_is_on_the_side_that_is_said_and_stands_on_nobody(accepted, joints_of, seen_from) -> None:
    for motion, facts in accepted("slip_while_helped", COUNT):
        joints = joints_of(motion)
        before = round((motion.details["onset_s"] - 0.6) * FPS)
        left = seen_from(joints[0], joints[1, :, 0])[before, 1]
        assert 0.25 < abs(left) < 0.75 and facts.side == ("left" if left > 0.0 else "right")
        feet = joints[1, -1, ANKLES, :2]
        assert np.linalg.norm(feet[:, None] - joints[0, -1, :22, :2], axis=-1).min() > 0.12


def test_takes_differ(accepted) -> None:
    made = accepted("slip_while_helped", COUNT)
    assert {facts.side for _, facts in made} == {"left", "right"}
    assert np.ptp([motion.details["onset_s"] for motion, _ in made]) > 1.0
    assert len({motion.details.get("cause") for motion, _ in made}) > 1


def test_same_seed_same_motion(same_again) -> None:
    assert same_again("slip_while_helped", 2)
