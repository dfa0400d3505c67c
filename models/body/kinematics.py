"""Forward kinematics: rotations and bones of a skeleton to its joints.

In torch for what is trained, fitted and skinned; in numpy, in double precision and for any tree, for what is captured,
animated and simulated.
"""

from collections.abc import Collection, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.types import SMPL_PARENTS


def bone_lengths(rest: Float[Tensor, "*batch 22 3"]) -> Float[Tensor, "*batch 21"]:
    """Return the distance of every joint but the root to its parent, metres."""
    return (rest[..., 1:, :] - rest[..., list(SMPL_PARENTS[1:22]), :]).norm(dim=-1)


def forward_kinematics(
    rest: Float[Tensor, "*#batch 22 3"], rotations: Float[Tensor, "*batch 22 3 3"], root: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 22 3"]:
    """Return the joints of a posed skeleton, world.

    `rest`: joints of the T-pose; `rotations`: the root's to the world, the others' to their parents; `root`: the
    pelvis, world.
    """
    bones = torch.cat(
        [torch.zeros_like(rest[..., :1, :]), rest[..., 1:, :] - rest[..., list(SMPL_PARENTS[1:22]), :]], -2
    )
    return posed_skeleton(bones, rotations, root)[1]


def posed_skeleton(
    bones: Float[Tensor, "*#batch joint 3"],
    rotations: Float[Tensor, "*#batch joint 3 3"],
    root: Float[Tensor, "*#batch 3"],
) -> tuple[Float[Tensor, "*#batch joint 3 3"], Float[Tensor, "*batch joint 3"]]:
    """Return the world rotations, with no more batch axes than `rotations` has, and the positions of all joints.

    `bones`: of each joint from its parent at rest, of the root from the body's origin; `rotations`: the root's to the
    world, the others' to their parents; `root`: where the body's origin lies, world. SMPL's joints, or the first 22.
    """
    rotated, joints = [rotations[..., :1, :, :]], [bones[..., :1, :] + root[..., None, :]]
    for first, last, parents in _LEVELS:
        last = min(last, rotations.shape[-3])
        if last <= first:
            break
        above = _take(rotated[-1], parents[: last - first], -3)
        rotated.append(above @ rotations[..., first:last, :, :])
        joints.append(
            _take(joints[-1], parents[: last - first], -2) + (above @ bones[..., first:last, :, None])[..., 0]
        )
    batch = np.broadcast_shapes(*(level.shape[:-2] for level in joints))
    return torch.cat(rotated, dim=-3), torch.cat([level.expand(*batch, -1, -1) for level in joints], dim=-2)


def _levels() -> tuple[tuple[int, int, list[int]], ...]:
    """SMPL's tree by depth: the joints of one depth are numbered first..last; parents count from the level above."""
    depth = [0]
    for parent in SMPL_PARENTS[1:]:
        depth.append(depth[parent] + 1)
    levels = []
    for d in range(1, max(depth) + 1):
        members = [joint for joint in range(24) if depth[joint] == d]
        above = depth.index(d - 1)
        levels.append((members[0], members[-1] + 1, [SMPL_PARENTS[joint] - above for joint in members]))
    return tuple(levels)


_LEVELS = _levels()


def _take(values: Tensor, indices: list[int], axis: int) -> Tensor:
    """`values` at `indices` along an axis; a view where they run on, because the gradient of indexing is slow."""
    if indices == list(range(indices[0], indices[0] + len(indices))):
        return values.narrow(axis, indices[0], len(indices))
    return torch.cat([values.narrow(axis, index, 1) for index in indices], dim=axis)


def forward_kinematics_numpy(
    rest: Float[np.ndarray, "24 3"], local: Float[np.ndarray, "time 24 3 3"], pelvis: Float[np.ndarray, "time 3"]
) -> tuple[Float[np.ndarray, "time 24 3 3"], Float[np.ndarray, "time 24 3"]]:
    """Return world rotations and positions of all joints of a SMPL body in double precision.

    `rest`: joints of the T-pose; `local[:, 0]`: the root's world rotation, the others to their parents.
    """
    bones = np.tile(rest - rest[[0, *SMPL_PARENTS[1:]]], (len(local), 1, 1))
    bones[:, 0] = pelvis
    world = world_rotations(local)
    return world, joint_positions(world, bones)


def world_rotations(
    local: Float[np.ndarray, "*batch joint 3 3"],
    parents: Sequence[int] = SMPL_PARENTS,
    joints: Collection[int] | None = None,
) -> Float[np.ndarray, "*batch joint 3 3"]:
    """Return rotations to the world from those to the parents (of a root to the world), down any tree.

    `parents`: index of each joint's parent, a smaller one, -1 of a root; there may be fewer joints than parents.
    `joints`: those wanted, None for all; rows of the others, but those between them and the root, are NaN.
    """
    world = np.full_like(local, np.nan)
    for joint in _with_ancestors(parents[: local.shape[-3]], joints):
        above = parents[joint]
        turn = local[..., joint, :, :]
        world[..., joint, :, :] = turn if above < 0 else world[..., above, :, :] @ turn
    return world


def joint_positions(
    world: Float[np.ndarray, "*batch joint 3 3"],
    bones: Float[np.ndarray, "*batch joint 3"],
    parents: Sequence[int] = SMPL_PARENTS,
    joints: Collection[int] | None = None,
) -> Float[np.ndarray, "*batch joint 3"]:
    """Return positions in the world from rotations to it and `bones`: each joint in its parent's frame, a root in the
    world's. `parents` and `joints` as of `world_rotations`."""
    positions = np.full_like(bones, np.nan)
    for joint in _with_ancestors(parents[: bones.shape[-2]], joints):
        above = parents[joint]
        positions[..., joint, :] = bones[..., joint, :]
        if above >= 0:
            arm = np.einsum("...ij,...j->...i", world[..., above, :, :], bones[..., joint, :])
            positions[..., joint, :] = positions[..., above, :] + arm
    return positions


def _with_ancestors(parents: Sequence[int], joints: Collection[int] | None) -> list[int]:
    """The joints (None: all) and what lies between them and the root, parents before children."""
    wanted = set(range(len(parents)) if joints is None else joints)
    for joint in reversed(range(len(parents))):
        if joint in wanted and parents[joint] >= 0:
            wanted.add(parents[joint])
    return sorted(wanted)


def relative_rotations(world: Float[np.ndarray, "*batch joint 3 3"]) -> Float[np.ndarray, "*batch joint 3 3"]:
    """Return rotations to the parents of SMPL's joints, or its first ones, from those to the world: the inverse of
    `world_rotations`."""
    local = world.copy()
    above = world[..., list(SMPL_PARENTS[1 : world.shape[-3]]), :, :]
    local[..., 1:, :, :] = np.swapaxes(above, -1, -2) @ world[..., 1:, :, :]
    return local
