"""The mirrored body."""

import numpy as np
import pytest
import torch

from models.body import BodyModel, load_body
from models.mirror import mirrored
from pipeline.frames import matrix_from_axis_angle
from pipeline.sides import SWAPPED_JOINTS


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


def test_mirrored_rotations_pose_the_mirrored_joints(body):
    rotations = torch.as_tensor(matrix_from_axis_angle(np.random.default_rng(0).normal(0.0, 0.4, (4, 24, 3)))).float()
    assert torch.equal(mirrored(mirrored(rotations)), rotations)
    assert torch.allclose(torch.linalg.det(mirrored(rotations)), torch.ones(4, 24), atol=1e-5)
    betas, transl = torch.zeros(4, 10), torch.zeros(4, 3)
    joints = body.joints(betas, rotations[:, 0], rotations[:, 1:], transl)
    image = body.joints(betas, mirrored(rotations)[:, 0], mirrored(rotations)[:, 1:], transl)
    # The body's rest joints differ between its sides by millimetres.
    mirror_image = joints[:, SWAPPED_JOINTS] * torch.tensor([-1.0, 1.0, 1.0])
    assert (image - mirror_image).norm(dim=-1).max() < 0.02
    assert (joints - mirror_image).norm(dim=-1).max() > 0.2


def test_part_of_the_joints_is_mirrored_as_in_the_whole():
    rotations = torch.as_tensor(matrix_from_axis_angle(np.random.default_rng(1).normal(0.0, 0.5, (3, 24, 3))))
    assert torch.equal(mirrored(rotations[:, 1:22], first=1), mirrored(rotations)[:, 1:22])
