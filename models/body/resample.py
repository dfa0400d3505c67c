"""A track at other timestamps."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from models.geometry.transforms import axis_angle_from_matrix, matrix_from_axis_angle
from models.types import PersonTrack


def resample_track(
    track: PersonTrack, times: Float[np.ndarray, "time"], sample_times: Float[np.ndarray, "sample"]
) -> PersonTrack:
    """Return the track at other times within its own, seconds: rotations on the shortest path, the pelvis on a straight
    line.

    A frame counts as seen where the nearest one was; its confidence lies between its neighbours'.
    """
    angles = np.concatenate([track.global_orient, track.body_pose], axis=1).reshape(-1, 24, 3)
    rotated = axis_angle_from_matrix(resample(times, matrix_from_axis_angle(angles), sample_times))
    # The pelvis lies at transl + J0, J0 the same in all frames: a line of one is a line of the other.
    transl = np.stack([np.interp(sample_times, times, track.transl[:, axis]) for axis in range(3)], axis=1)
    nearest = np.abs(sample_times[:, None] - times).argmin(axis=1)
    return replace(
        track,
        global_orient=rotated[:, 0],
        body_pose=rotated[:, 1:].reshape(len(sample_times), 69),
        transl=transl,
        visible=track.visible[nearest],
        confidence=np.interp(sample_times, times, track.confidence),
    )


def resample(
    timestamps: Float[np.ndarray, "time"],
    rotations: Float[np.ndarray, "time 24 3 3"],
    times: Float[np.ndarray, "sample"],
) -> Float[np.ndarray, "sample 24 3 3"]:
    """Return rotations at other times, by spherical interpolation."""
    low = np.clip(np.searchsorted(timestamps, times, "right") - 1, 0, len(timestamps) - 2)
    share = np.clip((times - timestamps[low]) / (timestamps[low + 1] - timestamps[low]), 0.0, 1.0)
    step = axis_angle_from_matrix(np.swapaxes(rotations[low], -1, -2) @ rotations[low + 1])
    return rotations[low] @ matrix_from_axis_angle(step * share[:, None, None])
