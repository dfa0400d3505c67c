"""Sampled motion cleaned up: no jitter, standing feet that stand, nobody inside the floor or inside another, hands that
hold where they held.

A denoiser's frames are each off by centimetres, which no eye forgives where a foot stands. In: features as sampled, and
the bodies that act them. Out: features of a motion near by: low-pass filtered, less so while somebody falls; who rests
on the floor laid down; limbs bent out of the floor; feet planted where the motion says that they stand, and they do not
run, by linear least squares over all frames and two-bone inverse kinematics; people moved out of each other; palms
brought back to the skin that they held.
"""

import itertools
import math

import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic import Field
from scipy.ndimage import binary_closing, binary_opening, gaussian_filter1d, maximum_filter1d
from scipy.signal import butter, sosfiltfilt
from scipy.sparse import csr_array, eye_array, kron, vstack
from scipy.sparse.linalg import spsolve
from torch import Tensor

from models.body.floor_contact import stand_on_floor
from models.body.kinematics import forward_kinematics
from models.body.model import BodyModel
from models.body.tracks import rest_joints_of
from models.config import Config, renamed
from models.geometry.easing import smoothstep
from models.geometry.rotations import matrix_from_columns
from models.motion.features import (
    CONTACT_SPEED_M_S,
    CONTACTS,
    FEET,
    ROTATIONS,
    canonicalise,
    from_matrices,
    matrices,
)
from models.motion.floor_clearance import floor_clearance_of, resolve_floor_penetration
from models.motion.interpenetration import Apart, move_apart
from models.motion.kept_holds import Meant, held_places, keep_holds
from models.motion.lying import lay_down
from models.types import FPS, SMPL_JOINTS

FALL_S = 0.1
"""Before and after somebody drops fast the filter changes."""
RUNNING_S = 0.2
STEP_FRAMES = 5
"""That a step after the body takes: a quarter of a second."""
ANKLES = (SMPL_JOINTS.index("left_ankle"), SMPL_JOINTS.index("right_ankle"))


class CleanupConfig(Config):
    """Standard deviations say how far a correction goes before it costs."""

    cutoff_hz: float = Field(default=5.0, gt=0.0, lt=FPS / 2.0)
    """Of the zero-lag low-pass filter (Butterworth, fourth order, there and back) over root and rotations: people move
    slower, jitter is faster."""
    fall_cutoff_hz: float = Field(default=7.0, gt=0.0, lt=FPS / 2.0)
    """Of the same filter over the root while it drops at `fall_speed_m_s` and more: falls are over in half a second,
    and lower cut-offs take of their speed (4 Hz a fifth); a higher one lets jitter through."""
    fall_speed_m_s: float = Field(default=1.0, gt=0.0)
    """Metres per second downwards: more than of who sits down; from half of it on the cut-off begins to rise."""
    rest_head_m: float = Field(default=0.25, gt=0.0)
    """Metres over the floor of the head, at most, of who rests lying: a head higher than that is borne by nothing."""
    planted_speed_m_s: float = Field(default=0.35, gt=0.0)
    """Metres per second: a foot that is faster for a fifth of a second does not stand, whatever the motion states.
    Feet that slip while they stand are slower, swinging feet faster."""
    leg_std_m: float = renamed("leg_m", "leg_std_m", 0.05, gt=0.0)
    """Metres by which an ankle's correction differs from its body's."""
    body_std_m: float = renamed("body_m", "body_std_m", 0.15, gt=0.0)
    """Metres that a body is moved over the floor; bodies may wander off, feet may not slip."""
    together_std_m: float = Field(default=0.02, gt=0.0)
    """Instead of `body_std_m` where there are several people: where they are to each other is what they do."""
    body_speed_std_m_s: float = renamed("body_m_s", "body_speed_std_m_s", 0.1, gt=0.0)
    """Metres per second at which it is moved, far below walking."""
    acceleration_std_m_s2: float = renamed("change_m_s2", "acceleration_std_m_s2", 1.0, gt=0.0)
    """Metres per second squared at which corrections set in: none may be seen as a jerk."""
    slip_std_m_s: float = renamed("slip_m_s", "slip_std_m_s", 0.01, gt=0.0)
    """Metres per second at which a planted foot still slips after correction: about none."""
    interpenetration_m: float = renamed("apart_m", "interpenetration_m", 0.01, ge=0.0)
    """Metres that collision spheres of two people may share; who shares more is moved apart. People who hold each other
    press into the skin."""
    drift_m: float = Field(default=0.2, gt=0.0)
    """Metres by which a standing foot may drift from where it was set down before it steps; where there are several
    people. Planted all along, it would leave the body that stays with the others behind."""
    reach_m: float = Field(default=0.25, ge=0.05)
    """Metres from the skin of a palm that is planned to hold, at most, to be brought there: bodies keep to their plan
    less well than that. What is farther holds nothing."""
    hold_m: float = Field(default=0.02, ge=0.01)
    """Metres from the skin of the middle of a palm that held, at most: a hand is three centimetres thick."""
    interpenetration_rounds: int = renamed("apart_rounds", "interpenetration_rounds", 12, ge=0)
    """How often at most people are moved apart, since moving two makes others meet; 0 leaves people where they were
    sampled."""


