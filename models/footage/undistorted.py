"""Frames of a clip of footage, undistorted where its lens distorts them."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from models.footage.video import read_frames, read_frames_at
from models.types import Footage


def frames(root: Path, footage: Footage) -> Iterator[tuple[float, UInt8[np.ndarray, "height width 3"]]]:
    """Yield (seconds since the first frame, undistorted RGB image) of every frame; `root` is the footage folder."""
    images = (image for _, image in read_frames(root / footage.path, _rate(footage)))
    for time_s, image in zip(footage.timestamps_s.tolist(), images, strict=False):
        yield time_s, image if footage.lens is None else footage.lens.undistort_image(image)


def frames_in_order(
    root: Path, footage: Footage, indices: Iterable[int]
) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """Yield the undistorted frames with the given, ascending numbers; the file is decoded once, and none is kept."""
    wanted = iter(indices)
    due = next(wanted, None)
    for index, (_, image) in enumerate(frames(root, footage)):
        if due is None:
            return
        if index == due:
            yield image
            due = next(wanted, None)


def frames_at(root: Path, footage: Footage, indices: Iterable[int]) -> dict[int, UInt8[np.ndarray, "height width 3"]]:
    """Return the undistorted frames with the given numbers."""
    found = read_frames_at(root / footage.path, indices, _rate(footage))
    if footage.lens is None:
        return found
    return {index: footage.lens.undistort_image(image) for index, image in found.items()}


def _rate(footage: Footage) -> float | None:
    """Frames per second that a file without a clock was dated by."""
    times = footage.timestamps_s
    return float((len(times) - 1) / (times[-1] - times[0])) if len(times) > 1 else None
