"""Identity-encoded denoiser (thesis chapter 5): one transformer over the tokens of all people and frames at once.

Who a token belongs to is told by a learned embedding of the person's identity. Identities are drawn anew for every
scene in training, so people are exchangeable, and three or four can be sampled by a network that has seen two.
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from models.config import renamed
from models.motion.condition import Condition
from models.motion.denoisers.layers import AdaptiveNorm, Attention, ConditionEmbedding, PatchEmbedding, Sizes, mlp
from models.motion.features import FEATURES


class IdentityConfig(Sizes):
    """Sizes of the network."""

    name: Literal["identity"] = "identity"
    max_people: int = renamed("most_people", "max_people", 4, ge=1)
    """Identities that there are: as many people as a scene can have."""

    @property
    def people(self) -> tuple[int, ...]:
        """Return the numbers of people in a scene that it can do."""
        return tuple(range(1, self.max_people + 1))


class _Block(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norms = nn.ModuleList([AdaptiveNorm(width), AdaptiveNorm(width)])
        self.attention, self.mlp = Attention(width, heads), mlp(width)

    def forward(
        self,
        x: Float[Tensor, "batch person token width"],
        modulation: Float[Tensor, "batch person 6 width"],
        token_mask: Bool[Tensor, "batch people_tokens"],
    ) -> Float[Tensor, "batch person token width"]:
        y, gate = self.norms[0](x, modulation[:, :, :3])
        y = y.flatten(1, 2)
        x = x + gate * self.attention(y, y, token_mask).unflatten(1, x.shape[1:3])
        y, gate = self.norms[1](x, modulation[:, :, 3:])
        return x + gate * self.mlp(y)


class IdentityDenoiser(nn.Module):
    """See the module; `models/motion/denoisers/__init__.py` says what goes in and comes out."""

    def __init__(self, config: IdentityConfig, features: int = FEATURES, planned: bool = False):
        super().__init__()
        self.config = config
        self.patches, self.condition_embedding = PatchEmbedding(config, features, planned), ConditionEmbedding(config)
        self.identity = nn.Embedding(config.max_people, config.width)
        nn.init.normal_(self.identity.weight, std=0.5)
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(config.width, 6 * config.width))
        self.blocks = nn.ModuleList([_Block(config.width, config.heads) for _ in range(config.layers)])

    def forward(
        self,
        x_t: Float[Tensor, "batch person time n"],
        step: Int[Tensor, "batch"],
        condition: Condition,
        mask: Bool[Tensor, "batch person time"],
    ) -> Float[Tensor, "batch person time n"]:
        """Predict clean features from noisy ones."""
        embedded = self.condition_embedding(step, condition)
        tokens, token_mask = self.patches.patchify(x_t, condition, mask)
        tokens = tokens + self.identity(condition.identity_ids)[:, :, None]
        # Each person's condition goes before their tokens, for all to look at.
        x = torch.cat([embedded[:, :, None], tokens], dim=2)
        token_mask = torch.cat([token_mask.any(-1, keepdim=True), token_mask], dim=-1).flatten(1)
        modulation = self.modulation(embedded).unflatten(-1, (6, -1))
        for block in self.blocks:
            x = block(x, modulation, token_mask)
        return self.patches.unpatchify(x[:, :, 1:], x_t, mask)
