"""A corpus in numbers, from its index alone."""

import csv
import io
from collections import Counter, defaultdict
from typing import Any

import numpy as np

from models.corpus.reader import Index

UNKNOWN = "unknown"


def summary(index: Index) -> dict[str, Any]:
    """Return what `summary.json` says of a corpus.

    `hours` and `by_source` count time once however many people are there; `by_action_hours` counts each person's.
    `falls` are items of that kind by the cause and direction in their details; `falls_from_standing` says how those go
    down that begin on the feet (`descents`).
    """
    by_action: dict[str, float] = defaultdict(float)
    by_source: dict[str, float] = defaultdict(float)
    falls: dict[str, Counter[str]] = defaultdict(Counter)
    for row in index.rows:
        by_source[row.source] += row.seconds / 3600.0
        for action, seconds in row.action_seconds.items():
            by_action[action] += seconds / 3600.0
        if row.kind == "fall":
            falls[row.details.get("cause") or UNKNOWN][row.details.get("direction") or UNKNOWN] += 1
    return {
        "items": len(index.rows),
        "hours": sum(row.seconds for row in index.rows) / 3600.0,
        "by_action_hours": {name: by_action[name] for name in (*index.actions, UNKNOWN) if name in by_action},
        "by_source": dict(sorted(by_source.items())),
        "falls": {cause: dict(sorted(counts.items())) for cause, counts in sorted(falls.items())},
        "falls_from_standing": descents(index),
        "look_alikes": sum(row.kind == "look_alike" for row in index.rows),
        "two_person": sum(len(row.people) > 1 for row in index.rows),
        "dropped": dict(sorted(index.dropped.items())),
        "file_mib": index.file_bytes / 2**20,
    }


def descents(index: Index) -> dict[str, Any]:
    """Return falls of who stood or walked: seconds from the onset to the impact of hips or trunk, the hips' vertical
    speed there.

    Both as 5th, 50th and 95th percentile, mean and standard deviation; `clear` is of falls that strike no furniture.
    """
    falls = [row.details for row in index.rows if row.kind == "fall"]
    fell = [d for d in falls if d.get("start") in ("standing", "walking") and d.get("impact_s") is not None]
    groups = {"all": fell, "clear": [d for d in fell if not d.get("struck")]}
    return {
        name: {
            "falls": len(some),
            "impact_time_s": _spread([d["impact_s"] - d["onset_s"] for d in some]),
            "hip_speed_m_s": _spread([d["impact_speed_m_s"] for d in some]),
        }
        for name, some in groups.items()
        if some
    }


def _spread(values: list[float]) -> list[float]:
    return [
        round(float(figure), 3) for figure in (*np.percentile(values, [5, 50, 95]), np.mean(values), np.std(values))
    ]


def index_rows(index: Index) -> str:
    """Return the index as CSV, one line an item."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("name", "kind", "source", "licence", "take", "split", "seconds", "people", "actions", "captions"))
    for row in index.rows:
        table.writerow(
            (
                row.name,
                row.kind,
                row.source,
                row.licence,
                row.take,
                row.split,
                f"{row.seconds:g}",
                len(row.people),
                " ".join(row.action_seconds),
                " | ".join(row.texts),
            )
        )
    return text.getvalue()
