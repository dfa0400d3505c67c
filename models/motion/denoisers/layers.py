"""What the denoisers share, so that they differ by their architecture alone: patches, their refinement, embeddings,
attention, adaptive norm."""

import math

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from models.config import Config
from models.motion.condition import Condition
from models.motion.dataset import ROLES
from models.motion.denoisers.plan_embedding import PlanEmbedding

REFINEMENT_WIDTH = 128
"""Numbers of a frame, or of a moment of a plan, that are mixed with its neighbours'."""
KERNEL_SIZE = 5
"""Frames, or moments, that are mixed, of which it is the middle one."""


class Sizes(Config):
    """Sizes that every denoiser has."""

    width: int = Field(default=256, ge=8)
    """Numbers of a token; a multiple of twice the heads."""
    layers: int = Field(default=7, ge=1)
    """Transformer blocks, one after the other."""
    heads: int = Field(default=8, ge=1)
    """Attention heads of a block."""
    patch: int = Field(default=4, ge=1, le=8)
    """Frames of one person in a token: fewer cost time, more blur contacts."""
    text: int = Field(default=384, ge=1)
    """Numbers of a caption's embedding, as the text network gives them."""

    @property
    def told_pose(self) -> bool:
        """Whether it makes motion around a pose, and none without."""
        return False

    @model_validator(mode="after")
    def _divisible(self) -> "Sizes":
        if self.width % (2 * self.heads):
            raise ValueError(f"width ({self.width}) must be a multiple of twice heads ({self.heads})")
        return self


