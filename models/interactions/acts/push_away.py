"""Two argue face to face; one pushes the other away with both hands, and the other steps back."""

import numpy as np

from models.animation.gestures import bend_down, draw_arm, share_of
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
from models.text.vocabulary import Before, Touch


def push_away(one: Subject, other: Subject, fps: float, rng: np.random.Generator) -> Interaction:
    """Return how the second person pushes the first away, hands on chest or upper arms; the first steps back."""
    # The first stands at the origin, faces +x, and is thrust back along -x.
    gap = float(rng.uniform(0.5, 0.58))
    bearing = float(rng.uniform(-0.15, 0.15))
    spot, facing = gap * direction(bearing), bearing + np.pi
    first_comes, argues = rng.random() < 0.4, rng.random() < 0.7
    walks_up = not first_comes and rng.random() < 0.5
    comes_from = (np.pi + float(rng.uniform(-0.5, 0.5)), float(rng.uniform(0.3, 0.8))) if first_comes else None
    first = comes_or_stands(one, fps, rng, np.zeros(2), 0.0, comes_from)
    comes_from = (bearing + float(rng.uniform(-0.7, 0.7)), float(rng.uniform(0.3, 0.8))) if walks_up else None
    second = comes_or_stands(other, fps, rng, spot, facing, comes_from)
    met = max(first.frames, second.frames) / fps
    talks = float(rng.uniform(1.6, 3.0)) if argues else float(rng.uniform(0.3, 0.6))
    pushes = met + talks + 0.5
    wait(first, pushes + 0.12 - first.frames / fps)
    # Who is pushed steps back, quickly and far or hardly at all, and perhaps turned a little.
    thrust = float(rng.uniform(0.35, 0.8))
    back = first.xy - thrust * direction(bearing)
    step_to(first, back, first.heading + float(rng.uniform(-0.35, 0.35)), float(rng.uniform(0.26, 0.36)))
    wait(first, float(rng.uniform(0.6, 1.4)))
    first_leaves = rng.random() < 0.35
    if first_leaves:
        leaves(first, bearing + np.pi + float(rng.uniform(-0.9, 0.9)))
    wait(second, pushes + float(rng.uniform(1.3, 2.0)) - second.frames / fps)
    ends = second.frames / fps
    walks_off = not first_leaves and rng.random() < 0.35
    if walks_off:
        leaves(second, bearing + float(rng.uniform(-1.0, 1.0)))
    frames = max(first.frames, second.frames) + round(0.5 * fps)
    wait(second, (frames - second.frames) / fps)
    wait_for(first, second)
    frames = second.frames
    see_each_other((first, second), met - 0.8, ends, rng)
    if argues:
        talk_together((first, second), met - 0.2, pushes - 0.5, rng, float(rng.uniform(1.2, 1.6)))
    # The trunk of who is pushed is thrust back, the arms come up; who pushes leans into it.
    struck = share_of(first, pushes, pushes + 0.9, 0.35)
    bend_down(first, -float(rng.uniform(0.12, 0.24)) * struck)
    for arm in ("l", "r"):
        draw_arm(first, arm, float(rng.uniform(0.3, 0.8)), float(rng.uniform(0.9, 1.5)), struck)
    bend_down(second, float(rng.uniform(0.08, 0.16)) * share_of(second, pushes - 0.5, pushes + 0.9, 0.45))
    on_chest = rng.random() < 0.6
    until = pushes + 0.36
    # Face to face, the left hand is at the other's right.
    hands: tuple[Side, ...] = ("left", "right")
    parts = ["chest" if on_chest else f"{OTHER[hand]}_upper_arm" for hand in hands]
    holds = tuple(
        Hold(hand, part, pushes - 0.5, pushes, until, until + 0.6, (0.7, 0.0, 0.0), shortest_s=0.15)
        for hand, part in zip(hands, parts, strict=True)
    )
    touch: Touch = "chest" if on_chest else "both_hands"
    before: Before | None = "argues" if argues else "walks_up" if walks_up else None
    facts = facts_of(
        "push_away",
        one,
        other,
        touch=touch,
        before=before,
        then="walks_off" if walks_off else None,
    )
    return Interaction(
        (first.track(one, frames), second.track(other, frames)), facts, holds, details={"pushes_s": pushes}
    )
