"""Typical postures of bodies on the floor, for the library that a fit starts from
(models/people3d/fitting/initialisation.py).

The poses are those of a corpus (`models/training/pose_prior/poses.py`): k-medoids of the ones whose trunk is near the
floor.
"""

import json
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int

from models.training.pose_prior.kinematics import Kinematics, matrices
from models.training.pose_prior.poses import Poses

LYING_TRUNK = 0.45
"""Sine of the trunk's elevation below which a body lies or is about to."""


def medoids(points: Float[torch.Tensor, "n width"], count: int, rng: np.random.Generator) -> Int[np.ndarray, "count"]:
    """Return the rows that are nearest, summed over their clusters, to all others: Lloyd's iteration with medoids."""
    distances = torch.cdist(points, points).numpy()
    chosen = rng.choice(len(points), count, replace=False)
    for _ in range(30):
        nearest = distances[:, chosen].argmin(1)
        members = [np.flatnonzero(nearest == cluster) for cluster in range(count)]
        chosen = np.array([rows[distances[np.ix_(rows, rows)].sum(1).argmin()] for rows in members])
    return chosen


def lying_postures(
    poses: Poses, kinematics: Kinematics, count: int, seed: int, at_most: int = 1500
) -> Float[np.ndarray, "count 63"]:
    """Return the axis-angle of SMPL joints 1 to 21 of typical lying bodies, none of them from a held-out take."""
    lying = np.flatnonzero((poses.trunk < LYING_TRUNK) & ~poses.held_out)
    rng = np.random.default_rng(seed)
    some = rng.choice(lying, min(at_most, len(lying)), replace=False)
    joints = kinematics(matrices(poses.body_pose[some])).flatten(1)
    return poses.body_pose[some[medoids(joints, count, rng)]]


def save_postures(postures: Float[np.ndarray, "count 63"], path: Path) -> None:
    """Write as JSON, radians to the third decimal, one posture a line."""
    rows = ",\n ".join(json.dumps(row) for row in postures.round(3).tolist())
    path.write_text(f"[{rows}]\n")
