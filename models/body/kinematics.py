"""Forward kinematics: joint rotations and bones to positions."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.body.rest_skeleton import BODY_JOINTS, PARENTS
from models.types import SMPL_PARENTS


def forward(
    rest: Float[np.ndarray, "24 3"], local: Float[np.ndarray, "time 24 3 3"], pelvis: Float[np.ndarray, "time 3"]
) -> tuple[Float[np.ndarray, "time 24 3 3"], Float[np.ndarray, "time 24 3"]]:
    """World rotations and positions of all joints; `local[:, 0]` is the root's world rotation."""
    rotations, positions = local.copy(), np.empty((*local.shape[:2], 3))
    positions[:, 0] = pelvis
    for joint in range(1, 24):
        parent = SMPL_PARENTS[joint]
        rotations[:, joint] = rotations[:, parent] @ local[:, joint]
        positions[:, joint] = positions[:, parent] + rotations[:, parent] @ (rest[joint] - rest[parent])
    return rotations, positions


def bone_lengths(rest: Float[Tensor, "*batch 22 3"]) -> Float[Tensor, "*batch 21"]:
    """Distance of every joint but the root to its parent, metres."""
    return (rest[..., 1:, :] - rest[..., list(PARENTS[1:]), :]).norm(dim=-1)


def forward_kinematics(
    rest: Float[Tensor, "*#batch 22 3"], rotations: Float[Tensor, "*batch 22 3 3"], root: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 22 3"]:
    """Joints of a posed skeleton.

    `rotations`: the root's to the world, the others' to their parents; `root`: the pelvis, world.
    """
    # Products of many small matrices are slow; with the batch as the last axis they are sums of long vectors.
    bones = (rest[..., 1:, :] - rest[..., list(PARENTS[1:]), :]).expand(*root.shape[:-1], -1, -1)
    bones = bones.movedim((-2, -1), (0, 1)).contiguous()
    local = rotations.movedim((-3, -2, -1), (0, 1, 2)).contiguous()
    turned, joints = [local[0]], [root.movedim(-1, 0)]
    for joint in range(1, BODY_JOINTS):
        above = turned[PARENTS[joint]]
        joints.append(joints[PARENTS[joint]] + (above * bones[joint - 1]).sum(1))
        turned.append((above[:, :, None] * local[joint]).sum(1))
    return torch.stack(joints).movedim((0, 1), (-2, -1))
