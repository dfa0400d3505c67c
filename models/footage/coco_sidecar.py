"""COCO sidecars: boxes, keypoints, actions and masks that people drew on the footage, as arrays on the clip's frames.

Categories `person`, `staff` and `patient` are people (`bbox`, `keypoints`, `action`, `person_id`); the names of
SURFACE_LABELS are masks of floor, wall and furniture. How files are found, and what other programs' words mean, is for
`models.footage.coco_file` to say. Work and memory are linear in the annotations: masks stay run lengths.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int
from pycocotools import mask as coco_mask

from models.errors import Rejected
from models.footage.annotation_words import ROLES
from models.footage.coco_file import Skipped
from models.footage.coco_masks import RunLengths, is_number, run_lengths
from models.geometry.lens import Lens
from models.geometry.run_lengths import RunLengthMasks
from models.types import ACTIONS, SURFACE_LABELS, Annotations, Footage, Person2D, Role

_CONFIDENCE = np.array([0.0, 0.5, 1.0])
"""Of COCO's flags: 0 not labelled, 1 labelled but hidden (a guess), 2 visible."""
SAME_ASPECT = 0.01
"""Largest difference of two aspects, as a share, that rounding to whole pixels explains."""


def named_sizes(entries: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Return the sizes (width, height) that a clip's entries say their images have, in ascending order."""
    sizes = {(image.get("width"), image.get("height")) for image in entries["images"]}
    return sorted(size for size in sizes if all(type(side) is int and side > 0 for side in size))


def read_annotations(sidecar: Path, entries: Mapping[str, Any], footage: Footage) -> tuple[Annotations, list[str]]:
    """Turn one clip's entries (`coco_file.clip_entries`) into arrays on the clip's (undistorted) frames; and what was
    left out, in words.

    Annotations made at another size are scaled where the aspect agrees. What cannot be used is left out and counted: an
    annotation, its mask or its keypoints, or an image of a frame that the clip does not have. Frames of which somebody
    was left out count as not listed.
    """
    frames, name = len(footage.timestamps_s), sidecar.name
    skipped = Skipped(map(tuple, entries.get("skipped", ())))
    placed, images_skipped = _placed(entries, footage)
    doubtful, people = set(entries.get("doubtful", ())), {}
    surfaces: dict[str, list[RunLengths]] = {}
    person_masks: dict[int, list[RunLengths]] = {}
    taken: dict[tuple[str, int], Any] = {}
    shown = footage.width_px, footage.height_px
    for entry in entries["annotations"]:
        if entry["image_id"] not in placed:
            continue
        (frame, annotated), category = placed[entry["image_id"]], entries["categories"][entry["category_id"]]
        mask = None
        try:
            if entry.get("segmentation"):
                mask = run_lengths(entry["segmentation"], annotated, shown)
        except Rejected as error:
            skipped.add(f"its mask is not used: {error.reason}", entry.get("id"))
        if category in ROLES:
            if mask is not None:
                person_masks.setdefault(frame, []).append(mask)
            person = f"person_{_plain(entry.get('person_id', 1))}"
            try:
                row = _Row(entry, annotated, shown, skipped)
            except Rejected as error:
                skipped.add(error.reason, entry.get("id"))
                doubtful.add(str(entry["image_id"]))
                continue
            if (person, frame) in taken:
                skipped.add(f"{person} has another one in its frame, which is kept", taken[person, frame])
            taken[person, frame] = entry.get("id")
            row.write(people.setdefault(person, _empty(frames, ROLES[category])), frame)
        elif mask is not None:
            surfaces.setdefault(category if category in SURFACE_LABELS else "other", []).append(mask)
        elif category not in SURFACE_LABELS:
            skipped.add(f"its category {category!r:.40} is none of ours, and it has no mask", entry.get("id"))
    tracks = tuple(
        Person2D(person, one["role"], one["visible"], one["boxes"], one["keypoints"], one["scores"])
        for person, one in sorted(people.items())
    )
    actions = (
        np.stack([people[track.person]["actions"] for track in tracks]) if tracks else np.zeros((0, frames), dtype=int)
    )
    listed = np.zeros(frames, dtype=bool)
    for image, (frame, _) in placed.items():
        listed[frame] = str(image) not in doubtful
    annotations = Annotations(
        tracks,
        actions,
        {label: coco_mask.decode(coco_mask.merge(masks)).astype(bool) for label, masks in surfaces.items()},
        RunLengthMasks.of({frame: coco_mask.merge(masks) for frame, masks in person_masks.items()}, *shown[::-1]),
        listed,
    )
    words = [*images_skipped.words(name, "image"), *skipped.words(name)]
    return annotations if footage.lens is None else _undistorted(annotations, footage.lens), words


def _placed(entries: Mapping[str, Any], footage: Footage) -> tuple[dict[Any, tuple[int, tuple[int, int]]], Skipped]:
    """Frame and annotated size of each image by its id, and which images have none."""
    frames, skipped = len(footage.timestamps_s), Skipped()
    placed: dict[Any, tuple[int, tuple[int, int]]] = {}
    numbers = sorted({image["frame"] for image in entries["images"]})
    first = 0
    if entries.get("counted") and numbers:
        # Numbers of image files: they are the video's where they end with it, or were thinned out by hand.
        first = 1 if numbers[0] >= 1 and numbers[-1] == frames else 0
        steps = np.diff(numbers)
        if numbers[-1] - first != frames - 1 and not (len(steps) and steps.min() > 1):
            for image in entries["images"]:
                skipped.add(
                    f"which frame it is cannot be told: the files' numbers go from {numbers[0]} to {numbers[-1]} and "
                    f"the clip has {frames} frames; write `frame`, counted from 0, into images",
                    image.get("file_name"),
                )
            return placed, skipped
    shown = footage.width_px, footage.height_px
    coded = footage.coded_px or shown
    for image in entries["images"]:
        frame = image["frame"] - first
        if not 0 <= frame < frames:
            skipped.add(f"it is of frame {image['frame']}: the clip has frames 0 to {frames - 1}", image["id"])
            continue
        width, height = image.get("width"), image.get("height")
        if width is None and height is None:
            size = coded
        elif not (is_number(width) and is_number(height)) or min(width, height) < 1:
            skipped.add(f"its width and height are {width!r:.20} and {height!r:.20}", image["id"])
            continue
        else:
            size = round(width), round(height)
            if not any(_same_aspect(size, other) for other in (shown, coded)):
                skipped.add(
                    f"it was annotated at {size[0]}x{size[1]} and the clip is {shown[0]}x{shown[1]}, of another aspect"
                    "; export them at the clip's own size",
                    image["id"],
                )
                continue
        placed[image["id"]] = frame, size
    return placed, skipped


def _same_aspect(first: tuple[int, int], second: tuple[int, int]) -> bool:
    if first == second:
        return True
    # Sides are whole pixels: of a small image, one of them more or less is a larger share.
    allowed = max(SAME_ASPECT, 1.0 / min(*first, *second))
    return abs(first[0] * second[1] / (first[1] * second[0]) - 1.0) <= allowed


class _Row:
    """What one annotation says of one person in one frame, on the clip's own images."""

    def __init__(self, entry: dict, annotated: tuple[int, int], shown: tuple[int, int], skipped: Skipped):
        """Check and scale it; Rejected where its box is none. Keypoints that are none are left out, and counted."""
        scale = np.array(shown) / np.array(annotated)
        box = entry.get("bbox")
        if not isinstance(box, list) or len(box) != 4 or not all(is_number(value) for value in box):
            raise Rejected("its bbox is not [x, y, width, height]")
        x, y, width, height = (float(value) for value in box)
        if width <= 0.0 or height <= 0.0:
            raise Rejected("its bbox has no extent")
        if x >= annotated[0] or y >= annotated[1] or x + width <= 0.0 or y + height <= 0.0:
            raise Rejected(
                f"its bbox lies outside the image of {annotated[0]}x{annotated[1]}; write the size that it was drawn at"
                " into images, as width and height"
            )
        self.box = np.array([x, y, x + width, y + height]) * np.tile(scale, 2)
        self.keypoints, self.scores = np.zeros((17, 2)), np.zeros(17)
        given = entry.get("keypoints")
        if given is not None:
            if not isinstance(given, list) or len(given) != 51 or not all(is_number(value) for value in given):
                skipped.add("its keypoints are not used: they are not 17 times x, y, v", entry.get("id"))
            else:
                points = np.array(given, dtype=np.float64).reshape(17, 3)
                if not np.isin(points[:, 2], (0.0, 1.0, 2.0)).all():
                    odd = float(points[~np.isin(points[:, 2], (0.0, 1.0, 2.0)), 2][0])
                    skipped.add(f"its keypoints are not used: v is {odd:g}, and not 0, 1 or 2", entry.get("id"))
                else:
                    self.keypoints = points[:, :2] * scale
                    self.scores = _CONFIDENCE[points[:, 2].astype(int)]
        action = entry.get("action")
        self.action = ACTIONS.index(action) if isinstance(action, str) and action in ACTIONS else -1
        if action is not None and self.action < 0:
            skipped.add(f"its action {action!r:.40} is none of ours; map it first", entry.get("id"))

    def write(self, person: dict[str, Any], frame: int) -> None:
        """Write it into the person's arrays."""
        person["visible"][frame] = True
        person["boxes"][frame] = self.box
        person["keypoints"][frame] = self.keypoints
        person["scores"][frame] = self.scores
        if self.action >= 0:
            person["actions"][frame] = self.action


def _plain(who: Any) -> str:
    """An id as a part of a name that may become a file's: letters, digits, low lines, dots and hyphens."""
    text = str(int(who)) if isinstance(who, float) and who.is_integer() else str(who)
    return "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in text)[:60]


def _undistorted(annotations: Annotations, lens: Lens) -> Annotations:
    """Map annotations of the distorted image to the undistorted one."""

    def mask(distorted: Bool[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
        return lens.undistort_image(distorted.astype(np.uint8), exact=True) > 0

    def encoded(distorted: Bool[np.ndarray, "height width"]) -> RunLengths:
        return coco_mask.encode(np.asfortranarray(mask(distorted).astype(np.uint8)))

    people = tuple(
        replace(
            person,
            boxes_px=lens.undistort_boxes(person.boxes_px),
            keypoints_px=np.where(person.scores[..., None] > 0, lens.undistort(person.keypoints_px), 0.0),
        )
        for person in annotations.people
    )
    masks = {frame: encoded(distorted) for frame, distorted in annotations.person_masks.items()}
    return Annotations(
        people,
        annotations.actions,
        {label: mask(distorted) for label, distorted in annotations.surfaces.items()},
        RunLengthMasks.of(masks, lens.height_px, lens.width_px),
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
