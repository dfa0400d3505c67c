"""Smoothing: the motion of least change of velocity near the one given. Thesis §5.2, eq. 5.6
(models/people3d/smoothing.py).

In: any `PersonTrack`s at true timestamps, the body. Out: the same tracks smoothed, and metrics of what that did.
Observed stretches are smoothed each for itself: gaps longer than `gap_s` are not crossed, and what bridges them is
carried along. `ladder` shows what a weight costs: jitter against lag.
"""

import io
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.figure import Figure
from PIL import Image
from pydantic import Field

from models.body.model import BodyModel
from models.body.tracks import rest_joints_of, track_joints
from models.config import Config
from models.errors import InputError
from models.geometry.transforms import axis_angle_from_matrix, matrix_from_axis_angle
from models.people3d.smoothing import SmoothnessWeights, smooth_curves, stretches
from models.types import SMPL_PARENTS, PersonTrack


class SmoothConfig(Config):
    """How smooth, and what counts as observed."""

    weight: float = Field(1.0, ge=0.0)
    """Of constant velocity against what was given; 0 changes nothing. Ripples faster than
    (weight spread_m^2 / acceleration^2)^(1/4) seconds, 0.06 s by default, are smoothed away."""
    spread_m: float = Field(0.03, gt=0.0)
    """Farther from the smooth motion than this, a frame is thought wrong and pulls no harder."""
    acceleration: float = Field(8.0, gt=0.0)
    """Metres per second squared; beyond it a change of velocity costs linearly, so that impacts stay sharp."""
    gap_s: float = Field(0.6, gt=0.0)
    """Longer gaps in what was observed are not smoothed across."""


def run(
    config: SmoothConfig, tracks: Sequence[PersonTrack], timestamps_s: Float[np.ndarray, "time"], body: BodyModel
) -> tuple[list[PersonTrack], dict]:
    """Smooth everyone, each alone. Raises InputError on timestamps that do not run forward or a track off it.

    The metrics hold, per person: mean joint acceleration before and after (m/s^2), lag (ms), how far joints were moved
    on average (mm), and the number of stretches.
    """
    if len(timestamps_s) < 2 or not (np.diff(timestamps_s) > 0.0).all():
        raise InputError("timestamps", "do not increase strictly over at least two frames", "give presentation times")
    smoothed, metrics = [], []
    for track in tracks:
        if len(track.transl) != len(timestamps_s):
            found = f"has {len(track.transl)} frames, the clock {len(timestamps_s)}"
            raise InputError(track.person, found, "give the timestamps of the track's own clip")
        if not all(np.isfinite(part).all() for part in (track.transl, track.global_orient, track.body_pose)):
            raise InputError(track.person, "holds a number that is not finite", "lift the clip again")
        done = _smooth(config, track, timestamps_s, body)
        smoothed.append(done)
        row = _compare(config, track, done, timestamps_s, body)
        metrics.append({"person": track.person, **row, "stretches": len(_stretches(config, track, timestamps_s))})
    return smoothed, {"people": metrics}


def _stretches(config: SmoothConfig, track: PersonTrack, timestamps_s: Float[np.ndarray, "time"]) -> list[np.ndarray]:
    return stretches(track.visible & (track.confidence > 0.0), timestamps_s, config.gap_s)


