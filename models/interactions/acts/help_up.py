"""Somebody rises from a chair, held by a carer."""

from dataclasses import replace

import numpy as np

from models.animation.actor import Actor, actor_of
from models.animation.props import chair_behind, lowered
from models.animation.support import Support
from models.body.subject import Subject
from models.falls.look_alikes import HULL_M
from models.interactions.hand_holds import Side, held_share, offer_arms
from models.interactions.interaction import OFFERED, Interaction, rising_holds
from models.physics.humanoid import Box
from models.text.captions import Facts
from models.types import ACTIONS, take


def seated(resident: Subject, fps: float, rng: np.random.Generator) -> tuple[Actor, Support, tuple[Box, ...], int]:
    """Return somebody who has sat on a chair for a while, the chair and its boxes, and the first frame of sitting."""
    sitter = actor_of(resident, fps, rng, np.zeros(2), 0.0)
    support, boxes = chair_behind(sitter, float(rng.uniform(0.42, 0.5)), np.zeros(2))
    sitter.sit_down(support, 1.5)
    first = sitter.frames
    sitter.sit(support, float(rng.uniform(2.0, 2.8)))
    return sitter, support, boxes, first


def help_up(resident: Subject, carer: Subject, fps: float, rng: np.random.Generator) -> Interaction:
    """Return how the resident rises from a chair; the carer holds both forearms from the front, or arm and back from
    the side."""
    sitter, support, boxes, first = seated(resident, fps, rng)
    begins = (sitter.frames - first) / fps
    seconds = float(rng.uniform(2.2, 3.4))
    sitter.stand_up(support, seconds)
    sitter.stand(1.6)
    track, labels = sitter.track(resident, sitter.frames)
    kept = np.arange(first, len(labels))
    track, labels = take(track, kept), labels[kept]
    boxes = (lowered(resident.body, track, boxes[0], int(np.argmin(track.transl[:, 2])), HULL_M), *boxes[1:])
    risen_s = begins + seconds
    grab, until = begins - 1.3, risen_s + 0.4
    front = rng.random() < 0.5
    side: Side = "left" if rng.random() < 0.5 else "right"
    sign = 1.0 if side == "left" else -1.0
    if front:
        spot = np.array([rng.uniform(0.54, 0.6), 0.08 * rng.uniform(-1.0, 1.0)])
    else:
        spot = np.array([rng.uniform(-0.1, 0.02), sign * rng.uniform(0.52, 0.6)])
    holds, offered = rising_holds(None if front else side, grab, until)
    track = offer_arms(track, OFFERED, offered, held_share(replace(holds[-1], begin_s=grab - 0.2), len(labels), fps))
    heading = np.pi if front else -sign * np.pi / 2.0
    helper = actor_of(carer, fps, rng, spot, float(heading))
    while helper.frames < len(labels):
        helper.stand(len(labels) / fps)
    performed, actions = helper.track(carer, helper.frames)
    helping = slice(round(grab * fps), round((until + 0.4) * fps))
    actions[helping] = ACTIONS.index("other")
    facts = Facts("help_up", role="carer", other="resident", touch="both_arms" if front else "arm")
    details = {"boxes": [[box.centre.tolist(), box.half_sizes.tolist(), box.yaw] for box in boxes]}
    return Interaction(((track, labels), (performed, actions)), facts, holds, boxes, 0.0, details)
