"""camera.json: a camera's intrinsics, lens and pose as calibration tools write them, checked by value.

A number that cannot be meant is refused by name, with what was expected: a matrix of another convention gives a camera
as readily as the right one does, and everything after it is then wrong in silence. What counts as plausible stands in
the constants of this file and of `models.geometry.intrinsics`, and in docs/formats.md.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from models.errors import InputError
from models.geometry.camera import Camera, pose_over_floor
from models.geometry.intrinsics import FOCAL_RATIO, check_intrinsics, check_size, matrix_from
from models.geometry.lens import lens_from_json
from models.geometry.transforms import invert
from models.text_files import read_json

HEIGHT_M = (0.3, 6.0)
"""Of a camera above the floor of the room that it films."""
ROTATION_ERROR = 0.02
"""Largest entry of R^T R - I that rounding to two digits explains."""
MOST_ROLL_DEG = 45.0
"""Of a camera whose images are shown upright."""
LEAST_PITCH_DEG = -30.0
"""A camera that looks further up shows no floor."""


def read_camera(path: Path, width_px: int, height_px: int, coded_px: tuple[int, int] | None = None) -> Camera:
    """Read `camera.json`: `intrinsics` (3x3) for `width_px` x `height_px`, optional `T_world_camera` and `distortion`.

    Without `T_world_camera` (4x4), or with the identity, the returned pose is the identity, to be replaced by
    calibration; one of a site's frame is brought into the room's own world (`moved_from` says so). With `distortion`
    (see `models.geometry.lens`) the returned camera is that of the undistorted image, with its lens. The camera is
    scaled to the size asked for; `coded_px` is that of a clip whose pixels are stored not square. Raises InputError on
    a missing key, a wrong shape, an unknown lens model, and on values that are not plausible.
    """
    raw = _content(path)
    if "intrinsics" not in raw:
        raise InputError(path, "has no key 'intrinsics'", "add a 3x3 list of lists, in pixels")
    given = matrix_from(raw["intrinsics"], (3, 3), "intrinsics", path)
    asked = (width_px, height_px)
    size = check_size(raw, coded_px or asked, [asked, coded_px or asked], path)
    lens = lens_from_json(raw, given, size, path)
    check_intrinsics(given, size, path, wide=lens is not None and lens.model == "fisheye")
    pose = np.eye(4)
    if "T_world_camera" in raw:
        pose, _ = _placed(matrix_from(raw["T_world_camera"], (4, 4), "T_world_camera", path), path)
    intrinsics = given if lens is None else lens.undistorted_intrinsics
    camera = Camera(intrinsics, size[0], size[1], pose, lens).resized(width_px, height_px)
    fx, fy = camera.intrinsics[0, 0], camera.intrinsics[1, 1]
    if not FOCAL_RATIO[0] <= fx / fy <= FOCAL_RATIO[1]:
        raise InputError(
            path,
            f"'intrinsics' has the focal lengths {fx:.4g} and {fy:.4g} for images of {width_px}x{height_px}, expected "
            "nearly the same",
            "correct the focal lengths, or width_px and height_px that they are for",
        )
    return camera


def moved_from(path: Path) -> str:
    """Say where the camera stands in the frame of the file where that is not the room's own world; else nothing."""
    raw = _content(path)
    if "T_world_camera" not in raw:
        return ""
    given = matrix_from(raw["T_world_camera"], (4, 4), "T_world_camera", path)
    placed, moved = _placed(given, path)
    if not moved:
        return ""
    x, y = given[:2, 3]
    return (
        f"{path.name} places the camera at x {x:.2f}, y {y:.2f} m of a site's frame; here the room's world begins on "
        f"the floor under it, x along the view ({placed[2, 3]:.2f} m high as given)"
    )


def write_camera(camera: Camera, path: Path, with_pose: bool = True) -> None:
    """Write `camera.json` as `read_camera` reads it; without its pose, the camera is calibrated from what it sees."""
    content = {
        "intrinsics": (camera.intrinsics if camera.lens is None else camera.lens.intrinsics).tolist(),
        "width_px": camera.width_px,
        "height_px": camera.height_px,
    }
    if with_pose:
        content["T_world_camera"] = camera.T_world_camera.tolist()
    if camera.lens is not None:
        content["distortion"] = {"model": camera.lens.model, "coefficients": camera.lens.coefficients.tolist()}
    path.write_text(json.dumps(content, indent=1))


