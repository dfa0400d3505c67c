"""Motion that already is of this body: brought to another frame rate and into its own frame, and nothing else.

Floors, furniture and betas are those of where it was made, so nobody is settled on the floor or given other bones.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from models.body.model import BodyModel
from models.body.resample import resample
from models.body.tracks import canonicalise
from models.geometry.transforms import axis_angle_from_matrix, matrix_from_axis_angle
from models.types import Motion, PersonTrack


def sampled_at(motion: Motion, body: BodyModel, fps: float) -> Motion:
    """Return everyone at `fps` from the first timestamp on; the first person's pelvis begins at x = y = 0 facing +x, z
    as it was.

    Whether a frame was observed, and its action, are those of the nearest frame.
    """
    timestamps = motion.timestamps_s - motion.timestamps_s[0]
    times = np.arange(int(np.floor(timestamps[-1] * fps + 1e-6)) + 1) / fps
    nearest = np.abs(timestamps[:, None] - times).argmin(axis=0)
    people = [_sampled(track, timestamps, times, nearest) for track in motion.people]
    return replace(motion, timestamps_s=times, people=canonicalise(body, people), actions=motion.actions[:, nearest])


def _sampled(
    track: PersonTrack,
    timestamps: Float[np.ndarray, "time"],
    times: Float[np.ndarray, "sample"],
    nearest: np.ndarray,
) -> PersonTrack:
    vectors = np.concatenate([track.global_orient[:, None], track.body_pose.reshape(-1, 23, 3)], axis=1)
    rotated = axis_angle_from_matrix(resample(timestamps, matrix_from_axis_angle(vectors), times))
    return replace(
        track,
        global_orient=rotated[:, 0],
        body_pose=rotated[:, 1:].reshape(-1, 69),
        transl=np.stack([np.interp(times, timestamps, axis) for axis in track.transl.T], axis=-1),
        visible=track.visible[nearest],
        confidence=np.interp(times, timestamps, track.confidence),
    )
