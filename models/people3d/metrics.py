"""How far a lifted body is from the true one, in the field's own metrics."""

import numpy as np
from jaxtyping import Bool, Float

BODY_JOINTS = 22
"""SMPL's joints without the hands."""


def align_similarity(
    source: Float[np.ndarray, "*batch point 3"], target: Float[np.ndarray, "*batch point 3"], with_scale: bool = True
) -> Float[np.ndarray, "*batch point 3"]:
    """Return `source` under the similarity transform that brings it closest to `target` (Umeyama 1991), each of a batch
    alone; without scale, under the rigid transform that does."""
    mean_source, mean_target = source.mean(axis=-2, keepdims=True), target.mean(axis=-2, keepdims=True)
    a, b = source - mean_source, target - mean_target
    u, s, vt = np.linalg.svd(np.swapaxes(b, -1, -2) @ a)
    sign = np.ones_like(s)
    sign[..., 2] = np.sign(np.linalg.det(u @ vt))
    scale = (s * sign).sum(-1) / np.maximum((a**2).sum((-1, -2)), 1e-12) if with_scale else np.ones(s.shape[:-1])
    rotated = a @ np.swapaxes((u * sign[..., None, :]) @ vt, -1, -2)
    return scale[..., None, None] * rotated + mean_target


def mpjpe_mm(
    found: Float[np.ndarray, "*batch joint 3"], true: Float[np.ndarray, "*batch joint 3"]
) -> Float[np.ndarray, "*batch"]:
    """Return the mean distance of joints, mm, after both pelves are put at the origin; joint 0 is the pelvis."""
    apart = (found - found[..., :1, :]) - (true - true[..., :1, :])
    return 1000.0 * np.linalg.norm(apart, axis=-1).mean(-1)


def pa_mpjpe_mm(
    found: Float[np.ndarray, "*batch joint 3"], true: Float[np.ndarray, "*batch joint 3"]
) -> Float[np.ndarray, "*batch"]:
    """Return the mean distance of joints, mm, after each frame's own similarity transform."""
    return 1000.0 * np.linalg.norm(align_similarity(found, true) - true, axis=-1).mean(-1)


def acceleration_error(
    found: Float[np.ndarray, "time joint 3"],
    true: Float[np.ndarray, "time joint 3"],
    timestamps_s: Float[np.ndarray, "time"],
    known: Bool[np.ndarray, "time"],
) -> Float[np.ndarray, "middle"]:
    """Return the mean over joints of |acceleration - true acceleration|, m/s², of frames whose neighbours are known
    as well."""
    dt = np.diff(timestamps_s)[:, None, None]
    difference = found - true
    velocity = np.diff(difference, axis=0) / dt
    acceleration = np.diff(velocity, axis=0) / ((dt[1:] + dt[:-1]) / 2.0)
    whole = known[2:] & known[1:-1] & known[:-2]
    return np.linalg.norm(acceleration, axis=-1).mean(-1)[whole]
