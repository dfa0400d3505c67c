"""Typical postures, upright to lying, by which a fit begins: each a pose, and how far the trunk tilts.

Not those of `models.animation.postures`, which are to be performed, within a humanoid's joint limits and by angles as
clinics give them. Starts of a fit are rough, cover what people may be in, and are components of rotation vectors; their
numbers decide where every fit begins, so the two stay apart.
"""

import functools
import json

import numpy as np
from jaxtyping import Float

from models.body.model import relaxed_pose
from models.geometry.transforms import matrix_from_axis_angle
from models.networks import STARTERS
from models.types import SMPL_JOINTS

LYING = STARTERS / "lying_postures.json"
"""Postures of simulated falls, made by models/training/pose_prior/lying_postures.py; nobody thinks of them by hand."""


def posture(
    hips: tuple[float, float] = (0.0, 0.0),
    knees: tuple[float, float] = (0.0, 0.0),
    spine: float = 0.0,
    neck: float = 0.0,
    arms: str = "down",
    apart: float = 0.05,
) -> Float[np.ndarray, "69"]:
    """Return body pose from flexions in radians (left, right); SMPL axes: +x turns up to forward, so hips flex by
    -x."""
    pose = relaxed_pose().reshape(23, 3).copy()
    for side, sign, hip, knee in (("left", 1.0, hips[0], knees[0]), ("right", -1.0, hips[1], knees[1])):
        pose[_row(f"{side}_hip")] = (-hip, 0.0, apart * sign)
        pose[_row(f"{side}_knee")] = (knee, 0.0, 0.0)
        if arms == "front":
            pose[_row(f"{side}_shoulder")] = (0.0, -1.2 * sign, -0.5 * sign)
            pose[_row(f"{side}_elbow")] = (0.0, -0.4 * sign, 0.0)
        elif arms == "bent":
            pose[_row(f"{side}_shoulder")] = (0.2, -0.3 * sign, -1.1 * sign)
            pose[_row(f"{side}_elbow")] = (0.0, -1.6 * sign, 0.0)
        elif arms == "out":
            pose[_row(f"{side}_shoulder")] = (0.0, 0.0, -0.2 * sign)
        elif arms == "up":
            pose[_row(f"{side}_shoulder")] = (0.0, 0.0, 1.0 * sign)
    for joint in ("spine1", "spine2", "spine3"):
        pose[_row(joint)] = (spine / 3.0, 0.0, 0.0)
    pose[_row("neck")] = pose[_row("head")] = (neck / 2.0, 0.0, 0.0)
    return pose.reshape(69)


def _row(joint: str) -> int:
    return SMPL_JOINTS.index(joint) - 1


def tilt(forward: float = 0.0, left: float = 0.0, roll: float = 0.0) -> Float[np.ndarray, "3 3"]:
    """Turn of the body about its own long axis, then a lean forward and to the left (SMPL axes)."""
    lean = matrix_from_axis_angle(np.array([forward, 0.0, -left]))
    return lean @ matrix_from_axis_angle(np.array([0.0, roll, 0.0]))


@functools.cache
def posture_library() -> tuple[list[tuple[Float[np.ndarray, "69"], Float[np.ndarray, "3 3"]]], list[float]]:
    """Return postures with the tilt of the pelvis and what each costs before anything is seen (likely ones less)."""
    quarter = np.pi / 2.0
    entries = [
        (posture(), tilt(), 0.0),
        (posture(arms="bent"), tilt(), 0.2),
        (posture(arms="front"), tilt(), 0.4),
        (posture(hips=(0.4, -0.25), knees=(0.15, 0.3)), tilt(0.05), 0.0),
        (posture(hips=(-0.25, 0.4), knees=(0.3, 0.15)), tilt(0.05), 0.0),
        (posture(hips=(0.5, 0.5), spine=0.6), tilt(0.5), 0.4),
        (posture(hips=(1.0, 1.0), spine=0.7, arms="front"), tilt(1.0), 0.5),
        (posture(hips=(0.9, 0.9), knees=(0.9, 0.9), spine=0.4), tilt(0.4), 0.5),
        (posture(hips=(1.7, 1.7), knees=(2.1, 2.1), spine=0.5, arms="front", apart=0.25), tilt(0.35), 0.5),
        (posture(hips=(1.5, 1.5), knees=(1.5, 1.5), apart=0.12), tilt(-0.05), 0.3),
        (posture(hips=(1.4, 1.4), knees=(1.5, 1.5), spine=0.5, apart=0.15), tilt(0.25), 0.4),
        (posture(hips=(1.5, 1.5), knees=(0.15, 0.15)), tilt(-0.1), 0.5),
        (posture(hips=(2.0, 2.0), knees=(1.8, 1.8), apart=0.15), tilt(-0.2), 0.5),
        (posture(hips=(0.1, 0.1), knees=(1.6, 1.6), spine=0.2), tilt(0.1), 0.6),
        (posture(hips=(1.5, 0.1), knees=(1.5, 1.6), spine=0.2), tilt(0.1), 0.6),
        (posture(hips=(0.1, 1.5), knees=(1.6, 1.5), spine=0.2), tilt(0.1), 0.6),
        (posture(hips=(1.5, 1.5), knees=(1.5, 1.5), arms="front"), tilt(1.4), 0.6),
    ]
    for lean in (0.45, 0.95):
        entries += [
            (posture(arms="front", knees=(0.3, 0.3)), tilt(lean), 0.6),
            (posture(hips=(0.5, 0.5), knees=(0.5, 0.5), arms="out"), tilt(-lean), 0.6),
            (posture(hips=(0.3, 0.3), knees=(0.4, 0.4), arms="out"), tilt(0.0, lean), 0.6),
            (posture(hips=(0.3, 0.3), knees=(0.4, 0.4), arms="out"), tilt(0.0, -lean), 0.6),
        ]
    shapes = (
        posture(),
        posture(hips=(0.9, 0.9), knees=(1.5, 1.5)),
        posture(hips=(0.2, 0.7), knees=(0.2, 0.9), arms="bent"),
    )
    shapes += tuple(np.array([*posture, *[0.0] * 6]) for posture in json.loads(LYING.read_text()))
    for roll in np.arange(8) * np.pi / 4.0:
        entries += [(shape, tilt(-quarter, 0.0, float(roll)), 0.5) for shape in shapes]
    entries += [(posture(arms="up"), tilt(quarter), 0.5), (posture(arms="out"), tilt(quarter), 0.5)]
    return [(pose, tilt) for pose, tilt, _ in entries], [cost for _, _, cost in entries]
