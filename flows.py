"""Prefect tasks and flows, and the command line: loads what a stage needs, runs it, stores what it gave.

`careclips VERB` runs plainly; with `--prefect` (or as the deployment that `careclips serve` makes) the same steps run as
tasks of a Prefect flow. A step gets paths and keys, never arrays, finds its finished artefact by content key or makes it,
and gives back a small record. What is set aside comes back as a reason, never as silence.
"""

import errno
import functools
import importlib.util
import json
import logging
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread a process: sums in one order give the same bytes
os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")  # its heartbeat races the first migration
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")  # 20 s are too few beside other work

import numpy as np
import typer
from typer.core import TyperGroup

from models import codec, types
from models.errors import InputError, Rejected
from models.seeds import generator
from pipeline.runner import Outcome, PeakMemory, Runner, Work, attempt, cached, find_made, load_value, plain_runner
from pipeline.settings import RunConfig, ServeConfig, Settings, read_settings
from pipeline.store import (
    Artefact,
    Store,
    artefact_folder,
    check_replaceable,
    digest,
    file_digest,
    replaced,
    write_text,
)

log = logging.getLogger("careclips")

SECTIONS = {
    "run": "pipeline.settings:RunConfig",
    "serve": "pipeline.settings:ServeConfig",
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
    "smooth": "stages.smooth:SmoothConfig",
    "physics": "models.falls.simulation:PhysicsConfig",
    "corpus": "stages.corpus:CorpusConfig",
    "falls": "models.falls.sampling:FallsConfig",
    "compare_falls": "stages.compare_falls:CompareFallsConfig",
    "generate": "stages.place_motion:GenerateConfig",
    "label": "stages.label:LabelConfig",
    "render": "stages.render:RenderConfig",
    "evaluate": "stages.evaluate_gain:EvaluateConfig",
    "train_motion": "models.training.motion.train:MotionTrainConfig",
    "own_motion": "stages.finetuning_corpus:OwnMotionConfig",
    "sample_motion": "stages.sample_motion:SampleMotionConfig",
    "evaluate_people": "stages.evaluate_people:EvaluatePeopleConfig",
    "evaluate_motion": "stages.evaluate_motion:EvaluateMotionConfig",
}
"""Sections of a config file and the class that checks each; classes load when a verb needs them."""


def prefect_runner(shard: int = 16) -> Runner:
    """Run steps as Prefect tasks, a shard of items each: thousands of mapped tasks would stall."""
    from prefect import task
    from prefect.cache_policies import NO_CACHE

    def run(title: str, function: Callable[..., Any], work: Work) -> list[Outcome]:
        def run_shard(part: Work) -> list[Outcome]:
            return [attempt(function, item, arguments) for item, arguments in part]

        # Our own content keys decide what is done already; Prefect's cache would not see a changed file.
        step = task(name=title, cache_policy=NO_CACHE, persist_result=False)(run_shard)
        futures = [step.submit(list(work[start : start + shard])) for start in range(0, len(work), shard)]
        return [outcome for future in futures for outcome in future.result()]

    return run


@functools.cache
def body_model(path: Path | None):
    """The body model, loaded once a process."""
    from models.body.model import load_body

    return load_body(path)


@functools.cache
def sampled_motion(body: Path | None, values: str):
    """The motion model of a config (as JSON) as a source of ordered motion, loaded once a process."""
    from models.motion_sources.sampled import SampledMotion
    from stages.sample_motion import SampleMotionConfig

    config = SampleMotionConfig.model_validate_json(values)
    return SampledMotion(body_model(body), config.model, config.text, config.sampling, config.cleanup, config.device)


@functools.cache
def depth_models(values: str):
    """The depth networks of a config (as JSON), loaded once a process."""
    from models.depth import DepthModels, DepthModelsConfig

    return DepthModels(DepthModelsConfig.model_validate_json(values))


# ------------------------------------------------------------------------------------------------ reconstruct: steps


def ingest_clip(store: Store, settings: Settings, clip: str, path: Path, row: dict, root: Path) -> dict:
    """Read one clip and what its sidecar says of it."""
    from models.footage.coco_sidecar import clip_entries, find_sidecar, read_annotations
    from models.footage.video import read_frames
    from models.geometry.lens import read_lens
    from stages import ingest

    if not path.exists():
        raise InputError(path, "is not there", "correct the path in footage.csv or remove the line")
    config = settings.section("ingest")
    sha256 = file_digest(path)
    sidecar = find_sidecar(path, root)
    entries = clip_entries(sidecar, path) if sidecar else None
    camera_file = path.parent / "camera.json"
    inputs = {"video": sha256, "clip": clip, "row": row, "sidecar": digest(entries) if entries else None}
    if read_lens(camera_file, 640, 480) is not None:  # at any size: whether there is one
        inputs["camera_file"] = file_digest(camera_file)

    def compute():
        listing = ingest.Listing(clip, path.relative_to(root), row)
        value = ingest.run(config, listing, read_frames(path), sha256)
        lens = read_lens(camera_file, value.footage.width_px, value.footage.height_px)
        footage = replace(value.footage, lens=lens)
        annotations, set_aside = None, []
        if sidecar and entries:
            annotations, set_aside = read_annotations(sidecar, entries, footage)
        figures = {
            "frames": len(footage.timestamps_s),
            "key_frames": len(value.key_frames),
            "set_aside": set_aside,
        }
        return {
            "footage": footage,
            "key_frames": value.key_frames,
            "background": value.background,
            "annotations": annotations,
        }, figures

    value, artefact, new = cached(store, "ingest", ingest.VERSION, config, inputs, compute)
    times = value["footage"].timestamps_s
    set_aside = artefact.meta["figures"]["set_aside"]
    return {"ingest": artefact.key, "seconds": float(times[-1] - times[0]), "recomputed": new, "set_aside": set_aside}


def find_people(store: Store, settings: Settings, root: Path, ingest_key: str) -> dict:
    """Boxes, keypoints and tracks of one clip."""
    from models.footage.undistorted import frames
    from stages import people2d

    config = settings.section("people2d")
    clip = load_value(store, "ingest", ingest_key)
    inputs = {"ingest": ingest_key, "models": people2d.weight_digests(config)}

    def compute():
        footage = clip["footage"]
        people, figures = people2d.run(config, footage, frames(root, footage), clip["annotations"])
        if not people:
            raise Rejected("nobody in view", "no person was found long enough to follow")
        return people, figures

    value, artefact, new = cached(store, "people2d", people2d.VERSION, config, inputs, compute)
    return {
        "people2d": artefact.key, "people": len(value), "recomputed": new, "backend": artefact.meta["figures"]["backend"],
        "people2d_s": artefact.meta["seconds"], "keypoint_order": artefact.meta["figures"]["keypoint_order"],
    }  # fmt: skip


@dataclass(frozen=True)
class Watched:
    """All clips of one fixed camera, as ingest and people2d left them."""

    root: Path
    clips: list[dict]
    tracks: list[list[types.Person2D]]
    seen: dict[str, list]
    """Keys of what they were loaded from."""


def build_room(
    store: Store, settings: Settings, root: Path, camera: str, ingest_keys: list[str], people_keys: list[str | None],
    camera_file: Path | None,
) -> dict:  # fmt: skip
    """Plate, calibration, depth, floor and room of one fixed camera from all its clips."""
    from stages import dataset_report as report

    clips = [load_value(store, "ingest", key) for key in ingest_keys]
    tracks = [load_value(store, "people2d", key) if key else [] for key in people_keys]
    watched = Watched(root, clips, tracks, {"ingest": ingest_keys, "people2d": people_keys})
    plate, plated, new_plate = _make_plate(store, settings, watched)
    calibration, calibrated, new_calibration = _calibrate(store, settings, watched, camera_file, plate, plated.key)
    keys = {"plate": plated.key, "calibrate": calibrated.key}
    scan, scanned, new_depth = _scan_depth(store, settings, watched, plate["image"], calibration, keys)
    keys = {"depth": scanned.key, "calibrate": calibrated.key, **watched.seen}
    value, artefact, new_room = _make_room(store, settings, watched, camera, plate["image"], calibration, scan, keys)
    by_clip, sitters = calibrated.meta["figures"]["height_by_clip_m"], plated.meta["figures"]["sitters_removed"]
    row = report.room_row(camera, value, calibration, by_clip, sitters)
    keys = {"key": artefact.key, "calibrate": calibrated.key, "depth": scanned.key, "plate": plated.key}
    return {"row": row, **keys, "recomputed": new_plate or new_calibration or new_depth or new_room}


def _make_plate(store: Store, settings: Settings, watched: Watched) -> tuple[dict, Artefact, bool]:
    """The picture of the empty room, and which of its pixels were ever seen."""
    from models.footage.person_masks import sample_frames
    from stages import people2d, plate

    config, poses = settings.section("plate"), settings.section("people2d")
    wanted = settings.section("run").plate_samples
    footages = [clip["footage"] for clip in watched.clips]

    def compute():
        frames, masks = sample_frames(watched.root, list(zip(footages, watched.tracks, strict=True)), wanted)
        image, valid = plate.run(config, frames, masks)
        sitters = 0
        if poses.backend.kind != "sidecar":  # a sidecar says nothing of a picture that nobody annotated
            image, valid, sitters = plate.without_sitters(
                image, valid, footages[0], lambda still, pictures: people2d.run(poses, still, pictures)[0]
            )
        lens = footages[0].lens
        valid = valid if lens is None else valid & lens.covered
        return {"image": image, "valid": valid}, {"valid_share": float(valid.mean()), "sitters_removed": sitters}

    inputs = {**watched.seen, "samples": wanted, "models": people2d.weight_digests(poses)}
    return cached(store, "plate", plate.VERSION, config, inputs, compute)


