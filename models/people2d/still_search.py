"""People in one still image, where no track helps: everywhere, at several sizes, lying too.

What a single-person network finds in a crop is believed where it finds it again in crops of another size: a chair that
looks like a person looks different there.
"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool, Float, UInt8

from models.people2d.movenet import TflitePose
from models.people2d.pose2d import Crop, Pose2D

Search = Callable[[UInt8[np.ndarray, "height width 3"]], list[Pose2D]]
"""Finds everybody in an image, the surest first."""

FAINT = 0.15
"""Mean score below which nothing was seen."""
AGAIN = (1.2, 1.6, 2.0)
"""How much larger than the person the crops are in which they are looked for again."""


def search_crops(
    network: TflitePose | Callable[..., Pose2D],
    sizes: Sequence[float] = (0.5, 0.8, 1.1),
    turns: Sequence[int] = (0, 1, 3),
    max_people: int = 6,
) -> Search:
    """Return a search by crops with a single-person network; scores are those of the worst of the crops.

    `sizes` are the crops' sides as shares of the image's height, `turns` their quarter turns (who lies has their head
    to the left or right).
    """

    def search(rgb: UInt8[np.ndarray, "height width 3"]) -> list[Pose2D]:
        height, width = rgb.shape[:2]
        firsts = []
        for size in sizes:
            side = size * height
            columns = max(2, int(np.ceil(width / (0.6 * side))))
            rows = max(1, int(np.ceil(height / (0.6 * side))))
            for y in np.linspace(min(side / 3, height / 2), max(height - side / 3, height / 2), rows):
                for x in np.linspace(side / 3, width - side / 3, columns):
                    firsts += [network(rgb, Crop((float(x), float(y)), side, turn)) for turn in turns]
        found: list[Pose2D] = []
        looked: list[Pose2D] = []
        for first in sorted(firsts, key=lambda pose: -pose.score):
            if first.score < FAINT or len(found) == max_people or len(looked) == 40:
                break
            if any(_same(first, other) for other in looked):
                continue
            looked.append(first)
            pose = network(rgb, first.crop(first.turn))
            again = [network(rgb, pose.crop(pose.turn, margin)) for margin in AGAIN]
            apart = max(_apart(pose, other) for other in again)
            score = min(one.score for one in (pose, *again))
            if apart > 0.15 or score < FAINT:
                continue
            sure = Pose2D(pose.keypoints_px, pose.scores * score / max(pose.score, 1e-6), pose.turn)
            if not any(_same(sure, other) for other in found):
                found.append(sure)
        return sorted(found, key=lambda pose: -pose.score)

    return search


def inside(pose: Pose2D, mask: Bool[np.ndarray, "height width"]) -> float:
    """Return the share of the pose's surer keypoints that lie in the mask."""
    good = pose.scores >= min(0.2 * float(pose.scores.max()) / 0.5, float(np.median(pose.scores)))
    points = np.round(pose.keypoints_px[good]).astype(int)
    rows = np.clip(points[:, 1], 0, mask.shape[0] - 1)
    columns = np.clip(points[:, 0], 0, mask.shape[1] - 1)
    return float(mask[rows, columns].mean())


def _apart(one: Pose2D, other: Pose2D) -> float:
    """Mean distance of keypoints, as a share of the person's size."""
    box = one.box_px
    size = max(float(np.linalg.norm(box[2:] - box[:2])), 1.0)
    return float(np.linalg.norm(one.keypoints_px - other.keypoints_px, axis=-1).mean()) / size


def _same(one: Pose2D, other: Pose2D) -> bool:
    return _overlap(one.box_px, other.box_px) > 0.5


def _overlap(a: Float[np.ndarray, "4"], b: Float[np.ndarray, "4"]) -> float:
    """Share of the smaller box that lies in the other."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    smaller = min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
    return float(width * height / max(smaller, 1.0))
