"""A video file read with PyAV: which of its streams is the film, by which clock it runs, how its pictures are shown.

Frames come upright (rotated and mirrored as the file asks), in square pixels, as RGB; their colours as its range and
matrix say (PyAV sees to that).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
from av.stream import Disposition
from jaxtyping import Float, UInt8

from models.errors import InputError
from models.footage.frame_clock import FASTEST_HZ, FrameClock

Frame = UInt8[np.ndarray, "height width 3"]
Matrix = Float[np.ndarray, "2 2"]

WIDEST_PIXEL = 4
"""Pixels said to be more times as wide as high, or as high as wide, are square: nobody builds such a camera."""
LARGEST_PX = 150_000_000
"""Pixels of the largest picture that is read."""
_LOOKED_AT = 64
"""Packets that are looked at to tell a film from cover art, and one clock from another."""
_HDR = {16: "PQ", 18: "HLG"}
"""Transfer functions of HDR, by their numbers in H.273."""


@dataclass(frozen=True)
class Facts:
    """What is known of a video before its frames are read."""

    track: int
    """Number of the film among the file's video streams."""
    clock: Literal["presentation", "decoding", "rate"]
    """By which times its frames are dated."""
    rate: Fraction | None
    """Frames a second of a stream that has no clock of its own."""
    pixel_aspect: Fraction
    """Width over height of a pixel."""
    untimed: bool
    """Whether some of its first packets have no time, beside others that have."""
    notes: tuple[str, ...]
    """What is to be said of all that."""


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The file's container; whatever FFmpeg has against it becomes an InputError."""
    try:
        if path.stat().st_size == 0:
            raise InputError(path, "is empty (0 bytes)", "copy the video again")
    except OSError as error:
        raise InputError(path, f"cannot be opened ({error.strerror})", "correct its permissions") from error
    try:
        # An absolute path is never taken for a URL, and a playlist under a video's name opens nothing in the network.
        only_files = {"protocol_whitelist": "file"}
        with av.open(str(path.absolute()), metadata_errors="replace", container_options=only_files) as container:
            yield container
    except av.FFmpegError as error:
        raise InputError(
            path,
            f"is not a whole video that FFmpeg can read ({error.strerror})",
            "copy it again from the recorder, or convert it to mp4",
        ) from error


@lru_cache(maxsize=256)
def _facts(path: Path, _stamp: tuple[int, int], fps: float | None) -> Facts:
    with _opened(path) as container:
        streams = container.streams.video
        if not streams:
            raise InputError(path, "holds no video stream", "give a video file")
        if all(stream.codec_context is None for stream in streams):
            raise InputError(
                path,
                "is cut off before its header, or coded in a way that FFmpeg cannot decode",
                "copy it again from the recorder, or convert it to mp4 (H.264)",
            )
        track, notes = _film(container)
        stream = streams[track]
        reorders = bool(stream.codec_context.has_b_frames)
        average = stream.guessed_rate or stream.average_rate or stream.base_rate
        aspect, said = _pixel_aspect(stream)
        notes += said
    with _opened(path) as container:
        stream = container.streams.video[track]
        packets = [(packet.pts, packet.dts) for packet in islice(_packets(container, stream), _LOOKED_AT)]
        unit = stream.time_base
    shown = sorted(pts for pts, _ in packets if pts is not None)
    clock: Literal["presentation", "decoding", "rate"] = "presentation"
    if container.format.name == "avi" and reorders:
        clock = "decoding"
        notes.append("AVI keeps no presentation times of frames that are stored out of order: decoding times are used")
    elif not shown:
        clock = "decoding" if any(dts is not None for _, dts in packets) else "rate"
        if clock == "decoding":
            notes.append("has no presentation times: decoding times are used")
    length_s = float((shown[-1] - shown[0]) * unit) if shown and unit else 0.0
    if clock != "rate" and length_s > 0 and (fastest := (len(shown) - 1) / length_s) > FASTEST_HZ * 1.02:
        if fps is None:
            raise InputError(
                path,
                f"gives {fastest:.0f} frames a second, expected at most {FASTEST_HZ:.0f}",
                "say its true rate in ingest.fps",
            )
        clock = "rate"
    rate = None
    if clock == "rate":
        rate, said = _rate(path, fps, average)
        notes += said
    untimed = clock != "rate" and any(pts is None and dts is None for pts, dts in packets)
    return Facts(track, clock, rate, aspect, untimed, tuple(notes))


