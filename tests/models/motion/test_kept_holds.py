"""Palms on somebody stay on them: where they were, on the skin, whoever has been moved."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial import KDTree

from models.body.kinematics import forward_kinematics_numpy
from models.body.model import load_body
from models.body.tracks import rest_joints_of
from models.geometry.transforms import R_ZUP_YUP, matrix_from_axis_angle
from models.motion.holding import palms_of
from models.motion.kept_holds import Meant, held_places, keep_holds
from models.types import SMPL_JOINTS

FRAMES, OFF_SKIN_M = 60, 0.02
BETAS = np.zeros((2, 10))
SPINE3, LEFT_ELBOW, LEFT_SHOULDER = (SMPL_JOINTS.index(name) for name in ("spine3", "left_elbow", "left_shoulder"))


@pytest.fixture(scope="module")
def body():
    return load_body()


def standing_hold(body):
    """Two people who face +x, one behind the other, whose left palm is on the other's back: rest, R, root."""
    rest = np.stack([rest_joints_of(body, betas) for betas in BETAS])
    R = np.tile(np.eye(3), (2, FRAMES, 24, 1, 1))
    R[:, :, 0] = R_ZUP_YUP
    for side, sign in (("left", 1.0), ("right", -1.0)):
        R[:, :, SMPL_JOINTS.index(f"{side}_shoulder")] = matrix_from_axis_angle(np.array([0.0, 0.0, -1.2 * sign]))
    # Forwards, a little down, the elbow bent.
    forwards = matrix_from_axis_angle(np.array([0.0, -1.2, 0.0])) @ matrix_from_axis_angle(np.array([0.0, 0.0, -0.4]))
    R[0, :, LEFT_SHOULDER] = forwards
    R[0, :, LEFT_ELBOW] = matrix_from_axis_angle(np.array([0.0, -1.1, 0.0]))
    root = np.zeros((2, FRAMES, 3))
    root[:, :, 2] = 0.9
    palm = palm_of(rest, R, root)
    _, places = forward_kinematics_numpy(rest[1], R[1], root[1])
    root[1, :, :2] += palm[0, :2] - places[0, SPINE3, :2] + np.array([0.4, 0.0])
    while skin_gap(body, rest, R, root, moments=[0])[0] > 0.014:
        root[1, :, 0] -= 0.004
    return rest, R, root


def palm_of(rest, R, root):
    _, places = forward_kinematics_numpy(rest[0], R[0], root[0])
    return palms_of(torch.as_tensor(places[:, :22]))[:, 0].numpy()


def skin_gap(body, rest, R, root, moments=range(0, FRAMES, 10)):
    """Metres from the first one's left palm to the nearest vertex of the second one."""
    palm, found = palm_of(rest, R, root), []
    for moment in moments:
        turns = torch.as_tensor(R[1, moment], dtype=torch.float32)[None]
        transl = torch.as_tensor(root[1, moment] - rest[1, 0], dtype=torch.float32)[None]
        vertices = body.posed(torch.zeros(1, 10), turns[:, 0], turns[:, 1:], transl).vertices[0].numpy()
        found.append(KDTree(vertices).query(palm[moment])[0])
    return np.array(found)


def test_a_hold_is_found_and_where_it_is(body):
    rest, R, root = standing_hold(body)
    holds = held_places(rest, R, root)
    assert [(hold.holder, hold.hand, hold.held) for hold in holds] == [(0, 0, 1)] and holds[0].on.all()
    assert SMPL_JOINTS[holds[0].joint].startswith("spine")
    rotations, places = forward_kinematics_numpy(rest[1], R[1], root[1])
    at = places[:, holds[0].joint] + (rotations[:, holds[0].joint] @ holds[0].place[..., None])[..., 0]
    np.testing.assert_allclose(at, palm_of(rest, R, root), atol=1e-9)


