"""Sampled motion cleaned up: no jitter, standing feet that stand, nobody inside the floor or inside another.

A denoiser's frames are each off by centimetres, which no eye forgives where a foot stands. In: features as sampled, and
the bodies that act them. Out: features of a motion near by: low-pass filtered; limbs bent out of the floor; feet held
where the motion says that they stand, by linear least squares over all frames and two-bone inverse kinematics; people
moved out of each other.
"""

import itertools
import math

import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic import Field
from scipy.ndimage import binary_closing, binary_opening
from scipy.signal import butter, sosfiltfilt
from scipy.sparse import csr_array, eye_array, kron, vstack
from scipy.sparse.linalg import spsolve
from torch import Tensor

from models.body.collision_spheres import InnerSpheres
from models.body.floor_contact import stand_on_floor
from models.body.kinematics import forward_kinematics
from models.body.model import BodyModel
from models.config import Config
from models.geometry.rotations import matrix_from_columns
from models.motion.features import CONTACTS, FEET, ROTATIONS, canonical, from_matrices
from models.motion.floor_clearance import off_floor, solid_of
from models.types import FPS, SMPL_JOINTS

DIRECTIONS = 24
"""In which ways out of another person are looked for."""
SOME = 8
"""Every how many-th disc tells how far it is at least."""
ANKLES = (SMPL_JOINTS.index("left_ankle"), SMPL_JOINTS.index("right_ankle"))


class CleanupConfig(Config):
    """Spreads say how far a correction goes before it costs."""

    cutoff_hz: float = Field(default=4.0, gt=0.0, lt=FPS / 2.0)
    """Of the zero-lag low-pass filter (Butterworth, fourth order, there and back) over root and rotations."""
    leg_m: float = Field(default=0.05, gt=0.0)
    """By how much an ankle's correction differs from its body's."""
    body_m: float = Field(default=0.3, gt=0.0)
    """How far a body is moved..."""
    body_m_s: float = Field(default=0.1, gt=0.0)
    """...and how fast."""
    change_m_s2: float = Field(default=1.0, gt=0.0)
    """How suddenly corrections set in."""
    slip_m_s: float = Field(default=0.01, gt=0.0)
    """Of a foot that stands, after correction."""
    apart_m: float = Field(default=0.01, ge=0.0)
    """Inner spheres of two people that share more are moved apart; people who hold each other press into the skin."""
    apart_rounds: int = Field(default=12, ge=0)
    """How often at most, where moving two apart makes others meet; 0 leaves people where they were sampled."""


def clean_up(
    config: CleanupConfig,
    body: BodyModel,
    betas: Float[np.ndarray, "person 10"],
    rest: Float[Tensor, "person 22 3"],
    features: Float[Tensor, "person time 268"],
) -> Float[Tensor, "person time 268"]:
    """Clean a motion up: in the canonical frame, its contacts those that it stated; the floor is z = 0."""
    R = matrix_from_columns(_smooth(config, features[..., ROTATIONS]).unflatten(-1, (22, 6)))
    root = _smooth(config, features[..., :3])
    R, root = off_floor(solid_of(body), rest, R, root)
    stands = [_stands(contacts > 0.5) for contacts in features[..., CONTACTS]]
    each = [_settled(config, body, *one) for one in zip(betas, rest, R, root, stands, strict=True)]
    R, root = (torch.stack(parts) for parts in zip(*each, strict=True))
    if len(features) > 1 and config.apart_rounds > 0:
        shift = _apart(config, body, betas, rest, R, root)
        root = root + torch.nn.functional.pad(shift, (0, 1))[:, None]
    found = torch.cat([from_matrices(rest, R, root)[..., : CONTACTS.start], features[..., CONTACTS]], dim=-1)
    return canonical(found[None])[0][0]


