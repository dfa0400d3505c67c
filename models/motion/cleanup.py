"""Sampled motion cleaned up: no jitter, standing feet that stand, nobody inside the floor or inside another.

A denoiser's frames are each off by centimetres, which no eye forgives where a foot stands. In: features as sampled, and
the bodies that act them. Out: features of a motion near by: low-pass filtered; limbs bent out of the floor; feet
planted where the motion says that they stand, by linear least squares over all frames and two-bone inverse kinematics;
people moved out of each other.
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

from models.body.collision_spheres import CollisionSpheres
from models.body.floor_contact import stand_on_floor
from models.body.kinematics import forward_kinematics
from models.body.model import BodyModel
from models.config import Config, renamed
from models.geometry.rotations import matrix_from_columns
from models.motion.features import CONTACTS, FEET, ROTATIONS, canonicalise, from_matrices
from models.motion.floor_clearance import floor_clearance_of, resolve_floor_penetration
from models.types import FPS, SMPL_JOINTS

DIRECTIONS = 24
"""Of the floor, in which a way out of another person is looked for."""
SUBSAMPLE = 8
"""Of discs that bound how far it is out of all of them."""
ANKLES = (SMPL_JOINTS.index("left_ankle"), SMPL_JOINTS.index("right_ankle"))


class CleanupConfig(Config):
    """Standard deviations say how far a correction goes before it costs."""

    cutoff_hz: float = Field(default=4.0, gt=0.0, lt=FPS / 2.0)
    """Of the zero-lag low-pass filter (Butterworth, fourth order, there and back) over root and rotations: people move
    slower, jitter is faster."""
    leg_std_m: float = renamed("leg_m", "leg_std_m", 0.05, gt=0.0)
    """Metres by which an ankle's correction differs from its body's."""
    body_std_m: float = renamed("body_m", "body_std_m", 0.3, gt=0.0)
    """Metres that a body is moved over the floor; bodies may wander off, feet may not slip."""
    body_speed_std_m_s: float = renamed("body_m_s", "body_speed_std_m_s", 0.1, gt=0.0)
    """Metres per second at which it is moved, far below walking."""
    acceleration_std_m_s2: float = renamed("change_m_s2", "acceleration_std_m_s2", 1.0, gt=0.0)
    """Metres per second squared at which corrections set in: none may be seen as a jerk."""
    slip_std_m_s: float = renamed("slip_m_s", "slip_std_m_s", 0.01, gt=0.0)
    """Metres per second at which a planted foot still slips after correction: about none."""
    interpenetration_m: float = renamed("apart_m", "interpenetration_m", 0.01, ge=0.0)
    """Metres that collision spheres of two people may share; who shares more is moved apart. People who hold each other
    press into the skin."""
    interpenetration_rounds: int = renamed("apart_rounds", "interpenetration_rounds", 12, ge=0)
    """How often at most people are moved apart, since moving two makes others meet; 0 leaves people where they were
    sampled."""


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
    R, root = resolve_floor_penetration(floor_clearance_of(body), rest, R, root)
    planted = [_planted(contacts > 0.5) for contacts in features[..., CONTACTS]]
    people = [_plant_feet(config, body, *person) for person in zip(betas, rest, R, root, planted, strict=True)]
    R, root = (torch.stack(values) for values in zip(*people, strict=True))
    if len(features) > 1 and config.interpenetration_rounds > 0:
        shift = _resolve_interpenetration(config, body, betas, rest, R, root)
        root = root + torch.nn.functional.pad(shift, (0, 1))[:, None]
    found = torch.cat([from_matrices(rest, R, root)[..., : CONTACTS.start], features[..., CONTACTS]], dim=-1)
    return canonicalise(found[None])[0][0]


def _plant_feet(
    config: CleanupConfig,
    body: BodyModel,
    betas: Float[np.ndarray, "10"],
    rest: Float[Tensor, "22 3"],
    R: Float[Tensor, "time 22 3 3"],
    root: Float[Tensor, "time 3"],
    planted: Bool[np.ndarray, "time 4"],
) -> tuple[Float[Tensor, "time 22 3 3"], Float[Tensor, "time 3"]]:
    """One person's rotations and root with planted feet that stay where they are, on the floor."""
    joints = forward_kinematics(rest, R, root).double().numpy()
    correction = foot_corrections(config, joints[:, list(FEET)], planted)
    local = np.tile(np.eye(3), (len(R), 24, 1, 1))
    local[:, :22] = R.double().numpy()
    pelvis = joints[:, 0].copy()
    pelvis[:, :2] += correction[:, 0]
    ankles = [joints[:, ankle].copy() for ankle in ANKLES]
    for foot, ankle in enumerate(ankles):
        ankle[:, :2] += correction[:, 1 + foot]
    foot_planted = np.stack([planted[:, :2].any(axis=1), planted[:, 2:].any(axis=1)], axis=1)
    local, transl = stand_on_floor(body, betas, local, pelvis, ankles, foot_planted, FPS, floor_m=0.0)
    root = torch.as_tensor(transl, dtype=torch.float32) + rest[0]
    return torch.as_tensor(local[:, :22], dtype=torch.float32), root


def _smooth(config: CleanupConfig, values: Float[Tensor, "person time n"]) -> Float[Tensor, "person time n"]:
    sections = butter(4, config.cutoff_hz, fs=FPS, output="sos")
    filtered = sosfiltfilt(sections, values.double().numpy(), axis=1, padlen=min(9, values.shape[1] - 1))
    return torch.as_tensor(filtered.copy(), dtype=torch.float32)


