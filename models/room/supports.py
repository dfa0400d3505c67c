"""Level tops of beds, chairs and sofas among the points that a camera sees."""

from typing import cast

import numpy as np
from jaxtyping import Bool, Float, Int
from pydantic import Field
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from models.config import Config
from models.types import SURFACE_LABELS, SupportSurface


class SupportsConfig(Config):
    """How high and how large what supports people is."""

    seat_heights_m: tuple[float, float] = (0.3, 0.7)
    """Chairs and sofas, and level things that nothing labels, have their tops between these heights, metres."""
    bed_heights_m: tuple[float, float] = (0.2, 1.0)
    """Beds have their tops between these heights, metres."""
    support_area_m2: float = Field(0.12, gt=0.0)
    """Tops of a smaller area, square metres, support nobody."""


def support_surfaces(
    config: SupportsConfig, points: Float[np.ndarray, "height width 3"], surfaces: Int[np.ndarray, "height width"]
) -> tuple[SupportSurface, ...]:
    """Find tops of beds, chairs and sofas: by label, or, where nothing is labelled, level patches of that height."""
    up, height = upward(points), points[..., 2]
    wanted = {label: surfaces == SURFACE_LABELS.index(label) for label in ("bed", "sofa", "chair")}
    if not any(mask.any() for mask in wanted.values()):
        wanted = {"other": surfaces == -1}
    supports = []
    for label, mask in wanted.items():
        low, high = config.bed_heights_m if label == "bed" else config.seat_heights_m
        level = up & (height > low) & (height < high)
        # A labelled piece is one piece, backrest and all; unlabelled tops are separated by their edges.
        piece = mask if label != "other" else mask & level
        pieces, count = cast(tuple[np.ndarray, int], ndimage.label(piece, structure=np.ones((3, 3))))
        for number in range(1, count + 1):
            top = points[(pieces == number) & level]
            if len(top) < 30:
                continue
            middle = _main_height(top[:, 2])
            support = _support(config, label, middle, top[np.abs(top[:, 2] - middle) < 0.1, :2])
            if support is not None:
                supports.append(support)
    return tuple(supports)


def upward(points: Float[np.ndarray, "height width 3"], lean_deg: float = 30.0) -> Bool[np.ndarray, "height width"]:
    """Mark pixels whose surface faces up, by differences between neighbours a few pixels apart."""
    smooth = np.stack([ndimage.gaussian_filter(points[..., axis], 1.5) for axis in range(3)], axis=-1)
    normals = np.cross(np.gradient(smooth, axis=0), np.gradient(smooth, axis=1))
    length = np.maximum(np.linalg.norm(normals, axis=-1), 1e-12)
    return np.abs(normals[..., 2]) / length > np.cos(np.radians(lean_deg))


def _main_height(heights: Float[np.ndarray, "point"]) -> float:
    """Median height of the largest level part: the 10 cm band that holds most points."""
    counts, edges = np.histogram(heights, bins=np.arange(heights.min() - 0.05, heights.max() + 0.1, 0.05))
    band = np.convolve(counts, np.ones(2), mode="valid") if len(counts) > 1 else counts
    start = int(np.argmax(band))
    chosen = heights[(heights >= edges[start]) & (heights <= edges[min(start + 2, len(edges) - 1)])]
    return float(np.median(chosen))


def _support(
    config: SupportsConfig, label: str, height: float, top: Float[np.ndarray, "point 2"]
) -> SupportSurface | None:
    """The convex outline of a level top, or None if it is too small; the outermost twentieth are mixed edge pixels."""
    if len(top) < 10:
        return None
    # Cells, so that near parts, of more pixels, do not outweigh far ones.
    cells = np.unique(np.floor(top / 0.05).astype(np.int64), return_counts=True, axis=0)
    solid = cells[0][cells[1] >= 2]
    if len(solid) * 0.05**2 < config.support_area_m2:
        return None
    try:
        hull = ConvexHull((solid + 0.5) * 0.05)
    except QhullError:
        return None
    return SupportSurface(label=label, height_m=height, outline=(solid[hull.vertices] + 0.5) * 0.05)
