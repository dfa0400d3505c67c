"""Who does what where in sample footage: people walk, stand, sit, lie or fall in a furnished room, clear of furniture.

In: a sample room and its camera in the camera's world, a body, a generator. Out: tracks in that world, with actions.
Falls come from the physics source; everything else from `models.animation.actor`.
"""

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.ndimage import distance_transform_edt, gaussian_filter1d
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from models.animation.actor import Actor
from models.animation.rig import Rig, rig_of
from models.animation.support import Support
from models.body.model import BodyModel, BodyShape
from models.body.subject import Subject
from models.body.tracks import track_joints, track_parameters
from models.errors import Rejected
from models.geometry.camera import Camera
from models.geometry.transforms import axis_angle_from_matrix, matrix_from_axis_angle, yaw
from models.motion_sources.simulated import PhysicsFalls
from models.order import Cause, ClipOrder, Direction
from models.sample_footage.room import CELL_M, SampleRoom, in_image, walkable
from models.types import ACTIONS, BodyLook, PersonTrack, Role

Scenario = Literal["stroll", "sit", "rise", "bed", "fall"]

CLEARANCE_M = 0.35
"""Of whoever walks or stands, from walls and furniture."""

HEADROOM_M = 1.8
"""Above the floor that must be in view where people walk."""

APART_M = 0.55
"""Between the pelves of two people."""


@dataclass(frozen=True)
class Person:
    """Who acts."""

    role: Role
    shape: BodyShape
    """Age, sex, stature and build, which `betas` came from."""
    betas: Float[np.ndarray, "10"]
    look: BodyLook


@dataclass(frozen=True)
class ActRequest:
    """What one person is to do in a clip."""

    scenario: Scenario
    person: Person
    name: str
    """Of the track, such as `person_1`."""
    frames: int
    fps: float


@dataclass(frozen=True)
class Act:
    """What one person does in a clip."""

    person: Person
    scenario: Scenario
    track: PersonTrack
    """In the camera's world."""
    actions: Int[np.ndarray, "time"]
    """Index into ACTIONS."""
    details: dict
    """Facts of a fall: cause, direction, onset_s, impact_s, rest_s."""


def draw_person(body: BodyModel, role: Role, rng: np.random.Generator) -> Person:
    """Draw a resident of 68 to 95 years, or a grown-up of another role."""
    age = float(rng.uniform(68.0, 95.0) if role == "resident" else rng.uniform(22.0, 62.0))
    sex = float(np.clip(rng.choice([0.05, 0.95]) + rng.normal(0.0, 0.05), 0.0, 1.0))
    stature = float(np.clip(1.62 + 0.13 * sex - (0.04 if age > 67 else 0.0) + rng.normal(0.0, 0.06), 1.48, 1.93))
    shape = BodyShape(age_years=age, sex=sex, stature_m=stature, build=float(rng.uniform(0.2, 0.8)))
    return Person(role, shape, body.betas_from_shape(shape), BodyLook(int(rng.integers(2**31)), age))


def draw_act(
    request: ActRequest,
    room: SampleRoom,
    camera: Camera,
    body: BodyModel,
    others: list[Act],
    rng: np.random.Generator,
) -> Act:
    """Draw how a scenario is acted; raises Rejected where no try finds a place for it in view, clear of furniture
    and people."""
    reason = ""
    floor = _Floor(room, camera)
    rig = rig_of(body, request.person.betas)
    for _ in range(5 if request.scenario == "fall" else 16):
        try:
            if request.scenario == "fall":
                act = _fall(request, room, floor, camera, body, rng)
            else:
                act = _everyday(request, room, floor, rig, body, rng)
        except Rejected as rejected:
            reason = rejected.reason
            continue
        joints = track_joints(body, act.track)
        if _visible_share(camera, joints) < 0.8:
            reason = "out_of_view"
        elif any(
            np.linalg.norm(joints[:, 0, :2] - track_joints(body, other.track)[:, 0, :2], axis=1).min() < APART_M
            for other in others
        ):
            reason = "too_close_to_another_person"
        else:
            return act
    raise Rejected(f"no_place_for_{request.scenario}", reason)


