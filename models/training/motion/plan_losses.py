"""What the network of plans learns by: plans of the corpus' scenes, found again in noise. Torch alone."""

from collections.abc import Callable

import torch
from pydantic import Field
from torch import Tensor

from models.config import Config
from models.motion.condition import Embed, condition_of
from models.motion.dataset import MotionBatch, draw_identity_ids
from models.motion.denoisers import DenoiserConfig
from models.motion.denoisers.identity import IdentityConfig
from models.motion.noise_schedule import TRAIN_TIMESTEPS, add_noise, sample_timesteps
from models.motion.plan import normalise, plan_of


class PlanTrainConfig(Config):
    """How the network of plans is trained, at every step beside that of bodies."""

    denoiser: DenoiserConfig = IdentityConfig(width=128, layers=5, heads=4, patch=2)
    """Which network, and its sizes; a token holds `patch` moments, a fifth of a second each."""
    batch_size: int = Field(default=64, ge=1)
    """Scenes of a step: plans are small, and need more of them than bodies do."""
    text_dropout: float = Field(default=0.1, ge=0.0, le=1.0)
    """Share of captions withheld, for classifier-free guidance."""
    high_noise_fraction: float = Field(default=0.2, ge=0.0, le=1.0)
    """Share of diffusion steps that are noisier than evenly drawn ones (`models.motion.noise_schedule`)."""
    timestep_shift: float = Field(default=8.0, ge=1.0)
    """How many times as noisy those are: far less than bodies need, since a plan says everything once."""
    beside: float = Field(default=1.0, ge=0.0)
    """Weight of squared errors, in square metres, of the path over the floor from everyone to everyone else."""
    velocity: float = Field(default=0.5, ge=0.0)
    """Weight of squared errors of changes from moment to moment, in standard deviations."""


def plan_losses(
    config: PlanTrainConfig,
    denoise: Callable[..., Tensor],
    batch: MotionBatch,
    embed: Embed,
    generator: torch.Generator,
    training: bool,
) -> dict[str, Tensor]:
    """Return each loss of one batch of scenes at the moments of a plan; held out, steps are drawn evenly."""
    device, count = batch.features.device, len(batch.texts)
    share = config.high_noise_fraction if training else 0.0
    step = sample_timesteps(count, share, config.timestep_shift, generator).to(device)
    clean = normalise(plan_of(batch.features, batch.mask)) * batch.mask[..., None]
    noise = torch.randn(clean.shape, generator=generator).to(device)
    text_dropped = (torch.rand(count, generator=generator) < (config.text_dropout if training else 0.0)).to(device)
    identity_ids = draw_identity_ids(batch, max(config.denoiser.people), generator).to(device)
    condition = condition_of(batch, embed, identity_ids, text_dropped)
    predicted = denoise(add_noise(clean, noise, step), step, condition, batch.mask)
    found = _weighted(config, predicted - clean, batch.mask)
    if not training:
        last = torch.full_like(step, TRAIN_TIMESTEPS - 1)
        guessed = denoise(add_noise(clean, noise, last), last, condition, batch.mask)
        found["plan_from_text"] = _mean((guessed - clean).square().mean(-1), batch.mask)
    return found


def _weighted(config: PlanTrainConfig, off: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """Losses of what a prediction is off by, as the network sees plans."""
    steady = mask[:, :, 1:] & mask[:, :, :-1]
    found = {
        "plan": _mean(off.square().mean(-1), mask),
        "plan_velocity": config.velocity * _mean((off[:, :, 1:] - off[:, :, :-1]).square().mean(-1), steady),
    }
    beside, pairs = off.new_zeros(()), 0
    for a in range(mask.shape[1]):
        for b in range(a + 1, mask.shape[1]):
            # Both horizontal standard deviations are one metre.
            beside = beside + _mean((off[:, b, :, :2] - off[:, a, :, :2]).square().sum(-1), mask[:, a] & mask[:, b])
            pairs += 1
    return found | ({"plan_beside": config.beside * beside / pairs} if pairs else {})


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum() / mask.sum().clamp(min=1)