def _calibrate(
    store: Store, settings: Settings, watched: Watched, camera_file: Path | None, plate: dict, plate_key: str
) -> tuple[types.Calibration, Artefact, bool]:
    """Intrinsics and pose from the camera's file where it says both, else from the people seen and the room's lines."""
    from models.geometry.camera import read_camera
    from stages import calibrate

    config = settings.section("calibrate")
    footages = [clip["footage"] for clip in watched.clips]
    width, height = footages[0].width_px, footages[0].height_px

    def compute():
        by_clip: dict[str, float | None] = {}
        known = read_camera(camera_file, width, height) if camera_file else None
        if known is not None and not np.array_equal(known.T_world_camera, np.eye(4)):
            value = types.Calibration(known, "file", (known.height_m, known.height_m), 0.0, 0, 1.0)
        else:
            times, intrinsics = [one.timestamps_s for one in footages], None if known is None else known.intrinsics
            seen = (config, watched.tracks, times, width, height, intrinsics, plate["image"], plate["valid"])
            value = calibrate.run(*seen)
            value = replace(value, camera=replace(value.camera, lens=footages[0].lens))
            by_clip = dict(zip([one.clip for one in footages], calibrate.heights_by_clip(*seen), strict=True))
        return value, {
            "residual_px": value.residual_px, "frames_used": value.frames_used, "condition": value.condition,
            "lines_followed": value.lines_followed, "height_by_clip_m": by_clip,
        }  # fmt: skip

    inputs = {**watched.seen, "plate": plate_key, "camera_file": file_digest(camera_file) if camera_file else None}
    return cached(store, "calibrate", calibrate.VERSION, config, inputs, compute)


def _scan_depth(
    store: Store, settings: Settings, watched: Watched, plate: np.ndarray, calibration: types.Calibration, keys: dict
) -> tuple[types.DepthScan, Artefact, bool]:
    """Depth of the plate, and of key frames with their people masked."""
    from models.depth import checkpoint_digests
    from models.footage.person_masks import sample_key_frames
    from stages import depth

    config, models_config = settings.section("depth"), settings.section("depth_models")
    wanted = settings.section("run").depth_frames

    def compute():
        pairs = zip(watched.clips, watched.tracks, strict=True)
        views = [(clip["footage"], clip["key_frames"], people) for clip, people in pairs]
        images, masks = sample_key_frames(watched.root, views, plate, wanted)
        networks = depth_models(models_config.model_dump_json())
        value = depth.run(config, images, masks, networks, calibration.camera.focal_px)
        return value, {"residual": value.residual}

    inputs = {**keys, "frames": wanted, "models": checkpoint_digests(models_config)}
    return cached(store, "depth", depth.VERSION, config, inputs, compute)


def _make_room(
    store: Store, settings: Settings, watched: Watched, camera: str, plate: np.ndarray, calibration: types.Calibration,
    scan: types.DepthScan, keys: dict,
) -> tuple[types.Room, Artefact, bool]:  # fmt: skip
    """The room over its floor, from depth, the surfaces that sidecars name, and where people stood."""
    from models.footage.coco_sidecar import merged_surfaces
    from models.footage.person_masks import feet_px
    from stages import floor, room

    floor_config, room_config = settings.section("floor"), settings.section("room")

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
        return value, {
            "floor_depth_height_m": fit.height_m, "scale": fit.scale, "offset": fit.offset, "shape": fit.shape_disagreement,
        }  # fmt: skip

    inputs = {**keys, "seed": settings.seed, "camera": camera, "floor": floor_config.model_dump(mode="json")}
    return cached(store, "room", room.VERSION * 100 + floor.VERSION, room_config, inputs, compute)


@dataclass(frozen=True)
class ToLift:
    """A clip whose people are to be lifted, and what that depends on."""

    clip: Any
    inputs: dict[str, Any]


