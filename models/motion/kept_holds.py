"""Hands that hold: what a motion's hands are on before it is cleaned up they are on afterwards.

Which hands are on whom is read off the joints (`models.motion.holding`). Where on the other's limb each was is kept in
that limb's own frame; when all people have been moved, the arm brings the palm there again, onto the skin.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.ndimage import binary_closing, binary_opening, distance_transform_edt, gaussian_filter1d
from torch import Tensor

from models.body.anny_bake import farthest_points
from models.body.kinematics import forward_kinematics_numpy
from models.body.model import BodyModel
from models.body.tracks import rest_joints_of
from models.body.two_bone_ik import ARMS, reach_wrists
from models.geometry.easing import minimum_jerk
from models.geometry.transforms import unit
from models.motion.holding import NEAR_M, PALM_M, capsule_distances, palms_of
from models.types import FPS, SMPL_JOINTS, SMPL_PARENTS

GAP_S = 0.2
"""So long a hand may be off in a hold."""
LASTING_S = 0.5
"""Shorter touches are no holds."""
FADE_S = 0.3
"""In which an arm comes from where it would be, and goes back."""
SKIN_POINTS = 1000
"""Of the body's skin, at which it is looked for."""
HANGING = 0.87
"""Cosine of the angle to the trunk from which on an arm hangs."""
NECK = SMPL_JOINTS.index("neck")
OFF_SKIN_M = 0.008
"""The middle of a palm is at least so far off the skin: half a hand is thicker, and presses into clothes and skin."""
FAR_M = 0.06
"""From the nearest point of the skin: about as far as those are from each other, so that they tell where it is."""
LEEWAY_M = 0.003
"""A palm as near as this to its place stays."""


@dataclass(frozen=True)
class HeldPlace:
    """One hand of one person on another, over the whole motion."""

    holder: int
    hand: int
    """0 left, 1 right."""
    held: int
    joint: int
    """SMPL index of what carries the limb that is held."""
    place: Float[np.ndarray, "time 3"]
    """Of the palm's middle from that joint, in the limb's axes."""
    on: Bool[np.ndarray, "time"]
    """When it is there."""

    @property
    def away_s(self) -> Float[np.ndarray, "time"]:
        """How far each moment is from those when it is there."""
        return np.asarray(distance_transform_edt(~self.on)) / FPS

    @property
    def near(self) -> Bool[np.ndarray, "time"]:
        """When the arm is there, on the way, or on the way back."""
        return self.away_s < FADE_S


@dataclass(frozen=True)
class Meant:
    """Hands that are meant to be on somebody else."""

    holding: Bool[np.ndarray, "person time 2"]
    """When the left, the right hand of each person is."""
    reach_m: float
    """How far from a surface they may still be."""


def held_places(
    rest: Float[np.ndarray, "person 24 3"],
    R: Float[np.ndarray, "person time 24 3 3"],
    root: Float[np.ndarray, "person time 3"],
    meant: Meant | None = None,
) -> list[HeldPlace]:
    """Find the hands that are on somebody else for half a second and more, or meant to be and near; of several at a
    time, on the nearest.

    `rest` and `R` are rest joints and rotations (of the root to the world, of the others to their parents), `root` the
    places of the pelvis, metres.
    """
    world = [forward_kinematics_numpy(*person) for person in zip(rest, R, root, strict=True)]
    joints = torch.as_tensor(np.stack([places for _, places in world])[:, :, :22])
    palms, found = palms_of(joints), []
    hanging = _hanging(joints, palms)
    for holder in range(len(R)):
        others = [person for person in range(len(R)) if person != holder]
        if not others:
            return []
        distances = torch.stack([capsule_distances(palms[holder], joints[held]) for held in others])
        for hand in (0, 1):
            nearest = distances[:, :, hand].amin(-1)
            for number, held in enumerate(others):
                near = ((nearest[number] < NEAR_M) & ~hanging[holder, :, hand]).numpy()
                if meant is not None:
                    near |= (nearest[number] < meant.reach_m).numpy() & meant.holding[holder, :, hand]
                on = _lasting(near & (nearest.argmin(0) == number).numpy())
                if on.any():
                    # A capsule goes by the joint at its end; what carries it is the one above.
                    end = int(distances[number, torch.as_tensor(on), hand].mean(0).argmin()) + 1
                    limb = SMPL_PARENTS[end]
                    rotations, places = world[held]
                    off = palms[holder, :, hand].numpy() - places[:, limb]
                    place = np.einsum("tji,tj->ti", rotations[:, limb], off)
                    found.append(HeldPlace(holder, hand, held, limb, place, on))
    return found


def _hanging(
    joints: Float[Tensor, "person time 22 3"], palms: Float[Tensor, "person time 2 3"]
) -> Bool[Tensor, "person time 2"]:
    """Which arms hang beside their own trunks: hands of people who stand close touch the other, and hold nothing."""
    down = torch.nn.functional.normalize(joints[..., 0, :] - joints[..., NECK, :], dim=-1)
    arms = torch.nn.functional.normalize(palms - joints[..., [arm.upper for arm in ARMS], :], dim=-1)
    return (arms * down[..., None, :]).sum(-1) > HANGING


