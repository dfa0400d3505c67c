"""Retargeting: our own walk through a BVH file must come back; foreign skeletons keep sides, knees and floor."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.animation.gait_curves import procedural_walking
from models.body.floor_contact import lowest_surface
from models.body.model import BodyModel, BodyShape, load_body
from models.body.tracks import body_joints
from models.errors import InputError
from models.geometry.transforms import R_ZUP_YUP, matrix_from_axis_angle
from models.mocap.bvh import read_bvh
from models.mocap.evaluate_retargeting import retargeting_metrics
from models.mocap.joint_names import match_joints
from models.mocap.retarget import retarget
from models.mocap.skeleton_motion import SkeletonMotion
from models.types import SMPL_JOINTS, Motion

SHARED = Path(__file__).parents[3].parent / "shared" / "mocap"
Export = Callable[..., SkeletonMotion]
needs_mocap = pytest.mark.skipif(not SHARED.exists(), reason="no ../shared/mocap beside the repository")


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


@pytest.fixture(scope="module")
def betas(body: BodyModel) -> np.ndarray:
    return body.betas_from_shape(BodyShape(age_years=40.0, sex=0.5, stature_m=1.72, build=0.4))


@pytest.fixture(scope="module")
def walk(body: BodyModel, betas: np.ndarray) -> Motion:
    return procedural_walking(body, betas, 2.0, 30.0, np.random.default_rng(3))


@pytest.mark.parametrize("metres", [1e6, 1e300])
def test_who_is_captured_kilometres_away_is_refused(
    body: BodyModel, betas: np.ndarray, walk: Motion, as_bvh: Export, metres: float
) -> None:
    source = as_bvh(body, walk)
    source.translations[10:, 0, 0] += metres
    with pytest.raises(InputError, match="holds a number that cannot be meant: .*; export it again"):
        retarget([source], body, betas, 30.0)


def joints_of(body: BodyModel, motion: Motion) -> np.ndarray:
    track = motion.people[0]
    return body_joints(body, track.betas, track.global_orient, track.body_pose, track.transl)


def test_our_own_walk_comes_back(body: BodyModel, betas: np.ndarray, walk: Motion, as_bvh: Export) -> None:
    again = retarget([as_bvh(body, walk)], body, betas, 30.0)
    difference = np.linalg.norm(joints_of(body, again) - joints_of(body, walk), axis=-1)
    assert difference.max() < 0.015, "knees alone may give way, by the contact of the feet"
    assert np.delete(difference, [SMPL_JOINTS.index(f"{s}_knee") for s in ("left", "right")], axis=1).max() < 0.004
    angles = matrix_from_axis_angle(again.people[0].body_pose.reshape(-1, 3)) @ np.swapaxes(
        matrix_from_axis_angle(walk.people[0].body_pose.reshape(-1, 3)), -1, -2
    )
    assert np.degrees(np.arccos(np.clip((np.trace(angles, axis1=1, axis2=2) - 1.0) / 2.0, -1.0, 1.0))).max() < 3.0
    assert (again.actions == -1).all() and again.source == "walk.bvh"


def test_where_and_which_way_the_source_stands_changes_nothing(
    body: BodyModel, betas: np.ndarray, walk: Motion, as_bvh: Export
) -> None:
    turn = matrix_from_axis_angle(np.array([0.0, 2.0, 0.0]))
    moved = retarget([as_bvh(body, walk, turn, shift=40.0)], body, betas, 30.0)
    plain = retarget([as_bvh(body, walk)], body, betas, 30.0)
    np.testing.assert_allclose(joints_of(body, moved), joints_of(body, plain), atol=2e-5)


def test_another_body_keeps_its_bones_and_takes_the_directions(body: BodyModel, walk: Motion, as_bvh: Export) -> None:
    small = body.betas_from_shape(BodyShape(age_years=85.0, sex=0.0, stature_m=1.5, build=0.2))
    motion = retarget([as_bvh(body, walk)], body, small, 30.0)
    joints, source = joints_of(body, motion), joints_of(body, walk)
    rest = body.rest_joints(torch.as_tensor(small)).double().numpy()
    for side in ("left", "right"):
        for top, low in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist")):
            a, b = SMPL_JOINTS.index(f"{side}_{top}"), SMPL_JOINTS.index(f"{side}_{low}")
            bone, theirs = joints[:, b] - joints[:, a], source[:, b] - source[:, a]
            lengths = np.linalg.norm(bone, axis=-1)
            np.testing.assert_allclose(lengths, np.linalg.norm(rest[b] - rest[a]), atol=1e-4)
            cosine = np.sum(bone * theirs, axis=-1) / lengths / np.linalg.norm(theirs, axis=-1)
            # Legs bend a little more or less, for feet to stay where they stand.
            allowed = 4.0 if top in ("hip", "knee") else 0.1
            assert np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))).max() < allowed
    legs = (
        np.linalg.norm(rest[1] - rest[7]),
        np.linalg.norm(source[0, 1] - source[0, 4]) + np.linalg.norm(source[0, 4] - source[0, 7]),
    )
    assert joints[-1, 0, 0] / source[-1, 0, 0] == pytest.approx(legs[0] / legs[1], rel=0.03)


def test_forearms_of_other_proportions_bring_wrists_where_the_source_has_them(
    body: BodyModel, betas: np.ndarray, walk: Motion, as_bvh: Export
) -> None:
    track, pose = walk.people[0], walk.people[0].body_pose.copy()
    for side, sign in (("left", -1.0), ("right", 1.0)):
        pose[:, 3 * (SMPL_JOINTS.index(f"{side}_elbow") - 1) + 1] = sign * 1.5
    source = as_bvh(body, replace(walk, people=(replace(track, body_pose=pose),)))
    offsets, translations = source.offsets.copy(), source.translations.copy()
    for values in (offsets, translations):
        for name, share in (("ForeArm", 1.3), ("Hand", 0.6)):
            values[..., [source.names.index(f"{side}{name}") for side in ("Left", "Right")], :] *= share
    told = retargeting_metrics(
        replace(source, offsets=offsets, translations=translations),
        retarget([replace(source, offsets=offsets, translations=translations)], body, betas, 30.0),
        0,
        body,
    )
    assert 1.5 < told["wrist_cm"] < 2.3 and told["wrist_p95_cm"] < 2.5
    assert told["limb_direction_deg"] < 10.0 and told["ankle_cm"] < 0.5


def test_resampling_keeps_the_clock(body: BodyModel, betas: np.ndarray, walk: Motion, as_bvh: Export) -> None:
    slow = retarget([as_bvh(body, walk)], body, betas, 12.0)
    np.testing.assert_allclose(slow.timestamps_s, np.arange(24) / 12.0)
    fast = retarget([as_bvh(body, walk)], body, betas, 60.0)
    # Knees take up what the smoothing of contacts differs by.
    others = [joint for joint, name in enumerate(SMPL_JOINTS) if "knee" not in name]
    seen = (joints_of(body, slow)[::2, others, :2], joints_of(body, fast)[::10, others, :2])
    np.testing.assert_allclose(*seen, atol=4e-3)


def test_a_calibration_frame_at_the_start_is_dropped_and_reported(
    body: BodyModel, betas: np.ndarray, walk: Motion, as_bvh: Export
) -> None:
    bvh = as_bvh(body, walk)
    rotations = bvh.rotations.copy()
    rotations[0] = np.eye(3)
    motion = retarget([replace(bvh, rotations=rotations)], body, betas, 30.0)
    assert motion.details["calibration_frames_dropped"] == 1
    assert len(motion.timestamps_s) == len(walk.timestamps_s) - 1
    assert retarget([bvh], body, betas, 30.0).details["calibration_frames_dropped"] == 0


def test_unknown_skeleton_lists_what_has_no_partner(
    body: BodyModel, betas: np.ndarray, walk: Motion, as_bvh: Export
) -> None:
    bvh = as_bvh(body, walk)
    names = tuple(name.replace("LeftUpLeg", "Bone_7").replace("Neck", "Bone_8") for name in bvh.names)
    with pytest.raises(InputError) as caught:
        retarget([replace(bvh, names=names)], body, betas, 30.0)
    assert str(caught.value).startswith("walk.bvh: has no joint that is neck, left_hip (its joints: Hips, Bone_7, ")
    assert str(caught.value).endswith(
        "rename them to Hips, LeftUpLeg, LeftLeg, LeftFoot, Neck, Head, LeftArm, LeftForeArm, LeftHand, ..."
    )


@needs_mocap
@pytest.mark.parametrize(
    "name",
    ["cmu_salsa/10.bvh", "cmu_pair/18_01.bvh", "cmu_iclone/002_02.bvh", "cmu_martial/04.bvh", "idle/003_genuine.bvh"],
)
def test_captured_people_are_not_mirrored_and_stand_on_the_floor(body: BodyModel, betas: np.ndarray, name: str) -> None:
    bvh = read_bvh(SHARED / name)
    motion = retarget([bvh], body, betas, 30.0)
    track, joints = motion.people[0], joints_of(body, motion)
    lowest = lowest_surface(body, betas, track.global_orient, track.body_pose, track.transl)
    assert lowest.min() > -0.01 and abs(np.median(lowest)) < 0.02
    np.testing.assert_allclose(joints[0, 0, :2], 0.0, atol=1e-5)
    facing = matrix_from_axis_angle(track.global_orient)[:, :, 2]
    assert abs(facing[0, 1]) < 1e-6 and facing[0, 0] > 0.5
    # Left of the facing direction lies the left hip; toes are ahead of ankles; knees bend backward only.
    left = np.stack([-facing[:, 1], facing[:, 0]], axis=-1)
    across = joints[:, SMPL_JOINTS.index("left_hip"), :2] - joints[:, SMPL_JOINTS.index("right_hip"), :2]
    assert (np.sum(across * left, axis=-1) > 0.05).mean() > 0.95, "dancers bend over, for a moment"
    # Sources say the same of themselves: their left hand is our left hand.
    _, positions = bvh.forward()
    matched = match_joints(bvh)
    dropped = motion.details["calibration_frames_dropped"]
    theirs = positions[dropped:, matched["left_wrist"]] - positions[dropped:, matched["right_wrist"]]
    ours = joints[:, SMPL_JOINTS.index("left_wrist")] - joints[:, SMPL_JOINTS.index("right_wrist")]
    assert np.corrcoef(theirs[: len(ours), 1], ours[: len(theirs), 2])[0, 1] > 0.7 or np.ptp(ours[:, 2]) < 0.2
    knees = track.body_pose.reshape(-1, 23, 3)[:, [SMPL_JOINTS.index(f"{s}_knee") - 1 for s in ("left", "right")], 0]
    assert np.degrees(knees.min()) > -3.0


@needs_mocap
def test_walking_people_walk_forward(body: BodyModel, betas: np.ndarray) -> None:
    motion = retarget([read_bvh(SHARED / "cmu_iclone/002_01.bvh")], body, betas, 30.0)
    pelvis = joints_of(body, motion)[:, 0]
    assert 0.8 < pelvis[-1, 0] / motion.timestamps_s[-1] < 1.6
    assert 0.8 < pelvis[:, 2].mean() < 1.05


def test_a_file_with_z_up_is_turned(body: BodyModel, betas: np.ndarray, walk: Motion, as_bvh: Export) -> None:
    plain = as_bvh(body, walk)
    lying = plain.rotated(R_ZUP_YUP)
    assert np.ptp(lying.rest_positions()[:, 2]) > 1.2 * np.ptp(lying.rest_positions()[:, 0])
    found, known = (joints_of(body, retarget([source], body, betas, 30.0)) for source in (lying, plain))
    np.testing.assert_allclose(found, known, atol=2e-5)


def test_people_of_one_world_keep_their_places(body: BodyModel, walk: Motion, as_bvh: Export) -> None:
    """The second is taller: ways on the floor shrink alike for both, heights by each one's legs."""
    small, tall = (
        body.betas_from_shape(BodyShape(age_years=40.0, sex=0.5, stature_m=stature, build=0.4)).astype(np.float64)
        for stature in (1.5, 1.9)
    )
    people = []
    for number, betas in enumerate((small, tall)):
        track = replace(walk.people[0], betas=betas, transl=walk.people[0].transl + [0.0, 1.5 * number, 0.0])
        source = as_bvh(body, replace(walk, people=(track,)))
        people.append(replace(source, path=Path(f"{number}.bvh")))
    betas = body.betas_from_shape(BodyShape(age_years=40.0, sex=0.5, stature_m=1.7, build=0.4)).astype(np.float64)
    motion = retarget(people, body, betas, 30.0)
    assert motion.source == "0.bvh + 1.bvh" and [track.person for track in motion.people] == ["person_0", "person_1"]
    one, other = (
        body_joints(body, betas, track.global_orient, track.body_pose, track.transl) for track in motion.people
    )
    legs = [retarget([source], body, betas, 30.0).details["metres_per_unit"][0] for source in people]
    ways = [(source.translations[-1, 0] - source.translations[0, 0])[[2, 0]] * np.mean(legs) for source in people]
    for joints, way in zip((one, other), ways, strict=True):
        np.testing.assert_allclose(joints[-1, 0, :2] - joints[0, 0, :2], way, atol=0.02)
        assert 0.0 < joints[..., 2].min() < 0.1
    apart = (people[1].translations[0, 0] - people[0].translations[0, 0])[[2, 0]] * np.mean(legs)
    assert apart[1] > 1.5
    np.testing.assert_allclose(other[0, 0, :2] - one[0, 0, :2], apart, atol=0.01)
    np.testing.assert_allclose(one[0, 0, :2], 0.0, atol=1e-6)


def test_people_off_one_clock_are_refused(body: BodyModel, betas: np.ndarray, walk: Motion, as_bvh: Export) -> None:
    one = as_bvh(body, walk)
    slower = replace(one, path=Path("b/slow.bvh"), timestamps_s=one.timestamps_s * 1.5)
    with pytest.raises(InputError) as caught:
        retarget([one, slower], body, betas, 30.0)
    assert str(caught.value) == (
        "walk.bvh: is not on one clock with the others (/walk.bvh: 60 frames, 1.97 s, b/slow.bvh: 60 frames, 2.95 s); "
        "give takes of equal length"
    )


def test_a_part_that_is_not_there_is_refused(body: BodyModel, betas: np.ndarray, walk: Motion, as_bvh: Export) -> None:
    with pytest.raises(InputError) as caught:
        retarget([as_bvh(body, walk)], body, betas, 30.0, window_s=(5.0, 7.0))
    assert str(caught.value) == "walk.bvh: has no two frames from 5 s on: it lasts 1.97 s; ask for a part that is there"
    part = retarget([as_bvh(body, walk)], body, betas, 30.0, window_s=(0.5, 1.5))
    assert part.timestamps_s[-1] == pytest.approx(1.0, abs=0.04)
