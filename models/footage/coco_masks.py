"""COCO segmentations: polygons and run lengths, checked before pycocotools sees them, which trusts what it is given."""

from typing import Any, TypeGuard

import cv2
import numpy as np
from jaxtyping import Int
from pycocotools import mask as coco_mask

from models.errors import Rejected

RunLengths = Any
"""What pycocotools calls RLE: a dict of `size` [height, width] and `counts`, bytes; its own type is private."""
FAR = 10.0
"""Image sides beyond which a polygon's corner is no drawing any more."""


def run_lengths(segmentation: Any, annotated: tuple[int, int], shown: tuple[int, int]) -> RunLengths:
    """Bring a segmentation drawn on an image of `annotated` (width, height) to the clip's images, `shown` (width,
    height).

    Rejected says what is wrong with it.
    """
    if isinstance(segmentation, list):
        return _from_polygons(segmentation, annotated, shown)
    if not isinstance(segmentation, dict):
        raise Rejected("it is neither polygons nor run lengths")
    width, height = annotated
    size = segmentation.get("size")
    if size != [height, width]:
        came = "x".join(str(side) for side in reversed(size)) if isinstance(size, list) else repr(size)
        raise Rejected(f"the run lengths are of {came:.40}, its image is {width}x{height}")
    given, counts = segmentation.get("counts"), [-1]
    if isinstance(given, str):
        counts = _counts(given).tolist()
    elif isinstance(given, list) and all(isinstance(one, int) for one in given):
        counts = given
    if min(counts, default=-1) < 0 or sum(counts) != height * width:
        raise Rejected(f"the run lengths do not add up to {width}x{height} pixels")
    uncompressed: Any = {"size": [height, width], "counts": counts}
    found = coco_mask.frPyObjects(uncompressed, height, width)
    if annotated == shown:
        return found
    mask = cv2.resize(coco_mask.decode(found), shown, interpolation=cv2.INTER_NEAREST)
    return coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))


def _counts(text: str) -> Int[np.ndarray, "run"]:
    """Run lengths of COCO's compressed text; [-1] where it is none.

    Five bits a letter, the lowest first, a sixth where a number goes on; from the fourth on, numbers are differences to
    the last but one (`rleFrString` of cocoapi).
    """
    letters = np.frombuffer(text.encode("latin-1", "replace"), dtype=np.uint8).astype(np.int64) - 48
    none = np.array([-1])
    if not len(letters) or (letters < 0).any() or (letters >= 64).any() or letters[-1] & 32:
        return none
    lasts = np.flatnonzero((letters & 32) == 0)
    starts = np.concatenate([[0], lasts[:-1] + 1])
    if (lasts - starts).max() > 8:
        return none
    place = np.arange(len(letters)) - np.repeat(starts, lasts - starts + 1)
    values = np.add.reduceat((letters & 31) << (5 * place), starts)
    values -= np.where(letters[lasts] & 16, 1 << (5 * (place[lasts] + 1)), 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


def _from_polygons(polygons: list, annotated: tuple[int, int], shown: tuple[int, int]) -> RunLengths:
    scale = np.array(shown) / np.array(annotated)
    corners = []
    for polygon in polygons:
        if not isinstance(polygon, list) or len(polygon) % 2 or not all(is_number(value) for value in polygon):
            raise Rejected("a polygon is no list of x, y, x, y, ...")
        if len(polygon) < 6:
            raise Rejected(f"a polygon has {len(polygon) // 2} points, and 3 are needed")
        points = np.array(polygon, dtype=np.float64).reshape(-1, 2)
        if np.abs(points).max() > FAR * max(annotated):
            raise Rejected("a polygon lies far outside the image")
        corners.append((points * scale).ravel().tolist())
    if not corners:
        raise Rejected("it is empty")
    return coco_mask.merge(coco_mask.frPyObjects(corners, shown[1], shown[0]))


def is_number(value: Any) -> TypeGuard[float]:
    """Tell whether a value of a JSON file is a number that can be a place in an image."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e6
