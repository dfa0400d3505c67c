"""Evaluate lifting: errors on sample footage by variant, and what can be told without truth on real footage.

Inputs: the exact truth of sample footage and the tracks lifted from its keypoints, clean or with a simulated detector's
noise; lifted clips of real footage, with the table of falls. Output: metrics. DESIGN §4 people3d.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic import Field

from models.body.model import BodyModel
from models.body.tracks import track_joints, track_parameters
from models.compare_falls.fallen_bodies import LYING, NECK, FallenConfig, fallen_row, find_landing
from models.compare_falls.real_falls import Fall, LiftedClip
from models.config import renamed
from models.errors import InputError
from models.geometry.camera import Camera
from models.geometry.camera_file import read_camera
from models.people3d.metrics import BODY_JOINTS, acceleration_error, align_similarity, mpjpe_mm, pa_mpjpe_mm
from models.people3d.plausibility import PlausibilityConfig
from models.types import SMPL_JOINTS, Person2D, PersonTrack, Role

VARIANTS = ("regress", "optimise", "hybrid")
FEET = [SMPL_JOINTS.index(name) for name in ("left_ankle", "left_foot", "right_ankle", "right_foot")]
NOBODY_FAILS = PlausibilityConfig(
    max_foot_skate_cm_s=1e6, max_penetration_m=1e3, max_penetration_share=1.0, max_float_m=1e3
)
"""What a track may do where whoever fails is to be counted in the errors, not left out of them."""


class EvaluatePeopleConfig(FallenConfig):
    """How a detector's noise is simulated, and what is judged on real footage."""

    noise_px: float = Field(4.0, ge=0.0)
    """Standard deviation of a keypoint, pixels."""
    missing_share: float = renamed("missing", "missing_share", 0.1, ge=0.0, le=1.0)
    """Share of keypoints that are not seen at all."""
    outlier_share: float = renamed("outliers", "outlier_share", 0.03, ge=0.0, le=1.0)
    """Share of keypoints that lie anywhere in the person's box."""
    min_metric_score: float = renamed("judged_score", "min_metric_score", 0.3, ge=0.0, le=1.0)
    """Keypoints scoring at least this count in the metrics."""
    close_px: float = Field(8.0, gt=0.0)
    """Median reprojection, pixels, up to which a frame counts as close."""
    max_time_shift_s: float = renamed("clock_shift_s", "max_time_shift_s", 0.5, ge=0.0)
    """Timestamps of two cameras are tried up to so many seconds apart."""


@dataclass(frozen=True)
class TrueClip:
    """What is exactly known of a clip of sample footage."""

    clip: str
    camera: Camera
    timestamps_s: Float[np.ndarray, "time"]
    people: tuple[Person2D, ...]
    joints_world: dict[str, Float[np.ndarray, "time 24 3"]]


def true_clip(folder: Path, width_px: int, height_px: int) -> TrueClip:
    """Read `<footage>/truth/<clip>/`; InputError where it is not the truth of sample footage."""
    try:
        with np.load(folder / "people.npz", allow_pickle=False) as data:
            truth = {name: data[name] for name in data.files}
    except (OSError, ValueError) as error:
        raise InputError(
            folder, f"holds no truth of sample footage ({error})", "make it with sample-footage"
        ) from error
    # Hidden keypoints are guessed at by annotators and detectors alike: half as sure.
    confidence = np.array([0.0, 0.5, 1.0])
    people = []
    for index, name in enumerate(truth["person"]):
        scores = confidence[truth["keypoints_v"][index]]
        points = np.where(scores[..., None] > 0.0, truth["keypoints_px"][index], 0.0)
        visible = (truth["visibility"][index] > 0.05) & (scores > 0.0).any(axis=1)
        scores = scores * visible[:, None]
        role = cast(Role, str(truth["role"][index]))
        people.append(Person2D(str(name), role, visible, _boxes(points, scores), points, scores))
    camera = read_camera(folder / "camera.json", width_px, height_px)
    joints = {str(name): truth["joints_world"][index] for index, name in enumerate(truth["person"])}
    return TrueClip(folder.name, camera, truth["timestamps_s"], tuple(people), joints)


def _boxes(points: Float[np.ndarray, "time 17 2"], scores: Float[np.ndarray, "time 17"]) -> Float[np.ndarray, "time 4"]:
    seen = (scores > 0.0)[..., None]
    low = np.where(seen, points, np.inf).min(axis=1)
    high = np.where(seen, points, -np.inf).max(axis=1)
    return np.where(np.isfinite(low).all(axis=1, keepdims=True), np.concatenate([low, high], axis=1), 0.0)


