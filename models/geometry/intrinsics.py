"""Intrinsics out of files: what is no camera's matrix, or not the one for these images, is refused by name."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from models.errors import InputError

FOCAL_WIDTHS = (0.3, 3.0)
"""Focal length over the image's longer side: of the widest pinhole to a far zoom."""
FISHEYE_FOCAL_WIDTHS = (0.15, 3.0)
"""Of fisheye lenses, which show half the world and more."""
FOCAL_RATIO = (0.8, 1.25)
"""fx / fy of square pixels, generously."""
CENTRE = (0.25, 0.75)
"""Share of each side within which the principal point lies."""
SKEW = 0.01
"""Largest skew over the focal length that a calibration finds in a sensor of right angles."""
SAME_ASPECT = 0.01
"""Largest difference of two aspects, as a share, that rounding to whole pixels explains."""
LAYOUT = "write [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], in pixels"


def matrix_from(value: Any, shape: tuple[int, int], key: str, path: Path) -> Float[np.ndarray, "rows columns"]:
    """Return a matrix of a file; InputError where it has another shape or holds what is no finite number."""
    try:
        matrix = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(path, f"'{key}' is not a {shape[0]}x{shape[1]} list of numbers", "correct it") from error
    if matrix.shape != shape:
        raise InputError(path, f"'{key}' has shape {matrix.shape}, expected {shape}", "correct it")
    if not np.isfinite(matrix).all():
        raise InputError(
            path,
            f"'{key}' holds a number that is not finite (NaN or infinity)",
            "correct it or remove the file to calibrate from people",
        )
    return matrix


def check_size(
    raw: Mapping[str, Any], assumed: tuple[int, int], shown: Sequence[tuple[int, int]], path: Path
) -> tuple[int, int]:
    """Return the size (width, height) that a file's intrinsics are for; InputError where it has another aspect than
    every size that the clip is `shown` or stored at."""
    size = raw.get("width_px", assumed[0]), raw.get("height_px", assumed[1])
    if not all(type(side) is int and 0 < side < 100_000 for side in size):
        raise InputError(path, f"width_px and height_px are {size}, expected positive whole numbers", "correct them")
    width, height = size
    aspects = [abs(width * other[1] / (height * other[0]) - 1.0) for other in shown]
    # Of a small image, one pixel more or less is a larger share.
    if min(aspects) > max(SAME_ASPECT, 1.0 / min(width, height, *shown[0])):
        raise InputError(
            path,
            f"is for images of {width}x{height}, and the clip's are {shown[0][0]}x{shown[0][1]}, of another aspect",
            "give the intrinsics of the camera as it films, with their width_px and height_px",
        )
    return width, height


def check_intrinsics(K: Float[np.ndarray, "3 3"], size: tuple[int, int], path: Path, wide: bool = False) -> None:
    """Raise InputError where a matrix cannot be the intrinsics of images of a size (width, height), saying why.

    `wide` says that the lens is a fisheye. Whether fx and fy fit each other is for who knows the pixels' shape.
    """
    key, (width, height) = "'intrinsics'", size
    (fx, skew, cx), (below, fy, cy), last = K.tolist()
    if not (K[:2, 2].any() or below) and K[2, :2].any():
        raise InputError(path, f"{key} is transposed: its last row is {last}, expected 0 0 1", LAYOUT)
    if max(abs(last[0]), abs(last[1]), abs(last[2] - 1.0)) > 1e-6:
        raise InputError(path, f"{key} ends in the row {last}, expected 0 0 1", LAYOUT)
    if fx <= 0.0 or fy <= 0.0:
        raise InputError(path, f"{key} has the focal lengths {fx:g} and {fy:g}, expected pixels above 0", LAYOUT)
    if max(fx, fy, cx, cy) < 4.0:
        found = f"{key} has focal lengths {fx:g}, {fy:g} and principal point {cx:g}, {cy:g}: shares of the image"
        raise InputError(path, found, f"multiply them by its size, {width}x{height}: {LAYOUT}")
    if abs(below) > 1e-6 * fy or abs(skew) > SKEW * fx:
        raise InputError(path, f"{key} has the skew {skew or below:g}, expected 0", LAYOUT)
    if not (CENTRE[0] * width <= cx <= CENTRE[1] * width and CENTRE[0] * height <= cy <= CENTRE[1] * height):
        found = f"{key} has its principal point at {cx:g}, {cy:g}, expected in the middle half of {width}x{height}"
        remedy = f"{LAYOUT}, for that size, or correct width_px and height_px"
        if cx > 0.0 and cy > 0.0:
            found += f" (it is the middle of {round(2 * cx + 1)}x{round(2 * cy + 1)})"
        raise InputError(path, found, remedy)
    least, most = FISHEYE_FOCAL_WIDTHS if wide else FOCAL_WIDTHS
    side = max(width, height)
    for name, focal in (("fx", fx), ("fy", fy)):
        if not least <= focal / side <= most:
            found = f"{key} has {name} {focal:g}, expected {least * side:g} to {most * side:g} for {width}x{height}"
            raise InputError(path, found, f"{LAYOUT}, for that size, or correct width_px and height_px")
