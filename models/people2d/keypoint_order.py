"""Do 2D keypoints come in the order they should? What a body looks like over a whole clip tells wrong orders apart.

Three statistics, none of which a single odd frame decides: the skeleton's bones have a body's proportions (else the
order is another one); who is tall in the image has the head up (else the image's y, or the order, is upside down); who
walks walks forwards (else left and right are exchanged).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from models.config import Config, renamed
from models.types import Person2D

# Bones between keypoints and their lengths on a standing body of the average shape (models/body/model.py), metres.
BONES = {(5, 6): 0.315, (5, 7): 0.26, (7, 9): 0.237, (6, 8): 0.26, (8, 10): 0.237, (5, 11): 0.479, (6, 12): 0.479,
         (11, 12): 0.186, (11, 13): 0.374, (13, 15): 0.38, (12, 14): 0.374, (14, 16): 0.38, (0, 5): 0.28, (0, 6): 0.28,
         (0, 1): 0.048, (0, 2): 0.048, (1, 3): 0.094, (2, 4): 0.094}  # fmt: skip
MIN_BONE_SHARE = 0.03
"""Shares of the bones' root mean square below this are the detector's scatter."""
SHOULDERS, HIPS, ANKLES = (5, 6), (11, 12), (15, 16)
MIN_KEYPOINTS = 13
MAX_FRAMES = 200
"""At most so many of each person are looked at."""
TALL_ASPECT = 1.5
"""Height over width of keypoints of who stands or walks."""


class KeypointOrderConfig(Config):
    """When an order is wrong."""

    check: bool = True
    """Whether footage whose keypoints seem to come in a wrong order is refused."""
    min_frames: int = renamed("least_frames", "min_frames", 15, ge=1)
    """Frames that a statistic needs; fewer say nothing."""
    min_score: float = renamed("least_score", "min_score", 0.4, ge=0.0, le=1.0)
    """Mean score below which a frame's keypoints are guesses, whose order says nothing."""
    min_seconds: float = renamed("least_seconds", "min_seconds", 8.0, gt=0.0)
    """Seconds of walking towards the camera or away from it that left and right are judged by; less says nothing."""
    max_misproportion: float = renamed("most_misproportion", "max_misproportion", 0.31, gt=0.0)
    """Mean |log| of bone lengths over a body's, above which the order is another one than COCO's."""
    min_upright_share: float = renamed("least_upright", "min_upright_share", 0.1, ge=0.0, le=1.0)
    """Share of frames of tall people with the head above the feet, below which the image is upside down."""
    min_forwards_share: float = renamed("least_forwards", "min_forwards_share", 0.25, ge=0.0, le=1.0)
    """Share of walking with the left side where it belongs, below which left and right are exchanged."""


@dataclass(frozen=True)
class KeypointOrder:
    """What the keypoints of everybody in a clip say of their order."""

    frames: int
    """Frames and people with nearly all keypoints."""
    misproportion: float | None
    """Mean over bones of |log of the median length over a body's|, lengths as shares of their root mean square."""
    tall_frames: int
    """Frames in which people are tall in the image, the hips between head and feet."""
    upright_frames: int
    """Of those: with the head above."""
    walking_s: float
    """How long people walked towards the camera or away from it."""
    forwards_s: float
    """Of that: with the left side where it is on somebody who walks forwards."""


def keypoint_order(
    config: KeypointOrderConfig, people: Sequence[Person2D], timestamps_s: Float[np.ndarray, "time"]
) -> KeypointOrder:
    """Measure what a clip's keypoints say of their order."""
    shares: list[Float[np.ndarray, "frame bone"]] = []
    upright: list[bool] = []
    forwards, walking = 0.0, 0.0
    for person in people:
        whole = np.flatnonzero(person.visible & ((person.scores > 0.0).sum(axis=1) >= MIN_KEYPOINTS))
        if not len(whole):
            continue
        chosen = whole[np.unique(np.linspace(0, len(whole) - 1, min(MAX_FRAMES, len(whole))).round().astype(int))]
        points = person.keypoints_px[chosen]
        sure = person.scores[chosen].mean(axis=1) >= config.min_score
        shares.append(_shares(points[sure], person.scores[chosen][sure] > 0.0))
        full = (person.scores[chosen][:, 5:] > 0.0).all(axis=1)
        points, times_s = points[full], timestamps_s[chosen][full]
        size = np.ptp(points[:, 5:], axis=1)
        tall = size[:, 1] > TALL_ASPECT * size[:, 0]
        # Of a body upside down, too, shoulders and feet are the ends.
        head, hips, feet = (points[:, list(part), 1].mean(axis=1) for part in (SHOULDERS, HIPS, ANKLES))
        between = tall & ((head < hips) == (hips < feet))
        upright += (head < feet)[between].tolist()
        agree, against = _walks(points[tall], times_s[tall])
        forwards, walking = forwards + agree, walking + agree + against
    bone_shares = np.concatenate(shares) if shares else np.zeros((0, len(BONES)))
    return KeypointOrder(
        frames=len(bone_shares),
        misproportion=_misproportion(bone_shares) if len(bone_shares) else None,
        tall_frames=len(upright),
        upright_frames=sum(upright),
        walking_s=walking,
        forwards_s=forwards,
    )


