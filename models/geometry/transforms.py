"""Rigid transforms and rotation representations (numpy, batched over leading axes).

`T_a_b` maps coordinates in frame b to frame a, so that adjacent names cancel: `T_world_camera @ p_camera`.
"""

import numpy as np
from jaxtyping import Float

# OpenCV camera axes (x right, y down, z forward) and OpenGL's (x right, y up, z backward): a half turn about x.
R_OPENGL_OPENCV = np.diag([1.0, -1.0, -1.0])

# A body model's own axes (SMPL: y up, facing +z) to ours (z up, facing +x).
R_ZUP_YUP = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def transform(rotation: Float[np.ndarray, "3 3"], translation: Float[np.ndarray, "3"]) -> Float[np.ndarray, "4 4"]:
    """Build the 4x4 rigid transform p -> rotation @ p + translation."""
    T = np.eye(4)
    T[:3, :3] = rotation
    T[:3, 3] = translation
    return T


def invert(T: Float[np.ndarray, "*batch 4 4"]) -> Float[np.ndarray, "*batch 4 4"]:
    """Invert rigid transforms by transposing the rotation (exact, no linear solve)."""
    R_t = np.swapaxes(T[..., :3, :3], -1, -2)
    inverse = np.zeros_like(T)
    inverse[..., :3, :3] = R_t
    inverse[..., :3, 3] = -np.einsum("...ij,...j->...i", R_t, T[..., :3, 3])
    inverse[..., 3, 3] = 1.0
    return inverse


def apply(T: Float[np.ndarray, "4 4"], points: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
    """Map points by one rigid transform."""
    return points @ T[:3, :3].T + T[:3, 3]


def matrix_from_axis_angle(axis_angle: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3 3"]:
    """Return rotation matrices from axis-angle vectors in radians."""
    # Here, not above: machines that only train motion have none.
    from scipy.spatial.transform import Rotation

    flat = Rotation.from_rotvec(np.asarray(axis_angle, dtype=np.float64).reshape(-1, 3)).as_matrix()
    return flat.reshape(*axis_angle.shape[:-1], 3, 3)


def axis_angle_from_matrix(matrix: Float[np.ndarray, "*batch 3 3"]) -> Float[np.ndarray, "*batch 3"]:
    """Return axis-angle vectors (angle in [0, pi]) from rotation matrices."""
    # Here, not above: machines that only train motion have none.
    from scipy.spatial.transform import Rotation

    # What comes here is orthonormal; to make it so again would take seventeen times as long.
    flat = Rotation.from_matrix(np.asarray(matrix, dtype=np.float64).reshape(-1, 3, 3), assume_valid=True).as_rotvec()
    return flat.reshape(*matrix.shape[:-2], 3)


def rotation_6d_from_matrix(matrix: Float[np.ndarray, "*batch 3 3"]) -> Float[np.ndarray, "*batch 6"]:
    """Return first two columns of the rotation matrix, the first one first (Zhou et al. 2019)."""
    return np.concatenate([matrix[..., :, 0], matrix[..., :, 1]], axis=-1)


def matrix_from_rotation_6d(rotation_6d: Float[np.ndarray, "*batch 6"]) -> Float[np.ndarray, "*batch 3 3"]:
    """Turn two columns into a rotation matrix by Gram-Schmidt (Zhou et al. 2019, eq. 15)."""
    a, b = rotation_6d[..., :3], rotation_6d[..., 3:]
    x = a / np.linalg.norm(a, axis=-1, keepdims=True)
    y = b - np.sum(x * b, axis=-1, keepdims=True) * x
    y = y / np.linalg.norm(y, axis=-1, keepdims=True)
    return np.stack([x, y, np.cross(x, y)], axis=-1)


def unit(vectors: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
    """Return vectors of length 1 in the same directions; zero stays zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def rotation_between(
    a: Float[np.ndarray, "*#batch 3"], b: Float[np.ndarray, "*#batch 3"]
) -> Float[np.ndarray, "*batch 3 3"]:
    """Return the smallest rotations that turn unit vectors a onto unit vectors b.

    Rodrigues: R = I + [v]x + [v]x^2 / (1 + c) with v = a x b, c = a . b; a half turn about some axis normal to a
    when a = -b.
    """
    c = np.einsum("...i,...i->...", a, b)[..., None, None]
    opposite = c < -1.0 + 1e-12
    v = np.cross(a, b)
    skew = np.zeros((*v.shape[:-1], 3, 3))
    skew[..., 0, 1], skew[..., 0, 2], skew[..., 1, 2] = -v[..., 2], v[..., 1], -v[..., 0]
    skew -= np.swapaxes(skew, -1, -2)
    rotation = np.eye(3) + skew + skew @ skew / np.where(opposite, 1.0, 1.0 + c)
    if opposite.any():
        axis = np.cross(a, np.eye(3)[np.argmin(np.abs(a), axis=-1)])
        axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
        rotation = np.where(opposite, 2.0 * axis[..., :, None] * axis[..., None, :] - np.eye(3), rotation)
    return rotation


def yaw(angle: float) -> Float[np.ndarray, "3 3"]:
    """Return rotation about the world's z axis by an angle in radians, counter-clockwise seen from above."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
