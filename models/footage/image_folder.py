"""A folder of images read as one clip: which files are its frames, when each was taken, how each is shown."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from models.errors import InputError
from models.footage import image_file
from models.footage.image_times import image_times

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm"})


def images_of(folder: Path) -> list[Path]:
    """Return the images that lie directly in a folder, by name; hidden ones are no frames."""
    return sorted(
        child
        for child in folder.iterdir()
        if child.suffix.lower() in IMAGE_SUFFIXES and not child.name.startswith(".") and not child.is_dir()
    )


def _frames_of(folder: Path) -> list[Path]:
    files = images_of(folder)
    if not files:
        raise InputError(folder, "is a folder without images", "name a video or a folder of images")
    return files


def how_read(folder: Path, fps: float | None) -> dict[str, Any]:
    """Return what is unusual in how a folder is read, as JSON-like values: empty for an ordinary one."""
    times = image_times(_frames_of(folder), fps, lambda _: None)
    how: dict[str, Any] = {}
    if times.unusual:
        how["times"] = times.source if times.source != "counter" else f"{times.source} {fps:g}"
    unusual: dict[str, set] = {}
    for file in times.files:
        for name, value in image_file.how_read(file).items():
            unusual.setdefault(name, set()).add(value)
    how |= {name: sorted(values) for name, values in unusual.items()}
    if image_file.is_transparent(times.files[0]):
        how["transparent"] = True
    return how


def read_folder(
    folder: Path, fps: float | None, say: Callable[[str], None]
) -> Iterator[tuple[float, UInt8[np.ndarray, "height width 3"]]]:
    """Yield (seconds since the first, upright RGB image) of a folder's images in the order of their times.

    What is to be said goes to `say`. Raises InputError where an image cannot be read or the times cannot be told.
    """
    times = image_times(_frames_of(folder), fps, say)
    white = image_file.white_level(times.files[0])
    if white != 255.0:
        say(f"images have more than 8 bits: {white:g} is shown as white")
    if aspect := image_file.pixel_aspect(times.files[0]):
        say(f"images say that their pixels are not square ({aspect}): they are used as they are")
    for time, file in zip(times.times_s, times.files, strict=True):
        yield time, image_file.read_image(file, white)
