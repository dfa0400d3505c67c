"""`skeletons.pkl`: 2D skeletons in the layout of mmaction2 and PYSKL (mmaction2's docs, "Skeleton-based action
recognition": `split`, and `annotations` with keypoint [person, time, joint, xy] and keypoint_score).

A pickle, because those trainers read one: of plain values and numpy arrays alone, and read here as nothing else.
"""

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.types import ACTIONS, COCO_KEYPOINTS, LabelledClip

HELD_OUT = slice(1, None, 5)
"""Of the places in the order of their numbers, which are in `val`: the second, the seventh, ..."""


def clip_label(clip: LabelledClip) -> str:
    """Return the one label of a clip where a trainer wants one: fall if anybody falls, else the longest action."""
    actions = clip.motion.actions[clip.motion.actions >= 0]
    if ACTIONS.index("fall") in actions:
        return "fall"
    return ACTIONS[int(np.bincount(actions, minlength=len(ACTIONS)).argmax())] if len(actions) else "other"


def annotation(clip: LabelledClip, place: str) -> dict[str, Any]:
    """Return what the layout says of a clip, a label a frame, and the room that it is in."""
    size = (clip.camera.height_px, clip.camera.width_px)
    return {
        "frame_dir": clip.clip,
        "label": ACTIONS.index(clip_label(clip)),
        "img_shape": size,
        "original_shape": size,
        "total_frames": len(clip.motion.timestamps_s),
        "keypoint": np.nan_to_num(clip.keypoints_px).astype(np.float32),
        "keypoint_score": (clip.keypoints_visible / 2.0).astype(np.float32),
        "frame_label": clip.motion.actions.astype(np.int16),
        "room": place,
    }


def split(annotations: Sequence[dict[str, Any]], places: Sequence[str]) -> tuple[dict[str, list[str]], str]:
    """Return `train` and `val` as lists of clips, which share no room where there is more than one, and how they were
    parted, in words. `places` are the rooms in the order of their numbers."""
    used = [place for place in places if any(one["room"] == place for one in annotations)]
    held_out = used[HELD_OUT]
    names = {one["frame_dir"]: one["room"] for one in annotations}
    if held_out:
        val = [name for name, place in names.items() if place in held_out]
        words = f"by room: val is {', '.join(held_out)}"
    else:
        val, words = list(names)[4::5], "by clip, every fifth is in val: there is one room, so it is in both"
    return {"train": [name for name in names if name not in set(val)], "val": val}, words


def write(path: Path, annotations: Sequence[dict[str, Any]], places: Sequence[str]) -> str:
    """Write the file; returns how train and val were parted."""
    parted, words = split(annotations, places)
    content = {
        "split": parted,
        "annotations": list(annotations),
        "classes": list(ACTIONS),
        "joints": list(COCO_KEYPOINTS),
    }
    with path.open("wb") as handle:
        pickle.dump(content, handle, protocol=4)
    return words


PLAIN = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "_reconstruct"),
}
"""What arrays are made of, and nothing that could run."""


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in PLAIN:
            raise pickle.UnpicklingError(f"holds a {module}.{name}")
        return super().find_class(module, name)


def read(path: Path) -> dict[str, Any]:
    """Read such a file; pickle.UnpicklingError where it holds anything but plain values and numpy arrays."""
    with path.open("rb") as handle:
        return _PlainUnpickler(handle).load()
