"""What a real fall would look like if it had been simulated: the same camera, timestamps, place, direction and support.

A simulated fall is put where the real one happened, seen by the same camera on the same frames, with an imagined
detector's noise (models/people2d/simulated_detector.py), and lifted in the same way, so that what tells the two
apart afterwards is the motion.
"""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float

from models.body.anthropometry import body_mass_kg
from models.body.model import BodyModel, BodyShape
from models.body.placement import transform_track
from models.body.subject import Subject
from models.body.tracks import rest_root, track_joints, track_keypoints
from models.compare_falls.real_falls import Fall
from models.errors import Rejected
from models.falls.causes import DIRECTION_ANGLES, SIMULATED_HZ, PlannedFall
from models.falls.controller import PhysicsConfig
from models.falls.scenes import fall_scene
from models.falls.simulation import check_fall_matches_request, simulate_fall
from models.geometry.camera import Camera
from models.geometry.transforms import invert, matrix_from_axis_angle, transform, yaw
from models.order import CAUSE_DIRECTIONS, Cause, Direction
from models.people2d.simulated_detector import DetectorNoiseConfig, simulate_detections
from models.physics.humanoid import Box
from models.types import SMPL_JOINTS, Person2D, PersonTrack

CAUSES: tuple[Cause, ...] = ("push", "slip", "faint", "trip", "misstep", "stand_to_sit", "lean")
DETECTOR = DetectorNoiseConfig(noise=0.01, bias=0.015)
"""Steadier than what the regressor is trained against: real detectors hardly waver on people who lie still."""
SUPPORTS_M = {"mattress": 0.22, "bed": 0.5}
"""How high what somebody falls onto is taken to be."""
TRIES = 12


def simulated_counterpart(
    body: BodyModel,
    fall: Fall,
    person: Person2D,
    times: Float[np.ndarray, "time"],
    joints: Float[np.ndarray, "time 24 3"],
    camera: Camera,
    rng: np.random.Generator,
) -> Person2D:
    """Return a simulated fall in the place of a real one that was lifted to `joints`; Rejected where none succeeds.

    A healthy adult falls, as the actors of such recordings are.
    """
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
            track, onset_s = _fall(body, cause, direction, walks, fall.landing_support, times[-1] - fall.onset_s, rng)
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


def _fall(
    body: BodyModel,
    cause: Cause,
    direction: Direction,
    walks: bool,
    support: str,
    after_s: float,
    rng: np.random.Generator,
) -> tuple[PersonTrack, float]:
    """One fall at SIMULATED_HZ onto what the real one landed on, and its onset."""
    stature, age, build = rng.uniform(1.6, 1.85), rng.uniform(20.0, 60.0), rng.uniform(0.2, 0.7)
    betas = body.betas_from_shape(BodyShape(age_years=age, sex=rng.uniform(), stature_m=stature, build=build))
    subject = Subject(body, np.asarray(betas, dtype=np.float64), age, "person", body_mass_kg(stature, build))
    scene = fall_scene(subject, cause, direction, "walking" if walks else "standing", after_s + 4.0, SIMULATED_HZ, rng)
    boxes = scene.boxes
    if support in SUPPORTS_M:
        track, frame = scene.source.people[0], round(scene.onset_s * SIMULATED_HZ)
        boxes = (*boxes, _support(body, track, frame, direction, support, rng))
    subject = replace(subject, frailty=float(rng.uniform(0.0, 0.3)))
    fall = PlannedFall(cause, direction, scene.onset_s)
    motion = simulate_fall(subject, scene.source, fall, PhysicsConfig(), rng, boxes)
    track = motion.people[0]
    check_fall_matches_request(motion, track_joints(body, track))
    return track, scene.onset_s


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
