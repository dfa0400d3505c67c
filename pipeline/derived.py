"""What forgetting has to know: folders that were written from a store, and footage that is not to be read again."""

import json
from pathlib import Path

from pipeline.store import Store

DERIVED = "derived.json"
"""Name of the list in a store."""


FORGOTTEN = "forgotten.json"
"""Name of the file in a store that holds the digests of footage that is not to be taken in again."""


def note_derived(store: Store, folder: Path) -> None:
    """Add a folder that holds something of a store's rooms or people."""
    known = json.loads(store.read_text(DERIVED) or "[]")
    place = str(folder.resolve())
    if place not in known:
        store.write_text(DERIVED, json.dumps([*known, place], indent=1))


def note_derived_of(item: str, place: Path) -> None:
    """Add a place that holds a motion of `STORE/<stage>/<key>`; of a file elsewhere nobody keeps a list."""
    root, _, key = item.rstrip("/").rpartition("/")
    root, _, stage = root.rpartition("/")
    if root and stage in ("people3d", "clip") and Store(root).find(stage, key) is not None:
        note_derived(Store(root), place)


def derived_folders(store: Store) -> list[Path]:
    """Return the places that hold something of a store, as far as they are still there."""
    return [Path(place) for place in json.loads(store.read_text(DERIVED) or "[]") if Path(place).exists()]
