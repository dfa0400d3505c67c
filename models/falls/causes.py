"""What each cause of a fall does to a body: which foot it takes, how it throws the trunk, how soon strength goes."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from models.order import Cause, Direction

DIRECTION_ANGLES: dict[str, float] = {"forward": 0.0, "left": np.pi / 2.0, "backward": np.pi, "right": -np.pi / 2.0}
"""From the facing direction, counter-clockwise seen from above; straight down has none."""
SIMULATED_HZ = 60.0
"""At least the rate of what physics takes over."""
Posture = Literal["upright", "seat", "bed", "bed_edge"]


@dataclass(frozen=True)
class CauseSpec:
    """One cause. Speeds are of the trunk's centre in the fall's direction, metres per second."""

    trunk_m_s: tuple[float, float]
    """What the cause adds in its first 0.2 s."""
    hold_s: float
    """How long the muscles still go on with what they were doing."""
    decay_s: float
    """Time constant with which they give up after that."""
    rest_gain: float
    """Share of their stiffness that is left in the end."""
    chest: float = 0.5
    """Share of the push that meets the chest; the rest meets the pelvis."""
    foot: Literal["", "slides", "caught", "rolls"] = ""
    """What happens to a foot: the standing one slides away, the swinging one is caught, the standing one's ankle rolls.
    """
    foot_m_s: tuple[float, float] = (0.0, 0.0)
    """Speed with which a sliding foot is pulled away."""
    awake: bool = True
    """Whether arms reach and the posture protects."""
    from_posture: Posture = "upright"
    slippery: float = 0.0
    """Friction of the parts that slide over what they sit or lie on; 0 leaves it as it is."""
    sliding_parts: tuple[str, ...] = ("pelvis", "left_hip", "right_hip")
    can_recover: bool = False
    """Whether a weaker one may be answered by a step that restores balance."""


@dataclass(frozen=True)
class PlannedFall:
    """What is to happen to somebody's balance, and when."""

    cause: Cause
    direction: Direction
    """Relative to the facing at the onset."""
    onset_s: float
    """When balance is lost, seconds from the source's first frame."""
    recovers: bool = False
    """Whether a step restores it: the cause is weaker then."""


CAUSES: dict[Cause, CauseSpec] = {
    "push": CauseSpec((0.9, 1.3), 0.15, 0.22, 0.10, can_recover=True),
    "slip": CauseSpec((0.55, 0.85), 0.10, 0.22, 0.12, foot="slides", foot_m_s=(1.3, 2.1), can_recover=True),
    "faint": CauseSpec((0.55, 0.85), 0.2, 0.15, 0.03, awake=False),
    "trip": CauseSpec((0.5, 0.9), 0.15, 0.25, 0.12, chest=0.8, foot="caught", can_recover=True),
    "misstep": CauseSpec((0.6, 0.95), 0.10, 0.25, 0.12, foot="rolls", can_recover=True),
    "sit_to_stand": CauseSpec((0.45, 0.8), 0.05, 0.25, 0.10, from_posture="seat"),
    "stand_to_sit": CauseSpec((0.2, 0.5), 0.10, 0.25, 0.12, from_posture="seat"),
    "roll_out_of_bed": CauseSpec(
        (0.4, 0.7),
        0.3,
        0.5,
        0.10,
        from_posture="bed",
        slippery=0.12,
        sliding_parts=("pelvis", "spine1", "spine2", "spine3", "left_hip", "right_hip", "left_knee", "right_knee"),
    ),
    "slide_out_of_bed": CauseSpec((0.8, 1.2), 0.1, 0.3, 0.08, chest=0.0, from_posture="bed_edge", slippery=0.05),
    "reach": CauseSpec((0.35, 0.65), 0.2, 0.3, 0.12, chest=0.7),
    "lean": CauseSpec((0.2, 0.5), 0.15, 0.28, 0.12),
}