def clean_up(
    config: CleanupConfig,
    body: BodyModel,
    betas: Float[np.ndarray, "person 10"],
    rest: Float[Tensor, "person 22 3"],
    features: Float[Tensor, "person time 268"],
    holding: Bool[Tensor, "person time 2"] | None = None,
) -> Float[Tensor, "person time 268"]:
    """Clean a motion up: in the canonical frame, its contacts those that it stated; the floor is z = 0. `holding`: when
    hands are meant to be on somebody else, besides those that are."""
    R, root = _smooth(config, features)
    clearance = floor_clearance_of(body)
    meant = None if holding is None else Meant(holding.numpy(), config.reach_m)
    holds = held_places(_joints_at_rest(body, betas), _with_hands(R), root.double().numpy(), meant)
    sampled, smooth = (
        forward_kinematics(rest[:, None], *pose) for pose in ((matrices(features), features[..., :3]), (R, root))
    )
    contacts = features[..., CONTACTS] * ~_running(config, sampled, smooth)
    R = lay_down(clearance, config.rest_head_m, rest, R, root)
    R, root = resolve_floor_penetration(clearance, rest, R, root)
    if len(features) > 1:
        contacts = contacts * ~_steps(config, forward_kinematics(rest[:, None], R, root), contacts > 0.5)
    planted = [_planted(stated > 0.5) for stated in contacts]
    body_std_m = config.body_std_m if len(features) == 1 else config.together_std_m
    feet = config.model_copy(update={"body_std_m": body_std_m})
    people = [_plant_feet(feet, body, *person) for person in zip(betas, rest, R, root, planted, strict=True)]
    R, root = (torch.stack(values) for values in zip(*people, strict=True))
    if len(features) > 1:
        apart = Apart(config.interpenetration_m, config.interpenetration_rounds)
        local, root = move_apart(apart, body, betas, holds, _with_hands(R), root.double().numpy())
        local = keep_holds(body, betas, config.hold_m, holds, local, root) if holds else local
        R, root = (torch.as_tensor(values, dtype=torch.float32) for values in (local[:, :, :22], root))
    found = torch.cat([from_matrices(rest, R, root)[..., : CONTACTS.start], contacts], dim=-1)
    return canonicalise(found[None])[0][0]


def _joints_at_rest(body: BodyModel, betas: Float[np.ndarray, "person 10"]) -> Float[np.ndarray, "person 24 3"]:
    return np.stack([rest_joints_of(body, shape) for shape in betas])


def _with_hands(R: Float[Tensor, "person time 22 3 3"]) -> Float[np.ndarray, "person time 24 3 3"]:
    """With hands at rest."""
    hands = np.broadcast_to(np.eye(3), (*R.shape[:2], 2, 3, 3))
    return np.concatenate([R.double().numpy(), hands], axis=2)


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


def _smooth(
    config: CleanupConfig, features: Float[Tensor, "person time 268"]
) -> tuple[Float[Tensor, "person time 22 3 3"], Float[Tensor, "person time 3"]]:
    """Rotations and root, low-pass filtered by `cutoff_hz`; the root by `fall_cutoff_hz` while it drops fast."""

    def filtered(values: Float[Tensor, "person time n"], cutoff_hz: float) -> Float[np.ndarray, "person time n"]:
        sections = butter(4, cutoff_hz, fs=FPS, output="sos")
        padding = min(9, values.shape[1] - 1)
        return sosfiltfilt(sections, values.double().numpy(), axis=1, padlen=padding).copy()

    columns, root = filtered(features[..., ROTATIONS], config.cutoff_hz), filtered(features[..., :3], config.cutoff_hz)
    if root.shape[1] > 1:
        drop = -np.gradient(root[..., 2], axis=1) * FPS / config.fall_speed_m_s
        share = maximum_filter1d(smoothstep(2.0 * drop - 1.0), 2 * round(FALL_S * FPS) + 1, axis=1, mode="nearest")
        share = gaussian_filter1d(share, 0.5 * FALL_S * FPS, axis=1, mode="nearest")[..., None]
        if share.any():
            root = (1.0 - share) * root + share * filtered(features[..., :3], config.fall_cutoff_hz)
    columns, root = (torch.as_tensor(values, dtype=torch.float32) for values in (columns, root))
    return matrix_from_columns(columns.unflatten(-1, (22, 6))), root


def _running(
    config: CleanupConfig, sampled: Float[Tensor, "person time 22 3"], smooth: Float[Tensor, "person time 22 3"]
) -> Bool[Tensor, "person time 4"]:
    """Which of FEET are on their way, for `RUNNING_S` and more, seen through the filter; it smears landings, where as
    sampled a foot stands already."""
    fast, moving = (
        (joints[:, 1:, list(FEET)] - joints[:, :-1, list(FEET)]).norm(dim=-1) * FPS for joints in (smooth, sampled)
    )
    found = ((fast > config.planted_speed_m_s) & (moving > CONTACT_SPEED_M_S)).numpy()
    lasting = binary_opening(found, np.ones((1, round(RUNNING_S * FPS), 1)))
    return torch.nn.functional.pad(torch.as_tensor(lasting), (0, 0, 0, 1))


def _steps(
    config: CleanupConfig, joints: Float[Tensor, "person time 22 3"], stated: Bool[Tensor, "person time 4"]
) -> Bool[Tensor, "person time 4"]:
    """When feet that stand, but drift away with their body, step after it instead, a foot's ankle and toes at once."""
    found = torch.zeros_like(stated)
    for person, foot in itertools.product(range(len(joints)), (0, 1)):
        both = slice(2 * foot, 2 * foot + 2)
        path = joints[person, :, FEET[2 * foot], :2].double().numpy()
        stands = stated[person, :, both].any(dim=-1).numpy()
        since = 0
        for time in range(1, len(path)):
            if not (stands[time] and stands[time - 1]):
                since = time
            elif math.dist(path[time], path[since]) > config.drift_m:
                found[person, max(since + 1, time - STEP_FRAMES + 1) : time + 1, both] = True
                since = time
    return found


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
