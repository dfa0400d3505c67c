"""`careclips forget`: remove what was derived from a clip, a room or a whole store, and prove that nothing is left.

An artefact says in `meta.json` what it was made from, so everything that hangs on a clip is found by its keys: poses,
motion, the plate and the room that show it, clips made in that room, and their datasets. The footage itself is its
owner's, and stays; so that the next run does not take it in again, the store remembers its digest, and no more.
"""

import json
import logging
import os
import shutil
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from models.errors import InputError
from models.files import unfinished
from pipeline.derived import DERIVED, FORGOTTEN, derived_folders
from pipeline.outcomes import TRACEBACKS
from pipeline.output_folder import holds, used_store
from pipeline.records import StoreIndex, read_store_index
from pipeline.run_log import log_folder
from pipeline.store import Artefact, Store

log = logging.getLogger(__name__)

SHORT = 6
"""Names of fewer letters are looked for in quotation marks only, for they may stand in any word."""


@dataclass(frozen=True)
class Doomed:
    """What is to go."""

    artefacts: list[Artefact]
    rooms: set[str]
    """Names of rooms that show it."""
    names: set[str]
    """Of clips, their files, and rooms that are not to be found any more."""
    footage: set[str]
    """Digests of the clips' files."""


@holds("root", stays=True)
def forget(root: str | Path, item: str | None = None, older_than_days: float | None = None) -> dict[str, Any]:
    """Remove what was derived from a clip or room by its name, from clips read so many days ago, or from all clips.

    Returns what was removed and what was searched afterwards. InputError where there is no such clip or room.
    """
    store = Store(root)
    with used_store(store.folder, "forget", alone=True):
        return _forget(store, item, older_than_days)


def _forget(store: Store, item: str | None, older_than_days: float | None) -> dict[str, Any]:
    index, artefacts = read_store_index(store), store.artefacts()
    clips = _with_copies(artefacts, _clips_of(store, index, artefacts, item, older_than_days))
    whole = item is None and older_than_days is None
    doomed = _doomed(artefacts, clips, index, item, whole)
    for artefact in doomed.artefacts:
        store.remove(artefact)
    store.remove_unfinished()
    datasets, others, elsewhere = _remove_datasets(store, doomed)
    _rewrite_texts(store, index, clips, doomed, whole)
    logs = _remove_logs(doomed.names)
    searched, found = _search(store, doomed)
    if found:
        raise InputError(found[0], "still tells of what was to be forgotten", "remove it yourself, then forget again")
    return {
        "forgotten": sorted(clips),
        "rooms": sorted(doomed.rooms),
        "artefacts_removed": dict(Counter(artefact.stage for artefact in doomed.artefacts)),
        "datasets_removed": datasets,
        "made_from_it_and_left": others,
        "not_there_now": elsewhere,
        "logs_removed": logs,
        "files_searched": searched,
        "found": found,
    }


def _clips_of(
    store: Store, index: StoreIndex, artefacts: list[Artefact], item: str | None, older_than_days: float | None
) -> set[str]:
    """Names of the clips that are meant."""
    taken_in = [one for one in artefacts if _was_read(one)]
    if older_than_days is not None:
        limit = time.time() - older_than_days * 86400.0
        # By its first time: whoever reads a clip again, with another config, does not keep it for longer.
        old = [one for one in taken_in if (one.meta.get("created_s") or _modified(one)) < limit]
        return {str(one.meta["inputs"]["clip"]) for one in old}
    read = {str(one.meta["inputs"]["clip"]): one for one in taken_in}
    if item is None:
        return set(read)
    paths = {str(one.meta["inputs"]["row"].get("path", "")): name for name, one in read.items()}
    of_room = {name for name, record in index.clips.items() if record.room == item}
    # After a night that could read nothing, the artefacts alone know which room is which.
    of_room |= {
        name
        for room in artefacts
        if room.stage == "room" and room.meta.get("inputs", {}).get("camera") == item
        for name, one in read.items()
        if one.key in room.meta["inputs"]["ingest"]
    }
    if item in read or item in index.clips:
        return {item}
    if item in paths:
        return {paths[item]}
    if item in index.rooms or of_room:
        return of_room
    if item in {one["item"] for one in json.loads(store.read_text("summary.json") or "{}").get("skipped", [])}:
        return {item}  # nothing was made of it, but it is told of
    raise InputError(
        store.root,
        f"has neither clip nor room {item!r}",
        f"name one of its rooms ({', '.join(index.rooms) or 'none'}) or clips, as `careclips show` lists them",
    )


def _with_copies(artefacts: list[Artefact], clips: set[str]) -> set[str]:
    """The clips, and those that are the same film under another name."""
    films = {str(one.meta["inputs"]["clip"]): one.meta["inputs"].get("video") for one in artefacts if _was_read(one)}
    wanted = {film for name, film in films.items() if name in clips}
    return clips | {name for name, film in films.items() if film in wanted}


def _was_read(artefact: Artefact) -> bool:
    return artefact.stage == "ingest" and "inputs" in artefact.meta


def _modified(artefact: Artefact) -> float:
    meta = artefact.folder / "meta.json"
    return meta.stat().st_mtime if meta.exists() else time.time()


