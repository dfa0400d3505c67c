"""Falls annotated on real footage, and clips of it as they were lifted."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from models.errors import InputError
from models.types import Footage, Person2D, PersonTrack, Room


@dataclass(frozen=True)
class Fall:
    """One row of the table of falls; seconds are of the clip's own timestamps."""

    at_rest_s: float
    landing_support: str
    final_posture: str
    in_view: str
    """yes, partly or no."""
    onset_s: float | None = None
    """When control is lost, where the table says so."""
    direction: str = ""
    started_from: str = ""


@dataclass(frozen=True)
class LiftedClip:
    """One clip of real footage as a store holds it."""

    clip: str
    camera: str
    """Empty where its room was not rebuilt."""
    footage: Footage
    people: tuple[Person2D, ...]
    tracks: tuple[PersonTrack, ...]
    joints_world: dict[str, Float[np.ndarray, "time 24 3"]]
    room: Room | None


def read_falls(path: Path) -> dict[str, Fall]:
    """Read falls by the clip's path; InputError where the table has not the columns.

    Of `fall_onset_s`, `direction` and `started_from` only what compares whole falls makes use; they may be missing.
    """
    wanted = ("path", "at_rest_s", "landing_support", "final_posture", "body_fully_in_view")
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise InputError(path, f"cannot be read ({error})", "name a CSV file of falls") from error
    if not rows or (missing := [name for name in wanted if name not in rows[0]]):
        raise InputError(
            path, f"has no column {', '.join(missing) if rows else wanted[0]}", f"needs {', '.join(wanted)}"
        )
    try:
        return {
            row["path"]: Fall(
                float(row["at_rest_s"]),
                row["landing_support"],
                row["final_posture"],
                row["body_fully_in_view"],
                float(row["fall_onset_s"]) if row.get("fall_onset_s") else None,
                row.get("direction") or "",
                row.get("started_from") or "",
            )
            for row in rows
            if row["at_rest_s"]
        }
    except ValueError as error:
        raise InputError(
            path, f"at_rest_s or fall_onset_s is not a number ({error})", "give seconds from the clip's first frame"
        ) from error
