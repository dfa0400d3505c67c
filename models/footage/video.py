"""Video in: any file that PyAV opens or a folder of images, with true timestamps.

Frames are RGB uint8, upright (a phone's rotation flag is applied).
"""

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import av
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from models.errors import InputError

VIDEO_SUFFIXES = {".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".wmv"}
IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp"}


def is_image_folder(path: Path) -> bool:
    """Say whether the folder directly holds images, and so is one clip."""
    return path.is_dir() and any(child.suffix.lower() in IMAGE_SUFFIXES for child in path.iterdir())


def read_frames(path: Path) -> Iterator[tuple[float, UInt8[np.ndarray, "height width 3"]]]:
    """Yield (seconds since the first frame, RGB image) of every frame.

    Timestamps are the file's own; a frame whose time does not move forward is passed over. Raises InputError where the
    file is not a video, is cut off before its first frame, or breaks while it is read.
    """
    path = Path(path)
    if path.is_dir():
        yield from _read_image_folder(path)
        return
    if path.stat().st_size == 0:
        raise InputError(path, "is empty (0 bytes)", "copy the video again")
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise InputError(path, "holds no video stream", "give a video file")
            stream = container.streams.video[0]
            stream.thread_type = "NONE"
            first, last = None, None
            for frame in container.decode(stream):
                if frame.time is None:
                    continue
                first = frame.time if first is None else first
                if last is not None and frame.time <= last:
                    continue
                last = frame.time
                yield frame.time - first, _upright(frame)
            if first is None:
                raise InputError(path, "holds no frame that can be decoded", "copy the video again")
    except av.FFmpegError as error:
        raise InputError(
            path, f"is not a whole video that FFmpeg can read ({error.strerror})", "copy it again or convert it to mp4"
        ) from error


def _upright(frame: av.VideoFrame) -> UInt8[np.ndarray, "height width 3"]:
    """RGB array of a frame, with the display rotation of phones applied."""
    quarter_turns = round((frame.rotation or 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), quarter_turns))


def _read_image_folder(folder: Path) -> Iterator[tuple[float, UInt8[np.ndarray, "height width 3"]]]:
    """Frames of a folder of images, in the order of their times.

    Times come from `timestamps.csv` (file,timestamp_s), else from the last number in each name: seconds where it has a
    decimal point, else milliseconds.
    """
    files = sorted(child for child in folder.iterdir() if child.suffix.lower() in IMAGE_SUFFIXES)
    table = folder / "timestamps.csv"
    if table.exists():
        try:
            with table.open(newline="") as handle:
                times = {row["file"]: float(row["timestamp_s"]) for row in csv.DictReader(handle)}
        except (KeyError, ValueError, TypeError) as error:
            raise InputError(table, f"cannot be read ({error!r})", "write the columns file,timestamp_s") from error
        missing = [file.name for file in files if file.name not in times]
        if missing:
            raise InputError(table, f"has no row for {missing[0]}", "add a row for every image")
    else:
        times = {}
        for file in files:
            numbers = re.findall(r"\d+\.\d+|\d+", file.stem)
            if not numbers:
                raise InputError(file, "has no timestamp in its name", "add timestamps.csv (file,timestamp_s)")
            times[file.name] = float(numbers[-1]) if "." in numbers[-1] else int(numbers[-1]) / 1000.0
    files.sort(key=lambda file: times[file.name])
    last = None
    for file in files:
        time = times[file.name] - times[files[0].name]
        if last is not None and time <= last:
            continue
        last = time
        try:
            yield time, np.asarray(Image.open(file).convert("RGB"))
        except OSError as error:
            raise InputError(file, f"is not a readable image ({error})", "remove it or copy it again") from error


def read_frames_at(path: Path, indices: Iterable[int]) -> dict[int, UInt8[np.ndarray, "height width 3"]]:
    """Return the frames with the given numbers (as `read_frames` counts them)."""
    wanted = set(indices)
    frames = {}
    for index, (_, frame) in enumerate(read_frames(path)):
        if index in wanted:
            frames[index] = frame
            if len(frames) == len(wanted):
                break
    return frames
