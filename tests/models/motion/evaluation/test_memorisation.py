"""Memorisation: distances to the nearest learned motion are those of unit vectors, and a copy lies at zero."""

import numpy as np
import pytest
import torch

from models.motion.evaluation.evaluator import MotionEvaluator, MotionEvaluatorConfig
from models.motion.evaluation.memorisation import SHARES, embedded, nearest, plot, quantiles


def test_the_nearest_is_found_and_a_copy_lies_at_zero():
    learned = np.eye(3)
    found = nearest(np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.6, 0.8, 0.0]]), learned)
    assert found == pytest.approx([0.0, np.sqrt(2.0), np.sqrt(2.0 - 1.6)])
    assert quantiles(found)[0] == 0.0 and quantiles(found)[-1] == pytest.approx(np.sqrt(2.0))
    assert len(quantiles(found)) == len(SHARES)


def test_windows_are_embedded_in_their_order_whatever_the_batches(motion_data):
    torch.manual_seed(0)
    config = MotionEvaluatorConfig(width=16, layers=1, heads=2, dims=4, text_dim=6, text_encoder_digest="none")
    evaluator = MotionEvaluator(config).eval()
    pieces = motion_data.held_out(np.arange(len(motion_data.rows)))
    together, by_two = (embedded(evaluator, motion_data, pieces, batch) for batch in (32, 2))
    np.testing.assert_allclose(together, by_two, atol=1e-5)
    np.testing.assert_allclose(embedded(evaluator, motion_data, pieces[3:4])[0], together[3], atol=1e-5)


def test_the_plot_is_a_picture():
    assert plot({"real": quantiles(np.array([0.1, 0.2])), "arm": quantiles(np.array([0.0, 0.3]))})[:4] == b"\x89PNG"
