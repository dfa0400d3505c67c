"""Sample footage: furnished rooms with acting people, seen by a fixed camera, with annotations and the exact truth.

Inputs: a config and a seed; nothing else is needed. Outputs, in a folder:

    footage.csv                       path,site,room,camera,start,labels (actions in the order they first happen, by ;)
    <site>/<room>/<clip>.mp4          H.264
    <site>/<room>/annotations.json    a COCO sidecar such as a careful human would make, for all clips of the folder
    truth/<site>__<room>__<clip>/     camera.json, room.npz, masks.mkv, people.npz, meta.json: for scoring alone

annotations.json: `categories` are person, staff (carers), patient (residents) and, from id 11, the SURFACE_LABELS.
`images` has one entry per frame: id, file_name (beside the sidecar), frame (from 0, as `read_frames` counts),
timestamp_s, width, height, key_frame. `annotations` of people, in every frame that shows some of them: bbox [x, y,
width, height] of what is visible, keypoints (17 x, y, v rounded to half pixels; v 0 outside the image, 1 hidden, 2
seen), num_keypoints, area, iscrowd 0, action, center (of the box), person_id (1, 2, … through the clip), and on key
frames, one a second, a segmentation (compressed run lengths). Of surfaces, on key frames: bbox, area, iscrowd 1,
segmentation.

people.npz, n people, t frames: person ("person_1", …), role, betas [n,10], global_orient [n,t,3], body_pose [n,t,69],
transl [n,t,3], joints_world [n,t,24,3], keypoints_world [n,t,17,3], keypoints_px, keypoints_v, actions [n,t],
visibility [n,t] (share of the silhouette in view), stature_m [n], timestamps_s [t], body. World frame of DESIGN §2.
"""

import csv
import functools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

import numpy as np
import torch
from jaxtyping import Float, Float32, Int, UInt8
from pycocotools import mask as coco_mask
from pydantic import Field

from models.body.model import BodyModel, load_body
from models.body.tracks import track_joints, track_parameters
from models.config import Config
from models.errors import InputError, Rejected
from models.footage.video_writer import write_masks, write_video
from models.geometry.camera import Camera
from models.geometry.camera_file import write_camera
from models.geometry.lens import Lens
from models.rendering.appearance import dress_body
from models.rendering.compositor import BackgroundPlate, composite_frames
from models.rendering.gl_scene import GAMMA
from models.sample_footage.room import SampleRoom, in_camera_world, render_empty_room, sample_room, watching_camera
from models.sample_footage.scenes import Act, ActRequest, Scenario, draw_act, draw_person
from models.seeds import generator
from models.types import ACTIONS, COCO_KEYPOINTS, SURFACE_LABELS, Role

VERSION = 1

CATEGORY = {"person": 1, "visitor": 1, "carer": 2, "resident": 3}
FIRST_SURFACE = 11
SKELETON = [
    [16, 14], [14, 12], [17, 15], [15, 13], [12, 13], [6, 12], [7, 13], [6, 7], [6, 8], [7, 9], [8, 10], [9, 11],
    [2, 3], [1, 2], [1, 3], [2, 4], [3, 5], [4, 6], [5, 7],
]  # fmt: skip


class SampleFootageConfig(Config):
    """What sample footage holds."""

    rooms: int = Field(2, ge=1, le=99)
    """Number of rooms, each with one camera."""
    clips_per_room: int = Field(3, ge=1, le=99)
    """Number of clips of each room."""
    seconds: float = Field(8.0, ge=2.0, le=120.0)
    """Length of a clip, seconds."""
    fps: float = Field(15.0, ge=5.0, le=60.0)
    """Frames per second."""
    width_px: int = Field(640, ge=64, multiple_of=2)
    """Width of the image, pixels."""
    height_px: int = Field(480, ge=48, multiple_of=2)
    """Height of the image, pixels."""
    two_people: float = Field(0.4, ge=0.0, le=1.0)
    """Share of clips with a second person."""
    three_people: float = Field(0.0, ge=0.0, le=1.0)
    """Share of those with a third person."""
    scenarios: tuple[Scenario, ...] = Field(("stroll", "fall", "sit", "stroll", "bed", "rise"), min_length=1)
    """What the first person does, clip after clip in each room; what a room has no place for becomes a stroll."""
    noise: float = Field(2.0, ge=0.0)
    """Standard deviation of the sensor's noise, in 0..255."""
    lens: tuple[float, ...] | None = Field(None, min_length=4, max_length=8)
    """OpenCV's radial and tangential coefficients of the camera; a camera.json beside the clips then names them."""
    site: str = Field("home_a", pattern=r"^[A-Za-z0-9-]+(_[A-Za-z0-9-]+)*$")
    """Name of the site: the folder that the rooms lie in."""