def _smooth(
    config: SmoothConfig, track: PersonTrack, timestamps_s: Float[np.ndarray, "time"], body: BodyModel
) -> PersonTrack:
    """One track; frames outside the stretches are moved as their neighbours inside are."""
    count = len(timestamps_s)
    vectors = np.concatenate([track.global_orient[:, None], track.body_pose.reshape(count, 23, 3)], axis=1)
    rotations = matrix_from_axis_angle(vectors).swapaxes(0, 1)
    levers = _levers(rest_joints_of(body, track.betas))
    transl, rotated = track.transl.copy(), rotations.copy()
    trust = track.confidence * track.visible
    weights = SmoothnessWeights(config.weight, config.spread_m, config.acceleration)
    inside = np.zeros(count, dtype=bool)
    for frames in _stretches(config, track, timestamps_s):
        inside[frames] = True
        if len(frames) < 3 or config.weight == 0.0:
            continue
        smoothed, rotated[:, frames] = smooth_curves(
            track.transl[None, frames],
            rotations[:, frames],
            levers,
            timestamps_s[frames],
            trust[frames],
            weights,
        )
        transl[frames] = smoothed[0]
    if inside.any() and not inside.all():
        known, wanted = timestamps_s[inside], timestamps_s[~inside]
        shift = (transl - track.transl)[inside]
        transl[~inside] += np.stack([np.interp(wanted, known, column) for column in shift.T], axis=-1)
        turn = axis_angle_from_matrix(np.swapaxes(rotations, -1, -2) @ rotated)[:, inside]
        carried = np.stack([[np.interp(wanted, known, column) for column in joint.T] for joint in turn])
        rotated[:, ~inside] = rotations[:, ~inside] @ matrix_from_axis_angle(carried.swapaxes(1, 2))
    found = _nearest(axis_angle_from_matrix(rotated).swapaxes(0, 1), vectors)
    return replace(track, global_orient=found[:, 0], body_pose=found[:, 1:].reshape(count, 69), transl=transl)


def _levers(rest_joints: Float[np.ndarray, "24 3"]) -> Float[np.ndarray, "24"]:
    """Mean distance of the joints that each joint carries; of a last joint, half the way from its parent."""
    carried: list[list[int]] = [[] for _ in SMPL_PARENTS]
    for joint in range(23, 0, -1):
        carried[SMPL_PARENTS[joint]] += [joint, *carried[joint]]
    return np.array(
        [
            np.linalg.norm(rest_joints[below] - rest_joints[joint], axis=-1).mean()
            if below
            else 0.5 * np.linalg.norm(rest_joints[joint] - rest_joints[SMPL_PARENTS[joint]])
            for joint, below in enumerate(carried)
        ]
    )


def _nearest(
    vectors: Float[np.ndarray, "time 24 3"], given: Float[np.ndarray, "time 24 3"]
) -> Float[np.ndarray, "time 24 3"]:
    """Of the two axis-angle vectors of each rotation, the one nearer to the given vector: no jump at half a turn."""
    angle = np.linalg.norm(vectors, axis=-1, keepdims=True)
    other = vectors * (1.0 - 2.0 * np.pi / np.maximum(angle, 1e-9))
    far = np.linalg.norm(other - given, axis=-1) < np.linalg.norm(vectors - given, axis=-1)
    return np.where(far[..., None], other, vectors)


def jitter(
    joints: Float[np.ndarray, "time joint 3"], timestamps_s: Float[np.ndarray, "time"], gap_s: float = 0.6
) -> float:
    """Return mean acceleration of the joints by true time, m/s^2; gaps are left out."""
    dt = np.diff(timestamps_s)
    velocity = np.diff(joints, axis=0) / dt[:, None, None]
    change = np.linalg.norm(np.diff(velocity, axis=0), axis=-1) / ((dt[1:] + dt[:-1]) / 2.0)[:, None]
    near = np.maximum(dt[1:], dt[:-1]) <= gap_s
    return float(change[near].mean()) if near.any() else 0.0