def _to_lift(
    store: Store, settings: Settings, footage: Path, ingest_key: str, people_key: str, room: dict
) -> ToLift:  # fmt: skip
    from models.footage.undistorted import frames_at
    from stages import people3d

    config = settings.section("people3d")
    clip = load_value(store, "ingest", ingest_key)
    people = load_value(store, "people2d", people_key)
    built = load_value(store, "room", room["key"])
    inputs = {
        "people2d": people_key,
        "camera": digest({"K": built.camera.intrinsics.tolist(), "T": built.camera.T_world_camera.tolist()}),
        "body": body_model(settings.section("run").body).digest,
        "duplicates": settings.section("people2d").duplicates.model_dump(mode="json"),
        "models": people3d.weight_digests(config),
        # A depth that does not agree with the floor says nothing of how high a bed is, nor where the room ends.
        "surroundings": room["key"] if built.occlusion else None,
    }
    supports, depth = (built.supports, built.depth) if built.occlusion else ((), None)

    def pictures(wanted: Any) -> Any:
        # A few dozen at a time: a long clip's frames do not fit into memory.
        for part in np.array_split(wanted, -(-len(wanted) // 64)):
            found = frames_at(footage, clip["footage"], part.tolist())
            yield from (found[int(index)] for index in part)

    times = clip["footage"].timestamps_s
    return ToLift(people3d.Clip(people, times, built.camera, pictures, supports, depth), inputs)


def fit_people(
    store: Store, settings: Settings, footage: Path, clips: list[tuple[str, str, str, dict]]
) -> list[Outcome]:
    """SMPL motion of everybody in some clips, in their rooms' worlds; a clip is its name, its ingest and people2d, its room.

    Clips that are not done yet are optimised together; what became of each is an outcome of its own.
    """
    from models.body.model import track_keypoints
    from models.people2d.pose_nms import without_strayed
    from stages import people3d

    config, body = settings.section("people3d"), body_model(settings.section("run").body)
    ready = [attempt(_to_lift, name, (store, settings, footage, *parts)) for name, *parts in clips]
    asked = {one.item: one.value for one in ready if not one.reason}
    keys = {name: store.key("people3d", people3d.VERSION, config, one.inputs) for name, one in asked.items()}
    undone = [name for name, key in keys.items() if store.find("people3d", key) is None]
    started = time.perf_counter()
    found = people3d.run(config, [asked[name].clip for name in undone], body) if undone else []
    lifted = dict(zip(undone, found, strict=True))
    share_s = (time.perf_counter() - started) / max(len(undone), 1)

    def keep(name: str) -> dict:
        clip = asked[name].clip

        def compute():
            tracks, figures = lifted[name]
            projected = [clip.camera.project(track_keypoints(body, track)) for track in tracks]
            once = settings.section("people2d").duplicates
            tracks, figures["strayed"] = without_strayed(tracks, clip.people, projected, once)
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
        return {
            "people3d": artefact.key, "people": len(value.people), "figures": artefact.meta["figures"],
            "recomputed": new, "people3d_s": artefact.meta["seconds"],
        }  # fmt: skip

    return [one if one.reason else attempt(keep, one.item, (one.item,)) for one in ready]


def reconstruct(footage: Path, out: str | Path, settings: Settings, runner: Runner) -> dict:
    """Rooms and people of a folder of footage into a store (folder or URL); returns what `summary.json` holds."""
    from stages import ingest, people2d

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
        named, notes = ingest.assign_cameras(settings.section("ingest"), parts)
        return {name: one.camera for name, one in zip(clips, named, strict=True)}, {"notes": notes}

    inputs = {name: clip["ingest"] for name, clip in clips.items()}
    cameras, artefact, _ = cached(store, "cameras", ingest.VERSION, settings.section("ingest"), inputs, compute_cameras)

    work = [(name, (store, settings, footage, clips[name]["ingest"])) for name in clips]
    _gather(runner("finding people", find_people, work), clips, rejected)
    orders = [clip.pop("keypoint_order") for clip in clips.values() if "keypoint_order" in clip]
    people2d.check_order(settings.section("people2d"), orders, footage)

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
    size = settings.section("people3d").clips_at_once
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
    from stages import dataset_report as report

    return {
        "rooms": [{**room["row"], "recomputed": room["recomputed"]} for room in rooms.values()],
        "clips": [report.clip_row(name, clip) for name, clip in clips.items()],
        "rejected": rejected,
        "notes": notes,
        "seed": settings.seed,
        "total_seconds": time.perf_counter() - started,
    }


def score_against_truth(footage: Path, store: Store, summary: dict, clips: dict, rooms: dict) -> None:
    """Add `truth` to the summary of each clip whose exact truth lies in `<footage>/truth/<clip>/` (sample footage)."""
    from models.body.model import track_joints
    from stages import evaluate_reconstruction as score

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
        row["truth"] = score.run(truth, room, joints, visible)


# --------------------------------------------------------------------------------------------------------- generate


def make_clip(store: Store, settings: Settings, form_json: str, rooms: dict[str, str], index: int) -> dict:
    """One accepted, rendered and labelled clip as an artefact; tries that were rejected are counted in its figures."""
    from models.footage.video import write_masks, write_video
    from models.motion.model import motion_model_digest
    from models.order import OrderForm
    from stages import label, render, sample_motion
    from stages import place_motion as generate

    form = OrderForm.model_validate_json(form_json)
    run = settings.section("run")
    sections = ("physics", "generate", "label", "render", *(["sample_motion"] if run.motion == "model" else []))
    configs = {name: settings.section(name) for name in sections}
    clip = f"clip_{index:05d}"
    inputs = {
        "order": digest(form_json), "rooms": rooms, "index": index, "seed": settings.seed,
        "body": body_model(run.body).digest, "mocap": file_digest(run.mocap) if run.mocap else None,
        "model": motion_model_digest(configs["sample_motion"].model) if run.motion == "model" else None,
        "minimum_visibility": run.minimum_visibility,
        "configs": {name: config.model_dump(mode="json") for name, config in configs.items()},
        "versions": [generate.VERSION, label.VERSION, render.VERSION, *([sample_motion.VERSION] if run.motion == "model" else [])],
    }  # fmt: skip
    key = store.key("clip", 1, None, inputs)
    found = store.find("clip", key)
    if found is not None:
        return {"key": key, "recomputed": False, **found.meta["figures"]}
    started = time.perf_counter()
    rejected: Counter[str] = Counter()
    source = labelled = rendered = None
    for attempt_index in range(form.attempts_per_clip):
        rng = generator(settings.seed, "generate", f"{clip}/{attempt_index}")
        try:
            labelled, rendered, source = _try_clip(store, configs, form, rooms, clip, run, rng)
            break
        except Rejected as error:
            rejected[error.reason] += 1
    figures = {"source": source, "rejected": rejected, "seconds": time.perf_counter() - started}
    with store.write("clip", key, {"inputs": inputs, "figures": figures}) as folder:
        if labelled is not None and rendered is not None:
            write_video(folder / "clip.mp4", rendered.frames, form.fps)
            write_masks(folder / "masks.mkv", rendered.masks, form.fps)
            codec.save(labelled, folder, "value")
    return {"key": key, "recomputed": True, **figures}


def _try_clip(
    store: Store, configs: dict, form: Any, rooms: dict[str, str], clip: str, run: RunConfig, rng: np.random.Generator
) -> tuple[types.LabelledClip, Any, str]:
    """Draw, place, audit and render one clip: with its pictures and the motion's source; Rejected with the reason."""
    from models.body.model import rest_root, standing_pelvis_height, track_joints
    from models.body.placement import place
    from models.motion_sources.source import draw_motion
    from models.order import draw_clip_order
    from stages import label, render
    from stages import place_motion as generate

    body = body_model(run.body)
    order = draw_clip_order(form, rng)
    name = str(rng.choice(sorted(rooms)))
    room = load_value(store, "room", rooms[name])
    model = None
    if run.motion == "model":
        model = sampled_motion(run.body, configs["sample_motion"].model_dump_json())
    motion, source = draw_motion(body, configs["physics"], run.mocap, order, room, rng, model)
    joints = np.stack([track_joints(body, person) for person in motion.people])
    T_world_motion = generate.run(configs["generate"], room, joints, rng)
    roots = np.stack([rest_root(body, person.betas) for person in motion.people])
    motion = place(motion, roots, T_world_motion)
    joints = np.stack([track_joints(body, person) for person in motion.people])
    standing_m = [standing_pelvis_height(body, person.betas) for person in motion.people]
    actions, falls = label.run_audited(configs["label"], order, joints, motion.timestamps_s, standing_m)
    motion = replace(motion, actions=actions)
    looks = tuple(types.BodyLook(int(rng.integers(2**31)), order.age_years) for _ in motion.people)
    rendered = render.run(configs["render"], types.Scene(room, motion, looks, render.light_direction(room)), body, rng)
    if float(rendered.visibility.mean()) < run.minimum_visibility:
        raise Rejected("hidden by the room or out of the picture", f"{float(rendered.visibility.mean()):.2f} visible")
    details = {"falls": [asdict(fall) if fall else None for fall in falls], "T_world_motion": T_world_motion.tolist()}
    labelled = types.LabelledClip(
        clip=clip, room=name, camera=room.camera, motion=motion, order=order.model_dump(mode="json") | details,
        statures_m=tuple(body.stature(person.betas) for person in motion.people),
        boxes_px=rendered.boxes_px, keypoints_px=rendered.keypoints_px, keypoints_visible=rendered.keypoints_visible,
        joints_world=rendered.joints_world, visibility=rendered.visibility,
    )  # fmt: skip
    return labelled, rendered, source


def read_record(store: Store, name: str) -> dict:
    """`index.json` or `summary.json` of a store of rebuilt rooms; InputError where it is none."""
    text = store.read_text(name)
    try:
        return json.loads(text or "")
    except ValueError as error:
        raise InputError(
            store.root, "is no store of rebuilt rooms", "run `careclips reconstruct FOOTAGE --out STORE` first"
        ) from error


def generate_dataset(root: str | Path, order: Path, count: int, out: Path, settings: Settings, runner: Runner) -> dict:
    """Ordered clips in the rooms of a store, as a dataset folder; returns what `summary.json` holds."""
    from models.order import read_order_form
    from stages import dataset_report as report

    started = time.perf_counter()
    form = read_order_form(order)
    check_replaceable(out, "dataset.json")
    store = Store(root)
    index, reconstruction = read_record(store, "index.json"), read_record(store, "summary.json")
    missing = sorted(set(form.rooms) - set(index["rooms"]))
    if missing:
        raise InputError(
            order, f"asks for room {missing[0]!r}, which the store lacks", f"use {', '.join(index['rooms'])}"
        )
    rooms = {name: key for name, key in index["rooms"].items() if not form.rooms or name in form.rooms}
    if not rooms:
        raise InputError(store.root, "holds no room", "see `rejected` in its summary.json")
    with PeakMemory() as memory:
        work = [(f"clip_{i:05d}", (store, settings, form.model_dump_json(), rooms, i)) for i in range(count)]
        outcomes = runner("making clips", make_clip, work)
    rejected: Counter[str] = Counter()
    for outcome in outcomes:
        rejected.update([outcome.reason] if outcome.reason else outcome.value["rejected"])
    done = [outcome.value for outcome in outcomes if not outcome.reason]
    made = [one for one in done if one["recomputed"]]
    accepted = [one["key"] for one in done if one["source"]]
    sources = Counter(one["source"] for one in done if one["source"])
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
            order, f"gave no clip at all: {dict(rejected)}", "loosen the order or film a room with more free floor"
        )
    run, models = settings.section("run"), settings.section("depth_models")
    depth = {"metric": models.metric, "relative": models.relative}
    motion = "captured" if run.mocap else "procedural"
    if run.motion == "model":
        motion = settings.section("sample_motion").model
    facts = {
        "order": form.model_dump(mode="json"),
        "seed": settings.seed,
        "config": settings.values,
        "rooms": rooms,
        "clips": accepted,
        "counts": summary,
        "reconstruction": reconstruction,
        "timings_s": {"reconstruction": reconstruction["total_seconds"], "generation": seconds},
        "stand_ins": report.stand_ins(depth, run.body is not None, motion, reconstruction),
        "licences": report.licences(run.body is not None),
    }
    _write_dataset(store, accepted, rooms, out, facts, summary)
    return summary


def _write_dataset(store: Store, clips: list[str], rooms: dict, out: Path, facts: dict, summary: dict) -> None:
    """Write the dataset beside its place and swap it in when it is whole."""
    from stages import dataset
    from stages import dataset_report as report

    folders = [find_made(store, "clip", key).folder for key in clips]
    with replaced(out) as folder:
        dataset.run([(codec.load(one, "value"), one) for one in folders], folder, facts)
        (folder / "rooms").mkdir()
        for name, key in rooms.items():
            dataset.write_room_map(folder / "rooms", name, load_value(store, "room", key))
        (folder / "summary.json").write_text(json.dumps(summary, indent=1))
        (folder / "report.html").write_text(report.run(folder))


# --------------------------------------------------------------------------------------------- evaluate and the demo


def evaluate_gain(
    real: str | Path, synthetic: Path, out: Path, settings: Settings,
    test: str | Path | None = None, labels: Path | None = None, label_map: Path | None = None, events: Path | None = None,
) -> dict:  # fmt: skip
    """Average precision of falls on real windows, with and without the synthetic clips; written to `out/summary.json`."""
    from models.footage.action_labels import read_mapping, read_segments
    from stages import dataset_report as report
    from stages import evaluate_gain as evaluate

    segments = None
    if labels is not None:
        mapping = read_mapping(label_map or Path(__file__).parent / "configs" / "labels" / "omnifall.yaml")
        relative = read_segments(labels, mapping, events)
        segments = {str((labels.parent / path).resolve()): parts for path, parts in relative.items()}
    real_clips = real_pose_clips(real, segments)
    test_clips = None if test is None else real_pose_clips(test, segments)
    made = evaluate.dataset_poses(synthetic)
    result = evaluate.run(
        settings.section("evaluate"), real_clips, made, test_clips, generator(settings.seed, "evaluate", "")
    )
    result["note"] = "2D joints: real ones as reconstructed, synthetic ones exact from the renderer."
    result["verdict"] = evaluate.verdict(result["gain"])
    result |= {"real": str(real), "synthetic": str(synthetic), "test": str(test or ""), "seed": settings.seed}
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "summary.json", json.dumps(result, indent=1))
    write_text(synthetic / "evaluation.json", json.dumps(result, indent=1))
    write_text(synthetic / "report.html", report.run(synthetic))
    return result


