"""Somebody lies on the floor and rises by way of hands and knees, both knees, and one foot, held by a carer."""

from dataclasses import replace

import numpy as np

from models.animation.floor_transitions import key, paced, up_from_a_knee, up_to_all_fours, upright
from models.animation.keyframes import mirrored_key, perform
from models.animation.postures import kneeling, on_side, prone, supine, varied
from models.body.subject import Subject
from models.body.tracks import track_joints
from models.interactions.approach import coming
from models.interactions.hand_holds import Hold, Side
from models.interactions.interaction import OTHER, Acted, Interaction
from models.physics.humanoid import build_humanoid
from models.text.captions import Facts
from models.types import ACTIONS, SMPL_JOINTS

LONGEST_S = 16.0


def help_from_floor(resident: Subject, carer: Subject, fps: float, rng: np.random.Generator) -> Interaction:
    """Return how the resident gets up from the floor in stages; the carer comes, takes hold of back and arm from the
    side when the resident kneels, and lets go of who stands."""
    rise = rises_from_floor(resident, fps, rng)
    side: Side = "left" if rng.random() < 0.5 else "right"
    helping, holds = helps_from_side(resident, carer, rise, side, fps, rng)
    facts = Facts("help_from_floor", role="carer", other="resident", touch="back_and_arm", side=side)
    return Interaction((rise, helping), facts, holds)


def helps_from_side(
    resident: Subject, carer: Subject, rise: Acted, side: Side, fps: float, rng: np.random.Generator
) -> tuple[Acted, tuple[Hold, ...]]:
    """Return how a carer comes to one side of who rises from the floor, and the holds of back and arm, from the knees
    until they stand."""
    track, labels = rise
    joints = track_joints(resident.body, track)
    knelt = int(np.argmax(labels == ACTIONS.index("kneeling")))
    risen = int(np.flatnonzero(labels != ACTIONS.index("standing"))[-1]) + 1
    sign = 1.0 if side == "left" else -1.0
    # Who rises faces -x.
    left = np.array([0.0, -1.0])
    trunk = joints[knelt:risen, SMPL_JOINTS.index("spine3"), :2]
    spot = 0.5 * (trunk.min(axis=0) + trunk.max(axis=0)) + sign * rng.uniform(0.5, 0.58) * left
    grab, until = knelt / fps + float(rng.uniform(-0.3, 0.2)), risen / fps + 0.3
    helper = coming(carer, spot, sign * np.pi / 2.0, float(rng.uniform(-0.5, 0.5)), grab, fps, rng)
    while helper.frames < len(labels):
        helper.stand(len(labels) / fps)
    performed, actions = helper.track(carer, helper.frames)
    actions[round(grab * fps) : round((until + 0.4) * fps)] = ACTIONS.index("other")
    arm = "upper_arm" if rng.random() < 0.5 else "forearm"
    holds = (
        Hold(OTHER[side], "back", grab, grab + 0.9, until, until + 0.8),
        Hold(side, f"{side}_{arm}", grab + 0.2, grab + 1.1, until, until + 0.8),
    )
    return (performed, actions), holds


def rises_from_floor(resident: Subject, fps: float, rng: np.random.Generator) -> Acted:
    """Return how somebody gets from lying, head at -x, to standing and facing there; either foot first."""
    lies, old = str(rng.choice(["supine", "left_side", "prone"])), resident.old
    posture = {"supine": supine(), "left_side": on_side(), "prone": prone()}[lies]
    stands, _ = upright(old, 0.0, rng)
    knees = kneeling(float(rng.uniform(0.1, 0.4)))
    keys = [
        key(varied(posture, rng), 0.0, float(rng.uniform(0.6, 1.4)), "lying"),
        *up_to_all_fours(lies, 0.0, "stand_up"),
        key(knees, 1.4, float(rng.uniform(1.3, 2.2)), "stand_up", "kneeling", np.pi, ("right_knee",)),
        *up_from_a_knee(stands, old, 0.0, np.pi),
    ]
    keys[-1] = replace(keys[-1], hold_s=1.6)
    if rng.random() < 0.5:
        keys = [mirrored_key(k) for k in keys]
    pace = float((1.0 + 0.4 * old) * rng.uniform(0.9, 1.15))
    humanoid = build_humanoid(resident.body, resident.betas, resident.known_mass_kg, 0.004)
    done = perform(resident.body, humanoid, resident.betas, paced(keys, pace, LONGEST_S), fps, 0.5, rng)
    return resident.track(done.global_orient, done.body_pose, done.transl), done.actions
