"""Bodies at rest that lie: whoever rests on the floor with the head in the air is laid down.

Sampled people often come to rest half lying, trunk and head borne by nothing. They turn about the pelvis, which rests,
until the head is down; the legs stay. Who sits is upright, and who kneels and bends over somebody has the thighs under
the trunk: neither is laid down.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.ndimage import binary_opening, gaussian_filter1d, maximum_filter1d
from torch import Tensor

from models.body.kinematics import forward_kinematics
from models.body.rest_skeleton import PARENTS
from models.geometry.rotations import matrices_from_axis_angle
from models.geometry.transforms import unit
from models.motion.floor_clearance import HEAD, FloorClearance
from models.types import FPS, SMPL_JOINTS

RESTING_PELVIS_M = 0.35
"""Higher, a pelvis is on no floor."""
SLOW_M_S, SLOW_HEAD_M_S, SEEN_S = 0.4, 0.6, 0.25
"""Pelvis and head of who rests move slower, seen through a Gaussian of that standard deviation: who is sampled at rest
wavers."""
RISES_M, RISES_S = 0.15, 1.0
"""Whose head is so much higher within that time gets up, however slowly."""
LASTING_S = 0.8
"""Rest is at least so long."""
SETTLE_S = 0.15
"""Standard deviation of how the body sinks."""
EARLIER_S = 0.2
"""By how much sooner than rest the body begins to sink: it is still on its way down."""
UPRIGHT = 0.75
"""Sine of the trunk's elevation from which on a body sits."""
STEEPEST_RAD = 0.85
"""By what a trunk is turned at most."""
HIPS = (SMPL_JOINTS.index("left_hip"), SMPL_JOINTS.index("right_hip"))
KNEES = (SMPL_JOINTS.index("left_knee"), SMPL_JOINTS.index("right_knee"))


def lay_down(
    clearance: FloorClearance,
    highest_m: float,
    rest: Float[Tensor, "person 22 3"],
    R: Float[Tensor, "person time 22 3 3"],
    root: Float[Tensor, "person time 3"],
) -> Float[Tensor, "person time 22 3 3"]:
    """Turn trunks about the resting pelvis so that joint and middle of the head are no higher than asked, metres over
    the floor z = 0, as long as the body rests; nobody else is touched."""
    joints = forward_kinematics(rest[:, None], R, root).double().numpy()
    laid = R
    for person, places in enumerate(joints):
        orient = R[person, :, 0].double().numpy()
        head = places[:, HEAD] + _world_rotation(R[person], HEAD) @ clearance.ends[0]
        top = np.where((head[:, 2] > places[:, HEAD, 2])[:, None], head, places[:, HEAD])
        turn = _turn_down(top - places[:, 0], highest_m - places[:, 0, 2])
        resting = _rests(places, orient, turn)
        if not resting.any():
            continue
        if laid is R:
            laid = R.clone()
        moments = np.arange(len(places))
        away = np.abs(moments[:, None] - np.flatnonzero(resting))
        turn = turn[np.flatnonzero(resting)[away.argmin(axis=1)]]
        turn = np.where((away.min(axis=1) <= EARLIER_S * FPS)[:, None], turn, 0.0)
        turn = gaussian_filter1d(turn, SETTLE_S * FPS, axis=0, mode="nearest")
        now = R[person, :, 0]
        lowered = matrices_from_axis_angle(torch.as_tensor(turn, dtype=torch.float32)) @ now
        laid[person, :, 0] = lowered
        for hip in HIPS:
            laid[person, :, hip] = lowered.transpose(-1, -2) @ now @ R[person, :, hip]
    return laid


def _world_rotation(R: Float[Tensor, "time 22 3 3"], joint: int) -> Float[np.ndarray, "time 3 3"]:
    chain = [joint]
    while chain[0] > 0:
        chain.insert(0, int(PARENTS[chain[0]]))
    found = R[:, 0]
    for below in chain[1:]:
        found = found @ R[:, below]
    return found.double().numpy()


def _turn_down(arm: Float[np.ndarray, "time 3"], height: Float[np.ndarray, "time"]) -> Float[np.ndarray, "time 3"]:
    """Rotation vectors that bring the ends of arms down to a height over their beginnings; zero where they are."""
    length = np.linalg.norm(arm, axis=-1)
    now, wanted = (np.arcsin(np.clip(z / length, -1.0, 1.0)) for z in (arm[:, 2], height))
    angle = np.clip(now - np.maximum(wanted, 0.0), 0.0, STEEPEST_RAD)
    return angle[:, None] * unit(np.cross([0.0, 0.0, 1.0], arm))


def _rests(
    joints: Float[np.ndarray, "time 22 3"], orient: Float[np.ndarray, "time 3 3"], turn: Float[np.ndarray, "time 3"]
) -> Bool[np.ndarray, "time"]:
    """When a body rests on the floor with the head higher than it should be."""
    smooth = gaussian_filter1d(joints[:, [0, HEAD]], SEEN_S * FPS, axis=0, mode="nearest")
    speed = np.linalg.norm(np.gradient(smooth, axis=0), axis=-1) * FPS
    ahead = round(RISES_S * FPS)
    highest = maximum_filter1d(smooth[:, 1, 2], ahead + 1, origin=-(ahead // 2), mode="nearest")
    rises = highest - smooth[:, 1, 2] > RISES_M
    still = (speed[:, 0] < SLOW_M_S) & (speed[:, 1] < SLOW_HEAD_M_S) & ~rises
    trunk = unit(joints[:, HEAD] - joints[:, 0])
    thighs = unit(joints[:, KNEES].mean(axis=1) - joints[:, HIPS].mean(axis=1))
    crouches = (orient[:, 2, 2] < 0.0) & (np.sum(trunk * thighs, axis=-1) > -0.3)
    lies = (joints[:, 0, 2] < RESTING_PELVIS_M) & (trunk[:, 2] < UPRIGHT) & ~crouches
    hovers = np.linalg.norm(turn, axis=-1) > 0.0
    return binary_opening(still & lies, np.ones(round(LASTING_S * FPS))) & hovers
