"""Read a licensed SMPL file through the `smplx` package. Both are for non-commercial use only.

A `.pkl` is unpickled by smplx (the one pickle that is loaded here: open only files from SMPL's own site); an `.npz`
with the same arrays is read without pickle. Surface landmarks are found on SMPL's mesh of 6,890 vertices.
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from models.body.anny_bake import vertices_around
from models.body.arrays import BodyArrays
from models.errors import InputError
from models.types import COCO_KEYPOINTS, SMPL_JOINTS, SMPL_PARENTS

SMPL_VERTICES = 6890
_KEYS = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table", "f")

_FACE_VERTICES = {"nose": "nose", "left_eye": "leye", "right_eye": "reye", "left_ear": "lear", "right_ear": "rear"}
"""Our names to the names of smplx's table of vertices."""

_LIMB_OFFSETS = {
    "shoulder": (0.0, 0.015, 0.0), "elbow": (0.0, 0.0, 0.0), "wrist": (0.0, 0.0, 0.0), "hip": (0.025, 0.02, 0.0),
    "knee": (0.0, 0.0, 0.0), "ankle": (0.0, 0.0, 0.0),
}  # fmt: skip
"""Outward (from the body's midline), up and forward from SMPL's joint to where annotators click, metres in the T-pose.
SMPL's hips lie lower and further in than the hips that people see."""


def read_smpl(path: Path) -> BodyArrays:
    """Read the arrays of a SMPL file.

    Raises InputError where smplx is not installed, or the file cannot be read or is not a SMPL model.
    """
    try:
        import smplx
        from smplx.utils import Struct
        from smplx.vertex_ids import vertex_ids
    except ImportError as error:
        raise InputError(
            path,
            "a SMPL file needs the package 'smplx' (non-commercial licence)",
            "pip install smplx, or use the default body",
        ) from error
    remedy = "give a SMPL model file (.pkl or .npz, 6890 vertices, 24 joints) from smpl.is.tue.mpg.de"
    if not path.is_file():
        raise InputError(path, "there is no such file", remedy)
    options: dict[str, Any] = {f"create_{part}": False for part in ("betas", "global_orient", "body_pose", "transl")}
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as stored:
                missing = [key for key in _KEYS if key not in stored.files]
                if missing:
                    raise InputError(path, f"has no array {missing[0]!r}", remedy)
                options["data_struct"] = Struct(**{key: stored[key] for key in _KEYS})
        model: Any = smplx.SMPL(str(path), **options)
    except ModuleNotFoundError as error:
        raise InputError(
            path,
            f"its pickle needs the package {error.name!r}",
            f"pip install {error.name}, or save the arrays as .npz",
        ) from error
    except (OSError, EOFError, ValueError, KeyError, AttributeError, TypeError, pickle.UnpicklingError) as error:
        raise InputError(path, f"cannot be read as a SMPL model ({error})", remedy) from error
    v_template = model.v_template.numpy()
    n, parents = len(v_template), tuple(model.parents.tolist())
    if n != SMPL_VERTICES or parents != SMPL_PARENTS:
        raise InputError(path, f"holds {n} vertices and {len(parents)} joints, not SMPL's 6890 and 24", remedy)
    weights, J_regressor = model.lbs_weights.numpy(), model.J_regressor.numpy()
    return BodyArrays(
        v_template=v_template,
        shapedirs=model.shapedirs[..., :10].numpy(),
        J_regressor=J_regressor,
        weights=weights,
        faces=model.faces.astype(np.int64),
        keypoint_regressor=_keypoint_regressor(v_template, weights, J_regressor @ v_template, vertex_ids["smplh"]),
        posedirs=model.posedirs.T.reshape(n, 3, -1).numpy(),
    )


def _keypoint_regressor(
    v_template: Float[np.ndarray, "vertex 3"],
    weights: Float[np.ndarray, "vertex 24"],
    joints: Float[np.ndarray, "24 3"],
    face_vertices: dict[str, int],
) -> Float[np.ndarray, "17 vertex"]:
    regressor = np.zeros((17, len(v_template)), dtype=np.float32)
    for row, name in enumerate(COCO_KEYPOINTS):
        if name in _FACE_VERTICES:
            regressor[row, face_vertices[_FACE_VERTICES[name]]] = 1.0
            continue
        side, part = name.split("_")
        joint = SMPL_JOINTS.index(name)
        point = joints[joint] + np.array(_LIMB_OFFSETS[part]) * (1.0 if side == "left" else -1.0, 1.0, 1.0)
        near = weights[:, [joint, SMPL_PARENTS[joint]]].sum(axis=1) > 0.3
        members, values = vertices_around(v_template, point, np.flatnonzero(near))
        regressor[row, members] = values
    return regressor
