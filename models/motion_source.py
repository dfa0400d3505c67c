"""Where motion comes from until a generative model joins: simulated falls, procedural everyday motion, motion capture.

Every source answers one order with one `Motion` in a local frame: first-frame pelvis at x = y = 0 facing +x, z up,
floor at z = 0, at the order's frame rate and length. The gait curves are the sagittal joint angles of normal level
walking as gait laboratories tabulate them (Winter, Biomechanics and Motor Control of Human Movement).
"""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d

from models.body import BodyModel, BodyShape
from models.physics import PhysicsConfig, simulate_fall
from models.retarget import body_joints, canonicalise, lowest_surface, retarget_bvh
from pipeline.bvh import read_bvh
from pipeline.errors import InputError, Rejected
from pipeline.frames import R_ZUP_YUP, axis_angle_from_matrix, matrix_from_axis_angle, yaw
from pipeline.order import ClipOrder
from pipeline.types import ACTIONS, SMPL_JOINTS, Motion, PersonTrack, Role, Room, take

# Joint angle in degrees over one stride from heel strike, (phase, angle); flexion and dorsiflexion are positive.
HIP_FLEXION = ((0.0, 25), (0.1, 22), (0.2, 14), (0.3, 5), (0.4, -4), (0.5, -10), (0.56, -9), (0.62, -2), (0.7, 11),
               (0.8, 23), (0.88, 27), (1.0, 25))  # fmt: skip
KNEE_FLEXION = ((0.0, 4), (0.07, 12), (0.15, 16), (0.25, 11), (0.38, 5), (0.48, 9), (0.58, 32), (0.66, 52), (0.72, 58),
                (0.8, 48), (0.88, 24), (0.95, 6), (1.0, 4))  # fmt: skip
DORSIFLEXION = ((0.0, 1), (0.07, -5), (0.18, 3), (0.3, 7), (0.42, 9), (0.5, 5), (0.6, -14), (0.64, -15), (0.72, -6),
                (0.8, 1), (0.9, 3), (1.0, 1))  # fmt: skip


EVENT_WORDS: dict[str, tuple[str, ...]] = {
    "walk": ("walk",),
    "stand": ("idle", "stand"),
    "everyday": ("walk", "idle", "stand", "wash", "bend", "shake hands", "reach", "carry", "sweep"),
}
UNUSUAL_WORDS = ("uneven", "dance", "salsa", "playground", "jump", "climb", "run", "zombie", "stealthy", "martial")
"""Descriptions of captured motion that fit an event, and what nobody does in a care home."""


class MotionSource(Protocol):
    """Anything that can act an order."""

    name: str

    def sample(self, order: ClipOrder, room: Room | None, rng: np.random.Generator) -> Motion:
        """One motion for the order; raises Rejected with a reason when it cannot."""
        ...


def _slow_noise(
    rng: np.random.Generator, frames: int, channels: int, fps: float, seconds: float
) -> Float[np.ndarray, "time channel"]:
    """Smooth unit-variance noise that changes over `seconds`."""
    sigma = seconds * fps / 2.0
    pad = int(4 * sigma) + 1
    noise = gaussian_filter1d(rng.normal(size=(frames + 2 * pad, channels)), sigma, axis=0)[pad:-pad]
    return noise * np.sqrt(2.0 * np.sqrt(np.pi) * sigma)


class _Pose:
    """Axis-angle or composed rotations of named joints over time, to be turned into `body_pose`."""

    def __init__(self, frames: int):
        self.rotations = np.tile(np.eye(3), (frames, 24, 1, 1))

    def turn(self, joint: str, axis: str, angle_deg: Float[np.ndarray, "time"] | float) -> None:
        """Append a rotation about one of the joint's own axes (degrees)."""
        vectors = np.zeros((len(self.rotations), 3))
        vectors[:, "xyz".index(axis)] = np.radians(angle_deg)
        index = SMPL_JOINTS.index(joint)
        self.rotations[:, index] = self.rotations[:, index] @ matrix_from_axis_angle(vectors)

    def body_pose(self) -> Float[np.ndarray, "time 69"]:
        return axis_angle_from_matrix(self.rotations[:, 1:]).reshape(len(self.rotations), 69)