def _content(path: Path) -> dict[str, Any]:
    raw = read_json(path, constants=True)
    if not isinstance(raw, dict):
        raise InputError(path, "is not a JSON object", "write the keys intrinsics, width_px, height_px")
    return raw


def _placed(given: Float[np.ndarray, "4 4"], path: Path) -> tuple[Float[np.ndarray, "4 4"], bool]:
    """The pose in the room's own world, and whether it was given in another; InputError where it is no camera's pose.

    The identity stays: it stands for a pose that is not known.
    """
    key = "'T_world_camera'"
    remedy = "write metres and camera axes x right, y down, z forward, or remove the key to have the pose found"
    if np.array_equal(given, np.eye(4)):
        return given, False
    if np.abs(given[3] - [0.0, 0.0, 0.0, 1.0]).max() > 1e-6:
        raise InputError(path, f"{key} ends in the row {given[3].tolist()}, expected 0 0 0 1", "write it row by row")
    rotation = given[:3, :3]
    product = rotation.T @ rotation
    lengths = np.sqrt(np.diagonal(product))
    if np.abs(product - np.eye(3)).max() > ROTATION_ERROR:
        fault = f"has columns of the lengths {', '.join(f'{one:.4g}' for one in lengths)}, expected 1: it is scaled"
        if np.abs(lengths - 1.0).max() <= ROTATION_ERROR:
            fault = "is skewed: its columns are not at right angles"
        raise InputError(path, f"the rotation of {key} {fault}", "write a rotation, R^T R = 1")
    if np.linalg.det(rotation) < 0.0:
        raise InputError(path, f"the rotation of {key} is mirrored (its determinant is -1)", remedy)
    if problem := _implausible(given):
        turned = invert(given)
        if np.abs(given[:3, 3]).max() > 100.0 and not _implausible(_scaled(given, 1e-3)):
            raise InputError(path, f"{key} {problem}: it seems to be in millimetres", "write metres")
        if not _implausible(turned):
            hint = "its inverse would be plausible, so it seems to be T_camera_world"
            raise InputError(path, f"{key} {problem}; {hint}", "write its inverse, which maps camera to world")
        raise InputError(path, f"{key} {problem}", remedy)
    left, _, right = np.linalg.svd(rotation)
    if np.abs(product - np.eye(3)).max() > 1e-9:
        rotation = left @ right
    placed = pose_over_floor(rotation.T @ np.array([0.0, 0.0, 1.0]), float(given[2, 3]))
    moved = bool(np.abs(placed - given).max() > max(1e-6, 2.0 * float(np.abs(product - np.eye(3)).max())))
    exact = not moved and np.abs(product - np.eye(3)).max() <= 1e-9
    return (given if exact else placed), moved


def _scaled(given: Float[np.ndarray, "4 4"], factor: float) -> Float[np.ndarray, "4 4"]:
    scaled = given.copy()
    scaled[:3, 3] *= factor
    return scaled


def _implausible(pose: Float[np.ndarray, "4 4"]) -> str:
    """What is wrong with a pose, in words; empty where it can be a room's camera."""
    height, up, forward = float(pose[2, 3]), -float(pose[2, 1]), float(pose[2, 2])
    if height < 0.0:
        return f"places the camera {-height:.2f} m under the floor (z is up, the floor at z = 0)"
    if not HEIGHT_M[0] <= height <= HEIGHT_M[1]:
        return f"places the camera {height:.4g} m above the floor, expected {HEIGHT_M[0]} to {HEIGHT_M[1]:g}"
    if abs(pose[2, 0]) > np.sin(np.radians(MOST_ROLL_DEG)):
        roll = np.degrees(np.arcsin(np.clip(abs(pose[2, 0]), 0.0, 1.0)))
        return f"tilts the image by {roll:.0f} degrees: its first column, the camera's x, is not level"
    if up < -0.5:
        return "turns the image upside down: its second column, the camera's y, points up and not down"
    if np.degrees(np.arcsin(np.clip(-forward, -1.0, 1.0))) < LEAST_PITCH_DEG:
        return "lets the camera look up, away from the floor: its third column is the direction of view"
    return ""
