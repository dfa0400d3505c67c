"""Ponimator's pose animator (Liu et al. 2025), of two people there, here of one to five: motion around one pose of
everybody.

A diffusion transformer (Peebles and Xie 2023): in every block people attend to each other at each time, then each
person to their own times. What the last layer says, zero before it has learned, is added to the interactive pose: an
untrained network answers a motion that stands still in it. The pose, the diffusion step and, which the paper names as
missing, the caption come by adaptive norm; tokens know how long before or after the pose they are. Who somebody is, is
told by their pose: people exchanged together with their poses are exchanged.
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor, nn

from models.motion.condition import Condition
from models.motion.denoisers.layers import (
    AdaptiveNorm,
    Attention,
    ConditionEmbedding,
    PatchEmbedding,
    Sizes,
    mlp,
    sinusoid,
)
from models.motion.features import FEATURES


class PonimatorConfig(Sizes):
    """Sizes of the network; five layers hold about as many weights as seven of `identity`."""

    name: Literal["ponimator"] = "ponimator"
    layers: int = Field(default=5, ge=1)
    """Blocks, each of attention over people, attention over time, and a perceptron."""
    max_people: int = Field(default=5, ge=1, le=5)
    """As many people as a scene can have."""

    @property
    def people(self) -> tuple[int, ...]:
        """Return the numbers of people in a scene that it can do."""
        return tuple(range(1, self.max_people + 1))

    @property
    def told_pose(self) -> bool:
        """It makes motion around a pose, and none without."""
        return True


class _Block(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norms = nn.ModuleList([AdaptiveNorm(width) for _ in range(3)])
        self.spatial_attention, self.temporal_attention = Attention(width, heads), Attention(width, heads)
        self.mlp = mlp(width)

    def forward(
        self,
        x: Float[Tensor, "batch person token width"],
        modulation: Float[Tensor, "batch person 9 width"],
        token_mask: Bool[Tensor, "batch person token"],
    ) -> Float[Tensor, "batch person token width"]:
        y, gate = self.norms[0](x, modulation[:, :, :3])
        together = self._among(self.spatial_attention, y.transpose(1, 2), token_mask.transpose(1, 2))
        x = x + gate * together.transpose(1, 2)
        y, gate = self.norms[1](x, modulation[:, :, 3:6])
        x = x + gate * self._among(self.temporal_attention, y, token_mask)
        y, gate = self.norms[2](x, modulation[:, :, 6:])
        return x + gate * self.mlp(y)

    @staticmethod
    def _among(
        attention: Attention,
        x: Float[Tensor, "batch row token width"],
        token_mask: Bool[Tensor, "batch row token"],
    ) -> Float[Tensor, "batch row token width"]:
        """Attention within each row; a row in which nobody is looks at itself, and at no number that is none."""
        row, seen = x.flatten(0, 1), token_mask.flatten(0, 1)
        return attention(row, row, seen | ~seen.any(-1, keepdim=True)).view_as(x)


class PonimatorDenoiser(nn.Module):
    """See the module; `models/motion/denoisers/__init__.py` says what goes in and comes out."""

    def __init__(self, config: PonimatorConfig, features: int = FEATURES, planned: bool = False):
        super().__init__()
        self.config = config
        width = config.width
        self.patches, self.condition_embedding = PatchEmbedding(config, features, planned), ConditionEmbedding(config)
        self.pose = nn.Linear(features, width)
        self.pose_condition = nn.Sequential(nn.SiLU(), nn.Linear(width, width))
        self.since = nn.Linear(width, width)
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 9 * width))
        self.blocks = nn.ModuleList([_Block(width, config.heads) for _ in range(config.layers)])

    def forward(
        self,
        x_t: Float[Tensor, "batch person time n"],
        step: Int[Tensor, "batch"],
        condition: Condition,
        mask: Bool[Tensor, "batch person time"],
    ) -> Float[Tensor, "batch person time n"]:
        """Predict clean features from noisy ones."""
        assert condition.pose is not None and condition.pose_frame is not None, "motion is made around a pose"
        pose = self.pose(condition.pose)
        embedded = self.condition_embedding(step, condition) + self.pose_condition(pose)
        modulation = self.modulation(embedded).unflatten(-1, (9, -1))
        tokens, token_mask = self.patches.patchify(x_t, condition, mask)
        places = torch.arange(tokens.shape[2], device=mask.device) * self.config.patch
        since = sinusoid((places - condition.pose_frame[:, None]).float(), self.config.width)
        x = tokens + pose[:, :, None] + self.since(since.to(tokens))[:, None]
        for block in self.blocks:
            x = block(x, modulation, token_mask)
        around = condition.pose[:, :, None]
        return self.patches.unpatchify(x, x_t - around, mask) + around * mask[..., None]
