"""Ingest: what is in a folder of footage, clip by clip, and which clips were seen by the same fixed camera.

Inputs: videos that PyAV opens or folders of images, optionally `footage.csv` (path, site, room, camera, start, labels).
Outputs: `Clip` (true timestamps, key frames, background) per clip; the camera of every clip. Source: DESIGN §4, thesis
§4.3.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8
from pydantic import Field

from models.config import Config, renamed
from models.errors import InputError, Rejected
from models.footage.video import IMAGE_SUFFIXES, VIDEO_SUFFIXES, is_image_folder
from models.types import Footage

VERSION = 2
TRUTH_FOLDER = "truth"
"""Name of the folder of exact answers beside sample footage: scoring alone opens it."""


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


@dataclass(frozen=True)
class Clip:
    """A clip that can be read."""

    footage: Footage
    key_frames: Int[np.ndarray, "key"]
    """Frame numbers where the image has changed since the last one."""
    background: UInt8[np.ndarray, "height width"]
    """Grey median of the clip at 640 wide."""


@dataclass(frozen=True)
class Listing:
    """One entry of a footage folder."""

    clip: str
    path: Path
    row: dict[str, str]
    """Its row of footage.csv; empty without one."""


def list_footage(root: Path) -> list[Listing]:
    """List every video and image folder below `root`, sorted by path; `truth` folders are passed over.

    Raises InputError where there is nothing, or where footage.csv names a file that is not there or leaves the folder.
    """
    if not root.is_dir():
        raise InputError(root, "is not a folder", "give the folder that holds the videos")
    rows = _read_footage_csv(root)
    if rows:
        return [Listing(_clip_name(path), root / path, row) for path, row in sorted(rows.items())]
    found = []
    for path in sorted(root.rglob("*")):
        relative = PurePosixPath(path.relative_to(root))
        if TRUTH_FOLDER in relative.parts or any(part.startswith(".") for part in relative.parts):
            continue
        if path.is_file() and path.suffix.lower() in VIDEO_SUFFIXES or is_image_folder(path):
            found.append(Listing(_clip_name(relative), path, {}))
    if not found:
        raise InputError(
            root, "holds no video and no folder of images", "give a folder with mp4, mkv, mov, avi, … files"
        )
    return found


def _clip_name(relative: PurePosixPath) -> str:
    suffixes = VIDEO_SUFFIXES | IMAGE_SUFFIXES
    path = relative.with_suffix("") if relative.suffix.lower() in suffixes else relative
    return "__".join(path.parts)


def _read_footage_csv(root: Path) -> dict[PurePosixPath, dict[str, str]]:
    table = root / "footage.csv"
    if not table.exists():
        return {}
    rows: dict[PurePosixPath, dict[str, str]] = {}
    with table.open(newline="", encoding="utf-8") as handle:
        reader = csv.DictReader(handle)
        missing = {"path", "camera"} - set(reader.fieldnames or [])
        if missing:
            raise InputError(table, f"has no column {min(missing)!r}", "give at least the columns path,camera")
        for number, row in enumerate(reader, start=2):
            path = PurePosixPath(row["path"])
            if path.is_absolute() or ".." in path.parts:
                raise InputError(table, f"line {number}: {path} leaves the footage folder", "give paths below it")
            if not (root / path).exists():
                raise InputError(table, f"line {number}: {path} is not there", "correct the path or remove the line")
            rows[path] = {key: value or "" for key, value in row.items() if key}
    return rows


def run(
    config: IngestConfig,
    listing: Listing,
    frames: Iterable[tuple[float, UInt8[np.ndarray, "height width 3"]]],
    sha256: str,
) -> Clip:
    """Read one clip: times, key frames, background. Raises Rejected where it is too short to show a motion."""
    timestamps: list[float] = []
    thumbnails: list[UInt8[np.ndarray, "height width"]] = []
    key_frames: list[int] = []
    last_key: Float[np.ndarray, "height width"] | None = None
    size = (0, 0)
    for index, (time, frame) in enumerate(frames):
        if index == 0:
            size = (frame.shape[1], frame.shape[0])
        elif (frame.shape[1], frame.shape[0]) != size:
            raise Rejected(
                "the image size changes within the clip", f"frame {index} is {frame.shape[1]}x{frame.shape[0]}"
            )
        thumbnail = cv2.cvtColor(
            cv2.resize(frame, (640, round(640 * size[1] / size[0])), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY
        )
        small = cv2.resize(thumbnail, (80, 60), interpolation=cv2.INTER_AREA).astype(np.float64)
        if last_key is None or np.abs(small - last_key).mean() > config.key_frame_change:
            key_frames.append(index)
            last_key = small
        timestamps.append(time)
        thumbnails.append(thumbnail)
    if len(timestamps) < config.min_frames:
        raise Rejected(
            "too short", f"{len(timestamps)} frame(s), at least {config.min_frames} are needed to follow a motion"
        )
    samples = np.linspace(0, len(thumbnails) - 1, min(config.background_samples, len(thumbnails))).round().astype(int)
    background = np.median(np.stack([thumbnails[i] for i in samples]), axis=0).astype(np.uint8)
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
    return Clip(footage, np.array(key_frames), background)


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
