"""The humanoid is the body: its skeleton, its skin, human limits, and coordinates that turn back into poses."""

import mujoco
import numpy as np
import pytest
import torch

from models.animation.gait_curves import procedural_walking
from models.body.model import BodyModel, BodyShape, load_body
from models.body.tracks import body_joints
from models.physics.humanoid import build_humanoid
from models.physics.joint_specs import SIMULATED
from models.types import SMPL_JOINTS


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


@pytest.fixture(scope="module")
def betas(body: BodyModel) -> np.ndarray:
    return body.betas_from_shape(BodyShape(age_years=78.0, sex=0.3, stature_m=1.66, build=0.5)).astype(np.float64)


def test_humanoid_stands_where_the_body_stands(body: BodyModel, betas: np.ndarray) -> None:
    humanoid = build_humanoid(body, betas, 68.0, 0.003)
    walk = procedural_walking(body, betas, 1.0, 10.0, np.random.default_rng(0)).people[0]
    qpos = humanoid.qpos_from_pose(walk.global_orient, walk.body_pose, walk.transl)
    data = mujoco.MjData(humanoid.model)
    joints = body_joints(body, betas, walk.global_orient, walk.body_pose, walk.transl)
    for frame in range(len(qpos)):
        data.qpos[:] = qpos[frame]
        mujoco.mj_forward(humanoid.model, data)
        for joint in SIMULATED:
            np.testing.assert_allclose(data.body(SMPL_JOINTS[joint]).xpos, joints[frame, joint], atol=2e-3)
    assert humanoid.model.body_mass.sum() == pytest.approx(68.0)


def test_coordinates_and_poses_are_exact_inverses(body: BodyModel, betas: np.ndarray) -> None:
    humanoid = build_humanoid(body, betas, 68.0, 0.003)
    rng = np.random.default_rng(1)
    low, high = np.maximum(humanoid.lower, -2.0), np.minimum(humanoid.upper, 2.0)
    qpos = rng.uniform(low, high, (20, humanoid.model.nq))
    for start in [3, *(humanoid.qpos_start[SMPL_JOINTS.index(f"{side}_shoulder")] for side in ("left", "right"))]:
        qpos[:, start : start + 4] /= np.linalg.norm(qpos[:, start : start + 4], axis=1, keepdims=True)
    pose = humanoid.pose_from_qpos(qpos)
    again = humanoid.pose_from_qpos(humanoid.qpos_from_pose(*pose))
    for one, other in zip(pose, again, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_limits_are_human_and_mirrored(body: BodyModel, betas: np.ndarray) -> None:
    model = build_humanoid(body, betas, 68.0, 0.003).model
    assert np.degrees(model.joint("left_knee_x").range).tolist() == pytest.approx([-2.0, 145.0])
    for axis, sign in (("x", 1.0), ("y", -1.0), ("z", -1.0)):
        left, right = model.joint(f"left_hip_{axis}").range, model.joint(f"right_hip_{axis}").range
        np.testing.assert_allclose(left, right if sign > 0.0 else -right[::-1])


def test_surface_of_hulls_is_the_skin(body: BodyModel, betas: np.ndarray) -> None:
    humanoid = build_humanoid(body, betas, 68.0, 0.003)
    data = mujoco.MjData(humanoid.model)
    mujoco.mj_forward(humanoid.model, data)
    skin = body.posed(
        torch.as_tensor(betas, dtype=torch.float32), torch.zeros(3), torch.zeros(69), torch.zeros(3)
    ).vertices
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for joint in SIMULATED:
        geom = humanoid.model.geom(SMPL_JOINTS[joint])
        mesh = humanoid.model.mesh(geom.dataid[0])
        corners = humanoid.model.mesh_vert[mesh.vertadr[0] : mesh.vertadr[0] + mesh.vertnum[0]]
        places = corners @ data.geom(geom.id).xmat.reshape(3, 3).T + data.geom(geom.id).xpos
        low, high = np.minimum(low, places.min(axis=0)), np.maximum(high, places.max(axis=0))
    np.testing.assert_allclose(low, skin.numpy().min(axis=0), atol=0.001)
    np.testing.assert_allclose(high, skin.numpy().max(axis=0), atol=0.001)
