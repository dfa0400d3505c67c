"""How people get down to the floor, move on it and get up again: keys of postures, one carrying the next.

The way down and up is the one that physiotherapists teach: over one knee, both knees and hands, and the side (backward
chaining; Reece and Simpson 1996). All acts here use the left foot first and turn over the left side, facing +x where
nothing else is said; `models.animation.keyframes.mirrored_key` gives the others.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.animation.keyframes import Key
from models.animation.postures import (
    Posture,
    all_fours,
    crawling,
    drawing,
    half_kneeling,
    kneeling,
    lunging,
    on_side,
    standing,
    varied,
)
from models.types import Action

FEET = ("left_foot", "right_foot")
STRIDE_S = 0.8
"""Of one crawling stride of a young adult."""


def key(
    posture: Posture,
    seconds: float,
    hold_s: float,
    action_to: Action,
    action_held: Action | None = None,
    heading: float = 0.0,
    planted: tuple[str, ...] = (),
    balanced: bool = False,
) -> Key:
    """Return the key of a posture; it is held under the label of the movement to it where no other is given."""
    return Key(
        posture.body_pose,
        posture.tilt,
        heading,
        seconds,
        hold_s,
        action_to,
        action_held or action_to,
        planted,
        balanced,
    )


def upright(old: float, hold_s: float, rng: np.random.Generator) -> tuple[Posture, Key]:
    """Return standing at ease, to begin from."""
    posture = varied(standing(old), rng)
    return posture, key(posture, 0.0, hold_s, "standing", planted=FEET, balanced=True)


def down_to_a_knee(old: float) -> list[Key]:
    """Return keys from standing: the right foot steps back, its knee goes down."""
    return [
        key(lunging(old), 1.0, 0.0, "kneel_down", planted=("left_foot",)),
        key(half_kneeling(old), 0.8, 0.15, "kneel_down", planted=("left_foot",)),
    ]


def up_from_a_knee(standing_posture: Posture, old: float, hold_s: float, heading: float = 0.0) -> list[Key]:
    """Return keys from both knees or hands and knees: the left foot comes forward, and the body is pushed up on it."""
    return [
        key(drawing(old), 0.9, 0.0, "stand_up", heading=heading, planted=("right_knee",)),
        key(half_kneeling(old), 0.8, 0.2 + 0.4 * old, "stand_up", heading=heading, planted=("right_knee",)),
        key(lunging(old), 0.8, 0.0, "stand_up", heading=heading, planted=("left_foot",)),
        key(standing_posture, 1.1, hold_s, "stand_up", "standing", heading, ("left_foot",), balanced=True),
    ]


def down_to_the_side(old: float, heading: float) -> list[Key]:
    """Return keys from half kneeling to hands and knees, and down onto the left side; `heading` of who lies, head at
    -heading."""
    return [
        key(drawing(old), 0.9, 0.0, "lie_down", heading=heading + np.pi, planted=("right_knee",)),
        key(all_fours(), 0.9, 0.2, "lie_down", heading=heading + np.pi, planted=("right_knee",)),
        key(on_side(), 1.6, 0.0, "lie_down", heading=heading),
    ]


def up_to_all_fours(lies: str, heading: float, action: Action) -> list[Key]:
    """Return keys from lying (`supine`, `left_side` or `prone`, head at -heading) onto hands and knees."""
    keys = [key(on_side(), 1.3, 0.2, action, heading=heading)] if lies == "supine" else []
    return [*keys, key(all_fours(), 1.9, 0.3, action, heading=heading + np.pi)]


def both_knees(low: float, seconds: float, hold_s: float) -> list[Key]:
    """Return keys: from half kneeling the left knee goes down beside the right."""
    return [
        key(drawing(0.0), 0.7, 0.0, "kneel_down", planted=("right_knee",)),
        key(kneeling(low), seconds, hold_s, "kneel_down", "kneeling", planted=("right_knee",)),
    ]


def crawl_on(strides: int, reach: float, heading: float = 0.0) -> list[Key]:
    """Return keys on all fours: so many strides of knee and opposite hand; `reach` scales them."""
    keys = []
    for index in range(strides):
        left = index % 2 == 0
        carries = ("right_knee", "left_hand") if left else ("left_knee", "right_hand")
        sign = 1.0 if left else -1.0
        for stride, lifted in ((0.0, sign), (sign * reach, 0.0)):
            keys.append(key(crawling(stride, lifted), STRIDE_S / 2.0, 0.0, "crawl", heading=heading, planted=carries))
    return keys


def paced(keys: Sequence[Key], pace: float, longest_s: float) -> list[Key]:
    """Return keys with all times stretched by `pace`, or less where that would take longer than there is."""
    total = sum(k.seconds + k.hold_s for k in keys[1:]) + keys[0].hold_s
    scale = min(pace, longest_s / total)
    return [replace(k, seconds=scale * k.seconds, hold_s=scale * k.hold_s) for k in keys]
