"""What is observed of people: who keeps still in the image."""

import numpy as np

from models.people3d.fitting.observations import stillness


def test_stillness_sees_motion_and_not_scatter():
    rng = np.random.default_rng(0)
    times = np.arange(30) / 15.0
    points = np.tile(rng.uniform(0, 200, (17, 2)), (30, 1, 1)) + rng.normal(0, 1.5, (30, 17, 2))
    weights = np.ones((30, 17))
    assert stillness(points, weights, times)[5:25].min() == 1.0
    points[:, :, 0] += (120.0 * times)[:, None]
    assert stillness(points, weights, times)[5:25].max() == 0.0