def _arms_hanging(
    pose: _Pose, flexion_deg: dict[str, Float[np.ndarray, "time"]], elbow_deg: dict[str, Float[np.ndarray, "time"]]
) -> None:
    """Arms at the sides: swing about the body's lateral axis first, then down from the T-pose."""
    for side, sign in (("left", 1.0), ("right", -1.0)):
        pose.turn(f"{side}_collar", "z", -sign * 4.0)
        pose.turn(f"{side}_shoulder", "x", -flexion_deg[side])
        pose.turn(f"{side}_shoulder", "z", -sign * 76.0)
        pose.turn(f"{side}_elbow", "y", -sign * elbow_deg[side])


def _grounded(
    body: BodyModel,
    betas: Float[np.ndarray, "10"],
    global_orient: Float[np.ndarray, "time 3"],
    body_pose: Float[np.ndarray, "time 69"],
    fps: float,
) -> Float[np.ndarray, "time 3"]:
    """`transl` that keeps the lower foot still on the floor: the body moves as its stance foot demands."""
    still = np.zeros((len(global_orient), 3))
    joints = body_joints(body, betas, global_orient, body_pose, still)
    feet = joints[:, [SMPL_JOINTS.index(name) for name in ("left_foot", "right_foot")]]
    ankles = joints[:, [SMPL_JOINTS.index(name) for name in ("left_ankle", "right_ankle")]]
    heights = np.minimum(feet[..., 2], ankles[..., 2] - (ankles[..., 2].min() - feet[..., 2].min()))
    share = 1.0 / (1.0 + np.exp(np.clip((heights - heights[:, ::-1]) / 0.008, -50.0, 50.0)))
    middle = (feet + ankles) / 2.0
    step = np.diff(middle[..., :2], axis=0)
    weights = (share[1:] + share[:-1]) / 2.0
    transl = still
    transl[1:, :2] = -np.cumsum((weights[..., None] * step).sum(axis=1), axis=0)
    transl[:, 2] = -gaussian_filter1d(
        lowest_surface(body, betas, global_orient, body_pose, still), 0.02 * fps, mode="nearest"
    )
    return transl


def _motion(
    track_body: BodyModel,
    betas: Float[np.ndarray, "10"],
    global_orient: Float[np.ndarray, "time 3"],
    pose: _Pose,
    fps: float,
    person: str,
    role: Role,
    action: str,
) -> Motion:
    frames = len(global_orient)
    body_pose = pose.body_pose()
    transl = _grounded(track_body, betas, global_orient, body_pose, fps)
    track = PersonTrack(
        person, role, betas, global_orient, body_pose, transl, np.ones(frames, dtype=bool), np.ones(frames)
    )
    return Motion(
        np.arange(frames) / fps,
        (canonicalise(track_body, track),),
        np.full((1, frames), ACTIONS.index(action)),
        "procedural",
        {"caption": "a person walks" if action == "walk" else "a person stands"},
    )


def procedural_standing(
    body: BodyModel,
    betas: Float[np.ndarray, "10"],
    seconds: float,
    fps: float,
    rng: np.random.Generator,
    age_years: float = 50.0,
    person: str = "person_0",
    role: Role = "person",
) -> Motion:
    """Quiet standing: sway about the ankles, weight shifts, breathing, a wandering gaze; age stoops it."""
    frames = max(2, round(seconds * fps))
    old = np.clip((age_years - 50.0) / 40.0, 0.0, 1.0)
    noise = _slow_noise(rng, frames, 10, fps, 1.6)
    slow = _slow_noise(rng, frames, 4, fps, 4.0)
    pose = _Pose(frames)
    sway_deg = 0.6 * (1.0 + old) * noise[:, 0]
    shift_deg = 1.3 * slow[:, 0] + 0.3 * noise[:, 1]
    stance_deg, knees_deg = rng.uniform(3.0, 6.0), 3.0 + 9.0 * old + rng.uniform(0.0, 3.0)
    breath = np.sin(2.0 * np.pi * (rng.uniform(0.2, 0.3) * np.arange(frames) / fps + rng.uniform()))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        pose.turn(f"{side}_hip", "x", -knees_deg * 0.6 - sway_deg)
        pose.turn(f"{side}_hip", "z", sign * stance_deg + shift_deg)
        pose.turn(f"{side}_hip", "y", sign * 6.0)
        pose.turn(f"{side}_knee", "x", knees_deg)
        pose.turn(f"{side}_ankle", "z", -sign * stance_deg - shift_deg)
        pose.turn(f"{side}_ankle", "x", -knees_deg * 0.4 + sway_deg)
    stoop_deg = 16.0 * old + rng.uniform(0.0, 3.0)
    for joint in ("spine1", "spine2", "spine3"):
        pose.turn(joint, "x", stoop_deg / 3.0 + 0.4 * breath + 0.5 * noise[:, 2])
        pose.turn(joint, "y", 1.0 * slow[:, 1])
        pose.turn(joint, "z", -0.5 * shift_deg / 3.0)
    pose.turn("neck", "x", -stoop_deg * 0.4 + 1.5 * noise[:, 3])
    for joint in ("neck", "head"):
        pose.turn(joint, "y", np.clip(7.0 * slow[:, 2], -25.0, 25.0))
        pose.turn(joint, "x", 2.0 * slow[:, 3] - 0.15 * stoop_deg)
    bend = {side: 14.0 + 10.0 * old + rng.uniform(0, 10) + 1.5 * noise[:, 4 + i] for i, side in enumerate(("left", "right"))}
    swing = {side: stoop_deg * 0.8 + 1.5 * noise[:, 6 + i] for i, side in enumerate(("left", "right"))}
    _arms_hanging(pose, swing, bend)
    global_orient = axis_angle_from_matrix(
        np.einsum("ij,tjk->tik", R_ZUP_YUP, matrix_from_axis_angle(np.radians(sway_deg * 0.3)[:, None] * np.array([1.0, 0, 0])))
    )
    return _motion(body, betas, global_orient, pose, fps, person, role, "standing")


