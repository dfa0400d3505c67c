"""Somebody who wears the markers of Plug-in Gait: where they are on a body of ours whose pose is known."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from models.body.kinematics import joint_positions, world_rotations
from models.body.model import BodyShape, load_body
from models.body.tracks import rest_joints_of
from models.geometry.transforms import R_ZUP_YUP
from models.mocap.plug_in_gait import MARKERS
from models.types import SMPL_JOINTS, SMPL_PARENTS

AT = {name: index for index, name in enumerate(SMPL_JOINTS)}


@dataclass(frozen=True)
class MarkerTake:
    """Who crouches, raises and bends the arms, and looks about, z up."""

    markers: dict[str, np.ndarray]
    joints: np.ndarray
    """[time, 24, 3]"""
    rotations: np.ndarray
    """[time, 24, 3, 3], of joints in the world."""
    betas: np.ndarray


@pytest.fixture(scope="session")
def marker_take() -> MarkerTake:
    body = load_body()
    betas = np.asarray(body.betas_from_shape(BodyShape(age_years=40.0, sex=0.5, stature_m=1.72, build=0.4)), float)
    rest, count = rest_joints_of(body, betas), 90
    bend = np.sin(np.linspace(0.0, np.pi, count))
    local = np.tile(np.eye(3), (count, 24, 1, 1))

    def turn(joint: str, axes: str, *degrees: np.ndarray) -> None:
        local[:, AT[joint]] = Rotation.from_euler(axes, np.stack(degrees, axis=-1), degrees=True).as_matrix()

    turn("pelvis", "YX", 40.0 * bend, 25.0 * bend)
    turn("spine1", "XY", 10.0 * bend, 8.0 * bend)
    turn("head", "YX", -35.0 * bend, 10.0 * bend)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        turn(f"{side}_hip", "XZ", -95.0 * bend, 8.0 * sign * bend)
        turn(f"{side}_knee", "X", 100.0 * bend)
        turn(f"{side}_ankle", "X", -25.0 * bend)
        turn(f"{side}_shoulder", "ZY", -sign * (70.0 - 50.0 * bend), -20.0 * sign * bend)
        turn(f"{side}_elbow", "Y", -sign * (15.0 + 75.0 * bend))
    offsets = rest - rest[np.maximum(SMPL_PARENTS, 0)]
    translations = np.tile(offsets, (count, 1, 1))
    translations[:, 0] = [0.3, 0.9, -0.2] + np.outer(bend, [0.0, -0.35, 0.1])
    world = world_rotations(local, SMPL_PARENTS)
    joints = joint_positions(world, translations, SMPL_PARENTS)
    markers = {
        name: joints[:, AT[joint]] + world[:, AT[joint]] @ (place - rest[AT[joint]])
        for name, (joint, place) in _worn(rest).items()
    }
    upright = R_ZUP_YUP.T
    z_up = {name: path @ upright for name, path in markers.items()}
    return MarkerTake(z_up, joints @ upright, R_ZUP_YUP @ world, betas)


def _worn(rest: np.ndarray) -> dict[str, tuple[str, np.ndarray]]:
    """The joint that carries each marker, and where it is in the T-pose: by anatomy, in metres."""
    at = {name: rest[index] for name, index in AT.items()}
    hips = (at["left_hip"] + at["right_hip"]) / 2.0
    # Breadth and depth of a pelvis whose hips are these by Harrington's regression; its plane leans 11 degrees.
    breadth, depth = (abs(at["left_hip"][0]) - 0.0073) / 0.33, 0.19
    lean = Rotation.from_euler("x", 11.0, degrees=True).as_matrix()
    front = hips - lean @ [0.0, -0.30 * breadth - 0.0109, -0.24 * depth - 0.0099]
    neck, acromion = at["neck"], 0.17 * 2.0 * at["left_shoulder"][0]
    worn = {
        "C7": ("spine3", neck + [0.0, 0.0275, -0.0894]),
        "CLAV": ("spine3", neck + [0.0, -0.0525, 0.0606]),
        "T10": ("spine3", neck + [0.0, -0.24, -0.12]),
        "STRN": ("spine3", neck + [0.0, -0.24, 0.0912]),
        "RBAK": ("spine3", neck + [-0.08, -0.10, -0.11]),
    }
    for letter, side, sign in (("L", "left", 1.0), ("R", "right", -1.0)):
        out = np.array([sign, 0.0, 0.0])
        shoulder, elbow, wrist = (at[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist"))
        knee, ankle, ball = (at[f"{side}_{name}"] for name in ("knee", "ankle", "foot"))
        worn |= {
            f"{letter}ASI": ("pelvis", front + out * breadth / 2.0),
            f"{letter}PSI": ("pelvis", front - lean @ [0.0, 0.0, depth] + 0.05 * out),
            f"{letter}FHD": ("head", at["head"] + 0.07 * out + [0.0, 0.09, 0.10]),
            f"{letter}BHD": ("head", at["head"] + 0.06 * out + [0.0, 0.09, -0.07]),
            f"{letter}SHO": ("spine3", shoulder + [0.0, acromion, 0.0]),
            f"{letter}UPA": (f"{side}_shoulder", (shoulder + elbow) / 2.0 + [0.0, 0.065, 0.0]),
            f"{letter}ELB": (f"{side}_shoulder", elbow + [0.0, 0.041, 0.0]),
            f"{letter}FRM": (f"{side}_elbow", (elbow + wrist) / 2.0 + [0.0, 0.03, 0.0]),
            f"{letter}WRA": (f"{side}_elbow", wrist + [0.0, 0.0, 0.03]),
            f"{letter}WRB": (f"{side}_elbow", wrist - [0.0, 0.0, 0.03]),
            f"{letter}FIN": (f"{side}_wrist", wrist + 0.09 * out),
            f"{letter}THI": (f"{side}_hip", (at[f"{side}_hip"] + knee) / 2.0 + 0.09 * out),
            f"{letter}KNE": (f"{side}_hip", knee + 0.056 * out),
            f"{letter}TIB": (f"{side}_knee", (knee + ankle) / 2.0 + 0.07 * out),
            f"{letter}ANK": (f"{side}_knee", ankle + 0.042 * out),
            f"{letter}TOE": (f"{side}_ankle", ball + [0.0, 0.03, 0.0]),
            f"{letter}HEE": (f"{side}_ankle", np.array([ankle[0], ball[1] + 0.03, ankle[2] - 0.05])),
        }
    assert set(worn) == set(MARKERS)
    return worn
