"""Sampled bodies out of the floor: limbs, heads and hands bent by as little as is needed."""

import functools
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.body import two_bone_ik
from models.body.collision_spheres import SKIN_SHARE
from models.body.kinematics import forward_kinematics, relative_rotations, world_rotations
from models.body.model import BodyModel
from models.body.rest_skeleton import PARENTS
from models.body.tracks import HEAD
from models.geometry.transforms import rotation_between, unit
from models.types import SMPL_JOINTS

WRISTS = (SMPL_JOINTS.index("left_wrist"), SMPL_JOINTS.index("right_wrist"))
ENDS = (HEAD, *3 * WRISTS)
"""Joints that carry what has no joint at its end: the head and the hands."""
FINGERS_M = 0.01
"""Half as thick as fingers are."""
OUTWARDS = 0.3
"""Sine of the angle to the vertical below which a bone that is raised goes away from the pelvis, the more the steeper:
nothing else says where to one that hangs down."""
LEGS = tuple(joint for limb in two_bone_ik.LEGS for joint in limb.joints)
"""Whose feet `models.body.floor_contact` lifts by bending knees."""


@dataclass(frozen=True)
class FloorClearance:
    """How far above the floor a body must be: its joints, the middle of the head, and the hands' ends and edges."""

    ends: Float[np.ndarray, "7 3"]
    """From each of ENDS to the middle of the head, to the left and the right fingertips, thumbs and outer edges of the
    hands, in the body's own axes at rest, metres."""
    radii: Float[np.ndarray, "29"]
    """From each joint to the nearest skin of its limbs, half the head's width, and half a finger's: what is lower is
    too low, metres."""


@functools.lru_cache(maxsize=1)
def floor_clearance_of(body: BodyModel) -> FloorClearance:
    """Measure the mean shape; remembered, since one body moves in many motions."""
    joints, skin, weights = body.J_template.numpy(), body.v_template.numpy(), body.weights.numpy()
    head = skin[weights[:, HEAD] > 0.9]
    low, high = head.min(axis=0), head.max(axis=0)
    # In the T-pose fingers point along x, thumbs along z.
    hands = [skin[weights[:, [wrist, wrist + 2]].sum(axis=1) > 0.9] for wrist in WRISTS]
    tips = [hand[np.abs(hand[:, 0]).argmax()] for hand in hands]
    thumbs, edges = ([hand[(sign * hand[:, 2]).argmax()] for hand in hands] for sign in (1.0, -1.0))
    ends = np.stack([(low + high) / 2.0, *tips, *thumbs, *edges]) - joints[list(ENDS)]
    radii = [np.linalg.norm(skin[weights[:, joint] > SKIN_SHARE] - joints[joint], axis=1).min() for joint in range(22)]
    return FloorClearance(ends, np.array([*radii, (high - low).min() / 2.0, *[FINGERS_M] * 6]))


def resolve_floor_penetration(
    clearance: FloorClearance,
    rest: Float[Tensor, "person 22 3"],
    R: Float[Tensor, "person time 22 3 3"],
    root: Float[Tensor, "person time 3"],
) -> tuple[Float[Tensor, "person time 22 3 3"], Float[Tensor, "person time 3"]]:
    """Bend people so that no joint, no head and no hand is nearer to the floor than its skin allows.

    From the pelvis outwards, every bone rotates by the smallest angle to where its end was, or, where that is too low,
    on to where it is just high enough (of legs: towards there). Who is nowhere too low stays.
    """
    world = world_rotations(R.double().numpy())
    joints = forward_kinematics(rest[:, None], R, root).double().numpy()
    ends = joints[:, :, list(ENDS)] + (world[:, :, list(ENDS)] @ clearance.ends[..., None])[..., 0]
    before = np.concatenate([joints, ends], axis=2)
    low = (before[..., 2] < clearance.radii).any(axis=-1)
    if not low.any():
        return R, root
    bones = (rest - rest[:, list(PARENTS)]).double().numpy()
    bones = np.concatenate([bones, np.broadcast_to(clearance.ends, (len(bones), len(ENDS), 3))], axis=1)
    rotated, pelvis = _bent(clearance, bones[np.nonzero(low)[0]], world[low], before[low])
    bent, raised = R.clone(), root.clone()
    bent[torch.as_tensor(low)] = torch.as_tensor(relative_rotations(rotated), dtype=torch.float32)
    raised[torch.as_tensor(low)] = torch.as_tensor(pelvis, dtype=torch.float32)
    return bent, raised


def _bent(
    clearance: FloorClearance,
    bones: Float[np.ndarray, "pose 29 3"],
    world: Float[np.ndarray, "pose 22 3 3"],
    before: Float[np.ndarray, "pose 29 3"],
) -> tuple[Float[np.ndarray, "pose 22 3 3"], Float[np.ndarray, "pose 3"]]:
    """World rotations and the pelvis of poses out of the floor, told bones from their parents at rest, and world
    rotations and places before."""
    places, rotated = before.copy(), world.copy()
    places[:, 0, 2] = np.maximum(places[:, 0, 2], clearance.radii[0])
    for joint in range(22):
        children = [child for child, above in enumerate((*PARENTS, *ENDS)) if above == joint and child > 0]
        if not children:
            continue
        now = (world[:, joint, None] @ bones[:, children, :, None])[..., 0]
        clipped = before[:, children]
        clipped[..., 2] = np.maximum(clipped[..., 2], clearance.radii[children])
        goals = clipped - places[:, joint, None]
        if joint not in LEGS:
            lowest = clearance.radii[children] - places[:, joint, None, 2]
            goals = _raised(goals, np.linalg.norm(now, axis=-1), lowest, places[:, joint, None] - places[:, :1])
        rotated[:, joint] = _swing(now, goals) @ world[:, joint]
        arms = (rotated[:, joint, None] @ bones[:, children, :, None])[..., 0]
        places[:, children] = places[:, joint, None] + arms
    return rotated, places[:, 0]


def _raised(
    goals: Float[np.ndarray, "*batch bone 3"],
    lengths: Float[np.ndarray, "*batch bone"],
    lowest: Float[np.ndarray, "*batch bone"],
    outwards: Float[np.ndarray, "*batch #bone 3"],
) -> Float[np.ndarray, "*batch bone 3"]:
    """Bones of some lengths along goals, where these are too low raised in their vertical planes until their ends are
    at the lowest height; what hangs down goes outwards."""
    along = lengths[..., None] * unit(goals)
    up = np.clip(lowest / np.maximum(lengths, 1e-9), -1.0, 1.0)
    level, vertical = np.diag([1.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])
    flat = along @ level / np.maximum(lengths, 1e-9)[..., None]
    hanging = np.clip(1.0 - np.linalg.norm(flat, axis=-1, keepdims=True) / OUTWARDS, 0.0, 1.0)
    flat = unit(flat + OUTWARDS * hanging * unit(outwards @ level))
    raised = lengths[..., None] * (np.sqrt(1.0 - up**2)[..., None] * flat + up[..., None] * vertical)
    return np.where((along[..., 2] < lowest)[..., None], raised, along)


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
