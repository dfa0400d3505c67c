"""COCO sidecars: boxes, keypoints, actions and masks that people drew on the footage.

A sidecar is a file `annotations.json` in the clip's folder or above it. `images[].file_name` is the clip's path
relative to the sidecar, `images[].frame` the frame's number as `read_frames` counts. Categories `person`, `staff` and
`patient` are people (`bbox`, `keypoints`, `action`, `person_id`); the names of SURFACE_LABELS are masks of floor, wall
and furniture.
"""

import functools
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int
from pycocotools import mask as coco_mask

from models.errors import InputError
from models.geometry.lens import Lens
from models.types import ACTIONS, SURFACE_LABELS, Annotations, Footage, Person2D, Role

ROLES: dict[str, Role] = {"person": "person", "staff": "carer", "patient": "resident"}
_CONFIDENCE = np.array([0.0, 0.5, 1.0])
"""Of COCO's flags: 0 not labelled, 1 labelled but hidden (a guess), 2 visible."""


def find_sidecar(clip: Path, root: Path) -> Path | None:
    """Find the nearest `annotations.json` from the clip's folder up to the footage root."""
    for folder in (clip if clip.is_dir() else clip.parent, *clip.parents):
        if (folder / "annotations.json").exists():
            return folder / "annotations.json"
        if folder == root:
            return None
    return None


@functools.lru_cache(maxsize=4)
def _read(path: Path, stamp: int) -> dict[str, Any]:
    try:
        raw = json.loads(path.read_text())
        images, annotations, categories = (list(raw[key]) for key in ("images", "annotations", "categories"))
        by_image: dict[int, list[dict]] = {}
        for annotation in annotations:
            by_image.setdefault(annotation["image_id"], []).append(annotation)
        names = {category["id"]: str(category["name"]) for category in categories}
        by_file: dict[str, list[dict]] = {}
        for image in images:
            by_file.setdefault(image["file_name"], []).append(image)
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            path, f"is not a readable COCO file ({error!r})", "write images, annotations, categories"
        ) from error
    return {"files": by_file, "annotations": by_image, "categories": names}


def clip_entries(sidecar: Path, clip: Path) -> dict[str, Any] | None:
    """Return what the sidecar says of one clip alone (images, annotations, categories), or None; its digest is the
    clip's own."""
    content = _read(sidecar, sidecar.stat().st_mtime_ns)
    images = content["files"].get(clip.relative_to(sidecar.parent).as_posix())
    if not images:
        return None
    annotations = [entry for image in images for entry in content["annotations"].get(image["id"], [])]
    return {"images": images, "annotations": annotations, "categories": content["categories"]}


def read_annotations(sidecar: Path, entries: dict[str, Any], footage: Footage) -> tuple[Annotations, list[str]]:
    """Turn one clip's entries into arrays on the clip's (undistorted) frames; and what was skipped, in words.

    Entries of frames that the clip does not have, and of unknown actions, are skipped. Raises InputError on values of
    the wrong shape.
    """
    frames = len(footage.timestamps_s)
    skipped: list[str] = []
    frame_of: dict[int, int] = {}
    for image in entries["images"]:
        frame = image.get("frame")
        if isinstance(frame, int) and 0 <= frame < frames:
            frame_of[image["id"]] = frame
        else:
            skipped.append(f"annotation of frame {frame}: the clip has frames 0 to {frames - 1}")
    people: dict[str, dict[str, Any]] = {}
    surfaces: dict[str, Bool[np.ndarray, "height width"]] = {}
    person_masks: dict[int, Bool[np.ndarray, "height width"]] = {}
    for entry in entries["annotations"]:
        if entry["image_id"] not in frame_of:
            continue
        frame, category = frame_of[entry["image_id"]], entries["categories"].get(entry["category_id"], "")
        mask = _mask(sidecar, entry, footage) if entry.get("segmentation") else None
        if category in ROLES:
            if mask is not None:
                person_masks[frame] = person_masks[frame] | mask if frame in person_masks else mask
            name = f"person_{entry.get('person_id', 1)}"
            if name not in people:
                people[name] = _empty(frames, ROLES[category])
            _add(sidecar, people[name], frame, entry, skipped)
        elif mask is not None:
            label = category if category in SURFACE_LABELS else "other"
            surfaces[label] = surfaces[label] | mask if label in surfaces else mask
    tracks = tuple(
        Person2D(name, one["role"], one["visible"], one["boxes"], one["keypoints"], one["scores"])
        for name, one in sorted(people.items())
    )
    actions = (
        np.stack([people[track.person]["actions"] for track in tracks]) if tracks else np.zeros((0, frames), dtype=int)
    )
    listed = np.isin(np.arange(frames), list(frame_of.values()))
    annotations = Annotations(tracks, actions, surfaces, person_masks, listed)
    return annotations if footage.lens is None else _undistorted(annotations, footage.lens), skipped


