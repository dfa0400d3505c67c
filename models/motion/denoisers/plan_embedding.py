"""What a body's tokens are told of the plan: one's own moments around each, and where everybody else is, all as seen
from one's own frame."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from models.motion.plan import HEADING, HOLDS, STANDING_M, UP

OWN, OTHER = 22, 12
FAR_M = 3.0
"""Who is farther away than this is as far as this."""


class PlanEmbedding(nn.Module):
    """Plans of everybody at each token's first frame to vectors; moving or rotating a scene changes nothing.

    Others are told by one network and added up, so that there may be any number of them, in any order.
    """

    def __init__(self, width: int):
        super().__init__()
        self.done = nn.Sequential(nn.Linear(OWN, width), nn.SiLU(), nn.Linear(width, width))
        self.seen = nn.Sequential(nn.Linear(OTHER, width), nn.SiLU(), nn.Linear(width, width))

    def forward(
        self, plan: Float[Tensor, "batch person token 10"], mask: Bool[Tensor, "batch person token"]
    ) -> Float[Tensor, "batch person token width"]:
        """Embed; `plan` is in metres, in one world. Who is not there adds nothing to the others."""
        told = self.done(as_done(plan, mask))
        people = plan.shape[1]
        # Also of one alone, whom nobody else adds anything to: weights that are never used cannot be shared.
        for places in range(1, max(people, 2)):
            # Everybody at once sees the one who comes so many places after.
            other, there = plan.roll(-places, 1), mask.roll(-places, 1) & (places < people)
            told = told + self.seen(as_seen(plan, other)) * (mask & there)[..., None]
        return told


def as_done(
    plan: Float[Tensor, "batch person token 10"], mask: Bool[Tensor, "batch person token"]
) -> Float[Tensor, "batch person token 22"]:
    """Return one's own posture, and how one comes from the token before and goes on to the one after: along, left,
    turned, higher, upright. Before the first and after the last one stays."""
    before = torch.cat([plan[:, :, :1], plan[:, :, :-1]], dim=2)
    after = torch.cat([plan[:, :, 1:], plan[:, :, -1:]], dim=2)
    goes_on = torch.cat([mask[:, :, 1:], torch.zeros_like(mask[:, :, :1])], dim=2)
    after = torch.where(goes_on[..., None], after, plan)
    parts = [_posture(plan)]
    for moment in (before, after):
        along, left = _seen_from(plan, moment[..., :2] - plan[..., :2])
        cosine, sine = _turned(plan, moment)
        height = moment[..., 2] - plan[..., 2]
        path = torch.stack([4.0 * along, 4.0 * left, cosine, 4.0 * sine, 4.0 * height], dim=-1)
        parts += [path, 2.0 * (moment[..., UP] - plan[..., UP])]
    return torch.cat(parts, dim=-1)


def as_seen(
    plan: Float[Tensor, "batch person token 10"], other: Float[Tensor, "batch person token 10"]
) -> Float[Tensor, "batch person token 12"]:
    """Return where others are, how near, how turned, how high, and how they are, as seen from each person."""
    away = other[..., :2] - plan[..., :2]
    distance = away.norm(dim=-1, keepdim=True)
    along, left = _seen_from(plan, away * (FAR_M / distance.clamp(min=FAR_M)))
    cosine, sine = _turned(plan, other)
    height = 2.0 * (other[..., 2] - plan[..., 2])
    where = torch.stack([along, left, torch.exp(-distance[..., 0]), cosine, sine, height], dim=-1)
    return torch.cat([_posture(other), where], dim=-1)


def _posture(plan: Tensor) -> Float[Tensor, "batch person token 6"]:
    """Height against that of standing, the upward axis, and what the hands do."""
    height = 3.0 * (plan[..., 2:3] - STANDING_M)
    return torch.cat([height, plan[..., UP], plan[..., HOLDS]], dim=-1)


def _seen_from(plan: Tensor, vectors: Float[Tensor, "batch person token 2"]) -> tuple[Tensor, Tensor]:
    """How far vectors on the floor go along somebody's heading, and to the left of it."""
    c, s = plan[..., HEADING].unbind(-1)
    return c * vectors[..., 0] + s * vectors[..., 1], c * vectors[..., 1] - s * vectors[..., 0]


def _turned(plan: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine and sine of the angle from one heading to another."""
    c, s = plan[..., HEADING].unbind(-1)
    other_c, other_s = other[..., HEADING].unbind(-1)
    return c * other_c + s * other_s, c * other_s - s * other_c
