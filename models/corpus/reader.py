"""The motion corpus: many motions in one file, read into memory at once (DESIGN §4, corpus).

A corpus file is `MAGIC`, the SHA-256 of all that follows, the length of the index, the index (JSON, LZMA) and one
compressed block an item (`models/corpus/block_codec.py`). Reading needs numpy and the standard library alone: machines
that train hold little else. `models/corpus/writer.py` writes it.
"""

import hashlib
import json
import lzma
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int8

from models.corpus.block_codec import Tracks, decompress
from models.errors import InputError
from models.types import FPS

MAX_PEOPLE = 5
MAGIC = b"careclips corpus 1\n"
_PREFIX = len(MAGIC) + 32 + 8


@dataclass(frozen=True)
class Row:
    """What the index says of one item."""

    name: str
    """Unique in the corpus."""
    kind: str
    """mocap, fall, look_alike, composed, or own (lifted from a home's own footage)."""
    source: str
    """The data set or the maker: cmu_salsa, physics, ..."""
    licence: str
    take: str
    """The independent take or seed it comes from; windows and mirrors of a take share it, and its split."""
    split: str
    """train, val or test."""
    texts: tuple[str, ...]
    """Captions, each true of the whole item."""
    people: tuple[str, ...]
    roles: tuple[str, ...]
    """Of each of the people."""
    frames: int
    action_seconds: dict[str, float]
    """Person-seconds of each action in it; `unknown` for frames without one."""
    details: dict[str, Any]
    """Facts of the source: cause, direction, onset_s, impact_s, rest_s, ..."""
    block_bytes: int

    @property
    def seconds(self) -> float:
        """How long the item is."""
        return self.frames / FPS


@dataclass(frozen=True)
class Index:
    """All that a corpus file says without decoding a motion."""

    body: str
    """Name of the body model that the betas belong to."""
    actions: tuple[str, ...]
    """What the action numbers mean."""
    dropped: dict[str, int]
    """What was skipped while the corpus was made, counted by reason."""
    rows: tuple[Row, ...]
    """In the order of their names."""
    file_bytes: int


@dataclass(frozen=True)
class Windows:
    """Equally long pieces of items, people in slots, slots in the item's order."""

    rotations: Float32[np.ndarray, "window person time 24 3"]
    """Axis-angle, radians; the root's to the world. Zero in empty slots."""
    transl: Float32[np.ndarray, "window person time 3"]
    """SMPL's, world, metres."""
    betas: Float32[np.ndarray, "window person 10"]
    actions: Int8[np.ndarray, "window person time"]
    """Index into the corpus's actions; -1 unknown, and in empty slots."""
    present: Bool[np.ndarray, "window person"]
    """Slots that hold a person."""
    valid: Bool[np.ndarray, "window time"]
    """Frames that the item has; behind its end its last frame is repeated."""


@dataclass(frozen=True)
class Corpus:
    """A corpus in memory. Frames of all people lie one behind the other: item by item, person by person."""

    index: Index
    """Rows that were not asked for are left out."""
    first_frame: tuple[int, ...]
    """Of each item's first person in the arrays below."""
    first_track: tuple[int, ...]
    """Of each item's first person in `betas`."""
    rotations: Float32[np.ndarray, "frame 24 3"]
    transl: Float32[np.ndarray, "frame 3"]
    actions: Int8[np.ndarray, "frame"]
    visible: Bool[np.ndarray, "frame"]
    confidence: Float32[np.ndarray, "frame"]
    betas: Float32[np.ndarray, "track 10"]

    def tracks(self, item: int) -> Tracks:
        """Return the whole of one item, by its place in the index."""
        row = self.index.rows[item]
        people, track = len(row.people), self.first_track[item]
        part = slice(self.first_frame[item], self.first_frame[item] + people * row.frames)
        return Tracks(
            self.betas[track : track + people],
            self.rotations[part].reshape(people, row.frames, 24, 3),
            self.transl[part].reshape(people, row.frames, 3),
            self.actions[part].reshape(people, row.frames),
            self.visible[part].reshape(people, row.frames),
            self.confidence[part].reshape(people, row.frames),
        )

    def windows(self, picks: Sequence[tuple[int, int]], frames: int, people: int = MAX_PEOPLE) -> Windows:
        """Return a batch of pieces of `frames` frames, each picked by (place of the item in the index, its first
        frame).

        `people` is the number of slots; an assertion fails where an item has more people or starts behind its end.
        """
        items = np.array([item for item, _ in picks])
        starts = np.array([start for _, start in picks])
        lengths = np.array([self.index.rows[item].frames for item in items])
        counts = np.array([len(self.index.rows[item].people) for item in items])
        assert counts.max() <= people and (starts >= 0).all() and (starts < lengths).all()
        slots, frame_numbers = np.arange(people), starts[:, None] + np.arange(frames)
        present = slots < counts[:, None]
        person = np.minimum(slots, counts[:, None] - 1)
        first = np.array(self.first_frame)[items, None] + person * lengths[:, None]
        frame = first[..., None] + np.minimum(frame_numbers, lengths[:, None] - 1)[:, None]
        rotations, transl, actions = self.rotations[frame], self.transl[frame], self.actions[frame]
        betas = self.betas[np.array(self.first_track)[items, None] + person]
        for values, nothing in ((rotations, 0), (transl, 0), (actions, -1), (betas, 0)):
            values[~present] = nothing
        return Windows(rotations, transl, betas, actions, present, frame_numbers < lengths[:, None])


