"""What two people do together, before physics: who acts when and where, and which hand of the carer holds what.

A carer walks beside a resident, walks up to one who fell and kneels down, catches one who stumbles, or helps one up
from a chair. Each moves alone, in one world and at the same timestamps; `models.interactions.composition` brings their
hands together.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation

from models.animation.actor import actor_of
from models.animation.floor_transitions import FEET, down_to_a_knee, key, paced, upright
from models.animation.keyframes import mirrored_key, perform
from models.animation.postures import Posture, squatting, varied
from models.animation.props import chair_behind, lowered
from models.body.anthropometry import body_mass_kg
from models.body.model import BodyModel, BodyShape
from models.body.placement import transform_track
from models.body.subject import Subject
from models.body.tracks import rest_root, track_joints
from models.errors import Rejected
from models.falls.causes import SIMULATED_HZ, PlannedFall
from models.falls.controller import PhysicsConfig
from models.falls.look_alikes import HULL_M
from models.falls.scenes import fall_scene
from models.falls.simulation import simulate_fall
from models.geometry.easing import minimum_jerk
from models.geometry.transforms import axis_angle_from_matrix, matrix_from_axis_angle, transform, yaw
from models.interactions.hand_holds import Hold, Side, held_share, offer_arms
from models.order import CAUSE_DIRECTIONS, Cause, Direction
from models.physics.humanoid import Box, build_humanoid
from models.text.captions import Facts
from models.text.vocabulary import Touch
from models.types import ACTIONS, SMPL_JOINTS, Motion, PersonTrack, Role, take

InteractionKind = Literal["walk_beside", "approach_fallen", "catch", "help_up"]
INTERACTION_KINDS: tuple[InteractionKind, ...] = get_args(InteractionKind)
CATCHABLE: tuple[Cause, ...] = ("push", "slip", "trip", "misstep")
OFFERED = Posture(arms=(28.0, 28.0), aside=(14.0, 14.0), elbows=(78.0, 78.0), pronation=(55.0, 55.0))
"""Forearms held out to be taken."""
IN_FRONT = Posture(arms=(14.0, 14.0), aside=(8.0, 8.0), elbows=(40.0, 40.0))
"""An arm out of the way of somebody's hand on the back, and still."""
OTHER: dict[Side, Side] = {"left": "right", "right": "left"}
LOW = (ACTIONS.index("kneeling"), ACTIONS.index("squatting"))
LEANT_M = (0.2, 0.12)
"""How far forward and down the shoulders of who is down come by leaning over."""
UP = 0.85
"""Height of the neck over that at first, of who is up again."""
CHANGE_S = 0.5
"""How long somebody takes from how one movement ends to how the next begins."""


def draw_subject(
    body: BodyModel, name: str, role: Role, age_years: tuple[float, float], rng: np.random.Generator
) -> Subject:
    """Draw a grown person of an age between two, of any stature, build and sex."""
    age, stature, build = float(rng.uniform(*age_years)), float(rng.uniform(1.5, 1.85)), float(rng.uniform(0.2, 0.8))
    shape = BodyShape(age_years=age, sex=rng.uniform(), stature_m=stature, build=build)
    betas = np.asarray(body.betas_from_shape(shape), dtype=np.float64)
    return Subject(body, betas, age, role, body_mass_kg(stature, build), shape.sex, frailty=0.5, name=name)


Acted = tuple[PersonTrack, Int[np.ndarray, "_"]]
"""A track and its actions."""


@dataclass(frozen=True)
class Interaction:
    """Two people, not touching yet."""

    resident: Acted
    carer: Acted
    facts: Facts
    holds: tuple[Hold, ...] = ()
    boxes: tuple[Box, ...] = ()
    given_s: float = 0.0
    """Until when the resident's motion comes from the simulation of a fall."""
    details: dict[str, Any] = field(default_factory=dict)


