"""A hand is laid on somebody who sits or stands, and stays for seconds where it is said to be."""

import numpy as np

from models.types import SMPL_JOINTS

FPS = 20.0


def test_the_hand_lies_on_the_other_for_seconds_on_the_side_that_is_said(
    accepted, joints_of, seen_from, palm_gaps
) -> None:
    for motion, facts in accepted("comfort", 8):
        (touch,) = motion.details["touches"]
        assert touch["person"] == "person_1" and touch["until_s"] - touch["from_s"] > 1.0
        assert max(palm_gaps(motion)) < 0.03
        assert facts.touch == ("back" if touch["part"] == "back" else touch["part"].split()[-1])
        if facts.side:
            joints = joints_of(motion)
            seen = seen_from(joints[0], joints[1, :, 0])[round(touch["from_s"] * FPS)]
            assert facts.side == ("left" if seen[1] > 0.0 else "right")


def test_who_is_comforted_stays_and_who_bends_down_gets_up_again(accepted, joints_of) -> None:
    for motion, facts in accepted("comfort", 8):
        joints = joints_of(motion)
        assert np.ptp(joints[0, :, 0, :2], axis=0).max() < 0.15
        assert (joints[0, :, 0, 2].max() < 0.75) == (facts.other_is == "sits")
        feet = joints[:, :, [SMPL_JOINTS.index(f"{side}_foot") for side in ("left", "right")], 2]
        assert feet.min(axis=2).max() < 0.12, "one foot is down"
        if facts.then == "walks_off":
            assert joints[1, -1, SMPL_JOINTS.index("neck"), 2] > 1.1
            assert np.linalg.norm(joints[1, -1, 0, :2] - joints[0, -1, 0, :2]) > 1.0


def test_takes_differ_in_posture_place_and_hand(accepted) -> None:
    made = accepted("comfort", 8)
    touches = [motion.details["touches"][0] for motion, _ in made]
    assert {facts.other_is for _, facts in made} == {"sits", "stands"}
    assert len({facts.touch for _, facts in made}) > 1 and {touch["hand"][:4] for touch in touches} == {"left", "righ"}
    assert np.ptp([touch["until_s"] - touch["from_s"] for touch in touches]) > 0.5
    assert {"walks_up", None} & {facts.before for _, facts in made} and len({f.before for _, f in made}) > 1


def test_soles_are_on_the_floor_and_nobody_jerks(accepted, lowest_and_roughest) -> None:
    for motion, _ in accepted("comfort", 8):
        for low, high, jerk in lowest_and_roughest(motion):
            assert low > -0.015 and high < 0.015 and jerk < 2500.0


def test_same_seed_same_motion(same_again) -> None:
    assert same_again("comfort", 1)
