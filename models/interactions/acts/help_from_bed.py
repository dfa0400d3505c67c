"""Somebody sits on the edge of a bed, or lies and sits up, and rises, or tries to; a carer comes and holds on."""

from dataclasses import replace

import numpy as np

from models.animation.actor import actor_of
from models.animation.props import bed_behind, lowered
from models.body.subject import Subject
from models.falls.look_alikes import HULL_M
from models.interactions.approach import coming
from models.interactions.hand_holds import Side, held_share, offer_arms
from models.interactions.interaction import OFFERED, Interaction, rising_holds
from models.text.captions import Facts
from models.types import ACTIONS, take

UNSEEN_S = 0.5
"""How long it takes until what was done before shows no more in how somebody lies."""


def help_from_bed(resident: Subject, carer: Subject, fps: float, rng: np.random.Generator) -> Interaction:
    """Return how the resident gets up from a bed, or rises half way and sinks back; the carer comes and holds both
    forearms from the front, or back and forearm from the side."""
    sitter = actor_of(resident, fps, rng, np.zeros(2), 0.0)
    lies = rng.random() < 0.5
    edge = float(rng.uniform(0.15, 0.26) if lies else rng.uniform(0.05, 0.14))
    support, bed = bed_behind(sitter, float(rng.uniform(0.44, 0.54)), edge)
    sitter.sit_down(support, 1.5)
    sitter.sit(support, 0.6)
    first = sitter.frames
    if lies:
        sitter.sit_up(support, float(rng.uniform(2.4, 3.2)), UNSEEN_S + float(rng.uniform(0.6, 1.2)))
        first += round(UNSEEN_S * fps)
    sitter.sit(support, float(rng.uniform(2.2, 3.0) if lies else rng.uniform(3.2, 4.2)))
    begins = (sitter.frames - first) / fps
    seconds = float(rng.uniform(2.2, 3.4))
    in_vain = rng.random() < 0.25
    if in_vain:
        seconds *= 1.4
        sitter.rise_and_sink(support, seconds, float(rng.uniform(0.45, 0.75)))
        sitter.sit(support, 2.0)
    else:
        sitter.stand_up(support, seconds)
        sitter.stand(1.6)
    track, labels = sitter.track(resident, sitter.frames)
    kept = np.arange(first, len(labels))
    track, labels = take(track, kept), labels[kept]
    bed = lowered(resident.body, track, bed, int(np.argmin(track.transl[:, 2])), HULL_M)
    grab, until = begins - float(rng.uniform(1.1, 1.4)), begins + seconds + 0.4
    front = rng.random() < 0.5
    side: Side = "left" if rng.random() < 0.5 else "right"
    sign = 1.0 if side == "left" else -1.0
    if front:
        spot = np.array([rng.uniform(0.54, 0.6), 0.08 * rng.uniform(-1.0, 1.0)])
    else:
        spot = np.array([rng.uniform(-0.04, 0.06) + (0.06 if lies else 0.0), sign * rng.uniform(0.52, 0.6)])
    holds, offered = rising_holds(None if front else side, grab, until)
    track = offer_arms(track, OFFERED, offered, held_share(replace(holds[-1], begin_s=grab - 0.2), len(labels), fps))
    heading = float(np.pi if front else -sign * np.pi / 2.0)
    # Nobody walks through the bed.
    aside = float(rng.uniform(-0.5, 0.5) if front else -sign * rng.uniform(0.0, 0.5))
    helper = coming(carer, spot, heading, aside, grab, fps, rng)
    while helper.frames < len(labels):
        helper.stand(len(labels) / fps)
    performed, actions = helper.track(carer, helper.frames)
    actions[round(grab * fps) : round((until + 0.4) * fps)] = ACTIONS.index("other")
    touch = "both_arms" if front else "back_and_arm"
    outcome = "sinks_back" if in_vain else None
    facts = Facts(
        "help_from_bed",
        role="carer",
        other="resident",
        touch=touch,
        side=None if front else side,
        outcome=outcome,
    )
    details = {"boxes": [[bed.centre.tolist(), bed.half_sizes.tolist(), bed.yaw]]}
    details |= {"outcome": outcome} if in_vain else {}
    return Interaction(((track, labels), (performed, actions)), facts, holds, (bed,), 0.0, details)
