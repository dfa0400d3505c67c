"""Identity-encoded denoiser (thesis chapter 5): one transformer over the tokens of all people and frames at once.

Who a token belongs to is told by a learned encoding of the person's slot. Slots are drawn anew for every scene in
training, so people are exchangeable, and three or four can be sampled by a network that has seen two.
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor, nn

from models.motion.condition import Condition
from models.motion.denoisers.layers import AdaptiveNorm, Attention, Patches, Sizes, Told, perceptron


class IdentityConfig(Sizes):
    """Sizes of the network."""

    name: Literal["identity"] = "identity"
    most_people: int = Field(default=4, ge=1)

    @property
    def people(self) -> tuple[int, ...]:
        """Numbers of people in a scene that it can do."""
        return tuple(range(1, self.most_people + 1))


class _Block(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norms = nn.ModuleList([AdaptiveNorm(width), AdaptiveNorm(width)])
        self.attention, self.perceptron = Attention(width, heads), perceptron(width)

    def forward(
        self,
        x: Float[Tensor, "batch person token width"],
        told: Float[Tensor, "batch person 6 width"],
        held: Bool[Tensor, "batch people_tokens"],
    ) -> Float[Tensor, "batch person token width"]:
        y, gate = self.norms[0](x, told[:, :, :3])
        y = y.flatten(1, 2)
        x = x + gate * self.attention(y, y, held).unflatten(1, x.shape[1:3])
        y, gate = self.norms[1](x, told[:, :, 3:])
        return x + gate * self.perceptron(y)


class IdentityDenoiser(nn.Module):
    """See the module; `models/motion/denoisers/__init__.py` says what goes in and comes out."""

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
        # What each person is told goes before their tokens, for all to look at.
        x = torch.cat([told[:, :, None], tokens], dim=2)
        held = torch.cat([held.any(-1, keepdim=True), held], dim=-1).flatten(1)
        modulation = self.modulation(told).unflatten(-1, (6, -1))
        for block in self.blocks:
            x = block(x, modulation, held)
        return self.patches.frames(x[:, :, 1:], mask)
