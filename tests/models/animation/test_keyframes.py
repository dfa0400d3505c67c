"""Key frames: minimum-jerk courses, poses met, feet that stay, weight over the feet, mirrors, the same for the same
seed."""

import itertools
from dataclasses import replace

import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from models.animation.floor_transitions import FEET, down_to_a_knee, key, upright
from models.animation.keyframes import Performance, mirrored_key, perform
from models.animation.postures import kneeling, squatting, standing, supine
from models.body.floor_contact import lowest_surface
from models.body.model import BodyModel, BodyShape, load_body
from models.body.tracks import body_joints
from models.physics.humanoid import Humanoid, build_humanoid
from models.types import ACTIONS, SMPL_JOINTS

FPS = 60.0
LEFT_ANKLE, RIGHT_ANKLE = (SMPL_JOINTS.index(f"{side}_ankle") for side in ("left", "right"))


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


@pytest.fixture(scope="module")
def betas(body: BodyModel) -> np.ndarray:
    return body.betas_from_shape(BodyShape(age_years=70.0, stature_m=1.68)).astype(np.float64)


@pytest.fixture(scope="module")
def humanoid(body: BodyModel, betas: np.ndarray) -> Humanoid:
    return build_humanoid(body, betas, 68.0, 0.004)


def squat(body: BodyModel, humanoid: Humanoid, betas: np.ndarray, seed: int = 0, sway: float = 1.0) -> Performance:
    stands = standing(0.3)
    keys = [
        key(stands, 0.0, 0.4, "standing", planted=FEET, balanced=True),
        key(squatting(0.6), 1.2, 0.6, "squat_down", "squatting", planted=FEET, balanced=True),
        key(stands, 1.4, 0.4, "stand_up", "standing", planted=FEET, balanced=True),
    ]
    return perform(body, humanoid, betas, keys, FPS, sway, np.random.default_rng(seed))


def joints_of(body: BodyModel, betas: np.ndarray, done: Performance) -> np.ndarray:
    return body_joints(body, betas, done.global_orient, done.body_pose, done.transl)


def test_feet_stay_and_weight_is_over_them(body: BodyModel, humanoid: Humanoid, betas: np.ndarray) -> None:
    done = squat(body, humanoid, betas)
    joints = joints_of(body, betas, done)
    for ankle in (LEFT_ANKLE, RIGHT_ANKLE):
        assert np.linalg.norm(joints[:, ankle] - joints[0, ankle], axis=-1).max() < 0.01
    low = lowest_surface(body, betas, done.global_orient, done.body_pose, done.transl)
    assert np.abs(low).max() < 0.01
    pelvis = joints[:, 0, 2]
    assert pelvis.min() < 0.7 * pelvis[0] and abs(pelvis[-1] - pelvis[0]) < 0.02
    qpos = humanoid.qpos_from_pose(done.global_orient, done.body_pose, done.transl)
    feet = joints[:, [SMPL_JOINTS.index(f"{s}_{j}") for s in ("left", "right") for j in ("ankle", "foot")], :2]
    assert np.linalg.norm(centre_of_mass(humanoid, qpos) - feet.mean(axis=1), axis=-1).max() < 0.05


def centre_of_mass(humanoid: Humanoid, qpos: np.ndarray) -> np.ndarray:
    data = mujoco.MjData(humanoid.model)
    places = []
    for row in qpos:
        data.qpos[:] = row
        mujoco.mj_kinematics(humanoid.model, data)
        mujoco.mj_comPos(humanoid.model, data)
        places.append(data.subtree_com[humanoid.model.body("pelvis").id, :2].copy())
    return np.array(places)


def test_labels_follow_the_keys(body: BodyModel, humanoid: Humanoid, betas: np.ndarray) -> None:
    actions = [ACTIONS[action] for action in squat(body, humanoid, betas).actions]
    changes = [actions[0]] + [b for a, b in itertools.pairwise(actions) if a != b]
    assert changes == ["standing", "squat_down", "squatting", "stand_up", "standing"]
    assert actions.index("squat_down") == pytest.approx(0.4 * FPS, abs=1)
    assert actions.index("squatting") == pytest.approx(1.6 * FPS, abs=1)


def test_poses_are_met_at_their_times(body: BodyModel, humanoid: Humanoid, betas: np.ndarray) -> None:
    keys = [key(supine(), 0.0, 0.5, "lying"), key(replace(supine(), arms=(90.0, 90.0)), 1.0, 0.5, "lying")]
    done = perform(body, humanoid, betas, keys, FPS, 0.0, np.random.default_rng(0))
    shoulder = slice(3 * SMPL_JOINTS.index("left_shoulder") - 3, 3 * SMPL_JOINTS.index("left_shoulder"))
    for frame, wanted in ((10, keys[0]), (-5, keys[1])):
        away = Rotation.from_rotvec(done.body_pose[frame, shoulder]).inv() * Rotation.from_rotvec(wanted.pose[shoulder])
        assert away.magnitude() < 1e-3


def test_movements_without_a_hold_flow(body: BodyModel, humanoid: Humanoid, betas: np.ndarray) -> None:
    """On the way to one knee the pelvis does not stop at the lunge between."""
    _, first = upright(0.3, 0.4, np.random.default_rng(0))
    done = perform(body, humanoid, betas, [first, *down_to_a_knee(0.3)], FPS, 0.0, np.random.default_rng(0))
    pelvis = joints_of(body, betas, done)[:, 0, 2]
    speed = -np.gradient(pelvis, 1.0 / FPS)
    at_lunge = round(1.4 * FPS)
    assert speed[at_lunge] > 0.1 and pelvis[0] - pelvis[-1] > 0.3


def test_a_mirrored_key_mirrors_the_body(body: BodyModel, humanoid: Humanoid, betas: np.ndarray) -> None:
    one_sided = replace(kneeling(0.2), twist=20.0, arms=(60.0, 5.0))
    keys = [key(one_sided, 0.0, 0.3, "kneeling", heading=0.4, planted=("left_foot",))]
    done = perform(body, humanoid, betas, keys, FPS, 0.0, np.random.default_rng(0))
    other = perform(body, humanoid, betas, [mirrored_key(keys[0])], FPS, 0.0, np.random.default_rng(0))
    assert mirrored_key(keys[0]).planted == ("right_foot",)
    one, two = (joints_of(body, betas, each)[0] for each in (done, other))
    wrists = [SMPL_JOINTS.index(f"{side}_wrist") for side in ("left", "right")]
    np.testing.assert_allclose(one[wrists] * [1.0, -1.0, 1.0], two[wrists[::-1]], atol=5e-3)


def test_same_seed_same_bytes(body: BodyModel, humanoid: Humanoid, betas: np.ndarray) -> None:
    one, two, other = (squat(body, humanoid, betas, seed) for seed in (1, 1, 2))
    assert one.body_pose.tobytes() == two.body_pose.tobytes() and one.transl.tobytes() == two.transl.tobytes()
    assert not np.allclose(one.body_pose, other.body_pose)
