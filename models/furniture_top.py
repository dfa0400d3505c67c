"""Tops of furniture that carry a body and are not entered: heights over them, and depths inside."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pipeline.types import SupportSurface

SOLID = ("bed", "sofa")
"""Furniture that reaches down to the floor."""
PRESSED_M = 0.06
"""How deep a mattress gives way."""


class FurnitureTop:
    """A support's top, told by the half planes of its convex outline."""

    def __init__(self, support: SupportSurface):
        corners = np.asarray(support.outline, dtype=np.float64)
        edges = np.roll(corners, -1, axis=0) - corners
        length = np.linalg.norm(edges, axis=1)
        corners, edges, length = corners[length > 1e-6], edges[length > 1e-6], length[length > 1e-6]
        outwards = np.stack([edges[:, 1], -edges[:, 0]], axis=1) / length[:, None]
        if (outwards * (corners - corners.mean(axis=0))).sum() < 0.0:
            outwards = -outwards
        self.outwards = torch.as_tensor(outwards, dtype=torch.float32)
        self.edge = torch.as_tensor((outwards * corners).sum(axis=1), dtype=torch.float32)
        self.height_m = float(support.height_m)
        self.solid = support.label in SOLID

    def outside(self, xy: Float[Tensor, "*point 2"]) -> Float[Tensor, "*point"]:
        """Distance outside the outline, metres (short of it at corners); negative inside."""
        return (xy @ self.outwards.T - self.edge).amax(-1)


def clearance(
    tops: Sequence[FurnitureTop], surface: Float[Tensor, "time point 3"], seat_m: float
) -> tuple[Float[Tensor, "time point"], Float[Tensor, "time point"]]:
    """Height of each point over the floor or the furniture below it, and how deep it is inside either, metres.

    What is no bed and no sofa is solid `seat_m` below its top.
    """
    z = surface[..., 2]
    carried, inside = z, (-z).clamp(min=0.0)
    for top in tops:
        outside = top.outside(surface[..., :2])
        over = z - top.height_m
        # What is deep inside does not rest on it, but has to come out, the nearest way: up, sideways or, under a seat, down.
        carried = torch.where((outside < 0.0) & (over > -PRESSED_M), over, carried)
        ways = [-outside, -over] if top.solid else [-outside, -over, over + seat_m]
        inside = torch.maximum(inside, torch.stack(ways).amin(0).clamp(min=0.0))
    return carried, inside
