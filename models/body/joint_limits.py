"""How far the joints of a body bend."""

import torch
from jaxtyping import Float
from torch import Tensor

from models.types import SMPL_JOINTS

# Limits of the left side's axis-angle components, radians: ((x low, x high), (y ...), (z ...)). The right side mirrors
# y and z. +x turns up to forward (a knee bends by +x, a hip flexes by -x), +z lifts the left arm or leg sideways.
LIMITS = {
    "hip": ((-2.3, 0.5), (-0.7, 0.7), (-0.4, 0.9)), "knee": ((0.0, 2.5), (-0.15, 0.15), (-0.15, 0.15)),
    "ankle": ((-0.5, 0.8), (-0.4, 0.4), (-0.4, 0.4)), "foot": ((-0.3, 0.3), (-0.1, 0.1), (-0.1, 0.1)),
    "spine1": ((-0.3, 0.6), (-0.3, 0.3), (-0.3, 0.3)), "spine2": ((-0.2, 0.4), (-0.3, 0.3), (-0.25, 0.25)),
    "spine3": ((-0.2, 0.4), (-0.3, 0.3), (-0.25, 0.25)), "neck": ((-0.5, 0.6), (-0.7, 0.7), (-0.4, 0.4)),
    "head": ((-0.5, 0.5), (-0.7, 0.7), (-0.4, 0.4)), "collar": ((-0.2, 0.2), (-0.35, 0.35), (-0.3, 0.4)),
    "shoulder": ((-1.2, 1.2), (-2.2, 0.9), (-1.6, 1.5)), "elbow": ((-0.7, 0.7), (-2.6, 0.05), (-0.2, 0.2)),
    "wrist": ((-0.5, 0.5), (-0.4, 0.4), (-0.9, 0.9)), "hand": ((-0.05, 0.05), (-0.05, 0.05), (-0.05, 0.05)),
}  # fmt: skip


def joint_limits() -> tuple[Float[Tensor, "23 3"], Float[Tensor, "23 3"]]:
    """Return lowest and highest axis-angle component of each body joint, radians."""
    limits = []
    for name in SMPL_JOINTS[1:]:
        x, y, z = LIMITS[name.split("_")[-1]]
        limits.append((x, (-y[1], -y[0]), (-z[1], -z[0])) if name.startswith("right") else (x, y, z))
    low, high = torch.tensor(limits).unbind(-1)
    return low, high