def procedural_walking(
    body: BodyModel,
    betas: Float[np.ndarray, "10"],
    seconds: float,
    fps: float,
    rng: np.random.Generator,
    age_years: float = 50.0,
    person: str = "person_0",
    role: Role = "person",
) -> Motion:
    """Level walking, nearly straight ahead; age slows it, shortens the steps, widens the base and bends the trunk."""
    frames = max(2, round(seconds * fps))
    old = np.clip((age_years - 50.0) / 40.0, 0.0, 1.0)
    stride = (1.0 - 0.45 * old) * rng.uniform(0.85, 1.05)
    cadence_hz = (0.92 - 0.17 * old) * rng.uniform(0.93, 1.07)
    times = np.arange(frames) / fps
    noise = _slow_noise(rng, frames, 6, fps, 1.2)
    phase = rng.uniform() + cadence_hz * times
    pose = _Pose(frames)
    curves = {}
    for name, table in (("hip", HIP_FLEXION), ("knee", KNEE_FLEXION), ("ankle", DORSIFLEXION)):
        knots = np.array(table, dtype=np.float64)
        knots[-1, 1] = knots[0, 1]
        curves[name] = CubicSpline(knots[:, 0], knots[:, 1], bc_type="periodic")
    base_deg = 2.0 + 2.5 * old
    lift = 0.5 + 0.5 * stride
    list_deg = 3.0 * np.sin(2.0 * np.pi * (phase + 0.05))
    turn_deg = -4.5 * stride * np.cos(2.0 * np.pi * phase)
    crouch_deg = 8.0 * old
    swing, bend = {}, {}
    for side, sign, start in (("left", 1.0, 0.0), ("right", -1.0, 0.5)):
        cycle = (phase + start) % 1.0
        hip = stride * (curves["hip"](cycle) - 8.0) + 8.0 + crouch_deg * 0.8
        knee = lift * curves["knee"](cycle) + crouch_deg
        ankle = stride * curves["ankle"](cycle)
        pose.turn(f"{side}_hip", "x", -hip + noise[:, 0])
        pose.turn(f"{side}_hip", "z", sign * base_deg - list_deg)
        pose.turn(f"{side}_hip", "y", sign * 5.0 - turn_deg)
        pose.turn(f"{side}_knee", "x", knee)
        pose.turn(f"{side}_ankle", "z", -sign * base_deg)
        # While the foot carries weight it lies flat: the ankle gives back what hip and knee turned.
        loaded = np.clip(1.0 - np.abs(cycle - 0.25) / 0.24, 0.0, 1.0) ** 0.5 * (cycle < 0.5)
        pose.turn(f"{side}_ankle", "x", -(1.0 - loaded) * ankle - loaded * (knee - hip))
        arm = np.cos(2.0 * np.pi * (cycle + 0.5))
        swing[side] = (16.0 * stride) * arm + 3.0 + 8.0 * old
        bend[side] = 18.0 + 10.0 * old + 8.0 * stride * arm
    lean_deg = 3.0 + 14.0 * old
    for joint in ("spine1", "spine2", "spine3"):
        pose.turn(joint, "x", lean_deg / 3.0 + 0.4 * noise[:, 1])
        pose.turn(joint, "y", -1.9 * turn_deg / 3.0)
        pose.turn(joint, "z", -list_deg / 3.0 + 0.4 * noise[:, 2])
    pose.turn("neck", "x", -lean_deg * 0.5)
    pose.turn("neck", "y", 0.9 * turn_deg + 3.0 * noise[:, 3])
    pose.turn("head", "x", 3.0 + 1.5 * noise[:, 4])
    _arms_hanging(pose, swing, bend)
    heading = np.radians(4.0) * np.cumsum(noise[:, 5]) / fps
    local = np.stack([np.zeros(frames), np.radians(turn_deg), np.radians(list_deg)], axis=-1)
    orient = np.stack([yaw(angle) for angle in heading]) @ R_ZUP_YUP @ matrix_from_axis_angle(local)
    return _motion(body, betas, axis_angle_from_matrix(orient), pose, fps, person, role, "walk")


