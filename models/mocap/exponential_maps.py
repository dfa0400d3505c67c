"""CMU motion capture as exponential maps: rows of 117 numbers, as papers on motion prediction share it.

A row is the root's place, then one rotation vector for each of 38 joints. The clock is not in the file. Tree, bones and
the direction of the turns are those of `fkl` and `_some_variables_cmu` in W. Mao et al., "Learning Trajectory
Dependencies for Human Motion Prediction" (2019), github.com/wei-mao-2019/LearnTrajDep, utils/forward_kinematics.py,
after C. Li et al. (2018). It multiplies rows from the left, so that a joint turns by the rotation vector's opposite.
Joints are named as in CMU's BVH files.
"""

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from models.errors import InputError
from models.mocap.skeleton_motion import SkeletonMotion, still_limbs
from models.text_files import read_text

CMU_HZ = 120.0
"""At which the CMU Graphics Lab captured what these files hold; most were thinned out since."""
BONES: tuple[tuple[str, int, tuple[float, float, float]], ...] = (
    ("Hips", -1, (0.0, 0.0, 0.0)),
    ("LHipJoint", 0, (0.0, 0.0, 0.0)),
    ("LeftUpLeg", 1, (1.65674, -1.80282, 0.62477)),
    ("LeftLeg", 2, (2.5972, -7.13576, 0.0)),
    ("LeftFoot", 3, (2.49236, -6.8477, 0.0)),
    ("LeftToeBase", 4, (0.19704, -0.54136, 2.14581)),
    ("LeftToeBase_end", 5, (0.0, 0.0, 1.11249)),
    ("RHipJoint", 0, (0.0, 0.0, 0.0)),
    ("RightUpLeg", 7, (-1.6107, -1.80282, 0.62476)),
    ("RightLeg", 8, (-2.59502, -7.12977, 0.0)),
    ("RightFoot", 9, (-2.4678, -6.78024, 0.0)),
    ("RightToeBase", 10, (-0.23024, -0.63258, 2.13368)),
    ("RightToeBase_end", 11, (0.0, 0.0, 1.11569)),
    ("LowerBack", 0, (0.0, 0.0, 0.0)),
    ("Spine", 13, (0.01961, 2.0545, -0.14112)),
    ("Spine1", 14, (0.01021, 2.06436, -0.05921)),
    ("Neck", 15, (0.0, 0.0, 0.0)),
    ("Neck1", 16, (0.00713, 1.56711, 0.14968)),
    ("Head", 17, (0.03429, 1.56041, -0.10006)),
    ("Head_end", 18, (0.01305, 1.6256, -0.05265)),
    ("LeftShoulder", 15, (0.0, 0.0, 0.0)),
    ("LeftArm", 20, (3.54205, 0.90436, -0.17364)),
    ("LeftForeArm", 21, (4.86513, 0.0, 0.0)),
    ("LeftHand", 22, (3.35554, 0.0, 0.0)),
    ("LeftFingerBase", 23, (0.0, 0.0, 0.0)),
    ("LeftHandIndex1", 24, (0.66117, 0.0, 0.0)),
    ("LeftHandIndex1_end", 25, (0.53306, 0.0, 0.0)),
    ("LThumb", 23, (0.0, 0.0, 0.0)),
    ("LThumb_end", 27, (0.5412, 0.0, 0.5412)),
    ("RightShoulder", 15, (0.0, 0.0, 0.0)),
    ("RightArm", 29, (-3.49802, 0.75994, -0.32616)),
    ("RightForeArm", 30, (-5.02649, 0.0, 0.0)),
    ("RightHand", 31, (-3.36431, 0.0, 0.0)),
    ("RightFingerBase", 32, (0.0, 0.0, 0.0)),
    ("RightHandIndex1", 33, (-0.73041, 0.0, 0.0)),
    ("RightHandIndex1_end", 34, (-0.58887, 0.0, 0.0)),
    ("RThumb", 32, (0.0, 0.0, 0.0)),
    ("RThumb_end", 36, (-0.59786, 0.0, 0.59786)),
)
"""Name, parent and offset of each joint, in the unit of the root's place."""
COLUMNS = 3 + 3 * len(BONES)


def read_expmap(path: Path, hz: float = CMU_HZ) -> SkeletonMotion:
    """Read a file of comma-separated exponential maps, `hz` frames a second; y up. InputError for any other file."""
    remedy = f"give a CMU exponential-map file: rows of {COLUMNS} numbers with commas between"
    lines = [line for line in read_text(path).split("\n") if line.strip()]
    try:
        rows = np.loadtxt(lines, delimiter=",", ndmin=2) if lines else np.zeros((0, 0))
    except ValueError as error:
        raise InputError(path, f"cannot be read as a table of numbers ({error})", remedy) from error
    if rows.shape[1] != COLUMNS or len(rows) < 2:
        raise InputError(path, f"has {rows.shape[0]} rows of {rows.shape[1]} numbers", remedy)
    if not np.isfinite(rows).all():
        raise InputError(path, "holds a number that is not finite", remedy)
    names, parents, offsets = zip(*BONES, strict=True)
    turns = Rotation.from_rotvec(-rows[:, 3:].reshape(-1, 3)).as_matrix().reshape(len(rows), len(BONES), 3, 3)
    bones = np.array(offsets)
    translations = still_limbs(rows[:, :3], bones)
    return SkeletonMotion(path, names, parents, bones, translations, turns, np.arange(len(rows)) / hz)
