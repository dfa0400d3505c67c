"""Somebody falls; a carer walks up, goes down, and lays a hand on shoulder or arm."""

from dataclasses import replace
from typing import get_args

import numpy as np
from jaxtyping import Float

from models.animation.actor import actor_of
from models.animation.floor_transitions import FEET, down_to_a_knee, key, paced, upright
from models.animation.keyframes import mirrored_key, perform
from models.animation.postures import squatting, varied
from models.body.subject import Subject
from models.body.tracks import track_joints
from models.interactions.hand_holds import Hold, Side
from models.interactions.interaction import CHANGE_S, OTHER, Acted, Interaction, followed_by
from models.interactions.simulated_fall import held_at_end, simulated_resident_fall
from models.physics.humanoid import build_humanoid
from models.text.captions import Facts
from models.types import ACTIONS, SMPL_JOINTS, PersonTrack, take

LOW = (ACTIONS.index("kneeling"), ACTIONS.index("squatting"))
LEANT_M = (0.2, 0.12)
"""How far forward and down the shoulders of who is down come by leaning over."""


def approach_fallen(resident: Subject, carer: Subject, fps: float, rng: np.random.Generator) -> Interaction:
    """Return how the resident falls and lies; the carer walks up, goes down and lays a hand or both on shoulder and
    arm."""
    motion = simulated_resident_fall(resident, False, rng)
    track, labels = held_at_end(motion, fps, 8.0)
    lying = track_joints(resident.body, take(track, np.array([len(labels) - 1])))[0]
    side, part, angle, point, extent = _access(lying[:22], rng)
    outwards = np.array([np.cos(angle), np.sin(angle)])
    first: Side = "right" if rng.random() < 0.5 else "left"
    down = _down(carer, OTHER[first], fps, rng)
    away = min(extent + 0.24, _reach_m(carer, down[0], first, float(point[2])))
    # The hand that reaches is in front of the knee that goes down; the other foot is beside what it reaches for.
    aside = (0.12 if first == "right" else -0.12) * np.array([outwards[1], -outwards[0]])
    stop = point[:2] + max(away, 0.2) * outwards + aside
    start = stop + rng.uniform(1.5, 2.5) * outwards
    actor = actor_of(carer, fps, rng, start, float(angle + np.pi))
    actor.stand(motion.details["rest_s"] - rng.uniform(0.0, 0.6))
    actor.walk(np.stack([start, stop]))
    actor.stand(0.3)
    walked = actor.track(carer, actor.frames)
    heading, stood = float(angle + np.pi), len(walked[1]) / fps
    performed = followed_by(carer, walked, down, heading, fps)
    begin = stood + int(np.argmax(np.isin(down[1], LOW))) / fps - 0.2
    given_s = motion.details["rest_s"] + 0.3
    outside = (-0.3 * outwards[0], -0.3 * outwards[1], 0.8)
    holds = (Hold(first, f"{side}_{part}", begin, begin + 0.9, 99.0, 99.0, outside),)
    keep = ("cause", "direction", "onset_s", "impact_s", "rest_s")
    details = {key: motion.details[key] for key in keep}
    facts = Facts("approach_fallen", role="carer", other="resident", touch="shoulder" if part == "shoulder" else "arm")
    return Interaction(((track, labels), performed), facts, holds, (), given_s, details)


def _access(
    lying: Float[np.ndarray, "joint 3"], rng: np.random.Generator
) -> tuple[Side, str, float, Float[np.ndarray, "3"], float]:
    """Where somebody who lies can be reached: side and part, world angle outwards, the place, and how far out the body
    is.

    Shoulders before arms, and from where the rest of the body is least in the way.
    """
    found: list[tuple[float, Side, str, float, np.ndarray, float]] = []
    for side in get_args(Side):
        at = {name: lying[SMPL_JOINTS.index(f"{side}_{name}")] for name in ("shoulder", "elbow", "wrist")}
        for part, point, worse in (
            ("shoulder", at["shoulder"], 0.0),
            ("upper_arm", (at["shoulder"] + at["elbow"]) / 2.0, 0.05),
            ("forearm", (at["elbow"] + at["wrist"]) / 2.0, 0.12),
        ):
            for angle in rng.uniform(-np.pi, np.pi, 16):
                outwards = np.array([np.cos(angle), np.sin(angle)])
                off = lying[:, :2] - point[:2]
                lateral = np.abs(off @ np.array([-outwards[1], outwards[0]]))
                extent = max(0.06, float((off @ outwards)[lateral < 0.36].max()))
                found.append((extent + worse, side, part, float(angle), point, extent))
    found.sort(key=lambda one: one[0])
    return found[int(rng.integers(4))][1:]


def _reach_m(carer: Subject, down: PersonTrack, hand: Side, height_m: float) -> float:
    """How far before the feet's first place, in the end of going down, a hand gets hold of something so high."""
    joints = track_joints(carer.body, take(down, np.array([0, len(down.transl) - 1])))
    ankles = [SMPL_JOINTS.index(f"{side}_ankle") for side in ("left", "right")]
    stood = joints[0, ankles, 0].mean()
    shoulder, elbow, wrist = (joints[1, SMPL_JOINTS.index(f"{hand}_{name}")] for name in ("shoulder", "elbow", "wrist"))
    arm = float(np.linalg.norm(elbow - shoulder) + np.linalg.norm(wrist - elbow))
    # Leaning over brings the shoulder forward and down.
    fall = shoulder[2] - LEANT_M[1] - height_m
    return float(shoulder[0] - stood + LEANT_M[0] + np.sqrt(max(0.0, arm**2 - fall**2)))


def _down(carer: Subject, foot: Side, fps: float, rng: np.random.Generator) -> Acted:
    """From standing at the origin, facing +x, onto one knee, with that foot in front, or into a squat; about 4 s down
    there."""
    _, first = upright(carer.old, CHANGE_S + 0.1, rng)
    if rng.random() < 0.6:
        keys = [first, *down_to_a_knee(carer.old)]
        keys[-1] = replace(keys[-1], hold_s=4.0, action_held="kneeling")
    else:
        low = varied(squatting(float(rng.uniform(0.6, 1.0))), rng)
        keys = [first, key(low, 1.5, 4.0, "squat_down", "squatting", planted=FEET, balanced=True)]
    if foot == "right":
        keys = [mirrored_key(k) for k in keys]
    humanoid = build_humanoid(carer.body, carer.betas, carer.known_mass_kg, 0.004)
    done = perform(carer.body, humanoid, carer.betas, paced(keys, float(rng.uniform(0.85, 1.1)), 9.0), fps, 0.6, rng)
    track = carer.track(done.global_orient, done.body_pose, done.transl)
    return track, done.actions
