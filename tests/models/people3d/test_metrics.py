"""Alignment by similarity and rigid transform, and the errors of lifted bodies."""

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


def test_pa_mpjpe_takes_out_similarity_and_nothing_else():
    rng = np.random.default_rng(0)
    true = rng.normal(0.0, 0.4, (5, 24, 3))
    R = Rotation.from_rotvec(rng.normal(0.0, 1.0, (5, 3))).as_matrix()
    found = 1.7 * true @ np.swapaxes(R, 1, 2) + [1.0, -2.0, 0.5]
    assert pa_mpjpe_mm(found, true).max() < 1e-6
    assert pa_mpjpe_mm(true * [-1.0, 1.0, 1.0], true).min() > 100.0, "a mirror image is no rotation"
    bent = true.copy()
    bent[:, 7, 0] += 0.24
    assert (pa_mpjpe_mm(bent, true) < 30.0).all() and (pa_mpjpe_mm(bent, true) > 8.0).all()


def test_a_rigid_alignment_keeps_the_size():
    moved = JOINTS[0] @ TURN.T + [1, 2, 3]
    np.testing.assert_allclose(align_similarity(JOINTS[0], moved, with_scale=False), moved, atol=1e-9)
    larger = align_similarity(1.5 * JOINTS[0], moved, with_scale=False)
    np.testing.assert_allclose(larger - larger.mean(axis=0), 1.5 * (moved - moved.mean(axis=0)), atol=1e-9)


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
