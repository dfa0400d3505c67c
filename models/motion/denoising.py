"""Sample motion from a trained model: denoise, guided by text, with whatever frames are known already.

Schedulers are diffusers'. Every item has a seed of its own, a number of people, a length and a text of its own; in a
batch it comes out as it would alone. Known values replace the prediction of x_0 at each step (TIMotion's supplement,
Algorithm 1).
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import torch
from diffusers import DDPMScheduler
from jaxtyping import Float, Int
from torch import Tensor

from models.body.kinematics import bone_lengths
from models.motion.condition import Condition, Embed, stack_conditional_unconditional
from models.motion.dataset import ROLES
from models.motion.features import FEATURES, canonicalise, heading, inverse_transformed, matrices, transformed
from models.motion.model import MotionModel
from models.motion.request import KnownFrames, MotionRequest, check_request
from models.motion.schedulers import SamplingConfig, guided_step_count, scheduler_of
from models.networks import half_precision

FADE_FRAMES = 10
"""After known frames: what the prediction differs from them by at their end fades away over so many."""


def sample(
    model: MotionModel, embed: Embed, requests: Sequence[MotionRequest], config: SamplingConfig
) -> list[Float[Tensor, "person time 268"]]:
    """Sample one motion a request: features in the canonical frame, on the CPU.

    What is longer than the model's longest motion is made of windows that keep the end of the one before. Raises
    InputError as `check_request`.
    """
    for request in requests:
        check_request(request, model)
    denoise: Callable[..., Tensor] = torch.compile(model.denoiser) if config.compile else model.denoiser
    longest = model.config.max_frames
    found = _windows(model, denoise, embed, [_first_window(request, longest) for request in requests], config)
    window_number = 1
    while unfinished := [at for at, request in enumerate(requests) if found[at].shape[1] < request.frames]:
        overlap = min(config.overlap_frames, longest // 2)
        poses, following = [], []
        for at in unfinished:
            tail, pose = canonicalise(found[at][None, :, -overlap:])
            frames = min(longest, requests[at].frames - found[at].shape[1] + overlap)
            following.append(_next_window(requests[at], tail[0], frames, window_number))
            poses.append(pose)
        windows = _windows(model, denoise, embed, following, config)
        for at, pose, window in zip(unfinished, poses, windows, strict=True):
            found[at] = torch.cat([found[at], transformed(window[None], pose)[0, :, overlap:]], dim=1)
        window_number += 1
    return found


def _first_window(request: MotionRequest, longest: int) -> MotionRequest:
    frames = min(request.frames, longest)
    known = request.known and KnownFrames(request.known.features[:, :frames], request.known.where[:, :frames])
    return replace(request, frames=frames, known=known)


def _next_window(
    request: MotionRequest, tail: Float[Tensor, "person overlap 268"], frames: int, number: int
) -> MotionRequest:
    """The next window: its first frames are the last ones there are."""
    features = torch.zeros(len(request.roles), frames, FEATURES)
    features[:, : tail.shape[1]] = tail
    where = torch.zeros_like(features, dtype=torch.bool)
    where[:, : tail.shape[1]] = True
    # Seeds of windows must not meet those of other requests.
    draw = torch.Generator().manual_seed(request.seed ^ (number << 40))
    seed = int(torch.randint(0, 2**62, (), generator=draw))
    return replace(request, frames=frames, seed=seed, known=KnownFrames(features, where))


@torch.no_grad()
def _windows(
    model: MotionModel,
    denoise: Callable[..., Tensor],
    embed: Embed,
    requests: Sequence[MotionRequest],
    config: SamplingConfig,
) -> list[Float[Tensor, "person time 268"]]:
    """One window a request, all in one batch."""
    device = model.normaliser.mean.device
    people, frames = max(len(request.roles) for request in requests), max(request.frames for request in requests)
    # Noise of its own for each item, of its own size: neighbours and padding change nothing.
    generators = [torch.Generator().manual_seed(request.seed) for request in requests]
    x = _noise(requests, generators).to(device)
    mask = torch.zeros(len(requests), people, frames, dtype=torch.bool)
    roles = torch.full((len(requests), people), -1)
    bones = torch.zeros(len(requests), people, 21)
    known = torch.zeros(len(requests), people, frames, FEATURES)
    where = torch.zeros_like(known, dtype=torch.bool)
    identity_ids = torch.arange(people).expand(len(requests), -1)
    for at, request in enumerate(requests):
        count = len(request.roles)
        mask[at, :count, : request.frames] = True
        roles[at, :count] = torch.tensor([ROLES.index(role) for role in request.roles])
        bones[at, :count] = bone_lengths(request.rest)
        if request.known is not None:
            known[at, :count, : request.frames] = request.known.features
            where[at, :count, : request.frames] = request.known.where
    mask, known, where = (value.to(device) for value in (mask, known, where))
    known = model.normaliser(known)
    dropped = torch.zeros(len(requests), dtype=torch.bool)
    condition = Condition(embed([request.text for request in requests]), dropped, roles, bones, identity_ids)
    condition = Condition(**{name: value.to(device) for name, value in vars(condition).items()})
    guided_condition, guided_mask = stack_conditional_unconditional(condition), torch.cat([mask, mask])
    scheduler, scale = scheduler_of(config), config.classifier_free_guidance_scale
    guided = guided_step_count(config)
    half = half_precision(config.precision, device)
    known_lead = where.all(-1).cumprod(-1).sum(-1)
    for number, step in enumerate(scheduler.timesteps):
        timesteps = torch.full((2 * len(requests),), int(step), device=device)
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            if number < guided:
                both = denoise(torch.cat([x, x]), timesteps, guided_condition, guided_mask).float()
                conditional, unconditional = both.chunk(2)
                predicted = unconditional + scale * (conditional - unconditional)
            else:
                predicted = denoise(x, timesteps[: len(requests)], condition, mask).float()
        if known_lead.any():
            denormalise = model.normaliser.denormalise
            predicted = model.normaliser(_continue_known_lead(denormalise(predicted), denormalise(known), known_lead))
        clean = torch.where(where, known, predicted)
        if isinstance(scheduler, DDPMScheduler):
            x = _ddpm_step(scheduler, clean, int(step), x, generators, requests)
        elif config.scheduler == "sde-dpm++":
            noise = _noise(requests, generators).to(device)
            x = scheduler.step(clean, int(step), x, variance_noise=noise, return_dict=False)[0]
        else:
            x = scheduler.step(clean, int(step), x, return_dict=False)[0]
    x = torch.where(where, known, x)
    found = model.normaliser.denormalise(x).cpu()
    return [found[at, : len(request.roles), : request.frames] for at, request in enumerate(requests)]


def _continue_known_lead(
    predicted: Float[Tensor, "batch person time 268"],
    known: Float[Tensor, "batch person time 268"],
    known_lead: Int[Tensor, "batch person"],
) -> Float[Tensor, "batch person time 268"]:
    """Where a person's first frames are known, what is predicted of the others is rotated and moved over the floor so
    that it begins where the known ones end, and as they end. While there is next to no signal the network cannot see
    that."""
    last = (known_lead - 1).clamp(min=0)[..., None, None].expand(-1, -1, 1, FEATURES)
    ours, theirs = (features.gather(2, last).flatten(0, 1)[:, None] for features in (predicted, known))
    yaws = []
    for features in (ours, theirs):
        ahead = heading(matrices(features)[:, 0, 0, 0])
        yaws.append(torch.atan2(ahead[:, 1], ahead[:, 0]))
    away = torch.cat([ours[:, 0, 0, :2], yaws[0][:, None]], dim=-1)
    onto = torch.cat([theirs[:, 0, 0, :2], yaws[1][:, None]], dim=-1)
    continued = transformed(inverse_transformed(predicted.flatten(0, 1)[:, None], away), onto).view_as(predicted)
    # What then differs yet, limbs say, fades away (Bollo 2018, "Inertialization").
    since = torch.arange(predicted.shape[2], device=predicted.device) - (known_lead[..., None] - 1)
    share = 0.5 + 0.5 * torch.cos(math.pi * (since / FADE_FRAMES).clamp(0.0, 1.0))
    continued = continued + share[..., None] * (known - continued).gather(2, last)
    return torch.where((known_lead > 0)[..., None, None], continued, predicted)


def _noise(
    requests: Sequence[MotionRequest], generators: Sequence[torch.Generator]
) -> Float[Tensor, "batch person time 268"]:
    """Each item's, drawn by its own generator; zero where nobody is.

    On the processor, so that every device has the same, by as many threads as torch has: a thousand items are soon
    drawn.
    """
    people, frames = max(len(request.roles) for request in requests), max(request.frames for request in requests)
    noise = torch.zeros(len(requests), people, frames, FEATURES)

    def draw(at: int) -> None:
        size = (len(requests[at].roles), requests[at].frames, FEATURES)
        noise[at, : size[0], : size[1]] = torch.randn(size, generator=generators[at])

    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        list(threads.map(draw, range(len(requests))))
    return noise


def _ddpm_step(
    scheduler: DDPMScheduler,
    clean: Tensor,
    step: int,
    x: Tensor,
    generators: Sequence[torch.Generator],
    requests: Sequence[MotionRequest],
) -> Tensor:
    """Item by item: its own generator, its own size."""
    x = x.clone()
    for at, (request, generator) in enumerate(zip(requests, generators, strict=True)):
        own = (at, slice(0, len(request.roles)), slice(0, request.frames))
        x[own] = scheduler.step(clean[own].cpu(), step, x[own].cpu(), generator, return_dict=False)[0].to(x)
    return x
