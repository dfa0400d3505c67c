"""The humanoid follows what a body can do, holds still, is held by furniture, and refuses what no body does."""

from dataclasses import replace

import numpy as np
import pytest

from models.animation.floor_transitions import FEET, key
from models.animation.keyframes import perform
from models.animation.postures import Posture, squatting, standing, supine
from models.body.floor_contact import lowest_surface
from models.body.model import BodyModel, BodyShape, load_body
from models.body.tracks import body_joints
from models.errors import Rejected
from models.physics.humanoid import Box, build_humanoid
from models.physics.tracking import TrackingConfig, substeps_of, track_motion
from models.types import SMPL_JOINTS, PersonTrack

FPS = 60.0


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


@pytest.fixture(scope="module")
def betas(body: BodyModel) -> np.ndarray:
    return body.betas_from_shape(BodyShape(age_years=70.0, stature_m=1.68)).astype(np.float64)


def humanoid_of(body: BodyModel, betas: np.ndarray, boxes: tuple[Box, ...] = ()):
    return build_humanoid(body, betas, 68.0, 1.0 / FPS / substeps_of(FPS), boxes)


def wanted(body: BodyModel, betas: np.ndarray, *postures: Posture, sway: float = 0.0) -> PersonTrack:
    """From posture to posture in a second each, feet planted."""
    keys = [
        key(posture, 1.0, 0.5, "other", planted=FEET if posture.lean > -45.0 else (), balanced=posture.lean > -45.0)
        for posture in postures
    ]
    done = perform(body, humanoid_of(body, betas), betas, keys, FPS, sway, np.random.default_rng(0))
    seen = np.ones(len(done.transl), dtype=bool)
    return PersonTrack(
        "p", "person", betas, done.global_orient, done.body_pose, done.transl, seen, np.ones(len(done.transl))
    )


def joints_of(body: BodyModel, track: PersonTrack) -> np.ndarray:
    return body_joints(body, track.betas, track.global_orient, track.body_pose, track.transl)


def test_a_squat_is_followed_on_planted_feet(body: BodyModel, betas: np.ndarray) -> None:
    source = wanted(body, betas, standing(0.3), squatting(0.5), standing(0.3))
    track = track_motion(humanoid_of(body, betas), source, FPS, TrackingConfig())
    joints, before = joints_of(body, track), joints_of(body, source)
    assert len(track.transl) == len(source.transl)
    assert np.linalg.norm(joints - before, axis=-1).mean() < 0.03
    low = lowest_surface(body, betas, track.global_orient, track.body_pose, track.transl)
    assert low.min() > -0.01 and low.max() < 0.01
    ankles = joints[:, [SMPL_JOINTS.index("left_ankle"), SMPL_JOINTS.index("right_ankle")]]
    assert np.linalg.norm(np.diff(ankles, axis=0), axis=-1).mean() * FPS < 0.01


def test_who_lies_lies_still(body: BodyModel, betas: np.ndarray) -> None:
    track = track_motion(humanoid_of(body, betas), wanted(body, betas, supine(), supine()), FPS, TrackingConfig())
    speed = np.linalg.norm(np.gradient(joints_of(body, track), 1.0 / FPS, axis=0), axis=-1)
    assert speed[30:].max() < 0.02 and speed.mean() < 0.005


def test_the_residual_force_does_not_carry_the_body(body: BodyModel, betas: np.ndarray) -> None:
    """A motion half a metre over the floor is refused: nothing holds the body up there."""
    source = wanted(body, betas, supine(), supine())
    source = replace(source, transl=source.transl + np.array([0.0, 0.0, 0.5]))
    with pytest.raises(Rejected) as caught:
        track_motion(humanoid_of(body, betas), source, FPS, TrackingConfig())
    assert caught.value.reason == "simulation_strays"


def test_a_bed_carries(body: BodyModel, betas: np.ndarray) -> None:
    bed = Box("bed", np.array([0.0, 0.0, 0.25]), np.array([1.2, 0.6, 0.25]))
    source = wanted(body, betas, supine(), supine())
    source = replace(source, transl=source.transl + np.array([0.0, 0.0, 0.5]))
    track = track_motion(humanoid_of(body, betas, (bed,)), source, FPS, TrackingConfig())
    low = lowest_surface(body, betas, track.global_orient, track.body_pose, track.transl)
    assert 0.48 < low.min() and low.max() < 0.53


def test_without_time_to_settle_the_first_pose_is_kept(body: BodyModel, betas: np.ndarray) -> None:
    source = wanted(body, betas, standing(0.0), squatting(0.2))
    track = track_motion(humanoid_of(body, betas), source, FPS, TrackingConfig(settle_s=0.0))
    np.testing.assert_allclose(joints_of(body, track)[0], joints_of(body, source)[0], atol=2e-3)


def test_deep_penetration_is_rejected(body: BodyModel, betas: np.ndarray) -> None:
    source = wanted(body, betas, standing(0.0), squatting(0.2))
    with pytest.raises(Rejected) as caught:
        track_motion(humanoid_of(body, betas), source, FPS, TrackingConfig(penetration_m=1e-6))
    assert caught.value.reason == "simulation_penetrates"


def test_the_same_humanoid_does_the_same_twice(body: BodyModel, betas: np.ndarray) -> None:
    humanoid, source = humanoid_of(body, betas), wanted(body, betas, standing(0.3), squatting(0.5))
    one, two = (track_motion(humanoid, source, FPS, TrackingConfig()) for _ in range(2))
    assert one.transl.tobytes() == two.transl.tobytes() and one.body_pose.tobytes() == two.body_pose.tobytes()
