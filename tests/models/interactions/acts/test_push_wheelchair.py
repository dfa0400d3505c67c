"""Who sits in a wheelchair is pushed from behind, hands on handles that stay with the chair; no two pushes alike."""

import numpy as np

from models.types import SMPL_JOINTS

FPS = 20.0
ANKLES = [SMPL_JOINTS.index(f"{side}_ankle") for side in ("left", "right")]


def heading_change(joints: np.ndarray) -> float:
    """Of who has joints [time, joint, xyz], radians."""
    hips = joints[:, SMPL_JOINTS.index("left_hip")] - joints[:, SMPL_JOINTS.index("right_hip")]
    angles = np.unwrap(np.arctan2(hips[:, 1], hips[:, 0]))
    return float(angles[-1] - angles[0])


def test_a_wheelchair_is_pushed_from_behind_by_handles_that_stay_with_it(accepted, joints_of, seen_from) -> None:
    for motion, facts in accepted("push_wheelchair", 6):
        joints = joints_of(motion)
        assert not motion.details["touches"] and facts.touch is None
        carer = seen_from(joints[0], joints[1, :, 0])
        assert (np.abs(carer[:, 0] + 0.7) < 0.2).all() and (np.abs(carer[:, 1]) < 0.3).all()
        assert joints[0][:, ANKLES, 2].min() > 0.1 and np.ptp(joints[0][:, ANKLES, 2]) < 0.02, "on the rest"
        assert np.linalg.norm(joints[0, -1, 0, :2] - joints[0, 0, 0, :2]) > 2.5
        assert [handle["part"] for handle in motion.details["handles"]] == ["wheelchair", "wheelchair"]
        for handle in motion.details["handles"]:
            side = handle["hand"].split()[0]
            held = slice(round(handle["from_s"] * FPS) + 1, None)
            hand = seen_from(joints[0], joints[1][:, SMPL_JOINTS.index(f"{side}_hand")])[held]
            assert np.linalg.norm(hand - np.median(hand, axis=0), axis=1).max() < 0.03, "a handle does not stretch"
            assert np.abs(hand[:, 0] + 0.4).max() < 0.2
            assert ((hand[:, 1] > 0.1) if side == "left" else (hand[:, 1] < -0.1)).all()
        turned = heading_change(joints[0])
        assert facts.turns == (None if abs(turned) < 0.39 else "left" if turned > 0.0 else "right")


def test_who_pushes_walks_and_never_hovers(accepted, joints_of) -> None:
    for motion, _ in accepted("push_wheelchair", 6):
        ankles = joints_of(motion)[1][:, ANKLES]
        assert ankles[..., 2].min(axis=1).max() < 0.14, "one foot is down"
        assert np.ptp(ankles[:, :, :2], axis=0).max() > 2.5
        speed = np.linalg.norm(np.diff(ankles[..., :2], axis=0), axis=-1).min(axis=1) * FPS
        assert np.quantile(speed, 0.9) < 0.25, "and stays where it is"


def test_pushes_differ_in_way_pace_and_when_hands_take_hold(accepted, joints_of) -> None:
    made = accepted("push_wheelchair", 6)
    ways = [np.linalg.norm(joints_of(m)[0, -1, 0, :2] - joints_of(m)[0, 0, 0, :2]) for m, _ in made]
    assert np.ptp(ways) > 0.7 and np.ptp([len(m.timestamps_s) for m, _ in made]) > 1.0 * FPS
    assert len({m.details["handles"][0]["from_s"] for m, _ in made}) > 1
    assert np.ptp([heading_change(joints_of(m)[0]) for m, _ in made]) > 0.5


def test_same_seed_same_motion(same_again) -> None:
    assert same_again("push_wheelchair", 0)
