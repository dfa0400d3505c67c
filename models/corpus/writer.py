"""Making a corpus file: items checked, split by their take, compressed, written whole; and smaller packs of one.

The same items give the same bytes, in whatever order they come.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from models.corpus.block_codec import Tracks, compress
from models.corpus.reader import MAX_PEOPLE, Corpus, Index, Row, file_content, read_blocks
from models.errors import InputError
from models.files import write_bytes
from models.types import ACTIONS, FPS, Motion, PersonTrack

Kind = Literal["mocap", "fall", "look_alike", "composed", "own"]
Split = Literal["train", "val", "test"]
PACK_BYTES = 24_000_000
_HELD_OUT: tuple[tuple[Split, int], ...] = (("test", 10), ("val", 20))
"""Of a hundred takes: below 10 test, below 20 val, the rest train."""


@dataclass(frozen=True)
class Item:
    """One motion and what is known of it."""

    name: str
    """Unique in the corpus."""
    motion: Motion
    """1 to 5 people at 20 Hz, world frame, floor at z = 0; `details` holds plain values, as JSON does."""
    texts: tuple[str, ...]
    """Captions, each true of the whole item; at least one."""
    source: str
    """The data set or the maker: cmu_salsa, physics, ..."""
    licence: str
    take: str
    """The independent take or seed it comes from: its windows and mirrors share it. Compositions join takes of one
    split only (`split_of`) and are named after one of them."""
    kind: Kind


def split_of(take: str) -> Split:
    """Return which split a take belongs to: four in five train, one in ten each val and test, by the digest of its
    name."""
    place = int.from_bytes(hashlib.sha256(take.encode()).digest()[:8], "little") % 100
    for split, below in _HELD_OUT:
        if place < below:
            return split
    return "train"


def write_corpus(path: Path, items: Iterable[Item], body: str, dropped: Mapping[str, int]) -> Index:
    """Write a corpus file, whole or not at all, and give its index.

    `body` names the body model of all betas; `dropped` counts by reason what was skipped. Items may come one by one.
    InputError names the item that cannot be stored: numbers that are not finite, another rate than 20 Hz, too many
    people, no caption, a name that is there already.
    """
    made: dict[str, tuple[Row, bytes]] = {}
    for item in items:
        if item.name in made:
            raise InputError(f"item {item.name}", "is in the corpus already", "give every item a name of its own")
        made[item.name] = _encoded(item)
    if not made:
        raise InputError(path, "no item was given for the corpus", "see why the sources were skipped")
    rows = [made[name] for name in sorted(made)]
    return _write(path, Index(body, ACTIONS, dict(dropped), tuple(row for row, _ in rows), 0), [b for _, b in rows])


def join_corpora(parts: Sequence[Path], path: Path, dropped: Mapping[str, int]) -> Index:
    """Write one corpus file of several; blocks are copied. `dropped` is of all parts. InputError where bodies differ or
    a name comes twice."""
    bodies: set[str] = set()
    blocks: dict[str, tuple[Row, bytes]] = {}
    for part in parts:
        index, found = read_blocks(part)
        bodies.add(index.body)
        for row, block in zip(index.rows, found, strict=True):
            if row.name in blocks:
                raise InputError(
                    f"item {row.name}", "is in two parts of the corpus", "give every item a name of its own"
                )
            blocks[row.name] = (row, block)
    if len(bodies) != 1:
        raise InputError(
            path, f"joins parts of {len(bodies)} bodies ({', '.join(sorted(bodies))})", "join those of one body"
        )
    rows = [blocks[name][0] for name in sorted(blocks)]
    index = Index(bodies.pop(), ACTIONS, dict(sorted(dropped.items())), tuple(rows), 0)
    return _write(path, index, [blocks[row.name][1] for row in rows])


def motion_of(corpus: Corpus, item: int) -> Motion:
    """Return one item of a corpus as a motion, by its place in the index."""
    row, tracks = corpus.index.rows[item], corpus.tracks(item)
    numbers = np.array([*map(ACTIONS.index, corpus.index.actions), -1])
    people = tuple(
        PersonTrack(
            name,
            role,  # pyright: ignore[reportArgumentType]
            betas.astype(np.float64),
            rotations[:, 0].astype(np.float64),
            rotations[:, 1:].reshape(row.frames, 69).astype(np.float64),
            transl.astype(np.float64),
            visible,
            confidence.astype(np.float64),
        )
        for name, role, betas, rotations, transl, visible, confidence in zip(
            row.people,
            row.roles,
            tracks.betas,
            tracks.rotations,
            tracks.transl,
            tracks.visible,
            tracks.confidence,
            strict=True,
        )
    )
    return Motion(np.arange(row.frames) / FPS, people, numbers[tracks.actions], row.source, row.details)


def write_pack(
    corpus: Path,
    path: Path,
    max_bytes: int = PACK_BYTES,
    licences: Collection[str] | None = None,
    splits: Collection[Split] = ("train", "val"),
) -> Index:
    """Write a corpus file of some of another's items, for training elsewhere; deterministic.

    Takes what `licences` (None: any) and `splits` allow, in turn from the kind, and in it from the action, that has the
    fewest bytes so far, until nothing more fits. An item counts as the rarest action that it shows for half a second.
    InputError where nothing may be taken.
    """
    index, blocks = read_blocks(corpus)
    block_of = {row.name: block for row, block in zip(index.rows, blocks, strict=True)}
    allowed = [row for row in index.rows if row.split in splits and (licences is None or row.licence in licences)]
    left = _groups(allowed)
    taken: list[Row] = []
    spent: dict[tuple[str, ...], int] = defaultdict(int)
    # The index grows with the rows: it is measured, not guessed.
    room = max_bytes - len(file_content(Index(index.body, index.actions, index.dropped, tuple(allowed), 0), []))
    while left:
        kind, action = min(left, key=lambda group: (spent[group[:1]], spent[group], group))
        row = left[kind, action].pop()
        if not left[kind, action]:
            del left[kind, action]
        if row.block_bytes <= room:
            taken.append(row)
            room -= row.block_bytes
            spent[(kind,)] += row.block_bytes
            spent[kind, action] += row.block_bytes
    if not taken:
        licences = ", ".join(sorted({row.licence for row in index.rows}))
        raise InputError(
            corpus,
            f"none of its {len(index.rows)} items may be packed into {max_bytes} bytes",
            f"ask for other licences (it has {licences}) or for more room",
        )
    rows = tuple(sorted(taken, key=lambda row: row.name))
    return _write(path, Index(index.body, index.actions, index.dropped, rows, 0), [block_of[row.name] for row in rows])


def _groups(rows: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    """Rows by kind and action, each group in an order that only their names decide."""
    total: dict[str, float] = defaultdict(float)
    for row in rows:
        for action, seconds in row.action_seconds.items():
            total[action] += seconds
    groups = defaultdict(list)
    for row in sorted(rows, key=lambda row: hashlib.sha256(row.name.encode()).digest()):
        shown = [action for action, seconds in row.action_seconds.items() if seconds >= 0.5] or [*row.action_seconds]
        groups[row.kind, min(shown, key=lambda action: (total[action], action))].append(row)
    return dict(groups)


def _write(path: Path, index: Index, blocks: Sequence[bytes]) -> Index:
    content = file_content(index, blocks)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, content)
    return Index(index.body, index.actions, index.dropped, index.rows, len(content))


def _encoded(item: Item) -> tuple[Row, bytes]:
    _check(item)
    motion = item.motion
    tracks = Tracks(
        np.stack([track.betas for track in motion.people]).astype(np.float32),
        np.stack([np.concatenate([track.global_orient, track.body_pose], axis=1) for track in motion.people])
        .reshape(len(motion.people), -1, 24, 3)
        .astype(np.float32),
        np.stack([track.transl for track in motion.people]).astype(np.float32),
        motion.actions.astype(np.int8),
        np.stack([track.visible for track in motion.people]),
        np.stack([track.confidence for track in motion.people]).astype(np.float32),
    )
    block = compress(tracks)
    numbers, counts = np.unique(motion.actions, return_counts=True)
    row = Row(
        name=item.name,
        kind=item.kind,
        source=item.source,
        licence=item.licence,
        take=item.take,
        split=split_of(item.take),
        texts=item.texts,
        people=tuple(track.person for track in motion.people),
        roles=tuple(track.role for track in motion.people),
        frames=len(motion.timestamps_s),
        action_seconds={
            (ACTIONS[number] if number >= 0 else "unknown"): float(count / FPS)
            for number, count in zip(numbers, counts, strict=True)
        },
        details=motion.details,
        block_bytes=len(block),
    )
    return row, block


def _check(item: Item) -> None:
    """Raise InputError where the item cannot be stored as it is."""
    motion, what = item.motion, f"item {item.name}"
    if not 1 <= len(motion.people) <= MAX_PEOPLE:
        raise InputError(what, f"has {len(motion.people)} people, 1 to {MAX_PEOPLE} expected", "leave some out")
    timestamps = motion.timestamps_s - motion.timestamps_s[:1]
    if len(timestamps) == 0 or np.abs(timestamps - np.arange(len(timestamps)) / FPS).max() > 1e-3:
        raise InputError(what, f"is not sampled at {FPS:g} Hz", "resample it")
    for track in motion.people:
        for name in ("betas", "global_orient", "body_pose", "transl", "confidence"):
            if not np.isfinite(getattr(track, name)).all():
                raise InputError(
                    what,
                    f"{name} of {track.person} holds numbers that are not finite",
                    "mend it, or leave the item out",
                )
    if not ((motion.actions >= -1) & (motion.actions < len(ACTIONS))).all():
        raise InputError(what, f"has actions outside -1 to {len(ACTIONS) - 1}", "use indices into ACTIONS")
    if not item.texts or not all(text.strip() for text in item.texts):
        raise InputError(what, "has no caption, or an empty one", "describe it in words")
    if not item.licence or not item.take:
        raise InputError(what, "does not say its licence or its take", "name both")
    try:
        json.dumps(motion.details, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(
            what, f"details are not plain values ({error})", "use text, numbers, lists and dicts"
        ) from error
