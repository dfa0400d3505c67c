"""How somebody moves about, measured: how far, how fast, in which direction, turning where. Left and right are the
person's own.

In: a track in the world (z up) and its rate. Out: words' figures for `models/text/captions.py`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d

from models.body.model import BodyModel
from models.body.tracks import rest_root, track_joints
from models.geometry.transforms import matrix_from_axis_angle
from models.order import Direction
from models.text.vocabulary import Pace, Side
from models.types import SMPL_JOINTS, PersonTrack

SWAY_S = 0.25
"""Paths are smoothed by this: a trunk that sways from foot to foot goes nowhere by it."""
MOVING_M_S = 0.25
TURN_DEG = 40.0
"""Less than this is no turn to speak of."""
SLOW_M_S, QUICK_M_S = 0.75, 1.25
ON_THE_SPOT_M = 0.6
"""Who ends up nearer than this to where they were goes nowhere in particular."""
STRAIGHT_DOWN_M = 0.25
"""A fall whose trunk ends up nearer than this."""


@dataclass(frozen=True)
class Locomotion:
    """How somebody moved about."""

    distance_m: float
    """Length of the path while moving."""
    speed_m_s: float
    """Mean while moving; 0 for who stays."""
    turn_deg: float
    """Net turn of the upright body, positive to the left; 0 for who is not upright."""
    direction: Direction | None
    """Where the path leads as the body sees it; None for who stays, or goes in all directions."""

    @property
    def pace(self) -> Pace | None:
        """Say the pace in a word; None for who stays."""
        if self.direction is None:
            return None
        return "slow" if self.speed_m_s < SLOW_M_S else "quick" if self.speed_m_s > QUICK_M_S else "normal"

    @property
    def turns(self) -> Side | None:
        """Say which side is turned to; None for who hardly turns."""
        if abs(self.turn_deg) < TURN_DEG:
            return None
        return "left" if self.turn_deg > 0.0 else "right"


def locomotion_of(body: BodyModel, track: PersonTrack, fps: float) -> Locomotion:
    """Measure a whole track."""
    orient = matrix_from_axis_angle(track.global_orient)
    heading, upright = _headings(orient), orient[:, 2, 1] > 0.5
    pelvis = (track.transl + rest_root(body, track.betas))[:, :2]
    path = gaussian_filter1d(pelvis, SWAY_S * fps, axis=0, mode="nearest")
    steps = np.diff(path, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    moving = lengths * fps > MOVING_M_S
    distance = float(lengths[moving].sum())
    walking = moving & upright[:-1]
    ahead, left = _in_body_frame(steps[walking], heading[:-1][walking]).sum(axis=0)
    direction = None
    if np.hypot(ahead, left) > max(ON_THE_SPOT_M, 0.5 * distance):
        direction = _quarter(float(ahead), float(left))
    return Locomotion(
        distance,
        distance * fps / moving.sum() if moving.any() else 0.0,
        _net_turn_deg(heading[upright], fps),
        direction,
    )


def fall_direction(body: BodyModel, track: PersonTrack, onset: int, rest: int) -> Direction | None:
    """Measure in which direction the trunk goes from one frame to another, as the body faces in the first; down
    where it hardly goes.

    None where the body is not upright at the onset, so that facing means nothing.
    """
    orient = matrix_from_axis_angle(track.global_orient[onset : onset + 1])
    if orient[0, 2, 1] < 0.3:
        return None
    joints = track_joints(body, track)
    trunk = joints[:, [SMPL_JOINTS.index("pelvis"), SMPL_JOINTS.index("neck")], :2].mean(axis=1)
    ahead, left = _in_body_frame((trunk[rest] - trunk[onset])[None], _headings(orient))[0]
    return "down" if np.hypot(ahead, left) < STRAIGHT_DOWN_M else _quarter(float(ahead), float(left))


def _headings(orient: Float[np.ndarray, "time 3 3"]) -> Float[np.ndarray, "time"]:
    """Angle of the facing direction (the body's z) on the floor, counter-clockwise from x."""
    return np.arctan2(orient[:, 1, 2], orient[:, 0, 2])


def _in_body_frame(
    steps: Float[np.ndarray, "step 2"], heading: Float[np.ndarray, "step"]
) -> Float[np.ndarray, "step 2"]:
    """Steps on the floor as (ahead, to the left)."""
    c, s = np.cos(heading), np.sin(heading)
    return np.stack([c * steps[:, 0] + s * steps[:, 1], c * steps[:, 1] - s * steps[:, 0]], axis=1)


def _quarter(ahead: float, left: float) -> Direction:
    if abs(ahead) >= abs(left):
        return "forward" if ahead >= 0.0 else "backward"
    return "left" if left > 0.0 else "right"


def _net_turn_deg(heading: Float[np.ndarray, "upright"], fps: float) -> float:
    if len(heading) < 2:
        return 0.0
    angle = gaussian_filter1d(np.unwrap(heading), SWAY_S * fps, mode="nearest")
    return float(np.degrees(angle[-1] - angle[0]))