def _planted(stated: Bool[Tensor, "time 4"]) -> Bool[np.ndarray, "time 4"]:
    """Contacts without gaps or touches of a single frame."""
    closed = [binary_closing(np.pad(contact, 2, mode="edge"), np.ones(2)) for contact in stated.numpy().T]
    return np.stack([binary_opening(contact, np.ones(2)) for contact in closed], axis=1)[2:-2]


def foot_corrections(
    config: CleanupConfig, feet: Float[np.ndarray, "time 4 3"], planted: Bool[np.ndarray, "time 4"]
) -> Float[np.ndarray, "time 3 2"]:
    """Fit by what to move body, left and right ankle over the floor so that planted feet do not slip, metres.

    `feet` are the paths of FEET. Least squares over all frames of how planted feet slip, of how the ankles' corrections
    differ from the body's, and of how far, how fast and how suddenly corrections go; each in units of its standard
    deviation.
    """
    count = len(feet)
    if count < 3 or not planted.any():
        return np.zeros((count, 3, 2))
    identity = eye_array(count, format="csr")
    velocity = csr_array(FPS * (eye_array(count - 1, count, k=1) - eye_array(count - 1, count)))
    acceleration = FPS * (velocity[1:] - velocity[:-1])
    body, all_three = np.eye(3)[:1], np.eye(3)
    blocks = [
        kron(body, identity) / config.body_std_m,
        kron(body, velocity) / config.body_speed_std_m_s,
        kron(all_three, acceleration) / config.acceleration_std_m_s2,
        kron(np.array([[-1.0, 1.0, 0.0], [-1.0, 0.0, 1.0]]), identity) / config.leg_std_m,
    ]
    targets = [np.zeros((count + count - 1 + 3 * (count - 2) + 2 * count, 2))]
    for foot in (0, 1):
        ankle, toe = (planted[1:, joint] & planted[:-1, joint] for joint in (2 * foot, 2 * foot + 1))
        # A foot rolls about its toes: that the ankle moves then is no slip.
        slip = np.diff(feet[:, 2 * foot : 2 * foot + 2, :2], axis=0) * FPS
        rows = np.flatnonzero(ankle | toe)
        blocks.append(kron(all_three[1 + foot][None], velocity[rows]) / config.slip_std_m_s)
        targets.append(-np.where(ankle[:, None], slip[:, 0], slip[:, 1])[rows] / config.slip_std_m_s)
    A = vstack(blocks).tocsc()
    solution = np.asarray(spsolve(A.T @ A, A.T @ np.concatenate(targets)))
    return solution.reshape((3, count, 2)).transpose((1, 0, 2))


def _resolve_interpenetration(
    config: CleanupConfig,
    body: BodyModel,
    betas: Float[np.ndarray, "person 10"],
    rest: Float[Tensor, "person 22 3"],
    R: Float[Tensor, "person time 22 3 3"],
    root: Float[Tensor, "person time 3"],
) -> Float[Tensor, "person 2"]:
    """By what to move each person over the floor, at all times alike, so that nobody is inside another: planted feet
    stay planted. Two who meet are moved by the shortest shift that takes them apart, half of it each; again while
    others then meet."""
    spheres = [CollisionSpheres(body, shape) for shape in betas]
    hands = np.tile(np.eye(3), (R.shape[1], 2, 1, 1))
    centres = []
    for own, rotations, pelvis, at_rest in zip(spheres, R.double().numpy(), root, rest, strict=True):
        pose = np.concatenate([rotations[:, 1:], hands], axis=1)
        centres.append(own.centres(rotations[:, 0], pose, (pelvis - at_rest[0]).double().numpy()))
    pairs = list(itertools.combinations(range(len(root)), 2))
    discs = {
        (a, b): _discs(centres[a], spheres[a].radii, centres[b], spheres[b].radii, config.interpenetration_m)
        for a, b in pairs
    }
    shift = np.zeros((len(root), 2), dtype=np.float32)
    for _ in range(config.interpenetration_rounds):
        before = shift.copy()
        for a, b in pairs:
            middles, radii = discs[a, b]
            line = (root[b, 0, :2] - root[a, 0, :2]).tolist()
            push = _shortest_shift(middles - (shift[b] - shift[a]), radii, math.atan2(line[1], line[0]))
            shift[a] -= 0.5 * push
            shift[b] += 0.5 * push
        if np.array_equal(shift, before):
            break
    return torch.as_tensor(shift)


def _discs(
    own: Float[Tensor, "time m 3"],
    own_radii: Float[Tensor, "m"],
    other: Float[Tensor, "time n 3"],
    other_radii: Float[Tensor, "n"],
    allowed_m: float,
) -> tuple[Float[np.ndarray, "disc 2"], Float[np.ndarray, "disc"]]:
    """Shifts of the other over the floor that leave two spheres in each other: centres and radii of discs, one for
    each two spheres at each time that share a height."""
    between = other[:, None] - own[:, :, None]
    reach = own_radii[:, None] + other_radii - allowed_m
    square = reach.square() - between[..., 2].square()
    touching = square > 0.0
    return -between[..., :2][touching].numpy(), square[touching].sqrt().numpy()


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