def _visible_share(camera: Camera, joints: Float[np.ndarray, "time 24 3"]) -> float:
    """Share of frames that show pelvis, head and both ankles."""
    with np.errstate(invalid="ignore"):
        return float(in_image(camera.project(joints[:, [0, 7, 8, 15]]), camera).all(axis=1).mean())


def _everyday(
    request: ActRequest, room: SampleRoom, floor: "_Floor", rig: Rig, body: BodyModel, rng: np.random.Generator
) -> Act:
    scenario, person, frames, fps = request.scenario, request.person, request.frames, request.fps
    if scenario in ("sit", "rise", "bed"):
        support, spot, heading = _place_to_sit(room, floor, rig, "bed" if scenario == "bed" else "seat", rng)
    if scenario in ("rise", "bed"):
        actor = Actor(rig, fps, rng, spot, heading, person.shape.age_years)
        actor.sit(support, rng.uniform(0.8, 2.5))
    if scenario == "bed":
        actor.lie_down(support, rng.uniform(2.2, 3.2), max(0.5, (frames - actor.frames) / fps))
    elif scenario == "rise":
        actor.stand_up(support, rng.uniform(1.6, 2.2) + 0.5 * actor.old)
        actor.stand(rng.uniform(0.3, 0.8))
    elif scenario == "sit":
        start = floor.draw_near(rng, spot)
        actor = Actor(rig, fps, rng, start, _bearing(spot - start), person.shape.age_years)
        _walk_to(actor, floor, spot)
        actor.turn_to(heading)
        actor.stand(0.2)
        actor.sit_down(support, rng.uniform(1.7, 2.2) + 0.4 * actor.old)
        actor.sit(support, rng.uniform(2.5, 5.0))
        actor.stand_up(support, rng.uniform(1.6, 2.2) + 0.5 * actor.old)
        actor.stand(0.3)
    else:
        actor = Actor(rig, fps, rng, floor.draw(rng), rng.uniform(-np.pi, np.pi), person.shape.age_years)
        actor.stand(rng.uniform(0.2, 0.6))
    while actor.frames < frames:
        _walk_to(actor, floor, floor.draw(rng, actor.xy))
        actor.stand(rng.uniform(0.8, 2.0), str(rng.choice(["idle", "raise", "bend", "look"])))
    subject = Subject(body, person.betas, person.shape.age_years, person.role, name=request.name)
    track, actions = actor.track(subject, frames)
    goal = {"sit": "sitting", "bed": "lying"}.get(scenario)
    if goal and np.sum(actions == ACTIONS.index(goal)) < 0.5 * fps:
        raise Rejected("clip_too_short_to_get_there")
    return Act(person, scenario, _grounded(body, track, actions), actions, {})


def _walk_to(actor: Actor, floor: "_Floor", goal: np.ndarray) -> None:
    path = floor.path(actor.xy, goal)
    ahead = path[min(4, len(path) - 1)] - path[0]
    actor.turn_to(_bearing(ahead))
    actor.walk(path)


def _bearing(direction: np.ndarray) -> float:
    return float(np.arctan2(direction[1], direction[0]))


def _place_to_sit(
    room: SampleRoom, floor: "_Floor", rig: Rig, kind: str, rng: np.random.Generator
) -> tuple[Support, np.ndarray, float]:
    """A seat or bed, the spot to stand before it, and the heading with the back to it."""
    wanted = [s for s in room.supports if (s.label == "bed") == (kind == "bed")]
    order = rng.permutation(len(wanted))
    for support in (wanted[i] for i in order):
        for sign in (1.0, -1.0) if kind == "bed" else (1.0,):
            facing = sign * support.facing
            edge = float(np.max((support.outline - support.centre) @ facing))
            reach = rig.leg[0] + 0.02
            spot = support.centre + facing * (edge + 0.14 if kind == "bed" else max(reach, edge + 0.06))
            if floor.near(spot):
                return support, spot, _bearing(facing)
    raise Rejected("no_seat_can_be_reached")


