"""Ingest: one clip of footage, and which clips were seen by the same fixed camera.

Inputs: what `models.footage.listing` found in a folder, and the frames of each clip. Outputs: `Clip` (true timestamps,
key frames, background) per clip; the camera of every clip. Source: DESIGN §4, thesis §4.3.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8
from pydantic import Field

from models.config import Config, renamed
from models.errors import InputError, Rejected
from models.footage import listing as footage_listing
from models.footage.frame_clock import FASTEST_HZ
from models.footage.listing import Listing
from models.footage.video import FrameReader
from models.types import Footage

VERSION = 2
SMALLEST_PX = 16
"""Sides of a picture below which nobody is seen in it."""
NARROWEST = 10.0
"""Ratio of a picture's sides above which it is no view of a room."""
THUMBNAILS_BYTES = 256 * 2**20
"""Memory for the small pictures of a clip; of a longer one the few that are needed are read again."""

list_footage = footage_listing.list_footage
"""Lists what is in a folder of footage."""


class IngestConfig(Config):
    """How clips are read and assigned to cameras."""

    min_frames: int = renamed("minimum_frames", "min_frames", 8, ge=2)
    """Frames below which a clip is too short to follow a motion, and is rejected."""
    key_frame_change: float = Field(6.0, gt=0)
    """Mean absolute grey difference to the last key frame, in 0..255, that makes a new one."""
    background_samples: int = Field(15, ge=1)
    """Frames of a clip that its background is the median of."""
    same_camera_px: float = Field(2.0, gt=0)
    """Largest mean shift of the image, pixels at 640 wide, between clips of one camera."""
    matches: int = Field(20, ge=8)
    """Background features that must agree on one motion before two clips are compared at all."""
    fps: float | None = Field(None, gt=0, le=FASTEST_HZ)
    """Frames per second of sources that have no clock of their own: raw streams, images that are only counted; None
    takes the stream's rate, and refuses counted images."""

    def key_values(self) -> dict[str, Any]:
        """Return all values but `fps`, which is in the key of each clip that is dated by it."""
        return {name: value for name, value in super().key_values().items() if name != "fps"}


@dataclass(frozen=True)
class Clip:
    """A clip that can be read."""

    footage: Footage
    key_frames: Int[np.ndarray, "key"]
    """Frame numbers where the image has changed since the last one."""
    background: UInt8[np.ndarray, "height width"]
    """Grey median of the clip at 640 wide."""
    notes: tuple[str, ...] = ()
    """What is to be said of how it was read."""


Frame = UInt8[np.ndarray, "height width 3"]
Grey = UInt8[np.ndarray, "rows columns"]


def run(config: IngestConfig, listing: Listing, frames: Iterable[tuple[float, Frame]], sha256: str) -> Clip:
    """Read one clip: times, key frames, background.

    Long clips are read twice, so `frames` of theirs can be iterated again. Raises Rejected where it is too short to
    show a motion or no view of a room, InputError where it runs faster than any camera.
    """
    timestamps: list[float] = []
    thumbnails: list[Grey] | None = []
    key_frames: list[int] = []
    last_key: Float[np.ndarray, "height width"] | None = None
    size = (0, 0)
    for index, (time, frame) in enumerate(frames):
        if index == 0:
            size = (frame.shape[1], frame.shape[0])
            _check_view(size)
        elif (frame.shape[1], frame.shape[0]) != size:
            raise Rejected(
                "the image size changes within the clip",
                f"frame {index} is {frame.shape[1]}x{frame.shape[0]}, those before {size[0]}x{size[1]}",
            )
        thumbnail = _thumbnail(frame)
        small = cv2.resize(thumbnail, (80, 60), interpolation=cv2.INTER_AREA).astype(np.float64)
        if last_key is None or np.abs(small - last_key).mean() > config.key_frame_change:
            key_frames.append(index)
            last_key = small
        timestamps.append(time)
        if thumbnails is not None:
            thumbnails.append(thumbnail)
            if len(thumbnails) * thumbnail.nbytes > THUMBNAILS_BYTES and not isinstance(frames, Iterator):
                thumbnails = None
    notes = tuple(frames.notes) if isinstance(frames, FrameReader) else ()
    coded = frames.coded_size if isinstance(frames, FrameReader) else None
    if len(timestamps) < config.min_frames:
        detail = f"{len(timestamps)} frame(s), at least {config.min_frames} (ingest.min_frames) are needed"
        raise Rejected("too short", "; ".join([detail, *notes]))
    rate = (len(timestamps) - 1) / (timestamps[-1] - timestamps[0])
    if rate > FASTEST_HZ * 1.02:
        raise InputError(
            listing.path,
            f"gives {rate:.0f} frames a second, expected at most {FASTEST_HZ:.0f}",
            "say its true rate in ingest.fps",
        )
    count = len(timestamps)
    samples = np.linspace(0, count - 1, min(config.background_samples, count)).round().astype(int).tolist()
    if thumbnails is None:
        again = _thumbnails_at(frames, set(samples))
        background = _median([again[number] for number in samples])
    else:
        background = _median([thumbnails[number] for number in samples])
    footage = Footage(
        clip=listing.clip,
        path=str(listing.path),
        site=listing.row.get("site", ""),
        room=listing.row.get("room", ""),
        camera=listing.row.get("camera", ""),
        timestamps_s=np.array(timestamps),
        width_px=size[0],
        height_px=size[1],
        sha256=sha256,
    )
    if coded is not None and coded != size:
        footage = replace(footage, coded_width_px=coded[0], coded_height_px=coded[1])
    return Clip(footage, np.array(key_frames), background, notes)