def body_mass_kg(stature_m: float, build: float) -> float:
    """Mass from stature and build by body mass index: 18.5 kg/m2 (slight) to 33.5 kg/m2 (heavy)."""
    return (18.5 + 15.0 * build) * stature_m**2


def betas_of(body: BodyModel, order: ClipOrder) -> Float[np.ndarray, "10"]:
    """Shape of the person whom the order describes."""
    shape = BodyShape(age_years=order.age_years, sex=order.sex, stature_m=order.stature_m, build=order.build)
    return np.asarray(body.betas_from_shape(shape), dtype=np.float64)


class ProceduralEveryday:
    """Walking and standing from joint-angle curves; needs nothing."""

    name = "procedural"

    def __init__(self, body: BodyModel):
        self.body = body

    def sample(self, order: ClipOrder, room: Room | None, rng: np.random.Generator) -> Motion:
        """Walk or stand as ordered (`everyday` draws one of them); Rejected for any other event. The floor is bare."""
        if order.event not in ("walk", "stand", "everyday"):
            raise Rejected("event_not_procedural", order.event)
        walks = rng.random() < 0.5 if order.event == "everyday" else order.event == "walk"
        act = procedural_walking if walks else procedural_standing
        return act(
            self.body, betas_of(self.body, order), order.seconds, order.fps, rng, order.age_years, role=order.role
        )


class MocapClips:
    """Everyday motion from a folder of BVH files: by its `index.csv` (file, description), or every *.bvh by its name."""

    name = "mocap"

    def __init__(self, body: BodyModel, folder: Path):
        self.body = body
        index = folder / "index.csv"
        if index.exists():
            with index.open(newline="") as file:
                rows = [(row.get("file") or "", row.get("description") or "") for row in csv.DictReader(file)]
            described = [(folder / name, text) for name, text in rows if name.endswith(".bvh")]
        else:
            described = [(path, path.stem) for path in sorted(folder.rglob("*.bvh"))]
        if not described:
            raise InputError(folder, "holds no BVH motion capture", "name a folder with *.bvh files, or remove the key")
        self.files = {
            event: tuple(path for path, text in described if _describes(text.lower(), words))
            for event, words in EVENT_WORDS.items()
        }

    def sample(self, order: ClipOrder, room: Room | None, rng: np.random.Generator) -> Motion:
        """A random piece of a random file of the event; Rejected when no readable file is long enough."""
        reasons = ["no file describes it"]
        for choice in rng.permutation(len(self.files.get(order.event, ()))):
            path = self.files[order.event][choice]
            try:
                bvh = read_bvh(path)
                # Half a second to spare: a calibration frame is dropped, and ends of takes are ragged.
                spare = float(bvh.timestamps_s[-1]) - order.seconds - 0.5
                if spare < 0.0:
                    reasons.append(f"{path.name} lasts {bvh.timestamps_s[-1]:.1f} s")
                    continue
                start = 0.25 + float(rng.uniform(0.0, spare))
                motion = retarget_bvh(
                    bvh, self.body, betas_of(self.body, order), order.fps, role=order.role,
                    window_s=(start, start + order.seconds + 0.1),
                )  # fmt: skip
            except InputError as error:
                reasons.append(str(error))
                continue
            frames = max(2, round(order.seconds * order.fps))
            track = take(motion.people[0], np.arange(frames))
            return replace(
                motion,
                timestamps_s=motion.timestamps_s[:frames],
                people=(track,),
                actions=_upright_actions(self.body, track, order.fps),
                details=motion.details | {"caption": order.text or f"a person: {order.event}", "start_s": start},
            )
        raise Rejected("no_mocap_for_event", f"{order.event} for {order.seconds:g} s: {reasons[-1]}")


