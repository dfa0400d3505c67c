"""When the images of a folder were taken: by a table, or by what their names say where that is plain.

A number in a name is a time where it is written as one: decimal seconds, a date with a time of day, a stamp counted
from 1970, or milliseconds that are far enough apart. Numbers that run like a counter need a rate; what could be either
is refused.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np

from models.errors import InputError
from models.footage.frame_clock import FASTEST_HZ
from models.text_files import read_table

TABLE = "timestamps.csv"
COUNTER_STEP = 10
"""Whole numbers whose usual step is no larger are no plain milliseconds: they would be 100 images a second or more."""
SLOWEST_HZ = 0.5
"""Frames a second below which the times are likely in another unit; it is said."""
_WRITE_TABLE = f"write {TABLE} (file,timestamp_s) into the folder"
_DATE = re.compile(
    r"(?<!\d)((?:19|20)\d\d)[-_.]?(\d\d)[-_.]?(\d\d)[T _.-]*(\d\d)[-_.:h]?(\d\d)[-_.:m]?(\d\d)"
    r"(?:[-_.,](\d{3}|\d{6})|(\d{3}|\d{6}))?(?!\d)"
)
_EPOCH = (946_684_800, 4_102_444_800)
"""The years 2000 to 2100, seconds since 1970."""


@dataclass(frozen=True)
class ImageTimes:
    """Images in the order of their times."""

    files: list[Path]
    times_s: list[float]
    """Seconds since the first; strictly increasing."""
    source: str
    """`table`, `seconds`, `milliseconds`, `date`, `epoch` or `counter`."""
    unusual: bool
    """Whether the times are others than a reader would give who takes every whole number for milliseconds."""


@dataclass(frozen=True)
class _Name:
    """A name cut at its last number."""

    before: str
    number: str
    after: str


def image_times(files: Sequence[Path], fps: float | None, say: Callable[[str], None]) -> ImageTimes:
    """Find the times of a folder's images and put them in order; `fps` dates those that are only counted.

    An image that is as late as another is left out, and said through `say`. Raises InputError where the times cannot
    be told, are those of more than one camera, or too close together for any camera.
    """
    folder = files[0].parent
    unusual = False
    if (folder / TABLE).exists():
        times, source = _from_table(folder / TABLE, files), "table"
        _check_one_camera(files, times)
    else:
        dates = [_date(file) for file in files]
        if all(date is not None for date in dates):
            pairs = [date for date in dates if date is not None]
            times, source, unusual = [time for time, _ in pairs], "date", True
            _check_one_series(files, [rest for _, rest in pairs])
        else:
            names = _cut_where_they_differ(files)
            unusual = names != _cut(files, 1)
            _check_one_series(files, [(name.before, name.after) for name in names])
            times, source, others = _from_numbers(files, [name.number for name in names], fps)
            unusual = unusual or others
    order = sorted(range(len(files)), key=lambda i: (times[i], files[i].name))
    if source != "table":
        rate = f", {fps:g} a second" if source == "counter" else ""
        say(f"images are dated by their names: {_WORDS[source]}{rate}")
    kept = [i for n, i in enumerate(order) if n == 0 or times[i] > times[order[n - 1]]]
    if len(kept) < len(order):
        say(f"{len(order) - len(kept)} image(s) with the same time as another are left out")
    seconds = [times[i] - times[kept[0]] for i in kept]
    _check_rate(folder, seconds, source, say)
    return ImageTimes([files[i] for i in kept], seconds, source, unusual)


_WORDS = {
    "seconds": "numbers with a decimal point are seconds",
    "milliseconds": "whole numbers are milliseconds",
    "date": "date and time of day",
    "epoch": "a clock that counts from 1970",
    "counter": "numbers are counted",
}


def _from_table(table: Path, files: Sequence[Path]) -> list[float]:
    times: dict[str, float] = {}
    for row in read_table(table, ("file", "timestamp_s")):
        name = row.text("file")
        if name in times:
            raise row.fail(f"{name} has a row already", "keep one of them")
        times[name] = row.number("timestamp_s")
    missing = [file.name for file in files if file.name not in times]
    if missing:
        raise InputError(table, f"has no row for {missing[0]}", "add a row for every image")
    return [times[file.name] for file in files]


def _cut(files: Sequence[Path], place: int) -> list[_Name]:
    """Cut every name at its last number but `place` - 1."""
    cut = []
    for file in files:
        numbers = list(re.finditer(r"\d+\.\d+|\d+", file.stem, re.ASCII))
        if len(numbers) < place:
            raise InputError(file, "has no timestamp in its name", f"{_WRITE_TABLE}, or remove the image")
        number = numbers[-place]
        after = file.stem[number.end() :] + file.suffix.lower()
        cut.append(_Name(file.stem[: number.start()], number.group(), after))
    return cut


def _cut_where_they_differ(files: Sequence[Path]) -> list[_Name]:
    """Cut every name at its last number that is not the same in all."""
    last = names = _cut(files, 1)
    places = min(len(re.findall(r"\d+\.\d+|\d+", file.stem, re.ASCII)) for file in files)
    for place in range(2, places + 1):
        if len({name.number for name in names}) > 1 or len(files) == 1:
            return names
        names = _cut(files, place)
    return names if len({name.number for name in names}) > 1 else last


def _date(file: Path) -> tuple[float, tuple[str, str]] | None:
    """Seconds since 1970 of a date with a time of day in the name, and what stands before and after it."""
    found = _DATE.search(file.stem)
    if found is None:
        return None
    *fields, split, joined = found.groups()
    fraction = split or joined or "0"
    try:
        moment = datetime(*(int(field) for field in fields), tzinfo=UTC)  # type: ignore[arg-type, misc]
    except ValueError:
        return None
    return moment.timestamp() + int(fraction) / 10 ** len(fraction), (
        file.stem[: found.start()],
        file.stem[found.end() :] + file.suffix.lower(),
    )


def _check_one_series(files: Sequence[Path], frames: Sequence[tuple[str, str]]) -> None:
    """Refuse names that are alike in more than one way; names that are all different may count something else, too."""
    kinds = dict(zip(frames, files, strict=True))
    if 1 < len(kinds) < len(files):
        (before, after), (other_before, other_after) = list(kinds)[:2]
        raise InputError(
            files[0].parent,
            f"holds {len(kinds)} series of images, such as {before}*{after} and {other_before}*{other_after}",
            f"give each camera a folder of its own, or {_WRITE_TABLE}",
        )


def _check_one_camera(files: Sequence[Path], times: Sequence[float]) -> None:
    """Refuse a table whose images take turns between few kinds of names: two cameras in one folder."""
    if not all(re.search(r"\d", file.stem, re.ASCII) for file in files):
        return
    kinds = [(name.before, name.after) for name in _cut(files, 1)]
    if not 1 < len(set(kinds)) <= len(files) // 2:
        return
    order = sorted(range(len(files)), key=lambda i: times[i])
    turns = sum(kinds[a] != kinds[b] for a, b in pairwise(order))
    if turns > len(set(kinds)) - 1:
        (before, after), (other_before, other_after) = sorted(set(kinds))[:2]
        raise InputError(
            files[0].parent,
            f"mixes images of several cameras, such as {before}*{after} and {other_before}*{other_after}",
            "give each camera a folder of its own",
        )


def _from_numbers(files: Sequence[Path], numbers: Sequence[str], fps: float | None) -> tuple[list[float], str, bool]:
    """Times, where they come from, and whether they are others than milliseconds or decimal seconds."""
    folder = files[0].parent
    if any("." in number for number in numbers):
        return [float(number) for number in numbers], "seconds", not all("." in number for number in numbers)
    values = [int(number) for number in numbers]
    for per_second in (1, 1_000, 1_000_000, 1_000_000_000):
        if all(_EPOCH[0] * per_second <= value < _EPOCH[1] * per_second for value in values):
            if per_second == 1000:
                return [value / 1000.0 for value in values], "epoch", False
            first = min(values)
            return [(value - first) / per_second for value in values], "epoch", True
    steps = np.diff(sorted(set(values)))
    step = float(np.median(steps)) if len(steps) else 0.0
    if len(steps) and step <= COUNTER_STEP:
        if fps is None:
            what = "are counted" if step <= 1000 / FASTEST_HZ else "may be counted or milliseconds"
            raise InputError(
                folder,
                f"the numbers in the names ({min(values)}, {sorted(set(values))[1]}, …) {what}, so they give no times",
                f"say the frames a second in ingest.fps, or {_WRITE_TABLE}",
            )
        first = min(values)
        return [(value - first) / fps for value in values], "counter", True
    return [value / 1000.0 for value in values], "milliseconds", False


def _check_rate(folder: Path, times_s: Sequence[float], source: str, say: Callable[[str], None]) -> None:
    if len(times_s) < 3:
        return
    rate = 1.0 / float(np.median(np.diff(times_s)))
    if rate > FASTEST_HZ * 1.02:
        remedy = "write seconds into timestamp_s" if source == "table" else _WRITE_TABLE
        raise InputError(
            folder, f"gives {rate:.0f} images a second, expected at most {FASTEST_HZ:.0f}", f"{remedy}, with true times"
        )
    if rate < SLOWEST_HZ:
        say(f"has one image every {1 / rate:.4g} s: if its times are in another unit, write seconds into {TABLE}")
