"""Whether a palm is on the skin that it is said to hold."""

import numpy as np
from jaxtyping import Float
from scipy.spatial import KDTree

from models.body.kinematics import forward_kinematics_numpy
from models.body.model import BodyModel
from models.body.tracks import rest_joints_of
from models.interactions.hand_holds import local_rotations_of
from models.physics.humanoid import Grip, segment_points
from models.types import SMPL_PARENTS, PersonTrack


def palm_distance(
    body: BodyModel, carer: PersonTrack, other: PersonTrack, grip: Grip
) -> tuple[Float[np.ndarray, "time"], Float[np.ndarray, "time"]]:
    """Return metres from a palm to the nearest skin of the part that a grip holds, and to the very place of it."""
    palm = carried_point(body, carer, grip.wrist, grip.palm)
    rest, skins = segment_points(body, other.betas)
    rotations, positions = forward_kinematics_numpy(rest, local_rotations_of(other), other.transl + rest[0])
    seen = np.einsum("tji,tj->ti", rotations[:, grip.joint], palm - positions[:, grip.joint])
    near = [joint for joint in skins if joint == grip.joint or SMPL_PARENTS[joint] == grip.joint]
    skin = np.concatenate([skins[joint] for joint in (*near, max(0, SMPL_PARENTS[grip.joint]))]) - rest[grip.joint]
    return KDTree(skin).query(seen)[0], np.linalg.norm(seen - grip.place, axis=-1)


def carried_point(
    body: BodyModel, track: PersonTrack, joint: int, offset: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "time 3"]:
    """Return the world path of a point that a joint carries, given from it in axes of the rest pose."""
    rest = rest_joints_of(body, track.betas)
    rotations, positions = forward_kinematics_numpy(rest, local_rotations_of(track), track.transl + rest[0])
    return positions[:, joint] + rotations[:, joint] @ offset
