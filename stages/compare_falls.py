"""Made falls, simulated or sampled, against real ones, like with like. In: clips of real footage as they were lifted,
with their table of falls.

Each real fall is cut out and lifted again; made counterparts of it (models/compare_falls/counterparts.py) are seen
by the same camera and lifted by the same stage; a classifier on kinematic features then tries to tell the two apart.
Beside that: captured walks against lifted walks, which says what lifting alone gives away, and one half of the real
falls against the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field

from models.body.model import BodyModel
from models.compare_falls.counterparts import MakeFall, aligned_at_onset, counterpart, seen_by
from models.compare_falls.features import fall_features
from models.compare_falls.real_falls import Fall, LiftedClip
from models.compare_falls.two_samples import FEWEST, Separation, classifier_two_sample_test
from models.config import Config, renamed
from models.errors import Rejected
from models.falls.causes import DIRECTION_ANGLES
from models.geometry.camera import Camera
from models.types import SMPL_JOINTS, Motion, Person2D

_NECK = SMPL_JOINTS.index("neck")


class CompareFallsConfig(Config):
    """What is cut out and how many counterparts it has."""

    motion: Literal["simulated", "model"] = "simulated"
    """Where falls come from that are compared with real ones: physics, or the motion model of `sample_motion`."""
    counterparts: int = Field(2, ge=1)
    """Falls made for each real one."""
    before_s: float = Field(1.0, gt=0.0)
    """Seconds before the onset that are compared."""
    after_s: float = Field(3.0, gt=0.0)
    """Seconds after the onset that are compared."""
    min_drop_m: float = renamed("least_drop_m", "min_drop_m", 0.25, gt=0.0)
    """Whose pelvis sinks less is not the one who fell."""
    walk_m: float = Field(1.0, gt=0.0)
    """Way of the pelvis in a window that counts as a walk."""
    max_listed_features: int = renamed("giveaways", "max_listed_features", 12, ge=1)
    """Figures listed that separate most by themselves."""


@dataclass(frozen=True)
class Window:
    """A stretch of one person's track in one clip."""

    event: str
    """Clips of one event by several cameras share it."""
    clip: str
    person: Person2D
    times: Float[np.ndarray, "time"]
    """From the window's first frame."""
    onset_s: float
    joints: Float[np.ndarray, "time 24 3"]
    """World, as the store has them."""
    camera: Camera
    fall: Fall | None


def falls_of(
    config: CompareFallsConfig, clips: Sequence[LiftedClip], falls: dict[str, Fall]
) -> tuple[list[Window], list[dict[str, str]]]:
    """Return the annotated falls that can be compared, and why others cannot."""
    windows, dropped = [], []
    for clip in clips:
        fall = falls.get(clip.footage.path)
        if fall is None:
            continue
        times = clip.footage.timestamps_s
        if fall.onset_s is None or fall.direction not in DIRECTION_ANGLES:
            dropped.append({"item": clip.clip, "reason": "the table says neither onset nor direction"})
            continue
        before = (times >= fall.onset_s - 0.5) & (times <= fall.onset_s + 0.3)
        after = (times >= fall.at_rest_s) & (times <= fall.at_rest_s + 1.0)
        sunk = {
            track.person: float(
                clip.joints_world[track.person][before, 0, 2].max()
                - np.median(clip.joints_world[track.person][after, 0, 2])
            )
            for track in clip.tracks
            if before.any() and (track.visible & after).sum() >= 2
        }
        who = max(sunk, key=lambda person: sunk[person], default="")
        if clip.room is None or not who or sunk[who] < config.min_drop_m:
            dropped.append({"item": clip.clip, "reason": "the fall was not lifted from before its onset to its rest"})
            continue
        windows.append(_window(config, clip, who, fall.onset_s, fall))
    return windows, dropped


def walks_of(config: CompareFallsConfig, clips: Sequence[LiftedClip], falls: dict[str, Fall]) -> list[Window]:
    """Return windows in which somebody walks, from clips without falls; they do not overlap."""
    windows = []
    length = config.before_s + config.after_s
    for clip in clips:
        if clip.footage.path in falls or clip.room is None:
            continue
        times = clip.footage.timestamps_s
        for track in clip.tracks:
            joints = clip.joints_world[track.person]
            for start in np.arange(times[0], times[-1] - length, length):
                inside = (times >= start) & (times < start + length)
                if (track.visible & inside).sum() < 0.9 * inside.sum():
                    continue
                walked_m = np.linalg.norm(joints[inside][-1, 0, :2] - joints[inside][0, 0, :2])
                trunk = joints[inside][:, _NECK] - joints[inside][:, 0]
                up = (trunk[:, 2] / np.linalg.norm(trunk, axis=-1)).min()
                if walked_m > config.walk_m and up > 0.8:
                    walk = _window(config, clip, track.person, float(start) + config.before_s, None)
                    # What two cameras see of one time is one event; one clip holds several walks.
                    windows.append(replace(walk, event=f"{walk.event} {start - times[0]:.1f}"))
    return windows


