"""The noise schedule that motion models are trained with: cosine, 1,000 steps (Nichol and Dhariwal 2021). Torch alone.

Samplers take the same schedule from diffusers (`models/motion/schedulers.py`); a test shows both equal.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

TRAIN_TIMESTEPS = 1000


def alphas_cumprod() -> Float[Tensor, "1000"]:
    """Return the share of the clean signal's power left after each step."""

    def left(t: float) -> float:
        return math.cos((t + 0.008) / 1.008 * math.pi / 2.0) ** 2

    betas = [
        min(1.0 - left((i + 1) / TRAIN_TIMESTEPS) / left(i / TRAIN_TIMESTEPS), 0.999) for i in range(TRAIN_TIMESTEPS)
    ]
    return torch.cumprod(1.0 - torch.tensor(betas, dtype=torch.float32), dim=0)


def add_noise(
    clean: Float[Tensor, "batch *rest"], noise: Float[Tensor, "batch *rest"], step: Int[Tensor, "batch"]
) -> Float[Tensor, "batch *rest"]:
    """Draw from q(x_t | x_0), thesis eq. 3.9: sqrt(a_t) x_0 + sqrt(1 - a_t) noise."""
    a = alphas_cumprod().to(clean.device)[step].reshape(-1, *[1] * (clean.ndim - 1))
    return a.sqrt() * clean + (1.0 - a).sqrt() * noise


def sample_timesteps(
    count: int, high_noise_fraction: float, shift: float, generator: torch.Generator
) -> Int[Tensor, "{count}"]:
    """Draw steps to train at: evenly over all, but for the share `high_noise_fraction`, whose ratio of noise to
    signal is `shift` times as large.

    A motion is tens of thousands of numbers that say much the same, so that which way somebody falls shows through
    nearly all noise: drawn evenly, one step in a hundred is noisy enough to need the caption for it, and what is
    sampled hardly heeds it. Images of high resolution need a schedule shifted by their resolution for the same reason
    (Hoogeboom et al. 2023, "Simple diffusion").
    """
    angle = torch.rand(count, generator=generator) * (math.pi / 2.0)
    shifted = torch.rand(count, generator=generator) < high_noise_fraction
    angle = torch.where(shifted, torch.atan(shift * angle.tan()), angle)
    return (angle * (2.0 * TRAIN_TIMESTEPS / math.pi)).long().clamp(0, TRAIN_TIMESTEPS - 1)


def inference_timesteps(count: int, shift: float) -> list[int]:
    """List the steps to sample at, from pure noise down: evenly spread, then shifted as `sample_timesteps` does,
    none twice.

    What a motion is, is settled while there is still next to no signal: steps spread evenly pass over that in one.
    """
    steps = [TRAIN_TIMESTEPS - 1]
    for number in range(1, count):
        angle = math.atan(shift * math.tan((1.0 - (number + 0.5) / count) * math.pi / 2.0))
        steps.append(max(0, min(steps[-1] - 1, round(angle * 2.0 * TRAIN_TIMESTEPS / math.pi))))
    return steps
