"""Sampled bodies out of the floor: limbs and heads bent by as little as is needed."""

import functools
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.body.collision_spheres import SKIN_SHARE
from models.body.kinematics import forward_kinematics, relative_rotations, world_rotations
from models.body.model import BodyModel
from models.body.rest_skeleton import PARENTS
from models.geometry.transforms import rotation_between
from models.types import SMPL_JOINTS

HEAD = SMPL_JOINTS.index("head")


@dataclass(frozen=True)
class FloorClearance:
    """How far above the floor a body must be: its joints, and the middle of the head, which has no joint at its end."""

    head: Float[np.ndarray, "3"]
    """From the head's joint, the body's own axes at rest, metres."""
    radii: Float[np.ndarray, "23"]
    """From each joint to the nearest skin of its limbs, and half the head's width: what is lower is too low, metres."""


@functools.lru_cache(maxsize=1)
def floor_clearance_of(body: BodyModel) -> FloorClearance:
    """Measure the mean shape; remembered, since one body moves in many motions."""
    joints, skin, weights = body.J_template.numpy(), body.v_template.numpy(), body.weights.numpy()
    head = skin[weights[:, HEAD] > 0.9]
    low, high = head.min(axis=0), head.max(axis=0)
    radii = [np.linalg.norm(skin[weights[:, joint] > SKIN_SHARE] - joints[joint], axis=1).min() for joint in range(22)]
    return FloorClearance((low + high) / 2.0 - joints[HEAD], np.array([*radii, (high - low).min() / 2.0]))


def resolve_floor_penetration(
    clearance: FloorClearance,
    rest: Float[Tensor, "person 22 3"],
    R: Float[Tensor, "person time 22 3 3"],
    root: Float[Tensor, "person time 3"],
) -> tuple[Float[Tensor, "person time 22 3 3"], Float[Tensor, "person time 3"]]:
    """Bend people so that no joint, and no head, is nearer to the floor than its skin allows.

    Each that is too low is wanted just high enough, and every bone rotates by the smallest angle to where its ends are
    wanted. Who is nowhere too low stays.
    """
    world = world_rotations(R.double().numpy())
    joints = forward_kinematics(rest[:, None], R, root).double().numpy()
    head = joints[:, :, HEAD] + world[:, :, HEAD] @ clearance.head
    wanted = np.concatenate([joints, head[:, :, None]], axis=2)
    if not (wanted[..., 2] < clearance.radii).any():
        return R, root
    wanted[..., 2] = np.maximum(wanted[..., 2], clearance.radii)
    bones = (rest - rest[:, list(PARENTS)]).double().numpy()
    bones = np.concatenate([bones, np.broadcast_to(clearance.head, (len(bones), 1, 3))], axis=1)
    rotated = []
    for joint in range(22):
        children = [child for child, above in enumerate((*PARENTS, HEAD)) if above == joint and child > 0]
        swing = np.broadcast_to(np.eye(3), world[:, :, joint].shape)
        if children:
            now = [(world[:, :, joint] @ bones[:, None, child, :, None])[..., 0] for child in children]
            goals = [wanted[:, :, child] - wanted[:, :, joint] for child in children]
            swing = _swing(np.stack(now, axis=-2), np.stack(goals, axis=-2))
        rotated.append(swing @ world[:, :, joint])
    bent = torch.as_tensor(relative_rotations(np.stack(rotated, axis=2)), dtype=torch.float32)
    return bent, torch.as_tensor(wanted[:, :, 0], dtype=torch.float32)


def _swing(
    now: Float[np.ndarray, "*batch bone 3"], goals: Float[np.ndarray, "*batch bone 3"]
) -> Float[np.ndarray, "*batch 3 3"]:
    """The rotation that takes directions of bones nearest to their goals: the smallest of one bone, Kabsch's of
    several."""
    now, goals = (v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9) for v in (now, goals))
    if now.shape[-2] == 1:
        return rotation_between(now[..., 0, :], goals[..., 0, :])
    U, _, V = np.linalg.svd(np.swapaxes(goals, -1, -2) @ now)
    mirror = np.ones((*now.shape[:-2], 3))
    mirror[..., 2] = np.sign(np.linalg.det(U @ V))
    return (U * mirror[..., None, :]) @ V
