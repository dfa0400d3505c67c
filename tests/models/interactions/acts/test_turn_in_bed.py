"""Who lies on the back in bed is rolled onto the side that is said, by hands on shoulder and hip, and left there."""

import numpy as np

from models.interactions.composition import TOUCH_M
from models.types import ACTIONS, SMPL_JOINTS

FPS = 20.0
COUNT = 8
HIPS = [SMPL_JOINTS.index(f"{side}_hip") for side in ("left", "right")]
SHOULDERS = [SMPL_JOINTS.index(f"{side}_shoulder") for side in ("left", "right")]
FEET = [SMPL_JOINTS.index(f"{side}_foot") for side in ("left", "right")]


def test_somebody_on_the_back_ends_on_the_side_that_is_said_in_bed(accepted, joints_of) -> None:
    for motion, facts in accepted("turn_in_bed", COUNT):
        joints, (centre, half, _) = joints_of(motion)[0], motion.details["boxes"][0]
        top = centre[2] + half[2]
        for pair in (HIPS, SHOULDERS):
            over = joints[:, pair[0], 2] - joints[:, pair[1], 2]
            assert abs(over[0]) < 0.06 and (over[-1] < -0.12 if facts.side == "left" else over[-1] > 0.12)
        trunk = joints[:, [0, *HIPS, *SHOULDERS]]
        assert trunk[..., 2].min() > top and np.all(np.abs(trunk[..., :2] - centre[:2]) < half[:2])
        assert motion.details["side"] == facts.side and set(motion.actions[0]) == {ACTIONS.index("lying")}


def test_who_is_turned_comes_nearer_or_goes_away_as_it_is_said(accepted, joints_of) -> None:
    for motion, facts in accepted("turn_in_bed", COUNT):
        joints = joints_of(motion)
        until = round(motion.details["touches"][0]["until_s"] * FPS)
        away = np.abs(joints[0, [0, until], 0, 1] - joints[1, until, FEET, 1].mean())
        assert (away[1] < away[0] - 0.05) == (facts.turned == "towards")
        assert (away[1] > away[0] + 0.05) == (facts.turned == "away")


def test_hands_are_on_shoulder_and_hip_while_they_turn_and_let_go(accepted, joints_of, palm_gaps) -> None:
    for motion, facts in accepted("turn_in_bed", COUNT):
        other = "right" if facts.side == "left" else "left"
        shoulder, hip = motion.details["touches"]
        assert shoulder["part"] in (f"{other} shoulder", f"{other} upper arm") and hip["part"] == f"{other} hip"
        assert max(palm_gaps(motion)) < TOUCH_M
        joints = joints_of(motion)
        ends = len(motion.timestamps_s) - 1
        until = round(shoulder["until_s"] * FPS)
        assert until < ends - round(1.5 * FPS)
        gone = np.linalg.norm(joints[1, [until, ends], 0, :2] - joints[0, [until, ends], 0, :2], axis=1)
        # Towards who turns them, somebody comes after who steps back.
        assert gone[1] > gone[0] + (0.6 if facts.then == "walks_off" else 0.05)
        assert joints[1, :, 0, 2].min() > 0.6 and joints[1, :, FEET, 2].min(axis=0).max() < 0.08


def test_takes_differ(accepted, joints_of) -> None:
    made = accepted("turn_in_bed", COUNT)
    assert {(facts.side, facts.turned) for _, facts in made} >= {
        ("left", "away"),
        ("right", "away"),
        ("right", "towards"),
    }
    assert {facts.then for _, facts in made} == {"steps_back", "walks_off"}
    assert np.ptp([motion.details["touches"][0]["from_s"] for motion, _ in made]) > 0.5
    starts = np.array([joints_of(motion)[1, 0, 0, :2] for motion, _ in made])
    assert np.ptp(starts, axis=0).max() > 0.8


def test_same_seed_same_motion(same_again) -> None:
    assert same_again("turn_in_bed", 0)
