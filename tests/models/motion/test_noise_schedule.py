"""Our schedule is diffusers'."""

import torch
from diffusers import DDPMScheduler

from models.motion.noise_schedule import (
    TRAIN_TIMESTEPS,
    add_noise,
    alphas_cumprod,
    inference_timesteps,
    sample_timesteps,
)


def test_schedule_and_noise_are_diffusers():
    theirs = DDPMScheduler(num_train_timesteps=TRAIN_TIMESTEPS, beta_schedule="squaredcos_cap_v2")
    torch.testing.assert_close(alphas_cumprod(), theirs.alphas_cumprod, atol=1e-6, rtol=1e-5)
    draw = torch.Generator().manual_seed(0)
    clean, noise = torch.randn(5, 2, 7, 3, generator=draw), torch.randn(5, 2, 7, 3, generator=draw)
    step = torch.tensor([0, 10, 500, 990, 999])
    torch.testing.assert_close(
        add_noise(clean, noise, step), theirs.add_noise(clean, noise, step), atol=1e-5, rtol=1e-4
    )


def test_it_begins_clean_and_ends_as_noise():
    left = alphas_cumprod()
    assert left[0] > 0.999 and left[-1] < 1e-6 and (left[1:] < left[:-1]).all()


def test_steps_are_drawn_evenly_or_with_the_noise_shifted():
    even = sample_timesteps(40_000, 0.0, 16.0, torch.Generator().manual_seed(0))
    assert even.min() == 0 and even.max() == TRAIN_TIMESTEPS - 1
    assert torch.allclose(torch.histc(even.float(), 10, 0, TRAIN_TIMESTEPS) / 4000.0, torch.ones(10), atol=0.07)
    shifted = sample_timesteps(40_000, 1.0, 16.0, torch.Generator().manual_seed(0))
    # Half of the evenly drawn steps have less noise than signal: half of these have less than 16 times as much.
    left = alphas_cumprod()[shifted]
    ratio = ((1.0 - left) / left.clamp(min=1e-12)).sqrt()
    assert abs(float((ratio < 16.0).float().mean()) - 0.5) < 0.02
    mixed = sample_timesteps(40_000, 0.5, 16.0, torch.Generator().manual_seed(0))
    expected = ((even > 950).float().mean() + (shifted > 950).float().mean()) / 2.0
    assert abs(float((mixed > 950).float().mean() - expected)) < 0.01
    assert torch.equal(mixed, sample_timesteps(40_000, 0.5, 16.0, torch.Generator().manual_seed(0)))


def test_sampling_begins_in_noise_and_ends_with_every_step():
    assert inference_timesteps(1000, 12.0) == list(range(999, -1, -1))
    assert inference_timesteps(5, 1.0) == [999, 700, 500, 300, 100]
    steps = inference_timesteps(10, 12.0)
    assert steps[0] == TRAIN_TIMESTEPS - 1 and sorted(set(steps), reverse=True) == steps
    ratios = [
        ((1.0 - alphas_cumprod()[step]) / alphas_cumprod()[step]).sqrt()
        for step in (inference_timesteps(5, 1.0)[2], inference_timesteps(5, 4.0)[2])
    ]
    assert abs(float(ratios[1] / ratios[0]) - 4.0) < 0.05
