"""Straight lines of a room in its image: most run along three axes at right angles, one of them upright (Manhattan).

Door frames, wardrobes, skirting boards and beds point at three vanishing points, which fix a camera's pitch, roll and
focal length without anybody in the room (Coughlan and Yuille 1999; the line's residual as in Denis et al. 2008: the
angle between the segment and the direction from its middle to the vanishing point).
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

WORKING_WIDTH_PX = 640
"""Lines are looked for at this width, so that what counts as short or blurred is the same in every camera."""


def line_segments(
    image: UInt8[np.ndarray, "height width 3"],
    valid: Bool[np.ndarray, "height width"],
    max_lines: int,
    min_share: float,
) -> Float[np.ndarray, "line 2 2"]:
    """Return end points (x, y), pixels, of the longest segments; none shorter than that share of the width, none
    in-painted."""
    scale = min(1.0, WORKING_WIDTH_PX / image.shape[1])
    grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    found = cv2.createLineSegmentDetector().detect(grey)[0]
    if found is None:
        return np.zeros((0, 2, 2))
    segments = (found.reshape(-1, 2, 2).astype(np.float64) + 0.5) / scale - 0.5
    length = np.linalg.norm(segments[:, 1] - segments[:, 0], axis=1)
    along = segments[:, :1] + np.linspace(0.0, 1.0, 9)[None, :, None] * (segments[:, 1:] - segments[:, :1])
    columns = np.clip(along[..., 0].round().astype(int), 0, image.shape[1] - 1)
    rows = np.clip(along[..., 1].round().astype(int), 0, image.shape[0] - 1)
    # On the seam of a painted patch a line is the patch's own edge.
    sound = cv2.erode(valid.astype(np.uint8), np.ones((5, 5), np.uint8))[rows, columns].mean(axis=1) > 0.8
    order = np.argsort(-length, kind="stable")
    order = order[(length[order] >= min_share * image.shape[1]) & sound[order]]
    return segments[order[:max_lines]]


def angles_to_axes(
    segments: Float[np.ndarray, "line 2 2"],
    intrinsics: Float[np.ndarray, "3 3"],
    up_camera: Float[np.ndarray, "3"],
    yaw: float,
) -> Float[np.ndarray, "line"]:
    """Return the angle in radians between each segment and the nearest of the room's three axes as seen from its
    middle.

    `up_camera` is the upward unit normal of the floor in camera coordinates; `yaw` turns the two level axes about it,
    from the image's right.
    """
    across = np.cross(up_camera, [0.0, 0.0, 1.0])
    across = across / np.linalg.norm(across) if np.linalg.norm(across) > 1e-6 else np.array([1.0, 0.0, 0.0])
    ahead = np.cross(up_camera, across)
    c, s = np.cos(yaw), np.sin(yaw)
    axes = np.stack([up_camera, c * across + s * ahead, c * ahead - s * across])
    vanishing = axes @ intrinsics.T
    middle = segments.mean(axis=1)
    towards = vanishing[:, None, :2] - vanishing[:, None, 2:] * middle
    towards = towards / np.maximum(np.linalg.norm(towards, axis=-1, keepdims=True), 1e-9)
    run = segments[:, 1] - segments[:, 0]
    run = run / np.linalg.norm(run, axis=1, keepdims=True)
    sine = np.abs(run[:, 0] * towards[..., 1] - run[:, 1] * towards[..., 0])
    return np.arcsin(np.clip(sine.min(axis=0), 0.0, 1.0))
