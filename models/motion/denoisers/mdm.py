"""MDM's denoiser (Tevet et al.

2023), a baseline for one person: a plain transformer encoder, caption and step as its first token.
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from models.motion.condition import Condition
from models.motion.denoisers.layers import Attention, ConditionEmbedding, PatchEmbedding, Sizes, mlp
from models.motion.features import FEATURES


class MdmConfig(Sizes):
    """Sizes of the network."""

    name: Literal["mdm"] = "mdm"

    @property
    def people(self) -> tuple[int, ...]:
        """Return the numbers of people in a scene that it can do."""
        return (1,)


class _Layer(nn.Module):
    """Of an encoder as in Vaswani et al. 2017: norms come after what is added."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.attention, self.mlp = Attention(width, heads), mlp(width)
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])

    def forward(self, x: Float[Tensor, "batch token width"], token_mask: Bool[Tensor, "batch token"]) -> Tensor:
        x = self.norms[0](x + self.attention(x, x, token_mask))
        return self.norms[1](x + self.mlp(x))


class MdmDenoiser(nn.Module):
    """See the module; for scenes of one person, an assertion fails for others."""

    def __init__(self, config: MdmConfig, features: int = FEATURES, planned: bool = False):
        super().__init__()
        self.config = config
        self.patches, self.condition_embedding = PatchEmbedding(config, features, planned), ConditionEmbedding(config)
        self.layers = nn.ModuleList([_Layer(config.width, config.heads) for _ in range(config.layers)])

    def forward(
        self,
        x_t: Float[Tensor, "batch person time n"],
        step: Int[Tensor, "batch"],
        condition: Condition,
        mask: Bool[Tensor, "batch person time"],
    ) -> Float[Tensor, "batch person time n"]:
        """Predict clean features from noisy ones."""
        assert x_t.shape[1] == 1, f"mdm is for one person, got {x_t.shape[1]}"
        tokens, token_mask = self.patches.patchify(x_t, condition, mask)
        x = torch.cat([self.condition_embedding(step, condition), tokens[:, 0]], dim=1)
        token_mask = torch.cat([torch.ones_like(token_mask[:, 0, :1]), token_mask[:, 0]], dim=1)
        for layer in self.layers:
            x = layer(x, token_mask)
        return self.patches.unpatchify(x[:, None, 1:], x_t, mask)