def add_detector_noise(person: Person2D, config: EvaluatePeopleConfig, rng: np.random.Generator) -> Person2D:
    """Give a person's keypoints as a mediocre detector would: scattered, some missing, some anywhere in the box."""
    points = person.keypoints_px + config.noise_px * rng.standard_normal(person.keypoints_px.shape)
    wild = rng.random(person.scores.shape) < config.outlier_share
    box = person.boxes_px[:, None]
    anywhere = box[..., :2] + rng.random(points.shape) * (box[..., 2:] - box[..., :2])
    points = np.where(wild[..., None], anywhere, points)
    scores = np.where(rng.random(person.scores.shape) < config.missing_share, 0.0, person.scores)
    points = np.where(scores[..., None] > 0.0, points, 0.0)
    visible = person.visible & (scores > 0.0).any(axis=1)
    return replace(person, keypoints_px=points, scores=scores, visible=visible)


def clip_errors(body: BodyModel, true: TrueClip, tracks: Sequence[PersonTrack]) -> dict[str, Float[np.ndarray, "n"]]:
    """Measure errors of one clip's tracks: an array of frames for each metric, over everyone who was lifted, where
    observed."""
    parts: dict[str, list[np.ndarray]] = {key: [np.zeros(0)] for key in ("mpjpe", "pa_mpjpe", "root", "accel", "skate")}
    for track in tracks:
        frames = track.visible
        found = track_joints(body, track)[:, :BODY_JOINTS]
        exact = true.joints_world[track.person][:, :BODY_JOINTS]
        parts["mpjpe"].append(mpjpe_mm(found[frames], exact[frames]))
        parts["pa_mpjpe"].append(pa_mpjpe_mm(found[frames], exact[frames]))
        parts["root"].append(np.linalg.norm(found[frames, 0] - exact[frames, 0], axis=-1))
        parts["accel"].append(acceleration_error(found, exact, true.timestamps_s, frames))
        parts["skate"].append(_skate(found, exact, true.timestamps_s, frames))
    return {key: np.concatenate(values) for key, values in parts.items()}


def _skate(
    found: Float[np.ndarray, "time joint 3"],
    exact: Float[np.ndarray, "time joint 3"],
    timestamps_s: Float[np.ndarray, "time"],
    known: Bool[np.ndarray, "time"],
) -> Float[np.ndarray, "contact"]:
    """Horizontal speed, cm/s, of lifted feet while the true ones are planted (below 15 cm and slower than 5 cm/s)."""
    dt = np.diff(timestamps_s)[:, None]
    true_speed = np.linalg.norm(np.diff(exact[:, FEET], axis=0), axis=-1) / dt
    speed = np.linalg.norm(np.diff(found[:, FEET, :2], axis=0), axis=-1) / dt
    planted = (true_speed < 0.05) & (exact[1:, FEET, 2] < 0.15) & (known[1:] & known[:-1])[:, None]
    return 100.0 * speed[planted]


def table(
    errors: Sequence[dict[str, Float[np.ndarray, "n"]]], people: int, lifted: int
) -> dict[str, float | int | None]:
    """Average errors over all frames of all clips."""

    def mean(key: str) -> float | None:
        values = np.concatenate([clip[key] for clip in errors])
        return float(values.mean()) if len(values) else None

    return {
        "mpjpe_mm": mean("mpjpe"),
        "pa_mpjpe_mm": mean("pa_mpjpe"),
        "root_m": mean("root"),
        "accel": mean("accel"),
        "skate_cm_s": mean("skate"),
        "frames": int(sum(len(clip["root"]) for clip in errors)),
        "people": people,
        "lifted": lifted,
    }


# ------------------------------------------------------------------------------------------------------ real footage


def two_camera_distance_m(a: Float[np.ndarray, "time 24 3"], b: Float[np.ndarray, "time 24 3"]) -> float:
    """Return the mean distance of joints lifted from two cameras at the same moments, after one rigid transform of
    the whole clip.

    The transform has no scale: both liftings are in metres.
    """
    points_a, points_b = a[:, :BODY_JOINTS].reshape(-1, 3), b[:, :BODY_JOINTS].reshape(-1, 3)
    aligned = align_similarity(points_a, points_b, with_scale=False)
    return float(np.linalg.norm(aligned - points_b, axis=-1).mean())


