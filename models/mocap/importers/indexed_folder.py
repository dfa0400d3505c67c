"""A folder of motion capture with an `index.csv`: file, format, fps, pair, description.

`fps` is the frame rate of files that have none; of the others it is not read. Rows with the same `pair` are people of
one world at the same timestamps: one `Motion`.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from models.body.model import BodyModel
from models.mocap.importers.folder import read_all
from models.mocap.importers.skeleton_files import OWN_HZ, READERS
from models.mocap.retarget import retarget
from models.mocap.skeleton_motion import FASTEST_HZ, SLOWEST_HZ, SkeletonMotion
from models.text_files import read_table
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
    """Read takes in the order of their first rows; raises InputError for an index that lacks a column, names no
    format of ours or no frame rate of a file that has none, or leaves the folder.

    Files are not opened.
    """
    path = folder / "index.csv"
    takes: dict[str, IndexedTake] = {}
    files: set[str] = set()
    for row in read_table(path, COLUMNS):
        file, kind, pair = row.text("file"), row.cells["format"], row.cells["pair"]
        if kind not in READERS:
            raise row.fail(f"format {kind!r} is none of {', '.join(READERS)}", "correct the line")
        if Path(file).is_absolute() or ".." in Path(file).parts:
            raise row.fail(f"{file} leaves the folder", "give paths below it")
        if file in files:
            raise row.fail(f"{file} is listed already", "keep one of the lines")
        files.add(file)
        hz = 0.0
        if kind in OWN_HZ:
            hz = row.number("fps")
            if not SLOWEST_HZ <= hz <= FASTEST_HZ:
                raise row.fail(f"fps is {hz:g}, expected 1 to 1000 frames a second", "correct the line")
        texts = tuple(filter(None, [row.cells["description"]]))
        take = IndexedTake((folder / file,), kind, hz, texts)
        key = f"pair {pair}" if pair else file
        if key in takes:
            together = takes[key]
            if (together.kind, together.hz) != (kind, hz):
                raise row.fail(f"pair {pair} is of several formats or rates", "give people of a pair in one format")
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
    """Read all takes of the folder; one that cannot be read is skipped, and that is logged. InputError if none can."""
    takes = {take.paths[0]: take for take in index_takes(path)}
    return read_all(list(takes), lambda file: read_take(takes[file], body, betas, fps), path, "takes in index.csv")
