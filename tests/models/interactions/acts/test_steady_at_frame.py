"""Who walks with a frame or a cane shuffles, hands on it; the carer is half behind on the side that is said."""

import numpy as np

from models.types import SMPL_JOINTS

FPS = 20.0
ANKLES = [SMPL_JOINTS.index(f"{side}_ankle") for side in ("left", "right")]


def test_who_walks_with_an_aid_shuffles_and_is_followed_on_the_side_that_is_said(
    accepted, joints_of, seen_from
) -> None:
    for motion, facts in accepted("steady_at_frame", 8):
        joints = joints_of(motion)
        carer = seen_from(joints[0], joints[1, :, 0]).mean(axis=0)
        assert carer[0] < -0.05 and facts.side == motion.details["side"] == ("left" if carer[1] > 0.0 else "right")
        speed = np.linalg.norm(joints[0, -1, 0, :2] - joints[0, 0, 0, :2]) / len(joints[0]) * FPS
        assert speed < 0.6
        hands = {
            side: seen_from(joints[0], joints[0][:, SMPL_JOINTS.index(f"{side}_wrist")]) for side in ("left", "right")
        }
        holding = ("left", "right") if facts.aid == "frame" else (motion.details["aid_hand"].split()[0],)
        for side in holding:
            assert hands[side][:, 0].mean() > 0.1 and abs(hands[side][:, 2].mean()) < 0.2, "in front, at the hips"
            assert np.ptp(hands[side][:, 2]) < 0.12
        if facts.aid == "cane":
            assert holding[0] != facts.side, "the carer is on the other side"


def test_both_hands_on_a_frame_stay_as_far_from_each_other_as_its_handles(accepted, joints_of) -> None:
    frames = [motion for motion, facts in accepted("steady_at_frame", 8) if facts.aid == "frame"]
    assert frames
    for motion in frames:
        left, right = (joints_of(motion)[0][:, SMPL_JOINTS.index(f"{side}_hand")] for side in ("left", "right"))
        apart = np.linalg.norm(left - right, axis=1)
        assert 0.3 < apart.mean() < 0.6 and np.abs(apart - np.median(apart)).max() < 0.03
        assert np.abs(left[:, 2] - right[:, 2]).max() < 0.05


def test_feet_shuffle_on_the_floor(accepted, joints_of) -> None:
    for motion, _ in accepted("steady_at_frame", 8):
        ankles = joints_of(motion)[0][:, ANKLES]
        assert ankles[..., 2].min() > 0.02 and ankles[..., 2].max() < 0.22
        assert ankles[..., 2].min(axis=1).max() < 0.13, "one foot is down"


def test_takes_differ_in_side_aid_hold_and_way(accepted, joints_of) -> None:
    made = accepted("steady_at_frame", 8)
    assert {facts.side for _, facts in made} == {"left", "right"} and {f.aid for _, f in made} == {"frame", "cane"}
    assert {facts.touch for _, facts in made} == {"back", None}
    assert np.ptp([len(motion.timestamps_s) for motion, _ in made]) > 1.0 * FPS
    assert len({touch["from_s"] for motion, _ in made for touch in motion.details["touches"]}) > 1
    ways = [np.linalg.norm(joints_of(m)[0, -1, 0, :2] - joints_of(m)[0, 0, 0, :2]) for m, _ in made]
    assert np.ptp(ways) > 0.3


def test_same_seed_same_motion(same_again) -> None:
    assert same_again("steady_at_frame", 1)
