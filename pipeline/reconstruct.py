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
from pipeline.runner import Outcome, Runner, cached, load_value
from pipeline.settings import Settings
from pipeline.store import Store
from stages import dataset_report, evaluate_reconstruction, ingest, people2d


def reconstruct(footage: Path, out: str | Path, settings: Settings, runner: Runner) -> dict:
    """Rooms and people of a folder of footage into a store (folder or URL); returns what `summary.json` holds."""
    started = time.perf_counter()
    store = Store(out)
    listings = ingest.list_footage(footage)
    rejected: list[dict[str, str]] = []
    clips: dict[str, dict] = {}
    work = [(one.clip, (store, settings, one.clip, one.path, one.row, footage)) for one in listings]
    _gather(runner("reading footage", ingest_clip, work), clips, rejected)
    for name, clip in clips.items():
        rejected += [{"item": name, "reason": reason} for reason in clip.pop("set_aside")]
    if not clips:
        return _reconstruct_summary({}, {}, rejected, [], settings, started)

    def compute_cameras():
        read = [load_value(store, "ingest", clips[name]["ingest"]) for name in clips]
        parts = [ingest.Clip(value["footage"], value["key_frames"], value["background"]) for value in read]
        named, notes = ingest.assign_cameras(settings.ingest, parts)
        return {name: one.camera for name, one in zip(clips, named, strict=True)}, {"notes": notes}

    inputs = {name: clip["ingest"] for name, clip in clips.items()}
    cameras, artefact, _ = cached(store, "cameras", ingest.VERSION, settings.ingest, inputs, compute_cameras)

    work = [(name, (store, settings, footage, clips[name]["ingest"])) for name in clips]
    _gather(runner("finding people", find_people, work), clips, rejected)
    orders = [clip.pop("keypoint_order") for clip in clips.values() if "keypoint_order" in clip]
    people2d.check_order(settings.people2d, orders, footage)

    rooms: dict[str, dict] = {}
    work = []
    for camera in sorted(set(cameras.values())):
        members = [name for name in clips if cameras[name] == camera]
        files = [one.path.parent / "camera.json" for one in listings if one.clip in members]
        camera_file = next((file for file in files if file.exists()), None)
        keys = [clips[name]["ingest"] for name in members]
        people = [clips[name].get("people2d") for name in members]
        work.append((camera, (store, settings, footage, camera, keys, people, camera_file)))
    _gather(runner("rebuilding rooms", build_room, work), rooms, rejected)

    work = []
    for name, clip in clips.items():
        clip["room"] = cameras[name]
        if "people2d" in clip and cameras[name] in rooms:
            work.append((name, clip["ingest"], clip["people2d"], rooms[cameras[name]]))
    size = settings.people3d.clips_at_once
    parts = [work[first : first + size] for first in range(0, len(work), size)]
    named = [(", ".join(name for name, *_ in part), (store, settings, footage, part)) for part in parts]
    for part, outcome in zip(parts, runner("lifting people", fit_people, named), strict=True):
        failed = [replace(outcome, item=name) for name, *_ in part]
        _gather(failed if outcome.reason else outcome.value, clips, rejected)

    summary = _reconstruct_summary(rooms, clips, rejected, artefact.meta["figures"]["notes"], settings, started)
    score_against_truth(footage, store, summary, clips, rooms)
    store.write_text("summary.json", json.dumps(summary, indent=1))
    index = {"rooms": {n: r["key"] for n, r in rooms.items()}, "clips": clips, "footage": str(footage.resolve())}
    store.write_text("index.json", json.dumps(index, indent=1))
    return summary


def _gather(outcomes: list[Outcome], records: dict[str, dict], rejected: list[dict[str, str]]) -> None:
    """Add each outcome to its item's record, or its reason to the rejects; what was recomputed once stays so."""
    for outcome in outcomes:
        if outcome.reason:
            rejected.append({"item": outcome.item, "reason": outcome.reason})
            continue
        record = records.setdefault(outcome.item, {"recomputed": False})
        recomputed = record["recomputed"] or outcome.value["recomputed"]
        record |= outcome.value | {"recomputed": recomputed}


def _reconstruct_summary(
    rooms: dict, clips: dict, rejected: list, notes: list, settings: Settings, started: float
) -> dict[str, Any]:
    return {
        "rooms": [{**room["row"], "recomputed": room["recomputed"]} for room in rooms.values()],
        "clips": [dataset_report.clip_row(name, clip) for name, clip in clips.items()],
        "rejected": rejected,
        "notes": notes,
        "seed": settings.seed,
        "total_seconds": time.perf_counter() - started,
    }


def score_against_truth(footage: Path, store: Store, summary: dict, clips: dict, rooms: dict) -> None:
    """Add `truth` to the summary of each clip whose exact truth lies in `<footage>/truth/<clip>/` (sample footage)."""
    for row in summary["clips"]:
        truth = footage / "truth" / row["clip"]
        clip = clips[row["clip"]]
        if not truth.is_dir() or clip["room"] not in rooms:
            continue
        room = load_value(store, "room", rooms[clip["room"]]["key"])
        joints, visible = {}, {}
        if "people3d" in clip:
            motion = load_value(store, "people3d", clip["people3d"])
            for person in motion.people:
                joints[person.person] = track_joints(body_model(None), person)
                visible[person.person] = person.visible
        row["truth"] = evaluate_reconstruction.run(truth, room, joints, visible)
