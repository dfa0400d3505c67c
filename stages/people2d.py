"""People in the image: boxes, COCO-17 keypoints with scores, tracks. DESIGN §4, people2d.

In: one clip's frames, and its annotations where a sidecar gave any. Out: one `Person2D` per person, the one who moves
most first. The sidecar wins where it holds keypoints; else the back end that the config names.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float, UInt8
from pydantic import BaseModel, ConfigDict, Field

from models.pose2d_tflite import FETCH
from models.pose2d_tracks import Tracker, Tracklet, join
from pipeline.errors import InputError
from pipeline.store import file_digest
from pipeline.types import Annotations, Footage, Person2D

VERSION = 3


class Sidecar(BaseModel):
    """Keypoints come from annotations only."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["sidecar"] = "sidecar"


class Tflite(BaseModel):
    """MoveNet single pose from a TFLite file, on the CPU."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["tflite"] = "tflite"
    path: Path
    threads: int = Field(2, ge=1)


class Transformers(BaseModel):
    """RT-DETR and ViTPose, by hub id or local folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["transformers"] = "transformers"
    detector: str = "PekingU/rtdetr_r50vd_coco_o365"
    detector_revision: str | None = None
    pose: str = "usyd-community/vitpose-base-simple"
    pose_revision: str | None = None
    device: str = "cpu"
    least_detection: float = Field(0.5, ge=0.0, le=1.0)
    """Detections scoring less are not people."""


class People2DConfig(BaseModel):
    """How people are found in the image."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    backend: Annotated[Sidecar | Tflite | Transformers, Field(discriminator="kind")] = Sidecar()
    most_people: int = Field(4, ge=1, le=20)
    search_every_s: float = Field(1.0, gt=0.0)
    """How often the image is searched for people who are not tracked yet."""
    lost_after_s: float = Field(1.0, gt=0.0)
    """A track ends when its person was not found for so long."""
    least_score: float = Field(0.27, ge=0.0, le=1.0)
    """Mean keypoint score below which the person counts as not found in the frame."""
    least_seconds: float = Field(0.6, ge=0.0)
    """People seen for less are dropped, and counted."""


def weight_digests(config: People2DConfig) -> dict[str, str]:
    """Digests of the weights that poses come from; hub models are named by revision in the config itself."""
    backend = config.backend
    if backend.kind == "sidecar":
        return {}
    names = (
        {"path": str(backend.path)}
        if backend.kind == "tflite"
        else {"detector": backend.detector, "pose": backend.pose}
    )
    return {key: file_digest(Path(name)) for key, name in names.items() if Path(name).exists()}


def run(
    config: People2DConfig,
    footage: Footage,
    frames: Iterable[tuple[float, UInt8[np.ndarray, "height width 3"]]],
    annotations: Annotations | None = None,
) -> tuple[list[Person2D], dict]:
    """Find and follow the people of one clip; the people and figures for the record.

    `frames` is read once, and not at all where the sidecar gives keypoints. Raises InputError where there is neither a
    sidecar nor a back end, or where a model cannot be loaded.
    """
    annotated = [] if annotations is None else [p for p in annotations.people if (p.scores > 0.0).any()]
    if annotated:
        return annotated, _figures("sidecar", annotated, 0)
    backend = config.backend
    if isinstance(backend, Sidecar):
        raise InputError(footage.path, "has no sidecar with keypoints and no pose model is configured", FETCH)
    if isinstance(backend, Tflite):
        from models.pose2d_tflite import TflitePose

        network = TflitePose(backend.path, backend.threads)
        tracker = Tracker(network, config.most_people, config.search_every_s, config.lost_after_s, config.least_score)
        tracklets = tracker.run(frames)
        name = f"tflite:{backend.path.name}:{network.digest[:12]}"
    else:
        from models.pose2d_transformers import TransformersPose

        network = TransformersPose(
            backend.detector, backend.detector_revision, backend.pose, backend.pose_revision, backend.device
        )
        tracklets = network.track(frames, backend.least_detection, config.least_score, config.lost_after_s)
        name = f"transformers:{backend.detector}@{backend.detector_revision}+{backend.pose}@{backend.pose_revision}"
    people, dropped = _people(tracklets, footage, config)
    return people, _figures(name, people, dropped)


def _people(tracklets: list[Tracklet], footage: Footage, config: People2DConfig) -> tuple[list[Person2D], int]:
    """Join tracklets to people, drop those hardly seen or hardly credible, order by how much they moved."""
    times_s, frames = footage.timestamps_s, len(footage.timestamps_s)
    spacing = float(np.median(np.diff(times_s))) if frames > 1 else 1.0
    people, dropped = [], 0
    for group in join(tracklets, times_s):
        keypoints, scores, visible = np.zeros((frames, 17, 2)), np.zeros((frames, 17)), np.zeros(frames, dtype=bool)
        for pose_index, pose in (item for tracklet in group for item in tracklet.poses.items()):
            keypoints[pose_index], scores[pose_index], visible[pose_index] = pose.keypoints_px, pose.scores, True
        extent = np.linalg.norm(np.ptp(keypoints[visible], axis=1), axis=-1) if visible.any() else np.zeros(1)
        # Small and doubtful at once: furniture that looks like a person from afar.
        doubtful = scores[visible].mean() < 0.4 and float(np.median(extent)) < 0.2 * footage.height_px
        if visible.sum() * spacing < config.least_seconds or doubtful:
            dropped += 1
            continue
        boxes = np.array([_box(keypoints[t], scores[t], footage) if visible[t] else np.zeros(4) for t in range(frames)])
        moved = np.nanstd(np.where(visible[:, None], boxes, np.nan), axis=0).sum()
        people.append((float(moved) * visible.sum(), keypoints, scores, visible, boxes))
    people.sort(key=lambda person: -person[0])
    found = [
        Person2D(f"person_{i + 1}", "person", visible, boxes, keypoints, scores)
        for i, (_, keypoints, scores, visible, boxes) in enumerate(people)
    ]
    return found, dropped


def _box(
    keypoints_px: Float[np.ndarray, "17 2"], scores: Float[np.ndarray, "17"], footage: Footage
) -> Float[np.ndarray, "4"]:
    """Box of a person from the keypoints: enlarged to the outline of the body, cut at the image's edge."""
    good = scores >= min(0.2, float(np.median(scores)))
    low, high = keypoints_px[good].min(0), keypoints_px[good].max(0)
    pad = 0.06 * float(np.max(high - low)) + 2.0
    limit = np.array([footage.width_px - 1.0, footage.height_px - 1.0])
    return np.concatenate([np.clip(low - pad, 0.0, limit), np.clip(high + pad, 0.0, limit)])


def _figures(backend: str, people: list[Person2D], dropped: int) -> dict:
    """What the record keeps of one clip."""
    return {
        "backend": backend,
        "people": len(people),
        "dropped_tracks": dropped,
        "visible_share": [float(p.visible.mean()) for p in people],
        "mean_score": [float(p.scores[p.visible].mean()) if p.visible.any() else 0.0 for p in people],
    }