def _check_view(size: tuple[int, int]) -> None:
    if min(size) < SMALLEST_PX or max(size) > NARROWEST * min(size):
        raise Rejected(
            "the picture is no view of a room",
            f"it is {size[0]}x{size[1]} px, expected sides of {SMALLEST_PX} px at least, none more than "
            f"{NARROWEST:g} times the other",
        )


def _thumbnail(frame: Frame) -> Grey:
    """Grey picture of 640 pixels wide."""
    height = round(640 * frame.shape[0] / frame.shape[1])
    return cv2.cvtColor(cv2.resize(frame, (640, height), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)


def _thumbnails_at(frames: Iterable[tuple[float, Frame]], numbers: set[int]) -> dict[int, Grey]:
    found = {}
    for number, (_, frame) in enumerate(frames):
        if number in numbers:
            found[number] = _thumbnail(frame)
            if len(found) == len(numbers):
                break
    return found


def _median(thumbnails: list[Grey]) -> Grey:
    return np.median(np.stack(thumbnails), axis=0).astype(np.uint8)


def assign_cameras(config: IngestConfig, clips: list[Clip]) -> tuple[list[Footage], list[str]]:
    """Give every clip its camera, and say in words where a camera was found to have moved.

    Clips with a camera in footage.csv keep it, unless their background registers with its other clips at more than
    `same_camera_px`: then the camera was bumped and is a new one (`name~2`). Clips without share a camera only if their
    sizes match and their backgrounds register within `same_camera_px`.
    """
    detector = cv2.SIFT.create(1500)
    features = [detector.detectAndCompute(clip.background, None) for clip in clips]
    representatives: dict[str, list[int]] = {}
    bases: dict[str, str] = {}
    named: list[Footage] = []
    notes: list[str] = []
    for index, clip in enumerate(clips):
        footage = clip.footage
        given = "/".join(part for part in (footage.site, footage.room, footage.camera) if part)
        chosen, bumped_from = None, None
        for camera, members in representatives.items():
            if footage.camera and bases[camera] != given:
                continue
            other = clips[members[0]].footage
            if (other.width_px, other.height_px) != (footage.width_px, footage.height_px):
                continue
            shift = _shift_px(features[members[0]], features[index], clip.background.shape, config.matches)
            if shift is None and footage.camera:
                chosen = camera
                break
            if shift is not None and shift <= config.same_camera_px:
                chosen = camera
                break
            if shift is not None:
                bumped_from = (camera, shift)
        if chosen is None:
            base = given or "camera"
            count = sum(1 for name in bases.values() if name == base) + 1
            chosen = base if footage.camera and count == 1 else f"{base}~{count}" if given else f"camera_{count}"
            bases[chosen] = base
            if bumped_from is not None:
                notes.append(
                    f"{footage.clip}: the view has moved {bumped_from[1]:.1f} px (at 640 wide) from {bumped_from[0]}; "
                    f"it counts as a new camera, {chosen}"
                )
        representatives.setdefault(chosen, []).append(index)
        named.append(replace(footage, camera=chosen, room=footage.room or chosen))
    return named, notes


def _shift_px(features_a: tuple, features_b: tuple, shape: tuple[int, ...], matches: int) -> float | None:
    """Mean shift of corners and centre under the similarity that maps background a to b; None if they do not match."""
    (points_a, descriptors_a), (points_b, descriptors_b) = features_a, features_b
    if descriptors_a is None or descriptors_b is None or min(len(points_a), len(points_b)) < 2:
        return None
    pairs = cv2.BFMatcher().knnMatch(descriptors_a, descriptors_b, k=2)
    good = [pair[0] for pair in pairs if len(pair) == 2 and pair[0].distance < 0.75 * pair[1].distance]
    if len(good) < matches:
        return None
    source = np.array([points_a[match.queryIdx].pt for match in good], dtype=np.float32)
    target = np.array([points_b[match.trainIdx].pt for match in good], dtype=np.float32)
    cv2.setRNGSeed(0)
    affine, inliers = cv2.estimateAffinePartial2D(source, target, method=cv2.RANSAC, ransacReprojThreshold=3.0)
    if affine is None or int(inliers.sum()) < matches:
        return None
    height, width = shape
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height], [width / 2, height / 2]], dtype=np.float64)
    return float(np.linalg.norm(corners @ affine[:, :2].T + affine[:, 2] - corners, axis=1).mean())
