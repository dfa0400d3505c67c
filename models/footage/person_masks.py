"""Where people cover the image: masks of what was seen of them, and frames of a fixed camera with such masks.

In: the people of each clip (`Person2D`) and its video below the footage root. Used wherever an image of the room
alone is wanted: the plate, depth, and the floor that people's feet stand on.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from models.footage.undistorted import frames_at
from models.types import COCO_KEYPOINTS, Footage, Person2D

_LIMBS = ((5, 7), (7, 9), (6, 8), (8, 10), (11, 13), (13, 15), (12, 14), (14, 16))
_LEGS = [
    tuple(COCO_KEYPOINTS.index(f"{side}_{joint}") for joint in ("hip", "knee", "ankle")) for side in ("left", "right")
]


def person_mask(
    people: Iterable[Person2D], frame: int, height_px: int, width_px: int
) -> Bool[np.ndarray, "height width"]:
    """Mark pixels that people may cover in one frame: limbs, torso and head from the keypoints, generously wide.

    Made for keeping people out of a plate, so it covers too much rather than too little.
    """
    mask = np.zeros((height_px, width_px), np.uint8)
    for person in people:
        if person.visible[frame]:
            _cover(mask, person.keypoints_px[frame], person.scores[frame], person.boxes_px[frame])
    return mask.astype(bool)


def _cover(
    mask: UInt8[np.ndarray, "height width"],
    keypoints_px: Float[np.ndarray, "17 2"],
    scores: Float[np.ndarray, "17"],
    box_px: Float[np.ndarray, "4"],
) -> None:
    """Paint one person into the mask."""
    if (scores > 0.0).sum() < 5:
        x0, y0, x1, y1 = (round(float(v)) for v in box_px)
        mask[max(0, y0) : max(0, y1 + 1), max(0, x0) : max(0, x1 + 1)] = 1
        return
    points = np.clip(keypoints_px, -1e4, 1e4).round().astype(np.int32)
    # The box's diagonal is the only measure that a foreshortened body keeps.
    scale = float(np.linalg.norm(box_px[2:] - box_px[:2]))
    limb, trunk = max(3, int(0.11 * scale)), max(3, int(0.13 * scale))
    for a, b in _LIMBS:
        if min(scores[a], scores[b]) > 0.1:
            cv2.line(mask, points[a].tolist(), points[b].tolist(), 1, limb)
    torso = cv2.convexHull(points[[5, 6, 12, 11]])
    cv2.fillConvexPoly(mask, torso, 1)
    cv2.polylines(mask, [torso], True, 1, trunk)
    face = [k for k in range(5) if scores[k] > 0.1]
    head = points[face].mean(0) if face else points[[5, 6]].mean(0)
    cv2.circle(mask, head.round().astype(int).tolist(), max(3, int(0.11 * scale)), 1, -1)
    for ankle in (15, 16):
        if scores[ankle] > 0.1:
            cv2.circle(mask, points[ankle].tolist(), max(3, int(0.08 * scale)), 1, -1)


def nearest_sightings(person: Person2D, frame: int) -> list[int]:
    """Return the frame itself where the person is seen in it, else the last one before and the first one after that
    show them.

    Who is lost for a while is most likely still there (people are lost lying down), and must not end up in the plate.
    """
    if person.visible[frame]:
        return [frame]
    seen = np.flatnonzero(person.visible)
    return [*seen[seen < frame][-1:].tolist(), *seen[seen > frame][:1].tolist()]


def sample_frames(
    root: Path, clips: Sequence[tuple[Footage, Sequence[Person2D]]], wanted: int
) -> tuple[UInt8[np.ndarray, "sample height width 3"], Bool[np.ndarray, "sample height width"]]:
    """Read about `wanted` evenly spaced frames over all clips of one camera, and where people cover them.

    Each clip gives two frames at least. A person who is lost is masked where they were last and next seen.
    """
    each = max(2, -(-wanted // len(clips)))
    frames, masks = [], []
    for footage, people in clips:
        count = len(footage.timestamps_s)
        indices = np.unique(np.linspace(0, count - 1, min(each, count)).round().astype(int)).tolist()
        images = frames_at(root, footage, indices)
        for index in sorted(images):
            frames.append(images[index])
            mask = np.zeros((footage.height_px, footage.width_px), dtype=bool)
            for person in people:
                for frame in nearest_sightings(person, index):
                    mask |= person_mask([person], frame, footage.height_px, footage.width_px)
            masks.append(mask)
    return np.stack(frames), np.stack(masks)


def sample_key_frames(
    root: Path,
    clips: Sequence[tuple[Footage, Int[np.ndarray, "key"] | Sequence[int], Sequence[Person2D]]],
    plate: UInt8[np.ndarray, "height width 3"],
    wanted: int,
) -> tuple[UInt8[np.ndarray, "sample height width 3"], Bool[np.ndarray, "sample height width"]]:
    """Return the plate, then `wanted` key frames (fewer where there are fewer), spread over the clips; and where
    people cover them."""
    images, masks = [plate], [np.zeros(plate.shape[:2], dtype=bool)]
    chosen = [(footage, people, int(frame)) for footage, key_frames, people in clips for frame in key_frames]
    step = max(1, len(chosen) // wanted) if wanted else len(chosen) + 1
    for footage, people, frame in chosen[step - 1 :: step][:wanted]:
        images.append(frames_at(root, footage, [frame])[frame])
        masks.append(person_mask(people, frame, footage.height_px, footage.width_px))
    return np.stack(images), np.stack(masks)


def feet_px(people: Iterable[Person2D], min_score: float = 0.3) -> Float[np.ndarray, "foot 2"]:
    """Return where people's ankles were seen, pixels; of upright people only (hips above knees above ankles)."""
    rows = [np.zeros((0, 2))]
    for person in people:
        points, scores = person.keypoints_px, person.scores
        for hip, knee, ankle in _LEGS:
            fine = person.visible & (scores[:, [hip, knee, ankle]] >= min_score).all(axis=1)
            fine &= (points[:, hip, 1] < points[:, knee, 1]) & (points[:, knee, 1] < points[:, ankle, 1])
            rows.append(points[fine, ankle])
    return np.concatenate(rows)
