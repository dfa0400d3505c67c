"""Label: the action of every person in every frame, and whether the thing asked for happened, from kinematics alone.

Inputs: joints in the world (metres, z up, floor at z = 0) and their timestamps. Outputs: indices into ACTIONS per
frame, the fall's onset, impact and rest, and the audit of an order. A fall begins when support is lost and ends when
the pelvis rests (< 0.1 m/s) on what it fell on; then `fallen`. DESIGN §2, §6.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field

from models.config import Config, renamed
from models.errors import Rejected
from models.order import ClipOrder
from models.types import ACTIONS, SMPL_JOINTS

VERSION = 2
LEVEL_HIPS = 0.8
"""Horizontal share of the line between the hips from which on it tells the facing."""
_PELVIS, _NECK, _HEAD = SMPL_JOINTS.index("pelvis"), SMPL_JOINTS.index("neck"), SMPL_JOINTS.index("head")
_HIPS = [SMPL_JOINTS.index("left_hip"), SMPL_JOINTS.index("right_hip")]
_FEET = [SMPL_JOINTS.index("left_foot"), SMPL_JOINTS.index("right_foot")]
_KNEES = [SMPL_JOINTS.index("left_knee"), SMPL_JOINTS.index("right_knee")]


class LabelConfig(Config):
    """Thresholds of the kinematic labels and of the audit."""

    smoothing_s: float = Field(0.2, gt=0)
    """Width of the moving average over positions before they are differentiated."""
    rest_speed_m_s: float = Field(0.1, gt=0)
    """Speed of the pelvis below which somebody is at rest."""
    fall_speed_m_s: float = Field(0.9, gt=0)
    """Peak downward speed of the pelvis that makes a descent a fall."""
    fall_drop: float = Field(0.45, gt=0, lt=1)
    """Share of the standing pelvis height that a fall loses at least."""
    low_pelvis: float = Field(0.45, gt=0, lt=1)
    """Share of the standing pelvis height below which a person lies, sits on the floor or kneels."""
    walk_speed_m_s: float = Field(0.25, gt=0)
    """Speed of the pelvis over the floor from which on somebody walks."""
    direction_tolerance_deg: float = Field(60.0, gt=0, le=90)
    """How far the measured direction of a fall may be from the one asked for."""
    min_fallen_s: float = renamed("minimum_fallen_s", "min_fallen_s", 0.5, ge=0)
    """Seconds that somebody has to lie after a fall for the clip to show it."""


@dataclass(frozen=True)
class Fall:
    """A fall found in the kinematics."""

    onset_s: float
    """When support is lost: the pelvis starts the descent that ends on the ground."""
    impact_s: float
    """When the pelvis's descent is braked hardest."""
    rest_s: float
    """When the pelvis rests (< 0.1 m/s); the last time of the clip where it never does."""
    drop_m: float
    peak_speed_m_s: float
    direction_deg: float
    """Where the trunk went from onset to rest, counter-clockwise from the facing before it: 0 forward, 90 left."""
    fallen_s: float
    """How long the person stays down within the clip."""


def _smooth(values: Float[np.ndarray, "time *rest"], times: Float[np.ndarray, "time"], width_s: float) -> np.ndarray:
    """Moving average over true time, so that an uneven frame rate does no harm."""
    result = np.empty_like(values)
    first = after = 0
    for index, time in enumerate(times):
        while time - times[first] > width_s / 2:
            first += 1
        while after < len(times) and times[after] - time <= width_s / 2:
            after += 1
        result[index] = values[first:after].mean(axis=0)
    return result


def facing(joints_world: Float[np.ndarray, "time 24 3"]) -> Float[np.ndarray, "time 2"]:
    """Return horizontal unit vector that the hips face, from the line between them (left hip to the left)."""
    across = joints_world[:, _HIPS[0], :2] - joints_world[:, _HIPS[1], :2]
    forward = np.stack([across[:, 1], -across[:, 0]], axis=-1)
    return forward / np.maximum(np.linalg.norm(forward, axis=-1, keepdims=True), 1e-9)


def _facing_at(joints_world: Float[np.ndarray, "time 24 3"], frame: int) -> Float[np.ndarray, "2"]:
    """Facing when the hips were last level: who rolls over the edge of a bed has one hip above the other, and faces
    nowhere."""
    across = joints_world[: frame + 1, _HIPS[0]] - joints_world[: frame + 1, _HIPS[1]]
    level = np.flatnonzero(np.linalg.norm(across[:, :2], axis=-1) >= LEVEL_HIPS * np.linalg.norm(across, axis=-1))
    return facing(joints_world)[level[-1] if len(level) else frame]


