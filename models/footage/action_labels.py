"""Labels of real footage: a table of segments, foreign names mapped to our ACTIONS by a YAML file."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import yaml
from jaxtyping import Float, Int

from models.errors import InputError
from models.types import ACTIONS

Segments = dict[str, list[tuple[str, float, float]]]
"""Path -> (action of ours, start, end), seconds."""


def read_mapping(path: Path) -> dict[str, str]:
    """Read `configs/labels/<dataset>.yaml`: `actions: {foreign name: one of ACTIONS}`."""
    try:
        raw = yaml.safe_load(path.read_text())
        mapping = {str(key): str(value) for key, value in raw["actions"].items()}
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            path, f"cannot be read ({error!r})", "write 'actions:' with lines 'their_name: our_name'"
        ) from error
    for foreign, ours in mapping.items():
        if ours not in ACTIONS:
            raise InputError(
                path, f"maps {foreign!r} to {ours!r}, which is no action", f"use one of {', '.join(ACTIONS)}"
            )
    return mapping


def read_segments(path: Path, mapping: Mapping[str, str], events: Path | None = None) -> Segments:
    """Read `path,label,start,end` (also start_s, end_s), and where given the falls' `fall_onset_s` and `at_rest_s`.

    A clip in `events` keeps no whole-clip fall label: it falls from onset to rest, is fallen after, and before the
    onset is whatever else its labels say, `other` where they say nothing.
    """
    segments: Segments = {}
    with path.open(newline="", encoding="utf-8") as handle:
        for number, row in enumerate(csv.DictReader(handle), start=2):
            try:
                name, label = row["path"], row["label"]
                start, end = (float(row.get(key) or row[f"{key}_s"]) for key in ("start", "end"))
            except (KeyError, TypeError, ValueError) as error:
                raise InputError(path, f"line {number} has no usable path, label, start, end", "correct it") from error
            if label not in mapping:
                raise InputError(path, f"line {number}: label {label!r} is not mapped", "add it to the label mapping")
            segments.setdefault(name, []).append((mapping[label], start, end))
    if events is not None:
        with events.open(newline="", encoding="utf-8") as handle:
            for row in csv.DictReader(handle):
                onset, rest = float(row["fall_onset_s"]), float(row["at_rest_s"])
                others = [part for part in segments.get(row["path"], []) if part[0] != "fall"]
                whole = [("other", 0.0, onset), *others, ("fallen", rest, np.inf), ("fall", onset, rest)]
                segments[row["path"]] = whole
    return segments


def frame_actions(
    segments: Sequence[tuple[str, float, float]], times: Float[np.ndarray, "time"]
) -> Int[np.ndarray, "time"]:
    """Return the index into ACTIONS per frame, -1 where nothing is said; a later segment wins, and a fall wins over
    everything."""
    actions = np.full(len(times), -1)
    for name, start, end in sorted(segments, key=lambda segment: segment[0] == "fall"):
        actions[(times >= start) & (times <= end)] = ACTIONS.index(name)
    return actions
