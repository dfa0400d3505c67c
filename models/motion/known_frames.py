"""What is known of a motion before it is sampled, and how the rest meets it.

Known frames stand in the canonical frame, that of the first person's first frame; or, where that frame is not known (a
pose that others come before), in one of their own, and the scene is found around them: at every step of denoising they
are put where the prediction has the first person at that time.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from models.motion.features import (
    POSITIONS,
    ROTATIONS,
    heading,
    inverse_transformed,
    root_matrices,
    transformed,
)

FADE_S = 0.5
"""Before and after known frames: what the prediction differs from them by at their ends fades away over so long."""
FIRST_FADE_S = 3.0
"""How long in the first step of denoising, if others come before the known frames: of a single frame among many the
network sees next to nothing through the noise, so at first all is near to it."""


@dataclass(frozen=True)
class KnownFrames:
    """Values that sampled motion must have, in the canonical frame of the first person's first frame."""

    features: Float[Tensor, "person time 268"]
    where: Bool[Tensor, "person time 268"]
    """Which of them are known."""
    floats: bool = False
    """Whether they stand in a frame of their own instead, on the same floor: the motion comes out in the canonical
    frame, they where the first person is by then."""


@dataclass(frozen=True)
class KnownRun:
    """The first frames in a row of which all is known, of each person."""

    first: Int[Tensor, "batch person"]
    last: Int[Tensor, "batch person"]
    """Before `first` where nothing is known."""

    @property
    def there(self) -> Bool[Tensor, "batch person"]:
        """Tell who has one."""
        return self.last >= self.first

    @property
    def leads(self) -> Bool[Tensor, "batch person"]:
        """Tell whose motion begins with it."""
        return self.there & (self.first == 0)


def poses_known(where: Bool[Tensor, "batch person time 268"]) -> Bool[Tensor, "batch person time"]:
    """Tell in which frames where somebody is, and how, is known, if not how fast."""
    return where[..., POSITIONS].all(-1) & where[..., ROTATIONS].all(-1)


def known_run_of(known: Bool[Tensor, "batch person time"]) -> KnownRun:
    """Find the first run of known frames of each person."""
    begun = known.long().cummax(-1).values
    # From where it begins, until the first frame that is not known.
    length = (known | (begun == 0)).long().cumprod(-1).sum(-1) - (begun == 0).sum(-1)
    first = (begun == 0).sum(-1)
    return KnownRun(first, first + length - 1)


def at_frame(values: Float[Tensor, "batch person time n"], frame: Int[Tensor, "batch #person"]) -> Tensor:
    """Take one frame of each person, [batch person 1 n]; the first where there is none such."""
    index = frame.clamp(0, values.shape[2] - 1)[..., None, None]
    return values.gather(2, index.expand(-1, values.shape[1], 1, values.shape[-1]))


def fade_from_known(
    predicted: Float[Tensor, "batch person time n"],
    known: Float[Tensor, "batch person time n"],
    where: Bool[Tensor, "batch person time n"],
    poses: Bool[Tensor, "batch person time"],
    frames_per_second: float,
    left: float,
    spread: bool = False,
) -> Float[Tensor, "batch person time n"]:
    """Let what is predicted meet the known frames on both sides of it: what they differ by at their ends fades away
    from there (Bollo 2018, "Inertialization"), as far as it is known there, and before the next known frame.

    `poses` says which frames are known. `left` is the share of the steps of denoising that follow. `spread` lets what
    is off at a later known frame fade over all frames since the one before: who would end elsewhere goes another way,
    and does not slide there at the end.
    """
    frames = predicted.shape[2]
    time = torch.arange(frames, device=predicted.device)
    before = torch.where(poses, time, -1).cummax(-1).values
    after = torch.where(poses, time, frames).flip(-1).cummin(-1).values.flip(-1)
    early_s = FADE_S + left * (FIRST_FADE_S - FADE_S)
    leads = before < poses.long().cumprod(-1).sum(-1, keepdim=True)
    between = torch.where((before >= 0) & (after < frames), after - before, torch.inf)
    off, faded = (known - predicted) * where, predicted
    for end, away, fade_s in (
        (before, time - before, torch.where(leads, FADE_S, early_s)),
        (after, after - time, torch.where(between.isfinite() & spread, torch.inf, early_s)),
    ):
        reach = torch.minimum(fade_s * frames_per_second, between).clamp(min=1.0)
        share = 0.5 + 0.5 * torch.cos(math.pi * (away / reach).clamp(0.0, 1.0))
        there = (away > 0) & (end >= 0) & (end < frames)
        met = off.gather(2, end.clamp(0, frames - 1)[..., None].expand_as(off))
        faded = faded + (share * there)[..., None] * met
    return faded


def place_of(features: Float[Tensor, "batch person time 268"], frame: Int[Tensor, "batch"]) -> Float[Tensor, "batch 3"]:
    """Where the first person is in a frame: x, y, and the yaw that they face."""
    return places_of(at_frame(features[:, :1], frame[:, None]))[:, 0, 0]


def places_of(features: Float[Tensor, "*batch 268"]) -> Float[Tensor, "*batch 3"]:
    """Where everybody is: x, y, and the yaw that they face."""
    ahead = heading(root_matrices(features))
    return torch.cat([features[..., :2], torch.atan2(ahead[..., 1], ahead[..., 0])[..., None]], dim=-1)


def moved(
    features: Float[Tensor, "batch person time 268"], away: Float[Tensor, "batch 3"], onto: Float[Tensor, "batch 3"]
) -> Float[Tensor, "batch person time 268"]:
    """Rotate and move scenes over the floor, so that what is at one place (x, y, yaw) comes to the other."""
    return transformed(inverse_transformed(features, away), onto)


def continued(
    predicted: Float[Tensor, "batch person time 268"], known: Float[Tensor, "batch person time 268"], run: KnownRun
) -> Float[Tensor, "batch person time 268"]:
    """Where a person's first frames are known, what is predicted of the others is rotated and moved over the floor so
    that it begins where the known ones end. While there is next to no signal the network cannot see that."""
    ours, theirs = (places_of(at_frame(features, run.last)).flatten(0, 1)[:, 0] for features in (predicted, known))
    found = moved(predicted.flatten(0, 1)[:, None], ours, theirs).view_as(predicted)
    return torch.where(run.leads[..., None, None], found, predicted)
