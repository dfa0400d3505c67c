"""Motion that the keypoint regressor (`models/people3d/keypoint_lifter.py`) learns from: takes of one body, at 20 Hz,
floor at z = 0.

A motion corpus (`careclips corpus build`: captures, falls with what follows them, look-alikes, composed people), and
two that it does not hold: the acted people of sample footage, who walk through a room, gesture, and sit or lie down on
furniture of any height in one take; and slow wandering through the posture library of
`models/people3d/fitting/initialisation.py` with everything bent at random, for postures that neither captures nor
physics come to. Held out are the corpus's val and test splits, and every tenth take of the other two.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation, Slerp

from models.animation.actor import actor_of
from models.animation.support import Support
from models.body.floor_contact import lowest_surface
from models.body.model import BodyModel, BodyShape
from models.body.posture_library import posture_library
from models.body.subject import Subject
from models.body.tracks import rest_root
from models.errors import InputError
from models.geometry.transforms import R_ZUP_YUP, axis_angle_from_matrix, matrix_from_axis_angle, yaw
from models.seeds import generator
from models.training.corpus_tracks import KINDS, CorpusTrack
from models.types import FPS, SMPL_JOINTS, PersonTrack

SOURCES = (*KINDS, "acted", "postures")
MOTION_HZ = FPS
HELD_OUT = 10
"""One take of so many that are made here, counted through each source, is held out."""
REFERENCE = BodyShape(age_years=50.0, stature_m=1.7, sex=0.5, build=0.5)
BENT = {"hip": 0.3, "knee": 0.35, "shoulder": 0.6, "elbow": 0.6, "ankle": 0.2, "spine1": 0.12, "spine2": 0.1,
        "spine3": 0.1, "neck": 0.2, "head": 0.2, "collar": 0.08, "wrist": 0.2}  # fmt: skip
"""Spread of the bending at random of library postures, radians per axis-angle component."""


@dataclass(frozen=True)
class Motions:
    """Takes, one after the other."""

    rotations: Float[np.ndarray, "frame 24 3"]
    """Axis-angle: the root to the world, joints 1 to 23 to their parents."""
    pelvis: Float[np.ndarray, "frame 3"]
    """World, metres, of the reference body."""
    lowest: Float[np.ndarray, "frame"]
    """Height of the lowest point of the skin: 0 on the floor, the mattress's height on a bed."""
    falling: Bool[np.ndarray, "frame"]
    take: Int[np.ndarray, "frame"]
    source: Int[np.ndarray, "frame"]
    """Index into SOURCES."""
    held_out: Bool[np.ndarray, "frame"]

    def counts(self) -> dict[str, dict[str, float]]:
        """Count takes and minutes to learn from, by source."""
        learnt = [(self.source == number) & ~self.held_out for number in range(len(SOURCES))]
        return {
            name: {"takes": len(np.unique(self.take[of])), "minutes": round(float(of.sum()) / MOTION_HZ / 60.0, 1)}
            for name, of in zip(SOURCES, learnt, strict=True)
        }


