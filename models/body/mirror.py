"""A body seen in a mirror: sides change places, and x, to the body's left, changes its sign."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.body.model import BodyModel
from models.body.sides import mirrored_text, swapped
from models.body.tracks import rest_root
from models.geometry.transforms import axis_angle_from_matrix, matrix_from_axis_angle, yaw
from models.types import SMPL_JOINTS, Motion, PersonTrack


def mirrored(rotations: Float[Tensor, "*batch joint 3 3"], first: int = 0) -> Float[Tensor, "*batch joint 3 3"]:
    """Return rotations of the mirrored body, given those of the joints from `first` on in the order of SMPL's."""
    partners = swapped(SMPL_JOINTS[first : first + rotations.shape[-3]])
    signs = rotations.new_tensor([-1.0, 1.0, 1.0])
    return rotations[..., partners, :, :] * signs[:, None] * signs


def mirrored_motion(motion: Motion, body: BodyModel) -> Motion:
    """Return the motion in a mirror on the world's plane y = 0: who walks along +x still does, and turns the other way.

    People, timestamps and actions stay; every left and right in the texts of `details` changes. Numbers in `details`
    must not depend on a side. Twice mirrored, it is the same motion.
    """
    people = tuple(_mirrored_track(track, rest_root(body, track.betas)) for track in motion.people)
    return replace(motion, people=people, details=_mirrored_words(motion.details))


def _mirrored_track(track: PersonTrack, root: Float[np.ndarray, "3"]) -> PersonTrack:
    """`root` is J0: the pelvis, not `transl`, is what the mirror moves."""
    turns = np.concatenate([track.global_orient, track.body_pose], axis=1).reshape(-1, 24, 3)
    rotations = mirrored(torch.as_tensor(matrix_from_axis_angle(turns))).numpy()
    # `mirrored` turns the world's x over; half a turn about z makes that its y.
    rotations[:, 0] = yaw(np.pi) @ rotations[:, 0]
    back = axis_angle_from_matrix(rotations)
    pelvis = (track.transl + root) * np.array([1.0, -1.0, 1.0])
    return replace(track, global_orient=back[:, 0], body_pose=back[:, 1:].reshape(-1, 69), transl=pelvis - root)


def _mirrored_words(value: Any) -> Any:
    """Texts mirrored wherever they are in plain values."""
    if isinstance(value, str):
        return mirrored_text(value)
    if isinstance(value, dict):
        return {key: _mirrored_words(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_mirrored_words(part) for part in value)
    return value
