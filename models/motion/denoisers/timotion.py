"""TIMotion's denoiser (Wang et al. 2025), of two people there, here of one to five.

Causal interactive injection: tokens of all people are one sequence, time by time. Role-evolving scanning: it is scanned
in every cyclic order of the people, outcomes joined per person. Localised pattern amplification: beside it each
person's own tokens are convolved over time, and both are fused. What goes through the sequence is a mixer: self
attention, Mamba's selective scan or RWKV's linear attention. The last two are causal; every second block scans
backwards in time, for what comes later says much of what is now (as Alkin et al. 2024 scan pictures).

Whose token it is, is told as `identity` tells it: by an embedding of identities that are drawn anew for every scene.
Otherwise two at the same place would be one to self attention, whatever the order.
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor, nn

from models.motion.condition import Condition
from models.motion.denoisers.layers import AdaptiveNorm, ConditionEmbedding, PatchEmbedding, Sizes, mlp
from models.motion.denoisers.linear_attention import LinearAttention
from models.motion.denoisers.role_scans import RoleScans, role_scans
from models.motion.denoisers.rotary_attention import RotaryAttention
from models.motion.denoisers.selective_scan import SelectiveScan
from models.motion.features import FEATURES

MIXERS = {"transformer": RotaryAttention, "mamba": SelectiveScan, "rwkv": LinearAttention}


class TimotionConfig(Sizes):
    """Sizes of the network; five layers hold about as many weights as seven of `identity`, with every mixer."""

    name: Literal["timotion"] = "timotion"
    layers: int = Field(default=5, ge=1)
    """Blocks, each of a mixer, a convolution and a perceptron."""
    mixer: Literal["transformer", "mamba", "rwkv"] = "transformer"
    """What people and frames meet in; memory of `mamba` and `rwkv` grows linearly with the length of a motion."""
    max_people: int = Field(default=5, ge=1, le=5)
    """Identities that there are: as many people as a scene can have."""

    @property
    def people(self) -> tuple[int, ...]:
        """Return the numbers of people in a scene that it can do."""
        return tuple(range(1, self.max_people + 1))


class LocalPatterns(nn.Module):
    """Localised pattern amplification: each person's tokens convolved with their neighbours in time."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.convolution = nn.Conv1d(width, width, 3, padding=1, groups=heads)
        self.proj_out = nn.Linear(width, width)

    def forward(
        self, x: Float[Tensor, "batch person token width"], token_mask: Bool[Tensor, "batch person token"]
    ) -> Float[Tensor, "batch person token width"]:
        """Convolve; what is not there counts as zero."""
        there = (x * token_mask[..., None]).flatten(0, 1).transpose(1, 2)
        return self.proj_out(nn.functional.gelu(self.convolution(there).transpose(1, 2))).view_as(x)


class _Block(nn.Module):
    def __init__(self, config: TimotionConfig):
        super().__init__()
        width = config.width
        self.norms = nn.ModuleList([AdaptiveNorm(width), AdaptiveNorm(width)])
        self.mixer = MIXERS[config.mixer](width, config.heads)
        self.local, self.fusion = LocalPatterns(width, config.heads), nn.Linear(2 * width, width)
        self.mlp = mlp(width)

    def forward(
        self,
        x: Float[Tensor, "batch person token width"],
        modulation: Float[Tensor, "batch person 6 width"],
        token_mask: Bool[Tensor, "batch person token"],
        scans: RoleScans,
    ) -> Float[Tensor, "batch person token width"]:
        y, gate = self.norms[0](x, modulation[:, :, :3])
        mixed = self.mixer(y.flatten(1, 2), scans).unflatten(1, x.shape[1:3])
        x = x + gate * self.fusion(torch.cat([mixed, self.local(y, token_mask)], dim=-1))
        y, gate = self.norms[1](x, modulation[:, :, 3:])
        return x + gate * self.mlp(y)


class TimotionDenoiser(nn.Module):
    """See the module; `models/motion/denoisers/__init__.py` says what goes in and comes out."""

    def __init__(self, config: TimotionConfig, features: int = FEATURES, planned: bool = False):
        super().__init__()
        self.config = config
        self.patches, self.condition_embedding = PatchEmbedding(config, features, planned), ConditionEmbedding(config)
        self.identity = nn.Embedding(config.max_people, config.width)
        nn.init.normal_(self.identity.weight, std=0.5)
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(config.width, 6 * config.width))
        self.blocks = nn.ModuleList([_Block(config) for _ in range(config.layers)])

    def forward(
        self,
        x_t: Float[Tensor, "batch person time n"],
        step: Int[Tensor, "batch"],
        condition: Condition,
        mask: Bool[Tensor, "batch person time"],
    ) -> Float[Tensor, "batch person time n"]:
        """Predict clean features from noisy ones."""
        modulation = self.modulation(self.condition_embedding(step, condition)).unflatten(-1, (6, -1))
        tokens, token_mask = self.patches.patchify(x_t, condition, mask)
        x = tokens + self.identity(condition.identity_ids)[:, :, None]
        scans = role_scans(token_mask, condition.identity_ids)
        for number, block in enumerate(self.blocks):
            x = block(x, modulation, token_mask, scans[number % 2])
        return self.patches.unpatchify(x, x_t, mask)
