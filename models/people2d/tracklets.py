"""Tracklets: poses of one person for a while, how alike two tracklets are, and how they are stitched into tracks."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from scipy.ndimage import gaussian_filter
from scipy.optimize import linear_sum_assignment

from models.people2d.pose2d import Crop, Pose2D

PREDICTED_S = 0.7
"""A walk is predicted this far at full speed; who is hidden for longer may have stopped."""


OVERLAP_FRAMES = 8
"""A person found again is followed back a little: so many frames of two pieces may be the same ones."""


class FramePoses(dict[int, Pose2D]):
    """Poses by frame number, that know their first and last frame without a search through all of them."""

    def __init__(self, poses: dict[int, Pose2D]):
        super().__init__(poses)
        self.first, self.last = min(poses, default=-1), max(poses, default=-1)

    def __setitem__(self, frame: int, pose: Pose2D) -> None:
        self.first = frame if not self else min(self.first, frame)
        self.last = frame if not self else max(self.last, frame)
        super().__setitem__(frame, pose)

    def __delitem__(self, frame: int) -> None:
        super().__delitem__(frame)
        if frame in (self.first, self.last):
            self.first, self.last = min(self, default=-1), max(self, default=-1)


class Appearances:
    """Colour histograms of one torso: the latest, their mean, and how many there are."""

    def __init__(self) -> None:
        self.count, self.latest, self._sum = 0, np.zeros(0), np.zeros(0)

    def add(self, appearance: Float[np.ndarray, "bin"]) -> None:
        """Take in one more."""
        self._sum = self._sum + appearance if self.count else appearance
        self.latest, self.count = appearance, self.count + 1

    @property
    def mean(self) -> Float[np.ndarray, "bin"]:
        """Return the mean of all; there must be one."""
        return self._sum / self.count


@dataclass
class Tracklet:
    """One person from when they were found until they were lost."""

    poses: dict[int, Pose2D] = field(default_factory=dict)
    """By frame number; frames in which the person was not found are missing."""
    appearances: Appearances = field(default_factory=Appearances)
    crop: Crop | None = None
    """Where to look next."""

    def __post_init__(self) -> None:
        self._poses = self.poses = FramePoses(self.poses)

    @property
    def first(self) -> int:
        """Return the first frame."""
        return self._poses.first

    @property
    def last(self) -> int:
        """Return the last frame."""
        return self._poses.last

    @property
    def score(self) -> float:
        """Return the mean score of all keypoints."""
        return float(np.mean([pose.score for pose in self.poses.values()]))


def size_px(keypoints_px: Float[np.ndarray, "17 2"], scores: Float[np.ndarray, "17"]) -> float:
    """Return a person's extent in the image: the diagonal of the box of the keypoints that count."""
    good = scores >= min(0.2, float(np.median(scores)))
    return float(np.linalg.norm(np.ptp(keypoints_px[good], axis=0))) + 1e-6


def distance(a: Pose2D, b: Pose2D) -> float:
    """Return the median distance of two skeletons' keypoints, as a share of the larger one's extent."""
    apart = np.linalg.norm(a.keypoints_px - b.keypoints_px, axis=-1)
    weight = np.minimum(a.scores, b.scores) >= 0.15
    apart = apart[weight] if weight.sum() >= 4 else apart
    return float(np.median(apart)) / max(size_px(a.keypoints_px, a.scores), size_px(b.keypoints_px, b.scores))


def torso_appearance(rgb: UInt8[np.ndarray, "height width 3"], pose: Pose2D) -> Float[np.ndarray, "bin"] | None:
    """Return the square root of the blurred colour histogram (Lab, 6 x 10 x 10 bins) of the torso; None if it is hardly
    in view."""
    corners = pose.keypoints_px[[5, 6, 12, 11]]
    centre = corners.mean(0)
    # Shoulders seen from the side leave a sliver: widen it.
    corners = (
        centre
        + (corners - centre) * [1.2, 1.0]
        + np.sign(corners - centre) * 0.03 * size_px(pose.keypoints_px, pose.scores)
    )
    mask = np.zeros(rgb.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(corners.round().astype(np.int32)), 1)
    if mask.sum() < 30:
        return None
    x0, y0, w, h = cv2.boundingRect(mask)
    lab = cv2.cvtColor(rgb[y0 : y0 + h, x0 : x0 + w], cv2.COLOR_RGB2LAB)
    # Strong colours go to the outermost bins rather than to none.
    lab[..., 1:] = np.clip(lab[..., 1:], 64, 191)
    ranges = [0, 256, 64, 192, 64, 192]
    histogram = cv2.calcHist([lab], [0, 1, 2], mask[y0 : y0 + h, x0 : x0 + w], [6, 10, 10], ranges)
    # Without blur, one colour in slightly other light would share no bin with itself.
    histogram = gaussian_filter(histogram, 1.2, mode="nearest").ravel()
    return np.sqrt(histogram / max(float(histogram.sum()), 1.0)).astype(np.float64)


