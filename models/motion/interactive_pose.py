"""The interactive pose: how people are at the moment at which they meet (Liu et al. 2025, Ponimator), which motion is
made before and after.
"""

import itertools

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial import KDTree
from torch import Tensor

from models.body.model import BodyModel
from models.motion.features import FEATURES, POSITIONS, ROTATIONS, encode, positions
from models.motion.known_frames import KnownFrames, moved


def known_pose(
    rest: Float[Tensor, "person 22 3"],
    rotations: Float[Tensor, "person 24 3"],
    transl: Float[Tensor, "person 3"],
    frames: int,
    at: int,
) -> KnownFrames:
    """Make SMPL's parameters of people at one moment, in any world whose floor is z = 0, what is known of one frame of
    a motion; how fast they are is not known."""
    features = torch.zeros(len(rest), frames, FEATURES)
    features[:, at] = encode(rest, rotations[:, None], transl[:, None])[:, 0]
    where = torch.zeros_like(features, dtype=torch.bool)
    where[:, at, POSITIONS] = where[:, at, ROTATIONS] = True
    return KnownFrames(features, where, floats=True)


def in_world_of(
    known: KnownFrames, at: int, features: Float[Tensor, "person time 268"]
) -> Float[Tensor, "person time 268"]:
    """Rotate and move a motion over the floor so that in a frame everybody's joints come nearest to the known ones:
    least squares, closed form (Umeyama 1991)."""
    ours, theirs = (positions(values[:, at])[..., :2].flatten(0, 1) for values in (features, known.features))
    middle, aim = ours.mean(0), theirs.mean(0)
    a, b = ours - middle, theirs - aim
    yaw = torch.atan2((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum(), (a * b).sum())
    away = torch.cat([middle, torch.zeros(1)])
    return moved(features[None], away[None], torch.cat([aim, yaw[None]])[None])[0]


def skin_distance(
    body: BodyModel,
    betas: Float[np.ndarray, "person 10"],
    rotations: Float[np.ndarray, "person 24 3"],
    transl: Float[np.ndarray, "person 3"],
) -> float:
    """Return metres between the nearest two vertices of two people's skin; infinite for one person."""
    values = (betas, rotations[:, 0], rotations[:, 1:].reshape(len(betas), 69), transl)
    with torch.no_grad():
        skins = body.posed(*(torch.as_tensor(value, dtype=torch.float32) for value in values)).vertices.numpy()
    pairs = itertools.combinations(skins, 2)
    return min((float(KDTree(one).query(other)[0].min()) for one, other in pairs), default=float("inf"))
