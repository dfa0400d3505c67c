"""People in the image: boxes, COCO-17 keypoints with scores, tracks. DESIGN §4, people2d.

In: one clip's frames, and its annotations where a sidecar gave any. Out: one `Person2D` per person; of those a back end
found, the one who moves most first. The sidecar wins, per person and frame, where it holds keypoints; where it has only
a box, or does not list the frame, the back end that the config names fills in. Where both speak, the metrics say how
far they disagree, and how often the back end took one person for another.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from pydantic import Field, model_validator

from models.config import Config, renamed
from models.errors import InputError
from models.files import file_digest
from models.people2d.association import associate
from models.people2d.clear_mot import box_iou, keypoint_distance, match, switches
from models.people2d.crop_tracker import Tracker
from models.people2d.keypoint_order import KeypointOrder, KeypointOrderConfig, complaint, keypoint_order
from models.people2d.movenet import FETCH
from models.people2d.pose_nms import PoseNmsConfig, drop_duplicates, emptied
from models.people2d.tracklets import Tracklet, stitch_tracklets
from models.types import Annotations, Footage, Person2D

VERSION = 5


class Sidecar(Config):
    """Keypoints come from annotations only."""

    kind: Literal["sidecar"] = "sidecar"


class Tflite(Config):
    """MoveNet single pose from a TFLite file, on the CPU."""

    kind: Literal["tflite"] = "tflite"
    path: Path
    """The file."""
    threads: int = Field(2, ge=1)
    """Processor threads of the network."""


class Transformers(Config):
    """RT-DETR and ViTPose, by hub id or local folder."""

    kind: Literal["transformers"] = "transformers"
    detector: str = "PekingU/rtdetr_r50vd_coco_o365"
    """Hub id or local folder of the detector of people."""
    detector_revision: str | None = None
    """Commit of the detector's hub repository; needed for a hub id."""
    pose: str = "usyd-community/vitpose-base-simple"
    """Hub id or local folder of the pose network."""
    pose_revision: str | None = None
    """Commit of the pose network's hub repository; needed for a hub id."""
    device: str = "cpu"
    """Where both run, as torch names it."""
    min_detection_score: float = renamed("least_detection", "min_detection_score", 0.5, ge=0.0, le=1.0)
    """Detections scoring less are not taken for people."""


class People2DConfig(Config):
    """How people are found in the image."""

    backend: Annotated[Sidecar | Tflite | Transformers, Field(discriminator="kind")] = Sidecar()
    """Where keypoints come from that no sidecar gives."""
    max_people: int = renamed("most_people", "max_people", 4, ge=1, le=20)
    """People that MoveNet's tracker follows at a time; of further ones that it sees, the summary says how often."""
    search_every_s: float = Field(1.0, gt=0.0)
    """Seconds between searches of the image for people who are not tracked yet."""
    lost_after_s: float = Field(1.0, gt=0.0)
    """Seconds without its person after which a track ends."""
    min_score: float = renamed("least_score", "min_score", 0.27, ge=0.0, le=1.0)
    """Mean keypoint score below which the person counts as not found in the frame."""
    min_seconds: float = renamed("least_seconds", "min_seconds", 0.6, ge=0.0)
    """People seen for fewer seconds are dropped, and counted."""
    pose_nms: PoseNmsConfig = renamed("duplicates", "pose_nms", PoseNmsConfig())
    """When two poses are one person's."""
    sidecar_keypoints: int = Field(3, ge=1, le=17)
    """Where an annotated person has fewer keypoints in a frame, the back end's are taken."""
    check_sidecar: bool = False
    """Run the back end even where the sidecar has every keypoint, to report where they disagree."""
    disagreement: float = Field(0.15, gt=0.0)
    """Mean distance of keypoints, as a share of the annotated box's longer side, that is counted as disagreement."""
    keypoint_order: KeypointOrderConfig = KeypointOrderConfig()
    """When keypoints count as given in a wrong order."""

    @model_validator(mode="after")
    def _check(self) -> "People2DConfig":
        if self.check_sidecar and self.backend.kind == "sidecar":
            raise ValueError("check_sidecar asks for a pose model to check against, and backend names none")
        return self


