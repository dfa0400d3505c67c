"""How near two bodies' skin is: as far as they are moved apart, and nothing of one alone."""

import numpy as np
import pytest

from models.body.model import load_body, relaxed_pose
from models.body.skin_distance import skin_distance


def test_who_is_moved_away_is_farther_by_as_much():
    rotations = np.zeros((2, 24, 3))
    rotations[:, 0, 0] = np.pi / 2.0
    rotations[:, 1:] = relaxed_pose().reshape(23, 3)
    body, betas = load_body(), np.zeros((2, 10))

    def apart(metres: float) -> float:
        return skin_distance(body, betas, rotations, np.array([[0.0, 0.0, 0.9], [metres, 0.0, 0.9]]))

    assert apart(1.8) - apart(0.9) == pytest.approx(0.9, abs=1e-4) and 0.05 < apart(0.9) < 0.5
    assert apart(0.3) < 0.013, "who stands in another touches"
    assert skin_distance(body, betas[:1], rotations[:1], np.zeros((1, 3))) == float("inf")
