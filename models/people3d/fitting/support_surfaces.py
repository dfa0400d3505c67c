"""Tops of furniture that carry a body and are not entered: heights over them, and depths inside."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from models.types import SupportSurface

SOLID = ("bed", "sofa")
"""Furniture that reaches down to the floor."""
PRESSED_M = 0.06
"""How deep a mattress gives way."""
NOWHERE_M = 1e6
"""Everything is so far outside a top that is none, and inside an edge that is none."""


@dataclass(frozen=True)
class FurnitureTops:
    """The tops that each of many people may meet, given by the half planes of their convex outlines; people in one room
    have the same, and who has fewer than others has tops that nothing is over."""

    outwards: Float[Tensor, "person top edge 2"]
    """Of each edge, unit."""
    edge: Float[Tensor, "person top edge"]
    """How far along that it lies, metres."""
    height_m: Float[Tensor, "person top"]
    solid: Bool[Tensor, "person top"]

    def __len__(self) -> int:
        return self.edge.shape[1]

    def of(self, person: Int[Tensor, "row"] | slice) -> "FurnitureTops":
        """Return a row each for people in any order and number."""
        return FurnitureTops(self.outwards[person], self.edge[person], self.height_m[person], self.solid[person])

    def outside(self, top: int, xy: Float[Tensor, "person point 2"]) -> Float[Tensor, "person point"]:
        """Return the distance outside the outline of everyone's `top`-th, metres (short of it at corners); negative
        inside."""
        return (xy @ self.outwards[:, top].transpose(1, 2) - self.edge[:, None, top]).amax(-1)


def furniture_tops(supports: Sequence[SupportSurface], device: torch.device) -> FurnitureTops:
    """Return the tops that one person may meet."""
    planes = [_half_planes(support) for support in supports]
    edges = max((len(far) for _, far in planes), default=1)
    # Who has fewer edges than others has some more that everything is inside of.
    outwards, edge = np.zeros((1, len(planes), edges, 2)), np.full((1, len(planes), edges), NOWHERE_M)
    for top, (directions, far) in enumerate(planes):
        outwards[0, top, : len(far)], edge[0, top, : len(far)] = directions, far
    return FurnitureTops(
        torch.as_tensor(outwards, dtype=torch.float32, device=device),
        torch.as_tensor(edge, dtype=torch.float32, device=device),
        torch.tensor([[float(support.height_m) for support in supports]], device=device),
        torch.tensor([[support.label in SOLID for support in supports]], dtype=torch.bool, device=device),
    )


def concatenate_tops(parts: Sequence[FurnitureTops]) -> FurnitureTops:
    """Concatenate the rows of all, filled up to the most tops and edges with such as nothing is over, or inside."""
    most, edges = max(len(part) for part in parts), max(part.edge.shape[2] for part in parts)

    def filled(values: Tensor, more: tuple[int, ...], fill: float) -> Tensor:
        return torch.nn.functional.pad(values, more, value=fill)

    # Of a top that there is, an edge more that everything is inside of; of one more top, edges that everything is
    # outside of.
    lacks = [(part, most - len(part), edges - part.edge.shape[2]) for part in parts]
    edge = [filled(filled(part.edge, (0, own), NOWHERE_M), (0, 0, 0, tops), -NOWHERE_M) for part, tops, own in lacks]
    return FurnitureTops(
        torch.cat([filled(part.outwards, (0, 0, 0, own, 0, tops), 0.0) for part, tops, own in lacks]),
        torch.cat(edge),
        torch.cat([filled(part.height_m, (0, tops), 0.0) for part, tops, _ in lacks]),
        torch.cat([filled(part.solid, (0, tops), False) for part, tops, _ in lacks]),
    )


def _half_planes(support: SupportSurface) -> tuple[Float[np.ndarray, "edge 2"], Float[np.ndarray, "edge"]]:
    """Of each edge of the outline the unit vector outwards, and how far along it the edge lies."""
    corners = np.asarray(support.outline, dtype=np.float64)
    edges = np.roll(corners, -1, axis=0) - corners
    length = np.linalg.norm(edges, axis=1)
    corners, edges, length = corners[length > 1e-6], edges[length > 1e-6], length[length > 1e-6]
    outwards = np.stack([edges[:, 1], -edges[:, 0]], axis=1) / length[:, None]
    if (outwards * (corners - corners.mean(axis=0))).sum() < 0.0:
        outwards = -outwards
    return outwards, (outwards * corners).sum(axis=1)


def clearance(
    tops: FurnitureTops, surface: Float[Tensor, "row point 3"], seat_m: float
) -> tuple[Float[Tensor, "row point"], Float[Tensor, "row point"]]:
    """Return the height of each point over the floor or the furniture below it, and how deep it is inside either,
    metres.

    A row of `tops` for each of `surface`. What is no bed and no sofa is solid `seat_m` below its top.
    """
    z = surface[..., 2]
    carried, inside = z, (-z).clamp(min=0.0)
    for top in range(len(tops)):
        outside = tops.outside(top, surface[..., :2])
        over = z - tops.height_m[:, None, top]
        # What is deep inside does not rest on it, but has to come out, the nearest way: up, sideways or, under a seat,
        # down.
        carried = torch.where((outside < 0.0) & (over > -PRESSED_M), over, carried)
        out = torch.minimum(-outside, -over)
        out = torch.where(tops.solid[:, None, top], out, torch.minimum(out, over + seat_m))
        inside = torch.maximum(inside, out.clamp(min=0.0))
    return carried, inside
