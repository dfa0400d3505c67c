"""The humanoid is the body; falls happen as asked, end lying on the floor, and are the same for the same seed."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from models.animation.gait_curves import procedural_standing, procedural_walking
from models.body.floor_contact import lowest_surface
from models.body.model import BodyModel, BodyShape, load_body
from models.body.subject import Subject
from models.body.tracks import body_joints
from models.errors import Rejected
from models.falls.causes import CAUSES, PlannedFall
from models.falls.controller import PhysicsConfig
from models.falls.scenes import fall_scene
from models.falls.simulation import check_fall_matches_request, landing, posture, simulate_fall
from models.geometry.transforms import R_ZUP_YUP
from models.order import CAUSE_DIRECTIONS
from models.physics.humanoid import Box
from models.types import ACTIONS, SMPL_JOINTS, Motion

PUSHED = PlannedFall("push", "forward", 1.0)


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


@pytest.fixture(scope="module")
def betas(body: BodyModel) -> np.ndarray:
    return body.betas_from_shape(BodyShape(age_years=78.0, sex=0.3, stature_m=1.66, build=0.5)).astype(np.float64)


def subject_of(body: BodyModel, betas: np.ndarray, frailty: float = 0.5) -> Subject:
    return Subject(body, betas, 78.0, "resident", 68.0, frailty=frailty)


def fall(
    body: BodyModel,
    betas: np.ndarray,
    cause: str,
    direction: str,
    seed: int,
    walking: bool = False,
    boxes: tuple[Box, ...] = (),
    recovers: bool = False,
) -> Motion:
    act = procedural_walking if walking else procedural_standing
    source = act(body, betas, 5.0, 60.0, np.random.default_rng(seed), 78.0)
    rng = np.random.default_rng(seed + 1)
    planned = PlannedFall(cause, direction, 1.0, recovers)
    return simulate_fall(subject_of(body, betas), source, planned, PhysicsConfig(), rng, boxes)


def joints_of(body: BodyModel, motion: Motion) -> np.ndarray:
    track = motion.people[0]
    return body_joints(body, track.betas, track.global_orient, track.body_pose, track.transl)


@pytest.mark.parametrize(
    ("cause", "direction", "walking"),
    [
        ("push", "forward", False),
        ("push", "left", True),
        ("slip", "backward", True),
        ("slip", "right", False),
        ("faint", "backward", False),
        ("faint", "left", False),
    ],
)
def test_falls_as_asked_and_comes_to_rest_on_the_floor(
    body: BodyModel, betas: np.ndarray, cause: str, direction: str, walking: bool
) -> None:
    motion = fall(body, betas, cause, direction, seed=5, walking=walking)
    joints, track, details = joints_of(body, motion), motion.people[0], motion.details
    onset, impact, rest = (round(details[key] * 60.0) for key in ("onset_s", "impact_s", "rest_s"))
    assert onset == 60 < impact <= rest < len(joints) - 1
    assert 0.3 < details["impact_s"] - details["onset_s"] < 1.6
    wanted = {"forward": (1, 0), "backward": (-1, 0), "left": (0, 1), "right": (0, -1)}[direction]
    moved = (joints[-1, [0, 12]] - joints[onset, [0, 12]]).mean(axis=0)[:2]
    assert moved @ wanted / np.linalg.norm(moved) > np.cos(np.radians(60.0))
    assert joints[onset, 0, 2] > 0.75 and joints[-1, 0, 2] < 0.3
    assert np.linalg.norm(joints[-1] - joints[-7], axis=-1).mean() / 0.1 < 0.025
    lowest = lowest_surface(body, betas, track.global_orient, track.body_pose, track.transl)
    assert lowest.min() > -0.03 and abs(lowest[-1]) < 0.03
    actions = motion.actions[0]
    assert (actions[:onset] == ACTIONS.index("walk" if walking else "standing")).all()
    assert (actions[onset:rest] == ACTIONS.index("fall")).all() and (actions[rest:] == ACTIONS.index("fallen")).all()
    assert (details["cause"], details["direction"]) == (cause, direction)
    # The knees of a fallen body still bend one way only, and its limbs are as long as before.
    knees = track.body_pose.reshape(-1, 23, 3)[:, SMPL_JOINTS.index("left_knee") - 1, 0]
    assert np.degrees(knees.min()) > -15.0


def test_until_the_onset_the_source_is_untouched(body: BodyModel, betas: np.ndarray) -> None:
    source = procedural_walking(body, betas, 5.0, 60.0, np.random.default_rng(5), 78.0)
    motion = fall(body, betas, "push", "left", seed=5, walking=True)
    np.testing.assert_allclose(joints_of(body, motion)[:61, :22], joints_of(body, source)[:61, :22], atol=3e-3)
    step = np.linalg.norm(np.diff(joints_of(body, motion)[55:70], axis=0), axis=-1)
    assert step.max() < 0.12, "nothing jumps when physics takes over"


def test_same_seed_same_bytes(body: BodyModel, betas: np.ndarray) -> None:
    one, two, other = (fall(body, betas, "faint", "backward", seed=seed).people[0] for seed in (2, 2, 3))
    assert one.transl.tobytes() == two.transl.tobytes() and one.body_pose.tobytes() == two.body_pose.tobytes()
    assert not np.allclose(one.transl, other.transl)


def test_furniture_holds_the_body(body: BodyModel, betas: np.ndarray) -> None:
    bed = Box("bed", np.array([-1.3, 0.0, 0.22]), np.array([1.0, 1.2, 0.22]))
    motion = fall(body, betas, "push", "backward", seed=5, boxes=(bed,))
    joints = joints_of(body, motion)
    assert 0.44 < joints[-1, 0, 2] < 0.75 and joints[-1, 0, 0] < -0.3
    assert motion.details["impact_s"] < fall(body, betas, "push", "backward", seed=5).details["impact_s"]


@pytest.mark.parametrize("cause", sorted(CAUSE_DIRECTIONS))
def test_every_cause_throws_people_within_what_is_human(body: BodyModel, betas: np.ndarray, cause: str) -> None:
    """From loss of balance to the impact of the hips 0.4 to 1.5 s, at 1.5 to 3.5 m/s, from standing; slower from
    beds."""
    motions = []
    for seed in range(3):
        direction = CAUSE_DIRECTIONS[cause][seed % len(CAUSE_DIRECTIONS[cause])]
        rng = np.random.default_rng([seed, 7])
        scene = fall_scene(subject_of(body, betas), cause, direction, "walking", 8.5, 60.0, rng)
        planned = PlannedFall(cause, direction, scene.onset_s)
        motion = simulate_fall(subject_of(body, betas), scene.source, planned, PhysicsConfig(), rng, scene.boxes)
        if not motion.details["recovered"]:
            motions.append(motion)
    assert motions
    upright = CAUSES[cause].from_posture == "upright"
    for motion in motions:
        details, joints = motion.details, joints_of(body, motion)
        falling_s = details["impact_s"] - details["onset_s"]
        assert (0.4 if upright else 0.2) < falling_s < (1.5 if upright else 3.0), (cause, details["direction"])
        assert details["impact_speed_m_s"] < 3.8
        assert joints[-1, 0, 2] < 0.45 and np.linalg.norm(joints[-1] - joints[-7], axis=-1).mean() / 0.1 < 0.025
        track = motion.people[0]
        low = lowest_surface(body, track.betas, track.global_orient, track.body_pose, track.transl)
        assert low.min() > -0.035 and low[-1] < 0.05


@pytest.mark.parametrize(("cause", "direction"), [("push", "left"), ("trip", "forward"), ("misstep", "right")])
def test_who_recovers_stands_in_the_end(body: BodyModel, betas: np.ndarray, cause: str, direction: str) -> None:
    rng = np.random.default_rng(3)
    subject = subject_of(body, betas, 0.3)
    scene = fall_scene(subject, cause, direction, "walking", 6.0, 60.0, rng)
    planned = PlannedFall(cause, direction, scene.onset_s, recovers=True)
    motion = simulate_fall(subject, scene.source, planned, PhysicsConfig(), rng)
    joints, onset = joints_of(body, motion), round(motion.details["onset_s"] * 60.0)
    assert motion.details["recovered"] and joints[-1, 0, 2] > 0.85 * joints[onset, 0, 2]
    sway = np.linalg.norm(joints[onset : onset + 90, 12, :2] - joints[onset : onset + 90, 0, :2], axis=-1).max()
    assert sway > 0.08, "the trunk is thrown before it is caught"
    labels = [ACTIONS[action] for action in motion.actions[0]]
    assert "fall" not in labels and labels[-1] == "standing" and "other" in labels
    with pytest.raises(Rejected, match="balance was restored"):
        check_fall_matches_request(motion, joints)


def test_what_came_of_it_is_told_from_the_last_pose(body: BodyModel, betas: np.ndarray) -> None:
    lying = {
        "supine": [-np.pi / 2, 0, 0],
        "prone": [np.pi / 2, 0, 0],
        "left_side": [0, 0, -np.pi / 2],
        "sitting": [0, 0, 0],
    }
    for name, tilt in lying.items():
        orient = (Rotation.from_matrix(R_ZUP_YUP) * Rotation.from_rotvec(tilt)).as_rotvec()[None]
        joints = body_joints(body, betas, orient, np.zeros((1, 69)), np.array([[0.0, 0.0, 0.6]]))[0]
        assert posture(joints) == name
    bed = Box("bed", joints[0] * [1, 1, 0] + [0.2, 0, 0.2], np.array([0.5, 0.5, 0.2]), 0.3)
    assert landing(joints, (bed,)) == "bed" and landing(joints + [2.0, 0, 0], (bed,)) == "floor"


def test_a_fall_that_has_no_time_to_rest_is_rejected(body: BodyModel, betas: np.ndarray) -> None:
    source = procedural_standing(body, betas, 1.4, 60.0, np.random.default_rng(0), 78.0)
    with pytest.raises(Rejected) as caught:
        simulate_fall(subject_of(body, betas), source, PUSHED, PhysicsConfig(), np.random.default_rng(0))
    assert str(caught.value) == "fall_without_impact: pelvis and trunk never reached a support"


def test_deep_penetration_is_rejected(body: BodyModel, betas: np.ndarray) -> None:
    source = procedural_standing(body, betas, 3.0, 60.0, np.random.default_rng(0), 78.0)
    config = PhysicsConfig(penetration_m=1e-5)
    with pytest.raises(Rejected, match="simulation_penetrates"):
        simulate_fall(subject_of(body, betas), source, PUSHED, config, np.random.default_rng(0))
