"""Feet and floor: where the skin is lowest, and a track moved so that feet in contact stand on z = 0."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from models.body import BodyModel, track_joints
from pipeline.types import SMPL_JOINTS, PersonTrack


def settle_on_floor(body: BodyModel, track: PersonTrack, fps: float) -> PersonTrack:
    """Move the track vertically so that the floor is z = 0 and feet in contact stand on it.

    The floor is where the lowest skin usually is; a contact is a foot that is low and hardly moves. Between contacts the
    correction is interpolated, so jumps stay jumps; nothing is left below the floor.
    """
    low = lowest_surface(body, track.betas, track.global_orient, track.body_pose, track.transl)
    floor = np.percentile(low, 10.0)
    low = low - floor
    contact = _contact(body, track, fps) & (np.abs(low) < 0.06)
    if contact.any():
        index = np.arange(len(low))
        correction = -np.interp(index, index[contact], low[contact])
        correction = gaussian_filter1d(correction, 0.06 * fps, mode="nearest")
    else:
        correction = np.zeros(len(low))
    below = np.maximum(0.0, -(low + correction))
    size = max(1, round(0.1 * fps)) * 2 + 1
    lift = gaussian_filter1d(maximum_filter1d(below, size, mode="nearest"), 0.04 * fps, mode="nearest")
    transl = track.transl.copy()
    transl[:, 2] += correction + lift - floor
    return replace(track, transl=transl)


def _contact(body: BodyModel, track: PersonTrack, fps: float) -> Bool[np.ndarray, "time"]:
    """Whether the lower foot hardly moves (under 0.35 m/s)."""
    joints = track_joints(body, track)
    feet = joints[:, [SMPL_JOINTS.index("left_foot"), SMPL_JOINTS.index("right_foot")]]
    speed = np.linalg.norm(np.gradient(feet, 1.0 / fps, axis=0), axis=-1)
    lower = np.argmin(feet[..., 2], axis=1)
    return speed[np.arange(len(speed)), lower] < 0.35


def lowest_surface(
    body: BodyModel,
    betas: Float[np.ndarray, "10"],
    global_orient: Float[np.ndarray, "time 3"],
    body_pose: Float[np.ndarray, "time 69"],
    transl: Float[np.ndarray, "time 3"],
) -> Float[np.ndarray, "time"]:
    """Height of the lowest contact point of the skin per frame, metres."""
    shape = torch.as_tensor(betas, dtype=torch.float32)[None]
    lowest = np.empty(len(transl))
    # 128 frames at a time stay in the processor's cache: twice as fast as all at once.
    for part in (slice(first, first + 128) for first in range(0, len(transl), 128)):
        pose = (torch.as_tensor(array[part], dtype=torch.float32) for array in (global_orient, body_pose, transl))
        with torch.no_grad():
            lowest[part] = body.surface_points(shape, *pose)[..., 2].amin(dim=-1).numpy()
    return lowest
