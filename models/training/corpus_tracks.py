"""The people of a motion corpus one by one, each moment once: what networks of poses and of motion learn from."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

import numpy as np
from jaxtyping import Bool

from models.body.model import BodyModel
from models.corpus.mirror import MIRRORED
from models.corpus.reader import read_corpus
from models.corpus.writer import Kind
from models.errors import InputError
from models.types import PersonTrack, Role

KINDS: tuple[str, ...] = get_args(Kind)
"""Of items: mocap, fall, look_alike, composed."""


@dataclass(frozen=True)
class CorpusTrack:
    """One person of an item, at the corpus's 20 Hz."""

    track: PersonTrack
    falling: Bool[np.ndarray, "time"]
    """Whether the action is a fall."""
    kind: str
    """One of KINDS."""
    take: str
    held_out: bool
    """Whether the take is of the corpus's val or test split: none is on both sides."""


def corpus_tracks(path: Path, body: BodyModel, without: Collection[str] = ()) -> Iterator[CorpusTrack]:
    """Yield everybody of a corpus file, in its order, but for the items of some sources (`Row.source`).

    Mirrored items are left out, since training mirrors; windows of captured pairs overlap, and begin here where those
    that came before them end. InputError where the corpus is of another body, or cannot be read.
    """
    corpus = read_corpus(path, lambda row: row.source not in without and not row.name.endswith(MIRRORED))
    if corpus.index.body != body.name:
        raise InputError(path, f"is of the body {corpus.index.body}, not {body.name}", "build it with this body")
    seen: dict[str, set[bytes]] = defaultdict(set)
    for place, row in enumerate(corpus.index.rows):
        tracks, before = corpus.tracks(place), seen[row.take].copy()
        for number, person in enumerate(row.people):
            # Overlapping windows hold the same rounded numbers.
            frames = [frame.tobytes() for frame in tracks.rotations[number]]
            first = next((at for at, frame in enumerate(frames) if frame not in before), len(frames))
            seen[row.take].update(frames)
            if first == len(frames):
                continue
            rotations = tracks.rotations[number, first:].astype(np.float64)
            track = PersonTrack(
                person,
                cast(Role, row.roles[number]),
                tracks.betas[number].astype(np.float64),
                rotations[:, 0],
                rotations[:, 1:].reshape(-1, 69),
                tracks.transl[number, first:].astype(np.float64),
                tracks.visible[number, first:],
                tracks.confidence[number, first:].astype(np.float64),
            )
            falling = tracks.actions[number, first:] == corpus.index.actions.index("fall")
            yield CorpusTrack(track, falling, row.kind, row.take, row.split != "train")
