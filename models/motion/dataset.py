"""Batches of motion out of a corpus: features in the first person's frame, captions, roles and bones. Needs what
`models/training/motion/train.py` needs.

Items of about one length and one number of people come together, so that little of a batch is padding. What step n sees
depends on the seed and n alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from models.body.kinematics import bone_lengths
from models.body.rest_skeleton import RestSkeleton
from models.corpus.reader import Corpus, Row
from models.errors import InputError
from models.motion.features import FEATURES, canonicalise, encode, positions
from models.motion.holding import gap
from models.motion.interactive_pose import interactive_frames
from models.types import FPS, Role

ROLES: tuple[Role, ...] = get_args(Role)
POOL = 8
"""Batches drawn at a time, then sorted by length."""
LEAD_FRAMES = 10
"""Shown before the onset at least, where a fall must be cut."""


@dataclass(frozen=True)
class MotionBatch:
    """Scenes padded to equally many people, in canonical frames, not normalised."""

    features: Float[Tensor, "batch person time 268"]
    """Zero where nobody is."""
    mask: Bool[Tensor, "batch person time"]
    """Frames that a person has."""
    roles: Int[Tensor, "batch person"]
    """Index into ROLES; -1 where nobody is."""
    rest: Float[Tensor, "batch person 22 3"]
    """Joints at rest, the body's own axes, metres."""
    texts: tuple[str, ...]
    """A caption for each scene."""
    items: Int[Tensor, "batch"]
    """Place of each scene's item in the corpus' index."""
    starts: Int[Tensor, "batch"]
    """First frame of each scene in its item."""
    interactive: Bool[Tensor, "batch time"] | None = None
    """Frames that can be the pose that motion is made around (`models.motion.interactive_pose`)."""

    @property
    def bones(self) -> Float[Tensor, "batch person 21"]:
        """Measure the bones at rest, metres."""
        return bone_lengths(self.rest)


@dataclass(frozen=True)
class Piece:
    """A window of an item, people in an order of their own."""

    item: int
    start: int
    frames: int
    order: tuple[int, ...]
    text: int
    """Which caption."""


