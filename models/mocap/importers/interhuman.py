"""InterHuman: a folder with `motions_processed/person1|person2/<name>.npy` and `annots/<name>.txt`, 30 Hz, z up,
metres.

A row has 492 numbers: 62 positions of which the first 22 are SMPL's joints, and 51 rotations of which the first 21 turn
SMPL's body joints, each as the first two columns of its matrix, row by row. The root's rotation is not there: it
follows from hips and spine. Each line of the text is a caption. Source: H. Liang et al., "InterGen" (2023),
github.com/tr3e/InterGen.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from models.body.kinematics import world_rotations
from models.body.model import BodyModel
from models.errors import InputError
from models.files import finite, read_arrays
from models.geometry.transforms import R_ZUP_YUP, matrix_from_rotation_6d
from models.mocap.importers.caption_files import read_lines
from models.mocap.importers.folder import read_all
from models.mocap.position_ik import fitted
from models.mocap.retarget import retarget
from models.mocap.skeleton_motion import SkeletonMotion
from models.mocap.smpl_skeleton import SMPL_OFFSETS, smpl_motion
from models.types import SMPL_PARENTS, Motion

HZ = 30.0
WIDTH, POSITIONS = 492, 62
DISAGREE_M = 0.03
REMEDY = "give the folder that holds motions_processed/person1, motions_processed/person2 and annots"


def read(path: Path, body: BodyModel, betas: Float[np.ndarray, "10"], fps: float = 20.0) -> list[Motion]:
    """Read every take of the folder, two people each, in the order of names; one that is not whole is skipped, and that
    is logged.

    A file of `motions_processed/person1` in place of the folder stands for that take alone. InputError where nothing
    can be read.
    """
    root = path.parents[2] if path.suffix == ".npy" else path
    folders = [root / "motions_processed" / person for person in ("person1", "person2")]
    missing = [str(folder.relative_to(root)) for folder in (*folders, root / "annots") if not folder.is_dir()]
    if missing:
        raise InputError(root, f"has no folder {', '.join(missing)}", REMEDY)

    def take(first: Path) -> Motion:
        sources = [read_person(folder / first.name) for folder in folders]
        texts = read_lines(root / "annots" / f"{first.stem}.txt")
        motion = retarget(sources, body, betas, fps)
        return replace(motion, source=first.name, details=motion.details | {"texts": texts})

    if path.suffix == ".npy":
        return [take(path)]
    return read_all(sorted(folders[0].glob("*.npy")), take, folders[0], "*.npy")


def read_person(path: Path) -> SkeletonMotion:
    """Read one person's motion, y up, on the bones that the positions show; raises InputError for another layout."""
    remedy = f"give a file of InterHuman: frames of {WIDTH} numbers"
    rows = finite(path, "array", read_arrays(path, remedy).get("array", np.zeros(0)), remedy)
    if rows.ndim != 2 or rows.shape[1] != WIDTH or len(rows) < 2:
        raise InputError(path, f"is {rows.shape}, expected two frames or more of {WIDTH} numbers", remedy)
    positions = rows[:, : 3 * POSITIONS].reshape(-1, POSITIONS, 3)[:, :22] @ R_ZUP_YUP
    columns = rows[:, 3 * POSITIONS :].reshape(-1, 51, 3, 2)[:, :21]
    if np.abs(np.swapaxes(columns, -1, -2) @ columns - np.eye(2)).max() > 0.01:
        raise InputError(path, "its rotations are not first two columns, row by row", remedy)
    rotations = np.tile(np.eye(3), (len(rows), 24, 1, 1))
    rotations[:, 1:22] = matrix_from_rotation_6d(np.concatenate([columns[..., 0], columns[..., 1]], axis=-1))
    children = [1, 2, 3]
    rotations[:, 0] = fitted(SMPL_OFFSETS[children], positions[:, children] - positions[:, :1])
    above = SMPL_PARENTS[1:22]
    bones = np.einsum("tkji,tkj->tki", world_rotations(rotations)[:, above], positions[:, 1:] - positions[:, above])
    offsets = SMPL_OFFSETS.copy()
    offsets[1:22] = np.median(bones, axis=0)
    astray = float(np.linalg.norm(bones - offsets[1:22], axis=-1).mean())
    if astray > DISAGREE_M:
        raise InputError(path, f"its rotations leave its positions by {100.0 * astray:.0f} cm on average", remedy)
    return smpl_motion(path, rotations, positions[:, 0], HZ, offsets)
