"""What an actor has done so far, frame by frame, and that read as SMPL: smoothed, legs solved, pelvis within reach."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from models.animation.rig import Rig, pose_upper_body, solve_legs
from models.body.subject import Subject
from models.geometry.transforms import R_ZUP_YUP, axis_angle_from_matrix
from models.types import ACTIONS, SMPL_JOINTS, PersonTrack

CHANNELS = (
    "spine_pitch",
    "spine_yaw",
    "spine_roll",
    "head_pitch",
    "head_yaw",
    "flex_l",
    "flex_r",
    "out_l",
    "out_r",
    "elbow_l",
    "elbow_r",
)
"""Angles beside the root's and the feet's, radians: spine and head forward, left, lean; arms forward, out, bent."""


@dataclass
class Recording:
    """Pelvis, root, feet and a few angles of every frame, world."""

    rig: Rig
    fps: float
    pelvis: list = field(default_factory=list)
    root: list = field(default_factory=list)
    ankles: list = field(default_factory=list)
    feet: list = field(default_factory=list)
    angles: dict[str, list] = field(default_factory=lambda: {name: [] for name in CHANNELS})
    actions: list[int] = field(default_factory=list)

    @property
    def frames(self) -> int:
        """How many there are."""
        return len(self.actions)

    def append(
        self,
        action: str,
        pelvis: np.ndarray,
        root: np.ndarray,
        contact: np.ndarray,
        foot_yaw: np.ndarray,
        pitch: np.ndarray,
        lift: np.ndarray,
        **angles: np.ndarray | float,
    ) -> None:
        """Append frames with feet from the floor point under each ankle, their direction, toe-down pitch and lift."""
        rig = self.rig
        forward = np.stack([np.cos(foot_yaw), np.sin(foot_yaw)], axis=-1)
        # Pitched forward the foot stands on its ball, backward on its heel.
        arm = np.where(pitch > 0, rig.ball, -rig.heel)
        ahead = arm - arm * np.cos(pitch) + rig.ankle_height * np.sin(pitch)
        ankles = np.concatenate(
            [
                contact + ahead[..., None] * forward,
                (lift + arm * np.sin(pitch) + rig.ankle_height * np.cos(pitch))[..., None],
            ],
            axis=-1,
        )
        feet = Rotation.from_euler("ZY", np.stack([foot_yaw.ravel(), pitch.ravel()], axis=1)).as_matrix() @ R_ZUP_YUP
        self.store(action, pelvis, root, ankles, feet.reshape(*foot_yaw.shape, 3, 3), angles)

    def store(
        self, action: str, pelvis: np.ndarray, root: np.ndarray, ankles: np.ndarray, feet: np.ndarray, angles: dict
    ) -> None:
        """Append frames; `angles` by names of CHANNELS, those that are not there are 0."""
        count = len(pelvis)
        self.pelvis += list(pelvis)
        self.root += list(root)
        self.ankles += list(ankles)
        self.feet += list(feet)
        for name in CHANNELS:
            self.angles[name] += list(np.broadcast_to(angles.get(name, 0.0), (count,)))
        self.actions += [ACTIONS.index(action)] * count

    def reverse(self, first: int) -> None:
        """Turn round what was done from a frame on: its end comes first."""
        for frames in (self.pelvis, self.root, self.ankles, self.feet, *self.angles.values(), self.actions):
            frames[first:] = frames[first:][::-1]

    def cut(self, frames: int) -> None:
        """Forget all but the first frames."""
        for values in (self.pelvis, self.root, self.ankles, self.feet, self.actions, *self.angles.values()):
            del values[frames:]

    def track(self, subject: Subject, frames: int) -> tuple[PersonTrack, Int[np.ndarray, "time"]]:
        """Return the first `frames` frames as SMPL parameters in the world, and the action of each (index into
        ACTIONS)."""
        pelvis = gaussian_filter1d(np.array(self.pelvis), 0.06 * self.fps, axis=0, mode="nearest")
        root = gaussian_filter1d(np.array(self.root), 0.08 * self.fps, axis=0, mode="nearest")
        root = Rotation.from_matrix(root).as_matrix()
        angles = {n: gaussian_filter1d(np.array(v), 0.1 * self.fps, mode="nearest") for n, v in self.angles.items()}
        ankles, feet = np.array(self.ankles), np.array(self.feet)
        pelvis[:, 2] = self._within_reach(pelvis, root, ankles)
        local = solve_legs(self.rig, pelvis, root, ankles, feet)
        pose_upper_body(local, angles)
        keep = slice(0, frames)
        vectors = axis_angle_from_matrix(local[keep])
        pose = vectors[:, 1:].reshape(len(vectors), 69)
        track = subject.track(axis_angle_from_matrix(root[keep]), pose, pelvis[keep] - self.rig.rest[0])
        return track, np.array(self.actions[keep])

    def _within_reach(self, pelvis: np.ndarray, root: np.ndarray, ankles: np.ndarray) -> np.ndarray:
        """Lower the pelvis until neither leg is stretched past its length, smoothly."""
        reach = sum(self.rig.leg) - 0.006
        lowest = pelvis[:, 2].copy()
        for foot, name in enumerate(("left_hip", "right_hip")):
            offset = root @ (self.rig.rest[SMPL_JOINTS.index(name)] - self.rig.rest[0])
            flat = np.linalg.norm((pelvis + offset - ankles[:, foot])[:, :2], axis=1)
            limit = ankles[:, foot, 2] + np.sqrt(np.maximum(reach**2 - flat**2, 0.05)) - offset[:, 2]
            lowest = np.minimum(lowest, limit)
        return np.minimum(lowest, gaussian_filter1d(lowest, 0.05 * self.fps, mode="nearest"))
