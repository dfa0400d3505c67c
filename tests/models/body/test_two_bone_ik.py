"""Legs and arms reach their goals, keep bones, hinges, feet and hands, and stop where they are straight."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from models.animation.postures import squatting
from models.body.kinematics import forward_kinematics_numpy
from models.body.model import BodyModel, BodyShape, load_body
from models.body.tracks import rest_joints_of
from models.body.two_bone_ik import ARMS, LEGS, LIMBS, reach, reach_ankles, reach_wrists
from models.geometry.transforms import matrix_from_axis_angle


@pytest.fixture(scope="module")
def rest() -> np.ndarray:
    body: BodyModel = load_body()
    return rest_joints_of(body, np.zeros(10))


@pytest.fixture
def walking(rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Thirty frames of bent legs anywhere."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(0.0, 0.3, (30, 24, 3))
    for hip, knee, _ in (leg.joints for leg in LEGS):
        vectors[:, hip, 0] -= 0.4
        vectors[:, knee] = np.array([1.0, 0.0, 0.0]) * rng.uniform(0.6, 1.2, (30, 1))
    return Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(30, 24, 3, 3), rng.normal(0.0, 1.0, (30, 3))


def test_goals_are_reached_and_the_rest_stays(rest: np.ndarray, walking: tuple[np.ndarray, np.ndarray]) -> None:
    local, pelvis = walking
    rotations, places = forward_kinematics_numpy(rest, local, pelvis)
    rng = np.random.default_rng(1)
    goals = [places[:, ankle] + rng.normal(0.0, 0.02, (30, 3)) for _, _, ankle in (leg.joints for leg in LEGS)]
    reached = reach_ankles(rest, local, pelvis, goals)
    after, there = forward_kinematics_numpy(rest, reached, pelvis)
    others = [joint for joint in range(24) if joint not in np.ravel([leg.joints for leg in LEGS])]
    np.testing.assert_array_equal(reached[:, others], local[:, others])
    for (hip, knee, ankle), goal in zip((leg.joints for leg in LEGS), goals, strict=True):
        np.testing.assert_allclose(there[:, ankle], goal, atol=1e-9)
        np.testing.assert_allclose(after[:, ankle], rotations[:, ankle], atol=1e-9)
        # The knee stays in the plane in which it bent: it moves by little more than the ankle does.
        assert np.linalg.norm(there[:, knee] - places[:, knee], axis=-1).max() < 0.15
        np.testing.assert_array_equal(there[:, hip], places[:, hip])


def test_where_the_ankles_are_nothing_changes(rest: np.ndarray, walking: tuple[np.ndarray, np.ndarray]) -> None:
    local, pelvis = walking
    _, places = forward_kinematics_numpy(rest, local, pelvis)
    again = reach_ankles(rest, local, pelvis, [places[:, ankle] for _, _, ankle in (leg.joints for leg in LEGS)])
    np.testing.assert_allclose(again, local, atol=1e-6)


def test_out_of_reach_the_leg_is_straight_and_points_there(rest: np.ndarray) -> None:
    local, pelvis = np.tile(np.eye(3), (1, 24, 1, 1)), np.zeros((1, 3))
    _, places = forward_kinematics_numpy(rest, local, pelvis)
    goals = [places[:, hip] + [[0.0, 0.0, 2.0]] for hip, _, _ in (leg.joints for leg in LEGS)]
    reached = reach_ankles(rest, local, pelvis, goals)
    _, there = forward_kinematics_numpy(rest, reached, pelvis)
    for hip, knee, ankle in (leg.joints for leg in LEGS):
        line = there[0, ankle] - there[0, hip]
        np.testing.assert_allclose(line / np.linalg.norm(line), [0.0, 0.0, 1.0], atol=1e-9)
        assert 0.995 < np.linalg.norm(line) / np.linalg.norm(rest[ankle] - rest[hip]) < 1.0
        assert np.degrees(Rotation.from_matrix(reached[0, knee]).as_rotvec()[0]) > -1.0, "knees do not bend forward"


@pytest.fixture
def waving(walking: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """The same people with elbows bent anyhow."""
    local = walking[0].copy()
    rng = np.random.default_rng(2)
    for (_, elbow, _), sign in zip((arm.joints for arm in ARMS), (-1.0, 1.0), strict=True):
        bend = np.array([0.0, sign, 0.0]) * rng.uniform(0.9, 1.8, (30, 1))
        local[:, elbow] = Rotation.from_rotvec(bend).as_matrix()
    return local


def test_wrists_are_reached_from_the_shoulders(rest: np.ndarray, waving: np.ndarray) -> None:
    rotations, places = forward_kinematics_numpy(rest, waving, np.zeros((30, 3)))
    rng = np.random.default_rng(3)
    ways = [
        places[:, wrist] - places[:, shoulder] + rng.normal(0.0, 0.02, (30, 3))
        for shoulder, _, wrist in (arm.joints for arm in ARMS)
    ]
    reached = reach_wrists(rest, waving, ways)
    after, there = forward_kinematics_numpy(rest, reached, np.zeros((30, 3)))
    others = [joint for joint in range(24) if joint not in np.ravel([arm.joints for arm in ARMS])]
    np.testing.assert_array_equal(reached[:, others], waving[:, others])
    for (shoulder, elbow, wrist), way in zip((arm.joints for arm in ARMS), ways, strict=True):
        np.testing.assert_allclose(there[:, wrist] - there[:, shoulder], way, atol=1e-9)
        np.testing.assert_allclose(after[:, wrist], rotations[:, wrist], atol=1e-9)
        assert np.linalg.norm(there[:, elbow] - places[:, elbow], axis=-1).max() < 0.15


def test_wrists_near_enough_stay_and_others_come_as_near(rest: np.ndarray, waving: np.ndarray) -> None:
    _, places = forward_kinematics_numpy(rest, waving, np.zeros((30, 3)))
    misses = np.where(np.arange(30)[:, None] < 15, [[0.012, -0.008, 0.0]], [[-0.03, 0.02, 0.02]])
    ways = [places[:, wrist] - places[:, shoulder] + misses for shoulder, _, wrist in (arm.joints for arm in ARMS)]
    reached = reach_wrists(rest, waving, ways, 0.02)
    np.testing.assert_allclose(reached[:15], waving[:15], atol=1e-6)
    _, there = forward_kinematics_numpy(rest, reached, np.zeros((30, 3)))
    for (shoulder, _, wrist), way in zip((arm.joints for arm in ARMS), ways, strict=True):
        left = np.linalg.norm(there[15:, wrist] - there[15:, shoulder] - way[15:], axis=-1)
        np.testing.assert_allclose(left, 0.02, atol=1e-9)


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


@pytest.fixture(scope="module")
def betas(body: BodyModel) -> np.ndarray:
    return body.betas_from_shape(BodyShape(age_years=70.0, stature_m=1.68)).astype(np.float64)


def test_a_limb_reaches_and_keeps_its_plane(body: BodyModel, betas: np.ndarray) -> None:
    rest = rest_joints_of(body, betas)
    local = np.tile(np.eye(3), (5, 24, 1, 1))
    local[:, 1:] = matrix_from_axis_angle(np.tile(squatting(0.5).body_pose.reshape(23, 3), (5, 1, 1)))
    pelvis = np.zeros((5, 3))
    limb = LIMBS["left_foot"]
    rotations, positions = forward_kinematics_numpy(rest, local, pelvis)
    target = positions[:, limb.end] + np.linspace(0.0, 0.15, 5)[:, None] * [0.3, -1.0, 0.2]
    reach(rest, local, (rotations, positions), limb, target, rotations[:, limb.end])
    again, moved = forward_kinematics_numpy(rest, local, pelvis)
    np.testing.assert_allclose(moved[:, limb.end], target, atol=1e-6)
    np.testing.assert_allclose(again[:, limb.end], rotations[:, limb.end], atol=1e-6)
    flexion = Rotation.from_matrix(local[:, limb.middle]).as_rotvec()
    assert (flexion[:, 0] > 0.0).all() and (np.diff(flexion[:, 0]) < 0.0).all(), "the knee opens as the foot goes down"
    np.testing.assert_allclose(
        local[0, limb.upper], matrix_from_axis_angle(squatting(0.5).body_pose.reshape(23, 3)[limb.upper - 1]), atol=1e-6
    )
