"""Identity-encoded denoiser (thesis chapter 5): one transformer over the tokens of all people and frames at once.

Who a token belongs to is told by a learned encoding of the person's slot. Slots are drawn anew for every scene in training, so
people are exchangeable, and three or four can be sampled by a network that has seen two.
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor, nn

from models.denoisers.layers import AdaptiveNorm, Attention, Patches, Sizes, Told, perceptron
from models.motion_condition import Condition


class IdentityConfig(Sizes):
    """Sizes of the network."""

    name: Literal["identity"] = "identity"
    most_people: int = Field(default=4, ge=1)


class _Block(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norms = nn.ModuleList([AdaptiveNorm(width), AdaptiveNorm(width)])
        self.attention, self.perceptron = Attention(width, heads), perceptron(width)

    def forward(self, x: Tensor, told: Float[Tensor, "batch 6 width"], held: Bool[Tensor, "batch token"]) -> Tensor:
        y, gate = self.norms[0](x, told[:, :3])
        x = x + gate * self.attention(y, y, held)
        y, gate = self.norms[1](x, told[:, 3:])
        return x + gate * self.perceptron(y)


class IdentityDenoiser(nn.Module):
    """See the module; `models/denoisers/__init__.py` says what goes in and comes out."""

    def __init__(self, config: IdentityConfig):
        super().__init__()
        self.config = config
        self.patches, self.told = Patches(config), Told(config)
        self.identity = nn.Embedding(config.most_people, config.width)
        nn.init.normal_(self.identity.weight, std=0.5)
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(config.width, 6 * config.width))
        self.blocks = nn.ModuleList([_Block(config.width, config.heads) for _ in range(config.layers)])

    def forward(
        self,
        x_t: Float[Tensor, "batch person time 268"],
        step: Int[Tensor, "batch"],
        condition: Condition,
        mask: Bool[Tensor, "batch person time"],
    ) -> Float[Tensor, "batch person time 268"]:
        """Clean features from noisy ones."""
        told = self.told(step, condition)
        tokens, held = self.patches.tokens(x_t, condition, mask)
        tokens = tokens + self.identity(condition.slots)[:, :, None]
        shape = tokens.shape[1:3]
        x = torch.cat([told[:, None], tokens.flatten(1, 2)], dim=1)
        held = torch.cat([torch.ones_like(held[:, 0, :1]), held.flatten(1)], dim=1)
        modulation = self.modulation(told).unflatten(-1, (6, -1))
        for block in self.blocks:
            x = block(x, modulation, held)
        return self.patches.frames(x[:, 1:].unflatten(1, shape), mask)
