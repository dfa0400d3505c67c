"""What the network of plans learns by: plans of the corpus' scenes, found again in noise. Torch alone."""

from collections.abc import Callable

import torch
from pydantic import Field
from torch import Tensor

from models.config import Config
from models.motion.condition import Embed, condition_of
from models.motion.dataset import MotionBatch
from models.motion.denoisers import DenoiserConfig
from models.motion.denoisers.identity import IdentityConfig
from models.motion.noise_schedule import TRAIN_TIMESTEPS, add_noise
from models.motion.plan import PLAN_FEATURES, normalise, plan_of
from models.training.motion.draws import draw
from models.training.motion.losses import mean_where


class PlanTrainConfig(Config):
    """How the network of plans is trained, at every step beside that of bodies."""

    denoiser: DenoiserConfig = IdentityConfig(width=160, layers=5, heads=5, patch=2)
    """Which network, and its sizes; a token holds `patch` moments, a fifth of a second each."""
    batch_size: int = Field(default=64, ge=1)
    """Scenes of a step: plans are small, and need more of them than bodies do."""
    text_dropout: float = Field(default=0.1, ge=0.0, le=1.0)
    """Share of captions withheld, for classifier-free guidance."""
    high_noise_fraction: float = Field(default=0.3, ge=0.0, le=1.0)
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
    drawn = draw(config, batch, PLAN_FEATURES, generator, training)
    step, noise = drawn.step, drawn.noise
    clean = normalise(plan_of(batch.features, batch.mask)) * batch.mask[..., None]
    condition = condition_of(batch, embed, drawn.identity_ids, drawn.text_dropped)
    predicted = denoise(add_noise(clean, noise, step), step, condition, batch.mask)
    found = _weighted(config, predicted - clean, batch.mask)
    if not training:
        last = torch.full_like(step, TRAIN_TIMESTEPS - 1)
        guessed = denoise(add_noise(clean, noise, last), last, condition, batch.mask)
        found["plan_from_text"] = mean_where((guessed - clean).square().mean(-1), batch.mask)
    return found


def _weighted(config: PlanTrainConfig, off: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """Losses of what a prediction is off by, as the network sees plans."""
    steady = mask[:, :, 1:] & mask[:, :, :-1]
    found = {
        "plan": mean_where(off.square().mean(-1), mask),
        "plan_velocity": config.velocity * mean_where((off[:, :, 1:] - off[:, :, :-1]).square().mean(-1), steady),
    }
    beside, pairs = off.new_zeros(()), 0
    for a in range(mask.shape[1]):
        for b in range(a + 1, mask.shape[1]):
            # Both horizontal standard deviations are one metre.
            apart = (off[:, b, :, :2] - off[:, a, :, :2]).square().sum(-1)
            beside = beside + mean_where(apart, mask[:, a] & mask[:, b])
            pairs += 1
    return found | ({"plan_beside": config.beside * beside / pairs} if pairs else {})
