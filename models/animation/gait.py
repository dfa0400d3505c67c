"""Where feet are while somebody walks along a path: planted, swinging, planted again."""

from itertools import pairwise

import numpy as np

from models.geometry.easing import smoothstep

PLANTED = 0.62
"""Share of a step length, before and behind the pelvis, that a foot stays down for: above 0.5 both do at times."""


def swing(s: np.ndarray, plants: np.ndarray, step: float, total: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where along the path a foot is while the pelvis is at s, its toe-down pitch, and its lift in [0, 1]."""
    place, pitch, lift = np.full(len(s), plants[0]), np.zeros(len(s)), np.zeros(len(s))
    for here, there in pairwise(plants):
        # From standing the first foot leaves at once; to stop, the last one lands as the pelvis arrives.
        leave = here + PLANTED * step if here > 0 else (0.02 * step if there <= step * 1.01 else PLANTED * step)
        land = there - PLANTED * step if there < total else max(total - 0.02 * step, leave + 0.2 * step)
        if there >= total and here < total - 1.5 * step:
            land = total - PLANTED * step
        t = np.clip((s - leave) / (land - leave), 0.0, 1.0)
        place = np.where(s >= leave, here + smoothstep(t, there - here), place)
        swinging = (t > 0) & (t < 1)
        lift = np.where(swinging, np.sin(np.pi * t), lift)
        heel_off = np.clip((s - (leave - 0.35 * step)) / (0.35 * step), 0.0, 1.0) * (here > 0)
        toe_up = np.clip((t - 0.5) / 0.5, 0.0, 1.0) * (there < total)
        settle = np.clip(1.0 - (s - land) / (0.2 * step), 0.0, 1.0)
        pitch = np.where(
            (s >= leave - 0.35 * step) & (t < 1), 0.6 * heel_off * np.clip(1 - 2 * t, 0, 1) - 0.28 * toe_up, pitch
        )
        pitch = np.where((t >= 1) & (settle > 0), -0.28 * settle * (there < total), pitch)
    return place, pitch, lift


def along_path(contact: np.ndarray, origin: np.ndarray, heading: np.ndarray) -> np.ndarray:
    """Return how far ahead of the origin, along its heading, each contact lies."""
    return (contact[:, 0] - origin[:, 0]) * np.cos(heading) + (contact[:, 1] - origin[:, 1]) * np.sin(heading)
