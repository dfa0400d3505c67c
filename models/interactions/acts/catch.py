"""Somebody stumbles and stays up; a carer who stands by steps in and takes hold."""

import numpy as np

from models.animation.actor import actor_of
from models.body.placement import transform_track
from models.body.subject import Subject
from models.body.tracks import rest_root, track_joints
from models.geometry.transforms import matrix_from_axis_angle, transform, yaw
from models.interactions.hand_holds import Hold, Side
from models.interactions.interaction import OTHER, Interaction
from models.interactions.simulated_fall import held_at_end, simulated_resident_fall
from models.text.captions import Facts
from models.types import ACTIONS, SMPL_JOINTS

UP = 0.85
"""Height of the neck over that at first, of who is up again."""


def catch(resident: Subject, carer: Subject, fps: float, rng: np.random.Generator) -> Interaction:
    """Return how the resident stumbles and stays up; the carer, who stands beside the path, steps in and takes hold."""
    motion = simulated_resident_fall(resident, True, rng)
    track, labels = held_at_end(motion, fps, 1.0)
    onset_s = motion.details["onset_s"]
    root = rest_root(resident.body, resident.betas)
    # The stumbling person at the origin: the carer waits beside the path, where it leads to.
    shift = -(track.transl[round(onset_s * fps)] + root)
    track = transform_track(track, root, transform(yaw(0.0), np.array([*shift[:2], 0.0])))
    side: Side = "left" if rng.random() < 0.5 else "right"
    sign = 1.0 if side == "left" else -1.0
    joints = track_joints(resident.body, track)
    ends = joints[-1, 0, :2]
    facing = matrix_from_axis_angle(track.global_orient[-1])[:2, 2]
    facing = facing / np.linalg.norm(facing)
    aside = sign * np.array([-facing[1], facing[0]])
    near, far = ends + rng.uniform(0.5, 0.56) * aside, ends + rng.uniform(0.85, 1.0) * aside
    toward = float(np.arctan2(-aside[1], -aside[0]))
    actor = actor_of(carer, fps, rng, far, toward)
    begins = onset_s + float(rng.uniform(0.3, 0.5))
    # Nobody dives after who is about to touch the floor: hands take hold as soon as the trunk is up again.
    neck = joints[:, SMPL_JOINTS.index("neck"), 2]
    low = np.flatnonzero(neck < UP * neck[0])
    begins = max(begins, low[-1] / fps - 0.4) if len(low) else begins
    actor.stand(begins)
    actor.walk(np.stack([far, near]), 0.9)
    while actor.frames < len(labels):
        actor.stand(1.0)
    reached, actions = actor.track(carer, actor.frames)
    actions[round(begins * fps) :] = ACTIONS.index("standing")
    # Facing the resident's side, one hand is in front of the trunk and the other behind it.
    front: Side = side
    grab, until = begins + 0.25, 99.0 if rng.random() < 0.5 else len(labels) / fps - 1.0
    arm = f"{side}_upper_arm" if rng.random() < 0.5 else "chest"
    holds = (
        Hold(OTHER[front], "back", grab, grab + 0.6, until, until + 0.7),
        Hold(front, arm, grab + 0.1, grab + 0.75, until + 0.1, until + 0.8, (*facing, 0.0)),
    )
    direction = motion.details["direction"]
    facts = Facts("catch", role="carer", other="resident", direction=direction, touch="both_hands")
    details = {"cause": motion.details["cause"], "direction": direction, "onset_s": onset_s}
    return Interaction(((track, labels), (reached, actions)), facts, holds, (), max(grab, onset_s + 1.5), details)
