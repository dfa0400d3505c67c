"""The optimiser of matrices: its step is orthogonal."""

import torch

from models.training.depth.orthogonalised import Orthogonalised


def test_the_step_is_orthogonal_and_downhill():
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.zeros(6, 4))
    (weight * torch.randn(6, 4)).sum().backward()
    Orthogonalised([weight], lr=1.0).step()
    values = torch.linalg.svdvals(weight.detach()) / (6 / 4) ** 0.5
    assert (values > 0.6).all() and (values < 1.3).all()
    assert (weight.detach() * weight.grad).sum() < 0
