"""Losses of depth: least at the truth, blind to what they are to be blind to."""

import numpy as np
import torch

from models.training.depth.losses import gradient_loss, metric_loss, relative_loss


def depths(count: int = 2, height: int = 28, width: int = 42) -> torch.Tensor:
    return 1.0 + 5.0 * torch.rand((count, height, width), generator=torch.Generator().manual_seed(0))


def test_the_metric_loss_is_least_at_the_truth_and_half_forgives_scale():
    true = depths()
    exact, scaled = metric_loss(true, true), metric_loss(1.2 * true, true)
    assert exact < 2e-3 < scaled
    # lambda = 0.5: a pure scale error s costs |log s| sqrt(1 - 0.5).
    assert abs(float(scaled) - np.log(1.2) * np.sqrt(0.5)) < 1e-4


def test_the_relative_loss_does_not_see_scale_and_offset():
    true = depths()
    disparity = 1.0 / true
    assert relative_loss(disparity, true) < 1e-5
    assert relative_loss(7.0 * disparity + 3.0, true) < 1e-5
    assert relative_loss(-disparity, true) > 0.5
    assert relative_loss(true, true) > 0.5


def test_losses_pass_over_pixels_without_depth():
    true, wrong = depths(), depths()
    holes = torch.zeros_like(true, dtype=torch.bool)
    holes[:, 5:15, 5:15] = True
    wrong[holes] = 15.0
    true[holes] = 0.0
    assert metric_loss(wrong, true) < 2e-3 and relative_loss(1.0 / wrong, true) < 1e-5


def test_the_gradient_loss_sees_edges_only():
    mask = torch.ones((1, 16, 16), dtype=torch.bool)
    step = torch.zeros((1, 16, 16))
    step[:, :, 8:] = 1.0
    assert gradient_loss(torch.full((1, 16, 16), 3.0), mask) == 0.0
    # One of 15, of 7 and of 3 neighbouring pairs differs by 1 at the three scales.
    assert abs(float(gradient_loss(step, mask)) - (1 / 15 + 1 / 7 + 1 / 3)) < 1e-6
