"""The privacy search: people who are still in a plate, or in a generated clip and not of our making.

In: a plate, or a clip's frames with the masks of the people who were rendered into it, and a search for people in still
images, by whatever detector is configured (a detector of people, so of faces only as parts of people it sees). Out: the
plate painted over where somebody was found, again and again until nobody is or `rounds` are spent; or how many people
who are not ours a clip shows. Without a detector nothing is searched, and that is said.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from pydantic import Field

from models.config import Config
from models.people2d.pose2d import Pose2D
from models.people2d.still_search import Search, inside

VERSION = 1

NOT_SEARCHED = "not searched: no detector is configured"
SOMEBODY = "somebody else is in the picture"
"""Why a clip is rejected."""

Repair = Callable[
    [UInt8[np.ndarray, "height width 3"], Bool[np.ndarray, "height width"]], UInt8[np.ndarray, "height width 3"]
]
"""Fills the pixels of a plate that are not valid."""


class FindPeopleLeftConfig(Config):
    """How plates and generated clips are searched for people who are not ours."""

    enabled: bool = True
    """Whether they are, where a detector is configured."""
    min_score: float = Field(0.32, ge=0.0, le=1.0)
    """Mean keypoint score from which somebody counts as found: MoveNet gives at most 0.29 to what it takes for people
    in nine emptied real rooms, and more than this in 57 of 66 frames of real people (docs/results.md)."""
    min_size: float = Field(0.12, ge=0.0, le=1.0)
    """Who is smaller than this share of the image's height is not believed: posts and chair legs far away."""
    every: int = Field(10, ge=1)
    """Of a clip's frames every so many-th is searched."""
    min_frames: float = Field(0.2, gt=0.0, le=1.0)
    """Share of the searched frames in which somebody must be found: furniture passes for people now and then."""
    own_share: float = Field(0.5, gt=0.0, le=1.0)
    """Who has this share of their keypoints within our own people, or nearer to them than `own_margin`, is ours."""
    own_margin: float = Field(0.08, ge=0.0)
    """How far around our own people, as a share of their boxes' longer side."""
    rounds: int = Field(3, ge=1)
    """How often a plate is painted over and searched again."""


@dataclass(frozen=True)
class SearchedPlate:
    """A plate after the search."""

    image: UInt8[np.ndarray, "height width 3"]
    valid: Bool[np.ndarray, "height width"]
    painted_over: int
    """People who were found and painted over."""
    left: int
    """People who are still found after the last round."""


def search_plate(
    config: FindPeopleLeftConfig,
    search: Search,
    image: UInt8[np.ndarray, "height width 3"],
    valid: Bool[np.ndarray, "height width"],
    repair: Repair,
) -> SearchedPlate:
    """Search a plate, paint over whom it shows, and search again."""
    painted = 0
    found = believed(config, search(image), image.shape[0])
    for _ in range(config.rounds):
        if not found:
            break
        painted += len(found)
        kept = valid & ~_body_masks(found, valid.shape)
        if not kept.any():
            break
        image, valid = repair(image, kept), kept
        found = believed(config, search(image), image.shape[0])
    return SearchedPlate(image, valid, painted, len(found))


def count_in_clip(
    config: FindPeopleLeftConfig,
    search: Search,
    frames: UInt8[np.ndarray, "time height width 3"],
    own_masks: UInt8[np.ndarray, "time height width"],
    own_boxes_px: Float[np.ndarray, "person time 4"],
) -> int:
    """Return in how many of the searched frames somebody is who is not ours; 0 where these are too few to believe.

    `own_masks` is 0 where none of our people is seen, their boxes cover hidden limbs too.
    """
    looked = range(0, len(frames), config.every)
    others = 0
    for frame in looked:
        ours = _own(config, own_masks[frame], own_boxes_px[:, frame])
        found = believed(config, search(frames[frame]), frames.shape[1])
        others += any(inside(pose, ours) < config.own_share for pose in found)
    return others if others >= max(min(2, len(looked)), config.min_frames * len(looked)) else 0


def believed(config: FindPeopleLeftConfig, found: list[Pose2D], height_px: int) -> list[Pose2D]:
    """Return those who are sure and large enough."""
    return [
        pose
        for pose in found
        if pose.score >= config.min_score
        and float(np.max(pose.box_px[2:] - pose.box_px[:2])) >= config.min_size * height_px
    ]


def _own(
    config: FindPeopleLeftConfig, mask: UInt8[np.ndarray, "height width"], boxes_px: Float[np.ndarray, "person 4"]
) -> Bool[np.ndarray, "height width"]:
    sides = (boxes_px[:, 2:] - boxes_px[:, :2]).max(axis=-1)
    margin = max(2, round(config.own_margin * float(sides.max(initial=0.0))))
    near = cv2.dilate((mask > 0).astype(np.uint8), np.ones((2 * margin + 1,) * 2, np.uint8))
    for x0, y0, x1, y1 in boxes_px[sides > 0].round().astype(int).tolist():
        near[max(0, y0) : y1 + 1, max(0, x0) : x1 + 1] = 1
    return near > 0


def _body_masks(found: list[Pose2D], shape: tuple[int, int]) -> Bool[np.ndarray, "height width"]:
    """What people cover, generously: the hull of their keypoints, wider than a head."""
    mask = np.zeros(shape, np.uint8)
    for pose in found:
        good = pose.keypoints_px[pose.scores >= float(np.percentile(pose.scores, 25))]
        hull = cv2.convexHull(np.clip(good, -1e4, 1e4).round().astype(np.int32))
        size = float(np.max(pose.box_px[2:] - pose.box_px[:2]))
        cv2.fillConvexPoly(mask, hull, 1)
        cv2.polylines(mask, [hull], True, 1, max(3, round(0.25 * size)))
    return mask > 0
