"""Our schedule is diffusers'."""

import torch
from diffusers import DDPMScheduler

from models.diffusion import STEPS, alphas_cumprod, noised


def test_schedule_and_noise_are_diffusers():
    theirs = DDPMScheduler(num_train_timesteps=STEPS, beta_schedule="squaredcos_cap_v2")
    torch.testing.assert_close(alphas_cumprod(), theirs.alphas_cumprod, atol=1e-6, rtol=1e-5)
    draw = torch.Generator().manual_seed(0)
    clean, noise = torch.randn(5, 2, 7, 3, generator=draw), torch.randn(5, 2, 7, 3, generator=draw)
    step = torch.tensor([0, 10, 500, 990, 999])
    torch.testing.assert_close(noised(clean, noise, step), theirs.add_noise(clean, noise, step), atol=1e-5, rtol=1e-4)


def test_it_begins_clean_and_ends_as_noise():
    left = alphas_cumprod()
    assert left[0] > 0.999 and left[-1] < 1e-6 and (left[1:] < left[:-1]).all()
