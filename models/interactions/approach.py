"""How who helps comes to where help is needed."""

import numpy as np
from jaxtyping import Float

from models.animation.actor import Actor, actor_of
from models.body.subject import Subject


def coming(
    person: Subject,
    spot: Float[np.ndarray, "2"],
    heading: float,
    aside: float,
    arrives_s: float,
    fps: float,
    rng: np.random.Generator,
) -> Actor:
    """Return somebody who has walked up to a spot, at the latest when `arrives_s` are over, or stands there already.

    The way begins in a direction `aside` (radians, to the left) of `heading`, world, and ends in that.
    """
    if rng.random() < 0.25:
        return actor_of(person, fps, rng, spot, heading)
    angle = heading + aside
    near = spot - 0.3 * np.array([np.cos(heading), np.sin(heading)])
    start = near - float(rng.uniform(0.5, 1.4)) * np.array([np.cos(angle), np.sin(angle)])
    actor = actor_of(person, fps, rng, start, angle)
    way = np.stack([start, near, spot])
    seconds = float(np.linalg.norm(np.diff(way, axis=0), axis=1).sum() / rng.uniform(0.8, 1.1) + 0.7)
    actor.stand(max(0.1, arrives_s - seconds - float(rng.uniform(0.1, 0.5))))
    actor.walk(way, min(seconds, arrives_s))
    return actor
