"""Crops are squares of the image, rotated by quarter turns."""

import numpy as np
import pytest

from models.people2d.pose2d import Crop


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_crop_turns_clockwise_about_its_centre(turn):
    affine = Crop((50.0, 40.0), 20.0, turn).image_from_unit()
    assert np.allclose(affine @ [0.5, 0.5, 1.0], [50.0, 40.0])
    up = affine @ [0.5, 0.0, 1.0] - [50.0, 40.0]
    assert np.allclose(up, [(0, -10), (10, 0), (0, 10), (-10, 0)][turn])
