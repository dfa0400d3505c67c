"""Requests: what no model can answer is refused before anything is computed, and features become motion of bodies."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from models.errors import InputError
from models.geometry.transforms import matrix_from_axis_angle
from models.motion.denoisers.identity import IdentityConfig
from models.motion.features import FEATURES, from_matrices
from models.motion.known_frames import KnownFrames
from models.motion.model import MotionModel, MotionModelConfig
from models.motion.request import KnownPlan, MotionRequest, check_request, motion_of

SMALL = IdentityConfig(width=32, layers=1, heads=2, text=12)
MODEL = MotionModel(MotionModelConfig(denoiser=SMALL, max_frames=40))
PLANNED = MotionModel(MotionModelConfig(denoiser=SMALL, plan=SMALL, max_frames=40))
REST = torch.linspace(0.0, 1.0, 66).unflatten(0, (1, 22, 3))
REQUEST = MotionRequest("someone walks", ("person",), REST, 24, 3)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"text": " "}, "text: is empty"),
        ({"roles": ()}, "people: must be 1 to 4, got 0"),
        ({"roles": ("person",) * 5}, "people: must be 1 to 4, got 5"),
        ({"frames": 0}, "frames: must be 4 to 1200"),
        ({"frames": 10_000}, "frames: must be 4 to 1200"),
        (
            {
                "frames": 90,
                "known": KnownFrames(torch.zeros(1, 90, FEATURES), torch.ones(1, 90, FEATURES, dtype=torch.bool)),
            },
            "known frames: must be among the first 40, end at 90; ask for less before",
        ),
    ],
)
def test_what_no_model_can_answer_is_refused(wrong, told):
    with pytest.raises(InputError, match=told):
        check_request(replace(REQUEST, **wrong), MODEL)


def test_known_frames_that_float_say_where_the_first_person_is_and_have_no_plan():
    nowhere = KnownFrames(torch.zeros(1, 24, FEATURES), torch.zeros(1, 24, FEATURES, dtype=torch.bool), floats=True)
    with pytest.raises(InputError, match="known frames: say nowhere where the first person is"):
        check_request(replace(REQUEST, known=nowhere), MODEL)
    posed = replace(nowhere, where=~nowhere.where)
    check_request(replace(REQUEST, text="", known=posed), PLANNED)
    with pytest.raises(InputError, match="plan: is told in the canonical frame"):
        check_request(replace(REQUEST, known=posed, plan=planned(n0=0.0)), PLANNED)


def test_a_model_of_poses_makes_one_frame_and_no_motion():
    poses = MotionModel(MotionModelConfig(denoiser=SMALL, max_frames=1))
    check_request(replace(REQUEST, frames=1), poses)
    with pytest.raises(InputError, match="motion model: makes single poses, not motion; name it as --poses"):
        check_request(REQUEST, poses)


def planned(frames=24, people=1, **numbers):
    """A plan of which the numbers of these places are known at every moment."""
    plan, where = torch.zeros(people, -(-frames // 4), 10), torch.zeros(people, -(-frames // 4), 10, dtype=torch.bool)
    for place, value in numbers.items():
        plan[..., int(place[1:])], where[..., int(place[1:])] = value, True
    return KnownPlan(plan, where)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"plan": planned(people=2)}, r"plan: must be 1 people x 6 moments x 10 numbers, got \(2, 6, 10\)"),
        ({"plan": planned(n0=math.nan)}, "plan: holds numbers that are not finite; leave unknown what is not known"),
        ({"plan": planned(n0=9.0)}, "plan: person 0 at moment 0: number 0 must be -8 to 8, got 9"),
        ({"plan": planned(n2=2.0)}, "plan: person 0 at moment 0: number 2 must be -0.1 to 1.6, got 2"),
        ({"plan": planned(n0=2.0 * torch.arange(6.0) % 4, n1=0.0)}, "plan: moves at up to 10.0 m/s"),
        ({"frames": 60, "plan": planned(60)}, "plan: needs a motion of at most 40 frames, got 60"),
    ],
)
def test_a_plan_that_nobody_can_follow_is_refused(wrong, told):
    with pytest.raises(InputError, match=told):
        check_request(replace(REQUEST, **wrong), PLANNED)


def test_a_plan_is_for_models_that_plan():
    with pytest.raises(InputError, match="plan: is given to a motion model without one"):
        check_request(replace(REQUEST, plan=planned(n0=0.0)), MODEL)
    check_request(replace(REQUEST, plan=planned(n0=0.0)), PLANNED)


def test_what_a_model_can_answer_is_not_refused():
    check_request(REQUEST, MODEL)
    check_request(replace(REQUEST, frames=1200), MODEL)


def test_features_are_read_as_motion_of_the_request_s_bodies():
    """Rotations and the pelvis' path come back as SMPL's parameters; hands are at rest."""
    turns = matrix_from_axis_angle(np.random.default_rng(0).normal(0.0, 0.3, (1, 24, 22, 3)))
    root = torch.rand(1, 24, 3, generator=torch.Generator().manual_seed(0))
    features = from_matrices(REST, torch.as_tensor(turns, dtype=torch.float32), root)
    motion = motion_of(replace(REQUEST, betas=np.full((1, 10), 0.5)), features)
    track = motion.people[0]
    assert track.role == "person" and (track.betas == 0.5).all() and (track.body_pose[:, 63:] == 0.0).all()
    np.testing.assert_allclose(track.transl + REST[0, 0].numpy(), root[0].numpy(), atol=1e-5)
    np.testing.assert_allclose(matrix_from_axis_angle(track.global_orient), turns[0, :, 0], atol=1e-5)
    assert motion.details == {"caption": "someone walks", "seed": 3} and motion.timestamps_s[1] == pytest.approx(0.05)
    with pytest.raises(AssertionError, match="shapes of its bodies"):
        motion_of(REQUEST, features)
