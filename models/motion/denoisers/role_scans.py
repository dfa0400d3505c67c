"""Tokens of several people as one sequence, in every cyclic order of their roles (TIMotion, Wang et al. 2025: causal
interactive injection and role-evolving scanning; there of two people).

Of two people a and b the scans are a0 b0 a1 b1 ... and b0 a0 b1 a1 ...; of three abc, bca and cab. Who is next to whom
follows the identities, not the places in a batch. Tokens that are not there come last in each scan, so a causal mixer
needs no mask.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class RoleScans:
    """Of a batch of scenes; `token` runs over all tokens of the first person, then of the second, and so on."""

    order: Int[Tensor, "batch scan token"]
    """Which token is scanned at each place."""
    place: Int[Tensor, "batch scan token"]
    """At which place each token is scanned: `order` the other way round."""
    weight: Float[Tensor, "batch scan"]
    """What a scan counts in the mean; zero for scans beyond as many as a scene has people."""
    token_mask: Bool[Tensor, "batch token"]
    """Tokens that are there."""

    def interleave(self, values: Float[Tensor, "batch token width"]) -> Float[Tensor, "scans token width"]:
        """Lay tokens out as they are scanned; scans of a scene come one after the other."""
        scene = torch.arange(len(values), device=values.device)[:, None, None]
        return values[scene, self.order].flatten(0, 1)

    def join(self, scanned: Float[Tensor, "scans token width"]) -> Float[Tensor, "batch token width"]:
        """Take back what came of each token, in the mean of a scene's scans."""
        scanned = scanned.unflatten(0, self.order.shape[:2])
        per_token = scanned.gather(2, self.place[..., None].expand(-1, -1, -1, scanned.shape[-1]))
        return (per_token * self.weight[..., None, None].to(scanned)).sum(1)


def role_scans(
    token_mask: Bool[Tensor, "batch person time"], identity_ids: Int[Tensor, "batch person"]
) -> tuple[RoleScans, RoleScans]:
    """Find the scans of scenes forwards in time, and the same backwards."""
    people, time = token_mask.shape[1:]
    present = token_mask.any(-1)
    count = present.sum(-1).clamp(min=1)
    rank = (present[:, None] & (identity_ids[:, None] < identity_ids[:, :, None])).sum(-1)
    scans = torch.arange(people, device=token_mask.device)
    turned = (rank[:, None] - scans[:, None]).remainder(count[:, None, None])
    key = turned[..., None] + people * torch.arange(time, device=token_mask.device)
    weight = (scans < count[:, None]) / count[:, None]
    flat = token_mask.flatten(1)

    def sorted_by(key: Int[Tensor, "batch scan person time"]) -> RoleScans:
        late = torch.full_like(key, people * time)
        order = torch.where(token_mask[:, None], key, late).flatten(2).argsort(dim=-1, stable=True)
        return RoleScans(order, order.argsort(dim=-1), weight, flat)

    return sorted_by(key), sorted_by(-key)