def lag_s(
    joints: Float[np.ndarray, "time joint 3"],
    later: Float[np.ndarray, "time joint 3"],
    timestamps_s: Float[np.ndarray, "time"],
) -> float:
    """Return by how much the second motion comes after the first: the peak of the cross-correlation of their
    velocities."""
    step = float(np.median(np.diff(timestamps_s)))
    sample_times = np.arange(timestamps_s[0], timestamps_s[-1] + step / 2, step)

    def velocity(values: Float[np.ndarray, "time joint 3"]) -> Float[np.ndarray, "step n"]:
        columns = values.reshape(len(values), -1).T
        return np.diff(np.stack([np.interp(sample_times, timestamps_s, column) for column in columns], axis=-1), axis=0)

    a, b = velocity(joints), velocity(later)
    reach = min(round(0.5 / step), (len(a) - 1) // 2)
    shifts = np.arange(-reach, reach + 1)
    match = np.array(
        [
            (a[max(0, -s) : len(a) - max(0, s)] * b[max(0, s) : len(b) + min(0, s)]).sum() / (len(a) - abs(s))
            for s in shifts
        ]
    )
    best = int(match.argmax())
    if not 0 < best < len(shifts) - 1:
        return float(shifts[best]) * step
    # A parabola through the peak and its neighbours gives the place between frames.
    before, peak, after = match[best - 1 : best + 2]
    bend = before - 2.0 * peak + after
    return (float(shifts[best]) + (0.5 * float((before - after) / bend) if bend < 0.0 else 0.0)) * step


def _compare(
    config: SmoothConfig, given: PersonTrack, smoothed: PersonTrack, timestamps_s: np.ndarray, body: BodyModel
) -> dict:
    """What smoothing did to one track."""
    before, after = track_joints(body, given)[:, :22], track_joints(body, smoothed)[:, :22]
    return {
        "jitter_before": jitter(before, timestamps_s, config.gap_s),
        "jitter": jitter(after, timestamps_s, config.gap_s),
        "lag_ms": lag_s(before, after, timestamps_s) * 1000.0,
        "moved_mm": float(np.linalg.norm(after - before, axis=-1).mean() * 1000.0),
    }


def ladder(
    config: SmoothConfig,
    track: PersonTrack,
    timestamps_s: Float[np.ndarray, "time"],
    body: BodyModel,
    weights: Sequence[float],
    truth: PersonTrack | None = None,
) -> list[dict]:
    """Return jitter (mean joint acceleration, m/s^2) against lag (ms) for each weight.

    With the true motion also the mean distance from it (mm), the lag behind it, and `peak_share`: the largest mean
    joint acceleration over the true one, which falls below 1 where an impact is smeared.
    """
    rows = []
    for weight in weights:
        rung = config.model_copy(update={"weight": weight})
        (smoothed,), _ = run(rung, [track], timestamps_s, body)
        row = {"weight": weight, **_compare(rung, track, smoothed, timestamps_s, body)}
        if truth is not None:
            true, after = track_joints(body, truth)[:, :22], track_joints(body, smoothed)[:, :22]
            row["error_mm"] = float(np.linalg.norm(after - true, axis=-1).mean() * 1000.0)
            row["lag_ms"] = lag_s(true, after, timestamps_s) * 1000.0
            row["peak_share"] = _peak(after, timestamps_s) / _peak(true, timestamps_s)
        rows.append(row)
    return rows


def _peak(joints: Float[np.ndarray, "time joint 3"], timestamps_s: Float[np.ndarray, "time"]) -> float:
    """Largest mean joint acceleration between neighbouring velocities, m/s^2."""
    dt = np.diff(timestamps_s)
    velocity = np.diff(joints, axis=0) / dt[:, None, None]
    change = np.linalg.norm(np.diff(velocity, axis=0), axis=-1).mean(axis=1) / ((dt[1:] + dt[:-1]) / 2.0)
    return float(change.max())


def plot_ladder(rows: Sequence[dict]) -> UInt8[np.ndarray, "height width 3"]:
    """Plot jitter, lag and, where the truth was known, error and sharpness of impacts, by weight."""
    shown = [("jitter", "jitter (m/s²)"), ("lag_ms", "lag (ms)")]
    shown += [("error_mm", "error (mm)"), ("peak_share", "peak acceleration / true")] if "error_mm" in rows[0] else []
    figure = Figure(figsize=(4 * len(shown), 3.4), dpi=90)
    for axes, (key, label) in zip(np.ravel(figure.subplots(1, len(shown))), shown, strict=True):
        axes.plot([row["weight"] for row in rows], [row[key] for row in rows], marker="o")
        axes.set_xscale("symlog", linthresh=min([row["weight"] for row in rows if row["weight"] > 0.0], default=1.0))
        axes.set(xlabel="weight", ylabel=label)
        axes.grid(alpha=0.3)
    figure.tight_layout()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return np.asarray(Image.open(buffer).convert("RGB"))
