"""What a real fall would look like if it had been made: the same camera, timestamps, place, direction and support.

A fall that was simulated, or sampled from the motion model, is put where the real one happened, seen by the same camera
on the same frames, with an imagined detector's noise (models/people2d/simulated_detector.py), and lifted in the same
way, so that what tells the two apart afterwards is the motion.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float

from models.body.anthropometry import body_mass_kg
from models.body.model import BodyModel, BodyShape
from models.body.placement import transform_track
from models.body.subject import Subject
from models.body.tracks import rest_root, track_joints, track_keypoints
from models.compare_falls.fall_audit import Audit
from models.compare_falls.real_falls import Fall
from models.errors import Rejected
from models.falls.causes import DIRECTION_ANGLES, SIMULATED_HZ, PlannedFall
from models.falls.controller import PhysicsConfig
from models.falls.scenes import fall_scene
from models.falls.simulation import check_fall_matches_request, simulate_fall
from models.geometry.camera import Camera
from models.geometry.transforms import invert, matrix_from_axis_angle, transform, yaw
from models.order import CAUSE_DIRECTIONS, Cause, ClipOrder, Direction
from models.people2d.simulated_detector import DetectorNoiseConfig, simulate_detections
from models.physics.humanoid import Box
from models.types import SMPL_JOINTS, Motion, Person2D, PersonTrack, Room

CAUSES: tuple[Cause, ...] = ("push", "slip", "faint", "trip", "misstep", "stand_to_sit", "lean")
DETECTOR = DetectorNoiseConfig(noise=0.01, bias=0.015)
"""Steadier than what the regressor is trained against: real detectors hardly waver on people who lie still."""
SUPPORTS_M = {"mattress": 0.22, "bed": 0.5}
"""How high what somebody falls onto is taken to be."""
TRIES = 12
BEFORE_S = 4.0
"""That made falls last before what is compared of the real one is over, besides it."""


@dataclass(frozen=True)
class WantedFall:
    """What is asked of a fall that is made."""

    cause: Cause
    direction: Direction
    walks: bool
    """Before it; else stands."""
    support: str
    """What it ends on, as the table of falls has it."""
    after_s: float
    """Seconds that are compared from the onset on."""


MakeFall = Callable[[WantedFall, np.random.Generator], tuple[PersonTrack, float]]
"""Makes one fall at SIMULATED_HZ, and says when its onset is, seconds; raises Rejected where it does not succeed."""


def counterpart(
    body: BodyModel,
    make: MakeFall,
    fall: Fall,
    person: Person2D,
    times: Float[np.ndarray, "time"],
    joints: Float[np.ndarray, "time 24 3"],
    camera: Camera,
    rng: np.random.Generator,
) -> Person2D:
    """Return a made fall in the place of a real one that was lifted to `joints`; Rejected where none succeeds."""
    assert fall.onset_s is not None and fall.direction in DIRECTION_ANGLES
    onset = int(np.searchsorted(times, fall.onset_s).clip(0, len(times) - 1))
    direction: Direction = fall.direction  # pyright: ignore[reportAssignmentType]
    walks = fall.started_from == "walking"
    causes: list[Cause] = [
        cause
        for cause in CAUSES
        if direction in CAUSE_DIRECTIONS[cause] and (walks or cause not in ("trip", "misstep"))
    ]
    reason = Rejected("no_counterpart")
    for _ in range(TRIES):
        cause = causes[int(rng.integers(len(causes)))]
        try:
            wanted = WantedFall(cause, direction, walks, fall.landing_support, float(times[-1] - fall.onset_s))
            track, onset_s = make(wanted, rng)
        except Rejected as rejected:
            reason = rejected
            continue
        at = np.rint((times - fall.onset_s + onset_s) * SIMULATED_HZ).astype(int).clip(0, len(track.transl) - 1)
        if at[0] == 0 and (times[0] - fall.onset_s + onset_s) < -0.2:
            reason = Rejected("no_counterpart", "begins after the clip")
            continue
        aligned = aligned_at_onset(body, track, round(onset_s * SIMULATED_HZ), joints[onset])
        return seen_by(body, aligned, at, person, times, camera, rng)
    raise reason


def simulated_fall(body: BodyModel, wanted: WantedFall, rng: np.random.Generator) -> tuple[PersonTrack, float]:
    """Simulate a fall of a healthy adult, as the actors of such recordings are, onto what is wanted; see `MakeFall`."""
    shape = _adult(rng)
    betas = np.asarray(body.betas_from_shape(shape), dtype=np.float64)
    subject = Subject(body, betas, shape.age_years, "person", body_mass_kg(shape.stature_m, shape.build))
    start, seconds = "walking" if wanted.walks else "standing", wanted.after_s + BEFORE_S
    scene = fall_scene(subject, wanted.cause, wanted.direction, start, seconds, SIMULATED_HZ, rng)
    boxes = scene.boxes
    if wanted.support in SUPPORTS_M:
        track, frame = scene.source.people[0], round(scene.onset_s * SIMULATED_HZ)
        boxes = (*boxes, _support(body, track, frame, wanted.direction, wanted.support, rng))
    subject = replace(subject, frailty=float(rng.uniform(0.0, 0.3)))
    fall = PlannedFall(wanted.cause, wanted.direction, scene.onset_s)
    motion = simulate_fall(subject, scene.source, fall, PhysicsConfig(), rng, boxes)
    track = motion.people[0]
    check_fall_matches_request(motion, track_joints(body, track))
    return track, scene.onset_s


PerformOrder = Callable[[ClipOrder, Room | None, np.random.Generator], Motion]
"""`sample` of a source of motion (`models.motion_sources.source`)."""


def sampled_fall(
    body: BodyModel, perform: PerformOrder, audit: Audit, wanted: WantedFall, rng: np.random.Generator
) -> tuple[PersonTrack, float]:
    """Order a fall of such an adult from a source of motion that has no furniture; see `MakeFall`. It begins where the
    audit says, and is lifted onto what it is to end on as it sinks. Rejected where somebody is to walk before: the
    words of an order do not say so."""
    if wanted.walks:
        raise Rejected("begins_walking", "what comes before a fall is not asked for in words")
    shape = _adult(rng)
    order = ClipOrder(
        event="fall",
        cause=wanted.cause,
        direction=wanted.direction,
        start="standing",
        seconds=wanted.after_s + BEFORE_S,
        fps=SIMULATED_HZ,
        role="person",
        age_years=shape.age_years,
        stature_m=shape.stature_m,
        build=shape.build,
        sex=shape.sex,
        text="",
    )
    motion = perform(order, None, rng)
    track, joints = motion.people[0], track_joints(body, motion.people[0])
    standing_m = audit.standing_m(track.betas)
    fall = audit.find_fall(joints, motion.timestamps_s, standing_m)
    if fall is None:
        raise Rejected("no_fall", "nobody fell who was to")
    off_deg = fall.direction_deg - np.degrees(DIRECTION_ANGLES[wanted.direction])
    if abs((off_deg + 180.0) % 360.0 - 180.0) > audit.tolerance_deg:
        raise Rejected("fall_direction", f"off by {off_deg:.0f} degrees")
    sunk = np.clip(1.0 - joints[:, 0, 2] / standing_m, 0.0, 1.0)
    lift = SUPPORTS_M.get(wanted.support, 0.0) * sunk[:, None] * np.array([0.0, 0.0, 1.0])
    return replace(track, transl=track.transl + lift), fall.onset_s


def _adult(rng: np.random.Generator) -> BodyShape:
    stature_m, age_years, build = rng.uniform(1.6, 1.85), rng.uniform(20.0, 60.0), rng.uniform(0.2, 0.7)
    return BodyShape(age_years=age_years, sex=rng.uniform(), stature_m=stature_m, build=build)


def _support(
    body: BodyModel, track: PersonTrack, frame: int, direction: Direction, label: str, rng: np.random.Generator
) -> Box:
    """A mattress or bed whose near edge is before the feet, in the direction of the fall."""
    height = SUPPORTS_M[label]
    orient = matrix_from_axis_angle(track.global_orient[frame])
    angle = float(np.arctan2(orient[1, 2], orient[0, 2])) + DIRECTION_ANGLES[direction]
    ahead = np.array([np.cos(angle), np.sin(angle)])
    pelvis = (track.transl[frame] + rest_root(body, track.betas))[:2]
    centre = pelvis + (rng.uniform(0.2, 0.4) + 1.0) * ahead
    return Box(label, np.array([*centre, height / 2.0]), np.array([1.0, 0.8, height / 2.0]), angle)


def aligned_at_onset(body: BodyModel, track: PersonTrack, onset: int, joints: Float[np.ndarray, "24 3"]) -> PersonTrack:
    """Return the track transformed over the floor so that at the onset it stands where, and faces as, somebody
    did."""
    root = rest_root(body, track.betas)
    front = matrix_from_axis_angle(track.global_orient[onset])[:, 2]
    left = joints[SMPL_JOINTS.index("left_hip")] - joints[SMPL_JOINTS.index("right_hip")]
    turn = yaw(float(np.arctan2(-left[0], left[1]) - np.arctan2(front[1], front[0])))
    shift = joints[0, :2] - ((track.transl[onset] + root) @ turn.T)[:2]
    return transform_track(track, root, transform(turn, np.array([*shift, 0.0])))


def seen_by(
    body: BodyModel,
    track: PersonTrack,
    frames: np.ndarray,
    person: Person2D,
    times: Float[np.ndarray, "time"],
    camera: Camera,
    rng: np.random.Generator,
) -> Person2D:
    """Return what a detector would have made of frames of a track, on the frames in which the real person was found."""
    world = track_keypoints(body, track)[frames]
    T = invert(camera.T_world_camera)
    depth = world @ T[2, :3] + T[2, 3]
    middle = np.array([camera.width_px, camera.height_px]) / 2.0
    image = (camera.project(world) - middle) / camera.width_px
    trunk = world[:, 5:7].mean(axis=1) - world[:, 11:13].mean(axis=1)
    upright = trunk[:, 2] / np.maximum(np.linalg.norm(trunk, axis=-1), 1e-9)
    places, scores = simulate_detections(
        _batch(np.nan_to_num(image)),
        torch.as_tensor(depth > 0.1)[None],
        torch.tensor([camera.height_px / camera.width_px], dtype=torch.float32),
        _batch(upright),
        _batch(times),
        DETECTOR,
        rng,
    )
    keypoints = places[0].double().numpy() * camera.width_px + middle
    found = scores[0].double().numpy() * person.visible[:, None]
    visible = person.visible & ((found > 0.0).sum(axis=1) >= 5)
    boxes = np.concatenate([keypoints.min(axis=1), keypoints.max(axis=1)], axis=1) * visible[:, None]
    return Person2D(
        person.person, "person", visible, boxes, keypoints * visible[:, None, None], found * visible[:, None]
    )


def _batch(values: np.ndarray) -> torch.Tensor:
    return torch.as_tensor(values, dtype=torch.float32)[None]