def _undistorted(annotations: Annotations, lens: Lens) -> Annotations:
    """Map annotations of the distorted image to the undistorted one."""

    def mask(distorted: Bool[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
        return lens.undistort_image(distorted.astype(np.uint8), exact=True) > 0

    people = tuple(
        replace(
            person,
            boxes_px=lens.undistort_boxes(person.boxes_px),
            keypoints_px=np.where(person.scores[..., None] > 0, lens.undistort(person.keypoints_px), 0.0),
        )
        for person in annotations.people
    )
    return Annotations(
        people,
        annotations.actions,
        {label: mask(distorted) for label, distorted in annotations.surfaces.items()},
        {frame: mask(distorted) for frame, distorted in annotations.person_masks.items()},
        annotations.listed,
    )


def merged_surfaces(
    annotations: Iterable[Annotations | None], height_px: int, width_px: int
) -> Int[np.ndarray, "height width"] | None:
    """Return the index into SURFACE_LABELS per pixel by vote of a camera's clips, -1 where none says anything; None
    without any."""
    votes = np.zeros((len(SURFACE_LABELS), height_px, width_px), dtype=np.uint16)
    for one in annotations:
        for label, mask in (one.surfaces if one else {}).items():
            votes[SURFACE_LABELS.index(label)] += mask
    if not votes.any():
        return None
    return np.where(votes.any(axis=0), votes.argmax(axis=0), -1)


def _empty(frames: int, role: Role) -> dict[str, Any]:
    return {
        "role": role,
        "visible": np.zeros(frames, dtype=bool),
        "boxes": np.zeros((frames, 4)),
        "keypoints": np.zeros((frames, 17, 2)),
        "scores": np.zeros((frames, 17)),
        "actions": np.full(frames, -1),
    }


def _add(sidecar: Path, person: dict[str, Any], frame: int, entry: dict[str, Any], skipped: list[str]) -> None:
    """Write one annotation into a person's arrays."""
    try:
        x, y, width, height = (float(value) for value in entry["bbox"])
        points = np.asarray(entry.get("keypoints", [0] * 51), dtype=np.float64).reshape(17, 3)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            sidecar,
            f"annotation {entry.get('id')}: bbox or keypoints have the wrong shape ({error})",
            "write bbox as [x, y, width, height] and keypoints as 51 numbers",
        ) from error
    if not (np.isfinite(points).all() and np.isfinite([x, y, width, height]).all()):
        raise InputError(sidecar, f"annotation {entry.get('id')} holds a number that is not finite", "correct it")
    person["visible"][frame] = True
    person["boxes"][frame] = (x, y, x + width, y + height)
    person["keypoints"][frame] = points[:, :2]
    person["scores"][frame] = _CONFIDENCE[np.clip(points[:, 2], 0, 2).astype(int)]
    action = entry.get("action")
    if action in ACTIONS:
        person["actions"][frame] = ACTIONS.index(action)
    elif action is not None:
        skipped.append(f"annotation {entry.get('id')}: action {action!r} is none of ours; map it first")


def _mask(sidecar: Path, entry: dict[str, Any], footage: Footage) -> Bool[np.ndarray, "height width"]:
    """Decode a COCO segmentation: run lengths, compressed or not, or polygons."""
    segmentation = entry["segmentation"]
    size = (footage.height_px, footage.width_px)
    encoded: Any
    try:
        if isinstance(segmentation, list):
            encoded = coco_mask.merge(coco_mask.frPyObjects(segmentation, *size))
        elif isinstance(segmentation["counts"], list):
            encoded = coco_mask.frPyObjects(segmentation, *size)
        else:
            encoded = {"size": segmentation["size"], "counts": segmentation["counts"].encode()}
        mask = coco_mask.decode(encoded).astype(bool)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            sidecar, f"annotation {entry.get('id')}: the segmentation cannot be decoded", "correct it"
        ) from error
    if mask.shape != size:
        raise InputError(
            sidecar,
            f"annotation {entry.get('id')}: the mask is {mask.shape[1]}x{mask.shape[0]}, the clip {size[1]}x{size[0]}",
            "annotate at the clip's own size",
        )
    return mask