def appearance_distance(a: Float[np.ndarray, "bin"], b: Float[np.ndarray, "bin"]) -> float:
    """Return the Hellinger distance of two appearances, 0 the same to 1 nothing in common."""
    a, b = a / (np.linalg.norm(a) + 1e-9), b / (np.linalg.norm(b) + 1e-9)
    return float(np.sqrt(max(0.0, 1.0 - float(a @ b))))


def velocity_px_s(
    track: Tracklet, times_s: Sequence[float] | Float[np.ndarray, "time"], at_start: bool = False
) -> Float[np.ndarray, "2"]:
    """Return how the person moves in the image at the end (or start) of a track: the keypoints' median slope over
    0.5 s."""
    end = track.first if at_start else track.last
    edge, outward = times_s[end], range(end, len(times_s)) if at_start else range(end, -1, -1)
    near = itertools.takewhile(lambda frame: abs(times_s[frame] - edge) <= 0.5, outward)
    frames = sorted(frame for frame in near if frame in track.poses)
    elapsed = np.array([times_s[frame] for frame in frames]) - edge
    if np.ptp(elapsed) < 0.1:
        return np.zeros(2)
    points = np.array([track.poses[frame].keypoints_px for frame in frames])
    weights = np.array([track.poses[frame].scores for frame in frames]) + 1e-6
    weights = weights / weights.sum(axis=0)
    centred = elapsed[:, None] - (weights * elapsed[:, None]).sum(axis=0)
    slopes = (weights * centred)[..., None] * (points - (weights[..., None] * points).sum(axis=0))
    slopes = slopes.sum(axis=0) / ((weights * centred**2).sum(axis=0)[:, None] + 1e-9)
    # A short look says little of a speed.
    return np.median(slopes, axis=0) * (np.ptp(elapsed) / (np.ptp(elapsed) + 0.1))


def stitch_tracklets(tracklets: list[Tracklet], times_s: Float[np.ndarray, "time"]) -> list[list[Tracklet]]:
    """Group tracklets that are one person: hardly at the same time, and near in place after a short gap or alike.

    Each piece has at most one piece after it; of all ways to link them the one of least total cost is taken. Of frames
    that two pieces share, the later piece's are dropped.
    """
    pieces = sorted(tracklets, key=lambda track: track.first)
    cost = np.full((len(pieces), len(pieces)), np.inf)
    for i, j in itertools.combinations(range(len(pieces)), 2):
        cost[i, j] = _link_cost(pieces[i], pieces[j], times_s)
    after = {
        int(i): int(j) for i, j in zip(*linear_sum_assignment(np.minimum(cost, 1.0)), strict=True) if cost[i, j] < 1.0
    }
    people = []
    for first in sorted(set(range(len(pieces))) - set(after.values())):
        group, index = [pieces[first]], first
        while index in after:
            index = after[index]
            later = {frame: pose for frame, pose in pieces[index].poses.items() if frame > group[-1].last}
            group.append(Tracklet(later, pieces[index].appearances, pieces[index].crop))
        people.append(group)
    return people


def _link_cost(end: Tracklet, start: Tracklet, times_s: Float[np.ndarray, "time"]) -> float:
    """Below 1 where the second piece may be the first one's person, later."""
    later = [frame for frame in start.poses if frame > end.last]
    if not later or len(start.poses) - len(later) > OVERLAP_FRAMES:
        return np.inf
    unlike = 0.4
    if start.appearances.count and end.appearances.count:
        unlike = appearance_distance(start.appearances.mean, end.appearances.mean)
    if unlike > 0.5:
        return np.inf
    alike = unlike / 0.3
    gap = float(times_s[min(later)] - times_s[end.last])
    if gap > 2.0:
        return alike
    a, b = end.poses[end.last], start.poses[min(later)]
    apart = (b.box_px[:2] + b.box_px[2:] - a.box_px[:2] - a.box_px[2:]) / 2.0
    size = max(size_px(a.keypoints_px, a.scores), size_px(b.keypoints_px, b.scores))
    # Who went on walking unseen is where both ends predict; who stopped is where they were seen last.
    speeds = velocity_px_s(end, times_s), velocity_px_s(start, times_s, at_start=True)
    walked = np.mean([np.linalg.norm(apart - speed * min(gap, PREDICTED_S)) for speed in speeds]) / size
    near = min(float(walked), float(np.linalg.norm(apart)) / size + 0.25)
    return min(alike, near / (0.5 + gap) + 0.3 * alike)
