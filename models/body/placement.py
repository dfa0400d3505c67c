"""Motion moved rigidly into another frame: the rotation is R O, and what is moved as a point is the pelvis."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from models.geometry.transforms import apply, axis_angle_from_matrix, matrix_from_axis_angle
from models.types import Motion, PersonTrack


def transform_motion(
    motion: Motion, roots: Float[np.ndarray, "person 3"], T_world_motion: Float[np.ndarray, "4 4"]
) -> Motion:
    """Move a motion into the world: orientations become R O, root points are moved.

    `roots` are J0(betas) of each person: SMPL's transl is not the pelvis, so the pelvis is what is moved.
    """
    people = tuple(
        transform_track(track, root, T_world_motion) for track, root in zip(motion.people, roots, strict=True)
    )
    return replace(motion, people=people)


def transform_track(track: PersonTrack, root: Float[np.ndarray, "3"], T: Float[np.ndarray, "4 4"]) -> PersonTrack:
    """Return one person's SMPL parameters under the rigid transform T; `root` is J0(betas)."""
    orient = axis_angle_from_matrix(T[:3, :3] @ matrix_from_axis_angle(track.global_orient))
    return replace(track, global_orient=orient, transl=apply(T, track.transl + root) - root)
