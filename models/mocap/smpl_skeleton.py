"""The skeleton that SMPL's rotations turn: what AMASS, InterHuman and HumanML3D were made with.

Our own body has other bones: a thigh that SMPL calls straight leans 5 degrees there. Rotations of SMPL therefore mean a
pose only together with these bones. They are those of the mean shape, left and right averaged, as the MuJoCo model
phc/data/assets/mjcf/smpl_humanoid.xml of github.com/ZhengyiLuo/PHC publishes them (Z. Luo et al. 2023).
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from models.mocap.skeleton_motion import SkeletonMotion, still_limbs
from models.types import SMPL_JOINTS, SMPL_PARENTS

_MIDDLE = {
    "pelvis": (0.0, 0.0, 0.0),
    "spine1": (0.0, 0.109, -0.0267),
    "spine2": (0.0, 0.1352, 0.0011),
    "spine3": (0.0, 0.0529, 0.0254),
    "neck": (0.0, 0.2139, -0.0429),
    "head": (0.0, 0.065, 0.0513),
}
_LEFT = {
    "hip": (0.0686, -0.091, -0.0056),
    "knee": (0.0363, -0.3789, -0.0067),
    "ankle": (-0.0147, -0.3982, -0.043),
    "foot": (0.0259, -0.052, 0.1213),
    "collar": (0.0803, 0.1203, -0.0364),
    "shoulder": (0.0935, 0.0316, -0.009),
    "elbow": (0.2567, -0.0131, -0.0245),
    "wrist": (0.2523, 0.0084, -0.0034),
    "hand": (0.0843, -0.0072, -0.0126),
}
SMPL_OFFSETS = np.array(
    [
        _MIDDLE[name] if name in _MIDDLE
        else np.array(_LEFT[name.partition("_")[2]]) * (1.0 if name.startswith("left") else -1.0, 1.0, 1.0)
        for name in SMPL_JOINTS
    ]
)  # fmt: skip
"""[24, 3]: from the parent joint in the T-pose, metres, in the body's own axes (y up, facing z, left = +x)."""


def smpl_motion(
    path: Path,
    rotations: Float[np.ndarray, "time 24 3 3"],
    root: Float[np.ndarray, "time 3"],
    hz: float,
    offsets: Float[np.ndarray, "24 3"] = SMPL_OFFSETS,
) -> SkeletonMotion:
    """Return SMPL's rotations (the root to a world with y up) and the path of the pelvis, as a motion of its
    skeleton."""
    timestamps = np.arange(len(root)) / hz
    return SkeletonMotion(path, SMPL_JOINTS, SMPL_PARENTS, offsets, still_limbs(root, offsets), rotations, timestamps)
