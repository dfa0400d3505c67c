"""Where people cover the image: masks of what was seen of them, and frames of a fixed camera with such masks.

In: the people of each clip (`Person2D`) and its video below the footage root. Used wherever an image of the room
alone is wanted: the plate, depth, and the floor that people's feet stand on.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from models.footage.frame_choice import candidates, chosen_frames
from models.footage.undistorted import frames_at
from models.types import COCO_KEYPOINTS, Footage, Person2D

CANDIDATES = 400
"""Frames of a camera among which those are chosen that show its room."""
CHOICE_PX = 80
"""Longer side of the images in which they are."""

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
    for knee, ankle in ((13, 15), (14, 16)):
        if scores[ankle] > 0.1:
            # A foot ends farther along the shin than the ankle, and farther still where the ankle was seen too high.
            shin = keypoints_px[ankle] - keypoints_px[knee]
            toes = keypoints_px[ankle] + 0.12 * scale * shin / max(float(np.linalg.norm(shin)), 1.0)
            toes = np.clip(toes, -1e4, 1e4).round().astype(np.int32)
            cv2.line(mask, points[ankle].tolist(), toes.tolist(), 1, max(3, int(0.16 * scale)))


def nearest_sightings(person: Person2D, frame: int) -> list[int]:
    """Return the frame itself where the person is seen in it, else the last one before and the first one after that
    show them.

    Who is lost for a while is most likely still there (people are lost lying down), and must not end up in the plate.
    """
    if person.visible[frame]:
        return [frame]
    seen = np.flatnonzero(person.visible)
    return [*seen[seen < frame][-1:].tolist(), *seen[seen > frame][:1].tolist()]


@dataclass(frozen=True)
class RoomSamples:
    """Frames of a fixed camera, chosen to show its room."""

    frames: UInt8[np.ndarray, "sample height width 3"]
    """RGB."""
    masks: Bool[np.ndarray, "sample height width"]
    """Where people may be, generously."""
    clips: Int[np.ndarray, "sample"]
    """Number of the clip that each is of."""


def sample_frames(
    root: Path,
    clips: Sequence[tuple[Footage, Sequence[Person2D], Bool[np.ndarray, "_"]]],
    wanted: int,
    max_clips: int = 12,
) -> RoomSamples | None:
    """Read at most `wanted` frames of one camera that together uncover the room best, and where people cover them.

    Of each clip: its people, and in which of its frames people were looked for; others are not read. A person who is
    lost is masked where they were last and next seen. None where people were looked for in no frame at all.
    """
    tried = candidates([looked for _, _, looked in clips], CANDIDATES, max_clips)
    if not tried:
        return None
    covered = []
    for clip, frame in tried:
        footage, people, _ = clips[clip]
        scale = CHOICE_PX / max(footage.width_px, footage.height_px)
        small = [replace(p, keypoints_px=p.keypoints_px * scale, boxes_px=p.boxes_px * scale) for p in people]
        size = max(1, round(footage.height_px * scale)), max(1, round(footage.width_px * scale))
        covered.append(_people_near_in_time(small, frame, *size))
    numbers = np.array([clip for clip, _ in tried])
    picked = [tried[index] for index in chosen_frames(np.stack(covered), numbers, wanted)]
    frames, masks, numbers = [], [], []
    for clip, (footage, people, _) in enumerate(clips):
        indices = [frame for number, frame in picked if number == clip]
        images = frames_at(root, footage, indices) if indices else {}
        for index in sorted(images):
            frames.append(images[index])
            masks.append(_people_near_in_time(people, index, footage.height_px, footage.width_px))
            numbers.append(clip)
    return RoomSamples(np.stack(frames), np.stack(masks), np.array(numbers))


def _people_near_in_time(
    people: Iterable[Person2D], index: int, height_px: int, width_px: int
) -> Bool[np.ndarray, "height width"]:
    """Mask of the people in a frame, and of those who are lost where they were last and next seen."""
    mask = np.zeros((height_px, width_px), dtype=bool)
    for person in people:
        for frame in nearest_sightings(person, index):
            mask |= person_mask([person], frame, height_px, width_px)
    return mask


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
