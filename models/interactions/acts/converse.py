"""Two talk face to face: both stand, or one sits."""

import numpy as np

from models.animation.actor import actor_of
from models.body.subject import Subject
from models.interactions.interaction import Interaction, facts_of
from models.interactions.meeting import (
    boxes_in,
    comes_or_stands,
    direction,
    leaves,
    seated,
    see_each_other,
    talk_together,
    wait,
    wait_for,
)


def converse(one: Subject, other: Subject, fps: float, rng: np.random.Generator) -> Interaction:
    """Return how the second person talks with the first, who stands or sits: both gesture, nod, and look at each
    other."""
    sits = rng.random() < 0.4
    if sits:
        first, support, boxes = seated(one, fps, rng)
    else:
        first, support, boxes = actor_of(one, fps, rng), None, ()
    # Distances are of feet; who sits has the hips half a metre behind them.
    bearing, gap = float(rng.uniform(-0.6, 0.6)), float(rng.uniform(0.5, 0.85) if sits else rng.uniform(0.75, 1.35))
    spot, facing = gap * direction(bearing), bearing + np.pi + float(rng.uniform(-0.3, 0.3))
    walks_up, walks_off = rng.random() < 0.6, rng.random() < 0.4
    comes_from = (bearing + float(rng.uniform(-1.3, 1.3)), float(rng.uniform(0.3, 1.2))) if walks_up else None
    second = comes_or_stands(other, fps, rng, spot, facing, comes_from)
    begins = second.frames / fps
    wait(second, float(rng.uniform(3.5, 5.0 if walks_up else 7.0)))
    ends = second.frames / fps
    if walks_off:
        leaves(second, bearing + float(rng.uniform(-1.2, 1.2)))
    wait(second, float(rng.uniform(0.4, 0.8)))
    wait_for(first, second, support)
    talk_together((first, second), begins + 0.1, ends - 0.1, rng)
    see_each_other((first, second), begins - 0.6, ends, rng)
    facts = facts_of(
        "converse",
        one,
        other,
        other_is="sits" if sits else "stands",
        before="walks_up" if walks_up else None,
        then="walks_off" if walks_off else None,
    )
    details = {"begins_s": begins, "ends_s": ends} | boxes_in(boxes)
    return Interaction((first.track(one, second.frames), second.track(other, second.frames)), facts, details=details)
