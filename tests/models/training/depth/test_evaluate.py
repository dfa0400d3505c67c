"""Errors of depth have known answers."""

import numpy as np
import pytest
import torch

from models.training.depth.evaluate import errors, fitted_disparity


def depths(count: int = 2, height: int = 28, width: int = 42) -> torch.Tensor:
    return 1.0 + 5.0 * torch.rand((count, height, width), generator=torch.Generator().manual_seed(0))


def test_errors_are_as_defined():
    depth = np.array([[1.0, 2.0, 0.0, 4.0]])
    absrel, delta1 = errors(np.array([[1.1, 2.0, 9.0, 6.0]]), depth)
    assert absrel == pytest.approx((0.1 + 0.0 + 0.5) / 3) and delta1 == pytest.approx(2 / 3)
    np.testing.assert_allclose(
        fitted_disparity(5.0 / depths()[0].numpy() - 0.3, depths()[0].numpy()), depths()[0], rtol=1e-5
    )
