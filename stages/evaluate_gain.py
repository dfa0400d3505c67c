"""Evaluate: do synthetic clips help a fall classifier on real footage?

Inputs: 2D joints of real and synthetic clips with an action per frame. Outputs: average precision of `fall` over
windows for the arms real, synthetic and real + synthetic, each with a bootstrap interval over clips, and the paired
difference. Rooms are never in training and test at once. DESIGN §7 (thin: one classifier, one seed).
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int
from pydantic import Field
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import average_precision_score

from models.body.sides import SWAPPED_KEYPOINTS
from models.cluster_bootstrap import clusters_of, percentile_interval, resample
from models.config import Config, renamed
from models.errors import InputError
from models.footage.action_labels import frame_actions
from models.types import ACTIONS, COCO_KEYPOINTS, Annotations, Person2D

log = logging.getLogger(__name__)

_FALL = ACTIONS.index("fall")
_HIPS = [COCO_KEYPOINTS.index("left_hip"), COCO_KEYPOINTS.index("right_hip")]

_COLUMNS = ["clip", "person", "frame", "room", "timestamp_s", "keypoints_px", "keypoints_visible", "action"]


class EvaluateConfig(Config):
    """Windows and classifier of `evaluate`."""

    window_s: float = Field(1.6, gt=0)
    """Length of a window, seconds."""
    stride_s: float = Field(0.4, gt=0)
    """Seconds between windows."""
    samples: int = Field(8, ge=2)
    """Times within a window at which joints are read."""
    fall_share: float = Field(0.3, gt=0, le=1)
    """Share of a window that must be `fall` to make it a positive; windows with less but some are left out."""
    min_score: float = renamed("minimum_score", "min_score", 0.2, ge=0, le=1)
    """Joints scoring less count as not seen."""
    trees: int = Field(300, ge=1)
    """Trees of the random forest."""
    bootstraps: int = Field(500, ge=10)
    """Resamples of the clips that intervals come from."""


@dataclass(frozen=True)
class PoseClip:
    """One person's 2D joints over one clip."""

    clip: str
    room: str
    times_s: Float[np.ndarray, "time"]
    keypoints_px: Float[np.ndarray, "time 17 2"]
    scores: Float[np.ndarray, "time 17"]
    actions: Int[np.ndarray, "time"]
    """Index into ACTIONS; -1 unknown."""


def labelled_poses(
    clip: str,
    room: str,
    times_s: Float[np.ndarray, "time"],
    people: Sequence[Person2D],
    annotations: Annotations | None,
    segments: Sequence[tuple[str, float, float]] | None,
) -> list[PoseClip]:
    """Return 2D joints of one real clip, labelled by its sidecar, else by its `segments` (action, start, end) of a
    table.

    Without a sidecar only the person who moved most is used: a table of segments says nothing of bystanders.
    """
    if annotations is not None and len(annotations.people) and (annotations.actions >= 0).any():
        labelled = list(zip(annotations.people, annotations.actions, strict=True))
    elif segments is not None:
        labelled = [(people[0], frame_actions(segments, times_s))]
    else:
        return []
    return [
        PoseClip(f"{clip}/{person.person}", room, times_s, person.keypoints_px, person.scores, actions)
        for person, actions in labelled
    ]


def dataset_poses(dataset: Path) -> list[PoseClip]:
    """Return 2D joints of a generated dataset with its labels; joints outside the image count as not seen.

    Raises InputError where the folder is no dataset.
    """
    try:
        rows = pd.read_parquet(dataset / "frames.parquet", columns=_COLUMNS)
    except (OSError, ValueError) as error:
        raise InputError(
            dataset, f"is not a dataset ({error})", "give a folder that `careclips generate` wrote"
        ) from error
    result = []
    for key, own in rows.groupby(["clip", "person"], sort=True):
        clip, person = cast(tuple[str, str], key)
        own = own.sort_values("frame")
        flags = np.stack(own["keypoints_visible"].to_list())
        result.append(
            PoseClip(
                f"{clip}/{person}",
                str(own["room"].iloc[0]),
                own["timestamp_s"].to_numpy(),
                np.stack(own["keypoints_px"].to_list()).reshape(-1, 17, 2),
                np.array([0.0, 0.5, 1.0])[flags],
                np.array([ACTIONS.index(name) if name in ACTIONS else -1 for name in own["action"]]),
            )
        )
    return result