def real_metrics(
    config: EvaluatePeopleConfig, body: BodyModel, clips: Sequence[LiftedClip], falls: dict[str, Fall]
) -> dict[str, Any]:
    """Measure all clips of real footage, and list a row a fall and a pair of cameras."""
    seen = [clip for clip in clips if clip.people]
    medians, shares, standing, within = [], [], [], []
    fallen_rows: list[dict[str, Any]] = []
    for clip in seen:
        people = {person.person: person for person in clip.people}
        for track in clip.tracks:
            if clip.room is None:
                continue
            metrics = _without_truth(body, clip.room.camera, people[track.person], track, config.min_metric_score)
            medians.append(metrics["medians"])
            shares.append(metrics["shares"])
            standing.append(metrics["feet"])
            within.append(metrics["medians"] <= config.close_px)
    landings = {
        clip.clip: find_landing(config, body, clip, falls[clip.footage.path])
        for clip in seen
        if clip.footage.path in falls
    }
    for clip in seen:
        if clip.footage.path in falls:
            row = fallen_row(config, clip, falls[clip.footage.path], landings)
            fallen_rows.append({"clip": clip.clip, **row})
    pairs = _camera_pairs(config, clips)
    judged = [row for row in fallen_rows if "reason" not in row and row["in_view"] != "no"]
    lying = [row for row in judged if row["true_posture"] in LYING]

    def share(rows: list[dict[str, Any]], key: str) -> float | None:
        return float(np.mean([row[key] for row in rows])) if rows else None

    def median(values: list[np.ndarray]) -> float | None:
        joined = np.concatenate([np.zeros(0), *values])
        return float(np.median(joined)) if len(joined) else None

    joined = np.concatenate([np.zeros(0, bool), *within])
    return {
        "clips": len(clips),
        "clips_with_a_person": len(seen),
        "track_share": float(np.mean([bool(clip.tracks) for clip in seen])) if seen else None,
        "reprojection_px_median": median(medians),
        "reprojection_box_share_median": median(shares),
        "frames_within_px": {"px": config.close_px, "share": float(joined.mean()) if len(joined) else None},
        "foot_floor_m_median": median(standing),
        "falls": len(fallen_rows),
        "falls_judged": len(judged),
        "fallen_pelvis_ok_share": share(judged, "pelvis_ok"),
        "fallen_trunk_ok_share": share(lying, "trunk_ok"),
        "fallen_posture_ok_share": share(lying, "posture_ok"),
        "two_camera_joint_m": float(np.median([pair["joint_m"] for pair in pairs])) if pairs else None,
        "fallen": fallen_rows,
        "two_cameras": pairs,
    }


def _without_truth(
    body: BodyModel, camera: Camera, person: Person2D, track: PersonTrack, min_metric_score: float
) -> dict[str, Float[np.ndarray, "n"]]:
    """Median reprojection per observed frame, also as a share of the box, and feet's heights in standing frames."""
    with torch.no_grad():
        posed = body.posed(*track_parameters(track))
        keypoints = posed.keypoints.double().numpy()
        points = posed.surface_points[..., 2].amin(-1).double().numpy()
    error = np.linalg.norm(camera.project(keypoints) - person.keypoints_px, axis=-1)
    # A keypoint behind the camera is as wrong as can be, not unseen.
    error = np.where(np.isfinite(error), error, 1e4)
    use = (person.scores >= min_metric_score) & track.visible[:, None]
    frames = use.any(axis=1)
    medians = np.array([np.median(e[u]) for e, u in zip(error[frames], use[frames], strict=True)])
    box = person.boxes_px[frames]
    joints = track_joints(body, track)
    trunk, thighs = _rise(joints, 0, NECK), np.minimum(_rise(joints, 4, 1), _rise(joints, 5, 2))
    stands = track.visible & (trunk > 0.8) & (thighs > 0.8)
    return {
        "medians": medians,
        "shares": medians / np.maximum((box[:, 3] - box[:, 1]), 1.0),
        "feet": np.abs(points[stands]),
    }


def _rise(joints: Float[np.ndarray, "time 24 3"], a: int, b: int) -> Float[np.ndarray, "time"]:
    bone = joints[:, b] - joints[:, a]
    return bone[:, 2] / np.maximum(np.linalg.norm(bone, axis=-1), 1e-9)


def _camera_pairs(config: EvaluatePeopleConfig, clips: Sequence[LiftedClip]) -> list[dict[str, Any]]:
    """Clips of one moment by two cameras: the same name but for `_C1` and `_C2` (UP-Fall), both of them lifted."""
    by_name = {clip.clip: clip for clip in clips}
    rows = []
    for name, first in by_name.items():
        second = by_name.get(name.replace("_C1", "_C2")) if "_C1" in name else None
        if second is None or not first.tracks or not second.tracks:
            continue
        row = _best_pair(config, first, second)
        if row is not None:
            rows.append({"clip": name, **row})
    return rows


def _best_pair(config: EvaluatePeopleConfig, first: LiftedClip, second: LiftedClip) -> dict[str, Any] | None:
    """The two tracks that agree best among those who moved, at the shift of the timestamps at which they do."""
    times_a, times_b = first.footage.timestamps_s, second.footage.timestamps_s
    best: dict[str, Any] | None = None
    for a in first.tracks:
        for b in second.tracks:
            for shift in np.arange(-config.max_time_shift_s, config.max_time_shift_s + 1e-6, 0.1):
                at = np.searchsorted(times_b, times_a + shift).clip(0, len(times_b) - 1)
                both = a.visible & b.visible[at] & (np.abs(times_b[at] - times_a - shift) < 0.1)
                if both.sum() < max(10, 0.3 * a.visible.sum()):
                    continue
                one, other = first.joints_world[a.person][both], second.joints_world[b.person][at][both]
                if one[:, 0].std(axis=0).max() < 0.1:
                    continue
                apart = two_camera_distance_m(one, other)
                if best is None or apart < best["joint_m"]:
                    best = {"joint_m": apart, "shift_s": round(float(shift), 2), "frames": int(both.sum())}
    return best
