"""Every look-alike does what its name says, no faster than people do it, on the floor or the furniture and not in
it."""

from itertools import pairwise

import mujoco
import numpy as np
import pytest

from models.body.floor_contact import lowest_surface
from models.body.model import BodyModel, BodyShape, load_body
from models.body.subject import Subject
from models.body.tracks import body_joints
from models.falls.look_alikes import LOOK_ALIKES, look_alike
from models.physics.humanoid import build_humanoid
from models.types import ACTIONS, SMPL_JOINTS, Motion

FPS = 60.0
LABELS = {
    "sit_down": [["standing", "sit_down", "sitting"]],
    "lie_down_bed": [["standing", "sit_down", "sitting", "lie_down", "lying"]],
    "lie_down_floor": [["standing", "kneel_down", "lie_down", "lying"]],
    "kneel": [
        ["standing", "kneel_down", "kneeling"],
        ["standing", "kneel_down", "kneeling", "stand_up", "standing"],
    ],
    "squat": [["standing", "squat_down", "squatting", "stand_up", "standing"]],
    "pick_up": [["standing", "other", "standing"]],
    "stand_up": [["sitting", "stand_up", "standing"]],
    "sit": [["sitting"]],
    "lie": [["lying"]],
    "crawl": [["crawl"]],
    "bed_exercise": [["lying"]],
    "get_up_from_floor": [["lying", "stand_up", "standing"]],
}


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


def betas_of(body: BodyModel, age: float) -> np.ndarray:
    shape = BodyShape(age_years=age, sex=0.4, stature_m=1.66, build=0.5)
    return body.betas_from_shape(shape).astype(np.float64)


def subject_of(body: BodyModel, age: float, role: str) -> Subject:
    return Subject(body, betas_of(body, age), age, role)


def joints_of(body: BodyModel, motion: Motion) -> np.ndarray:
    track = motion.people[0]
    return body_joints(body, track.betas, track.global_orient, track.body_pose, track.transl)


def planted_speed(joints: np.ndarray, motion: Motion) -> float:
    """Mean speed over the floor of flat feet, while nothing is done that moves them, m/s."""
    labels = np.array([ACTIONS[action] for action in motion.actions[0]])
    still = np.isin(labels, ["standing", "squat_down", "squatting", "other", "sit_down", "sitting"])
    speeds = []
    for side in ("left", "right"):
        ankle, ball = (joints[:, SMPL_JOINTS.index(f"{side}_{joint}")] for joint in ("ankle", "foot"))
        speed = np.linalg.norm(np.gradient(ankle[:, :2], 1.0 / FPS, axis=0), axis=-1)
        speeds.append(speed[still & (ankle[:, 2] < 0.11) & (ball[:, 2] < 0.06)])
    flat = np.concatenate(speeds)
    return float(flat.mean()) if len(flat) else 0.0


@pytest.mark.parametrize("age", [30.0, 85.0])
@pytest.mark.parametrize("kind", sorted(LOOK_ALIKES))
def test_every_kind_is_done_as_people_do_it(body: BodyModel, kind: str, age: float) -> None:
    motion = look_alike(subject_of(body, age, "resident"), kind, FPS, np.random.default_rng(0))
    track, joints = motion.people[0], joints_of(body, motion)
    labels = [ACTIONS[action] for action in motion.actions[0]]
    assert [labels[0], *(b for a, b in pairwise(labels) if a != b)] in LABELS[kind]
    assert 3.9 <= len(labels) / FPS <= 9.0 and motion.actions.shape == (1, len(track.transl))
    low = lowest_surface(body, track.betas, track.global_orient, track.body_pose, track.transl)
    tops = [piece["height_m"] for piece in motion.details["furniture"] if piece["label"] == "bed"]
    assert low.min() > -0.03 and low.max() < max([0.0, *tops]) + 0.06
    sinking = -np.gradient(joints[:, 0, 2], 1.0 / FPS).min()
    assert sinking < 1.2, "slower than a fall"
    assert planted_speed(joints, motion) < 0.05
    jerk = np.linalg.norm(np.diff(joints[:, :22], 3, axis=0), axis=-1) * FPS**3
    assert jerk.mean() < 150.0, "m/s^3; who falls reaches thousands at the impact"
    knees = track.body_pose.reshape(-1, 23, 3)[:, [SMPL_JOINTS.index(f"{s}_knee") - 1 for s in ("left", "right")], 0]
    assert np.degrees(knees.min()) > -5.0
    pelvis = joints[:, 0, 2]
    if labels[0] == "standing":
        assert pelvis[0] > 0.75
    if labels[-1] in ("lying", "crawl") and not tops:
        assert pelvis[-1] < 0.6
    if labels[-1] == "standing":
        assert pelvis[-1] > 0.75 and (joints[-1, 12] - joints[-1, 0])[2] > 0.3


