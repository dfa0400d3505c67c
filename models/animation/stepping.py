"""Small steps in any direction, the body facing where it is told: back, aside, up to somebody, turning on the way."""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from models.animation.actor import Actor
from models.geometry.easing import smoothstep
from models.geometry.transforms import R_ZUP_YUP

STEP_M, STEP_RAD = 0.34, 0.8
"""Longest of such steps, of somebody young; the old take shorter ones."""


def step_to(actor: Actor, xy: Float[np.ndarray, "2"], heading: float, step_s: float) -> None:
    """Step to a place and end facing a world angle, the feet in turn, each step `step_s` seconds."""
    start, turn = actor.xy.copy(), (heading - actor.heading + np.pi) % (2.0 * np.pi) - np.pi
    along = xy - start
    longest = STEP_M * (1.0 - 0.3 * actor.old)
    strides = max(float(np.linalg.norm(along)) / longest, abs(turn) / STEP_RAD, 1.0)
    steps = int(np.ceil(strides)) + 1
    each = max(3, round(step_s * actor.fps))
    frame = np.arange(each * steps)
    # The foot on the side that is gone to, or turned to, leaves first: legs do not cross.
    left = np.array([-np.sin(actor.heading), np.cos(actor.heading)])
    lead = 0 if along @ left + 0.1 * turn >= 0.0 else 1
    progress, lift = np.zeros((len(frame), 2)), np.zeros((len(frame), 2))
    for number in range(steps):
        foot = (lead + number) % 2
        inside = np.clip((frame - number * each) / each, 0.0, 1.0)
        before = min(1.0, max(0.0, (number - 1) / (steps - 1)))
        progress[:, foot] = np.where(
            frame >= number * each,
            before + (min(1.0, (number + 1) / (steps - 1)) - before) * smoothstep(inside),
            progress[:, foot],
        )
        lift[:, foot] += (0.05 - 0.02 * actor.old) * np.sin(np.pi * inside) * (inside < 1.0)
    middle = gaussian_filter1d(np.concatenate([[0.0] * each, progress.mean(axis=1), [1.0] * each]), 0.35 * each)
    middle = middle[each:-each]
    middle = (middle - middle[0]) / (middle[-1] - middle[0])
    contact, yaws = np.zeros((len(frame), 2, 2)), np.zeros((len(frame), 2))
    for foot, side in enumerate((1.0, -1.0)):
        angle = actor.heading + turn * progress[:, foot]
        across = np.stack([-np.sin(angle), np.cos(angle)], axis=-1)
        contact[:, foot] = start + progress[:, foot, None] * along + side * actor.base / 2.0 * across
        yaws[:, foot] = angle + side * 0.1
    pelvis = np.concatenate([start + middle[:, None] * along, np.full((len(frame), 1), actor.rig.standing)], axis=1)
    faces = actor.heading + turn * middle
    angles = np.stack([faces, np.full(len(frame), 0.35 * actor.stoop), np.zeros(len(frame))], axis=-1)
    root = Rotation.from_euler("ZYX", angles).as_matrix() @ R_ZUP_YUP
    action = "walk" if np.linalg.norm(along) > 0.3 else "standing"
    actor.recording.append(
        action, pelvis, root, contact, yaws, np.zeros((len(frame), 2)), lift, **actor.at_ease(len(frame))
    )
    actor.xy, actor.heading = np.array(xy, dtype=np.float64), actor.heading + turn
