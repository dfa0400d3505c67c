"""People come to stand on z = 0: planted soles touch it, jumps stay jumps, nothing sinks."""

import numpy as np
import pytest

from models.body.floor_contact import sole_points, stand_on_floor, surface_heights
from models.body.model import BodyModel, load_body
from models.body.tracks import rest_joints_of
from models.body.two_bone_ik import LEGS
from models.geometry.transforms import R_ZUP_YUP, axis_angle_from_matrix, matrix_from_axis_angle
from models.types import SMPL_JOINTS

FPS, FRAMES = 20.0, 60


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


def standing(body: BodyModel, height: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Someone with slightly bent knees, `height` metres above where the pelvis would be at zero: turns, pelvis,
    ankles."""
    turns = np.zeros((len(height), 24, 3))
    for hip, knee, ankle in (leg.joints for leg in LEGS):
        turns[:, hip, 0], turns[:, knee, 0], turns[:, ankle, 0] = -0.2, 0.4, -0.2
    local = matrix_from_axis_angle(turns)
    local[:, 0] = R_ZUP_YUP
    pelvis = np.zeros((len(height), 3))
    pelvis[:, 2] = height
    rest, ankles = rest_joints_of(body, np.zeros(10)), []
    for hip, knee, ankle in (leg.joints for leg in LEGS):
        thigh = R_ZUP_YUP @ local[0, hip]
        way = R_ZUP_YUP @ (rest[hip] - rest[0]) + thigh @ (rest[knee] - rest[hip])
        ankles.append(pelvis + way + thigh @ local[0, knee] @ (rest[ankle] - rest[knee]))
    return local, pelvis, ankles


def soles(body: BodyModel, local: np.ndarray, transl: np.ndarray) -> np.ndarray:
    vectors = axis_angle_from_matrix(local)
    heights = surface_heights(body, np.zeros(10), vectors[:, 0], vectors[:, 1:].reshape(-1, 69), transl)
    return np.stack([heights[:, points].min(axis=1) for points in sole_points(body)], axis=1)


def test_planted_soles_touch_the_floor_each_by_its_own_leg(body: BodyModel) -> None:
    local, pelvis, ankles = standing(body, np.full(FRAMES, 3.0))
    ankles[0] = ankles[0] + [0.0, 0.0, 0.02]
    planted = np.ones((FRAMES, 2), dtype=bool)
    turned, transl = stand_on_floor(body, np.zeros(10), local, pelvis, ankles, planted, FPS)
    np.testing.assert_allclose(soles(body, turned, transl), 0.0, atol=2e-3)
    assert not np.allclose(turned[:, SMPL_JOINTS.index("left_knee")], turned[:, SMPL_JOINTS.index("right_knee")])
    others = [joint for joint in range(24) if joint not in np.ravel([leg.joints for leg in LEGS])]
    np.testing.assert_array_equal(turned[:, others], local[:, others])
    np.testing.assert_allclose(transl[:, :2], (pelvis - rest_joints_of(body, np.zeros(10))[0])[:, :2], atol=1e-12)


def test_a_jump_stays_a_jump(body: BodyModel) -> None:
    air = np.clip(np.sin(np.linspace(-np.pi, 2.0 * np.pi, FRAMES)), 0.0, None) * 0.4
    local, pelvis, ankles = standing(body, 1.0 + air)
    planted = np.tile((air == 0.0)[:, None], (1, 2))
    turned, transl = stand_on_floor(body, np.zeros(10), local, pelvis, ankles, planted, FPS)
    np.testing.assert_allclose(soles(body, turned, transl), np.stack([air, air], axis=1), atol=5e-3)


def test_a_foot_in_the_air_goes_with_the_body(body: BodyModel) -> None:
    local, pelvis, ankles = standing(body, np.full(FRAMES, 1.0))
    up = np.where(np.arange(FRAMES) < 10, 0.03, 0.3)[:, None] * [0.0, 0.0, 1.0]
    ankles[1] = ankles[1] + up
    planted = np.stack([np.ones(FRAMES, dtype=bool), np.arange(FRAMES) < 10], axis=1)
    turned, transl = stand_on_floor(body, np.zeros(10), local, pelvis, ankles, planted, FPS)
    heights = soles(body, turned, transl)
    np.testing.assert_allclose(heights[:8], 0.0, atol=3e-3)
    # On the floor the right leg took up 3 cm; in the air it has forgotten them.
    np.testing.assert_allclose(heights[25:, 1] - heights[25:, 0], 0.3, atol=3e-3)


def test_a_foot_that_sinks_for_a_moment_rises_about_then(body: BodyModel) -> None:
    local, pelvis, ankles = standing(body, np.full(FRAMES, 1.0))
    dip = np.where(np.isin(np.arange(FRAMES), (30, 31)), -0.05, 0.0)[:, None] * [0.0, 0.0, 1.0]
    ankles[1] = ankles[1] + dip
    planted = np.tile([True, False], (FRAMES, 1))
    turned, transl = stand_on_floor(body, np.zeros(10), local, pelvis, ankles, planted, FPS)
    right = soles(body, turned, transl)[:, 1]
    assert right.min() > -3e-3
    assert np.abs(np.delete(right, np.arange(28, 34))).max() < 6e-3


def test_who_never_stands_and_who_sinks_is_lifted(body: BodyModel) -> None:
    sinking = np.linspace(0.0, -0.3, FRAMES)
    local, pelvis, ankles = standing(body, 1.0 + sinking)
    planted = np.zeros((FRAMES, 2), dtype=bool)
    planted[:5] = True
    turned, transl = stand_on_floor(body, np.zeros(10), local, pelvis, ankles, planted, FPS)
    assert soles(body, turned, transl).min() > -1e-3
    turned, transl = stand_on_floor(body, np.zeros(10), local, pelvis, ankles, np.zeros_like(planted), FPS)
    lowest = soles(body, turned, transl).min(axis=1)
    assert lowest.min() > -1e-3 and lowest.max() > 0.2, (
        "the floor is where the lowest skin usually is: the lowest tenth"
    )