def lift_sample_clip(footage: Path, clip: str, size: tuple[int, int], settings: Settings) -> dict[str, Any]:
    """Lift one clip of sample footage by every variant, from its true keypoints and from spoiled ones."""
    from stages import evaluate_people, people3d

    config, lifting = settings.section("evaluate_people"), settings.section("people3d")
    body = body_model(settings.section("run").body)
    true = evaluate_people.true_clip(footage / "truth" / clip, *size)
    result: dict[str, Any] = {}
    for keypoints in ("clean", "noisy"):
        people = true.people
        if keypoints == "noisy":
            rng = generator(settings.seed, "evaluate_people", clip)
            people = tuple(evaluate_people.spoiled(person, config, rng) for person in people)
        for variant in evaluate_people.VARIANTS:
            # Whoever fails is counted in the errors, not left out of them.
            chosen = lifting.model_copy(update={"variant": variant, "world": evaluate_people.NOBODY_FAILS})
            ((tracks, _),) = people3d.run(chosen, [people3d.Clip(people, true.timestamps_s, true.camera)], body)
            errors = evaluate_people.clip_errors(body, true, tracks)
            result[f"{keypoints}/{variant}"] = (errors, len(people), len(tracks))
    return {"lifted": result}


def evaluate_people_lifting(
    footage: Path, out: Path, settings: Settings, runner: Runner, store: str | Path | None = None,
    events: Path | None = None,
) -> dict:  # fmt: skip
    """Errors of lifting on sample footage by variant, and what real footage shows; written to `out/summary.json`."""
    from stages import evaluate_people

    size = settings.section("sample_footage")
    names = sorted(path.name for path in (footage / "truth").iterdir()) if (footage / "truth").is_dir() else []
    if not names:
        raise InputError(footage, "holds no sample footage with its truth", "make some with `careclips sample-footage`")
    work = [(name, (footage, name, (size.width_px, size.height_px), settings)) for name in names]
    outcomes = runner("lifting people", lift_sample_clip, work)
    lifted = [outcome.value["lifted"] for outcome in outcomes if not outcome.reason]
    summary: dict[str, Any] = {
        "rejected": [{"item": o.item, "reason": o.reason} for o in outcomes if o.reason], "clips": len(lifted),
        "footage": str(footage), "seed": settings.seed,
    }  # fmt: skip
    for keypoints in ("clean", "noisy"):
        summary[keypoints] = {}
        for variant in evaluate_people.VARIANTS:
            rows = [one[f"{keypoints}/{variant}"] for one in lifted]
            people, found = sum(row[1] for row in rows), sum(row[2] for row in rows)
            summary[keypoints][variant] = evaluate_people.table([row[0] for row in rows], people, found)
    if store is not None:
        summary["real"] = real_lifting(Store(store), settings, events)
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "summary.json", json.dumps(summary, indent=1))
    return summary


def lifted_clips(store: Store, settings: Settings) -> list:
    """Every clip of a store in which people were looked for, as `models.compare_falls.real_falls.LiftedClip`."""
    from models.body.model import track_joints
    from models.compare_falls.real_falls import LiftedClip

    index, body, clips = read_record(store, "index.json"), body_model(settings.section("run").body), []
    for name, clip in index["clips"].items():
        if "people2d" not in clip:
            continue
        footage = load_value(store, "ingest", clip["ingest"])["footage"]
        people = load_value(store, "people2d", clip["people2d"])
        tracks, room, camera = (), None, ""
        if "people3d" in clip:
            tracks, camera = load_value(store, "people3d", clip["people3d"]).people, clip["room"]
            room = load_value(store, "room", index["rooms"][clip["room"]])
        joints = {track.person: track_joints(body, track) for track in tracks}
        clips.append(LiftedClip(name, camera, footage, tuple(people), tuple(tracks), joints, room))
    return clips


def real_lifting(store: Store, settings: Settings, events: Path | None) -> dict[str, Any]:
    """What can be told of a store's lifted people without truth: reprojection, feet, fallen bodies, two cameras."""
    from models.compare_falls.real_falls import read_falls
    from stages import evaluate_people

    config, body = settings.section("evaluate_people"), body_model(settings.section("run").body)
    falls = read_falls(events) if events is not None else {}
    return evaluate_people.real_figures(config, body, lifted_clips(store, settings), falls)


# ------------------------------------------------------------------------------------------- evaluate generated motion


