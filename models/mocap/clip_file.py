"""The motion of a made clip: DATASET/clips/<id>.npz as `stages/dataset.py` writes it, AMASS-style for one person and
more."""

from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from models.errors import InputError
from models.types import Motion, PersonTrack


def read_motion(path: Path) -> Motion:
    """Read what `write_motion` wrote, but for the camera. Raises InputError where the file is none of ours."""
    try:
        with np.load(path, allow_pickle=False) as data:
            names, roles, times = data["people"].tolist(), data["roles"].tolist(), data["timestamps_s"]
            poses, visible = ([data[f"{key}_{i}"] for i in range(len(names))] for key in ("poses", "visible"))
            betas, transl = ([data[f"{key}_{i}"] for i in range(len(names))] for key in ("betas", "trans"))
            actions = [data[f"actions_{i}"] for i in range(len(names))]
    except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise InputError(path, f"is no motion of a dataset ({error})", "give DATASET/clips/<id>.npz") from error
    people = tuple(
        PersonTrack(
            name,
            role,
            b.astype(np.float64),
            p[:, :3].astype(np.float64),
            p[:, 3:].astype(np.float64),
            t.astype(np.float64),
            seen,
            seen.astype(np.float64),
        )
        for name, role, b, p, t, seen in zip(names, roles, betas, poses, transl, visible, strict=True)
    )
    return Motion(times, people, np.array(actions, dtype=int).reshape(len(people), len(times)), path.name)
