"""Somebody lies in bed; a carer comes to the bedside, takes hold of shoulder and hip, and rolls them onto the side."""

from dataclasses import replace

import numpy as np

from models.animation.floor_transitions import key
from models.animation.gestures import bend_down, draw_arm, share_of
from models.animation.keyframes import mirrored_key, perform
from models.animation.postures import on_side, supine, varied
from models.animation.props import lowered
from models.animation.stepping import step_to
from models.body.subject import Subject
from models.falls.look_alikes import HULL_M
from models.interactions.approach import coming
from models.interactions.hand_holds import Hold, Side
from models.interactions.interaction import OTHER, Acted, Interaction, facts_of
from models.interactions.meeting import boxes_in, leaves, wait
from models.physics.humanoid import Box, build_humanoid
from models.types import take

HALF_M = (1.05, 0.48, 0.1)
"""Of the mattress: feet fit beneath it. It is raised to where a carer can work."""


def turn_in_bed(resident: Subject, carer: Subject, fps: float, rng: np.random.Generator) -> Interaction:
    """Return how the carer rolls the resident, who lies on the back, towards or away from themselves, lets go and steps
    back."""
    side: Side = "left" if rng.random() < 0.5 else "right"
    towards = rng.random() < 0.5
    begins, seconds = float(rng.uniform(3.2, 4.4)), float(rng.uniform(1.8, 3.0))
    track, labels = _rolled(resident, side, begins, seconds, fps, rng)
    # Who lies on the back with the head at -x has the left at +y.
    sign = 1.0 if (side == "left") == towards else -1.0
    height = float(rng.uniform(0.68, 0.82))
    edge = float(rng.uniform(0.42, 0.48) if towards else rng.uniform(0.24, 0.3))
    centre = np.array([0.12, sign * (edge - HALF_M[1]), height - HALF_M[2]])
    track = replace(track, transl=track.transl + np.array([0.0, 0.0, height]))
    bed = lowered(resident.body, track, Box("bed", centre, np.array(HALF_M)), 0, HULL_M)
    heading = -sign * np.pi / 2.0
    spot = np.array([rng.uniform(-0.26, -0.14), sign * (edge + rng.uniform(0.09, 0.14))])
    # Who is pulled over has begun to turn when the hands get there: nobody reaches far across a bed.
    grab = begins - float(rng.uniform(0.5, 0.8) if towards else rng.uniform(1.0, 1.3))
    until = begins + seconds * float(rng.uniform(0.75, 0.95))
    helper = coming(carer, spot, heading, float(rng.uniform(-0.5, 0.5)), grab, fps, rng)
    wait(helper, until + 0.9 - helper.frames / fps)
    step_to(helper, helper.xy + np.array([0.0, sign * rng.uniform(0.25, 0.45)]), heading, float(rng.uniform(0.4, 0.5)))
    walks_off = rng.random() < 0.35
    if walks_off:
        leaves(helper, float(-heading + rng.uniform(-0.8, 0.8)))
    wait(helper, max(0.6, (len(labels) - helper.frames) / fps))
    bends = float(rng.uniform(0.1, 0.22))
    stoops = share_of(helper, grab - 0.6, until + 1.1, 1.2)
    bend_down(helper, bends * stoops)
    for arm in ("l", "r"):
        draw_arm(helper, arm, 1.1, 0.9, stoops)
    last = np.minimum(np.arange(helper.frames), len(labels) - 1)
    # Facing the bed from the resident's left, the right hand is nearer to the head.
    at_head: Side = "right" if sign > 0.0 else "left"
    over = OTHER[side]
    grasps: tuple[tuple[Side, str, float], ...] = (
        (at_head, "upper_arm" if towards and rng.random() < 0.5 else "shoulder", grab),
        (OTHER[at_head], "hip", grab + 0.15),
    )
    holds = tuple(
        Hold(hand, f"{over}_{part}", at, at + 0.9, until, until + 0.7, (0.0, 0.0, 0.3)) for hand, part, at in grasps
    )
    facts = facts_of(
        "turn_in_bed",
        resident,
        carer,
        side=side,
        turned="towards" if towards else "away",
        touch="shoulder_and_hip",
        then="walks_off" if walks_off else "steps_back",
    )
    details = {"side": side, "turned": facts.turned} | boxes_in((bed,))
    performed = helper.track(carer, helper.frames)
    return Interaction(((take(track, last), labels[last]), performed), facts, holds, (bed,), 0.0, details)


def _rolled(
    resident: Subject, side: Side, begins: float, seconds: float, fps: float, rng: np.random.Generator
) -> Acted:
    """From the back, head at -x, onto a side, on the floor."""
    bent = float(rng.uniform(0.4, 0.75))
    ends = replace(
        on_side(),
        hips=(45.0 * bent, 65.0 * bent),
        knees=(65.0 * bent, 80.0 * bent),
        arms=(float(rng.uniform(30.0, 60.0)), float(rng.uniform(10.0, 40.0))),
        elbows=(float(rng.uniform(90.0, 120.0)), float(rng.uniform(20.0, 60.0))),
    )
    keys = [
        key(varied(supine(), rng), 0.0, begins, "lying"),
        key(varied(ends, rng), seconds, float(rng.uniform(3.0, 4.0)), "lying"),
    ]
    if side == "right":
        keys = [mirrored_key(one) for one in keys]
    humanoid = build_humanoid(resident.body, resident.betas, resident.known_mass_kg, 0.004)
    done = perform(resident.body, humanoid, resident.betas, keys, fps, 0.5, rng)
    return resident.track(done.global_orient, done.body_pose, done.transl), done.actions
