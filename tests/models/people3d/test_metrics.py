import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from models.people3d.metrics import acceleration_error, align_similarity, mpjpe_mm, pa_mpjpe_mm

JOINTS = np.random.default_rng(1).normal(size=(3, 22, 3))
TURN = Rotation.from_rotvec([0.3, 1.0, -0.4]).as_matrix()


def test_alignment_undoes_a_similarity_but_not_a_mirror():
    moved = 1.7 * JOINTS[0] @ TURN.T + [1, 2, 3]
    np.testing.assert_allclose(align_similarity(JOINTS[0], moved), moved, atol=1e-9)
    assert np.abs(align_similarity(JOINTS[0] * [-1, 1, 1], moved) - moved).max() > 0.5


def test_a_batch_is_aligned_as_each_alone():
    target = JOINTS[::-1] @ TURN.T
    together = align_similarity(JOINTS, target)
    for one, source, goal in zip(together, JOINTS, target, strict=True):
        np.testing.assert_allclose(one, align_similarity(source, goal), atol=1e-12)


def test_what_each_figure_forgives():
    shifted = JOINTS + [0.5, 0.0, 0.0]
    np.testing.assert_allclose(mpjpe_mm(shifted, JOINTS), 0.0, atol=1e-9)
    turned = 1.1 * shifted @ TURN.T
    assert (mpjpe_mm(turned, JOINTS) > 100.0).all()
    np.testing.assert_allclose(pa_mpjpe_mm(turned, JOINTS), 0.0, atol=1e-9)
    one_off = JOINTS.copy()
    one_off[:, 5, 1] += 0.22
    np.testing.assert_allclose(mpjpe_mm(one_off, JOINTS), 10.0, atol=1e-9)


def test_acceleration_by_true_time_and_only_where_known():
    times = np.array([0.0, 0.1, 0.3, 0.4, 0.5, 0.6])
    true = np.zeros((6, 22, 3))
    found = np.zeros((6, 22, 3))
    found[..., 2] = 1.5 * times[:, None] ** 2
    known = np.ones(6, dtype=bool)
    np.testing.assert_allclose(acceleration_error(found, true, times, known), 3.0, atol=1e-9)
    known[3] = False
    assert len(acceleration_error(found, true, times, known)) == 1
    found[3] = 99.0
    assert acceleration_error(found, true, times, known)[0] == pytest.approx(3.0)
