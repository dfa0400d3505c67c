"""Who is helped from bed begins on it and ends on both feet, hands of the carer on back and arm or on both arms."""

import numpy as np

from models.interactions.composition import TOUCH_M
from models.types import ACTIONS, SMPL_JOINTS

FPS = 20.0
ANKLES = [SMPL_JOINTS.index(f"{side}_ankle") for side in ("left", "right")]
FEET = [SMPL_JOINTS.index(f"{side}_foot") for side in ("left", "right")]
NECK = SMPL_JOINTS.index("neck")
COUNT = 12


def test_who_sits_or_lies_on_a_bed_ends_standing_on_the_floor(accepted, joints_of) -> None:
    lying = 0
    for motion, facts in accepted("help_from_bed", COUNT):
        joints, bed = joints_of(motion)[0], motion.details["boxes"][0]
        top, inside = bed[0][2] + bed[1][2], np.abs(joints[0, 0, :2] - bed[0][:2]) - bed[1][:2]
        assert 0.0 < joints[0, 0, 2] - top < 0.25 and inside.max() < 0.0, "on the bed"
        lies = motion.actions[0, 0] == ACTIONS.index("lying")
        lying += lies
        assert (joints[0, NECK, 2] - joints[0, 0, 2] < 0.15) == lies
        assert (joints[0, ANKLES, 2].min() > top - 0.1) == lies
        assert joints[-1, ANKLES, 2].max() < 0.13
        if facts.outcome is None:
            assert joints[-1, 0, 2] > 0.75 and motion.actions[0, -1] == ACTIONS.index("standing")
    assert 0 < lying < COUNT


def test_who_is_helped_in_vain_rises_half_way_and_sits_again(accepted, joints_of) -> None:
    in_vain = [motion for motion, facts in accepted("help_from_bed", COUNT) if facts.outcome == "sinks_back"]
    assert 0 < len(in_vain) < COUNT / 2
    for motion in in_vain:
        height, seated = joints_of(motion)[0, :, 0, 2], motion.actions[0] == ACTIONS.index("sitting")
        assert motion.details["outcome"] == "sinks_back" and seated[-1]
        assert 0.08 < height.max() - height[-1] < 0.4 and abs(height[-1] - height[seated][0]) < 0.06


def test_hands_hold_while_somebody_rises(accepted, palm_gaps) -> None:
    for motion, facts in accepted("help_from_bed", COUNT):
        touches = motion.details["touches"]
        parts = [touch["part"].split()[-1] for touch in touches]
        assert parts == (["forearm", "forearm"] if facts.touch == "both_arms" else ["back", "forearm"])
        assert max(palm_gaps(motion)) < TOUCH_M
        rising = np.flatnonzero(np.isin(motion.actions[0], [ACTIONS.index(name) for name in ("stand_up", "sit_down")]))
        leaving = rising[-1] / FPS
        assert all(touch["from_s"] < leaving - 1.5 and touch["until_s"] > leaving for touch in touches)


def test_the_carer_comes_and_stands_where_it_is_said(accepted, joints_of, seen_from) -> None:
    for motion, facts in accepted("help_from_bed", COUNT):
        joints = joints_of(motion)
        # From the feet: who has sunk back has the pelvis behind them.
        feet = seen_from(joints[0], joints[0][:, ANKLES].mean(axis=1))
        ahead, left, _ = (seen_from(joints[0], joints[1, :, 0]) - feet)[-1]
        if facts.side is None:
            assert 0.4 < ahead < 0.85 and abs(left) < 0.25
        else:
            assert abs(ahead) < 0.3 and 0.4 < abs(left) < 0.75 and facts.side == ("left" if left > 0.0 else "right")
        assert joints[1][:, FEET, 2].min(axis=1).max() < 0.06, "one foot is down"


def test_takes_differ_in_place_approach_and_timing(accepted, joints_of) -> None:
    made = accepted("help_from_bed", COUNT)
    assert {facts.touch for _, facts in made} == {"both_arms", "back_and_arm"}
    starts = np.array([joints_of(motion)[1, 0, 0, :2] for motion, _ in made])
    assert np.linalg.norm(starts - starts.mean(axis=0), axis=1).mean() > 0.4
    assert np.ptp([len(motion.timestamps_s) for motion, _ in made]) > 1.0 * FPS


def test_same_seed_same_motion(same_again) -> None:
    assert same_again("help_from_bed", 3)
