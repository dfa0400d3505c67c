"""A hand that is held out to a place in the air, by inverse kinematics."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from models.body.kinematics import forward_kinematics_numpy
from models.body.model import BodyModel
from models.body.tracks import rest_joints_of
from models.body.two_bone_ik import LIMBS, reach
from models.geometry.transforms import axis_angle_from_matrix, matrix_from_axis_angle, unit
from models.interactions.hand_holds import Side, local_rotations_of
from models.types import SMPL_JOINTS, PersonTrack


def reach_out(
    body: BodyModel, track: PersonTrack, side: Side, place: Float[np.ndarray, "3"], share: Float[np.ndarray, "time"]
) -> PersonTrack:
    """Return the track with the middle of one hand drawn to a place, world metres, by a share from 0 to 1; the hand
    goes on as the forearm does."""
    rest, limb = rest_joints_of(body, track.betas), LIMBS[f"{side}_hand"]
    local, pelvis = local_rotations_of(track), track.transl + rest[0]
    world = forward_kinematics_numpy(rest, local, pelvis)
    length = float(np.linalg.norm(rest[SMPL_JOINTS.index(f"{side}_hand")] - rest[limb.end]))
    fore, end = unit(place - world[1][:, limb.upper]), world[0][:, limb.end]
    reached = local.copy()
    for _ in range(3):
        reached = local.copy()
        reach(rest, reached, world, limb, place - length * fore, end)
        rotations, positions = forward_kinematics_numpy(rest, reached, pelvis)
        fore, end = unit(positions[:, limb.end] - positions[:, limb.middle]), rotations[:, limb.middle]
    for joint in limb.joints:
        turn = axis_angle_from_matrix(np.swapaxes(local[:, joint], -1, -2) @ reached[:, joint])
        local[:, joint] = local[:, joint] @ matrix_from_axis_angle(share[:, None] * turn)
    return replace(track, body_pose=axis_angle_from_matrix(local[:, 1:]).reshape(-1, 69))