class _Floor:
    """Where a person may stand and walk in full view of the camera, and the shortest smooth paths between."""

    def __init__(self, room: SampleRoom, camera: Camera):
        self.free, self.low = walkable(room, CLEARANCE_M + 0.04)
        cells = np.argwhere(self.free)
        ground = np.concatenate([self.low + (cells + 0.5) * CELL_M, np.zeros((len(cells), 1))], axis=1)
        with np.errstate(invalid="ignore"):
            seen = in_image(camera.project(ground), camera) & in_image(
                camera.project(ground + [0.0, 0.0, HEADROOM_M]), camera
            )
        cells = cells[seen]
        if len(cells) * CELL_M**2 < 0.8:
            raise Rejected("too_little_floor_in_view")
        self.free = np.zeros_like(self.free)
        self.free[tuple(cells.T)] = True
        self._points = self.low + (cells + 0.5) * CELL_M
        index = np.full(self.free.shape, -1)
        index[tuple(cells.T)] = np.arange(len(cells))
        # Keep away from the edge of what is free where there is room.
        cost = 1.0 + 0.6 / (1.0 + (np.asarray(distance_transform_edt(self.free))[tuple(cells.T)] * CELL_M / 0.2) ** 2)
        rows, columns, values = [], [], []
        for dx, dy in ((1, 0), (0, 1), (1, 1), (1, -1)):
            there = cells + [dx, dy]
            inside = np.all((there >= 0) & (there < self.free.shape), axis=1)
            a = np.flatnonzero(inside)
            b = index[tuple(there[inside].T)]
            a, b = a[b >= 0], b[b >= 0]
            rows, columns = [*rows, a], [*columns, b]
            values.append(np.hypot(dx, dy) * (cost[a] + cost[b]) / 2.0)
        size = len(cells)
        self._graph = coo_array(
            (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(size, size)
        ).tocsr()

    def near(self, spot: np.ndarray) -> bool:
        """Say whether a spot before a seat can be stepped to from the free floor in view."""
        return bool(np.linalg.norm(self._points - spot, axis=1).min() < 0.5)

    def draw(self, rng: np.random.Generator, far_from: np.ndarray | None = None) -> np.ndarray:
        """Draw a free point in view; with `far_from`, one worth the walk."""
        points = self._points
        if far_from is not None:
            distance = np.linalg.norm(points - far_from, axis=1)
            points = points[distance > min(1.2, 0.7 * distance.max())]
        return points[int(rng.integers(len(points)))].copy()

    def draw_near(self, rng: np.random.Generator, spot: np.ndarray) -> np.ndarray:
        """Draw a free point in view, a few steps from a spot."""
        points = self._points
        distance = np.linalg.norm(points - spot, axis=1)
        points = points[(distance > 0.4) & (distance < max(1.0, distance.min() + 0.3))]
        if not len(points):
            raise Rejected("no_floor_before_the_seat")
        return points[int(rng.integers(len(points)))].copy()

    def path(self, start: np.ndarray, goal: np.ndarray) -> Float[np.ndarray, "point 2"]:
        """Find a smooth path, a point every 3 cm, over free cells but for its ends; Rejected where there is none."""
        a, b = (int(np.argmin(np.linalg.norm(self._points - end, axis=1))) for end in (start, goal))
        cost, before = dijkstra(self._graph, directed=False, indices=a, return_predecessors=True)
        if not np.isfinite(cost[b]):
            raise Rejected("no_way_there")
        chain = [b]
        while chain[-1] != a:
            chain.append(int(before[chain[-1]]))
        cells = [start, *self._points[chain[::-1]], goal]
        corners = self._pulled(np.array(cells))
        steps = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(corners, axis=0), axis=1))])
        if steps[-1] < 0.25:
            raise Rejected("no_way_to_speak_of")
        dense = np.linspace(0.0, steps[-1], max(6, int(steps[-1] / 0.03)))
        line = np.stack([np.interp(dense, steps, corners[:, i]) for i in (0, 1)], axis=1)
        # Round the corners; the ends stay.
        padded = (
            np.concatenate([2 * line[0] - line[8:0:-1], line, 2 * line[-1] - line[-2:-10:-1]])
            if len(line) > 9
            else line
        )
        smooth = gaussian_filter1d(padded, 5.0, axis=0, mode="nearest")
        smooth = smooth[8:-8] if len(line) > 9 else smooth
        smooth[0], smooth[-1] = start, goal
        return smooth

    def _pulled(self, path: np.ndarray) -> np.ndarray:
        """Cut corners wherever the straight line stays free."""
        keep, at = [0], 0
        while at < len(path) - 1:
            ahead = len(path) - 1
            while ahead > at + 1 and not self._clear(path[at], path[ahead]):
                ahead -= max(1, (ahead - at) // 8)
            at = max(ahead, at + 1)
            keep.append(at)
        return path[keep]

    def _clear(self, a: np.ndarray, b: np.ndarray) -> bool:
        line = a + np.linspace(0.0, 1.0, max(2, int(np.linalg.norm(b - a) / 0.025)))[:, None] * (b - a)
        cells = np.floor((line - self.low) / CELL_M).astype(int)
        inside = np.all((cells >= 0) & (cells < self.free.shape), axis=1)
        return bool(inside.all() and self.free[tuple(cells.T)].all())


def _grounded(body: BodyModel, track: PersonTrack, actions: Int[np.ndarray, "time"]) -> PersonTrack:
    """Set the skin's lowest point on the floor in the frames on one's feet, and let the rest follow smoothly."""
    upright = np.isin(actions, [ACTIONS.index(name) for name in ("walk", "standing", "other")])
    if not upright.any():
        return track
    lowest = lowest_vertex(body, track)
    # Blocks of sitting and lying keep the correction of their neighbours: furniture carries them, and it is a few mm.
    frames = np.arange(len(actions))
    correction = np.interp(frames, frames[upright], -lowest[upright])
    transl = track.transl.copy()
    transl[:, 2] += correction
    return replace(track, transl=transl)


def lowest_vertex(body: BodyModel, track: PersonTrack) -> Float[np.ndarray, "time"]:
    """Return the height of the skin's lowest point per frame, metres."""
    values = track_parameters(track)
    with torch.no_grad():
        parts = [
            body.posed(*(v[i : i + 16] for v in values)).vertices[..., 2].amin(dim=1)
            for i in range(0, len(track.transl), 16)
        ]
    return torch.cat(parts).double().numpy()


def _fall(
    request: ActRequest, room: SampleRoom, floor: _Floor, camera: Camera, body: BodyModel, rng: np.random.Generator
) -> Act:
    """A simulated fall, transformed to where the floor is free all the way down."""
    person, frames, fps, shape = request.person, request.frames, request.fps, request.person.shape
    order = ClipOrder(
        event="fall",
        cause=get_args(Cause)[int(rng.integers(3))],
        direction=get_args(Direction)[int(rng.integers(4))],
        start="standing" if rng.uniform() < 0.5 else "walking",
        seconds=frames / fps,
        fps=fps,
        role=person.role,
        age_years=shape.age_years,
        stature_m=shape.stature_m,
        build=shape.build,
        sex=shape.sex,
        text="",
    )
    motion = PhysicsFalls(body).sample(order, None, rng)
    track = replace(motion.people[0], person=request.name)
    if len(track.transl) != frames:
        raise Rejected("fall_of_another_length", f"{len(track.transl)} frames for {frames}")
    joints = track_joints(body, track)
    open_floor, low = walkable(room, 0.12)
    for _ in range(40):
        rotation, spot = yaw(rng.uniform(-np.pi, np.pi)), np.array([*floor.draw(rng), 0.0])
        transformed = joints @ rotation.T + spot
        cells = np.floor((transformed[..., :2].reshape(-1, 2) - low) / CELL_M).astype(int)
        inside = np.all((cells >= 0) & (cells < open_floor.shape), axis=1)
        if inside.all() and open_floor[tuple(cells.T)].all() and _visible_share(camera, transformed) > 0.8:
            rest = joints[0, 0] - track.transl[0]
            orient = axis_angle_from_matrix(rotation @ matrix_from_axis_angle(track.global_orient))
            transl = (track.transl + rest) @ rotation.T + spot - rest
            fallen = replace(track, global_orient=orient, transl=transl)
            facts = {key: value for key, value in motion.details.items() if isinstance(value, int | float | str)}
            return Act(person, "fall", fallen, np.asarray(motion.actions[0]), facts)
    raise Rejected("no_room_to_fall")
