"""Falls drawn by chance: who falls, from what, against which furniture, simulated and taken at the corpus's rate."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field

from models.body.anthropometry import body_mass_kg
from models.body.model import BodyModel, BodyShape
from models.body.placement import transform_track
from models.body.subject import Subject
from models.body.tracks import rest_root
from models.config import Config
from models.errors import Rejected
from models.falls.aftermath import Aftermath, aftermath
from models.falls.causes import CAUSES, DIRECTION_ANGLES, SIMULATED_HZ, PlannedFall
from models.falls.controller import PhysicsConfig
from models.falls.scenes import FallScene, fall_scene
from models.falls.simulation import simulate_fall
from models.geometry.transforms import invert, matrix_from_axis_angle, transform, yaw
from models.order import CAUSE_DIRECTIONS, Cause, Direction
from models.physics.humanoid import Box
from models.physics.room_boxes import in_frame, room_boxes
from models.types import Motion, Role, Room, take

RESIDENT_YEARS = 60.0
"""Age from which somebody who falls is a resident; who is younger may be anybody, and is called a person."""
RISINGS: tuple[Aftermath, ...] = ("tries_to_get_up", "crawls", "gets_up")


class FallsConfig(Config):
    """Who falls, and where."""

    physics: PhysicsConfig = PhysicsConfig()
    """How falls are simulated."""
    hz: float = Field(default=20.0, gt=0.0)
    """Of the motions; simulated at the next multiple of it from 60 Hz on."""
    seconds: float = Field(default=8.0, ge=6.0)
    """Length of a simulation, from before the onset until the body has come to rest."""
    rest_seconds: tuple[float, float] = (1.0, 3.0)
    """How long somebody is seen lying after coming to rest."""
    age_years: tuple[float, float] = (60.0, 97.0)
    """Youngest and oldest who fall: a resident from 60 on, else anybody."""
    stature_m: tuple[float, float] = (1.45, 1.88)
    """Shortest and tallest who fall, standing height in metres."""
    build: tuple[float, float] = (0.1, 0.9)
    """Slightest and heaviest who fall: 0 is slight, 1 is heavy."""
    recovering: float = Field(default=0.12, ge=0.0, le=1.0)
    """Share of the causes that a step can answer which are answered by one."""
    rising: float = Field(default=0.4, ge=0.0, le=1.0)
    """Share of those lying on the floor who try to get up, crawl or get up afterwards; the others lie still."""
    furnished: float = Field(default=0.35, ge=0.0, le=1.0)
    """Share of the falls from standing with a bed, a wall, a table or a mattress in the way."""


def draw_kind(rng: np.random.Generator) -> tuple[Cause, Direction]:
    """Draw any cause, and a direction in which it throws people."""
    cause = list(CAUSE_DIRECTIONS)[int(rng.integers(len(CAUSE_DIRECTIONS)))]
    directions = CAUSE_DIRECTIONS[cause]
    return cause, directions[int(rng.integers(len(directions)))]


def simulated(
    config: FallsConfig,
    body: BodyModel,
    cause: Cause,
    direction: Direction,
    rng: np.random.Generator,
    room: Room | None = None,
) -> Motion:
    """Return one fall at `config.hz`, labelled as it happened; with a room, in the room's world and against its
    furniture.

    Details: those of `simulate_fall`, and age_years, stature_m, build, sex, and start: standing, walking, seat, bed or
    bed_edge. Rejected where the simulation breaks, or the room has nowhere to begin.
    """
    age, stature, build, sex = (
        float(rng.uniform(*span)) for span in (config.age_years, config.stature_m, config.build, (0.0, 1.0))
    )
    betas = np.asarray(
        body.betas_from_shape(BodyShape(age_years=age, sex=sex, stature_m=stature, build=build)), dtype=np.float64
    )
    every = int(np.ceil(SIMULATED_HZ / config.hz))
    start = "walking" if rng.random() < 0.5 else "standing"
    role: Role = "resident" if age >= RESIDENT_YEARS else "person"
    subject = Subject(body, betas, age, role, body_mass_kg(stature, build), sex)
    scene = fall_scene(subject, cause, direction, start, config.seconds, config.hz * every, rng)
    recovers = CAUSES[cause].can_recover and rng.random() < config.recovering
    T = np.eye(4)
    if room is not None:
        T = _place_to_fall(body, scene, room, rng)
        scene = replace(scene, boxes=(*scene.boxes, *in_frame(room_boxes(room), invert(T))))
    elif CAUSES[cause].from_posture == "upright" and not recovers and rng.random() < config.furnished:
        scene = replace(scene, boxes=(_in_the_way(body, scene, direction, rng),))
    frailty = float(np.clip((age - 55.0) / 40.0 + rng.normal(0.0, 0.1), 0.0, 1.0))
    subject = replace(subject, frailty=frailty)
    fall = PlannedFall(cause, direction, scene.onset_s, recovers)
    motion = simulate_fall(subject, scene.source, fall, config.physics, rng, scene.boxes)
    # In a room the furniture is the room's.
    around = [] if room is not None else [[b.centre.tolist(), b.half_sizes.tolist(), b.yaw] for b in scene.boxes]
    facts = {"boxes": around, "age_years": age, "stature_m": stature, "build": build, "sex": sex}
    posture = CAUSES[cause].from_posture
    facts["start"] = start if posture == "upright" else posture
    rest = motion.details.get("rest_s", motion.details["onset_s"] + 3.0)
    end = min(len(motion.timestamps_s), round((rest + rng.uniform(*config.rest_seconds)) * config.hz * every))
    motion = _first(motion, np.arange(end))
    if not motion.details["recovered"]:
        motion = _followed(config, subject, motion, scene.boxes, rng)
    kept = np.arange(0, len(motion.timestamps_s), every)
    track = transform_track(take(motion.people[0], kept), rest_root(body, betas), T)
    return replace(_first(motion, kept), people=(track,), details=motion.details | facts)


def _first(motion: Motion, kept: Int[np.ndarray, "kept"]) -> Motion:
    """Some frames of one person's motion."""
    return replace(
        motion,
        timestamps_s=motion.timestamps_s[kept],
        people=(take(motion.people[0], kept),),
        actions=motion.actions[:, kept],
    )