class _Collector:
    def __init__(self, body: BodyModel):
        self.body = body
        self.betas = np.asarray(body.betas_from_shape(REFERENCE), dtype=np.float64)
        self.rest = rest_root(body, self.betas)
        self.parts: list[tuple[np.ndarray, ...]] = []
        self.rows: list[tuple[int, bool]] = []

    def add(self, track: PersonTrack, source: str, held_out: bool, falling: Bool[np.ndarray, "time"]) -> None:
        """Take the whole track as one take; where its body is not the reference's, its path is scaled by the hips."""
        rest = rest_root(self.body, track.betas)
        scale = self.rest[1] - self._sole(self.betas)
        scale /= rest[1] - self._sole(track.betas)
        pelvis = (track.transl + rest) * scale
        lowest = lowest_surface(self.body, track.betas, track.global_orient, track.body_pose, track.transl) * scale
        turns = np.concatenate([track.global_orient, track.body_pose], axis=1).reshape(-1, 24, 3)
        self.parts.append((turns, pelvis, lowest, falling))
        self.rows.append((SOURCES.index(source), held_out))

    def _sole(self, betas: Float[np.ndarray, "10"]) -> float:
        still = np.zeros((1, 3))
        return float(lowest_surface(self.body, betas, _upright(), np.zeros((1, 69)), still)[0])

    def collected(self) -> Motions:
        counts = [len(part[1]) for part in self.parts]
        source, held_out = (np.repeat(values, counts) for values in zip(*self.rows, strict=True))
        turns, pelvis, lowest, falling = (np.concatenate(values) for values in zip(*self.parts, strict=True))
        return Motions(turns, pelvis, lowest, falling, np.repeat(np.arange(len(counts)), counts), source, held_out)


def _upright() -> Float[np.ndarray, "1 3"]:
    return axis_angle_from_matrix(R_ZUP_YUP[None])