def weight_digests(config: People2DConfig) -> dict[str, str]:
    """Return digests of the weights that poses come from; hub models are named by revision in the config itself."""
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
    sidecar: str = "",
) -> tuple[list[Person2D], dict]:
    """Find and follow the people of one clip; return the people, and metrics for the record.

    `frames` is read once, and not at all where no back end is needed. Raises InputError where there is neither a
    sidecar with keypoints nor a back end, or where a model cannot be loaded; `sidecar` then says why one that is there
    gives none.
    """
    annotated = () if annotations is None else annotations.people
    listed = np.zeros(len(footage.timestamps_s), dtype=bool)
    if annotations is not None:
        drawn = [person.visible for person in annotated]
        listed = annotations.listed if annotations.listed is not None else np.logical_or.reduce([listed, *drawn])
    full = [(person.scores > 0.0).sum(axis=1) >= config.sidecar_keypoints for person in annotated]
    lacking = np.logical_or.reduce([~listed, *(p.visible & ~f for p, f in zip(annotated, full, strict=True))])
    has_backend = config.backend.kind != "sidecar"
    if any(f.any() for f in full) and not (config.check_sidecar or (has_backend and lacking.any())):
        _, twice = drop_duplicates(annotated, config.pose_nms)
        metrics = _metrics(config, footage, "sidecar", list(annotated), 0, twice)
        return list(annotated), metrics | {"sidecar": {"lacking_frames": int(lacking.sum())}}
    if not has_backend:
        lacks = f"{sidecar or 'has no sidecar with keypoints'} and no pose model is configured"
        raise InputError(footage.path, lacks, FETCH)
    found, dropped, twice, name, further_s = _detect(config, footage, frames)
    if not annotated:
        return found, _metrics(config, footage, name, found, dropped, twice) | {"unfollowed_s": further_s}
    people, compared = _merge(config, annotated, listed, found, footage)
    metrics = _metrics(config, footage, f"sidecar+{name}", people, dropped, twice)
    metrics |= {"unfollowed_s": further_s}
    return people, metrics | {"sidecar": {"lacking_frames": int(lacking.sum()), **compared}}


def _detect(
    config: People2DConfig, footage: Footage, frames: Iterable[tuple[float, UInt8[np.ndarray, "height width 3"]]]
) -> tuple[list[Person2D], int, list[dict], str, list[float]]:
    """The back end's people, how many were dropped, who was seen twice, the back end's name, and when somebody was seen
    whom it did not follow."""
    backend = config.backend
    assert not isinstance(backend, Sidecar), "which needs no back end, or has said so"
    if isinstance(backend, Tflite):
        from models.people2d.movenet import TflitePose

        network = TflitePose(backend.path, backend.threads)
        tracker = Tracker(network, config.max_people, config.search_every_s, config.lost_after_s, config.min_score)
        tracklets, further_s = tracker.run(frames), tracker.unfollowed_s
        name = f"tflite:{backend.path.name}:{network.digest[:12]}"
    else:
        from models.people2d.vitpose import TransformersPose

        network = TransformersPose(
            backend.detector, backend.detector_revision, backend.pose, backend.pose_revision, backend.device
        )
        detections = network.detect_people(frames, backend.min_detection_score, config.min_score)
        tracklets, further_s = associate(detections, config.lost_after_s, config.pose_nms), []
        name = f"transformers:{backend.detector}@{backend.detector_revision}+{backend.pose}@{backend.pose_revision}"
    return *_people(tracklets, footage, config), name, further_s


