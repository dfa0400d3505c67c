"""A folder of motion capture with an `index.csv`: file, format, fps, pair, description.

`fps` is the frame rate of files that have none. Rows with the same `pair` are people of one world at the same
timestamps: one `Motion`.
"""

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from models.body.model import BodyModel
from models.errors import InputError
from models.mocap.importers.skeleton_files import READERS
from models.mocap.retarget import retarget
from models.mocap.skeleton_motion import SkeletonMotion
from models.types import Motion

COLUMNS = ("file", "format", "fps", "pair", "description")


@dataclass(frozen=True)
class IndexedTake:
    """One take of an indexed folder: a file, or several that were captured together."""

    paths: tuple[Path, ...]
    """One for each person."""
    kind: str
    """A key of `READERS`."""
    hz: float
    texts: tuple[str, ...]

    def sources(self) -> tuple[SkeletonMotion, ...]:
        """Read the skeletons of everyone; raises InputError where a file cannot be read."""
        return tuple(READERS[self.kind](path, self.hz) for path in self.paths)


def index_takes(folder: Path) -> list[IndexedTake]:
    """Read takes in the order of their first rows; raises InputError for an index that lacks a column or names no
    format of ours.

    Files are not opened.
    """
    path = folder / "index.csv"
    remedy = f"write a table with the columns {', '.join(COLUMNS)}"
    try:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(path, f"cannot be read as a table ({error})", remedy) from error
    missing = [name for name in COLUMNS if not rows or rows[0].get(name) is None]
    if missing:
        raise InputError(path, f"has no {', '.join(missing)}", remedy)
    takes: dict[str, IndexedTake] = {}
    for number, row in enumerate(rows, 2):
        if row["format"] not in READERS:
            known = ", ".join(READERS)
            raise InputError(path, f"line {number}: format '{row['format']}' is none of {known}", "correct the line")
        try:
            hz = float(row["fps"])
        except ValueError as error:
            raise InputError(path, f"line {number}: fps '{row['fps']}' is no number", "correct the line") from error
        texts = tuple(filter(None, [row["description"].strip()]))
        take = IndexedTake((folder / row["file"],), row["format"], hz, texts)
        key = f"pair {row['pair']}" if row["pair"] else row["file"]
        if key in takes:
            together = takes[key]
            texts = tuple(dict.fromkeys(together.texts + texts))
            take = replace(together, paths=together.paths + take.paths, texts=texts)
        takes[key] = take
    return list(takes.values())


def read_take(take: IndexedTake, body: BodyModel, betas: Float[np.ndarray, "10"], fps: float = 20.0) -> Motion:
    """Read a take as `retarget` brings it on the body, captions in `details["texts"]`; raises InputError as that
    does."""
    motion = retarget(take.sources(), body, betas, fps)
    return replace(motion, details=motion.details | {"texts": take.texts})


def read(path: Path, body: BodyModel, betas: Float[np.ndarray, "10"], fps: float = 20.0) -> list[Motion]:
    """Read all takes of the folder; raises InputError at the first that cannot be read. To skip those, read take by
    take."""
    return [read_take(take, body, betas, fps) for take in index_takes(path)]
