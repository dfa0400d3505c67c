"""Tracks that people3d lifted from video, and made clips, in a store: STORE/people3d/<key>, STORE/clip/<key>."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from models import codec
from models.body.model import BodyModel
from models.errors import InputError
from models.mocap.importers.own_body import sampled_at
from models.text_files import read_json
from models.types import LabelledClip, Motion

REMEDY = "give STORE/people3d/<key>, STORE/clip/<key> or DATASET/clips/<id>.npz"


def read_artefact(folder: Path, body: BodyModel) -> Motion:
    """Read the motion of an artefact as it is; InputError where it holds none, or was made with another body."""
    if not (folder / "value.json").exists():
        raise InputError(folder, "holds no motion", REMEDY)
    value = codec.load(folder, "value")
    motion = value.motion if isinstance(value, LabelledClip) else value
    if not isinstance(motion, Motion):
        raise InputError(folder, "holds no motion", REMEDY)
    meta = read_json(folder / "meta.json")
    inputs = meta.get("inputs") if isinstance(meta, dict) else None
    if not isinstance(inputs, dict):
        raise InputError(folder / "meta.json", "is damaged: it names no inputs", REMEDY)
    if inputs.get("body", body.digest) != body.digest:
        raise InputError(folder, "was made with another body than run.body", "give the config that it was made with")
    text = value.order.get("text", "") if isinstance(value, LabelledClip) else ""
    return replace(motion, details=motion.details | {"texts": (text,) if text else ()})


def read(path: Path, body: BodyModel, betas: Float[np.ndarray, "10"], fps: float = 20.0) -> list[Motion]:
    """Read the one motion of an artefact; raises InputError as `read_artefact` does.

    People keep the betas that they were lifted or made with, and `betas` is for nobody.
    """
    return [sampled_at(read_artefact(path, body), body, fps)]
