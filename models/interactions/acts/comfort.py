"""One lays a hand on shoulder, arm or back of somebody who sits or stands, and leaves it there for some seconds."""

import numpy as np

from models.animation.actor import actor_of
from models.animation.gestures import bend_down, share_of
from models.body.subject import Subject
from models.geometry.easing import minimum_jerk
from models.interactions.hand_holds import Hold, Side
from models.interactions.interaction import OTHER, Interaction, facts_of
from models.interactions.meeting import (
    boxes_in,
    comes_or_stands,
    leaves,
    seated,
    see_each_other,
    talk_together,
    wait,
    wait_for,
)
from models.text.vocabulary import Before, Touch


def comfort(one: Subject, other: Subject, fps: float, rng: np.random.Generator) -> Interaction:
    """Return how the second person comes beside or in front of the first and lays a hand on shoulder, arm or back."""
    sits, beside = rng.random() < 0.6, rng.random() < 0.65
    side: Side = "left" if rng.random() < 0.5 else "right"
    sign = 1.0 if side == "left" else -1.0
    support, boxes = None, ()
    if sits:
        first, support, boxes = seated(one, fps, rng)
    else:
        first = actor_of(one, fps, rng)
    spot, facing = _spot(sits, beside, sign, rng)
    outwards = facing + np.pi
    walks_up, comes_from = rng.random() < 0.65, None
    if walks_up:
        # Not over the knees of who sits, nor through the chair.
        turned = float(rng.uniform(-0.9, 0.9)) if not sits else -sign * float(rng.uniform(0.0, 0.9))
        bearing = outwards + (turned if beside else float(rng.uniform(-0.7, 0.7)))
        comes_from = float(bearing), float(rng.uniform(0.2, 0.8))
    second = comes_or_stands(other, fps, rng, spot, facing, comes_from)
    if not walks_up:
        wait(second, float(rng.uniform(0.8, 1.4)))
    met = second.frames / fps
    touches_at, stays = met + float(rng.uniform(0.4, 0.9)), float(rng.uniform(2.2, 4.0))
    until, lets_go = touches_at + stays, rng.random() < 0.6
    wait(second, until - met + float(rng.uniform(0.9, 1.3)) * lets_go)
    ends = second.frames / fps
    walks_off = lets_go and rng.random() < 0.45
    if walks_off:
        leaves(second, float(outwards + rng.uniform(-0.8, 0.8)))
        wait(second, 0.4)
    wait_for(first, second, support)
    bends = float(rng.uniform(0.25, 0.45)) if sits and rng.random() < 0.6 else float(rng.uniform(0.0, 0.1))
    times = np.arange(second.frames) / fps
    gone = minimum_jerk((times - until) / 0.9) if lets_go else np.zeros(len(times))
    bend_down(second, bends * minimum_jerk((times - touches_at + 0.9) / 1.1) * (1.0 - gone))
    # Who is comforted hangs the head until then.
    bend_down(first, rng.uniform(0.0, 0.16) * share_of(first, -1.0, touches_at + 0.6, 0.9))
    see_each_other((first, second), touches_at - 0.4, ends, rng)
    talk_together((second, first), touches_at + 0.3, until, rng, 0.6)
    hold, touch = _hold(side, beside, (touches_at, until if lets_go else 99.0), rng)
    before: list[Before] = []
    if walks_up:
        before.append("walks_up")
    if bends > 0.2:
        before.append("bends_down")
    facts = facts_of(
        "comfort",
        one,
        other,
        touch=touch,
        side=side if beside else None,
        other_is="sits" if sits else "stands",
        before=before[int(rng.integers(len(before)))] if before else None,
        then="walks_off" if walks_off else None,
    )
    details = ({"side": side} if beside else {}) | boxes_in(boxes)
    frames = second.frames
    return Interaction((first.track(one, frames), second.track(other, frames)), facts, (hold,), details=details)


def _spot(sits: bool, beside: bool, sign: float, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Where the comforter's feet are, and the world angle faced."""
    if beside:
        back = float(rng.uniform(-0.42, -0.25) if sits else rng.uniform(-0.1, 0.12))
        return np.array([back, sign * rng.uniform(0.5, 0.6)]), -sign * np.pi / 2.0 + float(rng.uniform(-0.3, 0.3))
    ahead = float(rng.uniform(0.22, 0.32) if sits else rng.uniform(0.52, 0.64))
    spot = np.array([ahead, sign * (rng.uniform(0.2, 0.3) if sits else rng.uniform(0.0, 0.15))])
    toward = np.array([-0.4 if sits else 0.0, 0.0]) - spot
    return spot, float(np.arctan2(toward[1], toward[0]))


def _hold(side: Side, beside: bool, when: tuple[float, float], rng: np.random.Generator) -> tuple[Hold, Touch]:
    """Which hand lies where: from beside, the one behind the other's back reaches the back, the one before it the
    arm."""
    places: list[tuple[Side, str, Touch]] = [(OTHER[side], f"{side}_shoulder", "shoulder")]
    if beside:
        places.append((OTHER[side], "back", "back"))
    places.append((side if beside else OTHER[side], f"{side}_upper_arm", "arm"))
    hand, part, touch = places[int(rng.integers(len(places)))]
    outwards = (0.0, 0.0, 0.8 if touch == "shoulder" else 0.2)
    return Hold(hand, part, when[0] - 0.8, when[0], when[1], when[1] + 0.8, outwards), touch
