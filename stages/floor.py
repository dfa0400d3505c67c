"""The floor: where the camera stands over it, and what scale the depth must take (thesis §5.1).

In: depth of the empty room, intrinsics, a mask of the floor if there is one, the camera's calibration (from a file or
from the people seen) if there is one. Out: a `FloorFit`. The plane is found by RANSAC on point-to-plane distance, with
a threshold that grows with depth (5 cm at 3 m), refined by total least squares on the inliers, and at last by least
squares along the rays; the thesis regresses z on x and y, which has no solution for a level camera. The camera's place comes from the file, else from the people,
else from this plane; in the first two cases the depth is scaled so that its floor lies where the calibrated one does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from pydantic import BaseModel, ConfigDict, Field

from models.errors import Rejected
from models.geometry.camera import pose_over_floor
from models.types import Calibration

VERSION = 3


class FloorConfig(BaseModel):
    """How the floor is found and when it is believed."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    threshold_m: float = Field(0.05, gt=0.0)
    """Distance to the plane of an inlier at 3 m; in proportion at other depths, as the error of depth is."""
    iterations: int = Field(600, ge=10)
    samples: int = Field(12_000, ge=100)
    """Points that candidates are scored on."""
    gravity_tolerance_deg: float = Field(15.0, gt=0.0, lt=90.0)
    """Without a floor mask: how far the floor may lean from the calibrated one."""
    pitch_prior_deg: tuple[float, float] = (-15.0, 70.0)
    """Without a mask or a calibration: the camera looks down by this much..."""
    roll_prior_deg: float = Field(20.0, gt=0.0, lt=90.0)
    """...and is turned about its axis by less than this; a wall is beyond both."""
    least_lines: int = Field(15, ge=0)
    """A calibration by at least so many lines of the room knows which way is up better than the depth does."""
    gravity_tolerance_by_lines_deg: float = Field(6.0, gt=0.0, lt=90.0)
    """How far the depth's floor may then lean."""
    offset_spread: float = Field(0.05, gt=0.0)
    """Prior of the offset that the floor gives to the depth's inverse, 1/m."""
    least_depth_range: float = Field(1.5, ge=1.0)
    """Far over near floor, from which the floor can tell an offset from a scale."""
    min_inlier_ratio: float = Field(0.3, ge=0.0, le=1.0)
    """Of the floor mask's pixels."""
    min_floor_share: float = Field(0.05, ge=0.0, le=1.0)
    """Of the picture's pixels, where there is no mask."""


@dataclass(frozen=True)
class FloorFit:
    """The floor of the depth, the camera's pose over it, and how far depth and calibration agree."""

    normal_camera: Float[np.ndarray, "3"]
    """The depth's own floor: upward unit normal, camera coordinates."""
    height_m: float
    """The depth's own height of the camera above it, before scaling."""
    inlier_ratio: float
    """Inliers among the floor mask's pixels, or, without a mask, among all pixels that are not above the plane."""
    residual_m: float
    """Median distance of the inliers to the plane, before scaling; 0 where there are none."""
    found: bool
    """Whether enough of the depth is a floor; if not, normal and height are the calibration's."""
    floor_pixels: Bool[np.ndarray, "height width"]
    """The inliers: pixels that show the floor."""
    T_world_camera: Float[np.ndarray, "4 4"]
    """The camera's pose over the floor, from `pose_from`."""
    pose_from: Literal["file", "people", "prior", "depth"]
    scale: float
    """What to multiply the depth by..."""
    offset: float
    """...and then to add to its inverse, 1/m: see `corrected`."""
    scale_disagreement: float
    """|height_m / calibrated height - 1|; 0 where the depth's floor is the only witness."""
    shape_disagreement: float
    """Median |scaled depth / depth of the calibrated floor - 1| over the floor mask, or the inliers without one; or
    the same over the pixels where people stood, if that is more."""


def corrected(
    depth: Float[np.ndarray, "*pixel"], scale: float, offset: float, far_m: float = 20.0
) -> Float[np.ndarray, "*pixel"]:
    """Depth brought to a camera's floor, metres: a relative network knows 1/z up to a scale and an offset (thesis §5.1)."""
    with np.errstate(divide="ignore"):
        return np.where(depth > 0, 1.0 / np.maximum(1.0 / (scale * depth) + offset, 1.0 / far_m), 0.0)


