"""What follows a fall begins exactly where it ended, moves like a person, and ends as its name says."""

from itertools import pairwise

import numpy as np
import pytest

from models.animation.floor_transitions import key
from models.animation.gait_curves import procedural_standing
from models.animation.keyframes import mirrored_key, perform
from models.animation.postures import on_side
from models.body.floor_contact import lowest_surface
from models.body.model import BodyModel, BodyShape, load_body
from models.body.subject import Subject
from models.body.tracks import body_joints
from models.errors import Rejected
from models.falls.aftermath import aftermath
from models.falls.causes import PlannedFall
from models.falls.controller import PhysicsConfig
from models.falls.simulation import posture, simulate_fall
from models.physics.humanoid import Box, build_humanoid
from models.physics.tracking import TrackingConfig, substeps_of, track_motion
from models.types import ACTIONS, SMPL_JOINTS, Motion, PersonTrack

FPS = 60.0
ENDS = {
    "lies_still": ["fallen"],
    "tries_to_get_up": ["fallen", "stand_up", "fallen"],
    "crawls": ["fallen", "stand_up", "crawl"],
    "gets_up": ["fallen", "stand_up", "standing"],
}


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


@pytest.fixture(scope="module")
def betas(body: BodyModel) -> np.ndarray:
    return body.betas_from_shape(BodyShape(age_years=78.0, sex=0.3, stature_m=1.66, build=0.5)).astype(np.float64)


@pytest.fixture(scope="module")
def fallen(body: BodyModel, betas: np.ndarray) -> dict[str, PersonTrack]:
    """Bodies on the floor after simulated falls, by how they went."""
    found, subject = {}, Subject(body, betas, 78.0, "person", 68.0, frailty=0.5)
    for cause, direction, seed in (("push", "forward", 0), ("slip", "backward", 1)):
        source = procedural_standing(body, betas, 5.0, FPS, np.random.default_rng(seed), 78.0)
        rng = np.random.default_rng(seed + 1)
        found[direction] = simulate_fall(
            subject, source, PlannedFall(cause, direction, 1.0), PhysicsConfig(), rng
        ).people[0]
    return found


def after(body: BodyModel, track: PersonTrack, kind: str, seconds: float, seed: int = 0, **more) -> Motion:
    subject = Subject(body, track.betas, 78.0, "resident", 68.0)
    return aftermath(subject, track, kind, seconds, FPS, np.random.default_rng(seed), **more)


def joints_of(body: BodyModel, track: PersonTrack) -> np.ndarray:
    return body_joints(body, track.betas, track.global_orient, track.body_pose, track.transl)


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("kind", sorted(ENDS))
def test_it_goes_on_from_the_fall_and_ends_as_said(
    body: BodyModel, fallen: dict[str, PersonTrack], kind: str, direction: str
) -> None:
    end, seconds = fallen[direction], 7.0 if kind in ("lies_still", "tries_to_get_up") else 12.0
    motion = after(body, end, kind, seconds)
    track, joints = motion.people[0], joints_of(body, motion.people[0])
    assert len(motion.timestamps_s) == round(seconds * FPS)
    for name in ("global_orient", "body_pose", "transl"):
        np.testing.assert_array_equal(getattr(track, name)[0], getattr(end, name)[-1])
    steps = np.linalg.norm(np.diff(joints, axis=0), axis=-1)
    assert steps[:12].max() < 0.015 and steps.max() < 0.08, "nothing jumps"
    low = lowest_surface(body, track.betas, track.global_orient, track.body_pose, track.transl)
    assert low.min() > -0.03 and low.max() < 0.06
    labels = [ACTIONS[action] for action in motion.actions[0]]
    changes = [labels[0], *(b for a, b in pairwise(labels) if a != b)]
    assert changes[: len(ENDS[kind])] == ENDS[kind] and changes[-1] == ENDS[kind][-1]
    pelvis, neck = joints[:, 0, 2], joints[:, 12, 2]
    assert -np.gradient(pelvis, 1.0 / FPS).min() < 1.2
    if kind == "lies_still":
        assert np.linalg.norm(joints[-1] - joints[0], axis=-1).max() < 0.10 and steps[60:].max() * FPS < 0.05
    elif kind == "tries_to_get_up":
        assert neck.max() > neck[0] + 0.08 and neck[-1] < neck[0] + 0.06
    elif kind == "crawls":
        assert 0.3 < pelvis[-1] < 0.65 and abs(neck[-1] - pelvis[-1]) < 0.3
    else:
        assert pelvis[-1] > 0.75 and neck[-1] > pelvis[-1] + 0.3


def test_who_lies_on_a_bed_can_only_lie_still(body: BodyModel, fallen: dict[str, PersonTrack]) -> None:
    track = fallen["backward"]
    joints = joints_of(body, track)[-1]
    assert posture(joints) == "supine"
    bed = Box("bed", np.array([*joints[0, :2], 0.25]), np.array([1.2, 1.2, 0.25]))
    lifted = PersonTrack(
        track.person,
        track.role,
        track.betas,
        track.global_orient,
        track.body_pose,
        track.transl + np.array([0.0, 0.0, 0.5]),
        track.visible,
        track.confidence,
    )
    still = after(body, lifted, "lies_still", 3.0, boxes=(bed,)).people[0]
    low = lowest_surface(body, still.betas, still.global_orient, still.body_pose, still.transl)
    assert 0.47 < low.min() and low.max() < 0.53
    with pytest.raises(Rejected) as caught:
        after(body, lifted, "gets_up", 9.0, boxes=(bed,))
    assert str(caught.value) == "aftermath_impossible: gets_up from supine on the bed"


def test_who_lies_on_the_right_side_gets_up_over_it(body: BodyModel, betas: np.ndarray) -> None:
    humanoid = build_humanoid(body, betas, 68.0, 1.0 / FPS / substeps_of(FPS))
    lies = [mirrored_key(key(on_side(), 0.0, 0.5, "lying"))]
    done = perform(body, humanoid, betas, lies, FPS, 0.0, np.random.default_rng(0))
    seen = np.ones(len(done.transl), dtype=bool)
    source = PersonTrack(
        "p", "resident", betas, done.global_orient, done.body_pose, done.transl, seen, np.ones(len(seen))
    )
    motion = after(body, track_motion(humanoid, source, FPS, TrackingConfig()), "gets_up", 12.0)
    joints = joints_of(body, motion.people[0])
    assert motion.details["posture"] == "right_side" and motion.details["side"] == "right"
    assert joints[-1, 0, 2] > 0.75 and posture(joints[0]) == "right_side"
    rising = np.flatnonzero(joints[:, 0, 2] > 0.55)[0]
    ahead = joints[0, 12] - joints[0, 0]
    left, right = (joints[rising, SMPL_JOINTS.index(f"{side}_ankle")] @ ahead for side in ("left", "right"))
    assert right > left + 0.2 * np.linalg.norm(ahead), "the right foot is in front"


def test_same_seed_same_bytes(body: BodyModel, fallen: dict[str, PersonTrack]) -> None:
    one, two, other = (after(body, fallen["forward"], "tries_to_get_up", 6.0, seed).people[0] for seed in (3, 3, 4))
    assert one.body_pose.tobytes() == two.body_pose.tobytes() and one.transl.tobytes() == two.transl.tobytes()
    assert not np.allclose(one.transl, other.transl)
