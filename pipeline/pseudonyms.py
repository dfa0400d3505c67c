"""Names in what is shared: `room_1/camera_2` for a camera, `source_3` for a clip of footage.

The key to them, `pseudonyms.json`, stays in the store. A name that was given is kept for good, and no number is given
twice, so that the same room is the same in the dataset of another night.
"""

import json
import re
from collections.abc import Iterable
from pathlib import PurePath
from typing import Any

from models.files import digest
from pipeline.records import StoreIndex, read_store_index
from pipeline.runner import load_value
from pipeline.store import Store

FILE = "pseudonyms.json"
WORDS = ("verdict", "calibration")
"""Keys of a summary's row of a room whose text is ours, and holds no name."""


class Pseudonyms:
    """What rooms, cameras and clips of a store are called where others read it."""

    def __init__(self, store: Store):
        """Read those that were given, and give the store's cameras theirs."""
        self.store = store
        content = json.loads(store.read_text(FILE) or "{}")
        self.given: dict[str, dict[str, str]] = {
            kind: dict(content.get(kind, {})) for kind in ("room", "camera", "source")
        }
        self.counts: dict[str, int] = {kind: content.get("counts", {}).get(kind, 0) for kind in self.given}
        self.index = read_store_index(store)
        for camera in sorted(self.index.rooms):
            self.camera(camera)
        for clip in sorted(self.index.clips):
            self.source(clip)

    def camera(self, name: str) -> str:
        """Return what a camera is called, after the room that it looks into."""
        if name not in self.given["camera"]:
            # By its digest: whoever is forgotten has a camera's name here, and no other.
            room = self._give("room", digest(_room_of(self.store, self.index, name))[:16])
            self.given["camera"][name] = f"{room}/{self._next('camera')}"
        return self.given["camera"][name]

    def source(self, name: str) -> str:
        """Return what a clip of footage, or another of its files, is called."""
        return self._give("source", name)

    def write(self) -> None:
        """Write the key to them into the store."""
        text = json.dumps({**self.given, "counts": self.counts}, indent=1)
        if text != self.store.read_text(FILE):
            self.store.write_text(FILE, text)

    def _give(self, kind: str, name: str) -> str:
        if name not in self.given[kind]:
            self.given[kind][name] = self._next(kind)
        return self.given[kind][name]

    def _next(self, kind: str) -> str:
        self.counts[kind] += 1
        return f"{kind}_{self.counts[kind]}"

    def reconstruction(self, summary: Any) -> dict[str, Any]:
        """Return a store's summary for others to read: numbers as they are, names replaced, and nothing of the texts,
        which quote files, sidecars and people: why something was set aside stays in the store."""
        rooms = [
            _numbers(room)
            | {key: room[key] for key in WORDS if key in room}
            | {"room": self.camera(room["room"]), "camera": self.camera(room["camera"])}
            for room in summary["rooms"]
        ]
        clips = [
            _numbers(clip)
            | {
                "clip": self.source(clip["clip"]),
                "room": self.camera(clip["room"]) if clip["room"] else None,
                "pose_backend": clip.get("pose_backend") and without_folders(clip["pose_backend"]),
            }
            for clip in summary["clips"]
        ]
        cameras = {record.room for record in self.index.clips.values() if record.room} | set(self.given["camera"])
        items = [one["item"] for one in summary["rejected"]]
        rejected = [{"item": self.camera(item) if item in cameras else self.source(item)} for item in items]
        numbers = {key: summary[key] for key in ("seed", "total_seconds") if key in summary}
        return {"rooms": rooms, "clips": clips, "rejected": rejected, **numbers}


def _room_of(store: Store, index: StoreIndex, camera: str) -> str:
    """The room that a camera looks into, as footage.csv has it, with its site; else the camera itself."""
    for record in index.clips.values():
        if record.room == camera and record.ingest and store.find("ingest", record.ingest) is not None:
            footage = load_value(store, "ingest", record.ingest)["footage"]
            return f"{footage.site}/{footage.room}" if footage.room else camera
    return camera


def number_of(pseudonym: str) -> int:
    """Return the number that a pseudonym ends with."""
    return int(pseudonym.rpartition("_")[2])


def _numbers(row: Any) -> dict[str, Any]:
    """The numbers of a row, and of what stands in it."""
    kept: dict[str, Any] = {}
    for key, value in row.items():
        if value is None or isinstance(value, int | float) or (isinstance(value, list) and _all_numbers(value)):
            kept[key] = value
        elif key in ("truth", "uses", "floor_mask"):
            kept[key] = _numbers(value)
    return kept


def _all_numbers(values: Iterable[Any]) -> bool:
    return all(isinstance(value, int | float) for value in values)


def without_folders(text: str) -> str:
    """Return a text whose absolute paths are shortened to what they end with."""
    return re.sub(r"(?<![\w.-])(?:~|[A-Za-z]:)?[/\\][^:]*[/\\]", "", text)


def shared_config(values: dict[str, dict], sections: Iterable[str]) -> dict[str, Any]:
    """Return some sections of a config file for others to read: of a path only its last name."""

    def shared(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shared(item) for key, item in value.items()}
        if isinstance(value, list):
            return [shared(item) for item in value]
        return PurePath(value).name if isinstance(value, str) and ("/" in value or "\\" in value) else value

    return {name: shared(values[name]) for name in sections if values.get(name)}