def _describes(text: str, words: tuple[str, ...]) -> bool:
    return any(word in text for word in words) and not any(word in text for word in UNUSUAL_WORDS)


def _upright_actions(body: BodyModel, track: PersonTrack, fps: float) -> Int[np.ndarray, "1 time"]:
    """Walk where the pelvis travels, standing where it stays, other where it is well below standing height."""
    pelvis = body_joints(body, track.betas, track.global_orient, track.body_pose, track.transl)[:, 0]
    index, reach = np.arange(len(pelvis)), max(1, round(0.3 * fps))
    before, after = np.maximum(index - reach, 0), np.minimum(index + reach, len(pelvis) - 1)
    speed = np.linalg.norm(pelvis[after, :2] - pelvis[before, :2], axis=-1) * fps / np.maximum(after - before, 1)
    actions = np.where(speed > 0.3, ACTIONS.index("walk"), ACTIONS.index("standing"))
    with torch.no_grad():
        rest = body.rest_joints(torch.as_tensor(track.betas, dtype=torch.float32)).numpy()
    leg = rest[0, 1] - rest[:, 1].min()
    return np.where(pelvis[:, 2] < 0.8 * leg, ACTIONS.index("other"), actions)[None]


class PhysicsFalls:
    """Falls: a source motion (procedural, or captured where a folder is configured) that physics takes over."""

    name = "physics"

    def __init__(self, body: BodyModel, config: PhysicsConfig | None = None, captured: "MocapClips | None" = None):
        self.body, self.config, self.captured = body, config or PhysicsConfig(), captured

    def sample(self, order: ClipOrder, room: Room | None, rng: np.random.Generator) -> Motion:
        """Fall as ordered, onset in the first half; Rejected where the simulation fails or the clip is under 3 s.

        The motion is made on a bare floor before it has a place in the room; the room is not consulted.
        """
        if order.event != "fall" or order.cause is None or order.direction is None:
            raise Rejected("event_not_a_fall", order.event)
        if order.seconds < 3.0:
            raise Rejected("clip_too_short_for_fall", f"{order.seconds:g} s ordered, 3 s needed")
        # The source runs at 60 Hz or more, a whole multiple of the order's rate, so frames are taken, not blended.
        multiple = int(np.ceil(60.0 / order.fps))
        fps = order.fps * multiple
        frames = max(2, round(order.seconds * order.fps))
        seconds = ((frames - 1) * multiple + 1) / fps
        betas = betas_of(self.body, order)
        onset_s = float(rng.uniform(0.15 * order.seconds, min(0.45 * order.seconds, order.seconds - 2.4)))
        if self.captured is not None and rng.random() < 0.5:
            event = "walk" if order.start == "walking" else "stand"
            update = {"event": event, "seconds": onset_s + 0.3, "fps": fps}
            source = _held(self.captured.sample(order.model_copy(update=update), None, rng), round(seconds * fps), fps)
        else:
            act = procedural_walking if order.start == "walking" else procedural_standing
            source = act(self.body, betas, seconds, fps, rng, order.age_years, role=order.role)
        frailty = float(np.clip((order.age_years - 55.0) / 40.0 + rng.normal(0.0, 0.1), 0.0, 1.0))
        motion = simulate_fall(
            self.body, source, order.cause, order.direction, onset_s, body_mass_kg(order.stature_m, order.build),
            frailty, self.config, rng,
        )  # fmt: skip
        return replace(
            motion,
            timestamps_s=motion.timestamps_s[::multiple],
            people=(take(motion.people[0], np.arange(0, len(motion.timestamps_s), multiple)),),
            actions=motion.actions[:, ::multiple],
        )


def _held(motion: Motion, frames: int, fps: float) -> Motion:
    """The motion made longer by its last pose: what the muscles go on aiming at after the onset."""
    index = np.minimum(np.arange(frames), len(motion.timestamps_s) - 1)
    return replace(
        motion,
        timestamps_s=np.arange(frames) / fps,
        people=(take(motion.people[0], index),),
        actions=motion.actions[:, index],
    )
