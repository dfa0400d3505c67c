"""The noise schedule that motion models are trained with: cosine, 1,000 steps (Nichol and Dhariwal 2021). Torch alone.

Samplers take the same schedule from diffusers (`models/motion_sampling.py`); a test shows both equal.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

STEPS = 1000


def alphas_cumprod() -> Float[Tensor, "1000"]:
    """Share of the clean signal's power left after each step."""

    def left(t: float) -> float:
        return math.cos((t + 0.008) / 1.008 * math.pi / 2.0) ** 2

    betas = [min(1.0 - left((i + 1) / STEPS) / left(i / STEPS), 0.999) for i in range(STEPS)]
    return torch.cumprod(1.0 - torch.tensor(betas, dtype=torch.float32), dim=0)


def noised(
    clean: Float[Tensor, "batch *rest"], noise: Float[Tensor, "batch *rest"], step: Int[Tensor, "batch"]
) -> Float[Tensor, "batch *rest"]:
    """q(x_t | x_0), thesis eq. 3.9: sqrt(a_t) x_0 + sqrt(1 - a_t) noise."""
    a = alphas_cumprod().to(clean.device)[step].reshape(-1, *[1] * (clean.ndim - 1))
    return a.sqrt() * clean + (1.0 - a).sqrt() * noise
