"""What a store's `index.json` says of its clips and rooms: keys of their artefacts, and facts that summaries show."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from models.errors import InputError
from pipeline.store import Store


@dataclass(frozen=True)
class ClipRecord:
    """What is known of a clip; what no step has found is None."""

    ingest: str = ""
    """Key of the artefact, as are `people2d` and `people3d`."""
    seconds: float = 0.0
    """Length of the clip."""
    people2d: str | None = None
    people3d: str | None = None
    room: str | None = None
    """Name of the camera."""
    people: int | None = None
    """How many were lifted, or, where nobody was, found."""
    backend: str | None = None
    """Where the 2D poses come from."""
    people2d_s: float | None = None
    people3d_s: float | None = None
    """Computing time."""
    figures: dict[str, Any] | None = None
    """How well people were lifted (`stages.people3d.run`)."""
    notes: tuple[str, ...] | None = None
    """What is to be said of how the clip was read."""
    recomputed: bool = False
    """Whether a step of the last run had to compute."""

    def summary_row(self, name: str) -> dict[str, Any]:
        """Return what `summary.json` says of the clip; None where a step rejected it."""
        figures = self.figures or {}
        return {
            "clip": name,
            "room": self.room,
            "people": self.people or 0,
            "reprojection_px_median": figures.get("reprojection_px_median"),
            "reprojection_box_share_median": figures.get("reprojection_box_share_median"),
            "frames_within_10_px": figures.get("frames_within_10_px"),
            "stature_m": figures.get("stature_m", []),
            "foot_floor_m_median": figures.get("foot_floor_m_median"),
            "seconds": (self.people2d_s or 0.0) + (self.people3d_s or 0.0),
            "clip_seconds": self.seconds,
            "recomputed": self.recomputed,
            "pose_backend": self.backend,
            "notes": list(self.notes or ()),
        }


@dataclass(frozen=True)
class RoomRecord:
    """What is known of a room."""

    room: str
    """Key of the artefact, as are the next three."""
    plate: str
    calibrate: str
    depth: str
    row: dict[str, Any]
    """What `summary.json` says of it."""
    recomputed: bool


@dataclass(frozen=True)
class StoreIndex:
    """`index.json` of a store."""

    rooms: dict[str, str]
    """Key of the room's artefact by the camera's name."""
    clips: dict[str, ClipRecord]
    footage: str
    """The folder that the footage was read from."""

    def write(self, store: Store) -> None:
        """Write it, whole; what is None is left out."""
        clips = {
            name: {key: value for key, value in asdict(record).items() if value is not None}
            for name, record in self.clips.items()
        }
        store.write_text(
            "index.json", json.dumps({"rooms": self.rooms, "clips": clips, "footage": self.footage}, indent=1)
        )


def read_store_index(store: Store) -> StoreIndex:
    """Read `index.json` of a store of rebuilt rooms; InputError where it is none."""
    content = _read(store, "index.json")
    return StoreIndex(
        content["rooms"], {name: _clip_record(entry) for name, entry in content["clips"].items()}, content["footage"]
    )


def _clip_record(entry: dict[str, Any]) -> ClipRecord:
    """What another version knew besides is left alone."""
    return ClipRecord(**{name: value for name, value in entry.items() if name in ClipRecord.__dataclass_fields__})


def read_store_summary(store: Store) -> dict[str, Any]:
    """Read `summary.json` of a store of rebuilt rooms; InputError where it is none."""
    return _read(store, "summary.json")


def _read(store: Store, name: str) -> dict[str, Any]:
    try:
        return json.loads(store.read_text(name) or "")
    except ValueError as error:
        raise InputError(
            store.root, "is no store of rebuilt rooms", "run `careclips reconstruct FOOTAGE --out STORE` first"
        ) from error
