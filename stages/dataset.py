"""Dataset: labelled clips to the layout that trainers read, clip by clip, beside those that it holds already.

Inputs: `LabelledClip`s with their videos and masks in folders. Outputs: `clips.csv` (OmniFall), `frames.parquet`,
`coco_keypoints.json`, `skeletons.pkl` (mmaction2 / PYSKL), `clips/*.mp4 *.npz`, `masks/*.mkv`, `images/*/*.jpg` where
asked for, `dataset.json`, each written by models/dataset. The layout is DESIGN §3.
"""

import json
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from models.body.model import BodyModel
from models.config import Config
from models.dataset import skeletons
from models.dataset.coco import CocoWriter
from models.dataset.frames import FramesWriter
from models.dataset.omnifall import SegmentsWriter
from models.files import file_digest
from models.footage.video import read_frames
from models.footage.video_writer import read_masks
from models.mocap.clip_file import write_motion, write_other_people
from models.types import ACTIONS, LabelledClip, Room

FORMAT = 2
"""Of the files: clips of a dataset of another format are written anew."""
CLIPS_PER_PART = 250
TABLES = ("clips.csv", "frames.parquet", "coco_keypoints.json", "skeletons.pkl")


class DatasetConfig(Config):
    """What a dataset holds besides its clips."""

    images: bool = False
    """Whether every frame is written as `images/<id>/<frame>.jpg`, for readers of COCO that open `file_name` as an
    image; else that is the clip's video, since images take several times its space."""


def run(
    config: DatasetConfig,
    clips: Iterable[tuple[LabelledClip, Path]],
    folder: Path,
    facts: dict[str, Any],
    body: BodyModel,
    earlier: Path | None = None,
) -> None:
    """Write the dataset into an empty folder: what `earlier`, another dataset, holds, then the clips, one at a time.

    Each clip comes with the folder that holds its `clip.mp4` and `masks.mkv`. `facts` (what was asked, seeds, digests,
    licences, counts, rejects; `cameras`, the number of every camera by the name that clips have as `room`; `clips`, the
    key of every clip) become `dataset.json`.
    """
    (folder / "clips").mkdir()
    (folder / "masks").mkdir()
    parts: list[list[str]] = []
    found: list[dict[str, Any]] = []
    if earlier is not None:
        for name in ("clips", "masks", "frames.parquet", *(["images"] if config.images else [])):
            shutil.copytree(earlier / name, folder / name, copy_function=_link, dirs_exist_ok=True)
        shutil.copyfile(earlier / "clips.csv", folder / "clips.csv")
        parts = json.loads((earlier / "dataset.json").read_text())["parts"]
        found = skeletons.read(earlier / "skeletons.pkl")["annotations"]
    cameras: dict[str, int] = facts["cameras"]
    segments = SegmentsWriter(folder / "clips.csv")
    frames = FramesWriter(folder / "frames.parquet", CLIPS_PER_PART)
    coco = CocoWriter(folder / "coco_keypoints.json", earlier and earlier / "coco_keypoints.json")
    for clip, source in clips:
        shutil.copyfile(source / "clip.mp4", folder / "clips" / f"{clip.clip}.mp4")
        shutil.copyfile(source / "masks.mkv", folder / "masks" / f"{clip.clip}.mkv")
        motion = folder / "clips" / f"{clip.clip}.npz"
        write_motion(clip.motion, motion, body, clip.camera)
        write_other_people(clip.motion, motion, body)
        segments.add(clip, cameras[clip.room])
        frames.add(clip)
        coco.add(clip, read_masks(source / "masks.mkv"), config.images)
        if config.images:
            _write_images(source / "clip.mp4", folder / "images" / clip.clip)
        found.append(skeletons.annotation(clip, place_of(clip.room)))
    for writer in (segments, frames, coco):
        writer.close()
    places = list(dict.fromkeys(place_of(name) for name in sorted(cameras, key=lambda name: cameras[name])))
    more = {
        "format": FORMAT,
        "images": config.images,
        "classes": dict(enumerate(ACTIONS)),
        "split": skeletons.write(folder / "skeletons.pkl", found, places),
        "parts": parts + frames.parts,
        "tables": {name: file_digest(folder / name) for name in TABLES},
    }
    (folder / "dataset.json").write_text(json.dumps(facts | more, indent=1, default=str))


def place_of(camera: str) -> str:
    """Return the room that a camera looks into: what stands before the last slash of its name."""
    return camera.rpartition("/")[0] or camera


def kept(config: DatasetConfig, dataset: Path, clips: Sequence[tuple[str, str]], cameras: dict[str, int]) -> int:
    """Return how many of the clips (id, key), from the first on, a dataset holds as they would be written now: all
    that it holds, or none where it holds others, or was changed since."""
    try:
        facts = json.loads((dataset / "dataset.json").read_text())
        names = [name for part in facts["parts"] for name in part]
        there = list(zip(names, facts["clips"], strict=True))
        same = (facts["format"], facts["images"]) == (FORMAT, config.images) and there == list(clips[: len(there)])
        same = same and facts["cameras"].items() <= cameras.items()
        if not same or any(file_digest(dataset / name) != facts["tables"][name] for name in TABLES):
            return 0
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return 0
    files = [form.format(name) for name in names for form in ("clips/{}.mp4", "clips/{}.npz", "masks/{}.mkv")]
    files += [f"images/{name}/{0:06d}.jpg" for name in names if config.images]
    return len(there) if all((dataset / file).is_file() for file in files) else 0


def _link(source: str, target: str) -> None:
    """Link a file, or copy it where the disk cannot."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _write_images(clip: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    for frame, (_, image) in enumerate(read_frames(clip)):
        Image.fromarray(image).save(folder / f"{frame:06d}.jpg", quality=92)


def write_room_map(folder: Path, name: str, room: Room) -> None:
    """Write a room's walkable and occupied cells and its camera, as the report draws them: `<name, / as _>.npz`."""
    with (folder / f"{name.replace('/', '_')}.npz").open("wb") as handle:
        np.savez_compressed(
            handle,
            walkable=room.walkable,
            occupied=(room.occupancy == 1).any(axis=2),
            grid_origin=room.grid_origin,
            grid_cell_m=room.grid_cell_m,
            T_world_camera=room.camera.T_world_camera,
            name=name,
        )