def walk_beside(resident: Subject, carer: Subject, fps: float, rng: np.random.Generator) -> Interaction:
    """Return two who walk side by side at the resident's pace: apart, a hand on the back, or holding the arm on that
    side."""
    side: Side = "left" if rng.random() < 0.5 else "right"
    sign = 1.0 if side == "left" else -1.0
    manner = str(rng.choice(["apart", "forearm", "upper_arm", "back"], p=[0.2, 0.3, 0.2, 0.3]))
    gap = rng.uniform(0.72, 0.9) if manner == "apart" else rng.uniform(0.5, 0.56)
    length, turn = rng.uniform(3.0, 5.0), rng.uniform(-0.7, 0.7) * (1.0 if manner == "apart" else 0.6)
    bend = np.array([np.cos(turn), np.sin(turn)])
    # Whose arm goes behind the other walks a little behind.
    behind = 0.0 if manner in ("apart", "forearm") else 0.12
    across = sign * gap * np.array([0.0, 1.0]) - behind * np.array([1.0, 0.0])
    middle, end = np.array([0.5 * length, 0.0]), np.array([0.5 * length, 0.0]) + 0.5 * length * bend
    shifted = sign * gap * np.array([-bend[1], bend[0]]) - behind * bend
    paths = (np.stack([np.zeros(2), middle, end]), np.stack([across, middle + 0.5 * (across + shifted), end + shifted]))
    # Who walks with an old person walks as slowly, and begins with the same draw of the pace and the same foot.
    seed, before, after = int(rng.integers(2**31)), float(rng.uniform(0.9, 1.3)), float(rng.uniform(1.3, 1.7))
    performed, seconds, stops = [], None, 0.0
    for person, path in zip((resident, carer), paths, strict=True):
        actor = actor_of(replace(person, age_years=resident.age_years), fps, np.random.default_rng(seed), path[0])
        actor.stand(before)
        first = actor.frames
        actor.walk(path, seconds)
        seconds, stops = (actor.frames - first) / fps, actor.frames / fps
        actor.stand(after)
        performed.append(actor.track(person, actor.frames))
    always = rng.random() < 0.5
    begin = -2.0 if always else 0.1
    until = 99.0 if always else stops + 0.2
    track, labels = performed[0]
    holds: tuple[Hold, ...] = ()
    if manner != "apart":
        part = manner if manner == "back" else f"{side}_{manner}"
        holds = (Hold(OTHER[side], part, begin, begin + 0.9, until, until + 0.7, (0.0, 0.0, 0.3)),)
        posture = OFFERED if manner == "forearm" else IN_FRONT
        track = offer_arms(track, posture, (side,), held_share(holds[0], len(labels), fps))
    touch: Touch | None = None if manner == "apart" else "back" if manner == "back" else "arm"
    facts = Facts("walk_beside", role="carer", other="resident", side=side, touch=touch)
    return Interaction((track, labels), performed[1], facts, holds)


def approach_fallen(resident: Subject, carer: Subject, fps: float, rng: np.random.Generator) -> Interaction:
    """Return how the resident falls and lies; the carer walks up, goes down and lays a hand or both on shoulder and
    arm."""
    motion = _falls(resident, False, rng)
    track, labels = _at(motion, fps, 8.0)
    lying = track_joints(resident.body, take(track, np.array([len(labels) - 1])))[0]
    side, part, angle, point, extent = _access(lying[:22], rng)
    outwards = np.array([np.cos(angle), np.sin(angle)])
    first: Side = "right" if rng.random() < 0.5 else "left"
    down = _down(carer, OTHER[first], fps, rng)
    away = min(extent + 0.24, _reach_m(carer, down[0], first, float(point[2])))
    # The hand that reaches is in front of the knee that goes down; the other foot is beside what it reaches for.
    aside = (0.12 if first == "right" else -0.12) * np.array([outwards[1], -outwards[0]])
    stop = point[:2] + max(away, 0.2) * outwards + aside
    start = stop + rng.uniform(1.5, 2.5) * outwards
    actor = actor_of(carer, fps, rng, start, float(angle + np.pi))
    actor.stand(motion.details["rest_s"] - rng.uniform(0.0, 0.6))
    actor.walk(np.stack([start, stop]))
    actor.stand(0.3)
    walked = actor.track(carer, actor.frames)
    heading, stood = float(angle + np.pi), len(walked[1]) / fps
    performed = _then(carer, walked, down, heading, fps)
    begin = stood + int(np.argmax(np.isin(down[1], LOW))) / fps - 0.2
    given_s = motion.details["rest_s"] + 0.3
    outside = (-0.3 * outwards[0], -0.3 * outwards[1], 0.8)
    holds = (Hold(first, f"{side}_{part}", begin, begin + 0.9, 99.0, 99.0, outside),)
    keep = ("cause", "direction", "onset_s", "impact_s", "rest_s")
    details = {key: motion.details[key] for key in keep}
    facts = Facts("approach_fallen", role="carer", other="resident", touch="shoulder" if part == "shoulder" else "arm")
    return Interaction((track, labels), performed, facts, holds, (), given_s, details)


