"""Simple solids that stand for the skin of one part of a body in collisions."""

import numpy as np
from jaxtyping import Float


def hull_points(points: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, "corner 3"]:
    """Return the points furthest along the axes and in 64 directions between: a convex hull small enough to collide
    fast."""
    index = np.arange(64) + 0.5
    polar, azimuth = np.arccos(1.0 - 2.0 * index / 64.0), np.pi * (1.0 + 5.0**0.5) * index
    between = np.stack([np.cos(azimuth) * np.sin(polar), np.sin(azimuth) * np.sin(polar), np.cos(polar)], axis=-1)
    directions = np.concatenate([np.eye(3), -np.eye(3), between])
    return points[np.unique(np.argmax(points @ directions.T, axis=0))]


def core_capsule(
    points: Float[np.ndarray, "point 3"],
) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"], float]:
    """Return ends and radius of a capsule inside a segment, along its longest direction: what other limbs collide
    with."""
    centre = points.mean(axis=0)
    _, _, directions = np.linalg.svd(points - centre, full_matrices=False)
    along = (points - centre) @ directions[0]
    radius = 0.85 * float(np.median(np.linalg.norm((points - centre) - along[:, None] * directions[0], axis=-1)))
    low, high = np.percentile(along, 3.0), np.percentile(along, 97.0)
    inset = min(radius, 0.45 * (high - low))
    return centre + (low + inset) * directions[0], centre + (high - inset) * directions[0], radius
