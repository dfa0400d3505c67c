import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from models.geometry import transforms as frames

angles = st.floats(-3.0, 3.0, allow_nan=False)
vectors = st.tuples(angles, angles, angles).map(np.array)


def rigid(rotvec, translation):
    return frames.transform(Rotation.from_rotvec(rotvec).as_matrix(), translation)


@given(vectors, vectors, vectors, vectors)
@settings(max_examples=50, deadline=None)
def test_transforms_form_a_group(r1, t1, r2, t2):
    A, B = rigid(r1, t1), rigid(r2, t2)
    np.testing.assert_allclose(frames.invert(A) @ A, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(frames.invert(A @ B), frames.invert(B) @ frames.invert(A), atol=1e-12)
    p = np.array([[0.3, -2.0, 1.0]])
    np.testing.assert_allclose(frames.apply(A, frames.apply(B, p)), frames.apply(A @ B, p), atol=1e-12)


@given(vectors)
@settings(max_examples=50, deadline=None)
def test_rotation_representations_round_trip(rotvec):
    R = frames.matrix_from_axis_angle(rotvec)
    np.testing.assert_allclose(frames.matrix_from_axis_angle(frames.axis_angle_from_matrix(R)), R, atol=1e-9)
    np.testing.assert_allclose(frames.matrix_from_rotation_6d(frames.rotation_6d_from_matrix(R)), R, atol=1e-12)


def test_6d_is_the_first_two_columns():
    R = frames.yaw(0.4)
    np.testing.assert_array_equal(frames.rotation_6d_from_matrix(R), [*R[:, 0], *R[:, 1]])


@pytest.mark.parametrize("a", [[0, 0, 1.0], [0, 0, -1.0], [1.0, 0, 0], [0, 0.6, 0.8]])
def test_rotation_between_turns_a_onto_b_even_when_opposite(a):
    a, b = np.array(a), np.array([0.0, 0.0, 1.0])
    R = frames.rotation_between(a, b)
    np.testing.assert_allclose(R @ a, b, atol=1e-12)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(R) == pytest.approx(1.0)


def test_a_body_facing_z_with_y_up_comes_to_stand_facing_x():
    np.testing.assert_array_equal(frames.R_ZUP_YUP @ [0, 1, 0], [0, 0, 1])
    np.testing.assert_array_equal(frames.R_ZUP_YUP @ [0, 0, 1], [1, 0, 0])
    np.testing.assert_array_equal(frames.R_ZUP_YUP @ [1, 0, 0], [0, 1, 0])  # SMPL's left is our left


def test_world_orientation_agrees_with_the_thesis_equation_5_5():
    """The thesis stores orientations transposed: O* = (R O^-1)^-1 of O = ours transposed is our R O, transposed."""
    R, ours = Rotation.from_rotvec([0.3, -0.2, 0.9]).as_matrix(), Rotation.from_rotvec([1.0, 0.4, -0.3]).as_matrix()
    thesis = np.linalg.inv(R @ np.linalg.inv(ours.T))
    np.testing.assert_allclose(thesis.T, R @ ours, atol=1e-12)
