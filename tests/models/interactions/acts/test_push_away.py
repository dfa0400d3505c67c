"""Hands are on chest or arms at the push; who is pushed steps back, who pushes does not."""

import numpy as np

from models.types import SMPL_JOINTS

FPS = 20.0


def test_both_hands_are_on_the_other_at_the_push(accepted, palm_gaps) -> None:
    for motion, facts in accepted("push_away", 8):
        touches = motion.details["touches"]
        assert [touch["hand"] for touch in touches] == ["left hand", "right hand"]
        for touch in touches:
            assert abs(touch["from_s"] - motion.details["pushes_s"]) < 0.3
            assert 0.1 < touch["until_s"] - touch["from_s"] < 0.6, "a push, no hold"
            assert max(palm_gaps(motion)) < 0.03
        assert (facts.touch == "chest") == (touches[0]["part"] == "chest")


def test_who_is_pushed_goes_back_and_faces_who_pushes(accepted, joints_of, seen_from) -> None:
    for motion, _ in accepted("push_away", 8):
        joints = joints_of(motion)
        before, after = (round((motion.details["pushes_s"] + late) * FPS) for late in (0.0, 1.6))
        line = joints[0, before, 0, :2] - joints[1, before, 0, :2]
        line /= np.linalg.norm(line)
        after = min(after, joints.shape[1] - 1)
        assert (joints[0, after, 0, :2] - joints[0, before, 0, :2]) @ line > 0.25
        pusher = joints[1, before : before + round(0.9 * FPS)][
            :, [SMPL_JOINTS.index(f"{side}_ankle") for side in ("left", "right")], :2
        ]
        assert np.ptp(pusher, axis=0).max() < 0.05, "feet stay"
        assert seen_from(joints[0], joints[1, :, 0])[before, 0] > 0.2
        assert seen_from(joints[1], joints[0, :, 0])[before, 0] > 0.2


def test_takes_differ_in_place_distance_and_what_comes_before(accepted, joints_of) -> None:
    made = accepted("push_away", 8)
    assert {facts.touch for _, facts in made} == {"chest", "both_hands"}
    assert "argues" in {facts.before for _, facts in made} and len({facts.before for _, facts in made}) > 1
    assert np.ptp([motion.details["pushes_s"] for motion, _ in made]) > 1.5
    away = []
    for motion, _ in made:
        joints, at = joints_of(motion), round(motion.details["pushes_s"] * FPS)
        end = min(at + round(1.4 * FPS), joints.shape[1] - 1)
        away.append(np.linalg.norm(joints[0, end, 0, :2] - joints[0, at, 0, :2]))
    assert np.ptp(away) > 0.15


def test_soles_are_on_the_floor_and_nobody_jerks(accepted, lowest_and_roughest) -> None:
    for motion, _ in accepted("push_away", 8):
        for low, high, jerk in lowest_and_roughest(motion):
            assert low > -0.015 and high < 0.015 and jerk < 2500.0


def test_same_seed_same_motion(same_again) -> None:
    assert same_again("push_away", 0)
