"""Depth of a fixed camera's empty room from two networks (thesis §5.1).

In: key frames (the background plate first of all), the people's masks, a metric and a relative network. Out: a
`DepthScan`. The metric network gives m at low resolution, the relative one disparity d with finer detail; one scale and
one offset for all key frames, argmin_{a,b} sum rho(a d + b - 1/m), restore metres: 1 / (a d + b). Key frames are merged
by the median over pixels that no person covers.
"""

from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, UInt8
from pydantic import Field

from models.config import Config
from models.errors import InputError, Rejected
from models.types import DepthScan

VERSION = 2


class DepthConfig(Config):
    """How the two predictions are joined."""

    loss: Literal["huber", "squared"] = "huber"
    """The loss rho of the fit; `squared` is the thesis's own."""
    near_m: float = Field(0.3, gt=0.0)
    """Depth is at least this, metres, and nearer predictions are not fitted to."""
    far_m: float = Field(20.0, gt=0.0)
    """Depth is at most this, metres: a d + b may come near zero in a window."""
    samples: int = Field(200_000, ge=100)
    """Pixels used for the fit, evenly spread over all key frames."""


@runtime_checkable
class Predictor(Protocol):
    """What `models.depth.DepthModels` offers."""

    def predict_metric(
        self, images: UInt8[np.ndarray, "n height width 3"], focal_px: float | None = None
    ) -> Float[np.ndarray, "n height width"]:
        """Predict depth along the optical axis, metres."""
        ...

    def predict_disparity(self, images: UInt8[np.ndarray, "n height width 3"]) -> Float[np.ndarray, "n height width"]:
        """Predict inverse depth up to one scale and one offset."""
        ...


def run(
    config: DepthConfig,
    images: UInt8[np.ndarray, "key height width 3"],
    person_masks: Bool[np.ndarray, "key height width"],
    models: Predictor,
    focal_px: float | None,
) -> DepthScan:
    """Predict, fit and merge; `focal_px` is None where the focal length is not known.

    Raises InputError without key frames, Rejected("depth_fit") where the two networks contradict each other.
    """
    if len(images) == 0:
        raise InputError("depth", "no key frame to predict depth from", "give the background plate at least")
    metric = models.predict_metric(images, focal_px)
    disparity = models.predict_disparity(images)
    usable = ~person_masks & np.isfinite(metric) & np.isfinite(disparity) & (metric > config.near_m)
    if not usable.any():
        raise Rejected("depth_fit", "no pixel with a depth that people do not cover")
    stride = max(1, int(usable.sum()) // config.samples)
    d, m = disparity[usable][::stride], metric[usable][::stride]
    scale, offset = fit_disparity(d, m, config.loss)
    if scale <= 0:
        raise Rejected("depth_fit", f"the relative network sees far what the metric one sees near (scale {scale:.3g})")
    depth = np.clip(1.0 / np.maximum(scale * disparity + offset, 1.0 / config.far_m), config.near_m, config.far_m)
    seen = ~np.all(person_masks, axis=0)
    # Where every key frame shows a person, their median is the best there is; `valid` says so.
    hidden = person_masks & seen
    merged = np.nanmedian(np.where(hidden, np.nan, depth), axis=0)
    residual = float(np.median(np.abs(scale * d + offset - 1.0 / m) * m))
    return DepthScan(depth=merged, valid=seen, scale=scale, offset=offset, residual=residual)


def fit_disparity(
    disparity: Float[np.ndarray, "pixel"], metric: Float[np.ndarray, "pixel"], loss: Literal["huber", "squared"]
) -> tuple[float, float]:
    """Fit scale a and offset b of argmin sum rho(a d + b - 1/m), m in metres.

    Huber by iterated re-weighting, its knee at 1.345 robust standard deviations of the residual. Raises
    Rejected("depth_fit") where the disparity is constant.
    """
    extent = float(np.ptp(disparity))
    if extent < 1e-9 * max(1.0, float(np.abs(disparity).max())):
        raise Rejected("depth_fit", "the relative network predicts the same disparity everywhere")
    # Centred and scaled, so that the two columns are of one size whatever the network's unit.
    centre = float(np.median(disparity))
    columns = np.stack([(disparity - centre) / extent, np.ones_like(disparity)], axis=1)
    target = 1.0 / metric
    weights = np.ones_like(target)
    solution = np.zeros(2)
    for _ in range(1 if loss == "squared" else 100):
        previous = solution
        weighted = columns * weights[:, None]
        solution = np.linalg.solve(weighted.T @ columns, weighted.T @ target)
        if np.abs(solution - previous).max() < 1e-12 * np.abs(solution).max():
            break
        residual = np.abs(columns @ solution - target)
        knee = 1.345 * 1.4826 * float(np.median(residual))
        weights = (
            np.minimum(1.0, knee / np.maximum(residual, 1e-15)) if knee > 1e-12 else (residual <= 1e-9).astype(float)
        )
    scale = solution[0] / extent
    return float(scale), float(solution[1] - scale * centre)
