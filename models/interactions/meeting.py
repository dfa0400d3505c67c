"""What people do who meet: one sits or waits, another walks up, they look at each other and talk, and somebody leaves.

Who is there first is at the origin and faces +x; who comes is placed by bearing and distance.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from models.animation.actor import Actor, actor_of
from models.animation.gestures import (
    head_places,
    look_at,
    nod,
    share_of,
    shift_weight,
    standing_still,
    talk,
)
from models.animation.props import chair_behind
from models.animation.recording import Recording
from models.animation.support import Support
from models.body.subject import Subject
from models.physics.humanoid import Box

Place = Float[np.ndarray, "2"]


def direction(angle: float) -> Place:
    """Return the unit vector of a world angle."""
    return np.array([np.cos(angle), np.sin(angle)])


def seated(
    person: Subject, fps: float, rng: np.random.Generator, support: Support | None = None
) -> tuple[Actor, Support, tuple[Box, ...]]:
    """Return somebody who sits from the first frame on a support, or on a chair that is drawn, with that chair's
    boxes."""
    actor = actor_of(person, fps, rng)
    boxes: tuple[Box, ...] = ()
    if support is None:
        support, boxes = chair_behind(actor, float(rng.uniform(0.42, 0.5)), np.zeros(2))
    actor.sit_down(support, 1.0)
    actor.recording = Recording(actor.rig, fps)
    return actor, support, boxes


def wait(actor: Actor, seconds: float, support: Support | None = None) -> None:
    """Stand, or sit on a support, so long; standing people look about at times."""
    left = seconds
    while left > 0.05:
        part = left if left < 3.0 else float(actor.rng.uniform(1.5, 2.5))
        if support is not None:
            actor.sit(support, part)
        else:
            actor.stand(part, "look" if part > 1.5 and actor.rng.random() < 0.2 else "idle")
        left -= part


def wait_for(actor: Actor, other: Actor, support: Support | None = None) -> None:
    """Wait until both have been there for as many frames."""
    while actor.frames < other.frames:
        wait(actor, max((other.frames - actor.frames) / actor.fps, 0.1), support)
    actor.recording.cut(other.frames)


def curve(start: Place, end: Place, bow_m: float) -> Float[np.ndarray, "point 2"]:
    """Return a path from one place to another, whose middle is that far to the left of the straight line."""
    line = end - start
    across = np.array([-line[1], line[0]]) / max(float(np.linalg.norm(line)), 1e-6)
    t = np.linspace(0.0, 1.0, 15)[:, None]
    return start + t * line + 4.0 * bow_m * t * (1.0 - t) * across


def comes(person: Subject, fps: float, rng: np.random.Generator, stop: Place, bearing: float, wait_s: float) -> Actor:
    """Return somebody who waits, and then has walked to a place, straight or in a curve, from some way off in a
    direction (world angle seen from there)."""
    far = float(rng.uniform(1.2, 2.4))
    start = stop + far * direction(bearing)
    path = curve(start, stop, far * float(rng.uniform(-0.18, 0.18)) if rng.random() < 0.6 else 0.0)
    first = path[1] - path[0]
    actor = actor_of(person, fps, rng, start, float(np.arctan2(first[1], first[0])))
    wait(actor, wait_s)
    actor.walk(path)
    return actor


def comes_or_stands(
    person: Subject,
    fps: float,
    rng: np.random.Generator,
    stop: Place,
    facing: float,
    comes_from: tuple[float, float] | None,
) -> Actor:
    """Return somebody at a place who faces a world angle: come there from a bearing after waiting some seconds (as
    `comes`), or there from the first frame."""
    if comes_from is None:
        return actor_of(person, fps, rng, stop, facing)
    actor = comes(person, fps, rng, stop, *comes_from)
    actor.turn_to(facing)
    return actor


def leaves(actor: Actor, bearing: float) -> None:
    """Turn and walk off in a direction (world angle), straight or in a curve."""
    far = float(actor.rng.uniform(1.2, 2.2))
    path = curve(actor.xy, actor.xy + far * direction(bearing), far * float(actor.rng.uniform(-0.12, 0.12)))
    first = path[1] - path[0]
    actor.turn_to(float(np.arctan2(first[1], first[0])))
    actor.walk(path)


def talk_together(
    one: Actor, other: Actor, begin_s: float, end_s: float, rng: np.random.Generator, size: float = 1.0
) -> None:
    """Take turns in talking with the hands, some seconds each; who listens nods at times."""
    at, speaker = begin_s, int(rng.integers(2))
    while end_s - at > 0.8:
        until = min(end_s, at + float(rng.uniform(1.2, 3.0)) / size)
        people = (one, other) if speaker == 0 else (other, one)
        talk(people[0], at, until, size * float(rng.uniform(0.7, 1.2)), rng)
        if until - at > 1.4 and rng.random() < 0.7:
            nod(people[1], float(rng.uniform(at + 0.3, until - 0.6)), rng)
        at, speaker = until - 0.2, 1 - speaker


def see_each_other(people: Sequence[Actor], begin_s: float, end_s: float, rng: np.random.Generator) -> None:
    """Look at each other between two times, and away for a moment now and then; who stands shifts the weight."""
    heads = [head_places(actor) for actor in people]
    for number, actor in enumerate(people):
        share = share_of(actor, begin_s - float(rng.uniform(0.0, 0.5)), end_s + float(rng.uniform(0.0, 0.5)), 0.6)
        at = begin_s + float(rng.uniform(1.0, 3.0))
        while at < end_s - 1.0:
            share = share * (1.0 - rng.uniform(0.4, 1.0) * share_of(actor, at, at + float(rng.uniform(0.7, 1.3)), 0.3))
            at += float(rng.uniform(2.0, 4.0))
        look_at(actor, heads[1 - number], share)
        shift_weight(actor, standing_still(actor), rng)


def boxes_in(boxes: Sequence[Box]) -> dict[str, list]:
    """Return what details say of furniture."""
    return {"boxes": [[box.centre.tolist(), box.half_sizes.tolist(), box.yaw] for box in boxes]} if boxes else {}