def _nearest(known: Float[np.ndarray, "known"], asked: Float[np.ndarray, "time"]) -> Int[np.ndarray, "time"]:
    """Index of the nearest of some times, the lower index of two equally near ones."""
    order = np.argsort(known, kind="stable")
    place = np.searchsorted(known[order], asked)
    before, after = order[np.maximum(place - 1, 0)], order[np.minimum(place, len(known) - 1)]
    to_before, to_after = np.abs(asked - known[before]), np.abs(known[after] - asked)
    return np.where(to_before == to_after, np.minimum(before, after), np.where(to_before < to_after, before, after))


def _merge(
    config: People2DConfig,
    annotated: Sequence[Person2D],
    listed: Bool[np.ndarray, "time"],
    found: Sequence[Person2D],
    footage: Footage,
) -> tuple[list[Person2D], dict]:
    """Annotated people with what a back end found where they lack keypoints, and how far the two agree.

    A found track belongs to whom it was matched to nearest in time. Found people whom nobody annotated join in frames
    that the sidecar does not list; in the others it knows better, and they are counted.
    """
    times_s, frames = footage.timestamps_s, len(listed)
    matched = match(annotated, found)
    owner, nearness = np.full((len(found), frames), -1), np.full((len(found), frames), np.inf)
    for j in range(len(found)):
        who, when = np.nonzero(matched == j)
        if len(when):
            nearest = _nearest(times_s[when], times_s)
            owner[j], nearness[j] = who[nearest], np.abs(times_s - times_s[when][nearest])
    people, rows = [], []
    for i, person in enumerate(annotated):
        source = matched[i].copy()
        for t in np.flatnonzero(~listed):
            candidates = [j for j in range(len(found)) if owner[j, t] == i and found[j].visible[t]]
            source[t] = min(candidates, key=lambda j: nearness[j, t], default=-1)
        own = (person.scores > 0.0).sum(axis=1) >= config.sidecar_keypoints
        filled = ~own & (source >= 0)
        people.append(_filled(person, found, source, filled))
        rows.append(
            {
                "person": person.person,
                "filled_frames": int(filled.sum()),
                **_agreement(config, person, found, matched[i]),
            }
        )
    spacing = float(np.median(np.diff(times_s))) if frames > 1 else 1.0
    unclaimed = 0
    for j, person in enumerate(found):
        alone = person.visible & ~(matched == j).any(axis=0)
        unclaimed += int((alone & listed).sum())
        new = alone & ~listed & (owner[j] < 0)
        if new.sum() * spacing >= config.min_seconds:
            people.append(replace(emptied(person, ~new), person=_free_name(people)))
    return people, {
        "people": rows,
        "found_only_frames": unclaimed,
        "added_people": len(people) - len(annotated),
        "identity_switches": switches(matched),
    }


def _filled(
    person: Person2D, found: Sequence[Person2D], source: Int[np.ndarray, "time"], frames: Bool[np.ndarray, "time"]
) -> Person2D:
    """The person with found keypoints in some frames; a box that was drawn stays."""
    visible, boxes = person.visible | frames, person.boxes_px.copy()
    keypoints, scores = person.keypoints_px.copy(), person.scores.copy()
    for t in np.flatnonzero(frames):
        one = found[source[t]]
        keypoints[t], scores[t] = one.keypoints_px[t], one.scores[t]
        if not person.visible[t]:
            boxes[t] = one.boxes_px[t]
    return replace(person, visible=visible, boxes_px=boxes, keypoints_px=keypoints, scores=scores)


def _agreement(
    config: People2DConfig, person: Person2D, found: Sequence[Person2D], source: Int[np.ndarray, "time"]
) -> dict:
    """How far an annotated person and the found one agree, over the frames in which both are there."""
    both = np.flatnonzero(source >= 0)
    apart = {t: keypoint_distance(person, found[source[t]], t) for t in both.tolist()}
    known = {t: value for t, value in apart.items() if value is not None}
    overlaps = [box_iou(person.boxes_px[t], found[source[t]].boxes_px[t]) for t in both]
    worst = max(known, key=known.__getitem__, default=None)
    return {
        "compared_frames": len(known),
        "keypoints_box_share_median": float(np.median(list(known.values()))) if known else None,
        "keypoints_box_share_worst": None if worst is None else known[worst],
        "worst_frame": worst,
        "box_iou_median": float(np.median(overlaps)) if overlaps else None,
        "disagreeing_frames": sum(value > config.disagreement for value in known.values()),
        "sidecar_only_frames": int((person.visible & (source < 0)).sum()),
    }