@dataclass(frozen=True)
class _EmptyRoom:
    """One room, empty, through its camera."""

    room: SampleRoom
    camera: Camera
    plate: UInt8[np.ndarray, "height width 3"]
    depth: Float32[np.ndarray, "height width"]
    labels: Int[np.ndarray, "height width"]


def run(
    config: SampleFootageConfig, out: Path, seed: int, each_room: Callable[[Callable, Iterable[int]], Iterable] = map
) -> dict:
    """Render everything into `out`, a new or empty folder; returns counts. The same config and seed give the same
    bytes.

    `each_room` calls a function for every room's number, in whatever order and processes, and gives the results in
    order. Raises InputError where `out` already holds something.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(out, "is not an empty folder", "name a new one")
    frames = round(config.seconds * config.fps)
    if config.seconds < 3.0 and "fall" in config.scenarios:
        raise InputError(
            "sample_footage", f"seconds is {config.seconds:g} and scenarios asks for a fall", "give it 3 s or more"
        )
    rows, counts, people = [], {}, 0
    for room_rows, scenarios, actors in each_room(
        functools.partial(render_room_clips, config, out, seed), range(config.rooms)
    ):
        rows += room_rows
        people += actors
        for scenario in scenarios:
            counts[scenario] = counts.get(scenario, 0) + 1
    with (out / "footage.csv").open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle, lineterminator="\n").writerows(
            [["path", "site", "room", "camera", "start", "labels"], *rows]
        )
    return {
        "rooms": config.rooms,
        "clips": len(rows),
        "frames": len(rows) * frames,
        "people": people,
        "scenarios": counts,
    }


def render_room_clips(
    config: SampleFootageConfig, out: Path, seed: int, number: int
) -> tuple[list[list[str]], list[str], int]:
    """Build one room and render its clips; return its rows of footage.csv, what was acted, how many people acted."""
    frames = round(config.seconds * config.fps)
    body = load_body()
    rows, scenarios, people = [], [], 0
    name = f"room_{number + 1:02d}"
    empty = _draw_room(config, body, frames, generator(seed, "sample_footage", name))
    folder = out / config.site / name
    folder.mkdir(parents=True, exist_ok=True)
    sidecar = _empty_sidecar()
    for clip in range(config.clips_per_room):
        stem = f"clip_{clip + 1:02d}"
        rng = generator(seed, "sample_footage", f"{name}/{stem}")
        acts = _draw_acts(config, config.scenarios[(clip + number) % len(config.scenarios)], empty, body, frames, rng)
        truth = out / "truth" / f"{config.site}__{name}__{stem}"
        truth.mkdir(parents=True)
        rendered = _render_clip(config, empty, body, acts, rng)
        write_video(folder / f"{stem}.mp4", rendered.images, config.fps)
        if empty.camera.lens is not None:
            write_camera(empty.camera, folder / "camera.json", with_pose=False)
        _annotate(config, sidecar, f"{stem}.mp4", rendered)
        _write_truth(config, empty, body, rendered, truth)
        start = datetime(2025, 3, 3, 8) + timedelta(days=number, minutes=7 * clip)
        rows.append([f"{config.site}/{name}/{stem}.mp4", config.site, name, "cam_1", start.isoformat(), _labels(acts)])
        people += len(acts)
        scenarios += [act.scenario for act in acts]
    (folder / "annotations.json").write_text(json.dumps(sidecar))
    return rows, scenarios, people


def _labels(acts: list[Act]) -> str:
    seen = dict.fromkeys(ACTIONS[action] for act in acts for action in act.actions)
    return ";".join(seen)


def _draw_room(config: SampleFootageConfig, body: BodyModel, frames: int, rng: np.random.Generator) -> _EmptyRoom:
    """A room whose camera sees enough floor for people to act on: somebody tries it."""
    tester = draw_person(body, "visitor", rng)
    for _ in range(40):
        room = sample_room(rng)
        room, camera = in_camera_world(room, watching_camera(room, rng, config.width_px, config.height_px))
        if config.lens is not None:
            lens = Lens("opencv", np.array(config.lens), camera.intrinsics, camera.width_px, camera.height_px)
            camera = replace(camera, intrinsics=lens.undistorted_intrinsics, lens=lens)
        plate, depth, labels = render_empty_room(room, camera)
        floor = np.isin(labels, [SURFACE_LABELS.index("floor"), SURFACE_LABELS.index("rug")])
        if floor.mean() < 0.22 or depth.min() < 0.5:
            continue
        try:
            draw_act(ActRequest("stroll", tester, "tester", frames, config.fps), room, camera, body, [], rng)
        except Rejected:
            continue
        return _EmptyRoom(room, camera, plate, depth, labels)
    raise RuntimeError("40 rooms in a row had no floor in view to walk on")


def _draw_acts(
    config: SampleFootageConfig,
    scenario: Scenario,
    empty: _EmptyRoom,
    body: BodyModel,
    frames: int,
    rng: np.random.Generator,
) -> list[Act]:
    role: Role = "resident" if scenario == "fall" or rng.uniform() < 0.75 else "visitor"
    scenes: list[tuple[Scenario, Role]] = [(scenario, role)]
    if rng.uniform() < config.two_people:
        scenes.append(("stroll", "carer"))
        if config.three_people > 0.0 and rng.uniform() < config.three_people:
            scenes.append(("stroll", "visitor"))
    acts: list[Act] = []
    for index, (wanted, who) in enumerate(scenes):
        person = draw_person(body, who, rng)
        attempts: tuple[Scenario, ...] = (wanted,) if wanted == "stroll" else (wanted, "stroll")
        for attempt in attempts:
            try:
                request = ActRequest(attempt, person, f"person_{index + 1}", frames, config.fps)
                acts.append(draw_act(request, empty.room, empty.camera, body, acts, rng))
                break
            except Rejected:
                # What has no place here becomes a stroll, and a second person who finds no way stays out.
                continue
    if not acts:
        raise RuntimeError("nobody can walk in a room that was tried before")
    return acts


@dataclass(frozen=True)
class _RenderedClip:
    """One clip as its file and what people click in it are: as the lens gives them; and what is true of it."""

    acts: list[Act]
    images: list[UInt8[np.ndarray, "height width 3"]]
    masks: UInt8[np.ndarray, "time height width"]
    """0 background, i + 1 person i where visible."""
    labels: Int[np.ndarray, "height width"]
    """Of the empty room: index into SURFACE_LABELS, -1 nothing."""
    keypoints_world: Float[np.ndarray, "person time 17 3"]
    keypoints_px: Float[np.ndarray, "person time 17 2"]
    keypoint_flags: Int[np.ndarray, "person time 17"]
    """COCO's v: 0 outside the image, 1 hidden, 2 seen."""
    visibility: Float[np.ndarray, "person time"]
    """Share of each silhouette that is seen."""
    timestamps_s: Float[np.ndarray, "time"]


