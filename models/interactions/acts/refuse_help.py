"""A carer reaches for the arm of somebody who does not want to be helped: who pulls it away, turns and steps back."""

import numpy as np

from models.animation.actor import actor_of
from models.animation.gestures import draw_arm, share_of
from models.animation.stepping import step_to
from models.body.subject import Subject
from models.interactions.hand_holds import Hold, Side
from models.interactions.interaction import OTHER, Interaction, facts_of
from models.interactions.meeting import (
    comes_or_stands,
    direction,
    leaves,
    see_each_other,
    talk_together,
    wait,
    wait_for,
)


def refuse_help(one: Subject, other: Subject, fps: float, rng: np.random.Generator) -> Interaction:
    """Return how the second person reaches for an arm of the first, and the first pulls away and steps back."""
    side: Side = "left" if rng.random() < 0.5 else "right"
    sign = 1.0 if side == "left" else -1.0
    # From the front or from that side.
    bearing = sign * float(rng.uniform(0.1, 1.5))
    spot = float(rng.uniform(0.55, 0.66)) * direction(bearing)
    facing = bearing + np.pi + float(rng.uniform(-0.15, 0.15))
    first = actor_of(one, fps, rng)
    walks_up = rng.random() < 0.7
    comes_from = (bearing + float(rng.uniform(-0.9, 0.9)), float(rng.uniform(0.2, 0.8))) if walks_up else None
    second = comes_or_stands(other, fps, rng, spot, facing, comes_from)
    if not walks_up:
        wait(second, float(rng.uniform(0.6, 1.2)))
    met = second.frames / fps
    touches_at = met + float(rng.uniform(0.7, 1.4))
    pulls = touches_at + float(rng.uniform(0.25, 0.5))
    wait(first, pulls - 0.05)
    away = bearing + np.pi + float(rng.uniform(-0.5, 0.5))
    turned = -sign * float(rng.uniform(0.2, 0.9)) if abs(bearing) > 0.7 else sign * float(rng.uniform(-0.6, 0.3))
    step_to(first, first.xy + float(rng.uniform(0.35, 0.75)) * direction(away), turned, float(rng.uniform(0.34, 0.48)))
    stepped = first.frames / fps
    wait(first, float(rng.uniform(0.8, 1.6)))
    first_leaves = rng.random() < 0.3
    if first_leaves:
        leaves(first, away + float(rng.uniform(-0.6, 0.6)))
    wait(second, stepped + float(rng.uniform(0.6, 1.4)) - met)
    ends = second.frames / fps
    walks_off = not first_leaves and rng.random() < 0.3
    if walks_off:
        leaves(second, bearing + float(rng.uniform(-0.9, 0.9)))
    frames = max(first.frames, second.frames) + round(0.5 * fps)
    wait(second, (frames - second.frames) / fps)
    wait_for(first, second)
    frames = second.frames
    see_each_other((first, second), met - 0.7, ends, rng)
    talk_together((first, second), stepped, ends, rng, 1.2)
    # The arm is drawn back out of the hand, and to the body.
    pulled = share_of(first, pulls - 0.1, stepped + 1.0, 0.35)
    draw_arm(first, side[0], float(rng.uniform(-0.5, -0.1)), float(rng.uniform(1.3, 1.8)), pulled)
    # Nearer at hand, as the carer sees it, is the hand across from that arm, or the one on its side of the body.
    hand: Side = OTHER[side] if rng.random() < 0.6 else side
    part = f"{side}_forearm" if rng.random() < 0.5 else f"{side}_upper_arm"
    holds = (
        Hold(hand, part, touches_at - 0.7, touches_at, pulls + 0.05, pulls + 0.8, (0.3, 0.0, 0.2), shortest_s=0.15),
    )
    facts = facts_of(
        "take_arm",
        one,
        other,
        side=side,
        outcome="refused",
        before="walks_up" if walks_up else None,
    )
    details = {"side": side, "outcome": "refused", "pulls_s": pulls}
    return Interaction((first.track(one, frames), second.track(other, frames)), facts, holds, details=details)
