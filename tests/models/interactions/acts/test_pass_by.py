"""Who walks past keeps clear of the other, who is on the side that is said."""

import numpy as np

FPS = 20.0


def test_who_walks_past_comes_from_before_and_goes_behind_clear_on_the_side_that_is_said(
    accepted, joints_of, seen_from
) -> None:
    for motion, facts in accepted("pass_by", 8):
        joints = joints_of(motion)
        meets = round(motion.details["meets_s"] * FPS)
        seen = seen_from(joints[1], joints[0, :, 0])
        walking = seen[max(0, meets - round(1.2 * FPS)) : meets + round(1.2 * FPS)]
        assert walking[0, 0] > 0.3 and walking[-1, 0] < -0.2, "ahead at first, behind at last"
        nearest = int(np.argmin(np.abs(walking[:, 0])))
        assert facts.side == motion.details["side"] == ("left" if walking[nearest, 1] > 0.0 else "right")
        assert np.linalg.norm(seen[:, :2], axis=1).min() > 0.45
        assert np.linalg.norm(joints[1, -1, 0, :2] - joints[1, 0, 0, :2]) > 2.5


def test_who_stands_or_sits_stays_and_who_walks_comes_the_other_way(accepted, joints_of) -> None:
    for motion, facts in accepted("pass_by", 8):
        pelvis = joints_of(motion)[:, :, 0]
        went = pelvis[:, -1, :2] - pelvis[:, 0, :2]
        if facts.other_is == "walks":
            assert went[0] @ went[1] < -2.0
        else:
            assert np.ptp(pelvis[0, :, :2], axis=0).max() < 0.12
            assert (pelvis[0, :, 2].max() < 0.75) == (facts.other_is == "sits")


def test_takes_differ_in_side_gap_and_time(accepted, joints_of) -> None:
    made = accepted("pass_by", 8)
    assert {facts.side for _, facts in made} == {"left", "right"}
    assert {facts.other_is for _, facts in made} == {"walks", "stands", "sits"}
    gaps = [np.linalg.norm(np.subtract(*joints_of(m)[:, :, 0, :2]), axis=1).min() for m, _ in made]
    assert np.ptp(gaps) > 0.15 and np.ptp([motion.details["meets_s"] for motion, _ in made]) > 0.5


def test_soles_are_on_the_floor_and_nobody_jerks(accepted, lowest_and_roughest) -> None:
    for motion, _ in accepted("pass_by", 8):
        for low, high, jerk in lowest_and_roughest(motion):
            assert low > -0.015 and high < 0.015 and jerk < 2500.0


def test_same_seed_same_motion(same_again) -> None:
    assert same_again("pass_by", 1)
