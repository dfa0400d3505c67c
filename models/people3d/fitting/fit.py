"""A motion as a fit finds it, and where it puts joints, keypoints and feet."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from models.body.model import BodyModel
from models.geometry.rotations import matrices_from_axis_angle


@dataclass(frozen=True)
class Fit:
    """One person's fitted motion, per observed frame, in the world."""

    betas: Float[np.ndarray, "10"]
    latent: Float[np.ndarray, "3"]
    """The shape in standard deviations of stature, sex and build: what `betas` came from."""
    global_orient: Float[np.ndarray, "time 3 3"]
    body_pose: Float[np.ndarray, "time 69"]
    transl: Float[np.ndarray, "time 3"]
    loss: float


def upright_frames(body: BodyModel, fit: Fit, min_cosine: float = 0.8) -> Bool[np.ndarray, "time"]:
    """Find frames in which the body stands: trunk and both thighs near vertical."""
    with torch.no_grad():
        joints = fit_joints(body, fit)
    trunk = joints[:, 12] - joints[:, 0]
    thighs = [joints[:, hip] - joints[:, knee] for hip, knee in ((1, 4), (2, 5))]
    tall = [v[:, 2] / np.linalg.norm(v, axis=-1) > min_cosine for v in (trunk, *thighs)]
    return np.logical_and.reduce(tall)


def _batch(body: BodyModel, fit: Fit, frames: Int[np.ndarray, "kept"] | slice):
    betas = torch.as_tensor(fit.betas, dtype=torch.float32)
    orient = torch.as_tensor(fit.global_orient[frames], dtype=torch.float32)
    pose = matrices_from_axis_angle(torch.as_tensor(fit.body_pose[frames], dtype=torch.float32).reshape(-1, 23, 3))
    return betas.expand(len(orient), 10), orient, pose, torch.as_tensor(fit.transl[frames], dtype=torch.float32)


def rest_pelvis(body: BodyModel, betas: Float[np.ndarray, "10"]) -> Float[np.ndarray, "3"]:
    """Return J0(betas): what lies between `transl` and the pelvis."""
    return body.rest_joints(torch.as_tensor(betas, dtype=torch.float32))[0].double().numpy()


def fit_joints(body: BodyModel, fit: Fit) -> Float[np.ndarray, "time 24 3"]:
    """Return joints in the world, metres."""
    with torch.no_grad():
        return body.posed(*_batch(body, fit, slice(None))).joints.double().numpy()


def fit_keypoints(body: BodyModel, fit: Fit) -> Float[np.ndarray, "time 17 3"]:
    """Return COCO-17 in the world, metres."""
    with torch.no_grad():
        return body.posed(*_batch(body, fit, slice(None))).keypoints.double().numpy()


def fit_feet(body: BodyModel, fit: Fit) -> Float[np.ndarray, "time 2"]:
    """Return the height of the lowest contact point of the left and right foot above the floor, metres."""
    owner = body.weights[body.surface_vertices].argmax(-1)
    with torch.no_grad():
        z = body.posed(*_batch(body, fit, slice(None))).surface_points[..., 2]
    feet = [z[:, torch.isin(owner, torch.tensor(joints))].amin(-1) for joints in ([7, 10], [8, 11])]
    return torch.stack(feet, dim=-1).double().numpy()