def _render_clip(
    config: SampleFootageConfig, empty: _EmptyRoom, body: BodyModel, acts: list[Act], rng: np.random.Generator
) -> _RenderedClip:
    """Composite the acts over their room, frame by frame."""
    tint = tuple(float(channel**GAMMA) for channel in empty.room.tint)
    frames = list(
        composite_frames(
            BackgroundPlate(empty.camera, empty.plate, empty.depth),
            body,
            [act.track for act in acts],
            [dress_body(body, act.person.look, act.person.role) for act in acts],
            replace(empty.room.light, colour=tint),
            config.noise,
            float(rng.uniform(0.02, 0.1)),
            rng,
        )
    )
    images, masks = [frame.image for frame in frames], np.stack([frame.mask for frame in frames])
    labels, lens = empty.labels, empty.camera.lens
    with torch.no_grad():
        keypoints_world = np.stack(
            [body.posed(*track_parameters(act.track)).keypoints.double().numpy() for act in acts]
        )
    keypoints = np.nan_to_num(empty.camera.project(keypoints_world))
    if lens is not None:
        images = [lens.distort_image(image) for image in images]
        masks = np.stack([lens.distort_image(mask, exact=True) for mask in masks])
        labels = lens.distort_image((labels + 1).astype(np.uint8), exact=True).astype(labels.dtype) - 1
        keypoints = lens.distort(keypoints)
    return _RenderedClip(
        acts=acts,
        images=images,
        masks=masks,
        labels=labels,
        keypoints_world=keypoints_world,
        keypoints_px=keypoints,
        keypoint_flags=np.stack([frame.keypoint_flags for frame in frames], axis=1),
        visibility=np.stack([frame.visibility for frame in frames], axis=1),
        timestamps_s=np.arange(len(masks)) / config.fps,
    )