def catch(resident: Subject, carer: Subject, fps: float, rng: np.random.Generator) -> Interaction:
    """Return how the resident stumbles and stays up; the carer, who stands beside the path, steps in and takes hold."""
    motion = _falls(resident, True, rng)
    track, labels = _at(motion, fps, 1.0)
    onset_s = motion.details["onset_s"]
    root = rest_root(resident.body, resident.betas)
    # The stumbling person at the origin: the carer waits beside the path, where it leads to.
    shift = -(track.transl[round(onset_s * fps)] + root)
    track = transform_track(track, root, transform(yaw(0.0), np.array([*shift[:2], 0.0])))
    side: Side = "left" if rng.random() < 0.5 else "right"
    sign = 1.0 if side == "left" else -1.0
    joints = track_joints(resident.body, track)
    ends = joints[-1, 0, :2]
    facing = matrix_from_axis_angle(track.global_orient[-1])[:2, 2]
    facing = facing / np.linalg.norm(facing)
    aside = sign * np.array([-facing[1], facing[0]])
    near, far = ends + rng.uniform(0.5, 0.56) * aside, ends + rng.uniform(0.85, 1.0) * aside
    toward = float(np.arctan2(-aside[1], -aside[0]))
    actor = actor_of(carer, fps, rng, far, toward)
    begins = onset_s + float(rng.uniform(0.3, 0.5))
    # Nobody dives after who is about to touch the floor: hands take hold as soon as the trunk is up again.
    neck = joints[:, SMPL_JOINTS.index("neck"), 2]
    low = np.flatnonzero(neck < UP * neck[0])
    begins = max(begins, low[-1] / fps - 0.4) if len(low) else begins
    actor.stand(begins)
    actor.walk(np.stack([far, near]), 0.9)
    while actor.frames < len(labels):
        actor.stand(1.0)
    reached, actions = actor.track(carer, actor.frames)
    actions[round(begins * fps) :] = ACTIONS.index("standing")
    # Facing the resident's side, one hand is in front of the trunk and the other behind it.
    front: Side = side
    grab, until = begins + 0.25, 99.0 if rng.random() < 0.5 else len(labels) / fps - 1.0
    arm = f"{side}_upper_arm" if rng.random() < 0.5 else "chest"
    holds = (
        Hold(OTHER[front], "back", grab, grab + 0.6, until, until + 0.7),
        Hold(front, arm, grab + 0.1, grab + 0.75, until + 0.1, until + 0.8, (*facing, 0.0)),
    )
    direction = motion.details["direction"]
    facts = Facts("catch", role="carer", other="resident", direction=direction, touch="both_hands")
    details = {"cause": motion.details["cause"], "direction": direction, "onset_s": onset_s}
    return Interaction((track, labels), (reached, actions), facts, holds, (), max(grab, onset_s + 1.5), details)


