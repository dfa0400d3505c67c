"""Two who talk face each other, gesture and nod, breathe and shift their weight; each take is another."""

import numpy as np

from models.types import SMPL_JOINTS, take

FPS = 20.0


def talking(motion) -> np.ndarray:
    """Frames of the talk, well inside it."""
    return np.arange(round((motion.details["begins_s"] + 0.8) * FPS), round((motion.details["ends_s"] - 0.6) * FPS))


def test_both_face_each_other_at_a_distance_to_talk(accepted, joints_of, seen_from) -> None:
    for motion, _ in accepted("converse", 8):
        joints, frames = joints_of(motion), talking(motion)
        for person in (0, 1):
            other = seen_from(joints[person], joints[1 - person, :, 0])[frames]
            assert np.degrees(np.abs(np.arctan2(other[:, 1], other[:, 0])).mean()) < 50.0
            assert np.all((np.linalg.norm(other[:, :2], axis=1) > 0.5) & (np.linalg.norm(other[:, :2], axis=1) < 1.8))


def test_heads_turn_further_towards_the_other_than_hips(accepted, joints_of, seen_from) -> None:
    aside, turned = [], []
    head, neck = SMPL_JOINTS.index("head"), SMPL_JOINTS.index("neck")
    for motion, _ in accepted("converse", 8):
        joints, frames = joints_of(motion), talking(motion)
        other = seen_from(joints[0], joints[1, :, 0])[frames]
        aside.append(np.arctan2(other[:, 1], other[:, 0]).mean())
        pose = take(motion.people[0], frames).body_pose.reshape(-1, 23, 3)
        turned.append(pose[:, [neck - 1, head - 1], 1].sum(axis=1).mean())
    assert np.corrcoef(aside, turned)[0, 1] > 0.7


def test_hands_talk_and_nobody_is_a_statue(accepted, joints_of) -> None:
    for motion, facts in accepted("converse", 8):
        joints, frames = joints_of(motion), talking(motion)
        wrists = joints[:, frames][:, :, [SMPL_JOINTS.index(f"{side}_wrist") for side in ("left", "right")]]
        raised = (wrists[..., 2] - joints[:, frames, 0, 2][..., None]).max(axis=(1, 2))
        assert raised.max() > 0.1, "a forearm comes up"
        standing = (0, 1) if facts.other_is == "stands" else (1,)
        for person in standing:
            sway = np.ptp(joints[person, frames, 0, :2], axis=0).max()
            assert 0.005 < sway < 0.2
        chest = joints[:, frames, SMPL_JOINTS.index("spine3")]
        assert np.all(np.ptp(chest, axis=1).max(axis=-1) > 0.003)


def test_takes_differ_in_place_manner_and_time(accepted, joints_of, seen_from) -> None:
    made = accepted("converse", 8)
    assert {facts.other_is for _, facts in made} == {"sits", "stands"}
    assert {facts.before for _, facts in made} == {None, "walks_up"}
    assert {facts.then for _, facts in made} == {None, "walks_off"}
    assert np.ptp([motion.details["ends_s"] - motion.details["begins_s"] for motion, _ in made]) > 0.8
    bearings = [seen_from(joints_of(m)[0], joints_of(m)[1, :, 0])[talking(m)].mean(axis=0) for m, _ in made]
    assert np.ptp([np.degrees(np.arctan2(b[1], b[0])) for b in bearings]) > 30.0
    assert len({(facts.role, facts.other) for _, facts in made}) > 1


def test_soles_are_on_the_floor_and_nobody_jerks(accepted, lowest_and_roughest) -> None:
    for motion, _ in accepted("converse", 8):
        for low, high, jerk in lowest_and_roughest(motion):
            assert low > -0.015 and high < 0.015 and jerk < 2500.0


def test_same_seed_same_motion(same_again) -> None:
    assert same_again("converse", 1)