def _free_name(people: Sequence[Person2D]) -> str:
    """person_N with the first N that nobody has."""
    taken = {person.person for person in people}
    return next(name for number in itertools.count(1) if (name := f"person_{number}") not in taken)


def _people(
    tracklets: list[Tracklet], footage: Footage, config: People2DConfig
) -> tuple[list[Person2D], int, list[dict]]:
    """Stitch tracklets to people, drop those hardly seen, hardly credible or seen twice, order by how much they
    moved."""
    times_s, frames = footage.timestamps_s, len(footage.timestamps_s)
    spacing = float(np.median(np.diff(times_s))) if frames > 1 else 1.0
    people, dropped = [], 0
    for group in stitch_tracklets(tracklets, times_s):
        keypoints, scores, visible = np.zeros((frames, 17, 2)), np.zeros((frames, 17)), np.zeros(frames, dtype=bool)
        for pose_index, pose in (item for tracklet in group for item in tracklet.poses.items()):
            keypoints[pose_index], scores[pose_index], visible[pose_index] = pose.keypoints_px, pose.scores, True
        extent = np.linalg.norm(np.ptp(keypoints[visible], axis=1), axis=-1) if visible.any() else np.zeros(1)
        # Small and doubtful at once: furniture that looks like a person from afar.
        doubtful = scores[visible].mean() < 0.4 and float(np.median(extent)) < 0.2 * footage.height_px
        if visible.sum() * spacing < config.min_seconds or doubtful:
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
    once, twice = drop_duplicates(found, config.pose_nms)
    return once, dropped, twice


def _box(
    keypoints_px: Float[np.ndarray, "17 2"], scores: Float[np.ndarray, "17"], footage: Footage
) -> Float[np.ndarray, "4"]:
    """Box of a person from the keypoints: enlarged to the outline of the body, cut at the image's edge."""
    good = scores >= min(0.2, float(np.median(scores)))
    low, high = keypoints_px[good].min(0), keypoints_px[good].max(0)
    pad = 0.06 * float(np.max(high - low)) + 2.0
    limit = np.array([footage.width_px - 1.0, footage.height_px - 1.0])
    return np.concatenate([np.clip(low - pad, 0.0, limit), np.clip(high + pad, 0.0, limit)])


def check_order(config: People2DConfig, orders: Sequence[dict], where: Path) -> None:
    """Raise InputError where the metrics `keypoint_order` of all clips together say that keypoints come in a wrong
    order."""
    if config.keypoint_order.check and (
        wrong := complaint([KeypointOrder(**order) for order in orders], config.keypoint_order)
    ):
        remedy = (
            "give COCO's 17 keypoints in COCO's order, y down; if they are right, set "
            "people2d.keypoint_order.check: false"
        )
        raise InputError(where, f"its keypoints {wrong}", remedy)


def _metrics(
    config: People2DConfig, footage: Footage, backend: str, people: list[Person2D], dropped: int, twice: list[dict]
) -> dict:
    """What the record keeps of one clip."""
    return {
        "backend": backend,
        "people": len(people),
        "dropped_tracks": dropped,
        "seen_twice": twice,
        "keypoint_order": asdict(keypoint_order(config.keypoint_order, people, footage.timestamps_s)),
        "visible_share": [float(p.visible.mean()) for p in people],
        "mean_score": [float(p.scores[p.visible].mean()) if p.visible.any() else 0.0 for p in people],
    }
