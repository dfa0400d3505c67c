"""`coco_keypoints.json`: COCO person keypoints and masks (cocodataset.org/#format-data), one image a frame of a clip.

An image or annotation is one line of the file, so a clip can be added without reading the others into memory.
"""

import json
import shutil
from pathlib import Path
from typing import IO, Any

import numpy as np
from jaxtyping import UInt8
from pycocotools import mask as run_lengths

from models.types import ACTIONS, COCO_KEYPOINTS, LabelledClip

COCO_SKELETON = (
    (16, 14), (14, 12), (17, 15), (15, 13), (12, 13), (6, 12), (7, 13), (6, 7), (6, 8), (7, 9), (8, 10), (9, 11),
    (2, 3), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7),
)  # fmt: skip
"""Limbs as pairs of keypoint numbers that start at 1, as COCO writes them."""
CATEGORY = {
    "id": 1,
    "name": "person",
    "supercategory": "person",
    "keypoints": list(COCO_KEYPOINTS),
    "skeleton": [list(limb) for limb in COCO_SKELETON],
}
LISTS = ("images", "annotations")
"""Of the file, in their order."""


class CocoWriter:
    """Writes a file from an earlier one, if there is one, and the clips that are added."""

    def __init__(self, path: Path, earlier: Path | None = None):
        self.path = path
        self._lists: dict[str, IO[str]] = {
            name: path.with_name(f".{name}.partial").open("w+", encoding="utf-8") for name in LISTS
        }
        self._counts: dict[str, int] = dict.fromkeys(LISTS, 0)
        if earlier is not None:
            self._copy(earlier)

    def _copy(self, earlier: Path) -> None:
        """Take over the lines of a file of ours."""
        with earlier.open(encoding="utf-8") as lines:
            chosen = ""
            for line in lines:
                if line.startswith('"'):
                    chosen = line.split('"')[1]
                elif line.startswith("{") and chosen in LISTS:
                    self._line(chosen, line.rstrip("\n").removesuffix(","))

    def _line(self, name: str, text: str) -> None:
        self._lists[name].write((",\n" if self._counts[name] else "") + text)
        self._counts[name] += 1

    def add(self, clip: LabelledClip, masks: UInt8[np.ndarray, "time height width"], images: bool = False) -> None:
        """Add a clip's frames, images or its video's, and who is seen in them; person k's pixels are k + 1 in the
        masks."""
        for frame, time in enumerate(clip.motion.timestamps_s):
            image = {
                "id": self._counts["images"] + 1,
                "file_name": f"images/{clip.clip}/{frame:06d}.jpg" if images else f"clips/{clip.clip}.mp4",
                "frame": frame,
                "timestamp_s": round(float(time), 6),
                "width": clip.camera.width_px,
                "height": clip.camera.height_px,
            }
            self._line("images", json.dumps(image))
            for index in range(len(clip.motion.people)):
                mask = masks[frame] == index + 1
                if clip.visibility[index, frame] > 0 and mask.any():
                    found = annotation(clip, index, frame, mask)
                    numbers = {"id": self._counts["annotations"] + 1, "image_id": image["id"]}
                    self._line("annotations", json.dumps(numbers | found))

    def close(self) -> None:
        """Put the file together."""
        with self.path.open("w", encoding="utf-8") as whole:
            whole.write('{"info": {"description": "careclips"},\n')
            whole.write(f'"categories": {json.dumps([CATEGORY])}')
            for name, part in self._lists.items():
                whole.write(f',\n"{name}": [\n')
                part.seek(0)
                shutil.copyfileobj(part, whole)
                whole.write("\n]")
            whole.write("}\n")
        for name, part in self._lists.items():
            part.close()
            self.path.with_name(f".{name}.partial").unlink()


def annotation(clip: LabelledClip, index: int, frame: int, mask: np.ndarray) -> dict[str, Any]:
    """Return what COCO says of one person in one frame, and role and action."""
    x0, y0, x1, y1 = (round(float(value), 2) for value in clip.boxes_px[index, frame])
    flags = clip.keypoints_visible[index, frame]
    points = np.where(flags[:, None] > 0, clip.keypoints_px[index, frame], 0.0).round(2)
    encoded: Any = run_lengths.encode(np.asfortranarray(mask, np.uint8))
    action = int(clip.motion.actions[index, frame])
    return {
        "category_id": 1,
        "bbox": [x0, y0, round(x1 - x0, 2), round(y1 - y0, 2)],
        "area": int(run_lengths.area(encoded)),
        "segmentation": {"size": list(mask.shape), "counts": encoded["counts"].decode("ascii")},
        "iscrowd": 0,
        "keypoints": [v for (x, y), f in zip(points.tolist(), flags.tolist(), strict=True) for v in (x, y, f)],
        "num_keypoints": int((flags > 0).sum()),
        "person": clip.motion.people[index].person,
        "role": clip.motion.people[index].role,
        "action": ACTIONS[action] if action >= 0 else "",
    }
