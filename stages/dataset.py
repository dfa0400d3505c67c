"""Dataset: labelled clips to the layout that trainers read.

Inputs: `LabelledClip`s with their videos and masks in folders. Outputs: `clips.csv` (OmniFall style), `frames.parquet`,
`coco_keypoints.json`, `skeletons.pkl` (mmaction2 / PYSKL layout), `clips/*.mp4 *.npz`, `masks/*.mkv`, `dataset.json`.
The layout is DESIGN §3.
"""

import csv
import itertools
import json
import pickle
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from models.geometry.camera import Camera
from models.types import ACTIONS, COCO_KEYPOINTS, SMPL_JOINTS, LabelledClip, Motion, PersonTrack, Room

COCO_SKELETON = (
    (16, 14), (14, 12), (17, 15), (15, 13), (12, 13), (6, 12), (7, 13), (6, 7), (6, 8), (7, 9), (8, 10), (9, 11),
    (2, 3), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7),
)  # fmt: skip
"""Limbs as pairs of keypoint numbers that start at 1, as COCO writes them."""


def run(clips: Sequence[tuple[LabelledClip, Path]], folder: Path, facts: dict[str, Any]) -> None:
    """Write the dataset into an empty folder.

    Each clip comes with the folder that holds its `clip.mp4` and `masks.mkv`. `facts` (what was asked, seeds, digests,
    licences, counts, rejects) becomes `dataset.json`.
    """
    (folder / "clips").mkdir()
    (folder / "masks").mkdir()
    for clip, source in clips:
        shutil.copyfile(source / "clip.mp4", folder / "clips" / f"{clip.clip}.mp4")
        shutil.copyfile(source / "masks.mkv", folder / "masks" / f"{clip.clip}.mkv")
        write_motion(clip.motion, folder / "clips" / f"{clip.clip}.npz", clip.camera)
    labelled = [clip for clip, _ in clips]
    write_clips_csv(labelled, folder / "clips.csv")
    frame_table(labelled).to_parquet(folder / "frames.parquet", index=False)
    (folder / "coco_keypoints.json").write_text(json.dumps(coco(labelled)))
    with (folder / "skeletons.pkl").open("wb") as handle:
        pickle.dump(skeletons(labelled), handle, protocol=4)
    (folder / "dataset.json").write_text(json.dumps(facts, indent=1, default=str))


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


def segments(actions: Int[np.ndarray, "time"]) -> list[tuple[int, int, int]]:
    """Return runs of equal action as (action, first frame, frame after the last)."""
    cuts = [0, *(np.flatnonzero(np.diff(actions)) + 1).tolist(), len(actions)]
    return [(int(actions[a]), a, b) for a, b in itertools.pairwise(cuts)]


def write_clips_csv(clips: Sequence[LabelledClip], path: Path) -> None:
    """Write `path,label,start,end,subject,cam,dataset`: one row a person and run of one action, times in seconds."""
    with path.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["path", "label", "start", "end", "subject", "cam", "dataset"])
        for clip in clips:
            times = clip.motion.timestamps_s
            step = float(np.median(np.diff(times)))
            for person, actions in zip(clip.motion.people, clip.motion.actions, strict=True):
                for action, first, after in segments(actions):
                    if action < 0:
                        continue
                    end = times[after] if after < len(times) else times[-1] + step
                    subject = f"{clip.clip}/{person.person}"
                    row = [f"clips/{clip.clip}.mp4", ACTIONS[action], f"{times[first]:.3f}", f"{end:.3f}"]
                    writer.writerow([*row, subject, clip.room, "careclips"])


def write_motion(motion: Motion, path: Path, camera: Camera | None = None) -> None:
    """Write AMASS-style motion in its own frame: per person `poses` (time, 72), `betas`, `trans`; `mocap_framerate`;
    the camera."""
    times = motion.timestamps_s
    arrays: dict[str, Any] = {
        "timestamps_s": times,
        "mocap_framerate": 1.0 / float(np.median(np.diff(times))),
        "people": np.array([person.person for person in motion.people]),
        "roles": np.array([person.role for person in motion.people]),
    }
    if camera is not None:
        arrays |= {"T_world_camera": camera.T_world_camera, **image_projection(camera)}
    for index, person in enumerate(motion.people):
        arrays[f"poses_{index}"] = smpl_poses(person).astype(np.float32)
        arrays[f"betas_{index}"] = person.betas.astype(np.float32)
        arrays[f"trans_{index}"] = person.transl.astype(np.float32)
        arrays[f"actions_{index}"] = motion.actions[index].astype(np.int8)
        arrays[f"visible_{index}"] = person.visible
    with path.open("wb") as handle:
        np.savez_compressed(handle, **arrays)


def smpl_poses(person: PersonTrack) -> Float[np.ndarray, "time 72"]:
    """Return axis-angle of all 24 joints, root first."""
    return np.concatenate([person.global_orient, person.body_pose], axis=1)


def image_projection(camera: Camera) -> dict[str, np.ndarray]:
    """Return what projects camera coordinates into the clip's images: K, and OpenCV's distortion where there is any.

    `distortion_model` is "" (none), "opencv" (`cv2.projectPoints`) or "fisheye" (`cv2.fisheye.projectPoints`).
    """
    lens = camera.lens
    if lens is None:
        return {"intrinsics": camera.intrinsics, "distortion_model": np.array(""), "distortion": np.zeros(0)}
    model = np.array(lens.model)
    return {"intrinsics": lens.intrinsics, "distortion_model": model, "distortion": lens.coefficients}


