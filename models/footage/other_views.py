"""What one camera never shows of its room, taken from the plate of another camera pose of the same room.

The other plate is laid over this one by the homography that most matched points follow (SIFT, MAGSAC++): right where
the cameras stand at one place or the surface is flat. Around each hole both plates must agree; then the other's
differences are kept and its colours follow this plate's at the rim (Perez et al., "Poisson image editing", 2003).
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy.sparse import coo_array
from scipy.sparse.linalg import splu

MIN_MATCHES = 40
"""Matched points that must follow the homography."""
MIN_SHARE = 0.5
"""Share of the matched points that must."""
MAX_DIFFERENCE = 24.0
"""Median difference of the two plates around a hole, grey levels of 255 after the other's colours were brought to this
one's, up to which the other is believed."""
GRID_PX = 160
"""Colours at the rim are spread over the hole in an image of this width."""


def registered(
    plate: UInt8[np.ndarray, "height width 3"],
    valid: Bool[np.ndarray, "height width"],
    other: UInt8[np.ndarray, "rows columns 3"],
    other_valid: Bool[np.ndarray, "rows columns"],
) -> tuple[UInt8[np.ndarray, "height width 3"], Bool[np.ndarray, "height width"]] | None:
    """Return the other plate as this camera would see it, and where it says anything; None if they do not match."""
    finder = cv2.SIFT.create(4000)
    points, features = zip(
        *(
            finder.detectAndCompute(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), mask.astype(np.uint8) * 255)
            for image, mask in ((plate, valid), (other, other_valid))
        ),
        strict=True,
    )
    if any(feature is None or len(feature) < MIN_MATCHES for feature in features):
        return None
    pairs = [
        pair[0]
        for pair in cv2.BFMatcher().knnMatch(features[1], features[0], k=2)
        if len(pair) == 2 and pair[0].distance < 0.75 * pair[1].distance
    ]
    if len(pairs) < MIN_MATCHES:
        return None
    there = np.array([points[1][pair.queryIdx].pt for pair in pairs], dtype=np.float32)
    here = np.array([points[0][pair.trainIdx].pt for pair in pairs], dtype=np.float32)
    cv2.setRNGSeed(0)
    homography, follow = cv2.findHomography(there, here, cv2.USAC_MAGSAC, 0.004 * plate.shape[1])
    if homography is None or follow.sum() < max(MIN_MATCHES, MIN_SHARE * len(pairs)):
        return None
    size = plate.shape[1::-1]
    laid = cv2.warpPerspective(other, homography, size, flags=cv2.INTER_LINEAR)
    known = cv2.warpPerspective(other_valid.astype(np.float32), homography, size, flags=cv2.INTER_LINEAR) > 0.99
    return laid, known


def fill_from(
    plate: UInt8[np.ndarray, "height width 3"],
    valid: Bool[np.ndarray, "height width"],
    other: UInt8[np.ndarray, "rows columns 3"],
    other_valid: Bool[np.ndarray, "rows columns"],
) -> tuple[UInt8[np.ndarray, "height width 3"], Bool[np.ndarray, "height width"]]:
    """Fill holes from another plate of the same room; return the plate and which pixels came from there."""
    taken = np.zeros_like(valid)
    if valid.all() or (found := registered(plate, valid, other, other_valid)) is None:
        return plate, taken
    laid, known = found
    filled = plate.copy()
    count, holes, boxes, _ = cv2.connectedComponentsWithStats((~valid).astype(np.uint8))
    for hole in range(1, count):
        inside = (holes == hole) & known
        reach = max(8, round(0.15 * max(boxes[hole, 2], boxes[hole, 3])))
        rim = cv2.dilate((holes == hole).astype(np.uint8), np.ones((2 * reach + 1,) * 2, np.uint8)) > 0
        rim &= valid & known
        if not inside.any() or rim.sum() < 30:
            continue
        difference = plate.astype(np.float32) - laid
        apart = np.abs(difference[rim] - np.median(difference[rim], axis=0)).max(axis=-1)
        if np.median(apart) > MAX_DIFFERENCE:
            continue
        brought = laid[inside] + _spread(difference, rim, inside)[inside]
        filled[inside] = np.clip(brought + 0.5, 0.0, 255.0).astype(np.uint8)
        taken |= inside
    return filled, taken


def _spread(
    difference: Float[np.ndarray, "height width 3"],
    rim: Bool[np.ndarray, "height width"],
    inside: Bool[np.ndarray, "height width"],
) -> Float[np.ndarray, "height width 3"]:
    """The difference of colours at the rim, continued smoothly (harmonically) over the hole."""
    height, width = rim.shape
    scale = min(1.0, GRID_PX / width)
    size = max(2, round(width * scale)), max(2, round(height * scale))
    # Robust against what the two plates do not share: a cup, an edge that is a pixel off.
    level = np.median(difference[rim], axis=0)
    limited = np.clip(difference - level, -30.0, 30.0) * rim[..., None]
    share = cv2.resize(rim.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    known = cv2.blur(share, (3, 3)) > 0.05
    mean = cv2.blur(cv2.resize(limited, size, interpolation=cv2.INTER_AREA), (3, 3))
    mean /= np.maximum(cv2.blur(share, (3, 3)), 0.05)[..., None]
    hole = cv2.resize(inside.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
    free = (cv2.dilate(hole.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0) & ~(known & ~hole)
    if free.any():
        mean[free] = _harmonic(mean, free, known & ~free)
    return cv2.resize(mean, (width, height), interpolation=cv2.INTER_LINEAR) + level


def _harmonic(
    values: Float[np.ndarray, "rows columns 3"],
    free: Bool[np.ndarray, "rows columns"],
    known: Bool[np.ndarray, "rows columns"],
) -> Float[np.ndarray, "cell 3"]:
    """Solve Laplace's equation over the free cells between those that are known; other cells are walls."""
    number = np.full(free.shape, -1)
    number[free] = np.arange(free.sum())
    diagonal, right = np.full(int(free.sum()), 1e-6), np.zeros((int(free.sum()), 3))
    rows, columns = [], []
    for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        y, x = np.nonzero(free)
        inside = (y + dy >= 0) & (y + dy < free.shape[0]) & (x + dx >= 0) & (x + dx < free.shape[1])
        y, x = y[inside], x[inside]
        here = number[y, x]
        beside, fixed = number[y + dy, x + dx] >= 0, known[y + dy, x + dx]
        np.add.at(diagonal, here[beside | fixed], 1.0)
        np.add.at(right, here[fixed], values[y + dy, x + dx][fixed])
        rows.append(here[beside])
        columns.append(number[y + dy, x + dx][beside])
    i, j = np.concatenate([*rows, np.arange(len(diagonal))]), np.concatenate([*columns, np.arange(len(diagonal))])
    entries = np.concatenate([np.full(len(i) - len(diagonal), -1.0), diagonal])
    return splu(coo_array((entries, (i, j))).tocsc()).solve(right)
