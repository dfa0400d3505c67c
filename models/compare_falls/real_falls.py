"""Falls annotated on real footage, and clips of it as they were lifted."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from models.text_files import read_table
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
    """Read falls by the clip's path; InputError where it lacks a column, or a line holds no number, or a fall
    that ends before it begins.

    Of `fall_onset_s`, `direction` and `started_from` only what compares whole falls makes use; they may be missing.
    """
    wanted = ("path", "at_rest_s", "landing_support", "final_posture", "body_fully_in_view")
    falls: dict[str, Fall] = {}
    for row in read_table(path, wanted):
        if not row.cells["at_rest_s"]:
            continue
        at_rest_s = row.number("at_rest_s")
        onset_s = row.number("fall_onset_s") if row.cells.get("fall_onset_s") else None
        if at_rest_s < 0.0 or (onset_s is not None and not 0.0 <= onset_s < at_rest_s):
            order = "seconds from the clip's first frame on, fall_onset_s before at_rest_s"
            raise row.fail(f"fall_onset_s is {onset_s} and at_rest_s {at_rest_s:g}, expected {order}")
        falls[row.text("path")] = Fall(
            at_rest_s,
            row.cells["landing_support"],
            row.cells["final_posture"],
            row.cells["body_fully_in_view"],
            onset_s,
            row.cells.get("direction", ""),
            row.cells.get("started_from", ""),
        )
    return falls
