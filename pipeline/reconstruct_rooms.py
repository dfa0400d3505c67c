"""The steps of reconstruct that work on cameras: plate, calibration, depth, floor and room from all clips of one; and,
once people are lifted, the floor that they were on."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from models import types
from models.body.tracks import track_joints
from models.depth import checkpoint_digests
from models.errors import Rejected
from models.files import file_digest
from models.footage.coco_sidecar import merged_surfaces
from models.footage.person_masks import feet_px, sample_key_frames
from models.geometry.camera_file import moved_from, read_camera
from models.room.known_floor import seen_joints
from models.seeds import generator
from pipeline.loaders import body_model, depth_models
from pipeline.reconstruct_plates import CameraClips, load_clips, make_plate
from pipeline.records import ClipRecord, RoomRecord
from pipeline.runner import cached, load_value
from pipeline.settings import Settings
from pipeline.store import Artefact, Store
from stages import calibrate, dataset_report, depth, floor, floor_mask, room


def build_room(
    store: Store,
    settings: Settings,
    root: Path,
    camera: str,
    records: list[ClipRecord],
    camera_file: Path | None,
    other_views: dict[str, list[ClipRecord]],
) -> RoomRecord:
    """Make plate, calibration, depth, floor and room of one fixed camera from all its clips; where these never show
    it, as the clips of other cameras of the room do."""
    watched = load_clips(store, settings, root, camera, records)
    plate, plated, new_plate = make_plate(store, settings, watched, other_views)
    calibration, calibrated, new_calibration = _calibrate(store, settings, watched, camera_file, plate, plated.key)
    keys = {"plate": plated.key, "calibrate": calibrated.key}
    scan, scanned, new_depth = _scan_depth(store, settings, watched, plate["image"], calibration, keys)
    keys = {"depth": scanned.key, "calibrate": calibrated.key, **watched.seen}
    value, artefact, new_room = _make_room(store, settings, watched, plated, plate["image"], calibration, scan, keys)
    by_clip = calibrated.meta["figures"]["height_by_clip_m"]
    row = dataset_report.room_row(camera, value, calibration, by_clip, plated.meta["figures"])
    if camera_file and (note := moved_from(camera_file)):
        row["camera_file"] = note
    recomputed = new_plate or new_calibration or new_depth or new_room
    return RoomRecord(artefact.key, plated.key, calibrated.key, scanned.key, row, recomputed)


def find_floor(
    store: Store, settings: Settings, camera: str, record: RoomRecord, clips: list[ClipRecord]
) -> RoomRecord:
    """Give a room whose depth is not believed, and of which no sidecar speaks, the floor that people were on; the row
    says of what it was grown, or why there is none."""
    built: types.Room = load_value(store, "room", record.room)
    if built.occlusion or (built.surfaces >= 0).any():
        return record
    keys: dict[str, Any] = {
        "room": record.room,
        "depth": record.depth,
        "people2d": [clip.people2d for clip in clips],
        "people3d": [clip.people3d for clip in clips],
        "seed": settings.seed,
    }

    def find() -> tuple[dict[str, np.ndarray], dict[str, float]]:
        scan: types.DepthScan = load_value(store, "depth", record.depth)
        people = [one for key in keys["people2d"] if key for one in load_value(store, "people2d", key)]
        body = body_model(settings.run.body)
        lifted = []
        for seen, key in zip(keys["people2d"], keys["people3d"], strict=True):
            if key is not None:
                by_name = {one.person: seen_joints(one) for one in load_value(store, "people2d", seen)}
                tracks = load_value(store, "people3d", key).people
                lifted += [(track_joints(body, one), by_name[one.person]) for one in tracks if one.person in by_name]
        rng = generator(settings.seed, "floor_mask", camera)
        value = floor_mask.run(settings.floor_mask, built.plate, scan.depth, built.camera, people, lifted, rng)
        return {"floor": value.floor}, {"known_share": value.known_share, "area_m2": value.area_m2}

    clips_read = [clip.ingest for clip in clips]
    try:
        found, mask, new_mask = cached(store, "floor_mask", floor_mask.VERSION, settings.floor_mask, keys, find)
        inputs = {"room": record.room, "floor_mask": mask.key, "ingest": clips_read, "camera": camera}
        version = room.VERSION * 100 + floor.VERSION
        value, artefact, new_room = cached(
            store,
            "room",
            version,
            settings.room,
            inputs,
            lambda: (room.with_floor(settings.room, built, found["floor"]), {}),
        )
    except Rejected as rejected:
        return replace(record, row=record.row | {"floor_mask": {"of": None, "why": rejected.detail}})
    row = record.row | dataset_report.floor_row(value, mask.meta["figures"])
    return replace(record, room=artefact.key, row=row, recomputed=record.recomputed or new_mask or new_room)


def _calibrate(
    store: Store, settings: Settings, watched: CameraClips, camera_file: Path | None, plate: dict, plate_key: str
) -> tuple[types.Calibration, Artefact, bool]:
    """Intrinsics and pose from the camera's file where it says both, else from the people seen and the room's lines."""
    config = settings.calibrate
    footages = [clip["footage"] for clip in watched.clips]
    width, height = footages[0].width_px, footages[0].height_px

    # Here and not below: a file that was taken before its values were checked is refused, too.
    known = read_camera(camera_file, width, height, footages[0].coded_px) if camera_file else None

    def compute():
        by_clip: dict[str, float | None] = {}
        if known is not None and not np.array_equal(known.T_world_camera, np.eye(4)):
            value = types.Calibration(known, "file", (known.height_m, known.height_m), 0.0, 0, 1.0)
        else:
            times, intrinsics = [one.timestamps_s for one in footages], None if known is None else known.intrinsics
            seen = (config, watched.tracks, times, width, height, intrinsics, plate["image"], plate["valid"])
            value = calibrate.run(*seen)
            value = replace(value, camera=replace(value.camera, lens=footages[0].lens))
            by_clip = dict(zip([one.clip for one in footages], calibrate.heights_by_clip(*seen), strict=True))
        return value, {
            "residual_px": value.residual_px,
            "frames_used": value.frames_used,
            "condition": value.condition,
            "lines_followed": value.lines_followed,
            "height_by_clip_m": by_clip,
        }

    inputs = {**watched.seen, "plate": plate_key, "camera_file": file_digest(camera_file) if camera_file else None}
    if camera_file and moved_from(camera_file):
        inputs["world"] = "the room's own"
    return cached(store, "calibrate", calibrate.VERSION, config, inputs, compute)


def _scan_depth(
    store: Store,
    settings: Settings,
    watched: CameraClips,
    plate: np.ndarray,
    calibration: types.Calibration,
    keys: dict,
) -> tuple[types.DepthScan, Artefact, bool]:
    """Depth of the plate, and of key frames with their people masked."""
    config, models_config = settings.depth, settings.depth_models
    wanted = settings.run.depth_frames

    def compute():
        pairs = zip(watched.clips, watched.tracks, strict=True)
        views = [(clip["footage"], clip["key_frames"], people) for clip, people in pairs]
        images, masks = sample_key_frames(watched.root, views, plate, wanted)
        networks = depth_models(models_config.model_dump_json())
        value = depth.run(config, images, masks, networks, calibration.camera.focal_px)
        return value, {"residual": value.residual}

    # Of the whole section what is not as it always was: no value can be forgotten, and what stands is found.
    changed = models_config.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    models = {**changed, **checkpoint_digests(models_config)}
    inputs = {**keys, "frames": wanted, "models": models}
    return cached(store, "depth", depth.VERSION, config, inputs, compute)


def _make_room(
    store: Store,
    settings: Settings,
    watched: CameraClips,
    plated: Artefact,
    plate: np.ndarray,
    calibration: types.Calibration,
    scan: types.DepthScan,
    keys: dict,
) -> tuple[types.Room, Artefact, bool]:
    """The room over its floor, from depth, the surfaces that sidecars name, and where people stood."""
    floor_config, room_config, camera = settings.floor, settings.room, watched.camera
    left = plated.meta["figures"]["people_left_in_plate"]

    def compute():
        labels = merged_surfaces((clip["annotations"] for clip in watched.clips), *scan.depth.shape)
        feet = feet_px(person for people in watched.tracks for person in people)
        rng = generator(settings.seed, "floor", camera)
        mask = None if labels is None else np.isin(labels, [types.SURFACE_LABELS.index(n) for n in ("floor", "rug")])
        fit = floor.run(floor_config, scan.depth, calibration.camera.intrinsics, mask, calibration, rng, feet)
        placed = replace(calibration.camera, T_world_camera=fit.T_world_camera)
        feet_world = placed.floor_points(feet)
        feet_world = feet_world[np.isfinite(feet_world).all(axis=1)]
        depth = floor.corrected(scan.depth, fit.scale, fit.offset)
        value = room.run(room_config, camera, plate, depth, placed, labels, fit, feet_world)
        if left:
            seen = f"{left} person(s) are still seen in its plate"
            value = replace(value, verdict=seen if value.verdict == "ok" else f"{value.verdict}; {seen}")
        return value, {
            "floor_depth_height_m": fit.height_m,
            "scale": fit.scale,
            "offset": fit.offset,
            "shape": fit.shape_disagreement,
        }

    inputs = {**keys, "seed": settings.seed, "camera": camera, "floor": floor_config.key_values()}
    return cached(store, "room", room.VERSION * 100 + floor.VERSION, room_config, inputs, compute)
