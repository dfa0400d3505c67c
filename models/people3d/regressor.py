"""What a regressor of people says, and the one interface behind which there are two: `keypoints` and `hmr`.

`keypoints` (models/people3d/keypoint_lifter.py) sees 2D keypoints over time and no pixels; `hmr`
(models/people3d/hmr.py) sees crops, frame by frame. Both answer in the room's world, and a fit
(models/people3d/fitting/fitter.py) starts from the answer and stays near it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int, UInt8

from models.geometry.camera import Camera


@dataclass(frozen=True)
class Regression:
    """One person's body per observed frame, in the room's world (z up, floor at 0)."""

    global_orient: Float[np.ndarray, "time 3 3"]
    """Body axes (y up, facing z) to world."""
    body_pose: Float[np.ndarray, "time 69"]
    """Axis-angle of joints 1 to 23, radians."""
    pelvis: Float[np.ndarray, "time 3"]
    """Place of the pelvis joint, metres; SMPL's transl is this less J0(betas)."""
    betas: Float[np.ndarray, "10"]
    """Shape, of the body model the regressor was asked with."""
    confidence: Float[np.ndarray, "time"]
    """In [0, 1]."""

    def at(self, rows: Int[np.ndarray, "kept"]) -> "Regression":
        """Return some of the frames."""
        return Regression(
            self.global_orient[rows], self.body_pose[rows], self.pelvis[rows], self.betas, self.confidence[rows]
        )


@runtime_checkable
class Regressor(Protocol):
    """Lifts one person of one clip."""

    reads_frames: bool
    """Whether `frames` is looked at; where not, it may be empty."""

    def regress(
        self,
        keypoints_px: Float[np.ndarray, "time 17 2"],
        scores: Float[np.ndarray, "time 17"],
        boxes_px: Float[np.ndarray, "time 4"],
        timestamps_s: Float[np.ndarray, "time"],
        camera: Camera,
        frames: Iterable[UInt8[np.ndarray, "height width 3"]],
    ) -> Regression:
        """Lift one person; all arrays are of the frames in which the person was found, in order of time; so is
        `frames`."""
        ...
