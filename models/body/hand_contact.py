"""Hands that give way to the floor: wrists bend back where straight fingers would go through it.

Most captured skeletons end at the wrist or a short hand; who leans on the floor there would stand on our fingertips.
"""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from models.body.kinematics import forward_kinematics_numpy
from models.body.model import REGIONS, BodyModel
from models.geometry.transforms import matrix_from_axis_angle
from models.types import SMPL_JOINTS

BENT_BACK = np.radians(85.0)
"""How far a wrist bends back."""
PALM_M = 0.02
"""Half a palm's thickness."""


def lay_hands(
    body: BodyModel,
    rest: Float[np.ndarray, "24 3"],
    local: Float[np.ndarray, "time 24 3 3"],
    pelvis: Float[np.ndarray, "time 3"],
    fps: float,
) -> Float[np.ndarray, "time 24 3 3"]:
    """Return the rotations with wrists bent back so far that fingers stay over the floor z = 0, if bending back gets
    them there.

    `rest` are the joints of the T-pose; `local` turns the root to the world (z up) and the others to their parents. In
    the T-pose palms face down and fingers point along x, so the tip of a hand of length L, bent by t, is at height
    wrist + L (a cos t + b sin t), a and b being how far the hand's fingers and its back point up.
    """
    laid = local.copy()
    rotations, positions = forward_kinematics_numpy(rest, local, pelvis)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        wrist = SMPL_JOINTS.index(f"{side}_wrist")
        length = _length(body, rest, wrist)
        rotated, height = rotations[:, wrist], positions[:, wrist, 2]
        ahead, back = sign * rotated[:, 2, 0], rotated[:, 2, 1]
        needed = np.clip((PALM_M - height) / length, -1.0, 1.0)
        across = np.maximum(np.hypot(ahead, back), 1e-9)
        highest = np.arctan2(back, ahead) % (2.0 * np.pi)
        bend = np.clip(highest - np.arccos(np.clip(needed / across, -1.0, 1.0)), 0.0, BENT_BACK)
        helps = ahead * np.cos(bend) + back * np.sin(bend) > ahead
        bend = np.where((ahead < needed) & helps, bend, 0.0)
        size = max(1, round(0.05 * fps)) * 2 + 1
        bend = gaussian_filter1d(maximum_filter1d(bend, size, mode="nearest"), 0.05 * fps, mode="nearest")
        laid[:, wrist] = local[:, wrist] @ matrix_from_axis_angle(sign * bend[:, None] * np.array([0.0, 0.0, 1.0]))
    return laid


def _length(body: BodyModel, rest: Float[np.ndarray, "24 3"], wrist: int) -> float:
    """From the wrist to the fingertips, metres."""
    template, hand = body.J_template.double().numpy(), wrist + 2
    skin = np.abs(body.v_template[body.regions == REGIONS.index("hand"), 0].numpy())
    grown = np.linalg.norm(rest[hand] - rest[wrist]) / np.linalg.norm(template[hand] - template[wrist])
    return float(skin.max() - abs(template[wrist, 0])) * float(grown)