def read_index(path: Path) -> Index:
    """Read what a corpus file holds. InputError for what is none, or is damaged or cut off."""
    return _read(path)[0]


def read_blocks(path: Path) -> tuple[Index, list[bytes]]:
    """Read the index and each item's compressed block. InputError as `read_index`."""
    index, content, at = _read(path)
    blocks = []
    for row in index.rows:
        blocks.append(content[at : at + row.block_bytes])
        at += row.block_bytes
    return index, blocks


def read_corpus(path: Path, keep: Callable[[Row], bool] = lambda _: True) -> Corpus:
    """Read a corpus file, decoded into memory; `keep` leaves items out by their row (split, licence, kind, ...).

    InputError for what is no corpus, is damaged, or has no item that is kept.
    """
    index, blocks = read_blocks(path)
    kept = [(row, block) for row, block in zip(index.rows, blocks, strict=True) if keep(row)]
    if not kept:
        raise InputError(path, f"none of its {len(index.rows)} items is kept", "ask for fewer conditions")
    rows = tuple(row for row, _ in kept)
    tracks = [decompress(block, len(row.people), row.frames) for row, block in kept]
    counts = np.array([len(row.people) for row in rows])
    lengths = np.array([row.frames for row in rows])
    # One array after the other: all at once would hold everything twice.
    arrays = {
        name: np.concatenate([getattr(of, name).reshape(-1, *getattr(of, name).shape[2:]) for of in tracks])
        for name in ("rotations", "transl", "actions", "visible", "confidence")
    }
    return Corpus(
        index=Index(index.body, index.actions, index.dropped, rows, index.file_bytes),
        first_frame=tuple((np.cumsum(counts * lengths) - counts * lengths).tolist()),
        first_track=tuple((np.cumsum(counts) - counts).tolist()),
        betas=np.concatenate([of.betas for of in tracks]),
        **arrays,
    )


def file_content(index: Index, blocks: Sequence[bytes]) -> bytes:
    """Return the bytes of a corpus file; `read_blocks` gives back both (but for `file_bytes`, which is these bytes'
    number)."""
    head = {"body": index.body, "actions": index.actions, "dropped": index.dropped}
    rows = [vars(row) for row in index.rows]
    text = json.dumps(head | {"rows": rows}, sort_keys=True, allow_nan=False, ensure_ascii=False)
    packed = lzma.compress(text.encode())
    content = b"".join([len(packed).to_bytes(8, "little"), packed, *blocks])
    return MAGIC + hashlib.sha256(content).digest() + content


def _read(path: Path) -> tuple[Index, bytes, int]:
    """The index, the file's bytes, and where the blocks begin in them."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})", "name a corpus file") from error
    if not content.startswith(MAGIC):
        found = content[: len(MAGIC)]
        raise InputError(
            path,
            f"is no motion corpus: it begins with {found!r}, not {MAGIC!r}",
            "name a file that the corpus step made",
        )
    if hashlib.sha256(memoryview(content)[len(MAGIC) + 32 :]).digest() != content[len(MAGIC) : len(MAGIC) + 32]:
        raise InputError(
            path,
            f"is damaged or cut off: its {len(content)} bytes are not those its digest is of",
            "copy or make it again",
        )
    blocks = _PREFIX + int.from_bytes(content[_PREFIX - 8 : _PREFIX], "little")
    head = json.loads(lzma.decompress(content[_PREFIX:blocks]))
    rows = []
    for values in head["rows"]:
        lists: dict[str, Any] = {name: tuple(values[name]) for name in ("texts", "people", "roles")}
        rows.append(Row(**(values | lists)))
    return Index(head["body"], tuple(head["actions"]), head["dropped"], tuple(rows), len(content)), content, blocks
