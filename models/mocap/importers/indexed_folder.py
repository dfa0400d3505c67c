"""A folder of motion capture with an `index.csv`: file, format, fps, pair, description; and licence, use, subject where
it has them.

The first word of `format` says which; more may follow. `file` is `<npz>#<episode>` where a file holds many. `fps` is
the frame rate of files that have none; of the others it is not read. Rows with the same `pair` are people of one world
at the same timestamps: one `Motion`.
"""

import re
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
    episodes: tuple[str, ...]
    """Of each file; empty where it holds but one."""
    licence: str = ""
    """What the index says; empty where it says nothing."""
    uses: tuple[str, ...] = ()
    """What the index allows each file to be used for; nothing of an index without that column."""

    def sources(self) -> tuple[SkeletonMotion, ...]:
        """Read the skeletons of everyone; raises InputError where a file cannot be read."""
        return tuple(
            READERS[self.kind](path, self.hz, episode) for path, episode in zip(self.paths, self.episodes, strict=True)
        )

    def name(self, root: Path) -> str:
        """Return one name in the folder for the take: its files without suffix, and the episode in each."""
        files = [path.relative_to(root).with_suffix("") for path in self.paths]
        return "+".join(str(file / episode) for file, episode in zip(files, self.episodes, strict=True))


def index_takes(folder: Path) -> list[IndexedTake]:
    """Read takes in the order of their first rows; raises InputError for an index that lacks a column, names no
    format of ours or no frame rate of a file that has none, or leaves the folder.

    Files are not opened.
    """
    path = folder / "index.csv"
    takes: dict[str, IndexedTake] = {}
    files: set[str] = set()
    for row in read_table(path, COLUMNS):
        file, form, pair = row.text("file"), row.cells["format"], row.cells["pair"]
        kind = re.match(r"[\w-]*", form)[0]  # pyright: ignore[reportOptionalSubscript]
        if kind not in READERS:
            raise row.fail(f"format {form!r} is none of {', '.join(READERS)}", "correct the line")
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
        path_in, _, episode = file.rpartition("#") if kind == "npz" else (file, "", "")
        if not path_in:
            raise row.fail(f"{file} names no episode", "write <file>#<episode>")
        uses = (row.cells["use"],) if "use" in row.cells else ()
        take = IndexedTake((folder / path_in,), kind, hz, texts, (episode,), row.cells.get("licence", ""), uses)
        key = f"pair {pair}" if pair else file
        if key in takes:
            together = takes[key]
            if (together.kind, together.hz) != (kind, hz):
                raise row.fail(f"pair {pair} is of several formats or rates", "give people of a pair in one format")
            if together.licence != take.licence:
                raise row.fail(f"pair {pair} is under several licences", "give people of a pair under one")
            take = replace(
                together,
                paths=together.paths + take.paths,
                texts=tuple(dict.fromkeys(together.texts + texts)),
                episodes=together.episodes + take.episodes,
                uses=together.uses + take.uses,
            )
        takes[key] = take
    return list(takes.values())


def read_take(take: IndexedTake, body: BodyModel, betas: Float[np.ndarray, "10"], fps: float = 20.0) -> Motion:
    """Read a take as `retarget` brings it on the body, captions in `details["texts"]`; raises InputError as that
    does."""
    motion = retarget(take.sources(), body, betas, fps)
    return replace(motion, details=motion.details | {"texts": take.texts})


def read(path: Path, body: BodyModel, betas: Float[np.ndarray, "10"], fps: float = 20.0) -> list[Motion]:
    """Read all takes of the folder; one that cannot be read is skipped, and that is logged. InputError if none can."""
    takes = {Path(take.name(path)): take for take in index_takes(path)}
    return read_all(list(takes), lambda name: read_take(takes[name], body, betas, fps), path, "takes in index.csv")