def _packets(container: Any, *streams: Any) -> Iterator[Any]:
    """Packets of some streams, up to where the file breaks."""
    try:
        yield from (packet for packet in container.demux(*streams) if packet.size)
    except av.FFmpegError:
        return  # whoever decodes the frames says so


def _film(container: Any) -> tuple[int, list[str]]:
    """Number of the film among the video streams: the first that is no cover art and has more than one picture."""
    streams = container.streams.video
    if len(streams) == 1:
        return 0, []
    counts = [0] * len(streams)
    for packet in _packets(container, *streams):
        number = next(i for i, stream in enumerate(streams) if stream.index == packet.stream.index)
        counts[number] += 1
        if counts[number] >= _LOOKED_AT:
            break
    films = [
        i
        for i, stream in enumerate(streams)
        if counts[i] > 1 and not stream.disposition & Disposition.attached_pic and stream.codec_context is not None
    ]
    chosen = films[0] if films else 0
    notes = []
    if len(films) < len(streams):
        notes.append(f"{len(streams) - len(films)} picture(s) in the file (cover art) are no part of the film")
    if len(films) > 1:
        notes.append(f"has {len(films)} video tracks: the first is read, the others are not")
    return chosen, notes


def _pixel_aspect(stream: Any) -> tuple[Fraction, list[str]]:
    """Width over height of a pixel, 1 where the file says nothing or the picture would be as wide anyway."""
    given = stream.sample_aspect_ratio
    if not given or given == 1:
        return Fraction(1), []
    if not Fraction(1, WIDEST_PIXEL) <= given <= WIDEST_PIXEL:
        return Fraction(1), [f"says that pixels are {given} times as wide as high: they are taken to be square"]
    width = stream.codec_context.width
    if round(width * given) == width:
        return Fraction(1), []
    return given, [f"pixels are {given} times as wide as high: pictures are resampled to square pixels"]


def _rate(path: Path, fps: float | None, average: Fraction | None) -> tuple[Fraction, list[str]]:
    if fps is not None:
        return Fraction(fps).limit_denominator(1001), [f"has no clock: dated by ingest.fps, {fps:g} frames a second"]
    if average is None or not 0 < average <= FASTEST_HZ:
        raise InputError(
            path, f"has no timestamps and no plausible rate ({average})", "say its frames a second in ingest.fps"
        )
    return average, [f"has no timestamps: dated by the stream's rate, {float(average):.6g} frames a second"]


def facts(path: Path, fps: float | None) -> Facts:
    """Find out how a video is to be read; `fps` dates it where it has no clock that can be used.

    Raises InputError where it cannot be read.
    """
    try:
        stat = path.stat()
    except OSError as error:
        raise InputError(path, f"cannot be opened ({error.strerror})", "correct its permissions") from error
    return _facts(path, (stat.st_mtime_ns, stat.st_size), fps)


def how_read(path: Path, fps: float | None) -> dict[str, Any]:
    """Return what is unusual in how a video is read, as JSON-like values: empty for an ordinary one."""
    known = facts(path, fps)
    how: dict[str, Any] = {}
    if known.track:
        how["track"] = known.track
    if known.clock != "presentation":
        how["clock"] = known.clock if known.rate is None else f"{known.clock} {known.rate}"
    if known.pixel_aspect != 1:
        how["pixel_aspect"] = str(known.pixel_aspect)
    if known.untimed:
        how["untimed"] = True
    with _opened(path) as container:
        stream = container.streams.video[known.track]
        stream.thread_type = "NONE"
        first = next(container.decode(stream), None)
        if first is not None and _is_mirrored(first):
            how["mirrored"] = True
    with _opened(path) as container:
        # The tables of mp4 and AVI cannot say that a frame is earlier than the one before.
        if not {"mp4", "avi"} & set(container.format.name.split(",")):
            last = None
            for packet in _packets(container, container.streams.video[known.track]):
                if packet.dts is None:
                    if packet.pts is None and known.clock != "rate":
                        how["untimed"] = True
                    continue
                if last is not None and packet.dts < last:
                    how["clock_goes_back"] = True
                last = packet.dts
    return how


