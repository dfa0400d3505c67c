"""HumanML3D: a folder with `new_joint_vecs/<name>.npy` and `texts/<name>.txt`, 20 Hz, y up, metres.

A row has 263 numbers, of which the root's turn about y, its path on the floor and its height (4) and the other 21
joints beside it (63) say where all 22 joints are; its rotations are not SMPL's and are not used. A line of the text is
`caption#words#from#to`: where from or to is not 0, the caption is of that part of the take alone, in seconds, and the
part becomes a motion of its own, as the data set's own loader has it. Source: C. Guo et al. (2022),
github.com/EricGuo5513/HumanML3D, motion_representation: recover_from_ric.
"""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from models.body.model import BodyModel
from models.errors import InputError
from models.files import finite, read_arrays
from models.mocap.importers.caption_files import read_lines
from models.mocap.importers.folder import read_all
from models.mocap.joint_positions import motion_from_positions
from models.mocap.retarget import retarget
from models.types import Motion

HZ = 20.0
WIDTH = 263
REMEDY = "give the folder that holds new_joint_vecs and texts"


def read(path: Path, body: BodyModel, betas: Float[np.ndarray, "10"], fps: float = 20.0) -> list[Motion]:
    """Read every take of the folder and every captioned part, in the order of names; one that is not whole is skipped,
    and that is logged.

    A file of `new_joint_vecs` in place of the folder stands for that take alone. InputError where nothing can be read.
    """
    folder = path.parents[1] if path.suffix == ".npy" else path
    vectors, texts = folder / "new_joint_vecs", folder / "texts"
    missing = [part.name for part in (vectors, texts) if not part.is_dir()]
    if missing:
        raise InputError(folder, f"has no folder {', '.join(missing)}", REMEDY)

    def take(file: Path) -> list[Motion]:
        source = motion_from_positions(file, read_positions(file), HZ)
        motions = []
        for (start, end), captions in read_captions(texts / f"{file.stem}.txt").items():
            window = None if end == 0.0 else (start, end)
            motion = retarget([source], body, betas, fps, window_s=window)
            details = {"texts": captions} | ({} if window is None else {"start_s": start, "end_s": end})
            motions.append(replace(motion, details=motion.details | details))
        return motions

    if path.suffix == ".npy":
        return take(path)
    found = read_all(sorted(vectors.glob("*.npy")), take, vectors, "*.npy")
    return [motion for motions in found for motion in motions]


def read_captions(path: Path) -> dict[tuple[float, float], tuple[str, ...]]:
    """Read captions by the part (start, end) in seconds that they describe; (0, 0) is the whole take. InputError if
    garbled."""
    parts: dict[tuple[float, float], tuple[str, ...]] = {}
    for line in read_lines(path):
        caption, *rest = line.split("#")
        try:
            # The data set writes nan where nobody knows.
            _, *span = rest
            start, end = (0.0 if math.isnan(float(value)) else float(value) for value in span)
            if (start, end) != (0.0, 0.0) and not 0.0 <= start < end < math.inf:
                raise ValueError("the part ends before it begins")
        except ValueError as error:
            raise InputError(
                path, f"has the line '{line[:60]}'", "write caption#words#from#to, seconds, from before to"
            ) from error
        parts[start, end] = (*parts.get((start, end), ()), caption.strip())
    return parts


def read_positions(path: Path) -> Float[np.ndarray, "time 22 3"]:
    """Read places of SMPL's 22 joints, y up, metres; raises InputError for another layout."""
    remedy = f"give a file of new_joint_vecs: frames of {WIDTH} numbers"
    rows = finite(path, "array", read_arrays(path, remedy).get("array", np.zeros(0)), remedy)
    if rows.ndim != 2 or rows.shape[1] != WIDTH or len(rows) < 2:
        raise InputError(path, f"is {rows.shape}, expected two frames or more of {WIDTH} numbers", remedy)
    # The first number is half the angle by which the root turns until the next frame.
    half = np.concatenate([[0.0], np.cumsum(rows[:-1, 0])])
    back = Rotation.from_rotvec(-2.0 * half[:, None] * np.array([0.0, 1.0, 0.0])).as_matrix()
    steps = np.zeros((len(rows), 3))
    steps[1:, [0, 2]] = rows[:-1, 1:3]
    root = np.cumsum(np.einsum("tij,tj->ti", back, steps), axis=0)
    root[:, 1] = rows[:, 3]
    beside = np.einsum("tij,tkj->tki", back, rows[:, 4:67].reshape(-1, 21, 3))
    return np.concatenate([root[:, None], beside + root[:, None] * np.array([1.0, 0.0, 1.0])], axis=1)