@dataclass(frozen=True)
class Windows:
    """Features and truth of windows."""

    features: Float[np.ndarray, "window feature"]
    positive: Bool[np.ndarray, "window"]
    clip: tuple[str, ...]
    room: tuple[str, ...]


def windows(config: EvaluateConfig, clips: Sequence[PoseClip], mirror: bool = False) -> Windows:
    """Cut clips into windows: joints relative to the first hips, in units of the window's largest body extent.

    Joints scored below `min_score` are read as missing (0, 0 with flag 0). `mirror` adds the left-right mirror
    image.
    """
    rows, positive, names, rooms = [], [], [], []
    for clip in clips:
        last = clip.times_s[-1] - config.window_s
        for start in np.arange(0.0, max(last, 0.0) + 1e-9, config.stride_s):
            inside = (clip.times_s >= start) & (clip.times_s <= start + config.window_s)
            known = clip.actions[inside]
            if len(known) < config.samples // 2 or (known < 0).mean() > 0.5:
                continue
            share = float((known == _FALL).mean())
            if 0 < share < config.fall_share:
                continue
            times = start + np.linspace(0, config.window_s, config.samples)
            nearest = np.abs(clip.times_s[:, None] - times).argmin(axis=0)
            seen = clip.scores[nearest] >= config.min_score
            if seen.mean() < 0.3:
                continue
            points = clip.keypoints_px[nearest]
            for flipped in (False, True) if mirror else (False,):
                rows.append(_features(points, seen, flipped))
                positive.append(share >= config.fall_share)
                names.append(clip.clip)
                rooms.append(clip.room)
    width = config.samples * 17 * 3 + config.samples
    features = np.stack(rows) if rows else np.zeros((0, width))
    return Windows(features, np.array(positive, dtype=bool), tuple(names), tuple(rooms))


def _features(
    points: Float[np.ndarray, "sample 17 2"], seen: Bool[np.ndarray, "sample 17"], flipped: bool
) -> Float[np.ndarray, "feature"]:
    if flipped:
        points, seen = points[:, SWAPPED_KEYPOINTS] * [-1.0, 1.0], seen[:, SWAPPED_KEYPOINTS]
    masked = np.where(seen[..., None], points, np.nan)
    extents = np.nanmax(masked, axis=1, initial=-np.inf) - np.nanmin(masked, axis=1, initial=np.inf)
    extents = np.where(np.isfinite(extents), extents, 0.0)
    scale = max(float(np.linalg.norm(extents, axis=1).max()), 1.0)
    hips = masked[:, _HIPS].reshape(-1, 2)
    anchor = np.nanmean(hips[:2], axis=0) if np.isfinite(hips[:2]).any() else np.nanmean(masked.reshape(-1, 2), axis=0)
    relative = np.nan_to_num((masked - anchor) / scale)
    aspect = extents[:, 1] / np.maximum(extents[:, 0], 1.0)
    return np.concatenate([relative.ravel(), seen.astype(np.float64).ravel(), np.clip(aspect, 0, 5)])