def read_video(
    path: Path, fps: float | None, say: Callable[[str], None]
) -> Iterator[tuple[float, Frame, tuple[int, int]]]:
    """Yield (seconds since the first frame, upright RGB image in square pixels, its width and height before it was
    resampled to them) of every frame.

    A file that breaks is read up to the break. What is to be said goes to `say`. Raises InputError where the file is
    no video, or breaks before its first frame.
    """
    known = facts(path, fps)
    for note in known.notes:
        say(note)
    clock: FrameClock | None = None
    count, damaged, time, declared_s = 0, 0, 0.0, None
    period = 1 / 25
    try:
        with _opened(path) as container:
            stream = container.streams.video[known.track]
            stream.thread_type = "NONE"
            declared_s = _declared_s(container, stream)
            period = 1 / float(known.rate or stream.average_rate or stream.guessed_rate or 25)
            clock = FrameClock(period)
            turned: tuple[int, Matrix | None] | None = None
            for number, frame in enumerate(container.decode(stream)):
                if frame.width * frame.height > LARGEST_PX:
                    size = f"{frame.width}x{frame.height}"
                    raise InputError(path, f"has pictures of {size}, too large to read", "convert it to a smaller size")
                if number == 0:
                    _say_of_first(frame, stream, say)
                forward = clock.forward(_time_s(frame, number, known))
                if forward is None:
                    continue
                if turned is None or turned[0] != frame.rotation:
                    turned = frame.rotation, _matrix(frame)
                image = _shown(frame, known.pixel_aspect, turned[1])
                on_its_side = _is_on_its_side(turned[1])
                upright = (frame.height, frame.width) if on_its_side else (frame.width, frame.height)
                time, count, damaged = forward, count + 1, damaged + frame.is_corrupt
                yield forward, image, upright
    except InputError as error:
        if not count or not isinstance(error.__cause__, av.FFmpegError):
            raise
        reason = error.__cause__.strerror
        say(f"breaks after frame {count - 1} at {time:.3f} s ({reason}): it is used up to there")
        declared_s = None
    if not count:
        raise InputError(
            path, "holds no frame that can be decoded", "if a player shows a picture, convert it to mp4 (H.264)"
        )
    assert clock is not None
    if known.clock == "decoding":
        clock.untimed = 0  # frames that come out after the last packet have no such time in any file
    for note in clock.notes():
        say(note)
    if damaged:
        say(f"{damaged} frame(s) are damaged in the file: their pictures may be torn")
    if declared_s is not None and time + period < declared_s - max(0.5, 0.02 * declared_s) and not clock.restarts:
        say(f"ends at {time:.3f} s, its header says {declared_s:.3f} s: it may be cut off")


def _declared_s(container: Any, stream: Any) -> float | None:
    """Length that the header gives."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else container.duration / 1e6


def _time_s(frame: Any, number: int, known: Facts) -> float | None:
    """Time that the file's clock gives to a frame."""
    if known.rate is not None:
        return float(number / known.rate)
    if known.clock == "decoding":
        return None if frame.dts is None else float(frame.dts * frame.time_base)
    return frame.time


def _say_of_first(frame: Any, stream: Any, say: Callable[[str], None]) -> None:
    if frame.interlaced_frame:
        say("is interlaced: what moves has combed edges")
    if (curve := _HDR.get(int(stream.codec_context.color_trc))) is not None:
        say(f"is HDR ({curve}): its colours are used as they are, so they look pale")


def _matrix(frame: Any) -> Matrix | None:
    """Directions that the file's display matrix gives to x and y of the stored picture; None where it has none.

    A frame whose side data was looked at lives until Python collects cycles: look at few.
    """
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            values = np.frombuffer(bytes(data), dtype="<i4", count=9).reshape(3, 3)
            return values[:2, :2] / 65536.0
    return None


def _is_mirrored(frame: Any) -> bool:
    matrix = _matrix(frame)
    return matrix is not None and bool(np.linalg.det(matrix) < 0)


def _is_on_its_side(matrix: Matrix | None) -> bool:
    """Whether rows of the stored picture are columns of the one shown."""
    return matrix is not None and bool(np.abs(np.diag(matrix)).sum() < np.abs(np.diag(matrix[::-1])).sum())


def _shown(frame: Any, pixel_aspect: Fraction, matrix: Matrix | None) -> Frame:
    """RGB array of a frame as it is to be shown: in square pixels, turned and mirrored by the display matrix."""
    if pixel_aspect == 1:
        image = frame.to_ndarray(format="rgb24")
    else:
        width = max(round(frame.width * pixel_aspect), 1)
        image = frame.to_ndarray(format="rgb24", width=width, height=frame.height)
    if matrix is None:
        return np.ascontiguousarray(image)
    (x_to_x, x_to_y), (y_to_x, y_to_y) = matrix
    across, down = x_to_x, y_to_y
    if _is_on_its_side(matrix):
        image, across, down = image.transpose(1, 0, 2), y_to_x, x_to_y
    return np.ascontiguousarray(image[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1])
