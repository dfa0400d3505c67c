"""Both representations of a pose are the same pose."""

import numpy as np
import pytest
import torch

from models.body.model import load_body
from models.body.skinning import local_rotations
from models.geometry.transforms import matrix_from_axis_angle


@pytest.fixture(scope="module")
def body():
    return load_body()


def _random(batch: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    betas, orient, pose, transl = (torch.randn(batch, size, generator=generator) for size in (10, 3, 69, 3))
    return betas, orient, 0.5 * pose, 2.0 * transl


def test_axis_angle_and_matrices_are_the_same_pose(body):
    betas, orient, pose, transl = _random(3)
    matrices = local_rotations(orient, pose)
    reference = matrix_from_axis_angle(torch.cat([orient, pose], dim=-1).numpy().reshape(3, 24, 3))
    np.testing.assert_allclose(matrices.numpy(), reference, atol=1e-6)
    expected = body.posed(betas, orient, pose, transl).keypoints
    for root, joints in ((matrices[:, 0], matrices[:, 1:]), (orient, matrices[:, 1:]), (matrices[:, 0], pose)):
        assert (body.posed(betas, root, joints, transl).keypoints - expected).abs().max() < 1e-5
