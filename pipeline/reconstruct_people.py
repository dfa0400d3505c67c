"""Steps of reconstruct that work on clips: read them, find people in them, lift the people to 3D."""

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from models import types
from models.body.tracks import track_keypoints
from models.errors import InputError, Rejected
from models.files import digest, file_digest
from models.footage.coco_file import clip_entries, file_complaints, find_sidecar, why_nothing
from models.footage.coco_sidecar import named_sizes, read_annotations
from models.footage.listing import Listing, camera_file, clip_digest
from models.footage.undistorted import frames, frames_in_order
from models.footage.video import FrameReader, how_read
from models.geometry.lens import has_lens, read_lens
from models.people2d.pose_nms import drop_strayed_frames
from pipeline.derived import FORGOTTEN
from pipeline.loaders import body_model
from pipeline.outcomes import Outcome, attempt
from pipeline.records import ClipRecord, RoomRecord
from pipeline.runner import cached, load_value
from pipeline.settings import Settings
from pipeline.store import Store
from stages import ingest, people2d, people3d

NOBODY = "nobody in view"
"""Why a clip is rejected in which people were looked for."""


def ingest_clip(
    store: Store, settings: Settings, clip: str, path: Path, row: dict, root: Path
) -> tuple[ClipRecord, list[tuple[str, str]]]:
    """Read one clip and what its sidecar says of it; also what of that could not be used (a clip's or a file's name),
    and why."""
    if not path.exists():
        raise InputError(path, "is not there any more", "leave the footage alone while it is read")
    config = settings.ingest
    sha256 = clip_digest(path, root)
    if sha256 in json.loads(store.read_text(FORGOTTEN) or "[]"):
        raise Rejected("was forgotten", f"remove the file; or, to read it again, its digest from {FORGOTTEN}")
    sidecar = find_sidecar(path, root)
    complaints = [(str(sidecar.relative_to(root)), one) for one in file_complaints(sidecar)] if sidecar else []
    entries = clip_entries(sidecar, path) if sidecar else None
    lens_file = camera_file(path, root)
    inputs = {"video": sha256, "clip": clip, "row": row, "sidecar": digest(entries) if entries else None}
    if entries and (sizes := named_sizes(entries)):
        _, image = next(iter(FrameReader(path, config.fps)), (0.0, None))
        height, width = (0, 0) if image is None else image.shape[:2]
        if sizes != [(width, height)]:  # what was made at the clip's own size is known by its entries alone
            inputs["annotated_at"] = sizes
    if has_lens(lens_file):
        inputs["camera_file"] = file_digest(lens_file)
    if reading := how_read(path, config.fps):
        inputs["reading"] = reading

    def compute():
        listing = Listing(clip, path.relative_to(root), row)
        value = ingest.run(config, listing, FrameReader(path, config.fps), sha256)
        found = value.footage
        lens = read_lens(lens_file, found.width_px, found.height_px, found.coded_px)
        footage = replace(found, lens=lens)
        annotations, skipped = None, []
        if sidecar and entries:
            annotations, skipped = read_annotations(sidecar, entries, footage)
        figures = {
            "frames": len(footage.timestamps_s),
            "key_frames": len(value.key_frames),
            "set_aside": skipped,
            "notes": list(value.notes),
        }
        return {
            "footage": footage,
            "key_frames": value.key_frames,
            "background": value.background,
            "annotations": annotations,
        }, figures

    value, artefact, new = cached(store, "ingest", ingest.VERSION, config, inputs, compute)
    times = value["footage"].timestamps_s
    figures = artefact.meta["figures"]
    seconds, notes = float(times[-1] - times[0]), tuple(figures.get("notes", ()))
    record = ClipRecord(ingest=artefact.key, seconds=seconds, notes=notes or None, recomputed=new)
    return record, complaints + [(clip, reason) for reason in figures["set_aside"]]


def _people2d_inputs(settings: Settings, record: ClipRecord) -> dict[str, Any]:
    return {"ingest": record.ingest, "models": people2d.weight_digests(settings.people2d)}


def people2d_key(store: Store, settings: Settings, record: ClipRecord) -> str:
    """Return the key that the people of a clip are found by."""
    return store.key("people2d", people2d.VERSION, settings.people2d, _people2d_inputs(settings, record))


