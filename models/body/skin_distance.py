"""How near the skin of people is to each other's."""

import itertools

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial import KDTree

from models.body.model import BodyModel


def skin_distance(
    body: BodyModel,
    betas: Float[np.ndarray, "person 10"],
    rotations: Float[np.ndarray, "person 24 3"],
    transl: Float[np.ndarray, "person 3"],
) -> float:
    """Return metres between the nearest two vertices of two people's skin, SMPL's parameters of one moment; infinite
    for one person."""
    values = (betas, rotations[:, 0], rotations[:, 1:].reshape(len(betas), 69), transl)
    with torch.no_grad():
        skins = body.posed(*(torch.as_tensor(value, dtype=torch.float32) for value in values)).vertices.numpy()
    pairs = itertools.combinations(skins, 2)
    return min((float(KDTree(one).query(other)[0].min()) for one, other in pairs), default=float("inf"))
