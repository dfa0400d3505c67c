"""From noise to what a network was trained on, step by step, guided by text, with whatever is known already.

Schedulers are diffusers'. Every item has a generator of its own, a number of people and a length of its own; in a batch
it comes out as it would alone. Known values replace the prediction of x_0 at each step (TIMotion's supplement,
Algorithm 1).
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from diffusers import DDPMScheduler
from jaxtyping import Bool, Float
from torch import Tensor

from models.motion.condition import Condition, stack_conditional_unconditional
from models.motion.schedulers import DenoisingConfig, guided_step_count, scheduler_of

Denoiser = Callable[[Tensor, Tensor, Condition, Tensor], Tensor]
Mend = Callable[[Tensor, float], tuple[Tensor, Tensor]]


@torch.no_grad()
def denoise(
    config: DenoisingConfig,
    network: Denoiser,
    condition: Condition,
    mask: Bool[Tensor, "batch person time"],
    generators: Sequence[torch.Generator],
    known: tuple[Float[Tensor, "batch person time n"], Bool[Tensor, "batch person time n"]],
    mend: Mend | None = None,
) -> Float[Tensor, "batch person time n"]:
    """Sample, as the network sees things, whoever is in the mask; `known` are values, and which of them are known.

    `mend` is given every prediction, before what is known replaces its part of it, and the share of the steps that
    follow; it returns it mended, with the values that are known to it. Generators are on the CPU, so that every device
    draws the same; bfloat16 where the caller has torch cast automatically.
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
        if mend is not None:
            predicted, values = mend(predicted, 1.0 - (number + 1) / len(scheduler.timesteps))
        clean = torch.where(where, values, predicted)
        if isinstance(scheduler, DDPMScheduler):
            x = _ddpm_step(scheduler, clean, int(step), x, generators, mask)
        elif config.scheduler == "sde-dpm++":
            noise = draw_noise(mask, generators, values.shape[-1])
            x = scheduler.step(clean, int(step), x, variance_noise=noise, return_dict=False)[0]
        else:
            x = scheduler.step(clean, int(step), x, return_dict=False)[0]
    return torch.where(where, values, x)


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
