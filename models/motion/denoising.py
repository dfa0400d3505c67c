"""From noise to what a network was trained on, step by step, guided by text, with whatever is known already.

Schedulers are diffusers'. Every item has a generator of its own, a number of people and a length of its own; in a batch
it comes out as it would alone. Known values replace the prediction of x_0 at each step (TIMotion's supplement,
Algorithm 1).
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from diffusers import DDPMScheduler
from jaxtyping import Bool, Float, Int
from torch import Tensor

from models.motion.condition import Condition, stack_conditional_unconditional
from models.motion.schedulers import DenoisingConfig, guided_step_count, scheduler_of

FADE_S = 0.5
"""After known frames: what the prediction differs from them by at their end fades away over so long."""
Denoiser = Callable[[Tensor, Tensor, Condition, Tensor], Tensor]


@torch.no_grad()
def denoise(
    config: DenoisingConfig,
    network: Denoiser,
    condition: Condition,
    mask: Bool[Tensor, "batch person time"],
    generators: Sequence[torch.Generator],
    known: tuple[Float[Tensor, "batch person time n"], Bool[Tensor, "batch person time n"]],
    mend: Callable[[Tensor], Tensor] = lambda predicted: predicted,
) -> Float[Tensor, "batch person time n"]:
    """Sample, as the network sees things, whoever is in the mask; `known` are values, and which of them are known.

    `mend` is given every prediction, before what is known replaces its part of it. Generators are on the CPU, so that
    every device draws the same; bfloat16 where the caller has torch cast automatically.
    """
    values, where = known
    scheduler, scale = scheduler_of(config), config.classifier_free_guidance_scale
    guided = guided_step_count(config) if scale != 1.0 else 0
    guided_condition, guided_mask = stack_conditional_unconditional(condition), torch.cat([mask, mask])
    x = draw_noise(mask, generators, values.shape[-1])
    for number, step in enumerate(scheduler.timesteps):
        timesteps = torch.full((2 * len(mask),), int(step), device=mask.device)
        if number < guided:
            both = network(torch.cat([x, x]), timesteps, guided_condition, guided_mask).float()
            conditional, unconditional = both.chunk(2)
            predicted = unconditional + scale * (conditional - unconditional)
        else:
            predicted = network(x, timesteps[: len(mask)], condition, mask).float()
        clean = torch.where(where, values, mend(predicted))
        if isinstance(scheduler, DDPMScheduler):
            x = _ddpm_step(scheduler, clean, int(step), x, generators, mask)
        elif config.scheduler == "sde-dpm++":
            noise = draw_noise(mask, generators, values.shape[-1])
            x = scheduler.step(clean, int(step), x, variance_noise=noise, return_dict=False)[0]
        else:
            x = scheduler.step(clean, int(step), x, return_dict=False)[0]
    return torch.where(where, values, x)


def fade_from_known(
    predicted: Float[Tensor, "batch person time n"],
    known: Float[Tensor, "batch person time n"],
    known_lead: Int[Tensor, "batch person"],
    frames_per_second: float,
) -> Float[Tensor, "batch person time n"]:
    """Where a person's first frames are known, what is predicted of the others begins as the known ones end: what they
    differ by fades away (Bollo 2018, "Inertialization")."""
    last = last_of_lead(known_lead, predicted.shape[-1])
    since = torch.arange(predicted.shape[2], device=predicted.device) - (known_lead[..., None] - 1)
    share = 0.5 + 0.5 * torch.cos(math.pi * (since / (FADE_S * frames_per_second)).clamp(0.0, 1.0))
    faded = predicted + share[..., None] * (known - predicted).gather(2, last)
    return torch.where((known_lead > 0)[..., None, None], faded, predicted)


def known_lead_of(where: Bool[Tensor, "batch person time n"]) -> Int[Tensor, "batch person"]:
    """Count the first frames of each person of which everything is known."""
    return where.all(-1).long().cumprod(-1).sum(-1)


def last_of_lead(known_lead: Int[Tensor, "batch person"], features: int) -> Int[Tensor, "batch person 1 n"]:
    """Index the last known frame of each person, to gather by; the first one where none is known."""
    return (known_lead - 1).clamp(min=0)[..., None, None].expand(-1, -1, 1, features)


def draw_noise(
    mask: Bool[Tensor, "batch person time"], generators: Sequence[torch.Generator], features: int
) -> Float[Tensor, "batch person time n"]:
    """Draw each item's noise by its own generator, of its own size, so that neighbours and padding change nothing; zero
    where nobody is.

    On the processor, so that every device has the same, by as many threads as torch has: a thousand items are soon
    drawn.
    """
    noise = torch.zeros(*mask.shape, features)
    sizes = _sizes(mask)

    def draw(at: int) -> None:
        people, frames = sizes[at]
        noise[at, :people, :frames] = torch.randn((people, frames, features), generator=generators[at])

    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        list(threads.map(draw, range(len(sizes))))
    return noise.to(mask.device)


def _sizes(mask: Bool[Tensor, "batch person time"]) -> list[tuple[int, int]]:
    """People and frames of each item; those who are there come first."""
    people, frames = mask.any(-1).sum(-1).tolist(), mask.any(1).sum(-1).tolist()
    return list(zip(people, frames, strict=True))


def _ddpm_step(
    scheduler: DDPMScheduler,
    clean: Tensor,
    step: int,
    x: Tensor,
    generators: Sequence[torch.Generator],
    mask: Tensor,
) -> Tensor:
    """Item by item: its own generator, its own size."""
    x = x.clone()
    for at, ((people, frames), generator) in enumerate(zip(_sizes(mask), generators, strict=True)):
        own = (at, slice(0, people), slice(0, frames))
        x[own] = scheduler.step(clean[own].cpu(), step, x[own].cpu(), generator, return_dict=False)[0].to(x)
    return x
