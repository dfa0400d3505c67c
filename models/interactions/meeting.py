"""What people do who meet: one sits or waits, another walks up, they look at each other and talk, and somebody leaves.

Who is there first is at the origin and faces +x; who comes is placed by bearing and distance.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d

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
TURNS_S = 0.15
"""Deviation of the time in which a head turns from who has spoken to who speaks."""


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


Turns = list[tuple[int, float, float]]
"""Who speaks, and from when until when, seconds."""


def talk_together(
    people: Sequence[Actor], begin_s: float, end_s: float, rng: np.random.Generator, size: float = 1.0
) -> Turns:
    """Take turns in talking with the hands, some seconds each; who listens nods at times. Return the turns."""
    at, speaker, turns = begin_s, int(rng.integers(len(people))), []
    while end_s - at > 0.8:
        until = min(end_s, at + float(rng.uniform(1.2, 3.0)) / size)
        talk(people[speaker], at, until, size * float(rng.uniform(0.7, 1.2)), rng)
        turns.append((speaker, at, until))
        for listener in range(1, len(people)):
            if until - at > 1.4 and rng.random() < 0.7:
                nod(people[(speaker + listener) % len(people)], float(rng.uniform(at + 0.3, until - 0.6)), rng)
        # Of two the other is next: there is nothing to draw.
        following = 1 if len(people) == 2 else int(rng.integers(1, len(people)))
        at, speaker = until - 0.2, (speaker + following) % len(people)
    return turns


def see_each_other(
    people: Sequence[Actor], begin_s: float, end_s: float, rng: np.random.Generator, turns: Turns | None = None
) -> None:
    """Look at each other between two times, of more than two at whoever speaks, and away for a moment now and then; who
    stands shifts the weight."""
    heads = [head_places(actor) for actor in people]
    for number, actor in enumerate(people):
        share = share_of(actor, begin_s - float(rng.uniform(0.0, 0.5)), end_s + float(rng.uniform(0.0, 0.5)), 0.6)
        at = begin_s + float(rng.uniform(1.0, 3.0))
        while at < end_s - 1.0:
            share = share * (1.0 - rng.uniform(0.4, 1.0) * share_of(actor, at, at + float(rng.uniform(0.7, 1.3)), 0.3))
            at += float(rng.uniform(2.0, 4.0))
        look_at(actor, heads[1 - number] if len(people) == 2 else _seen(number, heads, turns or [], actor.fps), share)
        shift_weight(actor, standing_still(actor), rng)


def _seen(
    number: int, heads: Sequence[Float[np.ndarray, "time 3"]], turns: Turns, fps: float
) -> Float[np.ndarray, "time 3"]:
    """What one of a group looks at: the head of who speaks, and of who spoke before while they speak themselves."""
    others = [head for other, head in enumerate(heads) if other != number]
    count = min(len(head) for head in heads)
    seen, last = np.mean([head[:count] for head in others], axis=0), None
    for speaker, begin_s, _ in turns:
        last = last if speaker == number else speaker
        if last is not None:
            seen[round(begin_s * fps) :] = heads[last][round(begin_s * fps) : count]
    return gaussian_filter1d(seen, TURNS_S * fps, axis=0, mode="nearest")


def boxes_in(boxes: Sequence[Box]) -> dict[str, list]:
    """Return what details say of furniture."""
    return {"boxes": [[box.centre.tolist(), box.half_sizes.tolist(), box.yaw] for box in boxes]} if boxes else {}
