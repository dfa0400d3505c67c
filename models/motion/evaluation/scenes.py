"""Scenes that motion is evaluated on: real windows of a corpus, and what a motion model makes of their captions."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.corpus.reader import Corpus, Row
from models.errors import InputError
from models.motion.dataset import ROLES, MotionData, Piece
from models.motion.interactive_pose import middle_pose
from models.motion.request import MotionRequest
from models.motion.sampler import MotionSampler
from models.seeds import generator
from models.types import Role

GROUPS = ("single", "captured_pairs", "composed_pairs")


@dataclass(frozen=True)
class Scene:
    """One motion that is evaluated."""

    features: Float[Tensor, "person time 268"]
    """In the canonical frame, not normalised; the contacts are those that the motion states."""
    roles: Int[Tensor, "person"]
    rest: Float[Tensor, "person 22 3"]
    betas: Float[Tensor, "person 10"]
    text: str
    """The caption that it was made for."""
    row: Row
    """The item whose caption that is; of real motion, its own."""
    take: str
    """The independent take that the motion, or its caption, comes from."""
    raw: Float[Tensor, "person time 268"] | None = None
    """Of sampled motion, what it was before it was cleaned up."""
    asked: Float[Tensor, "person time 268"] | None = None
    """Of sampled motion, the real one whose caption it was sampled for."""

    @property
    def group(self) -> str:
        """Return one of GROUPS."""
        if len(self.row.people) == 1:
            return GROUPS[0]
        return GROUPS[2] if self.row.kind == "composed" else GROUPS[1]


def scenes_of(data: MotionData, corpus: Corpus, pieces: Sequence[Piece]) -> list[Scene]:
    """Make scenes of windows of a corpus; `data` was made of the same corpus."""
    scenes = []
    for piece in pieces:
        batch, row = data.batch([piece]), data.rows[piece.item]
        betas = torch.as_tensor(corpus.tracks(piece.item).betas)[list(piece.order)]
        scenes.append(Scene(batch.features[0], batch.roles[0], batch.rest[0], betas, batch.texts[0], row, row.take))
    return scenes


def sample_scenes(
    sampler: MotionSampler, scenes: Sequence[Scene], seed: int, samples_per_caption: int = 1
) -> list[Scene]:
    """Sample what a model makes of the captions of real scenes: as long, of the same roles and bodies; for people that
    it knows.

    Cleaned up as motion is that leaves the product, unless the sampler does not clean up. InputError where the model
    knows nobody's number.
    """
    people = sampler.model.config.people
    wanted = [scene for scene in scenes if len(scene.roles) in people for _ in range(samples_per_caption)]
    if not wanted:
        raise InputError("motion model", f"knows scenes of {people} people only", "hold out such scenes")
    requests, sampled_before = [], Counter[str]()
    for scene in wanted:
        # Seeds by item and how often it was sampled, so that a model that knows fewer people gets the same noise.
        own = generator(seed, "evaluate_motion", f"{scene.row.name} {sampled_before[scene.row.name]}")
        sampled_before[scene.row.name] += 1
        roles: tuple[Role, ...] = tuple(ROLES[role] for role in scene.roles.tolist())
        betas, frames = scene.betas.double().numpy(), scene.features.shape[1]
        # A model that makes motion around a pose is told one of the real motion's.
        known = middle_pose(scene.features) if sampler.model.config.denoiser.told_pose else None
        drawn = int(own.integers(2**40))
        requests.append(MotionRequest(scene.text, roles, scene.rest, frames, drawn, known=known, betas=betas))
    # Of about one length together, so that little of a batch is padding.
    order = sorted(range(len(requests)), key=lambda k: (len(requests[k].roles), requests[k].frames))
    sampled = dict(zip(order, sampler.sampled([requests[k] for k in order]), strict=True))
    return [
        replace(
            scene,
            features=sampler.cleaned(requests[k], sampled[k]),
            raw=sampled[k].features,
            asked=scene.features,
        )
        for k, scene in enumerate(wanted)
    ]
