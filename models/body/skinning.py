"""Linear blend skinning: rotations of a pose, and points of the surface that are skinned without the mesh."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.geometry.rotations import matrices_from_axis_angle


def local_rotations(
    global_orient: Float[Tensor, "..."], body_pose: Float[Tensor, "..."]
) -> Float[Tensor, "*batch 24 3 3"]:
    """Return rotation matrices of the root and the 23 joints from either representation (see `BodyModel`)."""
    if body_pose.shape[-1] == 69:
        batch_axes = body_pose.ndim - 1
        body = matrices_from_axis_angle(body_pose.unflatten(-1, (23, 3)))
    else:
        assert body_pose.shape[-3:] == (23, 3, 3), (
            f"body_pose is [*b, 69] or [*b, 23, 3, 3], got {tuple(body_pose.shape)}"
        )
        batch_axes = body_pose.ndim - 3
        body = body_pose
    if global_orient.ndim == batch_axes + 1:
        root = matrices_from_axis_angle(global_orient)
    else:
        assert global_orient.shape[batch_axes:] == (3, 3), (
            f"global_orient needs as many batch axes as body_pose ({batch_axes}), got {tuple(global_orient.shape)}"
        )
        root = global_orient
    # numpy's: torch's own takes a second to import sympy.
    batch = np.broadcast_shapes(root.shape[:-2], body.shape[:-3])
    return torch.cat([root.expand(*batch, 3, 3)[..., None, :, :], body.expand(*batch, 23, 3, 3)], dim=-3)


class SurfacePoints(nn.Module):
    """Fixed combinations of vertices, skinned without the mesh.

    Point k is Σ_v a_kv Σ_j w_vj (R_j (v − J_j) + t_j) = Σ_j R_j (m_kj − c_kj J_j) + c_kj t_j, where
    c_kj = Σ_v a_kv w_vj and m_kj = Σ_v a_kv w_vj v, which is linear in betas (and in the pose corrections).
    """

    share: Tensor
    moment: Tensor
    moment_shape: Tensor
    moment_pose: Tensor | None

    def __init__(
        self,
        combination: Float[np.ndarray, "point vertex"],
        weights: Float[np.ndarray, "vertex 24"],
        v_template: Float[np.ndarray, "vertex 3"],
        shapedirs: Float[np.ndarray, "vertex 3 10"],
        posedirs: Float[np.ndarray, "vertex 3 207"] | None,
    ):
        super().__init__()
        used = np.flatnonzero(np.abs(combination).sum(axis=0))
        a, w = combination[:, used].astype(np.float64), weights[used].astype(np.float64)

        def moment(values: Float[np.ndarray, "vertex 3 *rest"]) -> Tensor:
            flat = values[used].reshape(len(used), -1).astype(np.float64)
            sums = np.stack([(a * w[:, joint]) @ flat for joint in range(24)], axis=1)
            return torch.as_tensor(sums.reshape(len(a), 24, *values.shape[1:]), dtype=torch.float32)

        self.register_buffer("share", torch.as_tensor(a @ w, dtype=torch.float32))
        self.register_buffer("moment", moment(v_template))
        self.register_buffer("moment_shape", moment(shapedirs))
        self.register_buffer("moment_pose", None if posedirs is None else moment(posedirs))

    def forward(
        self,
        betas: Float[Tensor, "*#batch 10"],
        rotations: Float[Tensor, "*#batch 24 3 3"],
        rest_joints: Float[Tensor, "*#batch 24 3"],
        joints: Float[Tensor, "*#batch 24 3"],
        pose_feature: Float[Tensor, "*#batch 207"] | None,
    ) -> Float[Tensor, "*batch point 3"]:
        arm = self.moment + torch.einsum("pjcb,...b->...pjc", self.moment_shape, betas)
        arm = arm - self.share[:, :, None] * rest_joints[..., None, :, :]
        if pose_feature is not None and self.moment_pose is not None:
            arm = arm + torch.einsum("pjcb,...b->...pjc", self.moment_pose, pose_feature)
        if arm.numel() == arm.shape[-3:].numel():  # one body for all frames: a plain matrix product
            arm = arm.reshape(arm.shape[-3:])
        rotated = rotations.transpose(-3, -2).flatten(-2) @ arm.flatten(-2).transpose(-1, -2)
        return rotated.transpose(-1, -2) + self.share @ joints
