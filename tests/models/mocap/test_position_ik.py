"""Rotations from positions: bones point where they pointed, and a body of known rotations comes back."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from models.mocap.position_ik import fitted, rotations_from_positions
from models.mocap.smpl_skeleton import SMPL_OFFSETS, smpl_motion
from models.types import SMPL_JOINTS

AT = {name: index for index, name in enumerate(SMPL_JOINTS)}


def positions_of(rotations: np.ndarray) -> np.ndarray:
    root = np.tile([0.3, 0.9, -0.1], (len(rotations), 1))
    return smpl_motion(Path("x"), rotations, root, 20.0).forward()[1][:, :22]


def test_any_posture_keeps_its_positions() -> None:
    rng = np.random.default_rng(0)
    turns = rng.normal(0.0, 0.5, (200, 24, 3))
    positions = positions_of(Rotation.from_rotvec(turns.reshape(-1, 3)).as_matrix().reshape(200, 24, 3, 3))
    found = rotations_from_positions(positions, SMPL_OFFSETS)
    np.testing.assert_allclose(found @ np.swapaxes(found, -1, -2), np.tile(np.eye(3), (200, 24, 1, 1)), atol=1e-9)
    # Everything but the collars' own freedom against the chest is met exactly: each bone has a joint of its own.
    np.testing.assert_allclose(positions_of(found), positions, atol=1e-9)


def test_bent_limbs_give_their_twist_away() -> None:
    rotations = np.tile(np.eye(3), (1, 24, 1, 1))

    def turn(joint: str, axes: str, *degrees: float) -> None:
        rotations[0, AT[joint]] = Rotation.from_euler(axes, degrees, degrees=True).as_matrix()

    turn("pelvis", "yx", 70.0, 10.0)
    turn("left_hip", "xy", -60.0, 25.0)
    turn("left_knee", "x", 80.0)
    turn("right_shoulder", "xz", 40.0, -30.0)
    turn("right_elbow", "y", 90.0)
    turn("spine2", "y", 20.0)
    found = rotations_from_positions(positions_of(rotations), SMPL_OFFSETS)
    between = Rotation.from_matrix(np.swapaxes(rotations[0], -1, -2) @ found[0]).magnitude()
    for joint in ("pelvis", "left_hip", "left_knee", "right_shoulder", "right_elbow"):
        assert np.degrees(between[AT[joint]]) < 9.0, joint


def test_kabsch_finds_a_known_turn_and_no_mirror() -> None:
    rest = SMPL_OFFSETS[[1, 2, 3]]
    turns = Rotation.from_rotvec(np.random.default_rng(1).normal(0.0, 1.0, (5, 3))).as_matrix()
    np.testing.assert_allclose(fitted(rest, np.einsum("tij,bj->tbi", turns, rest)), turns, atol=1e-9)
    mirrored = np.tile(rest * [-1.0, 1.0, 1.0], (1, 1, 1))
    assert np.linalg.det(fitted(rest, mirrored)[0]) == pytest.approx(1.0)
