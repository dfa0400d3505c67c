"""An image file read with Pillow, as it is to be shown: upright, in 8-bit RGB."""

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image, ImageOps

from models.errors import InputError

_DEEP = {"I;16", "I;16L", "I;16B", "I;16N", "I", "F"}
"""Pillow's modes of more than 8 bits; `convert` would cut them off at 255."""
_BROKEN = (OSError, SyntaxError, ValueError, TypeError, LookupError, OverflowError, EOFError, MemoryError)
_BROKEN += (struct.error, zlib.error)
"""What Pillow's decoders raise for a broken file."""


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The image, loaded within; whatever Pillow has against it becomes an InputError."""
    try:
        # Pillow warns of every odd tag; what matters is whether there is a picture.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                yield image
    except Image.DecompressionBombError as error:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0) // 1_000_000
        raise InputError(path, f"has more than {limit} million pixels", "remove it or save it smaller") from error
    except _BROKEN as error:
        words = " ".join(str(error).split()) or type(error).__name__
        raise InputError(path, f"is not a readable image ({words})", "remove it or copy it again") from error


def how_read(path: Path) -> dict[str, Any]:
    """Return what is unusual in how an image is read, as JSON-like values: empty for an ordinary one."""
    how: dict[str, Any] = {}
    with _opened(path) as image:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        if orientation in range(2, 9):
            how["orientation"] = int(orientation)
        if image.mode in _DEEP:
            how["depth"] = image.mode
    return how


def is_transparent(path: Path) -> bool:
    """Say whether something can be seen through the image."""
    with _opened(path) as image:
        if not image.has_transparency_data:
            return False
        lowest, _ = image.convert("RGBA").getchannel("A").getextrema()
        return float(lowest) < 255  # pyright: ignore[reportArgumentType]


def white_level(path: Path) -> float:
    """Return the value that stands for white in a folder whose first image this is; 255 for all of 8 bits.

    Images of 16 bits have 65535; of floating point, 1, 255 or 65535, whichever the first image stays below.
    """
    with _opened(path) as image:
        if image.mode not in _DEEP:
            return 255.0
        if image.mode != "F":
            return 65535.0
        highest = np.nan_to_num(np.asarray(image), posinf=0.0).max(initial=0.0)
        return 1.0 if highest <= 1.0 else 255.0 if highest <= 255.0 else 65535.0


def read_image(path: Path, white: float) -> UInt8[np.ndarray, "height width 3"]:
    """Read an image upright; `white` is what `white_level` says of its folder, what can be seen through is black.

    Raises InputError where it cannot be read.
    """
    with _opened(path) as image:
        if image.mode in _DEEP:
            values = np.nan_to_num(np.asarray(image).astype(np.float64)) * (255.0 / white)
            image = _with_exif(Image.fromarray(values.clip(0.0, 255.0).round().astype(np.uint8)), image)
        elif image.has_transparency_data:
            whole = image.convert("RGBA")
            opaque = Image.alpha_composite(Image.new("RGBA", whole.size, "black"), whole)
            image = _with_exif(opaque, image)
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def _with_exif(made: Image.Image, source: Image.Image) -> Image.Image:
    """The image made of another, with the other's orientation."""
    made.getexif()[ExifTags.Base.Orientation] = source.getexif().get(ExifTags.Base.Orientation, 1)
    return made


def pixel_aspect(path: Path) -> str:
    """Return what an image says of the shape of its pixels, as `16:11`; empty where they are square.

    Programs disagree which of the two numbers is the width, so it can only be said. Dots per inch are for printers.
    """
    with _opened(path) as image:
        across, down = image.info.get("jfif_density", (1, 1)) if image.info.get("jfif_unit") == 0 else (1, 1)
        across, down = image.info.get("aspect", (across, down))
        return "" if across == down or across <= 0 or down <= 0 else f"{across}:{down}"
