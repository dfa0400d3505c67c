"""What a motion model is told beside the noisy motion.

A typed set: architectures use what they know, and more can join it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from models.motion.dataset import MotionBatch


@dataclass(frozen=True)
class Condition:
    """Of a batch of scenes."""

    text: Float[Tensor, "batch text"]
    """Sentence embedding of each scene's caption."""
    dropped: Bool[Tensor, "batch"]
    """Scenes whose caption is withheld (classifier-free guidance)."""
    roles: Int[Tensor, "batch person"]
    """Index into `motion_batches.ROLES`; -1 in empty slots."""
    bones: Float[Tensor, "batch person 21"]
    """Lengths at rest, metres."""
    slots: Int[Tensor, "batch person"]
    """Which identity each person is given; different within a scene."""


def both_branches(condition: Condition) -> Condition:
    """The same scenes twice: first with their captions, then without."""
    twice = {name: torch.cat([value, value]) for name, value in vars(condition).items()}
    dropped = torch.cat([condition.dropped, torch.ones_like(condition.dropped)])
    return Condition(**(twice | {"dropped": dropped}))


Embed = Callable[[Sequence[str]], Float[Tensor, "text dim"]]


def condition_of(batch: MotionBatch, embed: Embed, slots: Tensor, dropped: Tensor) -> Condition:
    """What the network is told of a batch."""
    text = embed(batch.texts).to(batch.features.device)
    return Condition(text, dropped, batch.roles, batch.bones, slots)
