"""The skeleton of a procedural person: its lengths, and the rotations that follow from pelvis, feet and a few angles.

Two-bone inverse kinematics gives the legs. Everything is in the world frame of DESIGN §2, metres and radians.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from models.body.model import BodyModel
from models.types import SMPL_JOINTS


@dataclass(frozen=True)
class Rig:
    """Lengths of one body, metres."""

    rest: Float[np.ndarray, "24 3"]
    """Joints of the rest pose, in the body's own axes."""
    ankle_height: float
    """Of the ankle's joint above the sole."""
    ball: float
    """From the ankle forward to the ball of the foot."""
    heel: float
    """From the ankle back to the heel."""
    seat: float
    """Of the pelvis joint above what it sits on."""
    back: float
    """Of the pelvis joint in front of the skin of the back."""

    @property
    def leg(self) -> tuple[float, float]:
        """Thigh and shin."""
        hip, knee, ankle = (self.rest[SMPL_JOINTS.index(name)] for name in ("left_hip", "left_knee", "left_ankle"))
        return float(np.linalg.norm(knee - hip)), float(np.linalg.norm(ankle - knee))

    @property
    def standing(self) -> float:
        """Height of the pelvis joint when standing with soft knees."""
        ankle = self.rest[SMPL_JOINTS.index("left_ankle"), 1]
        return float(self.rest[0, 1] - ankle + self.ankle_height) - 0.012


def rig_of(body: BodyModel, betas: Float[np.ndarray, "10"]) -> Rig:
    """Measure a body."""
    shape, zero = torch.as_tensor(betas, dtype=torch.float32), torch.zeros(3)
    with torch.no_grad():
        rest = body.rest_joints(shape).double().numpy()
        skin = body.posed(shape, zero, torch.zeros(69), zero).vertices.double().numpy()
    ankle = rest[SMPL_JOINTS.index("left_ankle")]
    foot = skin[(skin[:, 0] > 0) & (skin[:, 1] < ankle[1])]
    trunk = skin[np.abs(skin[:, 1] - rest[0, 1]) < 0.05]
    return Rig(
        rest=rest,
        ankle_height=float(ankle[1] - skin[:, 1].min()),
        ball=float(foot[:, 2].max() - ankle[2]) * 0.66,
        heel=float(ankle[2] - foot[:, 2].min()) * 0.8,
        seat=float(rest[0, 2] - trunk[:, 2].min()) * 0.95,
        back=float(rest[0, 2] - trunk[:, 2].min()) * 0.95,
    )


def solve_legs(rig: Rig, pelvis: np.ndarray, root: np.ndarray, ankles: np.ndarray, feet: np.ndarray) -> np.ndarray:
    """Return local rotations [time, 24, 3, 3] with the legs solved; everything else is the identity (the root too)."""
    local = np.tile(np.eye(3), (len(pelvis), 24, 1, 1))
    upper, lower = rig.leg
    for foot, side in enumerate(("left", "right")):
        hip, knee, ankle = (SMPL_JOINTS.index(f"{side}_{name}") for name in ("hip", "knee", "ankle"))
        hip_world = pelvis + root @ (rig.rest[hip] - rig.rest[0])
        line = ankles[:, foot] - hip_world
        length = np.clip(np.linalg.norm(line, axis=1, keepdims=True), abs(upper - lower) + 0.02, upper + lower - 1e-3)
        line = line / np.linalg.norm(line, axis=1, keepdims=True)
        # Knees point where pelvis and foot do, half each.
        pole = root[..., 2] + feet[:, foot, :, 2]
        pole = pole - np.sum(pole * line, axis=1, keepdims=True) * line
        pole /= np.linalg.norm(pole, axis=1, keepdims=True)
        cosine = (upper**2 + length**2 - lower**2) / (2 * upper * length)
        bend = np.sqrt(np.maximum(1.0 - cosine**2, 0.0))
        thigh = cosine * line + bend * pole
        shin = (line * length - thigh * upper) / lower
        hinge = np.cross(pole, line)
        thigh_world = _aligned(rig.rest[knee] - rig.rest[hip], thigh, hinge)
        shin_world = _aligned(rig.rest[ankle] - rig.rest[knee], shin, hinge)
        local[:, hip] = np.swapaxes(root, -1, -2) @ thigh_world
        local[:, knee] = np.swapaxes(thigh_world, -1, -2) @ shin_world
        local[:, ankle] = np.swapaxes(shin_world, -1, -2) @ feet[:, foot]
        # Toes stay flat while the heel rises: they bend back by as much as the foot dips.
        dip = np.arcsin(np.clip(-feet[:, foot, 2, 2], -1.0, 1.0))
        toes = np.where(ankles[:, foot, 2] < 0.3, np.clip(dip, 0.0, 0.6), 0.0)
        local[:, SMPL_JOINTS.index(f"{side}_foot")] = Rotation.from_euler("X", -toes[:, None]).as_matrix()
    return local


def _aligned(bone: np.ndarray, direction: np.ndarray, hinge: np.ndarray) -> np.ndarray:
    """Rotations that turn a rest bone onto a direction, and the body's left axis onto the knee's hinge."""
    u = bone / np.linalg.norm(bone)
    left = np.array([1.0, 0.0, 0.0]) - u[0] * u
    left /= np.linalg.norm(left)
    rest = np.stack([u, left, np.cross(u, left)], axis=1)
    h = hinge - np.sum(hinge * direction, axis=1, keepdims=True) * direction
    h /= np.linalg.norm(h, axis=1, keepdims=True)
    posed = np.stack([direction, h, np.cross(direction, h)], axis=-1)
    return posed @ rest.T


def pose_upper_body(local: np.ndarray, angles: dict[str, np.ndarray]) -> None:
    def set_joint(name: str, order: str, *values: np.ndarray) -> None:
        local[:, SMPL_JOINTS.index(name)] = Rotation.from_euler(
            order, np.stack(np.broadcast_arrays(*values), axis=-1)
        ).as_matrix()

    spine = [angles[f"spine_{name}"] / 3.0 for name in ("yaw", "pitch", "roll")]
    for name in ("spine1", "spine2", "spine3"):
        set_joint(name, "YXZ", *spine)
    # The head stays level: it gives back most of the trunk's lean.
    level = -0.75 * angles["spine_pitch"]
    set_joint("neck", "YX", angles["head_yaw"] / 2.0, (level + angles["head_pitch"]) / 2.0)
    set_joint("head", "YX", angles["head_yaw"] / 2.0, (level + angles["head_pitch"]) / 2.0)
    for side, sign in (("l", 1.0), ("r", -1.0)):
        name = {"l": "left", "r": "right"}[side]
        set_joint(f"{name}_collar", "XZ", np.zeros(len(local)), np.full(len(local), -sign * 0.09))
        set_joint(f"{name}_shoulder", "XZ", -angles[f"flex_{side}"], -sign * (1.3 - angles[f"out_{side}"]))
        set_joint(f"{name}_elbow", "YX", -sign * angles[f"elbow_{side}"], np.zeros(len(local)))
