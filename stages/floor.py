"""The floor: where the camera stands over it, and what scale the depth must take (thesis §5.1).

In: depth of the empty room, intrinsics, a mask of the floor if there is one, the camera's calibration (from a file or
from the people seen) if there is one. Out: a `FloorFit`. The plane is found by RANSAC on point-to-plane distance, with
a threshold that grows with depth (5 cm at 3 m), refined by total least squares on the inliers, and at last by least
squares along the rays; the thesis regresses z on x and y, which has no solution for a level camera. The camera's place
comes from the file, else from the people, else from this plane; in the first two cases the depth is scaled so that its
floor lies where the calibrated one does.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from models.errors import Rejected
from models.geometry.camera import pose_over_floor
from models.geometry.plane_fit import (
    FloorConfig,
    any_plane,
    at_pixels,
    floor_depth,
    points_camera,
    ransac,
    within_tilt_prior,
)
from models.types import Calibration

VERSION = 3


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
    """What to multiply the depth by, see `corrected`."""
    offset: float
    """What to add to the inverse of the scaled depth then, 1/m."""
    scale_disagreement: float
    """|height_m / calibrated height - 1|; 0 where the depth's floor is the only evidence."""
    shape_disagreement: float
    """Median |scaled depth / depth of the calibrated floor - 1| over the floor mask, or the inliers without one; or
    the same over the pixels where people stood, if that is more."""


def corrected(
    depth: Float[np.ndarray, "*pixel"], scale: float, offset: float, far_m: float = 20.0
) -> Float[np.ndarray, "*pixel"]:
    """Bring depth to a camera's floor, metres: a relative network knows 1/z up to a scale and an offset (thesis
    §5.1)."""
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
    level = calibration is not None and calibration.lines_followed >= config.min_lines
    tolerance = config.gravity_tolerance_by_lines_deg if level else config.gravity_tolerance_deg
    if floor_mask is not None and floor_mask.any():
        plane = ransac(config, points, floor_mask, rng, any_plane, None, False)
    else:
        foot_points = None if feet_px is None or len(feet_px) == 0 else at_pixels(points, feet_px)

        def plausible(normals: Float[np.ndarray, "candidate 3"]) -> Bool[np.ndarray, "candidate"]:
            if up is not None:
                return normals @ up > np.cos(np.radians(tolerance))
            return within_tilt_prior(normals, config.pitch_prior_deg, config.roll_prior_deg)

        everywhere = np.ones(depth.shape, dtype=bool)
        plane = ransac(config, points, everywhere, rng, plausible, foot_points, True)
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
        off = np.abs(at_pixels(brought, feet_px) / at_pixels(plane_depth, feet_px) - 1.0)
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
    """Fit the scale and offset that bring the depth of floor pixels to the floor's own: argmin sum rho(z (1/(s d) +
    o) - 1).

    By relative error, Huber's loss by re-weighting; the offset is 0 where all of the floor is about equally far.
    """
    scale = float(np.median(plane_depth / depth))
    near, far = np.quantile(plane_depth, [0.05, 0.95])
    if far / near < config.min_depth_range:
        return scale, 0.0
    columns = np.stack([plane_depth / depth, plane_depth], axis=1)
    # Neighbouring pixels err alike: all of them together are some two hundred observations of 5 % each.
    ridge = np.diag([0.0, len(depth) * (0.05 / config.offset_std) ** 2 / 200.0])
    weights, solution = np.ones(len(depth)), np.array([1.0 / scale, 0.0])
    for _ in range(50):
        previous, weighted = solution, columns * weights[:, None]
        solution = np.linalg.solve(weighted.T @ columns + ridge, weighted.sum(axis=0))
        if np.abs(solution - previous).max() < 1e-10:
            break
        error = np.abs(columns @ solution - 1.0)
        knee = 1.345 * 1.4826 * max(float(np.median(error)), 1e-9)
        weights = np.minimum(1.0, knee / np.maximum(error, 1e-12))
    return (float(1.0 / solution[0]), float(solution[1])) if solution[0] > 0 else (scale, 0.0)
