"""A space in which motions and their captions meet: what generated motion is judged by (DESIGN §5, metrics).

Motion: patches of 4 frames of one person are tokens, with their time, the person's number and role; one transformer
over all people; a summary token's output, of unit length. Text: a small network on the caption's encoding
(`models/text/encoder.py`), of unit length. Trained so that a motion is nearer to its caption than to captions of other
meanings (InfoNCE, van den Oord et al. 2018; Radford et al. 2021).
"""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize, pad

from models.config import Config, renamed
from models.corpus.reader import Row
from models.errors import InputError
from models.motion.dataset import ROLES
from models.motion.features import FEATURES, LAYOUT, Normaliser
from models.networks import STARTERS, load_network

PATCH = 4
"""Frames of a token."""
STARTER = STARTERS / "motion_evaluator"
_SAYS = ("composition", "kind", "cause", "direction", "side", "recovered", "after")
"""Details that make two captions mean different things."""
_LABEL = re.compile(r"^(a person: |playground - )")


class MotionEvaluatorConfig(Config):
    """Sizes, and what the network was made for."""

    width: int = Field(default=160, ge=8)
    layers: int = Field(default=4, ge=1)
    heads: int = Field(default=4, ge=1)
    dims: int = Field(default=64, ge=2, le=64)
    """Of the shared space; few, since covariances of some hundred motions are taken in it."""
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    max_people: int = renamed("most_people", "max_people", 2, ge=1)
    """Larger scenes are not judged."""
    max_frames: int = renamed("most_frames", "max_frames", 160, ge=PATCH)
    """Longer items are cut; 8 s hold a fall and what comes after."""
    text_dim: int
    """Numbers of a caption's encoding."""
    text_encoder_digest: str = renamed("text_digest", "text_encoder_digest")
    """Of the text encoder (`TextEncoder.digest`)."""
    layout: str = LAYOUT


class MotionEvaluator(nn.Module):
    """Motions and encoded captions to one space."""

    renamed_keys: ClassVar[dict[str, str]] = {
        "normaliser.spread": "normaliser.std",
        "text_spread": "text_std",
        "slot": "identity",
    }
    """As `models.networks.current_keys` reads them."""

    text_mean: Tensor
    text_std: Tensor

    def __init__(self, config: MotionEvaluatorConfig):
        super().__init__()
        self.config, width = config, config.width
        self.normaliser = Normaliser()
        self.patch = nn.Linear(PATCH * FEATURES, width)
        self.identity = nn.Embedding(config.max_people, width)
        self.role = nn.Embedding(len(ROLES), width)
        self.summary = nn.Parameter(0.02 * torch.randn(width))
        layer = nn.TransformerEncoderLayer(
            width, config.heads, 2 * width, config.dropout, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, config.dims))
        self.register_buffer("text_mean", torch.zeros(config.text_dim))
        self.register_buffer("text_std", torch.ones(config.text_dim))
        self.text = nn.Sequential(
            nn.Dropout(config.dropout),
            nn.Linear(config.text_dim, width),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Linear(width, config.dims),
        )
        self.log_scale = nn.Parameter(torch.tensor(math.log(14.0)))

    def motions(
        self,
        features: Float[Tensor, "batch person time 268"],
        mask: Bool[Tensor, "batch person time"],
        roles: Int[Tensor, "batch person"],
    ) -> Float[Tensor, "batch dims"]:
        """Embed scenes as unit vectors, in their canonical frames, not normalised; frames and people outside the
        mask do not count."""
        batch, people, time = mask.shape
        rows = self.normaliser(features) * mask[..., None]
        short = -time % PATCH
        tokens = pad(rows, (0, 0, 0, short)).unflatten(2, (-1, PATCH)).flatten(-2)
        token_mask = pad(mask, (0, short)).unflatten(2, (-1, PATCH)).any(-1)
        identities = self.identity(torch.arange(people, device=mask.device))
        x = (
            self.patch(tokens)
            + (identities + self.role(roles.clamp(min=0)))[:, :, None]
            + _times(tokens, self.config.width)
        )
        x = torch.cat([self.summary.expand(batch, 1, -1), x.flatten(1, 2)], dim=1)
        empty = torch.cat([torch.zeros_like(mask[:, 0, :1]), ~token_mask.flatten(1)], dim=1)
        # Added to the scores of attention; a mask of truth values would be turned into this every time.
        hidden = torch.zeros_like(empty, dtype=x.dtype).masked_fill(empty, -torch.inf)
        return normalize(self.head(self.layers(x, src_key_padding_mask=hidden)[:, 0]), dim=-1)

    def captions(self, encoded: Float[Tensor, "batch text"]) -> Float[Tensor, "batch dims"]:
        """Embed captions as unit vectors, as the text encoder gave them."""
        return normalize(self.text((encoded - self.text_mean) / self.text_std), dim=-1)

    def loss(
        self,
        motions: Float[Tensor, "batch dims"],
        captions: Float[Tensor, "batch dims"],
        same: Bool[Tensor, "batch batch"],
    ) -> Float[Tensor, ""]:
        """Compute symmetric InfoNCE; `same`: pairs whose captions mean the same, which do not stand against each
        other."""
        logits = self.log_scale.clamp(max=math.log(100.0)).exp() * motions @ captions.T
        own = torch.eye(len(same), dtype=torch.bool, device=same.device)
        logits = logits.masked_fill(same & ~own, -torch.inf)
        target = torch.arange(len(same), device=same.device)
        return (cross_entropy(logits, target) + cross_entropy(logits.T, target)) / 2.0


def _times(tokens: Float[Tensor, "batch person patch values"], width: int) -> Float[Tensor, "patch width"]:
    """Sines and cosines of the patch's number (Vaswani et al. 2017)."""
    rates = torch.exp(-math.log(1000.0) * torch.arange(width // 2, device=tokens.device) / (width // 2))
    angles = torch.arange(tokens.shape[2], device=tokens.device)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def load_motion_evaluator(folder: Path = STARTER) -> MotionEvaluator:
    """Load the evaluator of a folder, frozen; InputError where it is damaged, or made for features of another
    layout."""

    def build(values: dict[str, Any]) -> MotionEvaluator:
        config = MotionEvaluatorConfig.model_validate(values)
        if config.layout != LAYOUT:
            raise InputError(folder, f"was trained on {config.layout!r}, features are {LAYOUT!r}", "train it again")
        return MotionEvaluator(config)

    return load_network(folder, "motion evaluator", "train one with careclips train evaluator", build)


def meaning_of(row: Row) -> str:
    """Return what an item's captions say happens, as one string: its action, cause, direction and side, not its
    wording.

    Captured takes that begin with the same word ('walk', 'a person: walking') mean the same.
    """
    if description := row.details.get("description"):
        plain = _LABEL.sub("", description.strip().lower())
        said = plain if plain != description.strip().lower() or not plain.startswith(("a ", "two ")) else ""
        return f"{len(row.people)} captured: {said[:3] if said else plain}"
    facts = [f"{name} {row.details[name]}" for name in _SAYS if row.details.get(name) not in (None, "", False)]
    kind = "fall" if row.kind == "fall" else "no fall"
    return ", ".join([kind, *facts])


def same_meaning(meanings: Sequence[str]) -> Bool[Tensor, "n n"]:
    """Tell which meanings are equal."""
    numbers = {meaning: k for k, meaning in enumerate(dict.fromkeys(meanings))}
    known = torch.tensor([numbers[meaning] for meaning in meanings])
    return known[:, None] == known
