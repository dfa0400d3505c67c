"""Two people together where nothing was captured: their acts are composed by time and place, and marked as composed.

A carer walks beside a resident, walks up to one who fell, reaches out for one who stumbles, or helps one up from a chair.
Each acts alone, in one world and on one clock; nobody pushes the other. Whoever would share space is refused.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float

from models.body import BodyModel, BodyShape, rest_root
from models.captions import Facts
from models.fall_causes import SIMULATED_HZ
from models.fall_scenes import chair_behind, fall_scene
from models.motion_source import body_mass_kg
from models.physics import PhysicsConfig, simulate_fall
from models.placement import place_track
from models.retarget import body_joints
from models.sample_actions import Actor
from models.sample_rig import rig_of
from pipeline.errors import Rejected
from pipeline.frames import transform, yaw
from pipeline.order import CAUSE_DIRECTIONS, Cause, Direction
from pipeline.types import ACTIONS, Motion, PersonTrack, Role, take

Composition = Literal["walk_beside", "approach_fallen", "catch", "help_up"]
COMPOSITIONS: tuple[Composition, ...] = get_args(Composition)
APART_M = 0.22
"""Joints of two people are never nearer: half the depth of two chests, or a hand on a shoulder."""
CATCHABLE: tuple[Cause, ...] = ("push", "slip", "trip", "misstep")


class _Person:
    """A body and what it does."""

    def __init__(self, body: BodyModel, name: str, role: Role, age: tuple[float, float], rng: np.random.Generator):
        self.body, self.name = body, name
        self.role: Role = role
        self.age_years, self.stature_m = float(rng.uniform(*age)), float(rng.uniform(1.5, 1.85))
        shape = BodyShape(
            age_years=self.age_years, sex=rng.uniform(), stature_m=self.stature_m, build=rng.uniform(0.2, 0.8)
        )
        self.betas = np.asarray(body.betas_from_shape(shape), dtype=np.float64)

    def actor(
        self, fps: float, rng: np.random.Generator, xy: Float[np.ndarray, "2"], heading: float, age: float | None = None
    ):
        return Actor(rig_of(self.body, self.betas), fps, rng, xy, heading, self.age_years if age is None else age)

    def acted(self, actor: Actor) -> tuple[PersonTrack, np.ndarray]:
        return actor.track(self.name, self.role, self.betas, actor.frames)


def composed(body: BodyModel, kind: Composition, fps: float, rng: np.random.Generator) -> tuple[Motion, Facts]:
    """Two people (resident, carer) at `fps`, and what a caption may say. Rejected where they would share space."""
    resident = _Person(body, "person_0", "resident", (68.0, 95.0), rng)
    carer = _Person(body, "person_1", "carer", (22.0, 62.0), rng)
    make: dict[Composition, Callable] = {
        "walk_beside": _walk_beside, "approach_fallen": _approach_fallen, "catch": _catch, "help_up": _help_up,
    }  # fmt: skip
    (first, second), facts, details = make[kind](resident, carer, fps, rng)
    frames = min(len(first[0].transl), len(second[0].transl))
    kept = np.arange(frames)
    tracks = tuple(take(track, kept) for track, _ in (first, second))
    joints = [body_joints(body, t.betas, t.global_orient, t.body_pose, t.transl)[:, :22] for t in tracks]
    apart = np.linalg.norm(joints[0][:, :, None] - joints[1][:, None], axis=-1).min()
    if apart < APART_M:
        raise Rejected("composed_people_share_space", f"{100.0 * apart:.0f} cm apart")
    actions = np.stack([labels[:frames] for _, labels in (first, second)])
    motion = Motion(kept / fps, tracks, actions, "composed", {"composition": kind, "composed": True} | details)
    return motion, facts


Acted = tuple[PersonTrack, np.ndarray]


def _walk_beside(
    resident: _Person, carer: _Person, fps: float, rng: np.random.Generator
) -> tuple[tuple[Acted, Acted], Facts, dict]:
    side = 1.0 if rng.random() < 0.5 else -1.0
    gap, length, turn = rng.uniform(0.78, 0.95), rng.uniform(3.0, 5.0), rng.uniform(-0.7, 0.7)
    bend = np.array([np.cos(turn), np.sin(turn)])
    across = side * gap * np.array([0.0, 1.0])
    middle, end = np.array([0.5 * length, 0.0]), np.array([0.5 * length, 0.0]) + 0.5 * length * bend
    shifted = side * gap * np.array([-bend[1], bend[0]])
    ways = (np.stack([np.zeros(2), middle, end]), np.stack([across, middle + 0.5 * (across + shifted), end + shifted]))
    acted = []
    # Who walks with an old person walks as slowly, and starts with the same draw of the pace.
    seed = int(rng.integers(2**31))
    for person, way in zip((resident, carer), ways, strict=True):
        actor = person.actor(fps, np.random.default_rng(seed), way[0], 0.0, resident.age_years)
        actor.stand(0.4)
        actor.walk(way)
        actor.stand(0.6)
        acted.append(person.acted(actor))
    facts = Facts("walk_beside", role="carer", other="resident", side="left" if side > 0.0 else "right")
    return (acted[0], acted[1]), facts, {}


def _approach_fallen(
    resident: _Person, carer: _Person, fps: float, rng: np.random.Generator
) -> tuple[tuple[Acted, Acted], Facts, dict]:
    motion = _falls(resident, False, rng)
    track, labels = _at(motion, fps, 6.0)
    place = (track.transl[-1] + rest_root(resident.body, resident.betas))[:2]
    angle = rng.uniform(-np.pi, np.pi)
    outwards = np.array([np.cos(angle), np.sin(angle)])
    lying = body_joints(
        resident.body, track.betas, *(a[-1:] for a in (track.global_orient, track.body_pose, track.transl))
    )
    reach = float(((lying[0, :22, :2] - place) @ outwards).max())
    stop = place + (reach + rng.uniform(0.4, 0.55)) * outwards
    start = stop + rng.uniform(1.5, 2.5) * outwards
    actor = carer.actor(fps, rng, start, float(angle + np.pi))
    actor.stand(motion.details["rest_s"] - rng.uniform(0.0, 0.6))
    actor.walk(np.stack([start, stop]))
    actor.stand(1.6, "bend")
    actor.stand(0.5)
    keep = ("cause", "direction", "onset_s", "impact_s", "rest_s")
    details = {key: motion.details[key] for key in keep}
    return ((track, labels), carer.acted(actor)), Facts("approach_fallen", role="carer", other="resident"), details


def _catch(
    resident: _Person, carer: _Person, fps: float, rng: np.random.Generator
) -> tuple[tuple[Acted, Acted], Facts, dict]:
    motion = _falls(resident, True, rng)
    track, labels = _at(motion, fps, 1.0)
    onset = round(motion.details["onset_s"] * fps)
    root = rest_root(resident.body, resident.betas)
    # The stumbling person at the origin: the carer waits beside the way, where it leads to.
    moved = -(track.transl[onset] + root)
    track = place_track(track, root, transform(yaw(0.0), np.array([*moved[:2], 0.0])))
    side = 1.0 if rng.random() < 0.5 else -1.0
    stood = (track.transl[-1] + root)[:2] + side * rng.uniform(0.85, 1.05) * np.array([0.0, 1.0])
    toward = float(np.arctan2(-side, 0.0))
    actor = carer.actor(fps, rng, stood, toward)
    actor.stand(max(0.3, motion.details["onset_s"] + rng.uniform(0.2, 0.4)))
    actor.tip(0.0, 0.08, True, 0.6)
    held = actor.frames
    while actor.frames < len(labels):
        actor.stand(1.0)
    reached, actions = carer.acted(actor)
    actions[held:] = ACTIONS.index("standing")
    direction = motion.details["direction"]
    facts = Facts("catch", role="carer", other="resident", direction=direction)
    return ((track, labels), (reached, actions)), facts, {"cause": motion.details["cause"], "direction": direction}


def _help_up(
    resident: _Person, carer: _Person, fps: float, rng: np.random.Generator
) -> tuple[tuple[Acted, Acted], Facts, dict]:
    sitter = resident.actor(fps, rng, np.zeros(2), 0.0)
    support, boxes = chair_behind(sitter, float(rng.uniform(0.42, 0.5)), np.zeros(2))
    sitter.sit_down(support, 1.5)
    first = sitter.frames
    sitter.sit(support, float(rng.uniform(1.5, 2.5)))
    begins = (sitter.frames - first) / fps
    seconds = float(rng.uniform(2.2, 3.4))
    sitter.stand_up(support, seconds)
    sitter.stand(0.8)
    track, labels = resident.acted(sitter)
    kept = np.arange(first, len(labels))
    side = 1.0 if rng.random() < 0.5 else -1.0
    spot = np.array([rng.uniform(0.45, 0.6), side * rng.uniform(0.4, 0.55)])
    helper = carer.actor(fps, rng, spot, float(np.arctan2(-spot[1], -spot[0])))
    helper.stand(max(0.3, begins - 0.5))
    helper.stand(seconds + 0.6, "bend")
    while helper.frames < len(kept):
        helper.stand(0.5)
    facts = Facts("help_up", role="carer", other="resident")
    details = {"boxes": [[box.centre.tolist(), box.half_sizes.tolist(), box.yaw] for box in boxes]}
    return ((take(track, kept), labels[kept]), carer.acted(helper)), facts, details


def _falls(resident: _Person, recovers: bool, rng: np.random.Generator) -> Motion:
    causes = CATCHABLE if recovers else (*CATCHABLE, "faint")
    cause = causes[int(rng.integers(len(causes)))]
    ways: list[Direction] = [way for way in CAUSE_DIRECTIONS[cause] if way != "down"]
    direction = ways[int(rng.integers(len(ways)))]
    scene = fall_scene(
        resident.body,
        resident.betas,
        cause,
        direction,
        "walking",
        7.5,
        SIMULATED_HZ,
        resident.age_years,
        "resident",
        rng,
    )
    motion = simulate_fall(
        resident.body, scene.source, cause, direction, scene.onset_s, body_mass_kg(resident.stature_m, 0.5), 0.5,
        PhysicsConfig(), rng, recovers=recovers,
    )  # fmt: skip
    if motion.details["recovered"] != recovers:
        raise Rejected("composed_fall_went_another_way")
    return replace(motion, people=(replace(motion.people[0], person="person_0"),))


def _at(motion: Motion, fps: float, more_s: float) -> Acted:
    """One person's motion at another rate, its last pose held."""
    count = round((float(motion.timestamps_s[-1]) + more_s) * fps)
    frames = np.rint(np.arange(count) / fps * SIMULATED_HZ).astype(int).clip(0, len(motion.timestamps_s) - 1)
    return take(motion.people[0], frames), motion.actions[0][frames]