def collect(body: BodyModel, tracks: Iterable[CorpusTrack], acted: int, postures: int, seed: int) -> Motions:
    """Collect everybody of a corpus (`models/training/corpus_tracks.py`), and so many takes of the other two.

    InputError where nothing came.
    """
    collector = _Collector(body)
    for found in tracks:
        collector.add(found.track, found.kind, found.held_out, found.falling)
    for number in range(acted):
        track = _acted(body, generator(seed, "lift_motions", f"acted {number}"))
        collector.add(track, "acted", number % HELD_OUT == HELD_OUT // 2, np.zeros(len(track.transl), dtype=bool))
    for number in range(postures):
        track = _wander(body, collector.betas, generator(seed, "lift_motions", f"posture {number}"))
        collector.add(track, "postures", number % HELD_OUT == HELD_OUT // 2, np.zeros(len(track.transl), dtype=bool))
    if not collector.parts:
        raise InputError("motions", "nothing was collected", "name a corpus with --corpus, or ask for --acted")
    return collector.collected()


def _acted(body: BodyModel, rng: np.random.Generator) -> PersonTrack:
    """Someone walks to a seat or a bed of any height, sits, lies down or rises, and gestures."""
    shape = BodyShape(
        age_years=rng.uniform(20.0, 95.0),
        sex=rng.uniform(),
        stature_m=rng.uniform(1.48, 1.92),
        build=rng.uniform(0.1, 0.9),
    )
    betas = body.betas_from_shape(shape)
    heading = rng.uniform(-np.pi, np.pi)
    ahead = np.array([np.cos(heading), np.sin(heading)])
    side = rng.choice([-1.0, 1.0]) * np.array([-ahead[1], ahead[0]])
    square = np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
    support = Support("bed", rng.uniform(0.36, 0.62), -0.5 * ahead + square, -0.45 * ahead, ahead, side)
    subject = Subject(body, betas, shape.age_years, "resident", name="person")
    actor = actor_of(subject, MOTION_HZ, rng, heading=heading)
    kind = rng.choice(["sit", "bed", "stand"])
    actor.stand(rng.uniform(0.3, 1.0))
    if kind == "stand":
        for gesture in rng.permutation(["raise", "bend", "look", "idle"]):
            actor.stand(rng.uniform(1.0, 2.5), str(gesture))
            turn = rng.uniform(-np.pi, np.pi)
            actor.turn_to(turn)
            stretch = np.array([np.cos(turn), np.sin(turn)]) * rng.uniform(0.8, 3.0)
            actor.walk(actor.xy + np.array([[0.0, 0.0], 1.0 * stretch]))
    else:
        actor.sit_down(support, rng.uniform(1.4, 2.5))
        actor.sit(support, rng.uniform(2.0, 4.0))
        if kind == "bed":
            actor.lie_down(support, rng.uniform(2.0, 3.2), rng.uniform(2.0, 5.0))
        else:
            actor.stand_up(support, rng.uniform(1.4, 2.5))
            actor.stand(0.8)
    return actor.track(subject, actor.frames)[0]


def _wander(body: BodyModel, betas: Float[np.ndarray, "10"], rng: np.random.Generator) -> PersonTrack:
    """Five postures of the library one after the other, bent at random, from holds of a second to slow turns."""
    entries = posture_library()[0]
    spread = np.array([BENT.get(name.split("_")[-1], 0.05) for name in SMPL_JOINTS[1:]])
    upright = rng.random() < 0.35
    low = [i for i, (_, tilt) in enumerate(entries) if (tilt[1, 1] > 0.6) == upright]
    heading, key_s = rng.uniform(-np.pi, np.pi), 0.0
    keys, times, places, lifts = [], [], [], []
    spot = np.zeros(2)
    raised = 0.0 if upright or rng.random() < 0.6 else rng.uniform(0.1, 0.8)
    for _ in range(5):
        pose, tilt = entries[rng.choice(low)]
        heading += rng.normal(0.0, 0.7)
        spot = spot + rng.normal(0.0, 0.25, 2)
        bend = rng.normal(size=(23, 3)) * spread[:, None] * rng.uniform(0.2, 1.2)
        sway = matrix_from_axis_angle(rng.normal(0.0, 0.15, 3))
        root = yaw(heading) @ R_ZUP_YUP @ tilt @ sway
        turns = np.concatenate([root[None], matrix_from_axis_angle(pose.reshape(23, 3) + bend)])
        for stay in (0.0, rng.uniform(0.3, 2.5)):
            keys.append(turns)
            times.append(key_s + stay)
            places.append(spot)
            lifts.append(raised)
        key_s = times[-1] + rng.uniform(0.5, 2.5)
    clock = np.arange(0.0, times[-1], 1.0 / MOTION_HZ)
    stacked = np.stack(keys)
    moving = [Slerp(times, Rotation.from_matrix(stacked[:, joint]))(clock).as_matrix() for joint in range(24)]
    turns = gaussian_filter1d(np.stack(moving, axis=1), 0.15 * MOTION_HZ, axis=0, mode="nearest")
    flat = Rotation.from_matrix(turns.reshape(-1, 3, 3)).as_rotvec().reshape(-1, 24, 3)
    count = len(clock)
    transl = np.zeros((count, 3))
    for axis in (0, 1):
        transl[:, axis] = gaussian_filter1d(np.interp(clock, times, np.stack(places)[:, axis]), 3.0, mode="nearest")
    pose = flat[:, 1:].reshape(count, 69)
    lowest = lowest_surface(body, betas, flat[:, 0], pose, transl)
    transl[:, 2] = np.interp(clock, times, lifts) - lowest
    return PersonTrack("person", "resident", betas, flat[:, 0], pose, transl, np.ones(count, bool), np.ones(count))


def save_motions(motions: Motions, path: Path) -> None:
    """Write as npz, in half precision but for places."""
    np.savez_compressed(
        path,
        rotations=motions.rotations.astype(np.float16),
        pelvis=motions.pelvis.astype(np.float32),
        lowest=motions.lowest.astype(np.float16),
        falling=motions.falling,
        take=motions.take.astype(np.int32),
        source=motions.source.astype(np.int8),
        held_out=motions.held_out,
    )


def read_motions(path: Path) -> Motions:
    """Read what `save_motions` wrote; InputError for anything else."""
    try:
        with np.load(path) as data:
            return Motions(
                data["rotations"].astype(np.float64),
                data["pelvis"].astype(np.float64),
                data["lowest"].astype(np.float64),
                data["falling"],
                data["take"].astype(np.int64),
                data["source"].astype(np.int64),
                data["held_out"],
            )
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            path, f"holds no collected motion ({error})", "make it with careclips train lifter --corpus"
        ) from error