def run(
    config: EvaluateConfig,
    real: Sequence[PoseClip],
    synthetic: Sequence[PoseClip],
    test: Sequence[PoseClip] | None,
    rng: np.random.Generator,
) -> dict:
    """Measure average precision of `fall` for the three arms.

    With `test`, arms train on `real` and are tested there; without, each room of `real` is held out in turn and the
    predictions are pooled. Raises InputError where the real clips hold no fall or no other thing.
    """
    real_train = windows(config, real, mirror=True)
    synthetic_train = windows(config, synthetic, mirror=True)
    tested = windows(config, test if test is not None else real)
    if not tested.positive.any() or tested.positive.all():
        raise InputError(
            "the real clips to test on",
            f"hold {int(tested.positive.sum())} fall windows of {len(tested.positive)}",
            "give footage with falls and with other actions",
        )
    seed = int(rng.integers(2**31))
    arms = {"real": (real_train,), "synthetic": (synthetic_train,), "real+synthetic": (real_train, synthetic_train)}
    scores = {}
    for number, (arm, trained_on) in enumerate(arms.items(), start=1):
        scores[arm] = _scores(config, trained_on, real_train, tested, test is not None, seed)
        progress = ("training classifiers", number, len(arms))
        log.info("%s: %d of %d", *progress, extra={"progress": progress})
    clips = np.array(tested.clip)
    clusters = clusters_of(clips, np.unique(clips))
    picks = [resample([clusters], rng) for _ in range(config.bootstraps)]
    table: dict = {}
    sampled: dict[str, np.ndarray] = {}
    for arm, predicted in scores.items():
        if predicted is None:
            table[arm] = None
            continue
        values = np.array([_precision(tested.positive[pick], predicted[pick]) for pick in picks])
        sampled[arm] = values
        table[arm] = [_precision(tested.positive, predicted), *percentile_interval(values)]
    gain = None
    if "real" in sampled and "real+synthetic" in sampled:
        difference = sampled["real+synthetic"] - sampled["real"]
        gain = [table["real+synthetic"][0] - table["real"][0], *percentile_interval(difference)]
    return {
        "average_precision_fall": table,
        "gain": gain,
        "windows": {
            "real": len(real_train.positive) // 2,
            "real_fall": int(real_train.positive.sum()) // 2,
            "synthetic": len(synthetic_train.positive) // 2,
            "synthetic_fall": int(synthetic_train.positive.sum()) // 2,
            "test": len(tested.positive),
            "test_fall": int(tested.positive.sum()),
        },
        "split": "other footage" if test is not None else "one room held out at a time",
        "rooms": sorted(set(tested.room)),
    }


def verdict(gain: Sequence[float] | None) -> str:
    """Say in words what a gain (value and 95 % interval) means; a null result is said as one."""
    if gain is None:
        return "not measured"
    if gain[1] > 0:
        return "the synthetic clips help"
    return "the synthetic clips hurt" if gain[2] < 0 else "no difference that this footage can show"


def _scores(
    config: EvaluateConfig,
    trained_on: Sequence[Windows],
    real: Windows,
    tested: Windows,
    other_footage: bool,
    seed: int,
) -> Float[np.ndarray, "window"] | None:
    """Predicted probability of fall per tested window; None where an arm has nothing of both kinds to learn from."""
    rooms = np.array(tested.room)
    predicted = np.full(len(rooms), np.nan)
    for room in ["*"] if other_footage else sorted(set(tested.room)):
        features, positive = [], []
        for source in trained_on:
            keep = np.ones(len(source.positive), dtype=bool)
            if source is real and not other_footage:
                keep = np.array(source.room) != room
            features.append(source.features[keep])
            positive.append(source.positive[keep])
        x, y = np.concatenate(features), np.concatenate(positive)
        if len(y) == 0 or y.all() or not y.any():
            return None
        forest = RandomForestClassifier(
            config.trees, class_weight="balanced_subsample", min_samples_leaf=2, random_state=seed, n_jobs=1
        )
        forest.fit(x, y)
        chosen = np.ones(len(rooms), dtype=bool) if other_footage else rooms == room
        predicted[chosen] = np.asarray(forest.predict_proba(tested.features[chosen]))[:, 1]
    return predicted


def _precision(positive: Bool[np.ndarray, "window"], predicted: Float[np.ndarray, "window"]) -> float:
    return float(average_precision_score(positive, predicted)) if positive.any() else float("nan")
