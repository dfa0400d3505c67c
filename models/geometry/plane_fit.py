"""The floor as a plane in depth: RANSAC by point-to-plane distance, refined by total least squares, with a prior on
tilt."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float
from pydantic import Field

from models.config import Config, renamed


class FloorConfig(Config):
    """How the floor is found and when it is believed."""

    threshold_m: float = Field(0.05, gt=0.0)
    """Distance to the plane of an inlier at 3 m; in proportion at other depths, as the error of depth is."""
    iterations: int = Field(600, ge=10)
    """Candidate planes that RANSAC draws."""
    samples: int = Field(12_000, ge=100)
    """Points that candidates are scored on."""
    gravity_tolerance_deg: float = Field(15.0, gt=0.0, lt=90.0)
    """Without a floor mask: how far the floor may lean from the calibrated one, degrees."""
    pitch_prior_deg: tuple[float, float] = (-15.0, 70.0)
    """Without a mask or a calibration: the camera looks down by between these, degrees; a wall is beyond."""
    roll_prior_deg: float = Field(20.0, gt=0.0, lt=90.0)
    """Without a mask or a calibration: the camera is rolled about its axis by less than this, degrees."""
    min_lines: int = renamed("least_lines", "min_lines", 15, ge=0)
    """A calibration by at least so many lines of the room knows which way is up better than the depth does."""
    gravity_tolerance_by_lines_deg: float = Field(6.0, gt=0.0, lt=90.0)
    """How far the depth's floor may then lean, degrees."""
    offset_std: float = renamed("offset_spread", "offset_std", 0.05, gt=0.0)
    """Standard deviation of the prior of the offset that the floor gives to the depth's inverse, 1/m."""
    min_depth_range: float = renamed("least_depth_range", "min_depth_range", 1.5, ge=1.0)
    """Far over near floor, from which the floor can tell an offset from a scale."""
    min_inlier_ratio: float = Field(0.3, ge=0.0, le=1.0)
    """Share of the floor mask's pixels that must lie on the plane, or there is no floor in the depth."""
    min_floor_share: float = Field(0.05, ge=0.0, le=1.0)
    """Share of the image's pixels that must lie on the plane, where there is no mask."""


def points_camera(
    depth: Float[np.ndarray, "height width"], intrinsics: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "height width 3"]:
    """Return points of all pixels in the camera frame, metres."""
    return _rays(intrinsics, depth.shape) * depth[..., None]


def floor_depth(
    T_world_camera: Float[np.ndarray, "4 4"], intrinsics: Float[np.ndarray, "3 3"], shape: tuple[int, int]
) -> Float[np.ndarray, "height width"]:
    """Return depth along the optical axis at which each pixel's ray meets z = 0; NaN at and above the horizon."""
    down = -_rays(intrinsics, shape) @ T_world_camera[2, :3]
    return T_world_camera[2, 3] / np.where(down > 1e-6, down, np.nan)


def fit_plane(points: Float[np.ndarray, "point 3"]) -> tuple[Float[np.ndarray, "3"], float]:
    """Fit by total least squares: unit normal n and height h of n . p + h = 0 with the origin above, that is h >= 0."""
    centre = points.mean(axis=0)
    offsets = points - centre
    normal = np.linalg.eigh(offsets.T @ offsets)[1][:, 0]
    height = -float(normal @ centre)
    return (normal, height) if height >= 0 else (-normal, -height)


def within_tilt_prior(
    normals: Float[np.ndarray, "candidate 3"], pitch_deg: tuple[float, float], roll_deg: float
) -> Bool[np.ndarray, "candidate"]:
    """Return whether planes with these upward normals (camera coordinates) are floors of a camera held as cameras
    are."""
    pitch = np.degrees(np.arcsin(np.clip(-normals[:, 2], -1.0, 1.0)))
    roll = np.degrees(np.arctan2(normals[:, 0], -normals[:, 1]))
    return (pitch >= pitch_deg[0]) & (pitch <= pitch_deg[1]) & (np.abs(roll) <= roll_deg)


def fit_along_rays(
    points: Float[np.ndarray, "point 3"], plane: tuple[Float[np.ndarray, "3"], float], rounds: int = 3
) -> tuple[Float[np.ndarray, "3"], float]:
    """Fit by least squares on inverse depth: 1/z = q . ray with q = -n / h, each pixel by its relative error.

    The errors of predicted depth lie along the rays and grow with depth, while total least squares takes them for
    equal in all directions, which tips the plane where the floor is a narrow strip. The rays themselves are exact, so
    this regression is unbiased, and well-conditioned at any tilt, for q has no preferred axis.
    """
    rays, inverse = points / points[:, 2:], 1.0 / points[:, 2]
    q = -plane[0] / plane[1]
    for _ in range(rounds):
        # By the depth that the plane predicts, not the noisy one: else near errors would count double.
        expected = 1.0 / np.maximum(rays @ q, 1e-6)
        q = np.linalg.lstsq(rays * expected[:, None], inverse * expected, rcond=None)[0]
    length = float(np.linalg.norm(q))
    return -q / length, 1.0 / length