def test_touches_of_less_than_half_a_second_and_hanging_arms_hold_nothing(body):
    rest, R, root = standing_hold(body)
    away = root.copy()
    away[1, 8:, 0] += 0.5
    assert held_places(rest, R, away) == []
    away[1, 8:14, 0] -= 0.5
    assert len(held_places(rest, R, away)) == 1, "long enough"
    hanging = R.copy()
    hanging[0, :, LEFT_SHOULDER] = matrix_from_axis_angle(np.array([0.0, 0.0, -1.4]))
    hanging[0, :, LEFT_ELBOW] = np.eye(3)
    beside = root.copy()
    beside[1] = beside[0] + np.array([0.0, 0.35, 0.0])
    assert held_places(rest, hanging, beside) == []
    assert held_places(rest[:1], R[:1], root[:1]) == []


@pytest.mark.parametrize("shift", [(0.05, 0.0, 0.0), (-0.06, 0.03, 0.0), (0.0, 0.0, -0.06)])
def test_who_is_moved_is_still_held_in_the_same_place(body, shift):
    rest, R, root = standing_hold(body)
    holds = held_places(rest, R, root)
    moved = root.copy()
    moved[1] += np.array(shift)
    kept = keep_holds(body, BETAS, OFF_SKIN_M, holds, R, moved)
    wanted = palm_of(rest, R, root) + np.array(shift)
    np.testing.assert_allclose(palm_of(rest, kept, moved), wanted, atol=0.012)
    assert skin_gap(body, rest, kept, moved).max() < 0.03
    others = [joint for joint in range(24) if joint not in (LEFT_SHOULDER, LEFT_ELBOW, SMPL_JOINTS.index("left_wrist"))]
    np.testing.assert_array_equal(kept[0][:, others], R[0][:, others])
    np.testing.assert_array_equal(kept[1], R[1])


def test_a_hand_near_the_skin_is_brought_onto_it(body):
    rest, R, root = standing_hold(body)
    root[1, :, 0] += 0.035
    assert skin_gap(body, rest, R, root).min() > 0.04
    kept = keep_holds(body, BETAS, OFF_SKIN_M, held_places(rest, R, root), R, root)
    assert skin_gap(body, rest, kept, root).max() < 0.03


def test_a_hand_that_is_meant_to_hold_is_brought_there_from_farther(body):
    rest, R, root = standing_hold(body)
    R[0, :, LEFT_ELBOW] = matrix_from_axis_angle(np.array([0.0, -1.7, 0.0]))
    holding = np.zeros((2, FRAMES, 2), dtype=bool)
    holding[0, :, 0] = True
    assert held_places(rest, R, root) == [] and held_places(rest, R, root, Meant(np.roll(holding, 1, 2), 0.25)) == []
    assert held_places(rest, R, root, Meant(holding, 0.06)) == [], "out of reach"
    holds = held_places(rest, R, root, Meant(holding, 0.25))
    assert [(hold.holder, hold.hand, hold.held) for hold in holds] == [(0, 0, 1)]
    assert skin_gap(body, rest, R, root).min() > 0.1
    assert skin_gap(body, rest, keep_holds(body, BETAS, OFF_SKIN_M, holds, R, root), root).max() < 0.03


def test_an_arm_comes_and_goes_smoothly(body):
    """Held for the middle second only: away from it the arm does what it did."""
    rest, R, root = standing_hold(body)
    hold = held_places(rest, R, root)[0]
    on = np.zeros(FRAMES, dtype=bool)
    on[20:40] = True
    moved = root.copy()
    moved[1, :, 0] += 0.05
    kept = keep_holds(body, BETAS, OFF_SKIN_M, [replace(hold, on=on)], R, moved)
    np.testing.assert_array_equal(kept[0, :13], R[0, :13])
    np.testing.assert_array_equal(kept[0, 47:], R[0, 47:])
    assert skin_gap(body, rest, kept, moved, moments=[25, 30, 35]).max() < 0.03
    speed = np.linalg.norm(np.diff(palm_of(rest, kept, moved), axis=0), axis=-1) * 20.0
    assert speed.max() < 0.5
