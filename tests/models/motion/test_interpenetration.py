"""People out of each other: by as little, and for as long, as they are in each other."""

import numpy as np
import pytest

from models.body.collision_spheres import CollisionSpheres, depths
from models.body.kinematics import forward_kinematics_numpy
from models.body.model import load_body
from models.body.tracks import rest_joints_of
from models.body.two_bone_ik import LEGS
from models.geometry.easing import smoothstep
from models.geometry.transforms import R_ZUP_YUP, matrix_from_axis_angle
from models.motion.interpenetration import Apart, move_apart
from models.motion.kept_holds import HeldPlace
from models.types import SMPL_JOINTS

FRAMES, BETAS, APART = 100, np.zeros((2, 10)), Apart(0.01, 12)
LEFT_SHOULDER, RIGHT_SHOULDER, SPINE3 = (
    SMPL_JOINTS.index(name) for name in ("left_shoulder", "right_shoulder", "spine3")
)


@pytest.fixture(scope="module")
def body():
    return load_body()


def standing(body, apart_m):
    """Two people side by side who face +x, arms and legs a little bent, the second to the left of the first."""
    R = np.tile(np.eye(3), (2, FRAMES, 24, 1, 1))
    R[:, :, 0] = R_ZUP_YUP
    for joint, turn in ((LEFT_SHOULDER, (0.0, 0.0, -1.3)), (RIGHT_SHOULDER, (0.0, 0.0, 1.3))):
        R[:, :, joint] = matrix_from_axis_angle(np.array(turn))
    for leg in LEGS:
        R[:, :, leg.upper] = matrix_from_axis_angle(np.array([-0.15, 0.0, 0.0]))
        R[:, :, leg.middle] = matrix_from_axis_angle(np.array([0.3, 0.0, 0.0]))
    root = np.zeros((2, FRAMES, 3))
    root[:, :, 2], root[1, :, 1] = 0.9, apart_m
    return R, root


def deepest(body, R, root):
    """How deep the two are in each other at most, each frame, metres."""
    spheres = [CollisionSpheres(body, betas) for betas in BETAS]
    transl = [root[k] - rest_joints_of(body, BETAS[k])[0] for k in (0, 1)]
    centres = [spheres[k].centres(R[k, :, 0], R[k, :, 1:], transl[k]) for k in (0, 1)]
    return depths(centres[0], spheres[0].radii, centres[1], spheres[1].radii).amax((1, 2)).numpy()


def ankles(body, R, root):
    places = [forward_kinematics_numpy(rest_joints_of(body, BETAS[k]), R[k], root[k])[1] for k in (0, 1)]
    return np.stack(places)[:, :, [leg.end for leg in LEGS]]


def reaching_aside(body):
    """Of those two, the first holds the left arm out for a second, into the other's trunk."""
    R, root = standing(body, 0.7)
    frames = np.arange(FRAMES)
    share = smoothstep((frames - 35.0) / 10.0) * smoothstep((65.0 - frames) / 10.0)
    R[0, :, LEFT_SHOULDER] = matrix_from_axis_angle(-1.3 * (1.0 - share[:, None]) * np.array([0.0, 0.0, 1.0]))
    return R, root


def test_who_is_in_the_other_for_a_moment_leans_away_for_that_moment_over_feet_that_stay(body):
    R, root = reaching_aside(body)
    before = deepest(body, R, root)
    assert before[40:60].max() > 0.04 and before[:30].max() < 0.0
    turned, moved = move_apart(APART, body, BETAS, [], R, root)
    off = np.linalg.norm(moved - root, axis=-1)
    assert deepest(body, turned, moved).max() < 0.013
    assert 0.01 < off.max() < 0.15 and off[:, :15].max() < 1e-6 and off[:, 85:].max() < 1e-6
    np.testing.assert_allclose(off[0], off[1], atol=1e-9)
    np.testing.assert_allclose(ankles(body, turned, moved), ankles(body, R, root), atol=3e-3)
    upper = [joint for joint in range(24) if joint not in {one for leg in LEGS for one in leg.joints}]
    np.testing.assert_array_equal(turned[:, :, upper], R[:, :, upper])


def test_arms_that_hold_drive_nobody_apart(body):
    R, root = reaching_aside(body)
    everywhere = np.ones(FRAMES, dtype=bool)
    hold = HeldPlace(0, 0, 1, SPINE3, np.zeros((FRAMES, 3)), everywhere)
    off = [np.abs(move_apart(APART, body, BETAS, holds, R, root)[1] - root).max() for holds in ([], [hold])]
    assert off[1] < off[0]


def test_legs_in_legs_move_the_feet_at_all_times_alike_and_who_is_apart_stays(body):
    R, root = standing(body, 0.1)
    turned, moved = move_apart(APART, body, BETAS, [], R, root)
    assert deepest(body, turned, moved).max() < 0.013
    away = ankles(body, turned, moved) - ankles(body, R, root)
    assert np.abs(away - away[:, :1]).max() < 3e-3 and np.abs(away[..., :2]).max() > 0.03
    R, root = standing(body, 1.2)
    same = move_apart(APART, body, BETAS, [], R, root)
    np.testing.assert_array_equal(same[0], R)
    np.testing.assert_array_equal(same[1], root)
    R, root = standing(body, 0.1)
    np.testing.assert_array_equal(move_apart(Apart(0.01, 0), body, BETAS, [], R, root)[1], root)
