"""What a pose model is: crops in, COCO-17 keypoints out."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Crop:
    """A square of the image, rotated by quarter turns."""

    centre_px: tuple[float, float]
    """x right, y down."""
    side_px: float
    turn: int
    """Quarter turns: the crop's upward direction is image-up turned clockwise by turn x 90 degrees."""

    def image_from_unit(self) -> Float[np.ndarray, "2 3"]:
        """Return the affine map from the crop's unit square (x right, y down) to image pixels."""
        c, s = ((1, 0), (0, 1), (-1, 0), (0, -1))[self.turn]
        A = self.side_px * np.array([[c, -s], [s, c]], dtype=np.float64)
        return np.column_stack([A, np.array(self.centre_px) - A @ [0.5, 0.5]])


@dataclass(frozen=True)
class Pose2D:
    """What the network found in one crop."""

    keypoints_px: Float[np.ndarray, "17 2"]
    """COCO-17, image pixels."""
    scores: Float[np.ndarray, "17"]
    turn: int

    @property
    def score(self) -> float:
        """Return the mean score of all keypoints: comparable between crops of one person."""
        return float(self.scores.mean())

    @property
    def box_px(self) -> Float[np.ndarray, "4"]:
        """Return the box around the keypoints that count: the better half at least."""
        good = self.scores >= min(0.2, float(np.median(self.scores)))
        low, high = self.keypoints_px[good].min(0), self.keypoints_px[good].max(0)
        return np.concatenate([low, high])

    def crop(self, turn: int, margin: float = 1.35) -> Crop:
        """Return the square to look at next: the box of the keypoints, enlarged."""
        box = self.box_px
        side = max(float(np.max(box[2:] - box[:2])) * margin, 24.0)
        return Crop((float(box[0] + box[2]) / 2.0, float(box[1] + box[3]) / 2.0), side, turn)
