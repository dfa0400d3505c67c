"""Figures of falls: known curves, and what must not matter."""

import numpy as np
import pytest

from models.compare_falls.features import fall_features
from models.geometry.transforms import yaw
from models.types import SMPL_JOINTS

TIMES = np.arange(81) / 20.0


def sinking(start_s: float, seconds: float) -> np.ndarray:
    """A stick figure whose pelvis goes from 0.9 to 0.1 m at even speed and whose trunk tips forward with it."""
    share = np.clip((TIMES - start_s) / seconds, 0.0, 1.0)
    joints = np.zeros((len(TIMES), 24, 3))
    joints[:, :, 2] = (0.9 - 0.8 * share)[:, None]
    for side in ("left", "right"):
        joints[:, SMPL_JOINTS.index(f"{side}_knee"), 2] -= 0.4
        joints[:, SMPL_JOINTS.index(f"{side}_ankle"), 2] -= 0.8
    neck = SMPL_JOINTS.index("neck")
    joints[:, neck, 0] = 0.5 * np.sin(share * np.pi / 2.0)
    joints[:, neck, 2] += 0.5 * np.cos(share * np.pi / 2.0)
    return joints


def test_a_known_fall_is_measured():
    found = fall_features(sinking(1.2, 0.8), TIMES, 1.2)
    assert found["sinks_by"] == pytest.approx(0.8 / 0.8, abs=0.03)
    assert found["sinks_fastest"] == pytest.approx(1.0 / 0.8, abs=0.06)
    assert found["sinks_for_s"] == pytest.approx(0.6 * 0.8, abs=0.06)
    assert found["trunk_up@-0.8s"] > 0.99 and abs(found["trunk_up@+0.8s"]) < 0.03
    assert found["trunk_up@+0.0s"] == pytest.approx(np.cos(np.pi / 4.0), abs=0.06)


def test_the_moment_comes_from_the_motion_not_from_the_onset_that_is_given():
    early, late = (fall_features(sinking(1.2, 0.8), TIMES, onset) for onset in (1.1, 1.35))
    assert early == pytest.approx(late, abs=0.01)
    later = fall_features(sinking(1.5, 0.8), TIMES, 1.5)
    assert all(abs(later[name] - early[name]) < 0.06 for name in early if "@" in name and name < "speed@+1.2")


def test_place_heading_and_size_do_not_matter():
    joints = sinking(1.2, 0.8)
    joints[:, :, 0] += 0.3 * TIMES[:, None]
    plain = fall_features(joints, TIMES, 1.2)
    moved = fall_features(1.2 * (joints @ yaw(2.1).T + [3.0, -2.0, 0.0]), TIMES, 1.2)
    assert moved == pytest.approx(plain, abs=1e-6)


def test_who_hardly_sinks_is_read_from_the_onset_on():
    still = sinking(9.0, 1.0)
    still[40:, 18, 0] += 0.5
    found = fall_features(still, TIMES, 2.0)
    assert found["sinks_by"] == pytest.approx(0.0, abs=1e-6)
    assert found["speed@+0.0s"] > 5.0 * found["speed@-0.8s"] + 0.1
