"""Motion of which only positions of joints are known, on SMPL's tree; and files of them.

A file is an npy [frames, joints, 3], metres, z up, with the joints' names in `joints.txt` beside it, one a line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from models.body.kinematics import world_rotations
from models.errors import InputError
from models.files import finite, read_arrays
from models.geometry.transforms import R_ZUP_YUP
from models.mocap.joint_names import SIDES, check_complete, match_names
from models.mocap.position_ik import rotations_from_positions
from models.mocap.skeleton_motion import SkeletonMotion
from models.mocap.smpl_skeleton import SMPL_OFFSETS, smpl_motion
from models.text_files import read_json, read_text
from models.types import SMPL_JOINTS, SMPL_PARENTS

REMEDY = "give positions [frames, joints, 3] in metres, z up, and their joints' names in joints.txt"
TALLEST_M = 3.0
"""Nobody's joints are further apart."""


def motion_from_positions(
    path: Path,
    positions: Float[np.ndarray, "time 22 3"],
    hz: float,
    known: Mapping[str, Float[np.ndarray, "time 3 3"]] | None = None,
) -> SkeletonMotion:
    """Return a motion of SMPL's tree whose joints are at `positions` (y up) in every frame, exactly.

    Bones at rest point as SMPL's do where a joint turns one bone alone, elsewhere as they do on average of the frames
    (a chest carries neck and collars). `known` are measured rotations in the world, as `rotations_from_positions` takes
    them.
    """
    offsets, above = SMPL_OFFSETS.copy(), SMPL_PARENTS[1:22]
    rotations = rotations_from_positions(positions, offsets, known)
    apart = positions[:, 1:] - positions[:, above]
    bones = np.einsum("tkji,tkj->tki", world_rotations(rotations)[:, above], apart)
    offsets[1:22] = np.median(bones, axis=0)
    motion = smpl_motion(path, rotations, positions[:, 0], hz, offsets)
    translations = motion.translations.copy()
    translations[:, 1:22] = bones
    return replace(motion, translations=translations)


def read_joint_positions(path: Path, hz: float) -> SkeletonMotion:
    """Read a file of joint positions; raises InputError for another shape, values that are no metres, or names that do
    not tell the body's joints."""
    values = finite(path, "array", read_arrays(path, REMEDY).get("array", np.zeros(0)), REMEDY)
    names = [line.strip() for line in read_text(path.with_name("joints.txt")).splitlines() if line.strip()]
    if values.ndim != 3 or values.shape[1:] != (len(names), 3) or len(values) < 2:
        problem = f"is {values.shape}, expected two frames or more of the {len(names)} joints in joints.txt by 3"
        raise InputError(path, problem, REMEDY)
    extent = float(np.median(np.ptp(values, axis=1).max(axis=-1)))
    if not 0.3 < extent < TALLEST_M:
        raise InputError(path, f"has joints {extent:.3g} m apart, so that they are no person's in metres", REMEDY)
    return motion_from_positions(path, smpl_positions(path, names, values @ R_ZUP_YUP), hz)


def smpl_positions(
    path: Path, names: Sequence[str], positions: Float[np.ndarray, "time joint 3"]
) -> Float[np.ndarray, "time 22 3"]:
    """Return where SMPL's joints are among others, by names; InputError where those do not tell.

    Joints of the spine are spread over those between pelvis and neck; where there are no collars, they are half-way
    from the neck to the shoulders.
    """
    found = match_names(names)
    check_complete(path, names, found)
    lacking = [f"{side}_{joint}" for side in SIDES for joint in ("wrist", "foot") if f"{side}_{joint}" not in found]
    if lacking:
        raise InputError(path, f"has no joint that is {', '.join(lacking)}", "positions of wrists and toes are needed")
    at = {joint: positions[:, index] for joint, index in found.items()}
    spine = [n for n, name in enumerate(names) if name.lower().rpartition(":")[2].startswith("spine")]
    column = np.stack([at["pelvis"], *(positions[:, joint] for joint in spine), at["neck"]], axis=1)
    ends = (1.0, len(spine)) if spine else (0.25, 0.75)
    for number, along in enumerate(np.linspace(*ends, 3), 1):
        low = min(int(along), column.shape[1] - 2)
        at[f"spine{number}"] = column[:, low] + (along - low) * (column[:, low + 1] - column[:, low])
    if len(spine) == 1:
        # One joint is where the back bends most; the chest is above it, half-way to the neck.
        at["spine3"] = (column[:, 1] + column[:, 2]) / 2.0
        at["spine2"] = (at["spine1"] + at["spine3"]) / 2.0
    for side in SIDES:
        at.setdefault(f"{side}_collar", (at["neck"] + at[f"{side}_shoulder"]) / 2.0)
    return np.stack([at[joint] for joint in SMPL_JOINTS[:22]], axis=1)


def read_json_positions(path: Path, hz: float) -> SkeletonMotion:
    """Read a json with `bones`, names of joints, and `tdata`, their positions by frame, z up, in any unit, as the
    Construction Motion Data Library has them (Y. Tian et al. 2022, Scientific Data 9).

    The root floats there, so every frame's lowest joint is put on the floor. Raises InputError for another layout.
    """
    remedy = "give a json of bones and tdata, positions of all of them by frame"
    found = read_json(path)
    try:
        names = [str(name) for name in found["bones"]]
        values = np.array([found["tdata"][frame] for frame in sorted(found["tdata"], key=int)], dtype=np.float64)
    except (TypeError, KeyError, ValueError) as error:
        raise InputError(path, f"holds no positions of named joints ({error})", remedy) from error
    if values.shape[1:] != (3 * len(names),) or len(values) < 2:
        problem = f"holds {values.shape}, expected two frames or more of 3 numbers for each of its {len(names)} bones"
        raise InputError(path, problem, remedy)
    values = finite(path, "tdata", values, remedy).reshape(len(values), -1, 3)
    values[..., 2] -= values[..., 2].min(axis=1, keepdims=True)
    return motion_from_positions(path, smpl_positions(path, names, values @ R_ZUP_YUP), hz)
