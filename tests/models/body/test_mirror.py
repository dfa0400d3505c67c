"""The mirrored body."""

import numpy as np
import pytest
import torch

from models.body.mirror import mirrored, mirrored_motion
from models.body.model import BodyModel, load_body
from models.body.sides import swapped
from models.body.tracks import track_joints
from models.geometry.transforms import matrix_from_axis_angle
from models.types import SMPL_JOINTS, Motion


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


def test_mirrored_rotations_pose_the_mirrored_joints(body):
    rotations = torch.as_tensor(matrix_from_axis_angle(np.random.default_rng(0).normal(0.0, 0.4, (4, 24, 3)))).float()
    assert torch.equal(mirrored(mirrored(rotations)), rotations)
    assert torch.allclose(torch.linalg.det(mirrored(rotations)), torch.ones(4, 24), atol=1e-5)
    betas, transl = torch.zeros(4, 10), torch.zeros(4, 3)
    joints = body.posed(betas, rotations[:, 0], rotations[:, 1:], transl).joints
    image = body.posed(betas, mirrored(rotations)[:, 0], mirrored(rotations)[:, 1:], transl).joints
    # The body's rest joints differ between its sides by millimetres.
    mirror_image = joints[:, swapped(SMPL_JOINTS)] * torch.tensor([-1.0, 1.0, 1.0])
    assert (image - mirror_image).norm(dim=-1).max() < 0.02
    assert (joints - mirror_image).norm(dim=-1).max() > 0.2


def test_part_of_the_joints_is_mirrored_as_in_the_whole():
    rotations = torch.as_tensor(matrix_from_axis_angle(np.random.default_rng(1).normal(0.0, 0.5, (3, 24, 3))))
    assert torch.equal(mirrored(rotations[:, 1:22], first=1), mirrored(rotations)[:, 1:22])


def test_a_mirrored_motion_has_mirrored_joints(body: BodyModel, two_movers: Motion) -> None:
    image = mirrored_motion(two_movers, body)
    for track, other in zip(two_movers.people, image.people, strict=True):
        joints, seen = track_joints(body, track), track_joints(body, other)
        mirror_image = joints[:, swapped(SMPL_JOINTS)] * np.array([1.0, -1.0, 1.0])
        # The body's two sides differ by millimetres; its pelvis is mirrored exactly.
        assert np.linalg.norm(seen - mirror_image, axis=-1).max() < 0.02
        np.testing.assert_allclose(seen[:, 0], mirror_image[:, 0], atol=1e-5)
        assert other.person == track.person
    np.testing.assert_array_equal(image.actions, two_movers.actions)
    assert image.details == {
        "direction": "right",
        "impact_s": 1.5,
        "notes": ["trips on the Left foot"],
        "caption": "upright, then right_foot",
    }


def test_twice_mirrored_is_the_motion_itself(body: BodyModel, two_movers: Motion) -> None:
    again = mirrored_motion(mirrored_motion(two_movers, body), body)
    assert again.details == two_movers.details
    for track, other in zip(two_movers.people, again.people, strict=True):
        np.testing.assert_allclose(track_joints(body, other), track_joints(body, track), atol=1e-5)
