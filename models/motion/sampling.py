"""Sample motion from a trained model: denoise, guided by text, with whatever frames or joints are to be kept.

Schedulers are diffusers'. Every item has a seed of its own, a number of people, a length and a text of its own; in a
batch it comes out as it would alone. Kept values replace the prediction of x_0 at each step (TIMotion's supplement,
Algorithm 1).
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import torch
from diffusers import DDPMScheduler
from jaxtyping import Bool, Float, Int
from torch import Tensor

from models.body.kinematics import bone_lengths
from models.motion.condition import Condition, Embed, both_branches
from models.motion.dataset import ROLES
from models.motion.features import (
    FEATURES,
    POSITIONS,
    ROTATIONS,
    VELOCITIES,
    canonical,
    displaced,
    heading,
    matrices,
    placed,
)
from models.motion.model import MotionModel
from models.motion.request import Ask, Kept, chain, check_ask
from models.motion.schedulers import SamplingConfig, guided_steps, scheduler_of
from models.networks import half_precision

FADE_FRAMES = 10
"""After kept frames: what the prediction differs from them by at their end fades away over so many."""


def joint_features(joints: Sequence[int]) -> Bool[Tensor, "268"]:
    """Which features say where some of the 22 joints are and how they are turned: keep a hand's path, say.

    Motion is read from rotations and the root, so all joints above them are kept, too.
    """
    where = torch.zeros(FEATURES, dtype=torch.bool)
    for joint in {above for one in joints for above in chain(one)}:
        for part, width in ((POSITIONS, 3), (VELOCITIES, 3), (ROTATIONS, 6)):
            where[part.start + joint * width : part.start + (joint + 1) * width] = True
    return where


def sample(
    model: MotionModel, embed: Embed, asks: Sequence[Ask], config: SamplingConfig
) -> list[Float[Tensor, "person time 268"]]:
    """One motion an ask, features in the canonical frame, on the CPU.

    What is longer than the model's longest motion is made of windows that keep the end of the one before. Raises
    InputError as `check_ask`.
    """
    for ask in asks:
        check_ask(ask, model)
    denoise: Callable[..., Tensor] = torch.compile(model.denoiser) if config.compile else model.denoiser
    most = model.config.most_frames
    found = _windows(model, denoise, embed, [_first_window(ask, most) for ask in asks], config)
    part = 1
    while longer := [at for at, ask in enumerate(asks) if found[at].shape[1] < ask.frames]:
        overlap = min(config.overlap_frames, most // 2)
        poses, following = [], []
        for at in longer:
            tail, pose = canonical(found[at][None, :, -overlap:])
            frames = min(most, asks[at].frames - found[at].shape[1] + overlap)
            following.append(_continued(asks[at], tail[0], frames, part))
            poses.append(pose)
        moved = _windows(model, denoise, embed, following, config)
        for at, pose, window in zip(longer, poses, moved, strict=True):
            found[at] = torch.cat([found[at], placed(window[None], pose)[0, :, overlap:]], dim=1)
        part += 1
    return found


def _first_window(ask: Ask, most: int) -> Ask:
    frames = min(ask.frames, most)
    kept = ask.kept and Kept(ask.kept.features[:, :frames], ask.kept.where[:, :frames])
    return replace(ask, frames=frames, kept=kept)


def _continued(ask: Ask, tail: Float[Tensor, "person overlap 268"], frames: int, part: int) -> Ask:
    """The next window: its first frames are the last ones there are."""
    features = torch.zeros(len(ask.roles), frames, FEATURES)
    features[:, : tail.shape[1]] = tail
    where = torch.zeros_like(features, dtype=torch.bool)
    where[:, : tail.shape[1]] = True
    # Seeds of parts must not meet those of other asks.
    seed = int(torch.randint(0, 2**62, (), generator=torch.Generator().manual_seed(ask.seed ^ (part << 40))))
    return replace(ask, frames=frames, seed=seed, kept=Kept(features, where))


@torch.no_grad()
def _windows(
    model: MotionModel, denoise: Callable[..., Tensor], embed: Embed, asks: Sequence[Ask], config: SamplingConfig
) -> list[Float[Tensor, "person time 268"]]:
    """One window an ask, all in one batch."""
    device = model.normaliser.mean.device
    people, frames = max(len(ask.roles) for ask in asks), max(ask.frames for ask in asks)
    # Noise of its own for each item, of its own size: neighbours and padding change nothing.
    generators = [torch.Generator().manual_seed(ask.seed) for ask in asks]
    x = _noise(asks, generators).to(device)
    mask = torch.zeros(len(asks), people, frames, dtype=torch.bool)
    roles = torch.full((len(asks), people), -1)
    bones = torch.zeros(len(asks), people, 21)
    kept = torch.zeros(len(asks), people, frames, FEATURES)
    where = torch.zeros_like(kept, dtype=torch.bool)
    slots = torch.arange(people).expand(len(asks), -1)
    for at, ask in enumerate(asks):
        count = len(ask.roles)
        mask[at, :count, : ask.frames] = True
        roles[at, :count] = torch.tensor([ROLES.index(role) for role in ask.roles])
        bones[at, :count] = bone_lengths(ask.rest)
        if ask.kept is not None:
            kept[at, :count, : ask.frames] = ask.kept.features
            where[at, :count, : ask.frames] = ask.kept.where
    mask, kept, where = (value.to(device) for value in (mask, kept, where))
    kept = model.normaliser(kept)
    dropped = torch.zeros(len(asks), dtype=torch.bool)
    told = Condition(embed([ask.text for ask in asks]), dropped, roles, bones, slots)
    told = Condition(**{name: value.to(device) for name, value in vars(told).items()})
    twice, mask_twice = both_branches(told), torch.cat([mask, mask])
    scheduler, scale = scheduler_of(config), config.classifier_free_guidance_scale
    guided = guided_steps(config)
    half = half_precision(config.precision, device)
    lead = where.all(-1).cumprod(-1).sum(-1)
    for number, step in enumerate(scheduler.timesteps):
        steps = torch.full((2 * len(asks),), int(step), device=device)
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            if number < guided:
                with_text, without = denoise(torch.cat([x, x]), steps, twice, mask_twice).float().chunk(2)
                predicted = without + scale * (with_text - without)
            else:
                predicted = denoise(x, steps[: len(asks)], told, mask).float()
        if lead.any():
            predicted = model.normaliser(_led_on(model.normaliser.back(predicted), model.normaliser.back(kept), lead))
        clean = torch.where(where, kept, predicted)
        if isinstance(scheduler, DDPMScheduler):
            x = _ddpm_step(scheduler, clean, int(step), x, generators, asks)
        elif config.scheduler == "sde-dpm++":
            x = scheduler.step(
                clean, int(step), x, variance_noise=_noise(asks, generators).to(device), return_dict=False
            )[0]
        else:
            x = scheduler.step(clean, int(step), x, return_dict=False)[0]
    x = torch.where(where, kept, x)
    found = model.normaliser.back(x).cpu()
    return [found[at, : len(ask.roles), : ask.frames] for at, ask in enumerate(asks)]


def _led_on(
    predicted: Float[Tensor, "batch person time 268"],
    kept: Float[Tensor, "batch person time 268"],
    lead: Int[Tensor, "batch person"],
) -> Float[Tensor, "batch person time 268"]:
    """Where a person's first frames are kept, what is predicted of the others is turned and moved over the floor so
    that it begins where the kept ones end, and as they end. While there is next to no signal the network cannot see
    that."""
    last = (lead - 1).clamp(min=0)[..., None, None].expand(-1, -1, 1, FEATURES)
    ours, theirs = (of.gather(2, last).flatten(0, 1)[:, None] for of in (predicted, kept))
    yaws = []
    for of in (ours, theirs):
        ahead = heading(matrices(of)[:, 0, 0, 0])
        yaws.append(torch.atan2(ahead[:, 1], ahead[:, 0]))
    away = torch.cat([ours[:, 0, 0, :2], yaws[0][:, None]], dim=-1)
    onto = torch.cat([theirs[:, 0, 0, :2], yaws[1][:, None]], dim=-1)
    moved = placed(displaced(predicted.flatten(0, 1)[:, None], away), onto).view_as(predicted)
    # What then differs yet, limbs say, fades away (Bollo 2018, "Inertialization").
    since = torch.arange(predicted.shape[2], device=predicted.device) - (lead[..., None] - 1)
    share = 0.5 + 0.5 * torch.cos(math.pi * (since / FADE_FRAMES).clamp(0.0, 1.0))
    moved = moved + share[..., None] * (kept - moved).gather(2, last)
    return torch.where((lead > 0)[..., None, None], moved, predicted)


def _noise(asks: Sequence[Ask], generators: Sequence[torch.Generator]) -> Float[Tensor, "batch person time 268"]:
    """Each item's, drawn by its own generator; zero where nobody is.

    On the processor, so that every device has the same, by as many threads as torch has: a thousand items are soon
    drawn.
    """
    noise = torch.zeros(len(asks), max(len(ask.roles) for ask in asks), max(ask.frames for ask in asks), FEATURES)

    def draw(at: int) -> None:
        size = (len(asks[at].roles), asks[at].frames, FEATURES)
        noise[at, : size[0], : size[1]] = torch.randn(size, generator=generators[at])

    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        list(threads.map(draw, range(len(asks))))
    return noise


def _ddpm_step(
    scheduler: DDPMScheduler,
    clean: Tensor,
    step: int,
    x: Tensor,
    generators: Sequence[torch.Generator],
    asks: Sequence[Ask],
) -> Tensor:
    """Item by item: its own generator, its own size."""
    x = x.clone()
    for at, (ask, generator) in enumerate(zip(asks, generators, strict=True)):
        part = (at, slice(0, len(ask.roles)), slice(0, ask.frames))
        x[part] = scheduler.step(clean[part].cpu(), step, x[part].cpu(), generator, return_dict=False)[0].to(x)
    return x
