"""What chance decides for a batch in a step of training: how noisy each scene is, which captions are withheld, who is
given which identity."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from models.motion.dataset import MotionBatch, draw_identity_ids
from models.motion.denoisers import DenoiserConfig
from models.motion.noise_schedule import sample_timesteps


@runtime_checkable
class Chances(Protocol):
    """What a network is trained with: that of bodies, or that of plans."""

    @property
    def denoiser(self) -> DenoiserConfig:
        """Return the network's config."""
        ...

    @property
    def text_dropout(self) -> float:
        """Return the share of captions withheld."""
        ...

    @property
    def high_noise_fraction(self) -> float:
        """Return the share of steps that are noisier than evenly drawn ones."""
        ...

    @property
    def timestep_shift(self) -> float:
        """Return how many times as noisy those are."""
        ...


@dataclass(frozen=True)
class Draws:
    """Of one batch."""

    step: Int[Tensor, "batch"]
    noise: Float[Tensor, "batch person time n"]
    text_dropped: Bool[Tensor, "batch"]
    identity_ids: Int[Tensor, "batch person"]


def draw(chances: Chances, batch: MotionBatch, features: int, generator: torch.Generator, training: bool) -> Draws:
    """Draw for scenes of so many numbers a person and frame; held out, steps evenly, and no caption is withheld.

    The generator is on the CPU, so that every device draws the same.
    """
    device, count = batch.features.device, len(batch.texts)
    fraction, dropout = (chances.high_noise_fraction, chances.text_dropout) if training else (0.0, 0.0)
    return Draws(
        sample_timesteps(count, fraction, chances.timestep_shift, generator).to(device),
        torch.randn((*batch.mask.shape, features), generator=generator).to(device),
        (torch.rand(count, generator=generator) < dropout).to(device),
        draw_identity_ids(batch, max(chances.denoiser.people), generator).to(device),
    )