class MotionData:
    """A corpus as features in memory (about 0.5 GB for six hours); windows of one frame are of interactive poses.

    InputError for a corpus that is not finite, or of another body than the skeleton's.
    """

    def __init__(self, corpus: Corpus, skeleton: RestSkeleton, max_frames: int):
        if corpus.index.body != skeleton.name:
            raise InputError(
                "corpus",
                f"its bodies are {corpus.index.body}, the skeleton is of {skeleton.name}",
                "name the skeleton that was written with the corpus",
            )
        for name in ("rotations", "transl", "betas"):
            if not np.isfinite(getattr(corpus, name)).all():
                raise InputError("corpus", f"holds {name} that are not finite", "build it again")
        self.rows: tuple[Row, ...] = corpus.index.rows
        self.max_frames = max_frames
        self._features, self._rest = [], []
        self._gaps: dict[int, Tensor] = {}
        for item in range(len(self.rows)):
            tracks = corpus.tracks(item)
            rest = skeleton.rest_joints(torch.as_tensor(tracks.betas))
            self._rest.append(rest)
            self._features.append(encode(rest, torch.as_tensor(tracks.rotations), torch.as_tensor(tracks.transl)))

    def where(self, keep: Callable[[Row], bool]) -> Int[np.ndarray, "item"]:
        """Find the places of the items that are kept; InputError where none is."""
        kept = np.array([item for item, row in enumerate(self.rows) if keep(row)], dtype=np.int64)
        if not len(kept):
            raise InputError("corpus", f"none of its {len(self.rows)} items is of the kind asked for", "ask for less")
        return kept

    def batch(self, pieces: Sequence[Piece], stride: int = 1) -> MotionBatch:
        """Collect windows, padded to the most people and frames among them; with a stride, every so many frames."""
        people, frames = max(len(p.order) for p in pieces), max(-(-p.frames // stride) for p in pieces)
        features = torch.zeros(len(pieces), people, frames, FEATURES)
        mask = torch.zeros(len(pieces), people, frames, dtype=torch.bool)
        roles = torch.full((len(pieces), people), -1)
        rest = torch.zeros(len(pieces), people, 22, 3)
        for at, piece in enumerate(pieces):
            order, row = list(piece.order), self.rows[piece.item]
            values = self._features[piece.item][order, piece.start : piece.start + piece.frames : stride]
            count, length = len(order), values.shape[1]
            features[at, :count, :length] = canonicalise(values[None])[0][0]
            mask[at, :count, :length] = True
            roles[at, :count] = torch.tensor([ROLES.index(row.roles[person]) for person in order])
            rest[at, :count] = self._rest[piece.item][order]
        texts = tuple(self.rows[piece.item].texts[piece.text] for piece in pieces)
        items, starts = ([getattr(piece, name) for piece in pieces] for name in ("item", "start"))
        return MotionBatch(features, mask, roles, rest, texts, torch.tensor(items), torch.tensor(starts))

    def with_poses(self, batch: MotionBatch) -> MotionBatch:
        """Say of a batch, not strided, which of its frames can be interactive poses."""
        there = batch.mask.any(1)
        gaps = torch.full(there.shape, torch.inf)
        for at, (item, start) in enumerate(zip(batch.items.tolist(), batch.starts.tolist(), strict=True)):
            length = int(there[at].sum())
            gaps[at, :length] = self._gap(item)[start : start + length]
        return replace(batch, interactive=interactive_frames(gaps, there))

    def _gap(self, item: int) -> Float[Tensor, "time"]:
        """How near people of an item are to each other, measured once: it takes time."""
        if item not in self._gaps:
            self._gaps[item] = gap(positions(self._features[item]))
        return self._gaps[item]

    def held_out(self, items: Int[np.ndarray, "item"], stride: int | None = None) -> list[Piece]:
        """List every item once, whole or cut as in training (by its first caption, its people as they stand).

        With a stride, windows of all its length.
        """
        pieces = []
        for item in items:
            row = self.rows[item]
            order = tuple(range(len(row.people)))
            length = min(row.frames, self.max_frames)
            starts = range(0, row.frames - length + 1, stride) if stride else (self._first_start(int(item)),)
            pieces += [Piece(int(item), start, length, order, 0) for start in starts]
        return pieces

    def _first_start(self, item: int) -> int:
        if self.max_frames == 1:
            frames = self._poses(item)
            return int(frames[len(frames) // 2])
        low, high = self._starts(self.rows[item])
        return (low + high) // 2

    def _drawn_start(self, item: int, rng: np.random.Generator) -> int:
        if self.max_frames == 1:
            return int(rng.choice(self._poses(item)))
        low, high = self._starts(self.rows[item])
        return int(rng.integers(low, high + 1))

    def _poses(self, item: int) -> Int[np.ndarray, "pose"]:
        """Frames of an item that are interactive poses."""
        gaps = self._gap(item)[None]
        return interactive_frames(gaps, torch.ones_like(gaps, dtype=torch.bool))[0].nonzero()[:, 0].numpy()

    def _starts(self, row: Row) -> tuple[int, int]:
        """First and last frame at which a window may begin; of a fall, one that shows it."""
        last = max(row.frames - self.max_frames, 0)
        if "onset_s" not in row.details:
            return 0, last
        onset, rest = round(row.details["onset_s"] * FPS), round(row.details.get("rest_s", 0.0) * FPS)
        latest = min(last, max(onset - LEAD_FRAMES, 0))
        return min(max(rest + LEAD_FRAMES - self.max_frames, 0), latest), latest

    def draw(
        self,
        items: Int[np.ndarray, "item"],
        weights: Float[np.ndarray, "item"],
        size: int,
        step: int,
        seed: int,
        stride: int = 1,
    ) -> MotionBatch:
        """Draw the batch of one step: `size` scenes, people permuted, captions drawn; every `stride` frames."""
        pool, place = divmod(step, POOL)
        rng = np.random.default_rng([seed, pool])
        picked = rng.choice(items, size * POOL, p=weights / weights.sum())
        pieces = []
        for item in picked:
            row = self.rows[item]
            piece = Piece(
                int(item),
                self._drawn_start(int(item), rng),
                min(row.frames, self.max_frames),
                tuple(int(person) for person in rng.permutation(len(row.people))),
                int(rng.integers(len(row.texts))),
            )
            pieces.append(piece)
        pieces.sort(key=lambda piece: (len(piece.order), piece.frames))
        place = int(rng.permutation(POOL)[place])
        return self.batch(pieces[place * size : (place + 1) * size], stride)


def at_moments(batch: MotionBatch, stride: int) -> MotionBatch:
    """Take every `stride`th frame of a batch."""
    return replace(batch, features=batch.features[:, :, ::stride], mask=batch.mask[:, :, ::stride])


def draw_identity_ids(batch: MotionBatch, max_people: int, generator: torch.Generator) -> Int[Tensor, "batch person"]:
    """Draw which identity each person is given, without repetition."""
    count, people = batch.roles.shape
    return torch.rand(count, max_people, generator=generator).argsort(dim=-1)[:, :people]


def to_device(batch: MotionBatch, device: torch.device) -> MotionBatch:
    """Move a batch to another device."""
    moved = {name: value.to(device) for name, value in vars(batch).items() if isinstance(value, Tensor)}
    return replace(batch, **moved)