def _lasting(on: Bool[np.ndarray, "time"]) -> Bool[np.ndarray, "time"]:
    gap, lasting = round(GAP_S * FPS) + 1, round(LASTING_S * FPS)
    closed = binary_closing(np.pad(on, gap), np.ones(gap))[gap:-gap]
    return binary_opening(closed, np.ones(lasting)) if len(on) >= lasting else np.zeros_like(on)


def keep_holds(
    body: BodyModel,
    betas: Float[np.ndarray, "person 10"],
    off_skin_m: float,
    holds: Sequence[HeldPlace],
    R: Float[np.ndarray, "person time 24 3 3"],
    root: Float[np.ndarray, "person time 3"],
) -> Float[np.ndarray, "person time 24 3 3"]:
    """Return rotations with arms that bring holding palms back to their places, no farther from the skin than asked."""
    kept = R.copy()
    rest = np.stack([rest_joints_of(body, shape) for shape in betas])
    for hold in holds:
        arm = ARMS[hold.hand]
        rotations, joints = forward_kinematics_numpy(rest[hold.held], kept[hold.held], root[hold.held])
        goal = joints[:, hold.joint] + (rotations[:, hold.joint] @ hold.place[..., None])[..., 0]
        some = np.flatnonzero(hold.near)
        posed = (rotations[some], joints[some], rest[hold.held])
        goal[some] += _onto_skin(body, betas[hold.held], hold.joint, posed, goal[some], off_skin_m)
        # The palm's middle goes on from the wrist as the forearm does: a longer forearm reaches with it.
        longer = rest[hold.holder].copy()
        longer[arm.end] += PALM_M * unit(longer[arm.end] - longer[arm.middle])
        _, places = forward_kinematics_numpy(longer, kept[hold.holder], root[hold.holder])
        share = minimum_jerk(1.0 - hold.away_s[:, None] / FADE_S)
        miss = goal - places[:, arm.end]
        size = np.linalg.norm(miss, axis=-1, keepdims=True)
        miss = share * miss * np.maximum(0.0, 1.0 - LEEWAY_M / np.maximum(size, LEEWAY_M))
        moved = np.linalg.norm(miss, axis=-1) > 0.0
        offsets = [places[:, one.end] - places[:, one.upper] for one in ARMS]
        offsets[hold.hand] = offsets[hold.hand] + miss
        reached = reach_wrists(longer, kept[hold.holder], offsets)
        for joint in arm.joints:
            kept[hold.holder, moved, joint] = reached[moved, joint]
    return kept


@dataclass(frozen=True)
class _Skin:
    """Points of a body's skin, spread over it."""

    vertices: Int[np.ndarray, "point"]
    weights: Float[np.ndarray, "point 24"]
    normals: Float[np.ndarray, "point 3"]
    """In the rest pose of the mean shape."""


@functools.lru_cache(maxsize=1)
def _skin_of(body: BodyModel) -> _Skin:
    points, faces = body.v_template.double().numpy(), body.faces
    across = np.cross(points[faces[:, 1]] - points[faces[:, 0]], points[faces[:, 2]] - points[faces[:, 0]])
    normals = np.zeros_like(points)
    for corner in range(3):
        np.add.at(normals, faces[:, corner], across)
    chosen = farthest_points(points, SKIN_POINTS)
    return _Skin(chosen, body.weights[chosen].double().numpy(), unit(normals[chosen]))


def _onto_skin(
    body: BodyModel,
    betas: Float[np.ndarray, "10"],
    joint: int,
    posed: tuple[Float[np.ndarray, "time 24 3 3"], Float[np.ndarray, "time 24 3"], Float[np.ndarray, "24 3"]],
    points: Float[np.ndarray, "time 3"],
    off_skin_m: float,
) -> Float[np.ndarray, "time 3"]:
    """By what to move points so that they are on the skin about a joint or as little off it as is allowed, smoothly;
    `posed`: rotations and places of the joints, and those at rest. The skin is the plane through its nearest point; of
    points far off, that point."""
    (rotations, joints, rest), skin = posed, _skin_of(body)
    about = [one for one in range(24) if joint in (one, SMPL_PARENTS[one]) or one == SMPL_PARENTS[joint]]
    some = skin.weights[:, about].sum(axis=1) > 0.5
    vertices, weights, normals = skin.vertices[some], skin.weights[some], skin.normals[some]
    grown = body.shapedirs[vertices] @ torch.as_tensor(betas, dtype=torch.float32)
    shaped = (body.v_template[vertices] + grown).double().numpy()
    offset = joints - (rotations @ rest[..., None])[..., 0]
    blended = weights @ np.concatenate([rotations.reshape(-1, 24, 9), offset], axis=-1)
    linear = blended[..., :9].reshape(*blended.shape[:2], 3, 3)
    places = (linear @ shaped[..., None])[..., 0] + blended[..., 9:]
    nearest = np.linalg.norm(points[:, None] - places, axis=-1).argmin(axis=1)
    at = np.arange(len(points)), nearest
    out = unit((linear[at] @ normals[nearest][..., None])[..., 0])
    height = np.sum((points - places[at]) * out, axis=-1)
    move = (np.clip(height, OFF_SKIN_M, off_skin_m) - height)[:, None] * out
    far = np.linalg.norm(points - places[at], axis=-1) > FAR_M
    move[far] = (places[at] + off_skin_m * out - points)[far]
    return gaussian_filter1d(move, 0.1 * FPS, axis=0, mode="nearest")