def _settled(
    config: CleanupConfig,
    body: BodyModel,
    betas: Float[np.ndarray, "10"],
    rest: Float[Tensor, "22 3"],
    R: Float[Tensor, "time 22 3 3"],
    root: Float[Tensor, "time 3"],
    stands: Bool[np.ndarray, "time 4"],
) -> tuple[Float[Tensor, "time 22 3 3"], Float[Tensor, "time 3"]]:
    """One person's rotations and root with feet that stand where they should, on the floor."""
    joints = forward_kinematics(rest, R, root).double().numpy()
    moved = corrections(config, joints[:, list(FEET)], stands)
    local = np.tile(np.eye(3), (len(R), 24, 1, 1))
    local[:, :22] = R.double().numpy()
    pelvis = joints[:, 0].copy()
    pelvis[:, :2] += moved[:, 0]
    ankles = [joints[:, ankle].copy() for ankle in ANKLES]
    for foot, ankle in enumerate(ankles):
        ankle[:, :2] += moved[:, 1 + foot]
    planted = np.stack([stands[:, :2].any(axis=1), stands[:, 2:].any(axis=1)], axis=1)
    local, transl = stand_on_floor(body, betas, local, pelvis, ankles, planted, FPS, floor_m=0.0)
    place = torch.as_tensor(transl, dtype=torch.float32) + rest[0]
    return torch.as_tensor(local[:, :22], dtype=torch.float32), place


def _smooth(config: CleanupConfig, values: Float[Tensor, "person time n"]) -> Float[Tensor, "person time n"]:
    sections = butter(4, config.cutoff_hz, fs=FPS, output="sos")
    filtered = sosfiltfilt(sections, values.double().numpy(), axis=1, padlen=min(9, values.shape[1] - 1))
    return torch.as_tensor(filtered.copy(), dtype=torch.float32)


def _stands(stated: Bool[Tensor, "time 4"]) -> Bool[np.ndarray, "time 4"]:
    """Contacts without gaps or touches of a single frame."""
    whole = [
        binary_opening(binary_closing(np.pad(of, 2, mode="edge"), np.ones(2)), np.ones(2)) for of in stated.numpy().T
    ]
    return np.stack(whole, axis=1)[2:-2]


def corrections(
    config: CleanupConfig, feet: Float[np.ndarray, "time 4 3"], stands: Bool[np.ndarray, "time 4"]
) -> Float[np.ndarray, "time 3 2"]:
    """By what to move body, left and right ankle over the floor so that what stands does not slip, metres.

    `feet` are the ways of FEET. Least squares over all frames of what slips while it stands, of how the ankles'
    corrections differ from the body's, and of how far, how fast and how suddenly corrections go; each in units of its
    spread.
    """
    count = len(feet)
    if count < 3 or not stands.any():
        return np.zeros((count, 3, 2))
    same, ahead = eye_array(count, format="csr"), FPS * (eye_array(count - 1, count, k=1) - eye_array(count - 1, count))
    ahead = csr_array(ahead)
    bend = FPS * (ahead[1:] - ahead[:-1])
    body, each = np.eye(3)[:1], np.eye(3)
    blocks = [
        kron(body, same) / config.body_m,
        kron(body, ahead) / config.body_m_s,
        kron(each, bend) / config.change_m_s2,
        kron(np.array([[-1.0, 1.0, 0.0], [-1.0, 0.0, 1.0]]), same) / config.leg_m,
    ]
    wanted = [np.zeros((count + count - 1 + 3 * (count - 2) + 2 * count, 2))]
    for foot in (0, 1):
        ankle, toe = (stands[1:, 2 * foot + part] & stands[:-1, 2 * foot + part] for part in (0, 1))
        # A foot rolls about its toes: the ankle's way then is none of its faults.
        slip = np.diff(feet[:, 2 * foot : 2 * foot + 2, :2], axis=0) * FPS
        rows = np.flatnonzero(ankle | toe)
        blocks.append(kron(each[1 + foot][None], ahead[rows]) / config.slip_m_s)
        wanted.append(-np.where(ankle[:, None], slip[:, 0], slip[:, 1])[rows] / config.slip_m_s)
    A = vstack(blocks).tocsc()
    solution = np.asarray(spsolve(A.T @ A, A.T @ np.concatenate(wanted)))
    return solution.reshape((3, count, 2)).transpose((1, 0, 2))


