"""Clips of a dataset that this program made: DATASET/clips/<id>.npz."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from models.body.model import BodyModel
from models.mocap.clip_file import is_part, read_motion
from models.mocap.importers.own_body import sampled_at
from models.types import Motion


def read(path: Path, body: BodyModel, betas: Float[np.ndarray, "10"], fps: float = 20.0) -> list[Motion]:
    """Read the one motion of a clip, or those of a folder of clips; InputError for another file.

    People keep the betas that they were made with, and `betas` is for nobody: the file does not tell of which body they
    are.
    """
    paths = [file for file in sorted(path.glob("*.npz")) if not is_part(file)] if path.is_dir() else [path]
    motions = [sampled_at(read_motion(file), body, fps) for file in paths]
    return [replace(motion, details=motion.details | {"texts": ()}) for motion in motions]