def evaluate_motion(
    corpus: Path, out: Path, arms: list[str], settings: Settings, texts: Path | None, evaluator: Path | None
) -> dict[str, Any]:
    """Judge motion generated for held-out captions beside real motion; figures, table and plot go to `out`."""
    from models.body.model import standing_pelvis_height
    from models.body.rest_skeleton import skeleton_of
    from models.corpus.reader import read_corpus
    from models.motion.dataset import MotionData
    from models.motion.evaluation.evaluator import STARTER, load_motion_evaluator
    from models.motion.evaluation.memorisation import embedded
    from models.motion.evaluation.physical_metrics import Flesh
    from models.motion.evaluation.report import write_motion_report
    from models.motion.model import check_text_encoder, load_motion_model
    from models.text.encoder import TextCache, TextEncoder
    from stages import evaluate_motion, label

    config, labelling = settings.section("evaluate_motion"), settings.section("label")
    sampled = settings.section("sample_motion")
    named = dict(arm.split("=", 1) for arm in arms if "=" in arm)
    if len(named) < len(arms):
        raise InputError("--arm", f"got {' '.join(arms)}", "say NAME=FOLDER of a motion model, each name once")
    check_replaceable(out, "summary.json")
    judge = load_motion_evaluator(evaluator or STARTER)
    captions = TextCache(texts) if texts else TextEncoder(sampled.text)
    if captions.digest != judge.config.text_digest:
        wanted = judge.config.text_digest[:12]
        raise InputError(
            texts or "text encoder", f"is {captions.digest[:12]}, the evaluator's is {wanted}", "train again"
        )
    for name, asked, most in (
        ("people", max(config.people), judge.config.most_people),
        ("frames", config.frames or 0, judge.config.most_frames),
    ):
        if asked > most:
            raise InputError(f"evaluate_motion.{name}", f"names {asked}", f"the evaluator knows up to {most}")
    body = body_model(settings.section("run").body)

    held = read_corpus(corpus, lambda row: row.split in config.splits and len(row.people) in config.people)
    data = MotionData(held, skeleton_of(body), config.frames or judge.config.most_frames)
    real = evaluate_motion.scenes_of(data, held, data.held_out(data.where(lambda _: True), config.stride))
    taught = read_corpus(corpus, lambda row: row.split == "train" and len(row.people) in config.people)
    windows = MotionData(taught, skeleton_of(body), data.most_frames)
    evaluate_motion.check(config, real, named)
    models = {name: load_motion_model(folder, sampled.device) for name, folder in named.items()}
    for model in models.values():
        check_text_encoder(model, captions.digest)
    made = {
        name: evaluate_motion.answers(
            config, model, captions, sampled.sampling, sampled.cleanup, body, real, settings.seed
        )
        for name, model in models.items()
    }

    def standing_m(betas: np.ndarray) -> float:
        return standing_pelvis_height(body, betas)

    audit = evaluate_motion.Audit(
        functools.partial(label.find_fall, labelling.model_copy(update={"fall_drop": config.fall_drop})),
        standing_m,
        labelling.direction_tolerance_deg,
    )
    learned = embedded(judge, windows, windows.held_out(windows.where(lambda _: True), data.most_frames // 2))
    summary = evaluate_motion.run(config, judge, captions, Flesh(body), audit, real, made, settings.seed, learned)
    with replaced(out) as folder:
        write_motion_report(folder, summary)
    return summary


# ------------------------------------------------------------------------------------------------------------- falls


def simulate_one_fall(
    settings: Settings, cause: str | None, direction: str | None, item: str, folder: Path, room: Any
) -> dict[str, Any]:
    """One simulated fall, written to `folder/<item>.npz`, and what is to know of it."""
    from models.order import CAUSE_DIRECTIONS, Cause, Direction
    from stages import dataset
    from stages import simulate_falls as falls

    rng = generator(settings.seed, "falls", item)
    kinds: list[tuple[Cause, Direction]] = [
        (c, d) for c, ways in CAUSE_DIRECTIONS.items() for d in ways if cause in (None, c) and direction in (None, d)
    ]
    chosen = kinds[int(rng.integers(len(kinds)))]
    started = time.process_time()
    motion = falls.run(settings.section("falls"), body_model(settings.section("run").body), *chosen, rng, room)
    seconds = time.process_time() - started
    dataset.write_motion(motion, folder / f"{item}.npz", None if room is None else room.camera)
    return {"motion": motion, "seconds": seconds}


def simulate_falls(
    out: Path, count: int, settings: Settings, runner: Runner, cause: str | None = None, direction: str | None = None,
    store: str | Path | None = None, room: str | None = None,
) -> dict:  # fmt: skip
    """Simulated falls as npz files, on a bare or furnished floor or in a room of a store; figures in `summary.json`."""
    from models.order import CAUSE_DIRECTIONS
    from stages import simulate_falls as falls

    if cause is not None and cause not in CAUSE_DIRECTIONS:
        raise InputError("cause", f"is {cause}", f"name one of {', '.join(CAUSE_DIRECTIONS)}")
    known = CAUSE_DIRECTIONS[cause] if cause else sorted({d for ways in CAUSE_DIRECTIONS.values() for d in ways})
    if direction is not None and direction not in known:
        raise InputError("direction", f"is {direction}, and {cause or 'no cause'} throws nobody that way",
                         f"name one of {', '.join(known)}")  # fmt: skip
    check_replaceable(out, "summary.json")
    built = None
    if room is not None:
        if store is None:
            raise InputError("room", f"is {room}, and no store is named", "add --store STORE")
        rooms = read_record(Store(store), "index.json")["rooms"]
        if room not in rooms:
            raise InputError(store, f"has no room {room!r}", f"use {', '.join(rooms)}")
        built = load_value(Store(store), "room", rooms[room])
    with replaced(out) as folder:
        work = [(f"fall_{i:05d}", (settings, cause, direction, f"fall_{i:05d}", folder, built)) for i in range(count)]
        outcomes = runner("simulating falls", simulate_one_fall, work)
        made = {outcome.item: outcome.value for outcome in outcomes if not outcome.reason}
        dropped = Counter((outcome.reason or "").split(":")[0] for outcome in outcomes if outcome.reason)
        motions = [one["motion"] for one in made.values()]
        summary = falls.figures(motions, dropped, sum(one["seconds"] for one in made.values())) | {
            "falls": {item: one["motion"].details for item, one in made.items()}, "seed": settings.seed, "room": room,
        }  # fmt: skip
        (folder / "summary.json").write_text(json.dumps(summary, indent=1))
    if not made:
        raise InputError("falls", f"none could be simulated: {dict(dropped)}", "try another cause, direction or room")
    return summary


def corpus_part(store: Store, settings: Settings, kind: str, numbers: list[int]) -> dict[str, Any]:
    """One part of the corpus as an artefact: a small corpus file, and what was set aside."""
    import numpy as np

    from models.corpus.writer import write_corpus
    from models.mocap.importers.indexed_folder import index_takes
    from stages import corpus

    config, body = settings.section("corpus"), body_model(settings.section("run").body)
    inputs: dict[str, Any] = {"kind": kind, "numbers": numbers, "seed": settings.seed, "body": body.digest}
    takes = []
    if kind == "captured":
        takes = [index_takes(config.mocap)[number] for number in numbers]
        inputs["files"] = [[file_digest(path) for path in take.paths] for take in takes]

    def compute() -> tuple[dict[str, Any], dict[str, Any]]:
        make = {"falls": corpus.fall_part, "look_alikes": corpus.look_alike_part, "composed": corpus.composed_part}
        if kind == "captured":
            items, aside = corpus.captured_part(config, body, takes, config.mocap, settings.seed)
        else:
            items, aside = make[kind](config, body, numbers, settings.seed)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "part.bin"
            if items:
                write_corpus(path, items, body.name, aside)
            content = np.frombuffer(path.read_bytes() if items else b"", dtype=np.uint8)
        return {"file": content, "dropped": dict(aside)}, {"items": len(items)}

    # How many parts there are, and how large, says nothing of what is in one.
    stamp = config.model_copy(update={"falls": 0, "look_alikes": 0, "composed": 0, "part": 1, "mocap": None})
    _, artefact, new = cached(store, "corpus_part", corpus.VERSIONS[kind], stamp, inputs, compute)
    return {"key": artefact.key, "recomputed": new}


def build_corpus(out: Path, settings: Settings, runner: Runner) -> dict:
    """The motion corpus: `corpus.bin`, a training pack `pack.bin`, `skeleton.safetensors`, `index.csv`, `summary.json`, `report.html`."""
    from models.body.rest_skeleton import save_skeleton, skeleton_of
    from models.corpus.reader import read_index
    from models.corpus.statistics import index_rows, summary
    from models.corpus.writer import join_corpora, write_pack
    from models.mocap.importers.indexed_folder import index_takes
    from stages import corpus_report

    config, body = settings.section("corpus"), body_model(settings.section("run").body)
    out.mkdir(parents=True, exist_ok=True)
    store = Store(out / "parts")
    counts = {"falls": config.falls, "look_alikes": config.look_alikes, "composed": config.composed}
    if config.mocap is not None:
        counts = {"captured": len(index_takes(config.mocap))} | counts
    work = []
    for kind, count in counts.items():
        for first in range(0, count, config.part):
            numbers = list(range(first, min(first + config.part, count)))
            work.append((f"{kind}/{first:05d}", (store, settings, kind, numbers)))
    outcomes = runner("making the corpus", corpus_part, work)
    failed = [f"{outcome.item}: {outcome.reason}" for outcome in outcomes if outcome.reason]
    if failed:
        raise InputError(
            out, f"{len(failed)} parts of the corpus could not be made ({failed[0]})", "mend that, start again"
        )
    dropped: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        parts = []
        for outcome in outcomes:
            value = load_value(store, "corpus_part", outcome.value["key"])
            dropped.update(value["dropped"])
            if len(value["file"]):
                parts.append(Path(folder) / f"{len(parts):05d}.bin")
                parts[-1].write_bytes(value["file"].tobytes())
        join_corpora(parts, out / "corpus.bin", dropped)
    write_pack(out / "corpus.bin", out / "pack.bin")
    save_skeleton(skeleton_of(body), out / "skeleton.safetensors")
    index = read_index(out / "corpus.bin")
    result = summary(index) | {"pack_mib": (out / "pack.bin").stat().st_size / 2**20, "seed": settings.seed,
                               "recomputed": sum(outcome.value["recomputed"] for outcome in outcomes)}  # fmt: skip
    write_text(out / "index.csv", index_rows(index))
    write_text(out / "summary.json", json.dumps(result, indent=1))
    write_text(out / "report.html", corpus_report.run(out / "corpus.bin", body))
    return result


def own_corpus(store: Store, out: Path, settings: Settings) -> Path:
    """What was seen well in a store of rebuilt rooms as a corpus file; InputError where nothing was."""
    from models.body.model import standing_pelvis_height, track_joints
    from models.corpus.writer import write_corpus
    from stages import finetuning_corpus as own_motion
    from stages import label

    config, body = settings.section("own_motion"), body_model(settings.section("run").body)
    items, aside = [], Counter[str]()
    for clip, record in read_record(store, "index.json")["clips"].items():
        if "people3d" not in record:
            continue
        motion = load_value(store, "people3d", record["people3d"])
        actions = [
            label.run(
                settings.section("label"), track_joints(body, track), motion.timestamps_s,
                standing_pelvis_height(body, track.betas),
            )[0]
            for track in motion.people
        ]  # fmt: skip
        labelled = replace(motion, actions=np.stack(actions))
        found, left_out = own_motion.run(config, body, clip, labelled, record["figures"], settings.seed)
        items += found
        aside.update(left_out)
    if not items:
        raise InputError(store.root, f"shows nobody well enough to learn from: {dict(aside)}", "see own_motion's keys")
    write_corpus(out, items, body.name, aside)
    return out


def train_motion(
    corpus: Path, texts: Path | None, out: Path, settings: Settings, device: str = "cpu", threads: int = 1,
    start: str | None = None, finetune: str | None = None,
) -> dict:  # fmt: skip
    """A motion model from a corpus file and what lies beside it: the skeleton, and the captions' encodings.

    Encodings are made where there are none. `finetune` is a store whose people join the corpus, beginning with the weights of
    `start`. Goes on where it was stopped; pictures of samples and losses come as it runs. Started on several devices, the first
    process prepares and writes.
    """
    import torch

    from models.body.rest_skeleton import read_skeleton
    from models.corpus.reader import read_corpus, read_index
    from models.corpus.writer import join_corpora
    from models.motion.dataset import MotionData
    from models.motion.model import load_motion_model, motion_model_digest
    from models.rendering.stick_figures import stick_figures
    from models.text.encoder import TextCache, TextEncoder, write_texts
    from models.training.motion import train as training

    def encoder() -> TextEncoder:
        return TextEncoder(settings.section("sample_motion").text)

    config = settings.section("train_motion")
    torch.set_num_threads(threads)
    out.mkdir(parents=True, exist_ok=True)
    skeleton, begin = read_skeleton(corpus.parent / "skeleton.safetensors"), None
    texts = texts or corpus.parent / "texts.safetensors"
    facts: dict[str, Any] = {"corpus": file_digest(corpus), "device": device}
    first = int(os.environ.get("RANK", "0")) == 0
    if finetune is not None:
        if first:
            own_corpus(Store(finetune), out / "own.bin", settings)
            join_corpora([corpus, out / "own.bin"], out / "corpus.bin", read_index(corpus).dropped)
        training.wait_for_everyone(device)
        corpus, texts = out / "corpus.bin", out / "texts.safetensors"
        facts |= {"own_motion": file_digest(out / "own.bin"), "note": "made with own footage: it stays where that is"}
        start = start or "starter"
    if start is not None:
        begin = load_motion_model(start)
        theirs = begin.config.denoiser.model_copy(update={"text": config.denoiser.text})
        if "denoiser" in config.model_fields_set and theirs != config.denoiser:
            raise InputError(
                "train_motion.denoiser", f"is {config.denoiser}, that of {start} is {theirs}", "leave it out"
            )
        config = config.model_copy(update={"denoiser": begin.config.denoiser})
        facts["start"] = motion_model_digest(start)
    read = read_corpus(corpus)
    learned = {row.kind for row in read.index.rows if row.split == "train" and len(row.people) in config.people}
    if finetune is not None and ("own" not in learned or not config.kinds.get("own")):
        why = "has no weight" if "own" in learned else "has no clip among those that are learned, not held out"
        raise InputError("own footage", why, "give `own` a weight in train_motion.kinds, or rebuild more clips")
    data = MotionData(read, skeleton, config.most_frames)
    if first and not texts.exists():
        write_texts(texts, encoder(), [caption for row in read.index.rows for caption in row.texts])
    training.wait_for_everyone(device)
    # Machines that only train have no text network; where one is named, it has to be the file's.
    cache = TextCache(texts, encoder() if "text" in (settings.values.get("sample_motion") or {}) else None)
    config = config.model_copy(update={"denoiser": config.denoiser.model_copy(update={"text": cache.dim})})

    def look(done: int, model: Any) -> None:
        from models.motion.sampling import samples_of_held_out

        picture = stick_figures(*samples_of_held_out(model, data, cache.encode))
        (out / f"samples_{done:06d}.png").write_bytes(picture)

    missing = [name for name in ("matplotlib", "diffusers") if importlib.util.find_spec(name) is None]
    if missing:
        log.warning("%s not installed: no pictures are drawn", " and ".join(missing))
    facts["items"] = len(read.index.rows)
    curve = training.train(
        config, data, cache.encode, cache.digest, out, settings.seed, torch.device(device), facts,
        None if missing else look, begin,
    )  # fmt: skip
    if not first:
        return facts
    if not missing:
        (out / "curve.png").write_bytes(training.plot_curve(curve))
    summary = {
        "out": str(out),
        "steps": config.stop or config.steps,
        "validation": curve.validation[-1],
        "seed": settings.seed,
    } | facts
    write_text(out / "summary.json", json.dumps(summary, indent=1))
    return summary


def sample_motions(
    text: str, people: int, frames: int, count: int, out: Path, settings: Settings, roles: list[str]
) -> dict:
    """Motions of one sentence: a npz and a film strip each, and `summary.json`."""
    from PIL import Image

    from models.motion.model import load_motion_model, motion_model_digest
    from models.rendering.film_strip import motion_strip
    from models.text.encoder import TextEncoder
    from stages import dataset, sample_motion

    config, body = settings.section("sample_motion"), body_model(settings.section("run").body)
    if roles and len(roles) != people:
        raise InputError("role", f"is given {len(roles)} times for {people} people", "give one for each, or none")
    if unknown := sorted(set(roles) - set(types.Role.__args__)):
        raise InputError("role", f"is {unknown[0]}", f"use {', '.join(types.Role.__args__)}")
    check_replaceable(out, "summary.json")
    model = load_motion_model(config.model, config.device)
    encoder = TextEncoder(config.text)
    sample_motion.check(model, encoder, text, people, frames)
    who: Any = roles or sample_motion.roles_of(text, people)
    began = time.monotonic()
    asked = sample_motion.wanted(body, text, who, frames, count, settings.seed)
    motions = sample_motion.run(config, model, encoder, body, asked)
    seconds = time.monotonic() - began
    with replaced(out) as folder:
        for number, motion in enumerate(motions):
            dataset.write_motion(motion, folder / f"motion_{number:04d}.npz")
            shown = np.linspace(0, frames - 1, 8).round().astype(int)
            looks = [
                types.BodyLook(number * 16 + slot, 80.0 if track.role == "resident" else 40.0)
                for slot, track in enumerate(motion.people)
            ]
            picture = motion_strip(body, motion, shown, 240, 320, looks)
            Image.fromarray(picture).save(folder / f"motion_{number:04d}.jpg", quality=88)
        summary = {
            "text": text, "roles": list(who), "people": people, "frames": frames, "count": count, "seed": settings.seed,
            "model": config.model, "model_digest": motion_model_digest(config.model), "seconds_per_motion": seconds / count,
        }  # fmt: skip
        (folder / "summary.json").write_text(json.dumps(summary, indent=1))
    return summary


def compare_window(settings: Settings, window: Any, walks: list) -> dict[str, Any]:
    """Kinematic figures of one real fall or walk and of its counterparts, all lifted by the same stage."""
    from models.body.model import track_joints
    from stages import compare_falls, people3d

    config, body = settings.section("compare_falls"), body_model(settings.section("run").body)
    rng = generator(settings.seed, "compare_falls", f"{window.clip} {window.person.person} {window.times[-1]}")
    kinds = ("real_falls", "simulated_falls") if window.fall is not None else ("real_walks", "captured_walks")
    rows: list[tuple[str, str, dict[str, float]]] = []
    people = [window.person, *compare_falls.counterparts(config, body, window, walks, rng)]
    for number, person in enumerate(people):
        seen = people3d.Clip([person], window.times, window.camera)
        ((tracks, _),) = people3d.run(settings.section("people3d"), [seen], body)
        if tracks:
            event = f"{window.event} {window.clip} {number}" if number else window.event
            found = compare_falls.features(window, track_joints(body, tracks[0]))
            rows.append((kinds[min(number, 1)], event, found))
    return {"rows": rows, "not_lifted": len(people) - len(rows)}


def captured_walks(mocap: Path, settings: Settings) -> list:
    """Walks of an indexed folder of captured motion, on a grown body."""
    from models.body.model import BodyShape
    from models.mocap.importers.indexed_folder import index_takes, read_take
    from models.motion_sources.source import UNUSUAL_WORDS

    body = body_model(settings.section("run").body)
    betas = body.betas_from_shape(BodyShape(age_years=40.0, sex=0.5, stature_m=1.72, build=0.5)).astype("float64")
    takes = [(take, " ".join(take.texts).lower()) for take in index_takes(mocap)]
    walks = [take for take, text in takes if "walk" in text and not any(word in text for word in UNUSUAL_WORDS)]
    return [read_take(take, body, betas, 30.0) for take in walks]


def report_falls(
    stores: list[str], events: Path, out: Path, count: int, settings: Settings, runner: Runner, walks: list
) -> dict:
    """`falls.json`: figures of `count` simulated falls of all kinds, and how they compare with the real falls of stores."""
    from models.compare_falls.real_falls import read_falls
    from stages import compare_falls

    config, table = settings.section("compare_falls"), read_falls(events)
    made = simulate_falls(out / "simulated", count, settings, runner)
    work, dropped = [], []
    for root in stores:
        store = Store(root)
        footage = Path(read_record(store, "index.json")["footage"])
        # The table may name the footage's own folder first.
        falls = {path.removeprefix(f"{footage.name}/"): fall for path, fall in table.items()}
        clips = lifted_clips(store, settings)
        windows, gone = compare_falls.falls_of(config, clips, falls)
        windows += compare_falls.walks_of(config, clips, falls)
        dropped += gone
        work += [
            (f"{w.clip} {w.person.person} {w.onset_s:.1f} {i}", (settings, w, walks)) for i, w in enumerate(windows)
        ]
    outcomes = runner("lifting falls and their counterparts", compare_window, work)
    samples: dict[str, list] = {"real_falls": [], "simulated_falls": [], "real_walks": [], "captured_walks": []}
    for outcome in outcomes:
        if outcome.reason:
            dropped.append({"item": outcome.item, "reason": outcome.reason})
            continue
        for kind, event, found in outcome.value["rows"]:
            samples[kind].append((event, found))
    compared = compare_falls.run(config, samples, generator(settings.seed, "compare_falls", ""))
    keep = ("impact_time_s", "hip_speed_m_s", "dropped_share", "realtime_factor", "recovered", "dropped")
    summary = {key: made[key] for key in keep} | compared | {"rejected": dropped, "seed": settings.seed}
    write_text(out / "falls.json", json.dumps(summary, indent=1))
    return summary


def real_pose_clips(root: str | Path, segments: dict | None) -> list:
    """2D joints of a store's clips, labelled by the sidecar of each clip, else by the table of segments."""
    from stages import evaluate_gain as evaluate

    store = Store(root)
    index, result = read_record(store, "index.json"), []
    for name, clip in index["clips"].items():
        if "people2d" not in clip:
            continue
        entry, people = load_value(store, "ingest", clip["ingest"]), load_value(store, "people2d", clip["people2d"])
        footage = entry["footage"]
        parts = None if segments is None else segments.get(str((Path(index["footage"]) / footage.path).resolve()))
        result += evaluate.labelled_poses(name, clip["room"], footage.timestamps_s, people, entry["annotations"], parts)
    if not result:
        raise InputError(
            store.root, "has no labelled clip", "give --labels FILE (path,label,start,end) or a sidecar with actions"
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
    check_replaceable(out, "summary.json")
    started = time.perf_counter()

    def each_room(function: Callable[..., Any], numbers: Any) -> list:
        outcomes = runner("filming rooms", function, [(f"room {number + 1}", (number,)) for number in numbers])
        for outcome in outcomes:
            if outcome.reason:
                raise InputError(outcome.item, outcome.reason, "choose another seed")
        return [outcome.value for outcome in outcomes]

    with replaced(out) as folder:
        figures = sample_footage.run(config, folder, settings.seed, each_room)
        summary = {**figures, "seed": settings.seed, "made_from": stamp, "seconds": time.perf_counter() - started}
        (folder / "summary.json").write_text(json.dumps(summary, indent=1))
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
    return read_settings(config, seed, SECTIONS, **overrides)


Result = TypeVar("Result")


def _orchestrate(name: str, prefect: bool, function: Callable[[Runner], Result], workers: int = 1) -> Result:
    """Run a verb plainly, or as a Prefect flow of the same steps; `function` gets what runs its steps."""
    if not prefect:
        return function(plain_runner(workers, show_progress=True))
    from prefect import flow

    return flow(name=f"careclips-{name}", persist_result=False)(lambda: function(prefect_runner()))()


def _print(summary: dict) -> None:
    typer.echo(json.dumps(summary, indent=1))


@app.command("sample-footage")
def sample_footage_command(
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    config: ConfigOption = None, seed: SeedOption = 0, prefect: PrefectOption = False,
) -> None:  # fmt: skip
    """Render footage of furnished rooms with acting people, with the exact truth beside it."""
    settings = _settings(config, seed)
    workers = settings.section("run").workers
    _print(_orchestrate("sample-footage", prefect, lambda run: make_sample_footage(out, settings, run), workers))


@app.command("reconstruct")
def reconstruct_command(
    footage: Annotated[Path, typer.Argument(help="Folder of videos.")],
    out: Annotated[str, typer.Option(help="Store of artefacts: a folder, or a URL such as s3://bucket/store.")],
    config: ConfigOption = None, seed: SeedOption = 0, pose_file: PoseOption = None, prefect: PrefectOption = False,
) -> None:  # fmt: skip
    """Rebuild the rooms and lift the people of a folder of footage."""
    settings = _settings(config, seed, pose_file)
    workers = settings.section("run").workers
    summary = _orchestrate("reconstruct", prefect, lambda run: reconstruct(footage, out, settings, run), workers)
    _print(summary)
    for reject in summary["rejected"]:
        typer.echo(f"set aside: {reject['item']}: {reject['reason']}", err=True)
    if not summary["rooms"]:
        raise InputError(footage, "gave no room at all", "see the lines above, and `rejected` in summary.json")


@app.command("generate")
def generate_command(
    store: Annotated[str, typer.Option(help="Store that `reconstruct` made: a folder or a URL.")],
    out: Annotated[Path, typer.Option(help="Dataset folder to make.")],
    order: Annotated[Path, typer.Option(help="Order form.")] = Path(__file__).parent / "configs" / "falls.yaml",
    count: Annotated[int, typer.Option(min=1, help="Clips to make.")] = 10,
    config: ConfigOption = None, seed: SeedOption = 0, prefect: PrefectOption = False,
) -> None:  # fmt: skip
    """Make ordered clips in the rooms of a store: placed, audited, rendered, labelled."""
    settings = _settings(config, seed)
    workers = settings.section("run").workers
    _print(
        _orchestrate(
            "generate", prefect, lambda run: generate_dataset(store, order, count, out, settings, run), workers
        )
    )


class _Evaluations(TyperGroup):
    """`careclips evaluate --real ...` measures the gain; `careclips evaluate people ...` something else."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] != "--help":
            args = ["gain", *args]
        return super().parse_args(ctx, args)


evaluations = typer.Typer(
    cls=_Evaluations, no_args_is_help=True, help="Measure: the gain (the default), people, or motion."
)
app.add_typer(evaluations, name="evaluate")


@evaluations.command("people")
def evaluate_people_command(
    footage: Annotated[Path, typer.Option(help="Sample footage with its truth.")],
    out: Annotated[Path, typer.Option(help="Folder for the figures.")],
    store: Annotated[str | None, typer.Option(help="Store of real footage that `reconstruct` made.")] = None,
    events: Annotated[Path | None, typer.Option(help="CSV of its falls: path,at_rest_s,landing_support,...")] = None,
    config: ConfigOption = None, seed: SeedOption = 0, prefect: PrefectOption = False,
) -> None:  # fmt: skip
    """Measure lifting: against the truth of sample footage by variant, and on real footage without truth."""
    settings = _settings(config, seed)

    def measure(run: Runner) -> dict:
        return evaluate_people_lifting(footage, out, settings, run, store, events)

    _print(_orchestrate("evaluate-people", prefect, measure, settings.section("run").workers))


@evaluations.command("motion")
def evaluate_motion_command(
    corpus: Annotated[Path, typer.Option(help="Corpus whose held-out items are the real motion.")],
    out: Annotated[Path, typer.Option(help="Folder for summary.json, table.csv, motion.png.")],
    arm: Annotated[list[str] | None, typer.Option(help="NAME=FOLDER of a motion model that is judged, or =starter.")] = None,
    texts: Annotated[Path | None, typer.Option(help="Encoded captions; else they are encoded here.")] = None,
    evaluator: Annotated[Path | None, typer.Option(help="Folder of a motion evaluator; else the starter.")] = None,
    config: ConfigOption = None, seed: SeedOption = 0, prefect: PrefectOption = False,
) -> None:  # fmt: skip
    """Measure generated motion: against real motion, against its captions, and against what bodies can do."""
    settings = _settings(config, seed)

    def measure(_: Runner) -> dict:
        return evaluate_motion(corpus, out, arm or [], settings, texts, evaluator)

    _print(_orchestrate("evaluate-motion", prefect, measure))


@evaluations.command("gain")
def evaluate_command(
    real: Annotated[str, typer.Option(help="Store of real footage to train on.")],
    synthetic: Annotated[Path, typer.Option(help="Dataset that `generate` made.")],
    out: Annotated[Path, typer.Option(help="Folder for the figures.")],
    test: Annotated[str | None, typer.Option(help="Store to test on; else rooms of --real are held out in turn.")] = None,
    labels: Annotated[Path | None, typer.Option(help="CSV with path,label,start,end.")] = None,
    label_map: Annotated[Path | None, typer.Option(help="YAML from their names to ours.")] = None,
    events: Annotated[Path | None, typer.Option(help="CSV with path,fall_onset_s,at_rest_s.")] = None,
    config: ConfigOption = None, seed: SeedOption = 0, prefect: PrefectOption = False,
) -> None:  # fmt: skip
    """Measure whether the synthetic clips help a fall classifier on real footage."""
    settings = _settings(config, seed)

    def measure(run: Runner) -> dict:
        return evaluate_gain(real, synthetic, out, settings, test, labels, label_map, events)

    _print(_orchestrate("evaluate", prefect, measure))


corpus_app = typer.Typer(no_args_is_help=True, help="The motion corpus that the motion model learns from.")
app.add_typer(corpus_app, name="corpus")


@corpus_app.command("build")
def build_corpus_command(
    out: Annotated[Path, typer.Option(help="Folder for corpus.bin, pack.bin, index.csv, summary.json, report.html.")],
    mocap: Annotated[Path | None, typer.Option(help="Folder of captured motion; else corpus.mocap of the config.")] = None,
    config: ConfigOption = None, seed: SeedOption = 0, prefect: PrefectOption = False,
) -> None:  # fmt: skip
    """Gather captured motion, simulated falls, look-alikes and two-person motion into one file. Goes on where it stopped."""
    more = {} if mocap is None else {"corpus": {"mocap": str(mocap)}}
    settings = read_settings(config, seed, SECTIONS, **more)
    _print(
        _orchestrate(
            "build-corpus", prefect, lambda run: build_corpus(out, settings, run), settings.section("run").workers
        )
    )


train_app = typer.Typer(no_args_is_help=True, help="Train the networks that careclips ships.")
app.add_typer(train_app, name="train")


@train_app.command("motion")
def train_motion_command(
    corpus: Annotated[Path, typer.Option(help="corpus.bin or pack.bin; skeleton.safetensors must lie beside it.")],
    out: Annotated[Path, typer.Option(help="Folder for the model; goes on where it was stopped.")],
    texts: Annotated[Path | None, typer.Option(help="Encoded captions; made beside the corpus if not said.")] = None,
    start: Annotated[str | None, typer.Option(help="Model to begin with: a folder, or starter.")] = None,
    finetune: Annotated[
        str | None, typer.Option(help="Store of rebuilt rooms: its people join the corpus, the starter is begun with.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="On the CPU: same number, same bytes.")] = 1,
    config: ConfigOption = None, seed: SeedOption = 0, prefect: PrefectOption = False,
) -> None:  # fmt: skip
    """Train a motion model: ours, or a baseline by train_motion.denoiser of the config."""
    settings = _settings(config, seed)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")

    def learn(run: Runner) -> dict:
        return train_motion(corpus, texts, out, settings, device, threads, start, finetune)

    _print(_orchestrate("train-motion", prefect, learn))


@app.command("sample")
def sample_command(
    text: Annotated[str, typer.Option(help="What happens, in a sentence.")],
    out: Annotated[Path, typer.Option(help="Folder for a npz and a film strip a motion.")],
    people: Annotated[int, typer.Option(help="1 to 4.")] = 1,
    frames: Annotated[int, typer.Option(help="20 a second.")] = 120,
    count: Annotated[int, typer.Option(min=1, help="Motions to sample.")] = 1,
    role: Annotated[list[str] | None, typer.Option(help="Of each person, in order; else by the words of the text.")] = None,
    config: ConfigOption = None, seed: SeedOption = 0, prefect: PrefectOption = False,
) -> None:  # fmt: skip
    """Sample motion from a sentence."""
    settings = _settings(config, seed)
    roles = role or []
    _print(
        _orchestrate("sample", prefect, lambda run: sample_motions(text, people, frames, count, out, settings, roles))
    )


falls_app = typer.Typer(
    no_args_is_help=True, help="Falls made by physics: simulate them, or compare them with real ones."
)
app.add_typer(falls_app, name="falls")


@falls_app.command("simulate")
def simulate_falls_command(
    out: Annotated[Path, typer.Option(help="Folder for a npz a fall and summary.json.")],
    count: Annotated[int, typer.Option(min=1, help="Falls to simulate.")] = 20,
    cause: Annotated[str | None, typer.Option(help="slip, trip, push, ...; any if not said.")] = None,
    direction: Annotated[str | None, typer.Option(help="forward, backward, left, right or down; any if not said.")] = None,
    store: Annotated[str | None, typer.Option(help="Store whose rooms are fallen in.")] = None,
    room: Annotated[str | None, typer.Option(help="A room of the store.")] = None,
    config: ConfigOption = None, seed: SeedOption = 0, prefect: PrefectOption = False,
) -> None:  # fmt: skip
    """Let physics make people fall: on bare floor, against furniture, or in a reconstructed room."""
    settings = _settings(config, seed)

    def simulate(run: Runner) -> dict:
        return simulate_falls(out, count, settings, run, cause, direction, store, room)

    summary = _orchestrate("simulate-falls", prefect, simulate, settings.section("run").workers)
    _print({key: value for key, value in summary.items() if key != "falls"})


@falls_app.command("report")
def report_falls_command(
    store: Annotated[list[str], typer.Option(help="Store of real footage; may be said several times.")],
    events: Annotated[Path, typer.Option(help="CSV of its falls: path,fall_onset_s,at_rest_s,direction,...")],
    out: Annotated[Path, typer.Option(help="Folder for falls.json.")],
    mocap: Annotated[Path | None, typer.Option(help="Folder of captured motion, for the walks.")] = None,
    count: Annotated[int, typer.Option(min=1, help="Falls to simulate for the physical figures.")] = 200,
    config: ConfigOption = None, seed: SeedOption = 0, prefect: PrefectOption = False,
) -> None:  # fmt: skip
    """Compare simulated falls with the real ones of stores: can a classifier tell them apart, and by what?"""
    settings = _settings(config, seed)

    def compare(run: Runner) -> dict:
        walks = captured_walks(mocap, settings) if mocap else []
        return report_falls(store, events, out, count, settings, run, walks)

    _print(_orchestrate("report-falls", prefect, compare, settings.section("run").workers))


@app.command("report")
def report_command(
    dataset: Annotated[Path, typer.Argument(help="Dataset folder.")], prefect: PrefectOption = False
) -> None:
    """Write the dataset's report.html again."""
    from stages import dataset_report as report

    _orchestrate("report", prefect, lambda run: write_text(dataset / "report.html", report.run(dataset)))
    typer.echo(dataset / "report.html")


@app.command("show")
def show_command(
    item: Annotated[str, typer.Argument(help="STORE, or STORE/<stage>/<key>.")],
    picture: Annotated[Path | None, typer.Option(help="PNG to write.")] = None,
    prefect: PrefectOption = False,
) -> None:
    """One artefact, in words and pictures."""
    from PIL import Image

    from stages import show

    def look(run: Runner) -> tuple[list[str], np.ndarray | None]:
        index = Store(item).read_text("index.json")
        return show.run(artefact_folder(item)) if index is None else (show.run_store(item, json.loads(index)), None)

    lines, image = _orchestrate("show", prefect, look)
    typer.echo("\n".join(lines))
    if picture is not None and image is not None:
        Image.fromarray(image).save(picture)
        typer.echo(picture)


def read_motion(item: str, body: Any) -> types.Motion:
    """The motion of STORE/people3d/<key>, of a made clip STORE/clip/<key>, or of DATASET/clips/<id>.npz.

    Raises InputError where it holds none, or was lifted with another body: betas do not carry over.
    """
    from models.mocap import clip_file
    from models.mocap.importers.artefact import read_artefact

    return clip_file.read_motion(Path(item)) if item.endswith(".npz") else read_artefact(artefact_folder(item), body)


def export_motion(motion: types.Motion, kind: str, out: Path, person: str | None, mesh: bool, body: Any) -> None:
    """Write a motion, or one person of it, for other programs; a BVH file holds one person."""
    from models.mocap.bvh import write_bvh
    from models.mocap.export import motion_glb, track_bvh
    from stages import dataset

    names = [track.person for track in motion.people]
    if person is None and kind == "bvh" and len(names) > 1:
        raise InputError("--format bvh", f"holds one person, and there are {', '.join(names)}", "choose with --person")
    if person is not None:
        if person not in names:
            raise InputError("--person", f"{person!r} is not there", f"choose from {', '.join(names)}")
        index = names.index(person)
        motion = replace(motion, people=(motion.people[index],), actions=motion.actions[index : index + 1])
    if kind == "npz":
        dataset.write_motion(motion, out)
    elif kind == "bvh":
        write_bvh(track_bvh(body, motion.people[0], motion.timestamps_s), out)
    else:
        motion_glb(body, motion, mesh).write(out)


@app.command("export")
def export_command(
    item: Annotated[str, typer.Argument(help="STORE/people3d/<key>, STORE/clip/<key> or DATASET/clips/<id>.npz.")],
    out: Annotated[Path, typer.Option(help="File to write.")],
    kind: Annotated[Literal["npz", "bvh", "glb"], typer.Option("--format", help="AMASS-style, BVH, or glTF.")] = "glb",
    person: Annotated[str | None, typer.Option(help="One person alone; BVH holds only one.")] = None,
    mesh: Annotated[bool, typer.Option(help="With the skinned body (glb).")] = True,
    config: ConfigOption = None, prefect: PrefectOption = False,
) -> None:  # fmt: skip
    """A lifted or made motion for other programs."""
    body = body_model(_settings(config, 0).section("run").body)

    def write(run: Runner) -> None:
        export_motion(read_motion(item, body), kind, out, person, mesh, body)

    _orchestrate("export", prefect, write)
    typer.echo(out)


def smooth_motion(motion: types.Motion, out: Path, weights: list[float], config: Any, body: Any) -> dict:
    """`motion.npz` smoothed, and per person `jitter_lag_<person>.png`; returns what `summary.json` holds."""
    from PIL import Image

    from stages import dataset, smooth

    tracks, figures = smooth.run(config, motion.people, motion.timestamps_s, body)
    out.mkdir(parents=True, exist_ok=True)
    dataset.write_motion(replace(motion, people=tuple(tracks)), out / "motion.npz")
    figures["ladder"] = {}
    for track in motion.people:
        rows = smooth.ladder(config, track, motion.timestamps_s, body, weights)
        figures["ladder"][track.person] = rows
        Image.fromarray(smooth.plot_ladder(rows)).save(out / f"jitter_lag_{track.person}.png")
    write_text(out / "summary.json", json.dumps(figures, indent=1))
    return figures


@app.command("smooth")
def smooth_command(
    item: Annotated[str, typer.Argument(help="STORE/people3d/<key>, STORE/clip/<key> or DATASET/clips/<id>.npz.")],
    out: Annotated[Path, typer.Option(help="Folder for motion.npz, the figures and a plot.")],
    config: ConfigOption = None, prefect: PrefectOption = False,
) -> None:  # fmt: skip
    """A motion of least change of velocity, and jitter against lag for a ladder of weights."""
    settings = _settings(config, 0)
    body, chosen = body_model(settings.section("run").body), settings.section("smooth")
    weights = [0.0] + [chosen.weight * factor for factor in (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)]

    def measure(run: Runner) -> dict:
        return smooth_motion(read_motion(item, body), out, weights, chosen, body)

    _print(_orchestrate("smooth", prefect, measure))


@app.command("demo")
def demo_command(
    footage: Annotated[Path | None, typer.Option(help="Your videos; none renders sample footage.")] = None,
    out: Annotated[Path, typer.Option(help="Folder to work in.")] = Path("out/demo"),
    config: Annotated[Path, typer.Option("--config")] = Path(__file__).parent / "configs" / "demo.yaml",
    order: Annotated[Path, typer.Option()] = Path(__file__).parent / "configs" / "falls.yaml",
    count: Annotated[int, typer.Option(min=1)] = 8,
    seed: SeedOption = 0, pose_file: PoseOption = None, prefect: PrefectOption = False,
) -> None:  # fmt: skip
    """The main job from end to end, on sample footage or on your own."""
    settings = _settings(config, seed, pose_file)
    workers = settings.section("run").workers
    summary = _orchestrate("demo", prefect, lambda run: run_demo(footage, out, settings, run, order, count), workers)
    rows = [(key, value) for key, value in summary.items() if key not in ("report", "timings_s", "rejected", "sources")]
    rows += [(f"  {name} (s)", f"{seconds:.1f}") for name, seconds in summary["timings_s"].items()]
    for name, value in rows:
        typer.echo(f"{name:28} {value if not isinstance(value, float) else f'{value:.1f}'}")
    typer.echo(f"\nLook at {summary['report']}")


@app.command("doctor")
def doctor_command(
    out: Annotated[Path, typer.Option(help="Folder for summary.json.")] = Path("out/doctor"),
    config: ConfigOption = None, seed: SeedOption = 0, pose_file: PoseOption = None, prefect: PrefectOption = False,
) -> None:  # fmt: skip
    """Check system libraries and every configured model with a known frame."""
    from stages import doctor, people2d

    settings = _settings(config, seed, pose_file)
    poses = settings.section("people2d")

    def find_poses(footage: types.Footage, frames: Any) -> tuple[list, dict]:
        return people2d.run(poses, footage, frames)

    finder = None if poses.backend.kind == "sidecar" else find_poses
    used, models, sampling = (settings.section(name) for name in ("run", "depth_models", "sample_motion"))
    source = None
    if used.motion == "model":
        source = functools.partial(sampled_motion, used.body, sampling.model_dump_json())
    checks = _orchestrate("doctor", prefect, lambda run: doctor.run(used.body, models, finder, source))
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
    parameters = {
        **plan.model_dump(exclude={"cron"}),
        "config": str(config.resolve()) if config else None,
        "seed": seed,
    }
    nightly_flow().serve(name="nightly", cron=plan.cron, parameters=parameters)


@functools.cache
def nightly_flow() -> Any:
    """The Prefect flow that a deployment runs: reconstruct what is new, then generate."""
    from prefect import flow

    @flow(name="careclips-nightly", persist_result=False)
    def nightly(
        footage: str, store: str, order: str, count: int, dataset: str, config: str | None = None, seed: int = 0
    ) -> dict:
        """Rebuild what is new in the footage, then make clips in all rooms; what stands already is not made again."""
        settings = read_settings(Path(config) if config else None, seed, SECTIONS)
        runner = prefect_runner()
        rebuilt = reconstruct(Path(footage), store, settings, runner)
        made = generate_dataset(store, Path(order), count, Path(dataset), settings, runner)
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
