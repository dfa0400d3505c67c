"""DeepMimic's clips: a json of frames that pose its humanoid, x forward, y up, metres.

A frame is its duration in seconds, the root's place and its quaternion (w x y z), then the joints: a quaternion where
the joint is a ball, one angle about z where it is a hinge. Skeleton: data/characters/humanoid3d.txt of
github.com/xbpeng/DeepMimic (MIT), X. B. Peng et al. (2018).
"""

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from models.errors import InputError
from models.mocap.skeleton_motion import SkeletonMotion, still_limbs
from models.text_files import read_json

JOINTS: tuple[tuple[str, int, tuple[float, float, float], int], ...] = (
    ("root", -1, (0.0, 0.0, 0.0), 4),
    ("chest", 0, (0.0, 0.236151, 0.0), 4),
    ("neck", 1, (0.0, 0.223894, 0.0), 4),
    ("right_hip", 0, (0.0, 0.0, 0.084887), 4),
    ("right_knee", 3, (0.0, -0.421546, 0.0), 1),
    ("right_ankle", 4, (0.0, -0.40987, 0.0), 4),
    ("right_shoulder", 1, (-0.02405, 0.2435, 0.18311), 4),
    ("right_elbow", 6, (0.0, -0.274788, 0.0), 1),
    ("left_hip", 0, (0.0, 0.0, -0.084887), 4),
    ("left_knee", 8, (0.0, -0.421546, 0.0), 1),
    ("left_ankle", 9, (0.0, -0.40987, 0.0), 4),
    ("left_shoulder", 1, (-0.02405, 0.2435, -0.18311), 4),
    ("left_elbow", 11, (0.0, -0.274788, 0.0), 1),
    ("head", 2, (0.0, 0.175, 0.0), 0),
    ("right_wrist", 7, (0.0, -0.258947, 0.0), 0),
    ("left_wrist", 12, (0.0, -0.258947, 0.0), 0),
    ("right_ankle_end", 5, (0.1335, -0.05, 0.0), 0),
    ("left_ankle_end", 10, (0.1335, -0.05, 0.0), 0),
)
"""Name, parent, offset, and how many numbers of a frame turn it.

The head is the middle of the ball that the neck carries, an ankle's end the front edge of the foot's box on the floor.
"""
LONGEST_S = 10.0
"""Duration of a frame beyond which it is none of a motion."""
WIDTH = 4 + sum(numbers for *_, numbers in JOINTS)


def read_deepmimic(path: Path) -> SkeletonMotion:
    """Read a clip of DeepMimic's humanoid; raises InputError for any other file. Its durations are the clock."""
    remedy = "give a motion file of DeepMimic's humanoid3d"
    content = read_json(path)
    frames = content.get("Frames") if isinstance(content, dict) else None
    try:
        rows = np.array(frames, dtype=float)
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(path, f"is no json with equal rows of numbers under 'Frames' ({error})", remedy) from error
    if rows.ndim != 2 or rows.shape[1] != WIDTH or len(rows) < 2:
        shape = " x ".join(map(str, rows.shape))
        raise InputError(path, f"'Frames' is {shape} and not at least two rows of {WIDTH} numbers", remedy)
    if not np.isfinite(rows).all() or not ((rows[:-1, 0] > 0.0) & (rows[:-1, 0] <= LONGEST_S)).all():
        problem = f"holds a duration that is not above 0 and up to {LONGEST_S:g} s, or a number that is not finite"
        raise InputError(path, problem, remedy)
    names, parents, offsets, numbers = zip(*JOINTS, strict=True)
    rotations = np.tile(np.eye(3), (len(rows), len(JOINTS), 1, 1))
    start = 4
    for joint, count in enumerate(numbers):
        columns = rows[:, start : start + count]
        start += count
        if count == 4:
            if (np.linalg.norm(columns, axis=1) < 1e-6).any():
                raise InputError(path, f"turns {names[joint]} by a quaternion of zeros", remedy)
            rotations[:, joint] = Rotation.from_quat(columns, scalar_first=True).as_matrix()
        elif count == 1:
            rotations[:, joint] = Rotation.from_euler("z", columns).as_matrix()
    timestamps = np.concatenate([[0.0], np.cumsum(rows[:-1, 0])])
    bones = np.array(offsets)
    return SkeletonMotion(path, names, parents, bones, still_limbs(rows[:, 1:4], bones), rotations, timestamps)
