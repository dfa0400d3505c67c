"""Forward kinematics: torch and numpy agree with the body, with products written out joint by joint, and with each
other."""

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from models.body.kinematics import (
    bone_lengths,
    forward_kinematics,
    forward_kinematics_numpy,
    joint_positions,
    posed_skeleton,
    relative_rotations,
    world_rotations,
)
from models.body.model import load_body
from models.body.rest_skeleton import skeleton_of
from models.geometry.rotations import matrices_from_axis_angle
from models.types import SMPL_PARENTS


def random_pose(frames: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Joints at rest, rotations to the parents, places of the pelvis."""
    rng = np.random.default_rng(0)
    turns = Rotation.from_rotvec(rng.normal(0.0, 0.6, (frames * 24, 3))).as_matrix().reshape(frames, 24, 3, 3)
    return rng.normal(0.0, 0.3, (24, 3)), turns, rng.normal(0.0, 1.0, (frames, 3))


def one_by_one(rest: np.ndarray, local: np.ndarray, pelvis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What every version must give: frame by frame and joint by joint."""
    rotations, places = local.copy(), np.zeros((len(local), 24, 3))
    for frame in range(len(local)):
        places[frame, 0] = pelvis[frame]
        for joint in range(1, 24):
            above = SMPL_PARENTS[joint]
            rotations[frame, joint] = rotations[frame, above] @ local[frame, joint]
            places[frame, joint] = places[frame, above] + rotations[frame, above] @ (rest[joint] - rest[above])
    return rotations, places


def test_numpy_is_the_product_down_the_tree():
    pose = random_pose(6)
    wanted, found = one_by_one(*pose), forward_kinematics_numpy(*pose)
    np.testing.assert_allclose(found[0], wanted[0], atol=1e-12)
    np.testing.assert_allclose(found[1], wanted[1], atol=1e-12)
    np.testing.assert_allclose(relative_rotations(found[0]), pose[1], atol=1e-12)


def test_torch_is_numpy_for_all_joints_and_for_the_body_s():
    rest, local, pelvis = random_pose(6)
    rotations, joints = forward_kinematics_numpy(rest, local, pelvis)
    bones = torch.as_tensor(rest - rest[[0, *SMPL_PARENTS[1:]]])
    turned, places = posed_skeleton(bones, torch.as_tensor(local), torch.as_tensor(pelvis))
    np.testing.assert_allclose(turned.numpy(), rotations, atol=1e-12)
    np.testing.assert_allclose(places.numpy(), joints, atol=1e-12)
    some = forward_kinematics(
        torch.as_tensor(rest[:22]).expand(6, 22, 3), torch.as_tensor(local[:, :22]), torch.as_tensor(pelvis)
    )
    np.testing.assert_allclose(some.numpy(), joints[:, :22], atol=1e-12)


def test_axes_of_batches_broadcast():
    rest, local, pelvis = (torch.as_tensor(value) for value in random_pose(6))
    bones = torch.cat([rest[:1], rest[1:] - rest[list(SMPL_PARENTS[1:])]])
    whole = posed_skeleton(bones.expand(6, 24, 3), local, pelvis)
    for turned, joints in (posed_skeleton(bones, local, pelvis), posed_skeleton(bones[None], local, pelvis)):
        torch.testing.assert_close(turned, whole[0])
        torch.testing.assert_close(joints, whole[1])
    turned, joints = posed_skeleton(bones, local[:1], pelvis)
    assert turned.shape == (1, 24, 3, 3) and joints.shape == (6, 24, 3), "one rotation for all frames stays one"


def test_some_joints_of_any_tree():
    parents = (-1, 0, 1, 0, 3)
    rng = np.random.default_rng(1)
    local = Rotation.from_rotvec(rng.normal(size=(15, 3))).as_matrix().reshape(3, 5, 3, 3)
    bones = rng.normal(size=(3, 5, 3))
    world = world_rotations(local, parents)
    joints = joint_positions(world, bones, parents)
    np.testing.assert_allclose(world[:, 4], local[:, 0] @ local[:, 3] @ local[:, 4], atol=1e-12)
    tip = bones[:, 0] + (local[:, 0] @ (bones[:, 3] + (local[:, 3] @ bones[:, 4, :, None])[..., 0])[..., None])[..., 0]
    np.testing.assert_allclose(joints[:, 4], tip, atol=1e-12)
    some = world_rotations(local, parents, [4])
    np.testing.assert_array_equal(some[:, [0, 3, 4]], world[:, [0, 3, 4]])
    assert np.isnan(some[:, [1, 2]]).all() and np.isnan(joint_positions(some, bones, parents, [4])[:, [1, 2]]).all()


def test_joints_are_the_body_s():
    body = load_body()
    skeleton = skeleton_of(body)
    draw = torch.Generator().manual_seed(0)
    betas, transl = torch.randn(3, 10, generator=draw), torch.randn(3, 5, 3, generator=draw)
    angles = torch.randn(3, 5, 24, 3, generator=draw)
    angles[:, :, 22:] = 0.0
    wanted = body.posed(betas[:, None].expand(3, 5, 10), angles[:, :, 0], angles[:, :, 1:].flatten(-2), transl).joints
    rest = skeleton.rest_joints(betas)
    root = transl + rest[:, None, 0]
    found = forward_kinematics(rest[:, None], matrices_from_axis_angle(angles[:, :, :22]), root)
    torch.testing.assert_close(found, wanted[:, :, :22], atol=2e-6, rtol=0.0)
    spans = (
        found[..., 1:, :] - found[..., [0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19], :]
    ).norm(dim=-1)
    torch.testing.assert_close(spans, bone_lengths(rest)[:, None].expand_as(spans), atol=2e-6, rtol=0.0)
