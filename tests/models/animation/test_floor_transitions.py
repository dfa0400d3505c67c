"""How people get down to the floor and up: the times of their keys."""

import pytest

from models.animation.floor_transitions import key, paced
from models.animation.postures import standing, supine


def test_times_are_stretched_only_as_far_as_there_is_time() -> None:
    keys = [key(standing(0.0), 0.0, 1.0, "standing"), key(supine(), 2.0, 1.0, "lie_down", "lying")]
    assert sum(k.seconds + k.hold_s for k in paced(keys, 1.5, 9.0)) == pytest.approx(6.0)
    assert sum(k.seconds + k.hold_s for k in paced(keys, 1.5, 5.0)) == pytest.approx(5.0)
