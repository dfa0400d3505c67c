"""Joints of body poses as the prior sees them, and angles between rotations."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.body.model import BodyModel, BodyShape
from models.geometry.transforms import matrix_from_axis_angle
from models.people3d.pose_prior import PRIOR_JOINTS


class Kinematics:
    """Joint positions of poses on one grown body, pelvis at the origin, root unturned."""

    def __init__(self, body: BodyModel):
        self.body = body
        self.betas = torch.as_tensor(
            body.betas_from_shape(BodyShape(age_years=50.0, stature_m=1.7, sex=0.5, build=0.5))
        )[None]

    def __call__(self, rotations: Float[Tensor, "batch 21 3 3"]) -> Float[Tensor, "batch 22 3"]:
        """Return joints in metres, SMPL axes; hands are left out."""
        count = len(rotations)
        unturned = torch.eye(3).expand(count, 1, 3, 3)
        pose = torch.cat([rotations, unturned.expand(count, 23 - PRIOR_JOINTS, 3, 3)], dim=1)
        joints = self.body.posed(self.betas, unturned[:, 0], pose, torch.zeros(count, 3)).joints
        return joints[:, : PRIOR_JOINTS + 1] - joints[:, :1]


def matrices(body_pose: Float[np.ndarray, "pose 63"]) -> Float[Tensor, "pose 21 3 3"]:
    """Return rotation matrices, float32."""
    return torch.as_tensor(matrix_from_axis_angle(body_pose.reshape(-1, PRIOR_JOINTS, 3)), dtype=torch.float32)


def angles_deg(a: Float[Tensor, "*batch 3 3"], b: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch"]:
    """Return angles between rotations, from the chord |a - b| = 2 sqrt 2 sin(angle / 2), which is exact for small
    ones too."""
    return torch.rad2deg(2.0 * ((a - b).square().sum((-1, -2)).sqrt() / 8.0**0.5).clamp(max=1.0).asin())
