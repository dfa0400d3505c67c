"""The pinhole camera in OpenCV axes, and its place in the world.

World: metres, right-handed, z up, floor at z = 0, origin on the floor under the camera, x along the viewing direction
projected on the floor (image-up for a camera that looks straight down).
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from models.geometry.lens import Lens
from models.geometry.transforms import apply, invert, rotation_between, transform, yaw


@dataclass(frozen=True)
class Camera:
    """One fixed camera."""

    intrinsics: Float[np.ndarray, "3 3"]
    """K: focal lengths and principal point, pixels; pixel centres lie at integer coordinates."""
    width_px: int
    height_px: int
    T_world_camera: Float[np.ndarray, "4 4"]
    """Maps camera coordinates (x right, y down, z forward) to world, metres."""
    lens: Lens | None = None
    """How the real image is distorted; everything else here is of the undistorted one. None is a pinhole."""

    @property
    def height_m(self) -> float:
        """Height of the optical centre above the floor, metres."""
        return float(self.T_world_camera[2, 3])

    @property
    def pitch_deg(self) -> float:
        """Angle of the viewing direction below the horizon, degrees."""
        return float(np.degrees(np.arcsin(np.clip(-self.T_world_camera[2, 2], -1.0, 1.0))))

    @property
    def focal_px(self) -> float:
        """Mean focal length, pixels."""
        return float((self.intrinsics[0, 0] + self.intrinsics[1, 1]) / 2.0)

    def project(self, points_world: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 2"]:
        """Project world points to pixels; points at or behind the image plane (z <= 1e-6) give NaN."""
        p_camera = apply(invert(self.T_world_camera), points_world)
        z = np.where(p_camera[..., 2:] > 1e-6, p_camera[..., 2:], np.nan)
        return (p_camera @ self.intrinsics.T)[..., :2] / z

    def unproject(
        self, points_px: Float[np.ndarray, "*batch 2"], depth: Float[np.ndarray, "*batch"]
    ) -> Float[np.ndarray, "*batch 3"]:
        """Return world points of pixels at a depth along the optical axis (z of the camera frame), metres."""
        return apply(self.T_world_camera, self.rays_camera(points_px) * depth[..., None])

    def rays_camera(self, points_px: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 3"]:
        """Return directions of pixels in the camera frame, scaled to z = 1."""
        homogeneous = np.concatenate([points_px, np.ones_like(points_px[..., :1])], axis=-1)
        return homogeneous @ np.linalg.inv(self.intrinsics).T

    def floor_points(self, points_px: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 3"]:
        """Return world points where pixels' rays meet the floor z = 0; NaN for rays at or above the horizon."""
        rays = self.rays_camera(points_px) @ self.T_world_camera[:3, :3].T
        down = np.where(rays[..., 2:] < -1e-9, rays[..., 2:], np.nan)
        return self.T_world_camera[:3, 3] - rays * self.height_m / down

    def pixel_grid(self) -> Float[np.ndarray, "height width 2"]:
        """Return coordinates (u, v) of every pixel centre."""
        u, v = np.meshgrid(np.arange(self.width_px, dtype=np.float64), np.arange(self.height_px, dtype=np.float64))
        return np.stack([u, v], axis=-1)

    def resized(self, width_px: int, height_px: int) -> "Camera":
        """Return the same camera with its image scaled to another size."""
        sx, sy = width_px / self.width_px, height_px / self.height_px
        scale = np.array([[sx, 0.0, (sx - 1.0) / 2.0], [0.0, sy, (sy - 1.0) / 2.0], [0.0, 0.0, 1.0]])
        lens = None if self.lens is None else self.lens.resized(width_px, height_px)
        return replace(self, intrinsics=scale @ self.intrinsics, width_px=width_px, height_px=height_px, lens=lens)


def intrinsics_from_focal(focal_px: float, width_px: int, height_px: int) -> Float[np.ndarray, "3 3"]:
    """Return K of a camera with square pixels and its principal point at the centre of the image."""
    return np.array([[focal_px, 0.0, (width_px - 1) / 2.0], [0.0, focal_px, (height_px - 1) / 2.0], [0.0, 0.0, 1.0]])


def pose_over_floor(normal_camera: Float[np.ndarray, "3"], height_m: float) -> Float[np.ndarray, "4 4"]:
    """Return `T_world_camera` from the floor's upward unit normal in camera coordinates and the camera's height.

    Rodrigues turns the normal onto e_z; yaw then turns the viewing direction to +x, or image-up where the camera looks
    straight down. DESIGN §4, floor.
    """
    R_level_camera = rotation_between(normal_camera, np.array([0.0, 0.0, 1.0]))
    forward = R_level_camera[:, 2]
    if np.hypot(forward[0], forward[1]) < 1e-6:
        forward = -R_level_camera[:, 1]
    R_world_level = yaw(-np.arctan2(forward[1], forward[0]))
    return transform(R_world_level @ R_level_camera, np.array([0.0, 0.0, height_m]))


def normal_from_angles(pitch: float, roll: float) -> Float[np.ndarray, "3"]:
    """Return the upward floor normal in camera coordinates of a camera pitched down and rolled clockwise, radians."""
    up = np.array([0.0, -np.cos(pitch), -np.sin(pitch)])
    c, s = np.cos(roll), np.sin(roll)
    return np.array([c * up[0] - s * up[1], s * up[0] + c * up[1], up[2]])


def image_projection(camera: Camera) -> dict[str, np.ndarray]:
    """Return what projects camera coordinates into the clip's images: K, and OpenCV's distortion where there is any.

    `distortion_model` is "" (none), "opencv" (`cv2.projectPoints`) or "fisheye" (`cv2.fisheye.projectPoints`).
    """
    lens = camera.lens
    if lens is None:
        return {"intrinsics": camera.intrinsics, "distortion_model": np.array(""), "distortion": np.zeros(0)}
    model = np.array(lens.model)
    return {"intrinsics": lens.intrinsics, "distortion_model": model, "distortion": lens.coefficients}
