"""Who comes sits down beside the other, on the side and on the thing that are said."""

import numpy as np

FPS = 20.0


def test_both_sit_side_by_side_at_last(accepted, joints_of, seen_from) -> None:
    for motion, facts in accepted("sit_down_beside", 8):
        joints = joints_of(motion)
        sat = round((motion.details["sits_s"] + 0.5) * FPS)
        assert joints[:, sat:, 0, 2].max() < 0.75 and joints[1, 0, 0, 2] > 0.75, "one came standing"
        seen = seen_from(joints[0], joints[1, :, 0])[sat:].mean(axis=0)
        assert 0.4 < abs(seen[1]) < 1.0 and abs(seen[0]) < 0.25
        assert facts.side == motion.details["side"] == ("left" if seen[1] > 0.0 else "right")
        back = seen_from(joints[1], joints[0, :, 0])[sat:].mean(axis=0)
        assert np.sign(back[1]) == -np.sign(seen[1]), "both face the same way"


def test_a_seat_is_under_both(accepted, joints_of) -> None:
    for motion, _ in accepted("sit_down_beside", 8):
        joints = joints_of(motion)
        centre, half, _ = motion.details["boxes"][0]
        for pelvis in joints[:, -1, 0]:
            assert np.all(np.abs(pelvis[:2] - centre[:2]) < np.array(half[:2]) + 0.02)
            assert 0.0 < pelvis[2] - (centre[2] + half[2]) < 0.25


def test_hands_that_are_said_to_touch_do(accepted, palm_gaps) -> None:
    touched = [(motion, facts) for motion, facts in accepted("sit_down_beside", 8) if motion.details["touches"]]
    assert touched
    for motion, facts in touched:
        (touch,) = motion.details["touches"]
        assert max(palm_gaps(motion)) < 0.03
        assert facts.touch == ("back" if touch["part"] == "back" else "arm")


def test_takes_differ_in_side_seat_touch_and_time(accepted) -> None:
    made = accepted("sit_down_beside", 8)
    assert {facts.side for _, facts in made} == {"left", "right"} and len({facts.surface for _, facts in made}) > 1
    assert len({facts.touch for _, facts in made}) > 1
    assert np.ptp([motion.details["sits_s"] for motion, _ in made]) > 1.0


def test_soles_are_on_the_floor_and_nobody_jerks(accepted, lowest_and_roughest) -> None:
    for motion, _ in accepted("sit_down_beside", 8):
        for low, high, jerk in lowest_and_roughest(motion):
            assert low > -0.015 and high < 0.015 and jerk < 2500.0


def test_same_seed_same_motion(same_again) -> None:
    assert same_again("sit_down_beside", 0)
