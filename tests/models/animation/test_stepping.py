"""Small steps end where and facing how it is said; one foot stays on the floor, and feet that stand do not slide."""

import numpy as np
import pytest

from models.animation.actor import actor_of
from models.animation.stepping import step_to
from models.body.model import load_body
from models.body.subject import Subject
from models.body.tracks import track_joints
from models.types import SMPL_JOINTS

FPS = 20.0
ANKLES = [SMPL_JOINTS.index(f"{side}_ankle") for side in ("left", "right")]


@pytest.mark.parametrize(
    ("xy", "heading"), [((-0.6, 0.0), 0.0), ((0.0, 0.5), 0.0), ((0.0, -0.5), 0.3), ((0.5, 0.2), 1.5), ((0.0, 0.0), 2.5)]
)
def test_steps_lead_there_on_feet_that_stand_or_are_lifted(xy: tuple[float, float], heading: float) -> None:
    person = Subject(load_body(), np.zeros(10), 40.0, "carer")
    actor = actor_of(person, FPS, np.random.default_rng(0))
    actor.stand(0.5)
    step_to(actor, np.array(xy), heading, 0.4)
    actor.stand(0.5)
    joints = track_joints(person.body, actor.track(person, actor.frames)[0])
    ankles = joints[:, ANKLES]
    assert np.linalg.norm(ankles[-1].mean(axis=0)[:2] - ankles[0].mean(axis=0)[:2] - np.array(xy)) < 0.03
    across = ankles[-1, 0] - ankles[-1, 1]
    assert np.isclose(np.arctan2(-across[0], across[1]), heading, atol=0.1)
    rest = ankles[0, :, 2].mean()
    assert ankles[..., 2].min() > rest - 0.02 and ankles[..., 2].min(axis=1).max() < rest + 0.02, "one foot is down"
    assert np.linalg.norm(np.diff(ankles, axis=0), axis=-1).max() * FPS < 4.0, "nobody is thrown"
    speed = np.linalg.norm(np.gradient(ankles[..., :2], 1.0 / FPS, axis=0), axis=-1)
    assert speed[ankles[..., 2] < rest + 0.004].mean() < 0.15
