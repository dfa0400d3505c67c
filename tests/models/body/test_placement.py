"""Motion moved into another frame."""

import numpy as np

from models.body.placement import transform_track
from models.geometry.transforms import apply, matrix_from_axis_angle, transform, yaw
from models.types import PersonTrack


def test_the_pelvis_is_moved_not_transl():
    """SMPL's transl is not the pelvis: J0 != 0. The pelvis and the orientation must both follow the transform."""
    rng = np.random.default_rng(0)
    root = np.array([0.01, 0.9, -0.02])
    track = PersonTrack(
        "p",
        "person",
        np.zeros(10),
        rng.normal(size=(4, 3)),
        np.zeros((4, 69)),
        rng.normal(size=(4, 3)),
        np.ones(4, bool),
        np.ones(4),
    )
    T = transform(yaw(0.8), np.array([2.0, -1.0, 0.0]))
    moved = transform_track(track, root, T)
    np.testing.assert_allclose(moved.transl + root, apply(T, track.transl + root), atol=1e-12)
    np.testing.assert_allclose(
        matrix_from_axis_angle(moved.global_orient), T[:3, :3] @ matrix_from_axis_angle(track.global_orient), atol=1e-9
    )
