"""Rotation matrices from axis-angle and from columns.

roma has both, and a test shows that they agree; they are written here for machines that only train motion, which have
torch alone.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def matrices_from_axis_angle(axis_angle: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Return rotation matrices by Rodrigues' formula, with series near zero so that value and gradient are exact
    there."""
    squared = axis_angle.square().sum(-1)
    small = squared < 1e-6
    safe = torch.where(small, torch.ones_like(squared), squared)
    angle = safe.sqrt()
    sinc = torch.where(small, 1.0 - squared / 6.0, angle.sin() / angle)
    cosc = torch.where(small, 0.5 - squared / 24.0, (1.0 - angle.cos()) / safe)
    x, y, z = axis_angle.unbind(-1)
    zero = torch.zeros_like(x)
    K = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))
    outer = axis_angle[..., :, None] * axis_angle[..., None, :]
    eye = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return eye + sinc[..., None, None] * K + cosc[..., None, None] * (outer - squared[..., None, None] * eye)


def matrix_from_columns(columns: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 3 3"]:
    """Turn two columns into a rotation matrix by Gram-Schmidt (Zhou et al. 2019, eq. 15)."""
    # Number by number: of many matrices at once, sums over three and cross products take twice as long.
    a0, a1, a2, b0, b1, b2 = columns.unbind(-1)
    scale = (a0 * a0 + a1 * a1 + a2 * a2).clamp(min=1e-24).rsqrt()
    x0, x1, x2 = a0 * scale, a1 * scale, a2 * scale
    along = x0 * b0 + x1 * b1 + x2 * b2
    b0, b1, b2 = b0 - along * x0, b1 - along * x1, b2 - along * x2
    scale = (b0 * b0 + b1 * b1 + b2 * b2).clamp(min=1e-24).rsqrt()
    y0, y1, y2 = b0 * scale, b1 * scale, b2 * scale
    rows = ((x0, y0, x1 * y2 - x2 * y1), (x1, y1, x2 * y0 - x0 * y2), (x2, y2, x0 * y1 - x1 * y0))
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