def frame_table(clips: Sequence[LabelledClip]) -> pd.DataFrame:
    """Build a table of one row a frame and person."""
    rows = []
    for clip in clips:
        for index, person in enumerate(clip.motion.people):
            poses, pixels = smpl_poses(person), image_projection(clip.camera)
            for frame, time in enumerate(clip.motion.timestamps_s):
                action = int(clip.motion.actions[index, frame])
                rows.append(
                    {
                        "clip": clip.clip,
                        "frame": frame,
                        "timestamp_s": float(time),
                        "person": person.person,
                        "role": person.role,
                        "action": ACTIONS[action] if action >= 0 else "",
                        "bbox_xyxy_px": clip.boxes_px[index, frame].tolist(),
                        "visibility": float(clip.visibility[index, frame]),
                        "keypoints_px": clip.keypoints_px[index, frame].ravel().tolist(),
                        "keypoints_visible": clip.keypoints_visible[index, frame].tolist(),
                        "joints_world": clip.joints_world[index, frame].ravel().tolist(),
                        "smpl_poses": poses[frame].tolist(),
                        "smpl_betas": person.betas.tolist(),
                        "smpl_transl": person.transl[frame].tolist(),
                        "room": clip.room,
                        "intrinsics": pixels["intrinsics"].ravel().tolist(),
                        "distortion_model": str(pixels["distortion_model"]),
                        "distortion": pixels["distortion"].tolist(),
                        "T_world_camera": clip.camera.T_world_camera.ravel().tolist(),
                    }
                )
    return pd.DataFrame(rows)


def coco(clips: Sequence[LabelledClip]) -> dict[str, Any]:
    """Build COCO person keypoints; an image is a frame of a clip, named `clips/<id>.mp4#<frame>`."""
    images, annotations = [], []
    for clip in clips:
        for frame, time in enumerate(clip.motion.timestamps_s):
            image = len(images) + 1
            images.append(
                {
                    "id": image,
                    "file_name": f"clips/{clip.clip}.mp4#{frame}",
                    "frame": frame,
                    "timestamp_s": round(float(time), 6),
                    "width": clip.camera.width_px,
                    "height": clip.camera.height_px,
                }
            )
            for index, person in enumerate(clip.motion.people):
                if clip.visibility[index, frame] <= 0:
                    continue
                x0, y0, x1, y1 = (round(float(value), 2) for value in clip.boxes_px[index, frame])
                flags = clip.keypoints_visible[index, frame]
                points = np.where(flags[:, None] > 0, clip.keypoints_px[index, frame], 0.0).round(2)
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": image,
                        "category_id": 1,
                        "bbox": [x0, y0, round(x1 - x0, 2), round(y1 - y0, 2)],
                        "area": round((x1 - x0) * (y1 - y0), 2),
                        "iscrowd": 0,
                        "keypoints": [
                            v for (x, y), f in zip(points.tolist(), flags.tolist(), strict=True) for v in (x, y, f)
                        ],
                        "num_keypoints": int((flags > 0).sum()),
                        "person": person.person,
                        "role": person.role,
                        "action": ACTIONS[int(clip.motion.actions[index, frame])],
                    }
                )
    category = {
        "id": 1,
        "name": "person",
        "supercategory": "person",
        "keypoints": list(COCO_KEYPOINTS),
        "skeleton": [list(limb) for limb in COCO_SKELETON],
    }
    return {
        "info": {"description": "careclips"},
        "images": images,
        "annotations": annotations,
        "categories": [category],
    }


def clip_label(clip: LabelledClip) -> str:
    """Return the one label of a clip where a trainer wants one: fall if anybody falls, else the longest action."""
    actions = clip.motion.actions[clip.motion.actions >= 0]
    if ACTIONS.index("fall") in actions:
        return "fall"
    return ACTIONS[int(np.bincount(actions, minlength=len(ACTIONS)).argmax())] if len(actions) else "other"


def skeletons(clips: Sequence[LabelledClip]) -> dict[str, Any]:
    """Build the layout of mmaction2 / PYSKL: `annotations` (keypoint [person, time, 17, 2], keypoint_score, label,
    …) and `split`.

    The split is by place in the list: every fifth clip is held out.
    """
    annotations = []
    for clip in clips:
        annotations.append(
            {
                "frame_dir": clip.clip,
                "label": ACTIONS.index(clip_label(clip)),
                "img_shape": (clip.camera.height_px, clip.camera.width_px),
                "original_shape": (clip.camera.height_px, clip.camera.width_px),
                "total_frames": len(clip.motion.timestamps_s),
                "keypoint": np.nan_to_num(clip.keypoints_px).astype(np.float16),
                "keypoint_score": (clip.keypoints_visible / 2.0).astype(np.float16),
                "frame_label": clip.motion.actions.astype(np.int16),
            }
        )
    names = [clip.clip for clip in clips]
    held_out = set(names[4::5])
    split = {"train": [name for name in names if name not in held_out], "val": sorted(held_out)}
    return {"split": split, "annotations": annotations, "classes": list(ACTIONS), "joints": list(SMPL_JOINTS)}
