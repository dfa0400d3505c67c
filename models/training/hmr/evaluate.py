"""Measure a network of crops on people, rooms and takes that its training did not see."""

import numpy as np
import torch
from torch import Tensor

from models.body.model import BodyModel
from models.geometry.rotations import matrix_from_columns
from models.people3d.hmr_network import Hmr
from models.people3d.metrics import pa_mpjpe_mm
from models.training.hmr.dataset import Batch, Skeleton, Views, batch_of
from models.training.pose_prior.evaluate import POSTURES
from models.training.pose_prior.kinematics import angles_deg


@torch.no_grad()
def errors_of(network: Hmr, skeleton: Skeleton, batch: Batch, flip: bool) -> dict[str, np.ndarray]:
    """Return for each crop: PA-MPJPE, MPJPE less the pelvis, heading and posture of the root, pelvis' distance,
    place in the crop.

    `mean_pa_mm` and `mean_mm` are those of the mean pose, the latter turned as the network turns it.
    """
    found = network.predict(batch.crops.numpy(), flip=flip)
    joints = skeleton.joints(found.rotations, found.betas, found.translation(batch.focal_px, skeleton.rows_px))
    real = skeleton.joints(batch.rotations, batch.betas, batch.transl)
    mean = matrix_from_columns(network.mean_pose.float().unflatten(-1, (24, 6))).expand_as(found.rotations)
    middling = network.mean_betas.float().expand_as(batch.betas)
    mean_joints = skeleton.joints(
        torch.cat([found.rotations[:, :1], mean[:, 1:]], dim=1), middling, torch.zeros_like(batch.transl)
    )
    shown = skeleton.in_crop(joints, batch.focal_px) - skeleton.in_crop(real, batch.focal_px)

    def less_pelvis(some: Tensor) -> Tensor:
        return 1000.0 * ((some - some[:, :1]) - (real - real[:, :1])).norm(dim=-1).mean(-1)

    errors = {
        "pa_mm": torch.as_tensor(pa_mpjpe_mm(joints.double().numpy(), real.double().numpy())),
        "mean_pa_mm": torch.as_tensor(pa_mpjpe_mm(mean_joints.double().numpy(), real.double().numpy())),
        "mm": less_pelvis(joints),
        "mean_mm": less_pelvis(mean_joints),
        "root_deg": angles_deg(found.rotations[:, 0], batch.rotations[:, 0]),
        "pelvis_mm": 1000.0 * (joints[:, 0] - real[:, 0]).norm(dim=-1),
        "crop_share": shown.norm(dim=-1).mean(-1) / 2.0,
    }
    return {name: value.numpy() for name, value in errors.items()}


def measure(network: Hmr, views: Views, body: BodyModel, flip: bool = True) -> dict[str, dict[str, float]]:
    """Return mean errors on held-out views, by posture and by how much of the person is seen; medians for root and
    pelvis."""
    held = np.flatnonzero(views.held_out)
    errors = errors_of(network, Skeleton(body, network.config.rows_px), batch_of(views, body).of(held), flip)
    trunk, seen = views.trunk[held], views.seen[held]
    groups = {"all": np.ones(len(held), dtype=bool)}
    groups |= {name: (trunk >= low) & (trunk < high) for name, (low, high) in POSTURES.items()}
    groups |= {"seen well": seen >= 0.9, "half hidden": seen < 0.7}
    return {
        name: {"views": int(group.sum())}
        | {
            key: float((np.median if key in ("root_deg", "pelvis_mm") else np.mean)(value[group]))
            for key, value in errors.items()
        }
        for name, group in groups.items()
        if group.any()
    }