def _doomed(artefacts: list[Artefact], clips: set[str], index: StoreIndex, item: str | None, whole: bool) -> Doomed:
    """Everything that was made from the clips, however indirectly."""
    of_clips = [one for one in artefacts if one.stage == "ingest" and one.meta.get("inputs", {}).get("clip") in clips]
    gone = {one.key: one for one in (artefacts if whole else of_clips)}
    inputs = {one.key: json.dumps(one.meta.get("inputs", {})) for one in artefacts}
    waiting = [one for one in artefacts if one.key not in gone]
    fresh = set(gone)
    while fresh:
        found = [one for one in waiting if not one.meta or any(key in inputs[one.key] for key in fresh)]
        gone |= {one.key: one for one in found}
        fresh = {one.key for one in found}
        waiting = [one for one in waiting if one.key not in fresh]
    rooms = {name for name, key in index.rooms.items() if key in gone}
    rooms |= {str(one.meta["inputs"]["camera"]) for one in gone.values() if one.stage == "room" and one.meta}
    names = clips | (set(index.rooms) | rooms if whole else {name for name in rooms if name == item})
    for one in of_clips:
        names |= {str(value) for key, value in one.meta["inputs"]["row"].items() if key == "path" and value}
    footage = {str(one.meta["inputs"]["video"]) for one in of_clips}
    return Doomed(list(gone.values()), rooms, names, footage)


def _remove_datasets(store: Store, doomed: Doomed) -> tuple[list[str], list[str], list[str]]:
    """Datasets that hold a clip that is to go are removed whole: `generate` makes them again from what is left. What
    else was made from the store (a motion that was exported, an evaluation, a model that learned from its people) is
    only named, as are folders that are not there: on another machine, or not mounted."""
    keys = {one.key for one in doomed.artefacts if one.stage == "clip"}
    removed, kept, others = [], [], []
    places = [Path(place) for place in json.loads(store.read_text(DERIVED) or "[]")]
    for partial in (one for place in places for one in unfinished(place)):
        shutil.rmtree(partial, ignore_errors=True)  # what a killed run left: it may hold anything
    elsewhere = [str(place) for place in places if not place.exists()]
    for folder in derived_folders(store):
        facts = folder / "dataset.json"
        if not facts.is_file():
            others.append(str(folder))
        elif keys & set(json.loads(facts.read_text()).get("clips", [])):
            shutil.rmtree(folder)
            removed.append(str(folder))
        else:
            kept.append(str(folder))
    left = kept + others + elsewhere
    store.write_text(DERIVED, json.dumps(left, indent=1) if left else "")
    return removed, others, elsewhere


def _rewrite_texts(store: Store, index: StoreIndex, clips: set[str], doomed: Doomed, whole: bool) -> None:
    """Leave in the store's own texts what concerns others."""
    known = json.loads(store.read_text(FORGOTTEN) or "[]")
    if whole:
        names = ("index.json", "summary.json", TRACEBACKS, FORGOTTEN, DERIVED, "pseudonyms.json")
        for name in names:
            store.write_text(name, "")
        return
    store.write_text(FORGOTTEN, json.dumps(sorted({*known, *doomed.footage}), indent=1))
    gone = {one.key for one in doomed.artefacts}
    rooms = {name: key for name, key in index.rooms.items() if name not in doomed.rooms}
    records = {
        # Other clips of a room that is to go were lifted in it.
        name: replace(record, people3d=None, figures=None, people3d_s=None) if record.people3d in gone else record
        for name, record in index.clips.items()
        if name not in clips
    }
    StoreIndex(rooms, records, index.footage).write(store)
    summary = json.loads(store.read_text("summary.json") or "{}")
    for name in ("clips", "rejected", "skipped", "defects", "notes"):
        summary[name] = [row for row in summary.get(name, []) if not _tells(json.dumps(row).encode(), doomed.names)]
    summary["rooms"] = [row for row in summary.get("rooms", []) if row.get("room") not in doomed.rooms]
    store.write_text("summary.json", json.dumps(summary, indent=1))
    pseudonyms = json.loads(store.read_text("pseudonyms.json") or "{}")
    for kind, table in pseudonyms.items():
        pseudonyms[kind] = {name: alias for name, alias in table.items() if name not in doomed.names}
    in_use = {alias.partition("/")[0] for alias in pseudonyms.get("camera", {}).values()}
    if "room" in pseudonyms:
        pseudonyms["room"] = {name: alias for name, alias in pseudonyms["room"].items() if alias in in_use}
    store.write_text("pseudonyms.json", json.dumps(pseudonyms, indent=1) if pseudonyms else "")
    if _tells((store.read_text(TRACEBACKS) or "").encode(), doomed.names):
        store.write_text(TRACEBACKS, "")


def _remove_logs(names: set[str]) -> int:
    found = [path for path in log_folder().glob("*.log") if _tells(path.read_bytes(), names)]
    for path in found:
        path.unlink()
    return len(found)


def _tells(content: bytes, names: Iterable[str]) -> bool:
    """Whether a file's bytes hold one of the names."""
    for name in names:
        # As it is, and as JSON has it, which writes in ASCII.
        for spelled in (os.fsencode(name), json.dumps(name)[1:-1].encode()):
            if (spelled if len(name) >= SHORT else b'"' + spelled + b'"') in content:
                return True
    return False


def _search(store: Store, doomed: Doomed) -> tuple[int, list[str]]:
    """How many files of the store, its cache and its datasets were searched, and which still tell of what is gone."""
    keys = {one.key for one in doomed.artefacts}
    searched, found = 0, []
    folders = [folder for folder in derived_folders(store) if (folder / "dataset.json").is_file()]
    paths = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    datasets = ((str(path), path.read_bytes()) for path in paths)
    for name, content in (*store.contents(), *datasets):
        searched += 1
        if _tells(content, doomed.names | keys) or any(key in name for key in keys):
            found.append(name)
    return searched, found
