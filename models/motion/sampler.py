"""From requests to motion of bodies, once for all who ask: sample, clean up, read as SMPL parameters."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.body.model import BodyModel
from models.body.rest_skeleton import skeleton_of
from models.motion.cleanup import CleanupConfig, clean_up
from models.motion.model import MotionModel, check_text_encoder
from models.motion.request import MotionRequest, motion_of
from models.motion.sample_windows import MotionSample, sample_motions
from models.motion.schedulers import SamplingConfig
from models.types import Motion, Role

logger = logging.getLogger(__name__)


@runtime_checkable
class CaptionEncoder(Protocol):
    """What captions are read with: a text network, or a file of what one said."""

    digest: str
    """Of the network, wherever its words were kept."""

    def encode(self, texts: Sequence[str]) -> Float[Tensor, "text dim"]:
        """Encode captions, one row each."""
        ...


def request_for(
    body: BodyModel,
    text: str,
    roles: Sequence[Role],
    betas: Float[np.ndarray, "person 10"],
    frames: int,
    seed: int,
) -> MotionRequest:
    """Ask for a motion of bodies of these shapes."""
    rest = skeleton_of(body).rest_joints(torch.as_tensor(betas, dtype=torch.float32))
    return MotionRequest(text, tuple(roles), rest, frames, seed, betas=betas)


@dataclass(frozen=True)
class MotionSampler:
    """A motion model with all that a request needs to become motion.

    InputError where the model learned its captions from another text encoder.
    """

    model: MotionModel
    texts: CaptionEncoder
    body: BodyModel
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    cleanup: CleanupConfig | None = field(default_factory=CleanupConfig)
    """None leaves motion as it was sampled."""
    batch_size: int = 16
    """Motions that are sampled together."""

    def __post_init__(self) -> None:
        check_text_encoder(self.model, self.texts.digest)

    def features(self, requests: Sequence[MotionRequest]) -> list[Float[Tensor, "person time 268"]]:
        """Sample one motion a request and clean it up; features in the canonical frame, not normalised, on the CPU.

        A motion is the same, but for rounding, whatever is sampled beside it.
        """
        return [self.cleaned(*pair) for pair in zip(requests, self.sampled(requests), strict=True)]

    def sampled(self, requests: Sequence[MotionRequest]) -> list[MotionSample]:
        """Sample one motion a request, and leave it as it is."""
        found = []
        for first in range(0, len(requests), self.batch_size):
            batch = requests[first : first + self.batch_size]
            found += sample_motions(self.model, self.texts.encode, batch, self.sampling)
            if len(requests) > self.batch_size:
                progress = ("sampling motion", len(found), len(requests))
                logger.info("%s: %d of %d", *progress, extra={"progress": progress})
        return found

    def cleaned(self, request: MotionRequest, sampled: MotionSample) -> Float[Tensor, "person time 268"]:
        """Clean up what was sampled for a request; without a clean-up it is what it was."""
        if self.cleanup is None:
            return sampled.features
        assert request.betas is not None, "cleaning up needs the shapes of the bodies"
        return clean_up(self.cleanup, self.body, request.betas, request.rest, sampled.features, sampled.holding)

    def motions(self, requests: Sequence[MotionRequest]) -> list[Motion]:
        """Sample one motion a request, 20 Hz, in SMPL's parameters; actions are unknown (-1)."""
        return [motion_of(request, found) for request, found in zip(requests, self.features(requests), strict=True)]