def _window(config: CompareFallsConfig, clip: LiftedClip, who: str, onset_s: float, fall: Fall | None) -> Window:
    assert clip.room is not None
    times = clip.footage.timestamps_s
    rows = np.flatnonzero((times >= onset_s - config.before_s) & (times <= onset_s + config.after_s))
    person = next(person for person in clip.people if person.person == who)
    part = Person2D(
        who, person.role, person.visible[rows], person.boxes_px[rows], person.keypoints_px[rows], person.scores[rows]
    )
    return Window(
        clip.clip.split("_C")[0],
        clip.clip,
        part,
        times[rows] - times[rows[0]],
        onset_s - float(times[rows[0]]),
        clip.joints_world[who][rows],
        clip.room.camera,
        fall,
    )


def counterparts(
    config: CompareFallsConfig,
    body: BodyModel,
    make: MakeFall,
    window: Window,
    walks: Sequence[Motion],
    rng: np.random.Generator,
) -> tuple[list[Person2D], list[str]]:
    """Return made falls (or, of a walk, captured ones) as the window's camera and a detector would have seen them, and
    why others were not made."""
    found, missing = [], []
    for _ in range(config.counterparts if window.fall is not None else 1):
        try:
            if window.fall is not None:
                fall = _since(window)
                seen = (window.person, window.times, window.joints, window.camera)
                found.append(counterpart(body, make, fall, *seen, rng))
            elif walks:
                track = walks[int(rng.integers(len(walks)))]
                found.append(_walked(body, track, window, rng))
        except Rejected as rejected:
            missing.append(rejected.reason)
    return found, missing


def _since(window: Window) -> Fall:
    """The fall by the window's own timestamps."""
    assert window.fall is not None
    return replace(window.fall, onset_s=window.onset_s)


def _walked(body: BodyModel, motion: Motion, window: Window, rng: np.random.Generator) -> Person2D:
    """A captured walk in the place of a lifted one."""
    length = float(window.times[-1])
    spare = float(motion.timestamps_s[-1]) - length
    if spare < 0.0:
        raise Rejected("walk_too_short")
    start = float(rng.uniform(0.0, spare))
    frames = np.searchsorted(motion.timestamps_s, start + window.times).clip(0, len(motion.timestamps_s) - 1)
    aligned = aligned_at_onset(body, motion.people[0], int(frames[0]), window.joints[0])
    return seen_by(body, aligned, frames, window.person, window.times, window.camera, rng)


def features(window: Window, joints: Float[np.ndarray, "time 24 3"]) -> dict[str, float]:
    """Return kinematic features of a lifted window."""
    return fall_features(joints, window.times, window.onset_s)


def run(
    config: CompareFallsConfig, samples: dict[str, list[tuple[str, dict[str, float]]]], rng: np.random.Generator
) -> dict:
    """Return `falls.json`'s comparison: areas under the curve as [mean, low, high], or None where there are too few
    events.

    `samples` maps real_falls, simulated_falls, real_walks and captured_walks to (event, features).
    """
    falls = _compared(samples["simulated_falls"], samples["real_falls"], rng)
    walks = _compared(samples["captured_walks"], samples["real_walks"], rng)
    real = samples["real_falls"]
    events = rng.permutation(sorted({event for event, _ in real})).tolist()
    half = set(events[: len(events) // 2])
    halves = _compared([row for row in real if row[0] in half], [row for row in real if row[0] not in half], rng)
    single = sorted(falls.single.items(), key=lambda item: -item[1]) if falls else []
    return {
        "auc_sim_vs_real": falls.row() if falls else None,
        "auc_walk_vs_real": walks.row() if walks else None,
        "auc_real_vs_real": halves.row() if halves else None,
        "gives_away": {name: round(area, 3) for name, area in single[: config.max_listed_features]},
        "samples": {name: len(rows) for name, rows in samples.items()},
        "medians": _medians(samples, [name for name, _ in single[: config.max_listed_features]]),
    }


def _compared(
    first: list[tuple[str, dict[str, float]]], second: list[tuple[str, dict[str, float]]], rng: np.random.Generator
) -> Separation | None:
    if min(len({event for event, _ in first}), len({event for event, _ in second})) < FEWEST:
        return None
    return classifier_two_sample_test(
        [f for _, f in first], [f for _, f in second], [e for e, _ in first], [e for e, _ in second], rng
    )


def _medians(samples: dict[str, list[tuple[str, dict[str, float]]]], names: list[str]) -> dict[str, dict[str, float]]:
    return {
        name: {
            kind: round(float(np.median([row[name] for _, row in samples[kind]])), 3)
            for kind in ("simulated_falls", "real_falls")
        }
        for name in names
    }
