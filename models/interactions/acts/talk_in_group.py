"""Three to five talk in a circle: one may sit, and somebody may come up later and join them."""

import numpy as np

from models.animation.actor import Actor
from models.body.subject import Subject
from models.interactions.interaction import Interaction
from models.interactions.meeting import (
    Turns,
    boxes_in,
    comes_or_stands,
    direction,
    seated,
    see_each_other,
    talk_together,
    wait,
    wait_for,
)
from models.text.captions import Facts
from models.types import Role

RADIUS_M = {3: 0.72, 4: 0.84, 5: 0.98}
"""Of the circle, by how many stand on it: neighbours are a good metre apart."""


def talk_in_group(*people: Subject, fps: float, rng: np.random.Generator) -> Interaction:
    """Return how people in a loose circle talk with their hands, and look at whoever speaks; with luck one of them
    walks up when the others talk already."""
    count = len(people)
    sits, joins = rng.random() < 0.3, rng.random() < 0.55
    joiner = int(rng.integers(1, count)) if joins else None
    radius = RADIUS_M[count] * float(rng.uniform(0.92, 1.15))
    # The first is at the origin and faces +x, to the middle.
    middle, support, boxes = np.array([radius, 0.0]), None, ()
    actors: list[Actor] = []
    for number, person in enumerate(people):
        if number == 0 and sits:
            actor, support, boxes = seated(person, fps, rng)
        else:
            angle = np.pi + 2.0 * np.pi * number / count + float(rng.uniform(-0.16, 0.16)) * (number > 0)
            spot = middle + radius * float(rng.uniform(0.94, 1.1) if number else 1.0) * direction(angle)
            comes_from = (angle + float(rng.uniform(-0.5, 0.5)), float(rng.uniform(1.2, 3.0)))
            facing = angle + np.pi + float(rng.uniform(-0.25, 0.25))
            actor = comes_or_stands(person, fps, rng, spot, facing, comes_from if number == joiner else None)
        actors.append(actor)
    joined = None if joiner is None else actors[joiner].frames / fps
    ends = (joined or 1.0) + float(rng.uniform(4.5, 7.0))
    for number, actor in enumerate(actors):
        wait(actor, ends + 0.5 - actor.frames / fps, support if number == 0 else None)
    longest = max(actors, key=lambda actor: actor.frames)
    for number, actor in enumerate(actors):
        wait_for(actor, longest, support if number == 0 else None)
    turns: Turns = []
    if joiner is not None and joined is not None:
        before = [number for number in range(count) if number != joiner]
        spoken = talk_together([actors[number] for number in before], 0.2, joined - 0.6, rng)
        # All look at who comes up.
        turns = [(before[speaker], begin, end) for speaker, begin, end in spoken] + [(joiner, joined - 0.9, joined)]
    turns += talk_together(actors, joined or 0.3, ends, rng)
    see_each_other(actors, -1.0, ends + 0.5, rng, turns)
    roles: list[Role] = [person.role for number, person in enumerate(people) if number != joiner]
    facts = Facts(
        "talk_in_group",
        role=roles[-1],
        together=tuple(roles[:-1]),
        joined_by=None if joiner is None else people[joiner].role,
    )
    details = {"ends_s": ends} | ({"joins_s": joined} if joined is not None else {}) | boxes_in(boxes)
    tracks = tuple(actor.track(person, longest.frames) for actor, person in zip(actors, people, strict=True))
    return Interaction(tracks, facts, details=details)
