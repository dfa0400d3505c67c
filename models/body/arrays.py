"""What a body in SMPL's layout is made of: the arrays of a SMPL file, landmarks, and a map from people to shapes."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True)
class BodyArrays:
    """A body in SMPL's layout."""

    v_template: Float[np.ndarray, "vertex 3"]
    """T-pose of the mean shape, metres, y up, facing +z. The origin is not the pelvis, as in SMPL."""
    shapedirs: Float[np.ndarray, "vertex 3 10"]
    """Displacement per unit of each beta; betas of the sampled population have unit variance."""
    J_regressor: Float[np.ndarray, "24 vertex"]
    """Rest joints from rest vertices: rows sum to 1."""
    weights: Float[np.ndarray, "vertex 24"]
    """Skinning weights, rows sum to 1."""
    faces: Int[np.ndarray, "face 3"]
    keypoint_regressor: Float[np.ndarray, "17 vertex"]
    """COCO-17 from the vertices of the posed surface: rows sum to 1."""
    posedirs: Float[np.ndarray, "vertex 3 207"] | None = None
    """Displacement per unit of the pose feature (rotations less the identity); None for a body without."""
    shape_map: Float[np.ndarray, "feature 10"] | None = None
    """Betas from `models.body.anny_bake.shape_features`; None for a body that knows no ages."""
