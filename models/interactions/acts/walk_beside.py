"""Two walk side by side: apart, a hand on the back, or holding an arm."""

from dataclasses import replace

import numpy as np

from models.animation.actor import actor_of
from models.body.subject import Subject
from models.interactions.hand_holds import Hold, Side, held_share, offer_arms
from models.interactions.interaction import IN_FRONT, OFFERED, OTHER, Interaction
from models.text.captions import Facts
from models.text.vocabulary import Touch


def walk_beside(resident: Subject, carer: Subject, fps: float, rng: np.random.Generator) -> Interaction:
    """Return two who walk side by side at the resident's pace: apart, a hand on the back, or holding the arm on that
    side."""
    side: Side = "left" if rng.random() < 0.5 else "right"
    sign = 1.0 if side == "left" else -1.0
    manner = str(rng.choice(["apart", "forearm", "upper_arm", "back"], p=[0.2, 0.3, 0.2, 0.3]))
    gap = rng.uniform(0.72, 0.9) if manner == "apart" else rng.uniform(0.5, 0.56)
    length, turn = rng.uniform(3.0, 5.0), rng.uniform(-0.7, 0.7) * (1.0 if manner == "apart" else 0.6)
    bend = np.array([np.cos(turn), np.sin(turn)])
    # Whose arm goes behind the other walks a little behind.
    behind = 0.0 if manner in ("apart", "forearm") else 0.12
    across = sign * gap * np.array([0.0, 1.0]) - behind * np.array([1.0, 0.0])
    middle, end = np.array([0.5 * length, 0.0]), np.array([0.5 * length, 0.0]) + 0.5 * length * bend
    shifted = sign * gap * np.array([-bend[1], bend[0]]) - behind * bend
    paths = (np.stack([np.zeros(2), middle, end]), np.stack([across, middle + 0.5 * (across + shifted), end + shifted]))
    # Who walks with an old person walks as slowly, and begins with the same draw of the pace and the same foot.
    seed, before, after = int(rng.integers(2**31)), float(rng.uniform(0.9, 1.3)), float(rng.uniform(1.3, 1.7))
    performed, seconds, stops = [], None, 0.0
    for person, path in zip((resident, carer), paths, strict=True):
        actor = actor_of(replace(person, age_years=resident.age_years), fps, np.random.default_rng(seed), path[0])
        actor.stand(before)
        first = actor.frames
        actor.walk(path, seconds)
        seconds, stops = (actor.frames - first) / fps, actor.frames / fps
        actor.stand(after)
        performed.append(actor.track(person, actor.frames))
    always = rng.random() < 0.5
    begin = -2.0 if always else 0.1
    until = 99.0 if always else stops + 0.2
    track, labels = performed[0]
    holds: tuple[Hold, ...] = ()
    if manner != "apart":
        part = manner if manner == "back" else f"{side}_{manner}"
        holds = (Hold(OTHER[side], part, begin, begin + 0.9, until, until + 0.7, (0.0, 0.0, 0.3)),)
        posture = OFFERED if manner == "forearm" else IN_FRONT
        track = offer_arms(track, posture, (side,), held_share(holds[0], len(labels), fps))
    touch: Touch | None = None if manner == "apart" else "back" if manner == "back" else "arm"
    facts = Facts("walk_beside", role="carer", other="resident", side=side, touch=touch)
    return Interaction(((track, labels), performed[1]), facts, holds)