def run(
    config: FloorConfig,
    depth: Float[np.ndarray, "height width"],
    intrinsics: Float[np.ndarray, "3 3"],
    floor_mask: Bool[np.ndarray, "height width"] | None,
    calibration: Calibration | None,
    rng: np.random.Generator,
    feet_px: Float[np.ndarray, "foot 2"] | None = None,
) -> FloorFit:
    """Find the floor and join it with the calibration.

    `feet_px` are pixels where people stood: without a mask they speak for the plane that holds them. A calibration by
    the method "prior" (nobody seen) says which way is up, not where the camera is: roughly, or, by the lines of the
    room, so well that only the height is left to the depth. Raises Rejected("floor") where neither depth nor
    calibration knows the floor.
    """
    points = points_camera(depth, intrinsics)
    trusted = calibration if calibration is not None and calibration.method != "prior" else None
    up = None if calibration is None else calibration.camera.T_world_camera[2, :3]
    level = calibration is not None and calibration.lines_followed >= config.least_lines
    tolerance = config.gravity_tolerance_by_lines_deg if level else config.gravity_tolerance_deg
    if floor_mask is not None and floor_mask.any():
        plane = _ransac(config, points, floor_mask, rng, _any_plane, None, False)
    else:
        foot_points = None if feet_px is None or len(feet_px) == 0 else _at_pixels(points, feet_px)

        def plausible(normals: Float[np.ndarray, "candidate 3"]) -> Bool[np.ndarray, "candidate"]:
            if up is not None:
                return normals @ up > np.cos(np.radians(tolerance))
            return within_tilt_prior(normals, config.pitch_prior_deg, config.roll_prior_deg)

        everywhere = np.ones(depth.shape, dtype=bool)
        plane = _ransac(config, points, everywhere, rng, plausible, foot_points, True)
    found, ratio, residual = plane is not None, 0.0, 0.0
    if plane is not None:
        normal, height = plane
        distance = points @ normal + height
        limit = config.threshold_m * depth / 3.0
        inliers = np.abs(distance) < limit
        if floor_mask is not None and floor_mask.any():
            inliers &= floor_mask
            ratio = float(inliers.sum() / floor_mask.sum())
            found = ratio >= config.min_inlier_ratio
        else:
            ratio = float(inliers.sum() / max(1, (distance < limit).sum()))
            found = float(inliers.mean()) >= config.min_floor_share
        residual = float(np.median(np.abs(distance[inliers]))) if inliers.any() else 0.0
    if plane is None or not found:
        if trusted is None:
            raise Rejected("floor", "no floor in the depth, and nobody walked to calibrate the camera by")
        normal, height = trusted.camera.T_world_camera[2, :3], trusted.camera.height_m
        inliers = np.zeros(depth.shape, dtype=bool) if floor_mask is None else floor_mask
    if trusted is None:
        if up is not None and level:
            normal, height = up, float(np.median(-(points[inliers] @ up))) if inliers.any() else height
        pose = pose_over_floor(normal, height)
        return FloorFit(normal, height, ratio, residual, True, inliers, pose, "depth", 1.0, 0.0, 0.0, 0.0)
    plane_depth = floor_depth(trusted.camera.T_world_camera, intrinsics, depth.shape)
    shown = inliers if floor_mask is None or not floor_mask.any() else floor_mask
    common = shown & np.isfinite(plane_depth) & np.isfinite(depth) & (depth > 0)
    if not common.any():
        return FloorFit(
            normal,
            height,
            ratio,
            residual,
            False,
            inliers,
            trusted.camera.T_world_camera,
            trusted.method,
            1.0,
            0.0,
            1.0,
            1.0,
        )
    scale, offset = fit_to_floor(config, depth[common], plane_depth[common])
    brought = corrected(depth, scale, offset)
    shape = float(np.median(np.abs(brought[common] / plane_depth[common] - 1.0)))
    if feet_px is not None and len(feet_px) > 0:
        # Inliers agree by their choice; where people stood is floor whatever the depth says.
        off = np.abs(_at_pixels(brought, feet_px) / _at_pixels(plane_depth, feet_px) - 1.0)
        shape = max(shape, float(np.nanmedian(off)) if np.isfinite(off).any() else 0.0)
    own = height if found else trusted.camera.height_m / float(np.median(plane_depth[common] / depth[common]))
    return FloorFit(
        normal_camera=normal,
        height_m=own,
        inlier_ratio=ratio,
        residual_m=residual,
        found=found,
        floor_pixels=inliers,
        T_world_camera=trusted.camera.T_world_camera,
        pose_from=trusted.method,
        scale=scale,
        offset=offset,
        scale_disagreement=abs(own / trusted.camera.height_m - 1.0),
        shape_disagreement=shape,
    )


