"""Two accounts of who is in the image, held against each other: who is whom, identity switches, how far they disagree.

The correspondence is that of CLEAR MOT (Bernardin and Stiefelhagen 2008): frame by frame, who was matched stays matched
while it still holds, the others by least total distance.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

from models.types import Person2D

MAX_KEYPOINT_DISTANCE, MAX_UNSHARED_BOX = 0.3, 0.7
"""Mean distance of keypoints as a share of the box's longer side, and share of the boxes not shared: together at these,
two are no longer one person."""


def box_iou(a: Float[np.ndarray, "4"], b: Float[np.ndarray, "4"]) -> float:
    """Return the area shared over area covered, of boxes x0, y0, x1, y1."""
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    shared = float(np.prod(np.maximum(high - low, 0.0)))
    covered = float(np.prod(a[2:] - a[:2])) + float(np.prod(b[2:] - b[:2])) - shared
    return shared / covered if covered > 0.0 else 0.0


def keypoint_distance(a: Person2D, b: Person2D, frame: int, min_score: float = 0.2) -> float | None:
    """Return the mean distance of keypoints that both have, as a share of the first one's box; None where they share
    less than three."""
    both = (a.scores[frame] >= min_score) & (b.scores[frame] >= min_score)
    if both.sum() < 3:
        return None
    side = max(float((a.boxes_px[frame, 2:] - a.boxes_px[frame, :2]).max()), 1.0)
    return float(np.linalg.norm(a.keypoints_px[frame] - b.keypoints_px[frame], axis=-1)[both].mean()) / side


def _cost(a: Person2D, b: Person2D, frame: int) -> float:
    """Below 1 where the two may be one: by keypoints and boxes, or by boxes alone where one side has no keypoints."""
    if not (a.visible[frame] and b.visible[frame]):
        return np.inf
    boxes = (1.0 - box_iou(a.boxes_px[frame], b.boxes_px[frame])) / MAX_UNSHARED_BOX
    apart = keypoint_distance(a, b, frame)
    # Half and half: keypoints that are wrong under a blanket do not make somebody else of who lies in the same box.
    return boxes if apart is None else 0.5 * (boxes + apart / MAX_KEYPOINT_DISTANCE)


def match(truth: Sequence[Person2D], found: Sequence[Person2D]) -> Int[np.ndarray, "truth time"]:
    """Return the index into `found` of each true person in each frame, -1 where nobody fits."""
    frames = len(truth[0].visible) if truth else 0
    matched = np.full((len(truth), frames), -1)
    last = np.full(len(truth), -1)
    for t in range(frames):
        cost = np.array([[_cost(a, b, t) for b in found] for a in truth]).reshape(len(truth), len(found))
        stay = [i for i in range(len(truth)) if last[i] >= 0 and cost[i, last[i]] < 1.0]
        before = cost.copy()
        for i in stay:
            # Two true people may have been matched to one found track, one after the other: the nearer keeps it.
            if all(last[k] != last[i] or (before[i, last[i]], i) <= (before[k, last[k]], k) for k in stay):
                matched[i, t] = last[i]
                cost[i], cost[:, last[i]] = np.inf, np.inf
        for i, j in zip(*linear_sum_assignment(np.minimum(cost, 1.0)), strict=True):
            if cost[i, j] < 1.0:
                matched[i, t] = j
        last = np.where(matched[:, t] >= 0, matched[:, t], last)
    return matched


def switches(matched: Int[np.ndarray, "truth time"]) -> int:
    """Count how often a true person is found as somebody else than before, gaps left out, from `match`."""
    return sum(int((np.diff(row[row >= 0]) != 0).sum()) for row in matched)


def identity_switches(truth: Sequence[Person2D], found: Sequence[Person2D]) -> int:
    """Count how often a true person is found as somebody else than before, gaps left out."""
    return switches(match(truth, found))
