"""Our rotations are roma's, with gradients that are finite at no rotation at all."""

import roma
import torch

from models.geometry.rotations import matrices_from_axis_angle, matrix_from_columns


def test_axis_angle_is_romas():
    vectors = torch.randn((200, 3), generator=torch.Generator().manual_seed(0)).double() * 2.0
    vectors[:20] *= 1e-5
    assert torch.allclose(matrices_from_axis_angle(vectors), roma.rotvec_to_rotmat(vectors), atol=1e-12)


def test_columns_are_romas():
    columns = torch.randn((200, 6), generator=torch.Generator().manual_seed(1)).double()
    pairs = columns.unflatten(-1, (2, 3)).transpose(-1, -2)
    assert torch.allclose(matrix_from_columns(columns), roma.special_gramschmidt(pairs), atol=1e-12)


def test_no_rotation_has_a_gradient():
    vectors = torch.zeros((1, 3), dtype=torch.float64, requires_grad=True)
    matrices_from_axis_angle(vectors)[0, 2, 1].backward()
    assert torch.allclose(vectors.grad, torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64))
