"""What a motion model knows beside the noisy motion.

A typed set: architectures use what they know, and more can join it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from models.motion.dataset import MotionBatch


@dataclass(frozen=True)
class Condition:
    """Of a batch of scenes."""

    text: Float[Tensor, "batch text"]
    """Sentence embedding of each scene's caption."""
    text_dropped: Bool[Tensor, "batch"]
    """Scenes whose caption is left out (classifier-free guidance)."""
    roles: Int[Tensor, "batch person"]
    """Index into `models.motion.dataset.ROLES`; -1 where nobody is."""
    bones: Float[Tensor, "batch person 21"]
    """Lengths at rest, metres."""
    identity_ids: Int[Tensor, "batch person"]
    """Which identity each person is given; different within a scene."""
    plan: Float[Tensor, "batch person time 10"] | None = None
    """What everybody is to do (`models.motion.plan`), at every frame; networks that make plans are told none."""
    pose: Float[Tensor, "batch person 268"] | None = None
    """How everybody is at one moment, normalised, standing still; for networks that make motion around a pose."""
    pose_frame: Int[Tensor, "batch"] | None = None
    """Frame of that moment."""

    def map(self, change: Callable[[Tensor], Tensor]) -> "Condition":
        """Return it with every tensor changed."""
        return Condition(**{name: change(value) for name, value in vars(self).items() if value is not None})


def stack_conditional_unconditional(condition: Condition) -> Condition:
    """Stack the same scenes twice: first with their captions, then without."""
    dropped = torch.cat([condition.text_dropped, torch.ones_like(condition.text_dropped)])
    return replace(condition.map(lambda value: torch.cat([value, value])), text_dropped=dropped)


Embed = Callable[[Sequence[str]], Float[Tensor, "text dim"]]


def condition_of(
    batch: MotionBatch, embed: Embed, identity_ids: Tensor, text_dropped: Tensor, plan: Tensor | None = None
) -> Condition:
    """Collect what the network knows of a batch."""
    text = embed(batch.texts).to(batch.features.device)
    return Condition(text, text_dropped, batch.roles, batch.bones, identity_ids, plan)
