"""What is added to a performance: heads turn to what they look at, hands beat, weight shifts; feet stay."""

import numpy as np
import pytest

from models.animation import gestures
from models.animation.actor import Actor, actor_of
from models.body.model import load_body
from models.body.subject import Subject
from models.body.tracks import track_joints
from models.types import SMPL_JOINTS

FPS, SECONDS = 20.0, 6.0
FEET = [SMPL_JOINTS.index(f"{side}_{name}") for side in ("left", "right") for name in ("ankle", "foot")]


@pytest.fixture(scope="module")
def person() -> Subject:
    return Subject(load_body(), np.zeros(10), 40.0, "carer")


@pytest.fixture
def actor(person: Subject) -> Actor:
    standing = actor_of(person, FPS, np.random.default_rng(0))
    standing.stand(SECONDS)
    return standing


def joints(person: Subject, actor: Actor) -> np.ndarray:
    return track_joints(person.body, actor.track(person, actor.frames)[0])


@pytest.mark.parametrize(("angle", "turned"), [(0.8, 0.8), (-0.8, -0.8), (0.0, 0.0), (np.pi, 0.0)])
def test_who_looks_turns_towards_a_place_but_not_behind(actor: Actor, angle: float, turned: float) -> None:
    before = np.array(actor.recording.angles["head_yaw"]) + actor.recording.angles["spine_yaw"]
    place = np.tile([2.0 * np.cos(angle), 2.0 * np.sin(angle), 1.6], (actor.frames, 1))
    gestures.look_at(actor, place, gestures.share_of(actor, 1.0, 5.0))
    added = np.array(actor.recording.angles["head_yaw"]) + actor.recording.angles["spine_yaw"] - before
    middle = round(3.0 * FPS)
    assert np.isclose(added[middle], turned, atol=0.1)
    assert abs(added[0]) < 0.02 and abs(added[-1]) < 0.02 and np.abs(np.diff(added)).max() * FPS < 4.0


def test_who_shifts_weight_moves_the_hips_and_not_the_feet(person: Subject, actor: Actor) -> None:
    before = joints(person, actor)
    gestures.shift_weight(actor, gestures.standing_still(actor), np.random.default_rng(1))
    after = joints(person, actor)
    hips = np.ptp(after[:, 0, :2] - before[:, 0, :2], axis=0).max()
    assert 0.02 < hips < 0.12 and np.abs(after[:, FEET] - before[:, FEET]).max() < 0.01


def test_who_bends_down_leans_and_keeps_the_feet_where_they_are(person: Subject, actor: Actor) -> None:
    before = joints(person, actor)
    gestures.bend_down(actor, 0.6 * gestures.share_of(actor, 1.0, 5.0, 1.0))
    after, middle, neck = joints(person, actor), round(3.0 * FPS), SMPL_JOINTS.index("neck")
    assert (
        after[middle, neck, 0] - before[middle, neck, 0] > 0.2
        and after[middle, neck, 2] < before[middle, neck, 2] - 0.1
    )
    assert np.abs(after[:, FEET] - before[:, FEET]).max() < 0.02 and np.abs(after[-1] - before[-1]).max() < 0.02


def test_talking_raises_and_beats_a_hand_and_nodding_and_waving_end(person: Subject, actor: Actor) -> None:
    wrists = [SMPL_JOINTS.index(f"{side}_wrist") for side in ("left", "right")]
    before = joints(person, actor)[:, wrists]
    gestures.talk(actor, 1.0, 5.0, 1.0, np.random.default_rng(2))
    talked = joints(person, actor)[:, wrists]
    up = (talked - before)[..., 2].max(axis=1)
    assert up[round(3.0 * FPS)] > 0.12 and np.abs(talked - before)[[0, -1]].max() < 0.05
    speed = np.linalg.norm(np.gradient(talked, 1.0 / FPS, axis=0), axis=-1).max(axis=1)
    assert speed[round(2.0 * FPS) : round(4.0 * FPS)].mean() > 0.1 > speed[: round(0.5 * FPS)].mean()
    pitch = np.array(actor.recording.angles["head_pitch"])
    gestures.nod(actor, 2.0, np.random.default_rng(3))
    nodded = np.array(actor.recording.angles["head_pitch"]) - pitch
    assert nodded.max() > 0.08 and not nodded[: round(2.0 * FPS)].any() and not nodded[round(4.5 * FPS) :].any()
    gestures.wave(actor, 1.0, 4.0, np.random.default_rng(4))
    assert (joints(person, actor)[:, wrists, 2] - joints(person, actor)[:, [0], 2]).max() > 0.25


def test_who_walks_does_not_stand_still(person: Subject) -> None:
    walker = actor_of(person, FPS, np.random.default_rng(0))
    walker.stand(1.0)
    walker.walk(np.array([[0.0, 0.0], [2.0, 0.0]]))
    still = gestures.standing_still(walker)
    assert still[:15].all() and still[30:50].mean() < 0.3