def sinusoid(places: Float[Tensor, "*batch"], width: int) -> Float[Tensor, "*batch width"]:
    """Return sines and cosines of places, wavelengths from 2 pi to 10,000 times that (Vaswani et al. 2017)."""
    rates = torch.exp(torch.arange(width // 2, device=places.device) * (-math.log(10_000.0) / (width // 2)))
    angle = places[..., None] * rates
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


class PatchEmbedding(nn.Module):
    """Frames of each person, so many numbers each, to tokens and back; who they are, when, and what they are to do
    where they are `planned`, is added to each token."""

    def __init__(self, sizes: Sizes, features: int, planned: bool):
        super().__init__()
        self.sizes = sizes
        self.proj_in = nn.Linear(sizes.patch * features, sizes.width)
        self.bones = nn.Linear(21, sizes.width)
        self.roles = nn.Embedding(len(ROLES) + 1, sizes.width)
        self.norm_out = nn.LayerNorm(sizes.width)
        self.proj_out = nn.Linear(sizes.width, sizes.patch * features)
        self.plan = PlanEmbedding(sizes.width) if planned else None
        self.refinement = Refinement(features)
        nn.init.zeros_(self.proj_out.weight)
        nn.init.zeros_(self.proj_out.bias)
        nn.init.normal_(self.roles.weight, std=0.02)

    def patchify(
        self, x: Float[Tensor, "batch person time n"], condition: Condition, mask: Bool[Tensor, "batch person time"]
    ) -> tuple[Float[Tensor, "batch person token width"], Bool[Tensor, "batch person token"]]:
        """Make tokens of frames; the mask says which of them hold a frame."""
        patch = self.sizes.patch
        short = -x.shape[2] % patch
        x = F.pad(x * mask[..., None], (0, 0, 0, short)).unflatten(2, (-1, patch)).flatten(-2)
        token_mask = F.pad(mask, (0, short)).unflatten(2, (-1, patch)).any(-1)
        places = torch.arange(x.shape[2], device=x.device, dtype=torch.float32) * patch
        # Bones are around 0.3 m and differ by centimetres.
        person = self.bones((condition.bones - 0.25) * 10.0) + self.roles(condition.roles + 1)
        tokens = self.proj_in(x) + sinusoid(places, self.sizes.width).to(x) + person[:, :, None]
        if self.plan is not None:
            assert condition.plan is not None, "a network that is told a plan needs one"
            tokens = tokens + self.plan(condition.plan[:, :, ::patch], mask[:, :, ::patch])
        return tokens, token_mask

    def unpatchify(
        self,
        tokens: Float[Tensor, "batch person token width"],
        x_t: Float[Tensor, "batch person time n"],
        mask: Bool[Tensor, "batch person time"],
    ) -> Float[Tensor, "batch person time n"]:
        """Make features of tokens, refined from what was noisy; zero where nobody is."""
        x = self.proj_out(self.norm_out(tokens)).unflatten(-1, (self.sizes.patch, -1)).flatten(2, 3)
        x = x[:, :, : mask.shape[2]] * mask[..., None]
        return (x + self.refinement(x_t, x, mask)) * mask[..., None]


class Refinement(nn.Module):
    """What corrects the frames that tokens are unpacked to, from the noisy and the predicted ones near by.

    Tokens are narrower than their frames, and none knows what its neighbours come to, so that by themselves frames
    tremble from one to the next. TIMotion's localized pattern amplification (seeds/timotion_supplement.txt) does among
    tokens what this does among frames.
    """

    def __init__(self, features: int):
        super().__init__()
        self.proj_in = nn.Linear(2 * features, REFINEMENT_WIDTH)
        self.mixing = nn.ModuleList([nn.Linear(KERNEL_SIZE * REFINEMENT_WIDTH, REFINEMENT_WIDTH) for _ in range(2)])
        self.proj_out = nn.Linear(REFINEMENT_WIDTH, features)
        nn.init.zeros_(self.proj_out.weight)
        nn.init.zeros_(self.proj_out.bias)

    def forward(
        self,
        x_t: Float[Tensor, "batch person time n"],
        predicted: Float[Tensor, "batch person time n"],
        mask: Bool[Tensor, "batch person time"],
    ) -> Float[Tensor, "batch person time n"]:
        """Return what to add to a prediction: of every frame by itself and its neighbours, each person's by
        themselves; frames that are not there count for nothing."""
        x = self.proj_in(torch.cat([x_t.to(predicted), predicted], dim=-1))
        for mixing in self.mixing:
            # A convolution; as a product of matrices it takes a fifth less time on processors.
            padded = F.pad(F.silu(x) * mask[..., None], (0, 0, KERNEL_SIZE // 2, KERNEL_SIZE // 2))
            x = x + mixing(torch.cat([padded[:, :, at : at + x.shape[2]] for at in range(KERNEL_SIZE)], dim=-1))
        return self.proj_out(F.silu(x))


class ConditionEmbedding(nn.Module):
    """Caption, role and diffusion step as one vector a person; a learned vector stands for a caption that is left out.

    What a caption asks of a carer and of a resident are different things, so both go through one network together.
    """

    def __init__(self, sizes: Sizes):
        super().__init__()
        width = sizes.width
        self.width = width
        self.text, self.role = nn.Linear(sizes.text, width), nn.Embedding(len(ROLES) + 1, width)
        self.caption = nn.Sequential(nn.SiLU(), nn.Linear(width, width))
        self.null_caption = nn.Parameter(torch.randn(width) * 0.02)
        self.step = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        nn.init.normal_(self.role.weight, std=0.3)

    def forward(self, step: Int[Tensor, "batch"], condition: Condition) -> Float[Tensor, "batch person width"]:
        """Add the embeddings of caption and step."""
        # Sentence embeddings have unit length: their numbers are small.
        text = self.text(condition.text * condition.text.shape[-1] ** 0.5)
        caption = self.caption(text[:, None] + self.role(condition.roles + 1))
        caption = torch.where(condition.text_dropped[:, None, None], self.null_caption.to(caption), caption)
        return caption + self.step(sinusoid(step.float(), self.width).to(caption))[:, None]


class Attention(nn.Module):
    """Multi-head attention of `x` to `y`; tokens outside the mask are not looked at."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.query, self.key_value = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.proj_out = nn.Linear(width, width)

    def forward(
        self,
        x: Float[Tensor, "batch query width"],
        y: Float[Tensor, "batch key width"],
        token_mask: Bool[Tensor, "batch key"],
    ) -> Float[Tensor, "batch query width"]:
        """Attend; one head after the other is split off the width."""
        query = self.query(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        key, value = self.key_value(y).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.proj_out(attend(query, key, value, token_mask))


def attend(
    query: Float[Tensor, "batch heads query dim"],
    key: Float[Tensor, "batch heads key dim"],
    value: Float[Tensor, "batch heads key dim"],
    token_mask: Bool[Tensor, "batch key"],
) -> Float[Tensor, "batch query width"]:
    """Return what each query finds among the keys inside the mask, heads one after the other."""
    seen = token_mask[:, None, None]
    if query.device.type == "cpu" and torch.is_grad_enabled():
        # Torch's kernel for processors is four times as slow to learn with in bfloat16 as in float32.
        with torch.autocast("cpu", enabled=False):
            attended = F.scaled_dot_product_attention(query.float(), key.float(), value.float(), attn_mask=seen)
    else:
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=seen)
    return attended.transpose(1, 2).flatten(-2)


def mlp(width: int) -> nn.Sequential:
    """Build a perceptron of two layers, four times as wide inside."""
    return nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))


class AdaptiveNorm(nn.Module):
    """Layer norm without weights of its own; shift, scale and gate come from the condition (Peebles and Xie 2023).

    The map from the condition's embedding is one for the whole network; every place adds numbers of its own (Chen et
    al. 2023, PixArt).
    """

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.offset = nn.Parameter(torch.zeros(3, width))
        with torch.no_grad():
            self.offset[2] = 0.5

    def forward(
        self, x: Float[Tensor, "*batch token width"], modulation: Float[Tensor, "*batch 3 width"]
    ) -> tuple[Float[Tensor, "*batch token width"], Float[Tensor, "*batch 1 width"]]:
        """Normalise tokens; with them comes what the branch's outcome is to be multiplied with."""
        shift, scale, gate = (modulation + self.offset)[..., None, :].unbind(-3)
        return self.norm(x) * (1.0 + scale) + shift, gate