def _write_truth(
    config: SampleFootageConfig, empty: _EmptyRoom, body: BodyModel, clip: _RenderedClip, folder: Path
) -> None:
    """Write what is true of a clip, for scoring alone."""
    write_camera(empty.camera, folder / "camera.json")
    _save_npz(folder / "room.npz", depth=empty.depth, labels=empty.labels.astype(np.int8), plate=empty.plate)
    write_masks(folder / "masks.mkv", clip.masks, config.fps)
    tracks = [act.track for act in clip.acts]
    _save_npz(
        folder / "people.npz",
        person=np.array([track.person for track in tracks]),
        role=np.array([track.role for track in tracks]),
        betas=np.stack([track.betas for track in tracks]),
        global_orient=np.stack([track.global_orient for track in tracks]),
        body_pose=np.stack([track.body_pose for track in tracks]),
        transl=np.stack([track.transl for track in tracks]),
        joints_world=np.stack([track_joints(body, track) for track in tracks]),
        keypoints_world=clip.keypoints_world,
        keypoints_px=clip.keypoints_px,
        keypoints_v=clip.keypoint_flags,
        actions=np.stack([act.actions for act in clip.acts]),
        visibility=clip.visibility,
        stature_m=np.array([act.person.shape.stature_m for act in clip.acts]),
        timestamps_s=clip.timestamps_s,
        body=np.array(body.name),
    )
    meta = {
        "body": body.name,
        "body_digest": body.digest,
        "light_direction_world": list(empty.room.light.direction_world),
        "supports": [
            {"label": s.label, "height_m": s.height_m, "outline": s.outline.tolist()} for s in empty.room.supports
        ],
        "acts": [{"person": act.track.person, "scenario": act.scenario, **act.details} for act in clip.acts],
    }
    (folder / "meta.json").write_text(json.dumps(meta, indent=1))


def _save_npz(path: Path, **arrays: np.ndarray) -> None:
    """numpy's own archive carries no time stamps, so that the same arrays give the same bytes."""
    np.savez_compressed(path, allow_pickle=False, **arrays)


def _empty_sidecar() -> dict:
    person = {"supercategory": "person", "keypoints": list(COCO_KEYPOINTS), "skeleton": SKELETON}
    surfaces = [
        {"id": FIRST_SURFACE + i, "name": label, "supercategory": "surface"} for i, label in enumerate(SURFACE_LABELS)
    ]
    return {
        "info": {"description": "sample footage, annotated as a careful human would", "version": str(VERSION)},
        "categories": [{"id": i + 1, "name": name, **person} for i, name in enumerate(("person", "staff", "patient"))]
        + surfaces,
        "images": [],
        "annotations": [],
    }


def _annotate(config: SampleFootageConfig, sidecar: dict, file_name: str, clip: _RenderedClip) -> None:
    """Add one clip to the sidecar."""
    images, annotations = sidecar["images"], sidecar["annotations"]
    every = max(1, round(config.fps))

    def add(image: int, category: int, mask: np.ndarray, with_mask: bool, **more: object) -> None:
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if len(rows) == 0:
            return
        box = [int(columns[0]), int(rows[0]), int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1)]
        entry = {
            "id": len(annotations) + 1,
            "image_id": image,
            "category_id": category,
            "bbox": box,
            "area": int(mask.sum()),
        }
        if with_mask:
            encoded = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
            entry["segmentation"] = {
                "size": [int(side) for side in encoded["size"]],
                "counts": cast(bytes, encoded["counts"]).decode(),
            }
        if "action" in more:
            more["center"] = [box[0] + box[2] / 2, box[1] + box[3] / 2]
        annotations.append(entry | more)

    for frame, mask in enumerate(clip.masks):
        image, key = len(images) + 1, frame % every == 0
        size = {"width": config.width_px, "height": config.height_px}
        stamp = {"frame": frame, "timestamp_s": round(float(clip.timestamps_s[frame]), 6), "key_frame": key}
        images.append({"id": image, "file_name": file_name, **stamp, **size})
        for index, act in enumerate(clip.acts):
            v = clip.keypoint_flags[index, frame]
            xy = np.where(v[:, None] > 0, np.round(clip.keypoints_px[index, frame] * 2) / 2, 0.0)
            add(
                image,
                CATEGORY[act.track.role],
                mask == index + 1,
                key,
                iscrowd=0,
                person_id=index + 1,
                keypoints=[
                    number for (x, y), flag in zip(xy.tolist(), v.tolist(), strict=True) for number in (x, y, flag)
                ],
                num_keypoints=int((v > 0).sum()),
                action=ACTIONS[act.actions[frame]],
            )
        if key:
            for index in range(len(SURFACE_LABELS)):
                add(image, FIRST_SURFACE + index, (clip.labels == index) & (mask == 0), True, iscrowd=1)
