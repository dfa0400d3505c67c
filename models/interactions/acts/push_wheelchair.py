"""Somebody sits in a wheelchair, which a carer pushes by its handles."""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d

from models.animation.actor import actor_of
from models.animation.props import chair_behind
from models.animation.rig import rig_of
from models.body.subject import Subject
from models.body.tracks import rest_joints_of, rest_root
from models.geometry.transforms import axis_angle_from_matrix, matrix_from_axis_angle, yaw
from models.interactions.hand_holds import Handle, Hold
from models.interactions.interaction import Acted, Interaction
from models.text.captions import Facts
from models.types import ACTIONS, SMPL_JOINTS, take

BEHIND_M = (0.66, 0.78)
"""From the pelvis of who pushes to that of who sits."""
HANDLES_M = (-0.42, -0.34)
"""Where the handles are, seen from the pelvis of who sits."""
FOOT_REST_M = (0.07, 0.13)
TURNS = 0.4
"""Radians from which on a caption says that they turn."""


def push_wheelchair(resident: Subject, carer: Subject, fps: float, rng: np.random.Generator) -> Interaction:
    """Return how the resident sits, feet on the rest, and is wheeled along a bent way; the carer walks behind,
    both hands on the handles.

    Nothing but the people is there; where the chair is follows from who sits in it.
    """
    length, turn = float(rng.uniform(3.5, 6.0)), float(rng.choice([0.0, 1.0])) * float(rng.uniform(-1.2, 1.2))
    along = np.linspace(0.0, length, 80)
    bend = turn * np.clip((along / length - 0.25) / 0.5, 0.0, 1.0)
    path = np.concatenate([np.zeros((1, 2)), np.cumsum(np.diff(along)[:, None] * _unit(bend)[1:], axis=0)])
    behind, speed = float(rng.uniform(*BEHIND_M)), float(rng.uniform(0.6, 0.95))
    handles_x = float(rng.uniform(*HANDLES_M))
    height = float(rng.uniform(0.88, 0.98)) * 0.5 * (1.0 + carer.body.stature(carer.betas) / 1.7)
    behind = min(behind, _arms_reach(carer, height) - handles_x)
    walker = actor_of(carer, fps, rng, path[0], 0.0)
    walker.stand(float(rng.uniform(0.6, 1.6)))
    walker.walk(path, length / speed + 0.7, float(rng.uniform(0.45, 0.58)))
    walker.stand(float(rng.uniform(0.8, 1.6)))
    pushing, actions = walker.track(carer, walker.frames)
    places = (pushing.transl + rest_root(carer.body, carer.betas))[:, :2]
    fronts = matrix_from_axis_angle(pushing.global_orient)[:, :2, 2]
    places, fronts = (gaussian_filter1d(v, 0.3 * fps, axis=0, mode="nearest") for v in (places, fronts))
    headings = np.unwrap(np.arctan2(fronts[:, 1], fronts[:, 0]))
    # The axle, under the handles, cannot slip aside: the chair looks where its axle goes.
    axle = places + (behind + handles_x) * _unit(headings)
    headings = _rolling(axle, headings[0], -handles_x)
    seats = axle - handles_x * _unit(headings)
    sitting = _wheeled(resident, seats, headings, fps, rng)
    wide, grab = float(rng.uniform(0.19, 0.23)), float(rng.uniform(-3.0, 0.1))
    pelvis_z = float(sitting[0].transl[0, 2] + rest_root(resident.body, resident.betas)[2])
    up = np.array([0.35, 0.0, 0.94])
    holds = tuple(
        Hold(
            "left" if sign > 0.0 else "right",
            "wheelchair",
            grab,
            grab + 0.7,
            99.0,
            99.0,
            handle=Handle(np.array([handles_x - 0.06, sign * wide, height - pelvis_z]), up),
        )
        for sign in (1.0, -1.0)
    )
    turns = None if abs(turn) < TURNS else "left" if turn > 0.0 else "right"
    facts = Facts("push_wheelchair", role="carer", other="resident", turns=turns)
    return Interaction((sitting, (pushing, actions)), facts, holds, details={"aid": "wheelchair"})


def _arms_reach(carer: Subject, height: float) -> float:
    """How far in front of the pelvis of who stands hands come down to so high without stretching."""
    rest, rig = rest_joints_of(carer.body, carer.betas), rig_of(carer.body, carer.betas)
    shoulder, elbow, wrist = (rest[SMPL_JOINTS.index(f"left_{name}")] for name in ("shoulder", "elbow", "wrist"))
    arm = 0.86 * float(np.linalg.norm(elbow - shoulder) + np.linalg.norm(wrist - elbow))
    above = rig.standing + float(shoulder[1] - rest[0, 1]) - height - 0.05
    return float(np.sqrt(max(0.01, arm**2 - above**2))) + 0.07


def _unit(angle: Float[np.ndarray, "*batch"]) -> Float[np.ndarray, "*batch 2"]:
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def _rolling(axle: Float[np.ndarray, "time 2"], start: float, base_m: float) -> Float[np.ndarray, "time"]:
    """Headings of what is steered by where its axle is drawn, at which it stands still on the floor: those turn towards
    the way that it goes, over about `base_m`."""
    headings = np.full(len(axle), start)
    for frame in range(1, len(axle)):
        step = axle[frame] - axle[frame - 1]
        far, now = float(np.linalg.norm(step)), headings[frame - 1]
        off = np.arctan2(step[1], step[0]) - now
        headings[frame] = now + np.sin(off) * min(1.0, far / base_m) if far > 1e-4 else now
    return headings


def _wheeled(
    resident: Subject,
    seats: Float[np.ndarray, "time 2"],
    headings: Float[np.ndarray, "time"],
    fps: float,
    rng: np.random.Generator,
) -> Acted:
    """The resident seated with the pelvis over `seats`."""
    sitter = actor_of(resident, fps, rng)
    support, _ = chair_behind(sitter, float(rng.uniform(0.4, 0.44)), np.zeros(2))
    sitter.sit_down(support, 1.5)
    first = sitter.frames + round(0.4 * fps)
    while sitter.frames < first + len(seats):
        sitter.sit(support, 1.0 + len(seats) / fps)
    track, _ = sitter.track(resident, sitter.frames)
    track = take(track, np.arange(first, first + len(seats)))
    root = rest_root(resident.body, resident.betas)
    # Pelvis and legs stay as the chair has them.
    still = track.body_pose.reshape(-1, 23, 3).copy()
    still[:, [0, 1, 3, 4, 6, 7, 9, 10]] = still[0, [0, 1, 3, 4, 6, 7, 9, 10]]
    turned = axis_angle_from_matrix(
        np.stack([yaw(angle) for angle in headings]) @ matrix_from_axis_angle(track.global_orient[0])
    )
    lifted = track.transl[0, 2] + root[2] + float(rng.uniform(*FOOT_REST_M))
    pelvis = np.concatenate([seats, np.full((len(seats), 1), lifted)], axis=1)
    seated = resident.track(turned, still.reshape(-1, 69), pelvis - root)
    return seated, np.full(len(seats), ACTIONS.index("sitting"))
