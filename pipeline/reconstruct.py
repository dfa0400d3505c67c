"""`careclips reconstruct`: footage into a store of rooms and people."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from models.body.tracks import track_joints
from pipeline.loaders import body_model
from pipeline.reconstruct_people import find_people, fit_people, ingest_clip
from pipeline.reconstruct_rooms import build_room
from pipeline.records import ClipRecord, RoomRecord, StoreIndex
from pipeline.runner import Outcome, Runner, cached, load_value
from pipeline.settings import Settings
from pipeline.store import Store
from stages import evaluate_reconstruction, ingest, people2d


def reconstruct(footage: Path, out: str | Path, settings: Settings, runner: Runner) -> dict:
    """Bring rooms and people of a folder of footage into a store (folder or URL); returns what `summary.json` holds."""
    started = time.perf_counter()
    store = Store(out)
    listings = ingest.list_footage(footage)
    rejected: list[dict[str, str]] = []

    work = [(one.clip, (store, settings, one.clip, one.path, one.row, footage)) for one in listings]
    read = _accepted(runner("reading footage", ingest_clip, work), rejected)
    clips = {name: record for name, (record, _) in read.items()}
    rejected += [{"item": name, "reason": reason} for name, (_, reasons) in read.items() for reason in reasons]
    if not clips:
        return _summary({}, {}, rejected, [], settings, started)
    cameras, notes = _assign_cameras(store, settings, clips)

    work = [(name, (store, settings, footage, record)) for name, record in clips.items()]
    found = _accepted(runner("finding people", find_people, work), rejected)
    clips |= {name: record for name, (record, _) in found.items()}
    people2d.check_order(settings.people2d, [order for _, order in found.values()], footage)

    work = []
    for camera in sorted(set(cameras.values())):
        members = [name for name in clips if cameras[name] == camera]
        files = [one.path.parent / "camera.json" for one in listings if one.clip in members]
        camera_file = next((file for file in files if file.exists()), None)
        work.append((camera, (store, settings, footage, camera, [clips[name] for name in members], camera_file)))
    rooms: dict[str, RoomRecord] = _accepted(runner("rebuilding rooms", build_room, work), rejected)

    clips = {name: replace(record, room=cameras[name]) for name, record in clips.items()}
    ready = [
        (name, record, rooms[cameras[name]])
        for name, record in clips.items()
        if record.people2d and cameras[name] in rooms
    ]
    size = settings.people3d.clips_at_once
    groups = [ready[first : first + size] for first in range(0, len(ready), size)]
    work = [(", ".join(name for name, *_ in group), (store, settings, footage, group)) for group in groups]
    for group, outcome in zip(groups, runner("lifting people", fit_people, work), strict=True):
        failed = [replace(outcome, item=name) for name, *_ in group]
        clips |= _accepted(failed if outcome.reason else outcome.value, rejected)

    summary = _summary(rooms, clips, rejected, notes, settings, started)
    score_against_truth(footage, store, summary, clips, rooms)
    store.write_text("summary.json", json.dumps(summary, indent=1))
    StoreIndex({name: room.room for name, room in rooms.items()}, clips, str(footage.resolve())).write(store)
    return summary


def _assign_cameras(store: Store, settings: Settings, clips: dict[str, ClipRecord]) -> tuple[dict[str, str], list[str]]:
    """Each clip's camera, and what is to be said of that."""

    def compute() -> tuple[dict[str, str], dict[str, Any]]:
        read = [load_value(store, "ingest", record.ingest) for record in clips.values()]
        parts = [ingest.Clip(value["footage"], value["key_frames"], value["background"]) for value in read]
        named, notes = ingest.assign_cameras(settings.ingest, parts)
        return {name: one.camera for name, one in zip(clips, named, strict=True)}, {"notes": notes}

    inputs = {name: record.ingest for name, record in clips.items()}
    cameras, artefact, _ = cached(store, "cameras", ingest.VERSION, settings.ingest, inputs, compute)
    return cameras, artefact.meta["figures"]["notes"]


def _accepted(outcomes: list[Outcome], rejected: list[dict[str, str]]) -> dict[str, Any]:
    """What steps gave, by item; the reasons of those that gave nothing are added to `rejected`."""
    rejected += [{"item": outcome.item, "reason": outcome.reason} for outcome in outcomes if outcome.reason]
    return {outcome.item: outcome.value for outcome in outcomes if not outcome.reason}


def _summary(
    rooms: dict[str, RoomRecord],
    clips: dict[str, ClipRecord],
    rejected: list,
    notes: list,
    settings: Settings,
    started: float,
) -> dict[str, Any]:
    return {
        "rooms": [{**room.row, "recomputed": room.recomputed} for room in rooms.values()],
        "clips": [record.summary_row(name) for name, record in clips.items()],
        "rejected": rejected,
        "notes": notes,
        "seed": settings.seed,
        "total_seconds": time.perf_counter() - started,
    }


def score_against_truth(
    footage: Path, store: Store, summary: dict, clips: dict[str, ClipRecord], rooms: dict[str, RoomRecord]
) -> None:
    """Add `truth` to the summary of each clip whose exact truth lies in `<footage>/truth/<clip>/` (sample footage)."""
    for row in summary["clips"]:
        truth = footage / "truth" / row["clip"]
        record = clips[row["clip"]]
        if not truth.is_dir() or record.room not in rooms:
            continue
        room = load_value(store, "room", rooms[record.room].room)
        joints, visible = {}, {}
        if record.people3d:
            motion = load_value(store, "people3d", record.people3d)
            for person in motion.people:
                joints[person.person] = track_joints(body_model(None), person)
                visible[person.person] = person.visible
        row["truth"] = evaluate_reconstruction.run(truth, room, joints, visible)
