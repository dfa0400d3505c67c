"""Walking and standing from joint-angle curves, for want of motion capture.

The gait curves are the sagittal joint angles of normal level walking as gait laboratories tabulate them (Winter,
Biomechanics and Motor Control of Human Movement). The feet decide where the body goes: it moves as the stance foot
demands.
"""

import numpy as np
from jaxtyping import Float
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d

from models.body.floor_contact import lowest_surface
from models.body.model import BodyModel
from models.body.tracks import body_joints, canonicalise
from models.geometry.transforms import R_ZUP_YUP, axis_angle_from_matrix, matrix_from_axis_angle, yaw
from models.types import ACTIONS, SMPL_JOINTS, Motion, PersonTrack, Role

# Joint angle in degrees over one stride from heel strike, (phase, angle); flexion and dorsiflexion are positive.
HIP_FLEXION = ((0.0, 25), (0.1, 22), (0.2, 14), (0.3, 5), (0.4, -4), (0.5, -10), (0.56, -9), (0.62, -2), (0.7, 11),
               (0.8, 23), (0.88, 27), (1.0, 25))  # fmt: skip
KNEE_FLEXION = ((0.0, 4), (0.07, 12), (0.15, 16), (0.25, 11), (0.38, 5), (0.48, 9), (0.58, 32), (0.66, 52), (0.72, 58),
                (0.8, 48), (0.88, 24), (0.95, 6), (1.0, 4))  # fmt: skip
DORSIFLEXION = ((0.0, 1), (0.07, -5), (0.18, 3), (0.3, 7), (0.42, 9), (0.5, 5), (0.6, -14), (0.64, -15), (0.72, -6),
                (0.8, 1), (0.9, 3), (1.0, 1))  # fmt: skip


def slow_noise(
    rng: np.random.Generator, frames: int, channels: int, fps: float, seconds: float
) -> Float[np.ndarray, "time channel"]:
    """Smooth unit-variance noise that changes over `seconds`."""
    sigma = seconds * fps / 2.0
    pad = int(4 * sigma) + 1
    noise = gaussian_filter1d(rng.normal(size=(frames + 2 * pad, channels)), sigma, axis=0)[pad:-pad]
    return noise * np.sqrt(2.0 * np.sqrt(np.pi) * sigma)


class _Pose:
    """Axis-angle or composed rotations of named joints over time, to become `body_pose`."""

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
    # Heel and ball of both feet, each by its height over its own lowest: the lowest carries, and does not slide.
    names = ("left_ankle", "left_foot", "right_ankle", "right_foot")
    contacts = joints[:, [SMPL_JOINTS.index(name) for name in names]]
    over = contacts[..., 2] - contacts[..., 2].min(axis=1, keepdims=True)
    rest = over.min(axis=0)
    heights = contacts[..., 2] - rest
    share = np.exp(-(heights - heights.min(axis=1, keepdims=True)) / 0.006)
    share /= share.sum(axis=1, keepdims=True)
    step = np.diff(contacts[..., :2], axis=0)
    weights = (share[1:] + share[:-1]) / 2.0
    transl = still
    # A trunk does not jerk: its path is smoothed, for a slip of the foot that nobody sees.
    path = np.concatenate([np.zeros((1, 2)), -np.cumsum((weights[..., None] * step).sum(axis=1), axis=0)])
    transl[:, :2] = gaussian_filter1d(path, 0.05 * fps, axis=0, mode="nearest")
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
        canonicalise(track_body, [track]),
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
    """Return quiet standing: sway about the ankles, weight shifts, breathing, a wandering gaze; age stoops it."""
    frames = max(2, round(seconds * fps))
    old = np.clip((age_years - 50.0) / 40.0, 0.0, 1.0)
    noise = slow_noise(rng, frames, 10, fps, 1.6)
    slow = slow_noise(rng, frames, 4, fps, 4.0)
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
    bend = {
        side: 14.0 + 10.0 * old + rng.uniform(0, 10) + 1.5 * noise[:, 4 + i] for i, side in enumerate(("left", "right"))
    }
    swing = {side: stoop_deg * 0.8 + 1.5 * noise[:, 6 + i] for i, side in enumerate(("left", "right"))}
    _arms_hanging(pose, swing, bend)
    global_orient = axis_angle_from_matrix(
        np.einsum(
            "ij,tjk->tik",
            R_ZUP_YUP,
            matrix_from_axis_angle(np.radians(sway_deg * 0.3)[:, None] * np.array([1.0, 0, 0])),
        )
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
    """Return level walking, nearly straight ahead; age slows it, shortens the steps, widens the base and bends the
    trunk."""
    frames = max(2, round(seconds * fps))
    old = np.clip((age_years - 50.0) / 40.0, 0.0, 1.0)
    stride = (1.0 - 0.45 * old) * rng.uniform(0.85, 1.05)
    cadence_hz = (0.92 - 0.17 * old) * rng.uniform(0.93, 1.07)
    times = np.arange(frames) / fps
    noise = slow_noise(rng, frames, 6, fps, 1.2)
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