def help_up(resident: Subject, carer: Subject, fps: float, rng: np.random.Generator) -> Interaction:
    """Return how the resident rises from a chair; the carer holds both forearms from the front, or arm and back from
    the side."""
    sitter = actor_of(resident, fps, rng, np.zeros(2), 0.0)
    support, boxes = chair_behind(sitter, float(rng.uniform(0.42, 0.5)), np.zeros(2))
    sitter.sit_down(support, 1.5)
    first = sitter.frames
    sitter.sit(support, float(rng.uniform(2.0, 2.8)))
    begins = (sitter.frames - first) / fps
    seconds = float(rng.uniform(2.2, 3.4))
    sitter.stand_up(support, seconds)
    sitter.stand(1.6)
    track, labels = sitter.track(resident, sitter.frames)
    kept = np.arange(first, len(labels))
    track, labels = take(track, kept), labels[kept]
    boxes = (lowered(resident.body, track, boxes[0], int(np.argmin(track.transl[:, 2])), HULL_M), *boxes[1:])
    risen_s = begins + seconds
    grab, until = begins - 1.3, risen_s + 0.4
    front = rng.random() < 0.5
    side: Side = "left" if rng.random() < 0.5 else "right"
    sign = 1.0 if side == "left" else -1.0
    if front:
        spot = np.array([rng.uniform(0.54, 0.6), 0.08 * rng.uniform(-1.0, 1.0)])
        offered: tuple[Side, ...] = ("left", "right")
        holds = tuple(
            Hold(OTHER[arm], f"{arm}_forearm", grab, grab + 0.9, until, until + 0.8, (0.3, out, -0.6))
            for arm, out in zip(offered, (0.6, -0.6), strict=True)
        )
    else:
        spot = np.array([rng.uniform(-0.1, 0.02), sign * rng.uniform(0.52, 0.6)])
        holds = (
            Hold(OTHER[side], "back", grab, grab + 0.9, until, until + 0.8),
            Hold(side, f"{side}_forearm", grab + 0.2, grab + 1.1, until, until + 0.8, (0.4, 0.3 * sign, 0.4)),
        )
        offered = (side,)
    track = offer_arms(track, OFFERED, offered, held_share(replace(holds[-1], begin_s=grab - 0.2), len(labels), fps))
    heading = np.pi if front else -sign * np.pi / 2.0
    helper = actor_of(carer, fps, rng, spot, float(heading))
    while helper.frames < len(labels):
        helper.stand(len(labels) / fps)
    performed, actions = helper.track(carer, helper.frames)
    helping = slice(round(grab * fps), round((until + 0.4) * fps))
    actions[helping] = ACTIONS.index("other")
    facts = Facts("help_up", role="carer", other="resident", touch="both_arms" if front else "arm")
    details = {"boxes": [[box.centre.tolist(), box.half_sizes.tolist(), box.yaw] for box in boxes]}
    return Interaction((track, labels), (performed, actions), facts, holds, boxes, 0.0, details)


ACTS: dict[InteractionKind, Callable[[Subject, Subject, float, np.random.Generator], Interaction]] = {
    "walk_beside": walk_beside,
    "approach_fallen": approach_fallen,
    "catch": catch,
    "help_up": help_up,
}


def _access(
    lying: Float[np.ndarray, "joint 3"], rng: np.random.Generator
) -> tuple[Side, str, float, Float[np.ndarray, "3"], float]:
    """Where somebody who lies can be reached: side and part, world angle outwards, the place, and how far out the body
    is.

    Shoulders before arms, and from where the rest of the body is least in the way.
    """
    found: list[tuple[float, Side, str, float, np.ndarray, float]] = []
    for side in get_args(Side):
        at = {name: lying[SMPL_JOINTS.index(f"{side}_{name}")] for name in ("shoulder", "elbow", "wrist")}
        for part, point, worse in (
            ("shoulder", at["shoulder"], 0.0),
            ("upper_arm", (at["shoulder"] + at["elbow"]) / 2.0, 0.05),
            ("forearm", (at["elbow"] + at["wrist"]) / 2.0, 0.12),
        ):
            for angle in rng.uniform(-np.pi, np.pi, 16):
                outwards = np.array([np.cos(angle), np.sin(angle)])
                off = lying[:, :2] - point[:2]
                lateral = np.abs(off @ np.array([-outwards[1], outwards[0]]))
                extent = max(0.06, float((off @ outwards)[lateral < 0.36].max()))
                found.append((extent + worse, side, part, float(angle), point, extent))
    found.sort(key=lambda one: one[0])
    return found[int(rng.integers(4))][1:]


def _reach_m(carer: Subject, down: PersonTrack, hand: Side, height_m: float) -> float:
    """How far before the feet's first place, in the end of going down, a hand gets hold of something so high."""
    joints = track_joints(carer.body, take(down, np.array([0, len(down.transl) - 1])))
    ankles = [SMPL_JOINTS.index(f"{side}_ankle") for side in ("left", "right")]
    stood = joints[0, ankles, 0].mean()
    shoulder, elbow, wrist = (joints[1, SMPL_JOINTS.index(f"{hand}_{name}")] for name in ("shoulder", "elbow", "wrist"))
    arm = float(np.linalg.norm(elbow - shoulder) + np.linalg.norm(wrist - elbow))
    # Leaning over brings the shoulder forward and down.
    fall = shoulder[2] - LEANT_M[1] - height_m
    return float(shoulder[0] - stood + LEANT_M[0] + np.sqrt(max(0.0, arm**2 - fall**2)))