def fit_to_floor(
    config: FloorConfig, depth: Float[np.ndarray, "pixel"], plane_depth: Float[np.ndarray, "pixel"]
) -> tuple[float, float]:
    """Scale and offset that bring the depth of floor pixels to the floor's own: argmin sum rho(z (1/(s d) + o) - 1).

    By relative error, Huber's loss by re-weighting; the offset is 0 where all of the floor is about equally far.
    """
    scale = float(np.median(plane_depth / depth))
    near, far = np.quantile(plane_depth, [0.05, 0.95])
    if far / near < config.least_depth_range:
        return scale, 0.0
    columns = np.stack([plane_depth / depth, plane_depth], axis=1)
    # Neighbouring pixels err alike: all of them together are some two hundred witnesses of 5 % each.
    ridge = np.diag([0.0, len(depth) * (0.05 / config.offset_spread) ** 2 / 200.0])
    weights, solution = np.ones(len(depth)), np.array([1.0 / scale, 0.0])
    for _ in range(50):
        previous, weighted = solution, columns * weights[:, None]
        solution = np.linalg.solve(weighted.T @ columns + ridge, weighted.sum(axis=0))
        if np.abs(solution - previous).max() < 1e-10:
            break
        miss = np.abs(columns @ solution - 1.0)
        knee = 1.345 * 1.4826 * max(float(np.median(miss)), 1e-9)
        weights = np.minimum(1.0, knee / np.maximum(miss, 1e-12))
    return (float(1.0 / solution[0]), float(solution[1])) if solution[0] > 0 else (scale, 0.0)


def points_camera(
    depth: Float[np.ndarray, "height width"], intrinsics: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "height width 3"]:
    """Points of all pixels in the camera frame, metres."""
    return _rays(intrinsics, depth.shape) * depth[..., None]


def floor_depth(
    T_world_camera: Float[np.ndarray, "4 4"], intrinsics: Float[np.ndarray, "3 3"], shape: tuple[int, int]
) -> Float[np.ndarray, "height width"]:
    """Depth along the optical axis at which each pixel's ray meets z = 0; NaN at and above the horizon."""
    down = -_rays(intrinsics, shape) @ T_world_camera[2, :3]
    return T_world_camera[2, 3] / np.where(down > 1e-6, down, np.nan)


def fit_plane(points: Float[np.ndarray, "point 3"]) -> tuple[Float[np.ndarray, "3"], float]:
    """Total least squares: unit normal n and height h of n . p + h = 0 with the origin above, that is h >= 0."""
    centre = points.mean(axis=0)
    offsets = points - centre
    normal = np.linalg.eigh(offsets.T @ offsets)[1][:, 0]
    height = -float(normal @ centre)
    return (normal, height) if height >= 0 else (-normal, -height)


def within_tilt_prior(
    normals: Float[np.ndarray, "candidate 3"], pitch_deg: tuple[float, float], roll_deg: float
) -> Bool[np.ndarray, "candidate"]:
    """Whether planes with these upward normals (camera coordinates) are floors of a camera held as cameras are."""
    pitch = np.degrees(np.arcsin(np.clip(-normals[:, 2], -1.0, 1.0)))
    roll = np.degrees(np.arctan2(normals[:, 0], -normals[:, 1]))
    return (pitch >= pitch_deg[0]) & (pitch <= pitch_deg[1]) & (np.abs(roll) <= roll_deg)


def fit_along_rays(
    points: Float[np.ndarray, "point 3"], plane: tuple[Float[np.ndarray, "3"], float], rounds: int = 3
) -> tuple[Float[np.ndarray, "3"], float]:
    """Least squares on inverse depth: 1/z = q . ray with q = -n / h, each pixel by its relative error.

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


def _ransac(
    config: FloorConfig,
    points: Float[np.ndarray, "height width 3"],
    mask: Bool[np.ndarray, "height width"],
    rng: np.random.Generator,
    plausible: Callable[[np.ndarray], np.ndarray],
    foot_points: Float[np.ndarray, "foot 3"] | None,
    penalise_below: bool,
) -> tuple[Float[np.ndarray, "3"], float] | None:
    """Best plane (normal, height) of plausible ones, or None.

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


def _any_plane(normals: Float[np.ndarray, "candidate 3"]) -> Bool[np.ndarray, "candidate"]:
    return np.ones(len(normals), dtype=bool)


def _rays(intrinsics: Float[np.ndarray, "3 3"], shape: tuple[int, int]) -> Float[np.ndarray, "height width 3"]:
    v, u = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    return np.stack([u, v, np.ones_like(u)], axis=-1) @ np.linalg.inv(intrinsics).T


def _at_pixels(
    image: Float[np.ndarray, "height width *value"], pixels: Float[np.ndarray, "foot 2"]
) -> Float[np.ndarray, "foot *value"]:
    rows = np.clip(np.round(pixels[:, 1]).astype(int), 0, image.shape[0] - 1)
    columns = np.clip(np.round(pixels[:, 0]).astype(int), 0, image.shape[1] - 1)
    return image[rows, columns]