@pytest.mark.parametrize("kind", ["sit", "lie"])
def test_who_rests_is_at_rest(body: BodyModel, kind: str) -> None:
    motion = look_alike(subject_of(body, 75.0, "resident"), kind, FPS, np.random.default_rng(1))
    speed = np.linalg.norm(np.gradient(joints_of(body, motion), 1.0 / FPS, axis=0), axis=-1)
    assert speed[30:].mean() < 0.02 and (kind == "sit" or speed[30:].max() < 0.02)


@pytest.mark.parametrize("kind", ["squat", "get_up_from_floor", "stand_up"])
def test_who_stands_has_the_weight_over_the_feet(body: BodyModel, kind: str) -> None:
    betas = betas_of(body, 70.0)
    motion = look_alike(Subject(body, betas, 70.0, "resident"), kind, FPS, np.random.default_rng(2))
    track, joints = motion.people[0], joints_of(body, motion)
    humanoid = build_humanoid(body, betas, 70.0, 0.004)
    data = mujoco.MjData(humanoid.model)
    qpos = humanoid.qpos_from_pose(track.global_orient, track.body_pose, track.transl)
    standing = np.flatnonzero(motion.actions[0] == ACTIONS.index("standing"))
    for frame in standing[::10]:
        data.qpos[:] = qpos[frame]
        mujoco.mj_kinematics(humanoid.model, data)
        mujoco.mj_comPos(humanoid.model, data)
        feet = [SMPL_JOINTS.index(f"{s}_{j}") for s in ("left", "right") for j in ("ankle", "foot")]
        away = data.subtree_com[humanoid.model.body("pelvis").id, :2] - joints[frame, feet, :2].mean(axis=0)
        assert np.linalg.norm(away) < 0.10


def test_crawling_leads_on_and_old_people_are_slower(body: BodyModel) -> None:
    betas = betas_of(body, 60.0)
    crawl = look_alike(Subject(body, betas, 60.0, "resident"), "crawl", FPS, np.random.default_rng(3))
    assert np.linalg.norm((joints_of(body, crawl)[-1, 0] - joints_of(body, crawl)[0, 0])[:2]) > 0.4
    young, old = (
        look_alike(Subject(body, betas, age, "resident"), "squat", FPS, np.random.default_rng(3))
        for age in (25.0, 90.0)
    )
    assert len(old.timestamps_s) > 1.2 * len(young.timestamps_s)
    assert joints_of(body, old)[:, 0, 2].min() > joints_of(body, young)[:, 0, 2].min() + 0.05


def test_chance_gives_both_sides_and_furniture_is_told(body: BodyModel) -> None:
    betas = betas_of(body, 60.0)
    kneels = [
        look_alike(Subject(body, betas, 60.0, "carer"), "kneel", 30.0, np.random.default_rng(seed)) for seed in range(6)
    ]
    assert {motion.details["side"] for motion in kneels} == {"left", "right"}
    assert all(motion.people[0].role == "carer" for motion in kneels)
    sits = look_alike(Subject(body, betas, 60.0, "carer"), "sit", 30.0, np.random.default_rng(0))
    seat, back = sits.details["furniture"]
    assert seat["label"] == back["label"] == "chair" and 0.3 < seat["height_m"] < 0.52 < back["height_m"]
    assert sits.details["kind"] == "sit" and sits.source == "physics"


def test_same_seed_same_bytes(body: BodyModel) -> None:
    betas = betas_of(body, 60.0)
    one, two, other = (
        look_alike(Subject(body, betas, 60.0, "person"), "pick_up", 30.0, np.random.default_rng(seed))
        for seed in (4, 4, 5)
    )
    assert one.people[0].body_pose.tobytes() == two.people[0].body_pose.tobytes()
    assert one.people[0].transl.tobytes() == two.people[0].transl.tobytes() and one.details == two.details
    assert one.people[0].transl.shape != other.people[0].transl.shape or not np.allclose(
        one.people[0].transl, other.people[0].transl
    )
