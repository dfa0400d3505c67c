"""Lenses that bend straight lines: OpenCV's radial-tangential and fisheye models, there and back.

Everything inside works in the undistorted (pinhole) image of the same size that `Lens.undistorted_intrinsics`
describes; frames and annotations are undistorted on the way in, images, masks and keypoints distorted again on the way
out (DESIGN §4).
"""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, UInt8

from models.errors import InputError
from models.geometry.intrinsics import check_intrinsics, check_size, matrix_from
from models.text_files import read_json

COUNTS = {"opencv": (4, 5, 8), "fisheye": (4,)}
"""Coefficients that each model may have: k1 k2 p1 p2 [k3 [k4 k5 k6]], and k1 to k4."""
WIDEST_FOCAL = 0.3
"""Undistorted focal length over width is kept above this: a pinhole cannot show half the world."""


@dataclass(frozen=True)
class Lens:
    """How the real image of a camera is distorted."""

    model: Literal["opencv", "fisheye"]
    coefficients: Float[np.ndarray, "coefficient"]
    intrinsics: Float[np.ndarray, "3 3"]
    """K of the distorted image, pixels."""
    width_px: int
    height_px: int

    @cached_property
    def undistorted_intrinsics(self) -> Float[np.ndarray, "3 3"]:
        """K of the undistorted image: of the same size, with the whole distorted image in it.

        Where that would need a focal length under WIDEST_FOCAL widths, the edges of a very wide image are left out.
        """
        # Where the image's border lies in the undistorted one; a ray at or beyond 90 degrees has no place there.
        width, height, share = self.width_px, self.height_px, np.linspace(0.0, 1.0, 257)
        sides = [np.stack([share * width - 0.5, np.full(257, edge)], axis=1) for edge in (-0.5, height - 0.5)]
        sides += [np.stack([np.full(257, edge), share * height - 0.5], axis=1) for edge in (-0.5, width - 0.5)]
        rays = np.abs(self._rays(np.concatenate(sides)))
        reach = np.nanmax(np.where(np.isfinite(rays), rays, np.nan), axis=0)
        focal = max(min(width / 2.0 / reach[0], height / 2.0 / reach[1]), WIDEST_FOCAL * width)
        centre = (width - 1.0) / 2.0, (height - 1.0) / 2.0
        return np.array([[focal, 0.0, centre[0]], [0.0, focal, centre[1]], [0.0, 0.0, 1.0]])

    def resized(self, width_px: int, height_px: int) -> "Lens":
        """Return the same lens with its image scaled to another size."""
        sx, sy = width_px / self.width_px, height_px / self.height_px
        scale = np.array([[sx, 0.0, (sx - 1.0) / 2.0], [0.0, sy, (sy - 1.0) / 2.0], [0.0, 0.0, 1.0]])
        return replace(self, intrinsics=scale @ self.intrinsics, width_px=width_px, height_px=height_px)

    def undistort(self, points_px: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 2"]:
        """Map pixels of the distorted image to pixels of the undistorted one."""
        K = self.undistorted_intrinsics
        return self._rays(points_px.reshape(-1, 2)).reshape(points_px.shape) * K[[0, 1], [0, 1]] + K[:2, 2]

    def distort(self, points_px: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 2"]:
        """Map pixels of the undistorted image to pixels of the distorted one."""
        # Here, not above: machines that only train motion have none.
        import cv2

        K = self.undistorted_intrinsics
        rays = ((points_px.reshape(-1, 2) - K[:2, 2]) / K[[0, 1], [0, 1]])[:, None]
        if self.model == "fisheye":
            distorted = cv2.fisheye.distortPoints(rays, self.intrinsics, self.coefficients)
        else:
            ahead = np.concatenate([rays, np.ones_like(rays[..., :1])], axis=-1)
            distorted = cv2.projectPoints(ahead, np.zeros(3), np.zeros(3), self.intrinsics, self.coefficients)[0]
        return distorted.reshape(points_px.shape)

    def undistort_boxes(self, boxes_px: Float[np.ndarray, "box 4"]) -> Float[np.ndarray, "box 4"]:
        """Map boxes (x0, y0, x1, y1) of the distorted image to boxes that hold what was in them, within the undistorted
        one."""
        share = np.linspace(0.0, 1.0, 9)
        sides = np.concatenate([np.stack([share, np.full(9, end)], axis=1) for end in (0.0, 1.0)])
        outline = np.concatenate([sides, sides[:, ::-1]])
        low, extent = boxes_px[:, None, :2], boxes_px[:, None, 2:] - boxes_px[:, None, :2]
        undistorted = self.undistort(low + extent * outline)
        limit = np.array([self.width_px - 1.0, self.height_px - 1.0])
        corners = np.concatenate(
            [undistorted.min(axis=1).clip(0.0, limit), undistorted.max(axis=1).clip(0.0, limit)], axis=1
        )
        return np.where((extent[:, 0] > 0).any(axis=1, keepdims=True), corners, 0.0)

    def undistort_image(
        self, image: UInt8[np.ndarray, "height width *channel"], exact: bool = False
    ) -> UInt8[np.ndarray, "height width *channel"]:
        """Undistort a distorted image; `exact` takes the nearest pixel, for masks. Beyond its edge it is continued."""
        return _remapped(image, self._distorted_grid, exact)

    def distort_image(
        self, image: UInt8[np.ndarray, "height width *channel"], exact: bool = False
    ) -> UInt8[np.ndarray, "height width *channel"]:
        """Distort an undistorted image; `exact` takes the nearest pixel, for masks. Beyond its edge it is continued."""
        return _remapped(image, self._undistorted_grid, exact)

    def _rays(self, points_px: Float[np.ndarray, "point 2"]) -> Float[np.ndarray, "point 2"]:
        """Directions of distorted pixels, scaled to z = 1."""
        # Here, not above: machines that only train motion have none.
        import cv2

        points = np.ascontiguousarray(points_px, dtype=np.float64)[:, None]
        close = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 60, 1e-10)
        if self.model == "fisheye":
            return cv2.fisheye.undistortPoints(points, self.intrinsics, self.coefficients, criteria=close)[:, 0]
        return cv2.undistortPoints(points, self.intrinsics, self.coefficients, criteria=close)[:, 0]

    @cached_property
    def covered(self) -> Bool[np.ndarray, "height width"]:
        """Pixels of the undistorted image that the distorted one shows; the others only continue its edge."""
        return self.undistort_image(np.ones((self.height_px, self.width_px), np.uint8), exact=True) > 0

    @cached_property
    def _distorted_grid(self) -> Float[np.ndarray, "height width 2"]:
        return self.distort(_grid(self.width_px, self.height_px))

    @cached_property
    def _undistorted_grid(self) -> Float[np.ndarray, "height width 2"]:
        return self.undistort(_grid(self.width_px, self.height_px))


def _grid(width_px: int, height_px: int) -> Float[np.ndarray, "height width 2"]:
    u, v = np.meshgrid(np.arange(width_px, dtype=np.float64), np.arange(height_px, dtype=np.float64))
    return np.stack([u, v], axis=-1)


def _remapped(
    image: UInt8[np.ndarray, "height width *channel"], source_px: Float[np.ndarray, "height width 2"], exact: bool
) -> UInt8[np.ndarray, "height width *channel"]:
    # Here, not above: machines that only train motion have none.
    import cv2

    maps = np.nan_to_num(source_px, nan=-1e4).astype(np.float32)
    how = cv2.INTER_NEAREST if exact else cv2.INTER_LINEAR
    edge = cv2.BORDER_CONSTANT if exact else cv2.BORDER_REPLICATE
    return cv2.remap(image, maps[..., 0], maps[..., 1], how, borderMode=edge, borderValue=0)


def lens_from_json(raw: dict, intrinsics: Float[np.ndarray, "3 3"], size: tuple[int, int], path: Path) -> Lens | None:
    """Read the lens of a camera file's content, or None where it has no `distortion`, or one of zeros.

    `distortion` is `{"model": "opencv" or "fisheye", "coefficients": [...]}`, for `intrinsics` and `size` (width,
    height) of the distorted image. Raises InputError on an unknown model, a wrong count or a number that is not finite.
    """
    given = raw.get("distortion")
    if given is None:
        return None
    if not isinstance(given, dict) or not isinstance(given.get("model"), str) or given["model"] not in COUNTS:
        raise InputError(
            path, f"'distortion' is {given!r:.80}", f'write {{"model": {" or ".join(COUNTS)}, "coefficients": [...]}}'
        )
    model = given["model"]
    try:
        values = np.asarray(given.get("coefficients"), dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(path, "'distortion.coefficients' is not a list of numbers", "correct it") from error
    if values.ndim != 1 or len(values) not in COUNTS[model]:
        counts = " or ".join(str(count) for count in COUNTS[model])
        raise InputError(
            path, f"'distortion.coefficients' has shape {values.shape}, expected {counts} numbers", "correct it"
        )
    if not np.isfinite(values).all():
        raise InputError(path, "'distortion.coefficients' holds a number that is not finite", "correct it")
    return Lens(model, values, intrinsics, *size) if values.any() else None


def read_lens(path: Path, width_px: int, height_px: int, coded_px: tuple[int, int] | None = None) -> Lens | None:
    """Read the lens of a camera file, for images of that size; None where there is no file or it names no distortion.

    `coded_px` is the size of a clip whose pixels are stored not square. Whether the rest of the file is sound is for
    `models.geometry.camera_file.read_camera` to say. Raises InputError as `lens_from_json` does, and where a file with
    distortion has no intrinsics that can be meant.
    """
    raw = _named(path)
    if raw is None:
        return None
    asked = (width_px, height_px)
    intrinsics = matrix_from(raw.get("intrinsics"), (3, 3), "intrinsics", path)
    size = check_size(raw, coded_px or asked, [asked, coded_px or asked], path)
    lens = lens_from_json(raw, intrinsics, size, path)
    if lens is None:
        return None
    check_intrinsics(intrinsics, size, path, wide=lens.model == "fisheye")
    return lens.resized(width_px, height_px)


def has_lens(path: Path) -> bool:
    """Say whether a camera file names a lens, for images of any size; InputError where that is none of ours."""
    raw = _named(path)
    return raw is not None and lens_from_json(raw, np.eye(3), (1, 1), path) is not None


def _named(path: Path) -> dict | None:
    """A camera file's content where it names distortion; whether it can be read at all is for `read_camera` to say."""
    try:
        raw = read_json(path, constants=True)
    except InputError:
        return None
    return raw if isinstance(raw, dict) and raw.get("distortion") is not None else None