def complaint(orders: Sequence[KeypointOrder], config: KeypointOrderConfig) -> str | None:
    """Say in words what is wrong by all clips together, None where nothing is; one clip alone may hold odd people
    only."""
    odd = [o.misproportion for o in orders if o.misproportion is not None and o.frames >= config.min_frames]
    if odd and float(np.median(odd)) > config.max_misproportion:
        return (
            f"are not in COCO's order: their skeleton's bones are off a body's proportions by {np.median(odd):.2f} "
            f"(mean logarithm; at most {config.max_misproportion:g})"
        )
    tall, upright = (sum(getattr(order, name) for order in orders) for name in ("tall_frames", "upright_frames"))
    if tall >= config.min_frames and upright < config.min_upright_share * tall:
        return f"are upside down: heads are above feet in {upright} of {tall} frames"
    walking, forwards = (sum(getattr(order, name) for order in orders) for name in ("walking_s", "forwards_s"))
    if walking >= config.min_seconds and forwards < config.min_forwards_share * walking:
        return f"have left and right exchanged: people walk forwards in {forwards:.1f} of {walking:.1f} s"
    return None


def _shares(
    points: Float[np.ndarray, "frame 17 2"], there: Bool[np.ndarray, "frame 17"]
) -> Float[np.ndarray, "frame bone"]:
    """Length of each bone over the root mean square of all; nan where an end was not seen."""
    ends = np.array(list(BONES))
    lengths = np.linalg.norm(points[:, ends[:, 0]] - points[:, ends[:, 1]], axis=-1)
    lengths = np.where(there[:, ends].all(axis=-1), lengths, np.nan)
    return lengths / np.maximum(np.sqrt(np.nanmean(lengths**2, axis=1, keepdims=True)), 1e-6)


def _misproportion(shares: Float[np.ndarray, "frame bone"]) -> float:
    known = ~np.isnan(shares).all(axis=0)
    true = np.array(list(BONES.values()))
    true = true / np.sqrt((true**2).mean())
    found = np.nanmedian(shares[:, known], axis=0)
    return float(np.abs(np.log(np.maximum(found, MIN_BONE_SHARE) / np.maximum(true[known], MIN_BONE_SHARE))).mean())


def _walks(
    points: Float[np.ndarray, "time 17 2"], times_s: Float[np.ndarray, "time"], over_s: float = 0.5
) -> tuple[float, float]:
    """Seconds of walking with the left side where it belongs, and with it on the other.

    Who walks towards a camera that looks down comes down in the image and grows, and shows the left side on the right.
    """
    right, wrong = 0.0, 0.0
    for t in range(len(points)):
        later = int(np.searchsorted(times_s, times_s[t] + over_s))
        if later >= len(points) or times_s[later] - times_s[t] > 2.0 * over_s:
            continue
        extent = float(np.ptp(points[t, 5:, 1]))
        elapsed = float(times_s[later] - times_s[t])
        down = float(points[later][list(ANKLES), 1].mean() - points[t][list(ANKLES), 1].mean()) / extent / elapsed
        growth = float(np.ptp(points[later, 5:, 1]) / extent - 1.0) / elapsed
        middle = points[t : later + 1].mean(axis=0)
        side = float((middle[[5, 11], 0] - middle[[6, 12], 0]).mean()) / extent
        if abs(down) < 0.12 or down * growth <= 0.0 or abs(side) < 0.05:
            continue
        step = float(times_s[t + 1] - times_s[t])
        if side * down > 0.0:
            right += step
        else:
            wrong += step
    return right, wrong