def _followed(
    config: FallsConfig, subject: Subject, motion: Motion, boxes: tuple[Box, ...], rng: np.random.Generator
) -> Motion:
    """The fall and what comes after it, as `after` in the details; who cannot do what was drawn lies still."""
    kind = RISINGS[int(rng.integers(len(RISINGS)))] if rng.random() < config.rising else "lies_still"
    seconds, track, details = float(rng.uniform(5.0, 9.0)), motion.people[0], motion.details
    if kind == "lies_still":
        return replace(motion, details=details | {"after": kind})
    fps = 1.0 / float(motion.timestamps_s[1] - motion.timestamps_s[0])
    try:
        more = aftermath(subject, track, kind, seconds, fps, rng, boxes)
    except Rejected:
        return replace(motion, details=details | {"after": "lies_still"})
    after = more.people[0]
    joined = replace(
        track,
        **{
            name: np.concatenate([getattr(track, name), getattr(after, name)[1:]])
            for name in ("global_orient", "body_pose", "transl", "visible", "confidence")
        },
    )
    return replace(
        motion,
        timestamps_s=np.arange(len(joined.transl)) / fps,
        people=(joined,),
        actions=np.concatenate([motion.actions, more.actions[:, 1:]], axis=1),
        details=details | {"after": kind},
    )


def _onset_pose(body: BodyModel, scene: FallScene) -> tuple[Float[np.ndarray, "2"], float]:
    """Where the pelvis is when balance is lost, and the direction faced, in the scene's own frame."""
    track, frame = scene.source.people[0], round(scene.onset_s / float(scene.source.timestamps_s[1]))
    pelvis = (track.transl[frame] + rest_root(body, track.betas))[:2]
    front = matrix_from_axis_angle(track.global_orient[frame])[:, 2]
    return pelvis, float(np.arctan2(front[1], front[0]))


def _in_the_way(body: BodyModel, scene: FallScene, direction: Direction, rng: np.random.Generator) -> Box:
    """A bed, a wall, a table or a mattress where the fall goes."""
    pelvis, facing = _onset_pose(body, scene)
    angle = facing + DIRECTION_ANGLES.get(direction, 0.0)
    ahead = np.array([np.cos(angle), np.sin(angle)])
    label, half_depth, half_width, height, near = {
        "bed": ("bed", 0.5, 1.0, float(rng.uniform(0.4, 0.6)), rng.uniform(0.3, 1.1)),
        "wall": ("wall", 0.05, 1.5, 2.2, rng.uniform(0.4, 1.0)),
        "table": ("table", 0.4, 0.6, 0.74, rng.uniform(0.35, 0.9)),
        "mattress": ("mattress", 0.5, 1.0, float(rng.uniform(0.12, 0.25)), rng.uniform(0.2, 0.5)),
    }[str(rng.choice(["bed", "wall", "table", "mattress"], p=[0.4, 0.25, 0.15, 0.2]))]
    aside = rng.uniform(-0.5, 0.5) * np.array([-ahead[1], ahead[0]])
    centre = pelvis + (near + half_depth) * ahead + aside
    rotated = angle + rng.normal(0.0, 0.15)
    return Box(label, np.array([*centre, height / 2.0]), np.array([half_depth, half_width, height / 2.0]), rotated)


def _place_to_fall(body: BodyModel, scene: FallScene, room: Room, rng: np.random.Generator) -> Float[np.ndarray, "4 4"]:
    """T_world_scene that puts the path to the fall on walkable floor; Rejected where the room has none."""
    cells = np.argwhere(room.walkable)
    if not len(cells):
        raise Rejected("the room has no walkable floor", room.verdict)
    track, last = scene.source.people[0], round(scene.onset_s / float(scene.source.timestamps_s[1]))
    path = (track.transl + rest_root(body, track.betas))[: last + 1 : 6, :2]
    for _ in range(200):
        cell = cells[int(rng.integers(len(cells)))]
        centre = room.grid_origin[:2] + (cell + rng.uniform(0.0, 1.0, 2)) * room.grid_cell_m
        turn = yaw(float(rng.uniform(-np.pi, np.pi)))
        transformed = (path - path[-1]) @ turn[:2, :2].T + centre
        index = np.floor((transformed - room.grid_origin[:2]) / room.grid_cell_m).astype(int)
        inside = ((index >= 0) & (index < room.walkable.shape)).all()
        if inside and room.walkable[tuple(index.T)].all():
            offset = centre - turn[:2, :2] @ path[-1]
            return transform(turn, np.array([*offset, 0.0]))
    raise Rejected("no way in the room is long enough")