def find_fall(
    config: LabelConfig,
    joints_world: Float[np.ndarray, "time 24 3"],
    times: Float[np.ndarray, "time"],
    standing_pelvis_m: float,
) -> Fall | None:
    """Find the first descent of the pelvis that is fast, deep and ends low; None where there is none."""
    if len(times) < 3:
        return None
    pelvis = _smooth(joints_world[:, _PELVIS], times, config.smoothing_s)
    velocity = np.gradient(pelvis, times, axis=0)
    down = -velocity[:, 2]
    low = pelvis[:, 2] < config.low_pelvis * standing_pelvis_m
    for peak in np.flatnonzero(down >= config.fall_speed_m_s):
        onset = peak
        while onset > 0 and down[onset] > config.rest_speed_m_s:
            onset -= 1
        ends = np.flatnonzero(low[peak:]) + peak
        if len(ends) == 0 or times[ends[0]] - times[onset] > 2.5:
            continue
        speed = np.linalg.norm(velocity, axis=1)
        resting = [i for i in range(ends[0], len(times)) if speed[i] < config.rest_speed_m_s]
        rest = resting[0] if resting else len(times) - 1
        drop = pelvis[onset, 2] - pelvis[rest, 2]
        if drop < config.fall_drop * standing_pelvis_m:
            continue
        fastest = onset + int(np.argmax(down[onset : rest + 1]))
        acceleration = np.gradient(velocity[:, 2], times)
        impact = fastest + int(np.argmax(acceleration[fastest : rest + 1]))
        moved = joints_world[rest, [_PELVIS, _NECK, _HEAD], :2].mean(0) - joints_world[
            onset, _FEET + [_PELVIS], :2
        ].mean(0)
        ahead = _facing_at(joints_world, int(onset))
        angle = np.degrees(np.arctan2(ahead[0] * moved[1] - ahead[1] * moved[0], ahead @ moved))
        down_again = np.flatnonzero(~low[rest:])
        up = times[rest + down_again[0]] if len(down_again) else times[-1]
        return Fall(
            onset_s=float(times[onset]),
            impact_s=float(times[impact]),
            rest_s=float(times[rest]),
            drop_m=float(drop),
            peak_speed_m_s=float(down[fastest]),
            direction_deg=float(angle),
            fallen_s=float(up - times[rest]),
        )
    return None


def run(
    config: LabelConfig,
    joints_world: Float[np.ndarray, "time 24 3"],
    times: Float[np.ndarray, "time"],
    standing_pelvis_m: float,
) -> tuple[Int[np.ndarray, "time"], Fall | None]:
    """Label one person's frames; `standing_pelvis_m` is the pelvis height of that body upright."""
    pelvis = _smooth(joints_world[:, _PELVIS], times, config.smoothing_s)
    feet = _smooth(joints_world[:, _FEET].mean(axis=1), times, 0.5)
    speed = np.linalg.norm(np.gradient(_smooth(pelvis[:, :2], times, 0.5), times, axis=0), axis=1)
    knees = joints_world[:, _KNEES].mean(axis=1)
    trunk = joints_world[:, _NECK] - joints_world[:, _PELVIS]
    upright = trunk[:, 2] / np.maximum(np.linalg.norm(trunk, axis=-1), 1e-9)
    height = pelvis[:, 2] / standing_pelvis_m

    names = np.full(len(times), "other", dtype="<U12")
    tall = height > 0.8
    names[tall] = np.where(speed[tall] > config.walk_speed_m_s, "walk", "standing")
    thighs_level = np.abs(pelvis[:, 2] - knees[:, 2]) < 0.2 * standing_pelvis_m
    names[~tall & (height > 0.4) & (upright > 0.7) & thighs_level] = "sitting"
    names[~tall & (height > 0.4) & (upright > 0.7) & ~thighs_level & (knees[:, 2] < 0.15)] = "kneeling"
    names[~tall & (height <= 0.4) & (upright > 0.7) & (feet[:, 2] < 0.15)] = "squatting"
    names[~tall & (upright <= 0.5)] = "lying"

    fall = find_fall(config, joints_world, times, standing_pelvis_m)
    if fall is not None:
        falling = (times >= fall.onset_s) & (times < fall.rest_s)
        names[falling] = "fall"
        names[(times >= fall.rest_s) & (times <= fall.rest_s + fall.fallen_s)] = "fallen"
    return np.array([ACTIONS.index(name) for name in names]), fall


def run_audited(
    config: LabelConfig,
    order: ClipOrder,
    joints_world: Float[np.ndarray, "person time 24 3"],
    times: Float[np.ndarray, "time"],
    standing_pelvis_m: Sequence[float],
) -> tuple[Int[np.ndarray, "person time"], list[Fall | None]]:
    """Label everybody in a clip; Rejected where somebody did not do what the order asks."""
    actions, falls = [], []
    for joints, standing_m in zip(joints_world, standing_pelvis_m, strict=True):
        labels, fall = run(config, joints, times, standing_m)
        audit(config, order, labels, fall)
        actions.append(labels)
        falls.append(fall)
    return np.stack(actions), falls


def audit(config: LabelConfig, order: ClipOrder, actions: Int[np.ndarray, "time"], fall: Fall | None) -> None:
    """Raise Rejected where what was asked for did not happen."""
    counts = np.bincount(actions, minlength=len(ACTIONS)) / len(actions)
    share = {name: float(counts[index]) for index, name in enumerate(ACTIONS)}
    if order.event != "fall":
        if fall is not None:
            raise Rejected("a fall happened that was not asked for", f"at {fall.onset_s:.1f} s")
        wanted = {"walk": ("walk",), "stand": ("standing",), "sit": ("sitting",)}.get(order.event)
        if wanted and sum(share[name] for name in wanted) < 0.3:
            raise Rejected(f"the asked {order.event} did not happen", f"shares {share}")
        return
    if fall is None:
        raise Rejected("no fall happened")
    if fall.fallen_s < config.min_fallen_s:
        raise Rejected("the person does not stay down", f"{fall.fallen_s:.2f} s")
    if order.direction == "down":
        return
    asked = {"forward": 0.0, "left": 90.0, "backward": 180.0, "right": -90.0}[order.direction or "forward"]
    difference = abs((fall.direction_deg - asked + 180.0) % 360.0 - 180.0)
    if difference > config.direction_tolerance_deg:
        raise Rejected("fell in another direction", f"asked {order.direction}, went {fall.direction_deg:.0f} deg")
