"""Rotations of SMPL's joints from their positions alone, for data sets that give no rotations, or none of SMPL's.

Bones give directions; what turns about them comes from elsewhere: the pelvis from hips and spine, the chest from neck
and collars with the spine between them, thighs and upper arms from the plane in which knee and elbow bend, straight
legs from the feet, straight arms from the collar. Wrists, head and toes go along with the bone before them.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from models.body.kinematics import relative_rotations
from models.geometry.easing import smoothstep
from models.geometry.transforms import axis_angle_from_matrix, matrix_from_axis_angle, rotation_between
from models.types import SMPL_JOINTS, SMPL_PARENTS

AT = {name: index for index, name in enumerate(SMPL_JOINTS)}


def rotations_from_positions(
    positions: Float[np.ndarray, "time 22 3"],
    offsets: Float[np.ndarray, "24 3"],
    known: Mapping[str, Float[np.ndarray, "time 3 3"]] | None = None,
) -> Float[np.ndarray, "time 24 3 3"]:
    """Return rotations of the root in the world and of the other joints in their parents, for bones that rest along
    `offsets`.

    `offsets` are from the parent joint in the T-pose, in the body's own axes (y up, facing z); only directions matter.
    `known` are rotations of joints in the world that were measured: they stand in the place of what follows from bones.
    Where pelvis and spine3 are, nobody knows the spine's own joints, and it turns evenly between them.
    """
    known = known or {}
    bones = positions[:, 1:] - positions[:, SMPL_PARENTS[1:22]]
    bones = np.concatenate([positions[:, :1], bones / np.linalg.norm(bones, axis=-1, keepdims=True)], axis=1)
    rest = offsets / np.maximum(np.linalg.norm(offsets, axis=-1, keepdims=True), 1e-9)
    world = np.empty((len(positions), 24, 3, 3))

    def swung(from_joint: str, joint: str, child: str) -> None:
        """Turn a joint on from another one's rotation by the least that points its bone right."""
        base, tip = world[:, AT[from_joint]], AT[child]
        world[:, AT[joint]] = rotation_between(base @ rest[tip], bones[:, tip]) @ base

    for joint, children in (("pelvis", (1, 2, 3)), ("spine3", (12, 13, 14))):
        world[:, AT[joint]] = known.get(joint, fitted(rest[list(children)], bones[:, list(children)]))
    whole = axis_angle_from_matrix(np.swapaxes(world[:, 0], -1, -2) @ world[:, AT["spine3"]])
    for joint, child, share in (("spine1", "spine2", 1.0 / 3.0), ("spine2", "spine3", 2.0 / 3.0)):
        world[:, AT[joint]] = world[:, 0] @ matrix_from_axis_angle(share * whole)
        if not {"pelvis", "spine3"} <= known.keys():
            swung(joint, joint, child)
    swung("spine3", "neck", "head")
    world[:, AT["neck"]] = known.get("neck", world[:, AT["neck"]])
    world[:, AT["head"]] = known.get("head", world[:, AT["neck"]])
    for side, sign in (("left", -1.0), ("right", 1.0)):
        names = [f"{side}_{name}" for name in ("hip", "knee", "ankle", "foot")]
        hip, knee, ankle, foot = (AT[name] for name in names)
        along_foot = _aligned(rest[ankle], rest[foot], bones[:, ankle], bones[:, foot])[..., 0]
        across = _hinge(bones[:, knee], bones[:, ankle], along_foot)
        lateral = np.array([1.0, 0.0, 0.0])
        world[:, hip] = _aligned(rest[knee], lateral, bones[:, knee], across)
        world[:, knee] = _aligned(rest[ankle], lateral, bones[:, ankle], across)
        swung(names[1], names[2], names[3])
        world[:, foot] = world[:, ankle]
        names = [f"{side}_{name}" for name in ("collar", "shoulder", "elbow", "wrist", "hand")]
        _, shoulder, elbow, wrist, hand = (AT[name] for name in names)
        swung("spine3", names[0], names[1])
        swung(names[0], names[1], names[2])
        # The left elbow bends about -y of the T-pose, the right one about +y.
        upward = _hinge(sign * bones[:, elbow], bones[:, wrist], world[:, shoulder, :, 1])
        up = np.array([0.0, 1.0, 0.0])
        world[:, shoulder] = _aligned(rest[elbow], up, bones[:, elbow], upward)
        world[:, elbow] = _aligned(rest[wrist], up, bones[:, wrist], upward)
        world[:, wrist] = world[:, hand] = known.get(f"{side}_wrist", world[:, elbow])
    return relative_rotations(world)


def fitted(rest: Float[np.ndarray, "bone 3"], now: Float[np.ndarray, "time bone 3"]) -> Float[np.ndarray, "time 3 3"]:
    """Return the rotations that bring bones at rest nearest to where they are now (Kabsch 1976)."""
    u, _, vt = np.linalg.svd(np.einsum("tbi,bj->tij", now, rest))
    flip = np.ones((len(now), 3))
    flip[:, 2] = np.linalg.det(u @ vt)
    return (u * flip[:, None]) @ vt


def _hinge(
    upper: Float[np.ndarray, "time 3"], lower: Float[np.ndarray, "time 3"], straight: Float[np.ndarray, "time 3"]
) -> Float[np.ndarray, "time 3"]:
    """The axis about which a limb bends; while it is nearly straight, the axis that is known from elsewhere."""
    axis = np.cross(upper, lower)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    share = smoothstep((sine - 0.2) / 0.3)
    return share * axis / np.maximum(sine, 1e-9) + (1.0 - share) * straight


def _aligned(
    rest_bone: Float[np.ndarray, "3"],
    rest_side: Float[np.ndarray, "3"],
    bone: Float[np.ndarray, "time 3"],
    side: Float[np.ndarray, "time 3"],
) -> Float[np.ndarray, "time 3 3"]:
    """The rotations that point a bone right exactly, and a second direction as nearly as that allows."""

    def frame(along: Float[np.ndarray, "*time 3"], beside: Float[np.ndarray, "*time 3"]) -> np.ndarray:
        along = along / np.linalg.norm(along, axis=-1, keepdims=True)
        beside = beside - np.sum(along * beside, axis=-1, keepdims=True) * along
        beside = beside / np.maximum(np.linalg.norm(beside, axis=-1, keepdims=True), 1e-9)
        return np.stack([along, beside, np.cross(along, beside)], axis=-1)

    return Rotation.from_matrix(frame(bone, side) @ frame(rest_bone, rest_side).T).as_matrix()