def find_people(store: Store, settings: Settings, root: Path, record: ClipRecord) -> tuple[ClipRecord, dict, list[str]]:
    """Find boxes, keypoints and tracks of one clip; also what they say of the keypoints' order, and what was passed
    over."""
    config = settings.people2d
    clip = load_value(store, "ingest", record.ingest)

    def compute():
        footage = clip["footage"]
        path = root / footage.path
        sidecar = find_sidecar(path, root)
        words = f"has a sidecar without keypoints ({why_nothing(sidecar, path)})" if sidecar else ""
        people, figures = people2d.run(config, footage, frames(root, footage), clip["annotations"], words)
        if not people:
            raise Rejected(NOBODY, "no person was found long enough to follow")
        return people, figures

    inputs = _people2d_inputs(settings, record)
    value, artefact, new = cached(store, "people2d", people2d.VERSION, config, inputs, compute)
    figures = artefact.meta["figures"]
    record = replace(
        record,
        people2d=artefact.key,
        people=len(value),
        backend=figures["backend"],
        people2d_s=artefact.meta["seconds"],
        recomputed=record.recomputed or new,
    )
    passed_over = []
    if further_s := figures.get("unfollowed_s"):
        passed_over.append(
            f"people were seen {len(further_s)} time(s) beyond the {config.max_people} who were followed, first at "
            f"{further_s[0]:.1f} s; raise people2d.max_people"
        )
    return record, figures["keypoint_order"], passed_over


def nobody_in_view(store: Store, settings: Settings, record: ClipRecord) -> bool:
    """Whether people were looked for in the whole clip, and nobody was found."""
    found = store.find("people2d", people2d_key(store, settings, record))
    return found is not None and found.meta.get("rejected", [None])[0] == NOBODY


@dataclass(frozen=True)
class ToLift:
    """A clip whose people are to be lifted, and what that depends on."""

    clip: Any
    inputs: dict[str, Any]


def _to_lift(store: Store, settings: Settings, footage: Path, record: ClipRecord, room: RoomRecord) -> ToLift:
    assert record.people2d is not None
    config = settings.people3d
    clip = load_value(store, "ingest", record.ingest)
    people = load_value(store, "people2d", record.people2d)
    built = load_value(store, "room", room.room)
    inputs = {
        "people2d": record.people2d,
        "camera": digest({"K": built.camera.intrinsics.tolist(), "T": built.camera.T_world_camera.tolist()}),
        "body": body_model(settings.run.body).digest,
        "duplicates": settings.people2d.pose_nms.key_values(),
        "models": people3d.weight_digests(config),
        # A depth that does not agree with the floor says nothing of how high a bed is, nor where the room ends.
        "surroundings": room.room if built.occlusion else None,
    }
    supports, depth = (built.supports, built.depth) if built.occlusion else ((), None)

    def images(wanted: Any) -> Any:
        return frames_in_order(footage, clip["footage"], wanted.tolist())

    times = clip["footage"].timestamps_s
    return ToLift(people3d.Clip(people, times, built.camera, images, supports, depth), inputs)


def fit_people(
    store: Store, settings: Settings, footage: Path, clips: list[tuple[str, ClipRecord, RoomRecord]]
) -> list[Outcome]:
    """Lift everybody in some named clips to SMPL motion in their rooms' worlds: each clip's record, with the motion.

    Clips that are not done yet are optimised together; what became of each is an outcome of its own.
    """
    config, body = settings.people3d, body_model(settings.run.body)
    ready = [attempt(_to_lift, name, (store, settings, footage, *parts)) for name, *parts in clips]
    asked = {one.item: one.value for one in ready if not one.reason}
    records = {name: record for name, record, _ in clips}
    keys = {name: store.key("people3d", people3d.VERSION, config, one.inputs) for name, one in asked.items()}
    undone = [name for name, key in keys.items() if store.find("people3d", key) is None]
    started = time.perf_counter()
    found = people3d.run(config, [asked[name].clip for name in undone], body) if undone else []
    lifted = dict(zip(undone, found, strict=True))
    share_s = (time.perf_counter() - started) / max(len(undone), 1)

    def keep(name: str) -> ClipRecord:
        record, clip = records[name], asked[name].clip

        def compute():
            tracks, figures = lifted[name]
            projected = [clip.camera.project(track_keypoints(body, track)) for track in tracks]
            nms = settings.people2d.pose_nms
            tracks, figures["strayed"] = drop_strayed_frames(tracks, clip.people, projected, nms)
            actions = np.full((len(tracks), len(clip.timestamps_s)), -1)
            if not tracks:
                gone = figures["dropped"] + [
                    one | {"reason": "strayed"} for one in figures["strayed"] if one["dropped"]
                ]
                raise Rejected(
                    "nobody could be lifted to 3D", "; ".join(f"{one['person']}: {one['reason']}" for one in gone)
                )
            return types.Motion(clip.timestamps_s, tuple(tracks), actions, "people3d"), figures

        value, artefact, new = cached(
            store, "people3d", people3d.VERSION, config, asked[name].inputs, compute, spent_s=share_s
        )
        return replace(
            record,
            people3d=artefact.key,
            people=len(value.people),
            figures=artefact.meta["figures"],
            people3d_s=artefact.meta["seconds"],
            recomputed=record.recomputed or new,
        )

    return [one if one.reason else attempt(keep, one.item, (one.item,)) for one in ready]