def _down(carer: Subject, foot: Side, fps: float, rng: np.random.Generator) -> Acted:
    """From standing at the origin, facing +x, onto one knee, with that foot in front, or into a squat; about 4 s down
    there."""
    _, first = upright(carer.old, CHANGE_S + 0.1, rng)
    if rng.random() < 0.6:
        keys = [first, *down_to_a_knee(carer.old)]
        keys[-1] = replace(keys[-1], hold_s=4.0, action_held="kneeling")
    else:
        low = varied(squatting(float(rng.uniform(0.6, 1.0))), rng)
        keys = [first, key(low, 1.5, 4.0, "squat_down", "squatting", planted=FEET, balanced=True)]
    if foot == "right":
        keys = [mirrored_key(k) for k in keys]
    humanoid = build_humanoid(carer.body, carer.betas, carer.known_mass_kg, 0.004)
    done = perform(carer.body, humanoid, carer.betas, paced(keys, float(rng.uniform(0.85, 1.1)), 9.0), fps, 0.6, rng)
    track = carer.track(done.global_orient, done.body_pose, done.transl)
    return track, done.actions


def _then(person: Subject, before: Acted, after: Acted, heading: float, fps: float) -> Acted:
    """One act after the other, the second placed on the feet of the first's end and eased into over CHANGE_S."""
    root = rest_root(person.body, person.betas)
    ankles = [SMPL_JOINTS.index(f"{side}_ankle") for side in ("left", "right")]
    last = take(before[0], np.array([len(before[1]) - 1]))
    rotated = transform_track(after[0], root, transform(yaw(heading), np.zeros(3)))
    shift = track_joints(person.body, last)[0, ankles].mean(axis=0) - track_joints(
        person.body, take(rotated, np.array([0]))
    )[0, ankles].mean(axis=0)
    transformed = replace(rotated, transl=rotated.transl + np.array([*shift[:2], 0.0]))
    fade = 1.0 - minimum_jerk(np.arange(len(after[1])) / fps / CHANGE_S)

    def eased(vectors: Float[np.ndarray, "time 3"], start: Float[np.ndarray, "3"]) -> Float[np.ndarray, "time 3"]:
        now = Rotation.from_rotvec(vectors)
        away = (now.inv() * Rotation.from_rotvec(start)).as_rotvec()
        return axis_angle_from_matrix((now * Rotation.from_rotvec(fade[:, None] * away)).as_matrix())

    pose = np.concatenate(
        [eased(transformed.body_pose[:, i : i + 3], last.body_pose[0, i : i + 3]) for i in range(0, 69, 3)], axis=-1
    )
    transl = transformed.transl + fade[:, None] * (last.transl[0] - transformed.transl[0])
    orient = eased(transformed.global_orient, last.global_orient[0])
    both = replace(
        before[0],
        global_orient=np.concatenate([before[0].global_orient, orient]),
        body_pose=np.concatenate([before[0].body_pose, pose]),
        transl=np.concatenate([before[0].transl, transl]),
        visible=np.concatenate([before[0].visible, transformed.visible]),
        confidence=np.concatenate([before[0].confidence, transformed.confidence]),
    )
    return both, np.concatenate([before[1], after[1]])


def _falls(resident: Subject, recovers: bool, rng: np.random.Generator) -> Motion:
    causes = CATCHABLE if recovers else (*CATCHABLE, "faint")
    cause = causes[int(rng.integers(len(causes)))]
    directions: list[Direction] = [one for one in CAUSE_DIRECTIONS[cause] if one != "down"]
    direction = directions[int(rng.integers(len(directions)))]
    scene = fall_scene(resident, cause, direction, "walking", 7.5, SIMULATED_HZ, rng)
    fall = PlannedFall(cause, direction, scene.onset_s, recovers)
    motion = simulate_fall(resident, scene.source, fall, PhysicsConfig(), rng)
    if motion.details["recovered"] != recovers:
        raise Rejected("composed_fall_went_another_way")
    return replace(motion, people=(replace(motion.people[0], person=resident.name),))


def _at(motion: Motion, fps: float, more_s: float) -> Acted:
    """One person's motion at another rate, its last pose held."""
    count = round((float(motion.timestamps_s[-1]) + more_s) * fps)
    frames = np.rint(np.arange(count) / fps * SIMULATED_HZ).astype(int).clip(0, len(motion.timestamps_s) - 1)
    return take(motion.people[0], frames), motion.actions[0][frames]
