"""`careclips reconstruct`: footage into a store of rooms and people."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from models.body.tracks import track_joints
from models.errors import InputError
from models.files import file_digest
from models.footage.listing import FootageListing, camera_file
from pipeline.loaders import body_model
from pipeline.outcomes import TRACEBACKS, Outcome, SetAside, attempt
from pipeline.output_folder import holds
from pipeline.reconstruct_people import find_people, fit_people, ingest_clip
from pipeline.reconstruct_rooms import build_room, find_floor
from pipeline.records import ClipRecord, RoomRecord, StoreIndex
from pipeline.runner import Runner, cached, load_value
from pipeline.settings import Settings
from pipeline.store import Store
from stages import evaluate_reconstruction, ingest, people2d


@holds("out", stays=True)
def reconstruct(footage: Path, out: str | Path, settings: Settings, runner: Runner) -> dict:
    """Bring rooms and people of a folder of footage into a store (folder or URL); returns what `summary.json` holds.

    Raises InputError, after the summary is written, where not one room came of it.
    """
    started = time.perf_counter()
    store = Store(out)
    set_aside = SetAside()
    try:
        listing, clips = read_clips(store, settings, footage, runner, set_aside)
    except InputError as error:
        # No night is green over rooms of the day before.
        set_aside.add(str(footage), "input", f"{error.problem}; {error.remedy}")
        _write(store, _summary({}, {}, [], {}, settings, set_aside, started), set_aside)
        StoreIndex({}, {}, str(footage.resolve())).write(store)
        raise
    cameras, notes = assign_cameras(store, settings, clips) if clips else ({}, [])

    work = [(name, (store, settings, footage, record)) for name, record in clips.items()]
    found = set_aside.values("finding people", runner("finding people", find_people, work))
    clips |= {name: record for name, (record, _, _) in found.items()}
    for name, (_, _, passed_over) in found.items():
        for reason in passed_over:
            set_aside.add(name, "people", reason)
    checks = []
    for camera in sorted(set(cameras.values())):
        orders = [order for name, (_, order, _) in found.items() if cameras[name] == camera]
        checks.append(attempt(people2d.check_order, camera, (settings.people2d, orders, footage / camera)))
    work = []
    for camera in set_aside.values("checking the keypoints' order", checks):
        members = [name for name in clips if cameras[name] == camera]
        files = [camera_file(one.path, footage) for one in listing.clips if one.clip in members]
        found_file, differing = chosen_file(files)
        if found_file and differing:
            names = ", ".join(str(file.relative_to(footage)) for file in differing)
            used = found_file.relative_to(footage)
            set_aside.add(camera, "camera_file", f"{used} is used; other camera files of its clips differ: {names}")
        others: dict[str, list[ClipRecord]] = {}
        for name, other in cameras.items():
            if other != camera and _same_room(camera, other):
                others.setdefault(other, []).append(clips[name])
        records = [clips[name] for name in members]
        work.append((camera, (store, settings, footage, camera, records, found_file, others)))
    rooms: dict[str, RoomRecord] = set_aside.values("rebuilding rooms", runner("rebuilding rooms", build_room, work))

    clips = {name: replace(record, room=cameras[name]) for name, record in clips.items()}
    ready = [
        (name, record, rooms[cameras[name]])
        for name, record in clips.items()
        if record.people2d and cameras[name] in rooms
    ]
    clips |= set_aside.values("lifting people", _lift(store, settings, footage, ready, runner))
    work = [
        (name, (store, settings, name, record, [clip for clip in clips.values() if clip.room == name]))
        for name, record in rooms.items()
    ]
    rooms |= set_aside.values("finding floors", runner("finding floors", find_floor, work))

    work = [(name, (footage, store, name, record, rooms)) for name, record in clips.items()]
    truths = set_aside.values(
        "comparing with the truth", [attempt(score_against_truth, name, arguments) for name, arguments in work]
    )
    summary = _summary(rooms, clips, notes, listing.passed_over, settings, set_aside, started)
    for row in summary["clips"]:
        if truths.get(row["clip"]) is not None:
            row["truth"] = truths[row["clip"]]
    _write(store, summary, set_aside)
    StoreIndex({name: room.room for name, room in rooms.items()}, clips, str(footage.resolve())).write(store)
    if not rooms:
        raise InputError(
            footage,
            f"gave no room at all: of {len(listing.clips)} clip(s), {len(clips)} could be read "
            f"({set_aside.first_reason(set(cameras.values()))})",
            f"see `skipped` in {store.root}/summary.json",
        )
    return summary


def chosen_file(files: list[Path]) -> tuple[Path | None, list[Path]]:
    """Return the first file that is there, and those of other content."""
    found = {file: file_digest(file) for file in files if file.exists()}
    if not found:
        return None, []
    first = next(iter(found))
    return first, [file for file in found if found[file] != found[first]]


def read_clips(
    store: Store, settings: Settings, footage: Path, runner: Runner, set_aside: SetAside
) -> tuple[FootageListing, dict[str, ClipRecord]]:
    """Read every clip of a folder of footage: what lies there, and the clips that can be used, by name."""
    listing = ingest.list_footage(footage)
    for one in listing.skipped:
        set_aside.add(one.item, one.kind, one.reason)
    work = [(one.clip, (store, settings, one.clip, one.path, one.row, footage)) for one in listing.clips]
    read = set_aside.values("reading footage", runner("reading footage", ingest_clip, work))
    # Of one file, every clip below it says the same.
    for item, reason in dict.fromkeys(pair for _, pairs in read.values() for pair in pairs):
        set_aside.add(item, "annotation", reason)
    return listing, {name: record for name, (record, _) in read.items()}


def _summary(
    rooms: dict[str, RoomRecord],
    clips: dict[str, ClipRecord],
    notes: list[str],
    passed_over: dict[str, int],
    settings: Settings,
    set_aside: SetAside,
    started: float,
) -> dict[str, Any]:
    return {
        "rooms": [{**room.row, "recomputed": room.recomputed} for room in rooms.values()],
        "clips": [record.summary_row(name) for name, record in clips.items()],
        "rejected": [{"item": one["item"], "reason": one["reason"]} for one in set_aside.skipped],
        **set_aside.summary(),
        "notes": notes,
        "passed_over": passed_over,
        "seed": settings.seed,
        "total_seconds": time.perf_counter() - started,
    }


def _write(store: Store, summary: dict[str, Any], set_aside: SetAside) -> None:
    store.write_text("summary.json", json.dumps(summary, indent=1))
    store.write_text(TRACEBACKS, set_aside.tracebacks())


def _lift(
    store: Store, settings: Settings, footage: Path, ready: list[tuple[str, ClipRecord, RoomRecord]], runner: Runner
) -> list[Outcome]:
    """Lift the people of many clips, some at once; where a group fails, each of its clips is tried by itself."""
    size = settings.people3d.clips_at_once
    groups = [ready[first : first + size] for first in range(0, len(ready), size)]

    def run(groups: list) -> list[tuple[list, Outcome]]:
        work = [(", ".join(name for name, *_ in group), (store, settings, footage, group)) for group in groups]
        return list(zip(groups, runner("lifting people", fit_people, work), strict=True))

    tried = run(groups)
    alone = {one[0]: [one] for group, outcome in tried if outcome.kind and len(group) > 1 for one in group}
    outcomes: list[Outcome] = []
    for group, outcome in [*tried, *(run(list(alone.values())) if alone else [])]:
        if outcome.kind is None:
            outcomes += outcome.value
        elif len(group) == 1:
            outcomes.append(replace(outcome, item=group[0][0]))
    return outcomes


def assign_cameras(store: Store, settings: Settings, clips: dict[str, ClipRecord]) -> tuple[dict[str, str], list[str]]:
    """Find each clip's camera, and what is to be said of that."""

    def compute() -> tuple[dict[str, str], dict[str, Any]]:
        read = [load_value(store, "ingest", record.ingest) for record in clips.values()]
        parts = [ingest.Clip(value["footage"], value["key_frames"], value["background"]) for value in read]
        named, notes = ingest.assign_cameras(settings.ingest, parts)
        return {name: one.camera for name, one in zip(clips, named, strict=True)}, {"notes": notes}

    inputs = {name: record.ingest for name, record in clips.items()}
    cameras, artefact, _ = cached(store, "cameras", ingest.VERSION, settings.ingest, inputs, compute)
    return cameras, artefact.meta["figures"]["notes"]


def _same_room(camera: str, other: str) -> bool:
    """Whether two cameras are of one room by their names, or one camera that was moved."""
    of_camera, of_other = camera.partition("~")[0], other.partition("~")[0]
    room, room_of_other = of_camera.rpartition("/")[0], of_other.rpartition("/")[0]
    return of_camera == of_other or (room != "" and room == room_of_other)


def score_against_truth(
    footage: Path, store: Store, clip: str, record: ClipRecord, rooms: dict[str, RoomRecord]
) -> dict[str, Any] | None:
    """Return how far a clip is from its exact truth in `<footage>/truth/<clip>/` (sample footage); None without."""
    truth = footage / "truth" / clip
    if not truth.is_dir() or record.room not in rooms:
        return None
    room = load_value(store, "room", rooms[record.room].room)
    joints, visible = {}, {}
    if record.people3d:
        motion = load_value(store, "people3d", record.people3d)
        for person in motion.people:
            joints[person.person] = track_joints(body_model(None), person)
            visible[person.person] = person.visible
    return evaluate_reconstruction.run(truth, room, joints, visible)
