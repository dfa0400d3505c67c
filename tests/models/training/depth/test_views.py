"""Views that depth networks learn from: what is left out, and what zooming does."""

import numpy as np

from models.training.depth.views import watches, zoomed


def test_zooming_in_shortens_the_canonical_depth():
    rng = np.random.default_rng(0)
    image, depth = np.zeros((42, 56, 3), dtype=np.uint8), np.full((42, 56), 4.0, dtype=np.float32)
    for _ in range(5):
        picture, near = zoomed(image, depth, rng)
        assert picture.shape == image.shape and near.shape == depth.shape
        assert 4.0 / 1.36 < near.min() == near.max() <= 4.0


def test_views_without_floor_or_too_near_are_left_out():
    floor, depth = np.zeros((3, 40, 40), dtype=bool), np.full((3, 40, 40), 3.0, dtype=np.float32)
    floor[1:, 20:] = True
    depth[2, :, :10] = 0.4
    np.testing.assert_array_equal(watches(floor, depth), [False, True, False])
