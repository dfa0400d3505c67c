"""People moved out of each other, no farther and no longer than is needed.

Bodies are spheres along their bones. Where shanks and feet share space, both people are moved over the floor at all
times alike, so that planted feet stay planted; where hips, trunks, heads and arms do, the bodies lean out of each other
around that time, over feet that stay, as far as a body leans.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.ndimage import gaussian_filter1d, maximum_filter1d
from torch import Tensor

from models.body.collision_spheres import CollisionSpheres
from models.body.kinematics import forward_kinematics_numpy
from models.body.model import BodyModel
from models.body.tracks import rest_joints_of
from models.body.two_bone_ik import ARMS, LEGS, reach_ankles
from models.motion.kept_holds import HeldPlace
from models.types import FPS, SMPL_JOINTS

DIRECTIONS = 24
"""Of the floor, in which a way out of another person is looked for."""
SUBSAMPLE = 8
"""Of discs that bound how far it is out of all of them."""
AHEAD_S, LEAN_S = 0.5, 0.15
"""So long before it is needed a body leans, and the standard deviation of how it comes to."""
LEAN_M = 0.05
"""By how much a body leans at most; what is more moves the feet as well."""
SHANKS = tuple(SMPL_JOINTS.index(f"{side}_{name}") for side in ("left", "right") for name in ("knee", "ankle", "foot"))
"""Joints that carry the spheres of shanks and feet."""


@dataclass(frozen=True)
class Apart:
    """How far people are moved."""

    allowed_m: float
    """That spheres of two people may share, metres."""
    rounds: int
    """How often at most, since moving two makes others meet."""


def move_apart(
    apart: Apart,
    body: BodyModel,
    betas: Float[np.ndarray, "person 10"],
    holds: Sequence[HeldPlace],
    R: Float[np.ndarray, "person time 24 3 3"],
    root: Float[np.ndarray, "person time 3"],
) -> tuple[Float[np.ndarray, "person time 24 3 3"], Float[np.ndarray, "person time 3"]]:
    """Return rotations (of the root to the world, of the others to their parents) and the pelvis, metres, of people
    none of whom is inside another.

    Two who meet are moved by the shortest shift that takes them apart, half of it each; again while others then meet.
    Forearms and hands that hold are on those whom they hold: these drive nobody apart.
    """
    feet, bodies = _shifts(apart, body, betas, holds, R, root)
    moved, R = root.copy(), R.copy()
    moved[..., :2] += feet[:, None] + bodies
    for person in np.flatnonzero(np.abs(bodies).max(axis=(1, 2)) > 0.0):
        rest = rest_joints_of(body, betas[person])
        _, joints = forward_kinematics_numpy(rest, R[person], root[person])
        stay = np.array([*feet[person], 0.0])
        R[person] = reach_ankles(rest, R[person], moved[person], [joints[:, leg.end] + stay for leg in LEGS])
    return R, moved


def _shifts(
    apart: Apart,
    body: BodyModel,
    betas: Float[np.ndarray, "person 10"],
    holds: Sequence[HeldPlace],
    R: Float[np.ndarray, "person time 24 3 3"],
    root: Float[np.ndarray, "person time 3"],
) -> tuple[Float[np.ndarray, "person 2"], Float[np.ndarray, "person time 2"]]:
    """By what to move each person at all times, and by what each body beside that, over the floor."""
    feet, bodies = np.zeros((len(root), 2)), np.zeros((*root.shape[:2], 2))
    if apart.rounds == 0:
        return feet, bodies
    spheres = [CollisionSpheres(body, shape) for shape in betas]
    centres = [
        own.centres(turns[:, 0], turns[:, 1:], pelvis - rest_joints_of(body, shape)[0])
        for own, turns, pelvis, shape in zip(spheres, R, root, betas, strict=True)
    ]
    pairs = list(itertools.combinations(range(len(root)), 2))
    meets = {}
    for a, b in pairs:
        own, other = (
            _Solid(centres[one], spheres[one], _holding(spheres[one].owners, holds, one, two))
            for one, two in ((a, b), (b, a))
        )
        meets[a, b] = _discs(own, other, apart.allowed_m)
    for _ in range(apart.rounds):
        calm = True
        for a, b in pairs:
            line = root[b, 0, :2] - root[a, 0, :2]
            first_rad = math.atan2(line[1], line[0])
            for low in (True, False):
                times, middles, radii = meets[a, b][low]
                away = (feet[b] - feet[a]) + (bodies[b] - bodies[a])[times]
                middles = middles - away.astype(np.float32)
                push = _shortest_shift(middles, radii, first_rad)
                if not push.any():
                    continue
                calm = False
                far = float(np.linalg.norm(push))
                constant = push if low else push * np.float32(max(0.0, 1.0 - 2.0 * LEAN_M / far))
                feet[a] -= 0.5 * constant
                feet[b] += 0.5 * constant
                if not low:
                    lean = _lean(times, middles - constant, radii, push - constant, root.shape[1])
                    bodies[a] -= 0.5 * lean
                    bodies[b] += 0.5 * lean
        if calm:
            break
    return feet, bodies


def _lean(
    times: Int[np.ndarray, "disc"],
    centres: Float[np.ndarray, "disc 2"],
    radii: Float[np.ndarray, "disc"],
    push: Float[np.ndarray, "2"],
    count: int,
) -> Float[np.ndarray, "time 2"]:
    """A shift along a push that is out of the discs of each time, comes and goes smoothly, and is nowhere longer than
    the push."""
    far = float(np.linalg.norm(push))
    ahead = push / np.float32(far)
    needed = np.zeros(count)
    inside = np.einsum("ij,ij->i", centres, centres) < radii**2
    for time in np.unique(times[inside]):
        at = slice(*np.searchsorted(times, (time, time + 1)))
        needed[time] = _exit_distance(centres[at], radii[at], ahead)
    needed = maximum_filter1d(needed, 2 * round(AHEAD_S * FPS) + 1, mode="nearest")
    smooth = gaussian_filter1d(np.minimum(needed, far), LEAN_S * FPS, mode="nearest")
    return (1.0 + 1e-3) * smooth[:, None] * ahead


@dataclass(frozen=True)
class _Solid:
    """What of one person another cannot be in."""

    centres: Float[Tensor, "time sphere 3"]
    spheres: CollisionSpheres
    holding: Bool[Tensor, "#time sphere"]
    """Which are on the other on purpose."""


def _holding(
    owners: Int[Tensor, "sphere"], holds: Sequence[HeldPlace], holder: int, held: int
) -> Bool[Tensor, "#time sphere"]:
    """Which spheres of a person are those of an arm that holds the other, at which times."""
    found = torch.zeros(1, len(owners), dtype=torch.bool)
    for hold in holds:
        if (hold.holder, hold.held) == (holder, held):
            own = (owners == ARMS[hold.hand].middle) | (owners == ARMS[hold.hand].end)
            found = found | (own & torch.as_tensor(hold.near)[:, None])
    return found


_Discs = tuple[Int[np.ndarray, "disc"], Float[np.ndarray, "disc 2"], Float[np.ndarray, "disc"]]


def _discs(own: _Solid, other: _Solid, allowed_m: float) -> dict[bool, _Discs]:
    """Shifts of the other over the floor that leave two spheres in each other: times, centres and radii of discs, one
    for each two spheres at each time that share a height; of two shanks or feet, and of all others."""
    over = other.centres[:, None, :, 2] - own.centres[:, :, None, 2]
    reach = own.spheres.radii[:, None] + other.spheres.radii - allowed_m
    square = reach.square() - over.square()
    touching = (square > 0.0) & ~(own.holding[:, :, None] | other.holding[:, None])
    times, one, two = touching.nonzero(as_tuple=True)
    middles = (own.centres[times, one, :2] - other.centres[times, two, :2]).numpy()
    radii = square[times, one, two].sqrt().numpy()
    shanks = [torch.isin(solid.spheres.owners, torch.tensor(SHANKS)) for solid in (own, other)]
    low = (shanks[0][one] & shanks[1][two]).numpy()
    moments = times.numpy()
    found = {both: (moments[some], middles[some], radii[some]) for both, some in ((True, low), (False, ~low))}
    return found


def _shortest_shift(
    centres: Float[np.ndarray, "disc 2"], radii: Float[np.ndarray, "disc"], first_rad: float
) -> Float[np.ndarray, "2"]:
    """The shortest step from the origin out of all discs, straight, in one of DIRECTIONS from an angle on."""
    nearest = np.sqrt(np.einsum("ij,ij->i", centres, centres)) - radii
    if not (nearest < 0.0).any():
        return np.zeros(2, dtype=np.float32)
    angles = first_rad + 2.0 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    ahead = np.stack([np.cos(angles), np.sin(angles)], axis=-1).astype(np.float32)
    # Out of some of the discs it is never farther than out of all: what is too far already is not tried.
    bound = np.array([_exit_distance(centres[::SUBSAMPLE], radii[::SUBSAMPLE], direction) for direction in ahead])
    best, chosen = np.inf, ahead[0]
    for number in np.argsort(bound, kind="stable"):
        if bound[number] >= best:
            break
        distance = _exit_distance(centres, radii, ahead[number])
        if distance < best:
            best, chosen = distance, ahead[number]
            # What begins beyond that no shorter step meets.
            before = nearest < best
            centres, radii, nearest = centres[before], radii[before], nearest[before]
    # A hair more, lest rounding leave a touch.
    return chosen * np.float32(best * (1.0 + 1e-4))


def _exit_distance(
    centres: Float[np.ndarray, "disc 2"], radii: Float[np.ndarray, "disc"], ahead: Float[np.ndarray, "2"]
) -> float:
    """How far it is from the origin out of all discs in one direction, a unit vector."""
    across = centres @ np.array([-ahead[1], ahead[0]], dtype=ahead.dtype)
    crossed = np.abs(across) < radii
    along = centres[crossed] @ ahead
    half = np.sqrt(radii[crossed] ** 2 - across[crossed] ** 2)
    enter, leave = along - half, along + half
    reached = 0.0
    while len(inside := leave[(enter <= reached) & (leave > reached)]):
        reached = float(inside.max())
    return reached