def ransac(
    config: FloorConfig,
    points: Float[np.ndarray, "height width 3"],
    mask: Bool[np.ndarray, "height width"],
    rng: np.random.Generator,
    plausible: Callable[[np.ndarray], np.ndarray],
    foot_points: Float[np.ndarray, "foot 3"] | None,
    penalise_below: bool,
) -> tuple[Float[np.ndarray, "3"], float] | None:
    """Return best plane (normal, height) of plausible ones, or None.

    A floor is the lowest plane: where the whole room votes, points below a candidate speak against it, else a bed that
    fills the picture would win.
    """
    mask = mask & np.isfinite(points).all(axis=2) & (points[..., 2] > 0)
    rows, columns = np.nonzero(mask)
    if len(rows) < 3:
        return None
    normals, heights = _candidates(config, points, mask, rng)
    keep = plausible(normals)
    normals, heights = normals[keep][: config.iterations], heights[keep][: config.iterations]
    if len(normals) == 0:
        return None
    chosen = rng.choice(len(rows), size=min(config.samples, len(rows)), replace=False)
    sample = points[rows[chosen], columns[chosen]]

    def score(normal: Float[np.ndarray, "3"], height: float) -> float:
        relative = (sample @ normal + height) / (config.threshold_m * sample[:, 2] / 3.0)
        value = (np.abs(relative) < 1.0).mean()
        if penalise_below:
            value -= 3.0 * (relative < -3.0).mean()
        if foot_points is not None:
            off = (foot_points @ normal + height) / (config.threshold_m * foot_points[:, 2] / 3.0)
            value += 3.0 * (np.abs(off) < 1.0).mean()
        return float(value)

    best = int(np.argmax([score(*candidate) for candidate in zip(normals, heights.tolist(), strict=True)]))
    normal, height, everything = normals[best], float(heights[best]), points[mask]
    share = 1.0
    for _ in range(30):
        relative = np.abs(everything @ normal + height) / (config.threshold_m * everything[:, 2] / 3.0)
        inlier = relative < share
        if inlier.sum() < 3:
            return None
        refined = fit_plane(everything[inlier])
        moved = np.abs(refined[0] - normal).max() + abs(refined[1] - height)
        normal, height = refined
        # Where the depth is better than the threshold, tighten it: the foot of a wall is no floor, and tips the plane.
        tighter = max(1e-3, min(share, 2.5 * 1.4826 * float(np.median(relative[inlier]))))
        if moved < 1e-12 and tighter == share:
            break
        share = tighter
    for _ in range(10 if height > 0 else 0):
        relative = np.abs(everything @ normal + height) / (config.threshold_m * everything[:, 2] / 3.0)
        if (relative < share).sum() < 3:
            return None
        normal, height = fit_along_rays(everything[relative < share], (normal, height))
    return (normal, height) if plausible(normal[None])[0] else None


def _candidates(
    config: FloorConfig,
    points: Float[np.ndarray, "height width 3"],
    mask: Bool[np.ndarray, "height width"],
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, "candidate 3"], Float[np.ndarray, "candidate"]]:
    """Planes through three points: half from anywhere, half from neighbourhoods, which find small floors."""
    rows, columns = np.nonzero(mask)
    many = 20 * config.iterations
    first = rng.integers(len(rows), size=many)
    reach = max(3, mask.shape[1] // 6)
    corners = []
    for _ in range(2):
        anywhere = rng.integers(len(rows), size=many)
        near_rows = np.clip(rows[first] + rng.integers(-reach, reach + 1, size=many), 0, mask.shape[0] - 1)
        near_columns = np.clip(columns[first] + rng.integers(-reach, reach + 1, size=many), 0, mask.shape[1] - 1)
        near = (np.arange(many) % 2 == 0) & mask[near_rows, near_columns]
        corners.append(
            points[np.where(near, near_rows, rows[anywhere]), np.where(near, near_columns, columns[anywhere])]
        )
    start = points[rows[first], columns[first]]
    normals = np.cross(corners[0] - start, corners[1] - start)
    length = np.linalg.norm(normals, axis=1)
    good = length > 1e-9
    normals, start = normals[good] / length[good, None], start[good]
    heights = -np.einsum("ij,ij->i", normals, start)
    sign = np.where(heights >= 0, 1.0, -1.0)
    return normals * sign[:, None], heights * sign


def any_plane(normals: Float[np.ndarray, "candidate 3"]) -> Bool[np.ndarray, "candidate"]:
    return np.ones(len(normals), dtype=bool)


def _rays(intrinsics: Float[np.ndarray, "3 3"], shape: tuple[int, int]) -> Float[np.ndarray, "height width 3"]:
    v, u = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    return np.stack([u, v, np.ones_like(u)], axis=-1) @ np.linalg.inv(intrinsics).T


def at_pixels(
    image: Float[np.ndarray, "height width *value"], pixels: Float[np.ndarray, "foot 2"]
) -> Float[np.ndarray, "foot *value"]:
    rows = np.clip(np.round(pixels[:, 1]).astype(int), 0, image.shape[0] - 1)
    columns = np.clip(np.round(pixels[:, 0]).astype(int), 0, image.shape[1] - 1)
    return image[rows, columns]
