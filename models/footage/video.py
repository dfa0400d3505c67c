"""Frames of a clip of footage, a video file or a folder of images: each with its time, as it is to be shown.

Frames are upright 8-bit RGB in square pixels, their times seconds since the first frame, strictly increasing. The same
file gives the same frames under the same numbers whenever it is read.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from models.footage import image_folder, video_file

_CONTAINERS = """
mp4 mkv mov avi webm m4v mpg mpeg ts wmv mts m2ts m2t tp trp 3gp 3g2 flv f4v vob ogv ogm asf dav h264 264 hevc
h265 265 mjpeg mjpg mxf divx xvid m1v m2v mpv mpe mp2v qt mod tod dv y4m ivf nut wtv rm rmvb av1 obu lrv insv
amv
"""
VIDEO_SUFFIXES = frozenset(f".{name}" for name in _CONTAINERS.split())
"""Files that FFmpeg reads as videos, by what their names end in."""


class FrameReader:
    """Reads the frames of a clip, from the start each time that it is iterated, and keeps what was to be said of it."""

    def __init__(self, path: Path, fps: float | None = None):
        """`fps` dates frames of a source that has no clock of its own."""
        self.path = Path(path)
        self.fps = fps
        self.notes: list[str] = []
        """What was found while it was last read; whole once that came to its end."""
        self.coded_size: tuple[int, int] | None = None
        """Width and height of the first frame, upright, before it was resampled to square pixels."""

    def __iter__(self) -> Iterator[tuple[float, UInt8[np.ndarray, "height width 3"]]]:
        """Yield (seconds since the first frame, image); raises InputError where the clip cannot be read."""
        self.notes, self.coded_size = [], None
        if self.path.is_dir():
            for time, image in image_folder.read_folder(self.path, self.fps, self.notes.append):
                self.coded_size = self.coded_size or (image.shape[1], image.shape[0])
                yield time, image
        else:
            for time, image, size in video_file.read_video(self.path, self.fps, self.notes.append):
                self.coded_size = self.coded_size or size
                yield time, image


def read_frames(path: Path, fps: float | None = None) -> Iterator[tuple[float, UInt8[np.ndarray, "height width 3"]]]:
    """Yield (seconds since the first frame, RGB image) of every frame, as `FrameReader` does."""
    return iter(FrameReader(path, fps))


def read_frames_at(
    path: Path, indices: Iterable[int], fps: float | None = None
) -> dict[int, UInt8[np.ndarray, "height width 3"]]:
    """Return the frames with the given numbers (as `read_frames` counts them)."""
    wanted = set(indices)
    frames = {}
    for index, (_, frame) in enumerate(read_frames(path, fps)):
        if index in wanted:
            frames[index] = frame
            if len(frames) == len(wanted):
                break
    return frames


def how_read(path: Path, fps: float | None = None) -> dict[str, Any]:
    """Return what is unusual in how a clip is read, as JSON-like values: empty for an ordinary one.

    It goes into the keys of what is made of the clip: yesterday's readers knew nothing of it. Raises InputError where
    the clip cannot be read.
    """
    return image_folder.how_read(path, fps) if path.is_dir() else video_file.how_read(path, fps)


def is_image_folder(path: Path) -> bool:
    """Say whether the folder directly holds images."""
    return path.is_dir() and bool(image_folder.images_of(path))
