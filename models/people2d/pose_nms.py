"""One person seen twice: poses that explain the same keypoints. Thesis §5.2, DESIGN §4 people3d.

The thesis compares every projected pose with everybody's annotated keypoints and masks out who comes closer to
another's than the other does: so it lost a carer half hidden behind a bed (§6). Here two questions are kept apart.
Whether two people are one is asked of what was *seen*: they are, where most keypoints of the one seen less coincide
with the other's. And whether a lifted pose is its person's is an assignment of poses to seen keypoints with a
threshold: who explains another's keypoints and not her own has strayed in that frame, and is not a duplicate, because
nobody else explains hers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import linear_sum_assignment

from models.config import Config, renamed
from models.types import Person2D, PersonTrack


class PoseNmsConfig(Config):
    """When two poses are one person's; distances are shares of the larger person's extent in the image."""

    min_score: float = renamed("least_score", "min_score", 0.2, ge=0.0, le=1.0)
    """Keypoints scoring less count as not seen."""
    coincident_distance: float = renamed("coincide", "coincident_distance", 0.05, gt=0.0)
    """Keypoints nearer than this share of the extent (and 4 px, for noise) coincide."""
    min_coincident_share: float = renamed("share", "min_coincident_share", 0.7, gt=0.0, le=1.0)
    """Two poses are one person's where at least this share of the keypoints of the one seen less coincide, and at
    least three."""
    max_explained_distance: float = renamed("explains", "max_explained_distance", 0.15, gt=0.0)
    """A lifted pose explains seen keypoints whose mean distance from it is less than this share of their extent."""
    max_flagged_share: float = renamed("drop_share", "max_flagged_share", 0.5, gt=0.0, le=1.0)
    """A person who is a duplicate, or has strayed, in a larger share of their frames is dropped whole."""


@dataclass(frozen=True)
class PoseFlags:
    """What is wrong with which pose, per person and frame."""

    duplicate: Bool[np.ndarray, "person time"]
    """Seen already as somebody of more keypoints."""
    strayed: Bool[np.ndarray, "person time"]
    """The lifted pose explains another's keypoints and not this person's own."""


def extent_px(keypoints_px: Float[np.ndarray, "17 2"], scores: Float[np.ndarray, "17"], min_score: float) -> float:
    """Return the diagonal of the box of the keypoints that were seen, pixels."""
    seen = scores >= min_score
    return float(np.linalg.norm(np.ptp(keypoints_px[seen], axis=0))) if seen.any() else 0.0


def same_person(
    a_px: Float[np.ndarray, "17 2"],
    a_scores: Float[np.ndarray, "17"],
    b_px: Float[np.ndarray, "17 2"],
    b_scores: Float[np.ndarray, "17"],
    config: PoseNmsConfig,
) -> bool:
    """Say whether two sets of keypoints are of one person."""
    a_seen, b_seen = a_scores >= config.min_score, b_scores >= config.min_score
    reach = config.coincident_distance * max(
        extent_px(a_px, a_scores, config.min_score), extent_px(b_px, b_scores, config.min_score)
    )
    both = a_seen & b_seen & (np.linalg.norm(a_px - b_px, axis=-1) <= reach + 4.0)
    return bool(both.sum() >= max(3, config.min_coincident_share * min(a_seen.sum(), b_seen.sum())))


def pose_nms(
    keypoints_px: Float[np.ndarray, "pose 17 2"], scores: Float[np.ndarray, "pose 17"], config: PoseNmsConfig
) -> list[int]:
    """Return indices, in order, of one frame's poses that are different people: of each the pose of the highest sum of
    scores."""
    kept: list[int] = []
    for i in np.argsort(-scores.sum(axis=1), kind="stable"):
        if not any(same_person(keypoints_px[i], scores[i], keypoints_px[k], scores[k], config) for k in kept):
            kept.append(int(i))
    return sorted(kept)


def flag_poses(
    people: Sequence[Person2D], projected_px: Float[np.ndarray, "person time 17 2"] | None, config: PoseNmsConfig
) -> PoseFlags:
    """Flag who is seen twice, per person and frame; and where their lifted poses are projected too, who strayed.

    Of two who are one, the one of less total score is the duplicate, in all frames alike. Projections that are not
    finite explain nothing.
    """
    frames = len(people[0].visible) if people else 0
    duplicate, strayed = np.zeros((len(people), frames), dtype=bool), np.zeros((len(people), frames), dtype=bool)
    order = sorted(range(len(people)), key=lambda i: -float(people[i].scores.sum()))
    for t in range(frames):
        here: list[int] = []
        for i in order:
            person = people[i]
            if not person.visible[t] or (person.scores[t] >= config.min_score).sum() < 3:
                continue
            others = ((people[k].keypoints_px[t], people[k].scores[t]) for k in here)
            if any(same_person(person.keypoints_px[t], person.scores[t], *other, config) for other in others):
                duplicate[i, t] = True
            else:
                here.append(i)
        if projected_px is None or len(here) < 2:
            continue
        cost = np.array([[_misfit(projected_px[i, t], people[k], t, config) for k in here] for i in here])
        # A pose has the first claim to the keypoints it was lifted from.
        claims = np.minimum(cost, config.max_explained_distance) * np.where(np.eye(len(here)), 0.5, 1.0)
        for row, column in zip(*linear_sum_assignment(claims), strict=True):
            own = row == column and cost[row, row] < config.max_explained_distance
            strayed[here[row], t] = not own and cost[row].min() < config.max_explained_distance
    return PoseFlags(duplicate, strayed)


def _misfit(projected_px: Float[np.ndarray, "17 2"], person: Person2D, frame: int, config: PoseNmsConfig) -> float:
    """Mean distance of a projected pose from the keypoints that were seen, as a share of their extent; each at most
    1."""
    seen = person.scores[frame] >= config.min_score
    away = np.linalg.norm(projected_px[seen] - person.keypoints_px[frame][seen], axis=-1)
    size = max(extent_px(person.keypoints_px[frame], person.scores[frame], config.min_score), 1.0)
    return float(np.minimum(np.nan_to_num(away / size, nan=1.0), 1.0).mean())


def drop_duplicates(people: Sequence[Person2D], config: PoseNmsConfig) -> tuple[list[Person2D], list[dict]]:
    """Return the people, each once: a duplicate's frames are emptied, or the whole person dropped; and what was done,
    in words."""
    flags = flag_poses(people, None, config)
    kept, report = [], []
    for person, twice in zip(people, flags.duplicate, strict=True):
        if not twice.any():
            kept.append(person)
            continue
        whole = twice.sum() > config.max_flagged_share * person.visible.sum()
        report.append({"person": person.person, "duplicate_frames": int(twice.sum()), "dropped": bool(whole)})
        if not whole:
            kept.append(emptied(person, twice))
    return kept, report


def emptied(person: Person2D, frames: Bool[np.ndarray, "time"]) -> Person2D:
    """Return the person unseen in some frames."""
    keep = ~frames
    return replace(
        person,
        visible=person.visible & keep,
        boxes_px=person.boxes_px * keep[:, None],
        keypoints_px=person.keypoints_px * keep[:, None, None],
        scores=person.scores * keep[:, None],
    )


def drop_strayed_frames(
    tracks: Sequence[PersonTrack],
    people: Sequence[Person2D],
    projected_px: Sequence[Float[np.ndarray, "time 17 2"]],
    config: PoseNmsConfig,
) -> tuple[list[PersonTrack], list[dict]]:
    """Return lifted tracks without the frames that show another's body; and what was done, in words.

    Such frames count as unobserved, at half their confidence; a track of little else is dropped. `people` holds
    everyone of `tracks` by name; `projected_px` are the tracks' COCO-17 in the image.
    """
    by_name = {person.person: person for person in people}
    seen = [by_name[track.person] for track in tracks]
    strayed = flag_poses(seen, np.stack(projected_px), config).strayed if tracks else np.zeros((0, 0), dtype=bool)
    kept, report = [], []
    for track, away in zip(tracks, strayed, strict=True):
        whole = away.sum() > config.max_flagged_share * track.visible.sum()
        if away.any():
            report.append({"person": track.person, "strayed_frames": int(away.sum()), "dropped": bool(whole)})
        if not whole:
            confidence = np.where(away, 0.5 * track.confidence, track.confidence)
            kept.append(replace(track, visible=track.visible & ~away, confidence=confidence))
    return kept, report