def _apart(
    config: CleanupConfig,
    body: BodyModel,
    betas: Float[np.ndarray, "person 10"],
    rest: Float[Tensor, "person 22 3"],
    R: Float[Tensor, "person time 22 3 3"],
    root: Float[Tensor, "person time 3"],
) -> Float[Tensor, "person 2"]:
    """By what to move each person over the floor, at all times alike, so that nobody is inside another: feet that stand
    still stand then. Two who meet are moved the least way that takes them apart, half of it each; again while others
    then meet."""
    spheres = [InnerSpheres(body, shape) for shape in betas]
    hands = np.tile(np.eye(3), (R.shape[1], 2, 1, 1))
    centres = []
    for own, turned, pelvis, at_rest in zip(spheres, R.double().numpy(), root, rest, strict=True):
        pose = np.concatenate([turned[:, 1:], hands], axis=1)
        centres.append(own.centres(turned[:, 0], pose, (pelvis - at_rest[0]).double().numpy()))
    pairs = list(itertools.combinations(range(len(root)), 2))
    discs = {
        (a, b): _discs(centres[a], spheres[a].radii, centres[b], spheres[b].radii, config.apart_m) for a, b in pairs
    }
    shift = np.zeros((len(root), 2), dtype=np.float32)
    for _ in range(config.apart_rounds):
        before = shift.copy()
        for a, b in pairs:
            middles, radii = discs[a, b]
            line = (root[b, 0, :2] - root[a, 0, :2]).tolist()
            push = _least_way(middles - (shift[b] - shift[a]), radii, math.atan2(line[1], line[0]))
            shift[a] -= 0.5 * push
            shift[b] += 0.5 * push
        if np.array_equal(shift, before):
            break
    return torch.as_tensor(shift)


def _discs(
    one: Float[Tensor, "time m 3"],
    one_radii: Float[Tensor, "m"],
    other: Float[Tensor, "time n 3"],
    other_radii: Float[Tensor, "n"],
    least_m: float,
) -> tuple[Float[np.ndarray, "disc 2"], Float[np.ndarray, "disc"]]:
    """By what the other must not be moved over the floor: centres and radii of discs, one for each two spheres at each
    time that share a height."""
    between = other[:, None] - one[:, :, None]
    reach = one_radii[:, None] + other_radii - least_m
    square = reach.square() - between[..., 2].square()
    of = square > 0.0
    return -between[..., :2][of].numpy(), square[of].sqrt().numpy()


def _least_way(
    centres: Float[np.ndarray, "disc 2"], radii: Float[np.ndarray, "disc"], first_rad: float
) -> Float[np.ndarray, "2"]:
    """The shortest way from the origin out of all discs, straight, in one of DIRECTIONS from an angle on."""
    nearest = np.sqrt(np.einsum("ij,ij->i", centres, centres)) - radii
    if not (nearest < 0.0).any():
        return np.zeros(2, dtype=np.float32)
    angles = first_rad + 2.0 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    ahead = np.stack([np.cos(angles), np.sin(angles)], axis=-1).astype(np.float32)
    # Out of some of the discs no way is longer than out of all: whatever is too long already is not tried.
    least = np.array([_way_out(centres[::SOME], radii[::SOME], way) for way in ahead])
    best, chosen = np.inf, ahead[0]
    for number in np.argsort(least, kind="stable"):
        if least[number] >= best:
            break
        way = _way_out(centres, radii, ahead[number])
        if way < best:
            best, chosen = way, ahead[number]
            # What begins beyond that no shorter way meets.
            before = nearest < best
            centres, radii, nearest = centres[before], radii[before], nearest[before]
    # A hair more, lest rounding leave a touch.
    return chosen * np.float32(best * (1.0 + 1e-4))


def _way_out(
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
