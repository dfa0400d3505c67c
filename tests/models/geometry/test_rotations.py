"""The rotation nearest to a matrix."""

import numpy as np
import torch

from models.geometry.rotations import nearest_rotations
from models.geometry.transforms import matrix_from_axis_angle


def test_nearest_rotations_are_rotations():
    matrices = torch.randn((50, 3, 3), generator=torch.Generator().manual_seed(0))
    found = nearest_rotations(matrices)
    assert torch.allclose(found @ found.transpose(-1, -2), torch.eye(3).expand_as(found), atol=1e-5)
    assert torch.allclose(torch.linalg.det(found), torch.ones(50), atol=1e-5)
    turn = torch.as_tensor(matrix_from_axis_angle(np.array([[0.3, -0.2, 0.9]]))).float()
    assert torch.allclose(nearest_rotations(2.5 * turn), turn, atol=1e-5)
