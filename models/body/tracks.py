"""Tracks of people read as SMPL: parameters, joints, keypoints, resting root and standing height; and moved to a
canonical place."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.body.model import BodyModel
from models.geometry.transforms import axis_angle_from_matrix, matrix_from_axis_angle, yaw
from models.types import SMPL_JOINTS, PersonTrack

HEAD = SMPL_JOINTS.index("head")
LYING_HEAD_M = 0.35
"""Metres over the floor below which the head is of who lies on it."""


def track_parameters(
    track: PersonTrack,
) -> tuple[Float[Tensor, "time 10"], Float[Tensor, "time 3"], Float[Tensor, "time 69"], Float[Tensor, "time 3"]]:
    """Return betas, global_orient, body_pose and transl of every frame of a track, as the body's methods take them."""
    rest = (track.global_orient, track.body_pose, track.transl)
    orient, pose, transl = (torch.as_tensor(value, dtype=torch.float32) for value in rest)
    return torch.as_tensor(track.betas, dtype=torch.float32).expand(len(transl), -1), orient, pose, transl


def track_joints(body: BodyModel, track: PersonTrack) -> Float[np.ndarray, "time 24 3"]:
    """Return joints of every frame of a track, in the frame of the track, metres."""
    with torch.no_grad():
        return body.posed(*track_parameters(track)).joints.double().numpy()


def track_keypoints(body: BodyModel, track: PersonTrack) -> Float[np.ndarray, "time 17 3"]:
    """Return COCO-17 of every frame of a track, in the frame of the track, metres."""
    with torch.no_grad():
        return body.posed(*track_parameters(track)).keypoints.double().numpy()


def rest_joints_of(body: BodyModel, betas: Float[np.ndarray, "10"]) -> Float[np.ndarray, "24 3"]:
    """Return joints of the T-pose in the body's own axes, metres."""
    with torch.no_grad():
        return body.rest_joints(torch.as_tensor(betas, dtype=torch.float32)).double().numpy()


def rest_root(body: BodyModel, betas: Float[np.ndarray, "10"]) -> Float[np.ndarray, "3"]:
    """Return J0(betas): where the pelvis lies in the body's own axes before `transl`."""
    return rest_joints_of(body, betas)[0]


def standing_pelvis_height(body: BodyModel, betas: Float[np.ndarray, "10"]) -> float:
    """Return the height of the pelvis over the soles of the upright body, metres."""
    with torch.no_grad():
        zero = torch.zeros(3)
        points = body.posed(torch.as_tensor(betas, dtype=torch.float32), zero, torch.zeros(69), zero).surface_points
    return float(rest_root(body, betas)[1] - points[:, 1].min())


def body_joints(
    body: BodyModel,
    betas: Float[np.ndarray, "10"],
    global_orient: Float[np.ndarray, "time 3"],
    body_pose: Float[np.ndarray, "time 69"],
    transl: Float[np.ndarray, "time 3"],
) -> Float[np.ndarray, "time 24 3"]:
    """Return the body's joints over time, metres, float64."""
    arrays = (np.tile(betas, (len(transl), 1)), global_orient, body_pose, transl)
    with torch.no_grad():
        return body.posed(*(torch.as_tensor(array, dtype=torch.float32) for array in arrays)).joints.double().numpy()


def canonicalise(body: BodyModel, tracks: Sequence[PersonTrack]) -> tuple[PersonTrack, ...]:
    """Return the tracks of one world transformed on its floor, so that the first one's pelvis begins at x = y = 0
    facing +x."""
    first = tracks[0]
    facing = matrix_from_axis_angle(first.global_orient[0])[:, 2]
    turn = yaw(-float(np.arctan2(facing[1], facing[0])))
    start = (first.transl[0] + rest_root(body, first.betas)) * [1.0, 1.0, 0.0]
    transformed = []
    for track in tracks:
        rest = rest_root(body, track.betas)
        orient = axis_angle_from_matrix(turn @ matrix_from_axis_angle(track.global_orient))
        transformed.append(replace(track, global_orient=orient, transl=(track.transl + rest - start) @ turn.T - rest))
    return tuple(transformed)
