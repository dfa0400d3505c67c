"""Labels of real footage: a table of segments, foreign names and class ids mapped to our ACTIONS, found by clip."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from models.errors import InputError
from models.footage.video import VIDEO_SUFFIXES
from models.text_files import Row, read_table, read_yaml
from models.types import ACTIONS

Segments = dict[str, list[tuple[str, float, float]]]
"""Path -> (action of ours, start, end), seconds."""


def read_mapping(path: Path) -> dict[str, str]:
    """Read `configs/labels/<dataset>.yaml`: `actions: {foreign name: one of ACTIONS}`."""
    raw = read_yaml(path)
    actions = raw.get("actions") if isinstance(raw, dict) else None
    if not isinstance(actions, dict):
        raise InputError(path, "has no 'actions'", "write 'actions:' with lines 'their_name: our_name'")
    mapping = {str(key): str(value) for key, value in actions.items()}
    for foreign, ours in mapping.items():
        if ours not in ACTIONS:
            raise InputError(
                path, f"maps {foreign!r} to {ours!r}, which is no action", f"use one of {', '.join(ACTIONS)}"
            )
    return mapping


def read_segments(path: Path, mapping: Mapping[str, str], events: Path | None = None) -> Segments:
    """Read `path,label,start,end` (also start_s, end_s), and where given the falls' `fall_onset_s` and `at_rest_s`.

    A label that is no name of `mapping` but a number is a class id of OmniFall: the place in ACTIONS. A clip in
    `events` keeps no whole-clip fall label: it falls from onset to rest, is fallen after, and before the onset is
    whatever else its labels say, `other` where they say nothing. Raises InputError with the number of a line that
    cannot be used.
    """
    segments: Segments = {}
    for row in read_table(path, ("path", "label")):
        action, start, end = _action(row, mapping), _time(row, "start"), _time(row, "end")
        if end < start:
            raise row.fail(f"end is {end:g}, before start {start:g}")
        segments.setdefault(row.text("path"), []).append((action, start, end))
    if not segments:
        raise InputError(path, "has no line", "give at least path,label,start,end and one line")
    for row in read_table(events, ("path", "fall_onset_s", "at_rest_s")) if events is not None else []:
        name, onset, rest = row.text("path"), row.number("fall_onset_s"), row.number("at_rest_s")
        if rest < onset:
            raise row.fail(f"at_rest_s is {rest:g}, before fall_onset_s {onset:g}")
        others = [part for part in segments.get(name, []) if part[0] != "fall"]
        segments[name] = [("other", 0.0, onset), *others, ("fallen", rest, np.inf), ("fall", onset, rest)]
    return segments


def _action(row: Row, mapping: Mapping[str, str]) -> str:
    label = row.text("label")
    if label in mapping:
        return mapping[label]
    if not label.isascii() or not label.removesuffix(".0").isdecimal():
        raise row.fail(f"label {label!r} is not mapped", "add it to the label mapping")
    number = int(label.removesuffix(".0"))
    if number >= len(ACTIONS):
        raise row.fail(f"label {label} is no class id, expected 0 to {len(ACTIONS) - 1}", "add it to the label mapping")
    return ACTIONS[number]


def _time(row: Row, name: str) -> float:
    column = name if name in row.cells else f"{name}_s"
    if column not in row.cells:
        raise InputError(row.table, f"has no column {name!r}", "give at least the columns path,label,start,end")
    return row.number(column)


class ClipLabels:
    """Segments of a table by clip, wherever a clip's footage lies, and which of them belong to no clip.

    Paths of the table are below its own folder or below the footage; without the suffix of a video they mean the video
    of that name.
    """

    def __init__(self, table: Path, segments: Segments):
        """Hold what was read from a table."""
        self.table = table
        self._segments = {path.replace("\\", "/"): parts for path, parts in segments.items()}
        self._places: dict[Path, dict[Path, str]] = {}
        self._found: set[str] = set()

    def of(self, footage: Path, path: str) -> list[tuple[str, float, float]] | None:
        """Return the segments of the clip at `path` below the footage folder; None where the table has none."""
        clip = (footage / path).resolve()
        names = [clip, clip.with_suffix("")] if clip.suffix.lower() in VIDEO_SUFFIXES else [clip]
        for folder in (self.table.parent, footage):
            for name in names:
                if (found := self._below(folder).get(name)) is not None:
                    self._found.add(found)
                    return self._segments[found]
        return None

    def counts(self) -> dict[str, int]:
        """Return how many of the table's paths belonged to a clip so far, and how many to none."""
        return {"matched": len(self._found), "unmatched": len(self._segments) - len(self._found)}

    def unmatched(self) -> InputError:
        """Return the error that says how many of the table's paths belonged to no clip so far, and names the first."""
        names = sorted(self._segments.keys() - self._found)
        return InputError(
            self.table,
            f"labels {len(self._segments)} clip(s), of which {len(names)} are in no store, such as {names[0]}",
            "write paths from the table's folder or from the footage folder on",
        )

    def _below(self, folder: Path) -> dict[Path, str]:
        if folder not in self._places:
            self._places[folder] = {(folder / path).resolve(): path for path in self._segments}
        return self._places[folder]


def frame_actions(
    segments: Sequence[tuple[str, float, float]], times: Float[np.ndarray, "time"]
) -> Int[np.ndarray, "time"]:
    """Return the index into ACTIONS per frame, -1 where nothing is said; a later segment wins, and a fall wins over
    everything."""
    actions = np.full(len(times), -1)
    for name, start, end in sorted(segments, key=lambda segment: segment[0] == "fall"):
        actions[(times >= start) & (times <= end)] = ACTIONS.index(name)
    return actions
