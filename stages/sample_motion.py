"""Sample motion: from a sentence to people who move. In: a text, how many people, how long, seeds. Out: one `Motion` a
seed.

DESIGN §5. Motion stands in a world of its own: the first person begins at x = y = 0 facing +x, z up, floor at z = 0, 20
Hz.
"""

import re
from collections.abc import Sequence

import numpy as np
import torch

from models.body.model import BodyModel, BodyShape
from models.config import Config, renamed
from models.motion.cleanup import CleanupConfig
from models.motion.model import MotionModel, check_text_encoder
from models.motion.request import MotionRequest, check_request
from models.motion.sampler import MotionSampler, request_for
from models.motion.schedulers import SamplingConfig
from models.seeds import generator
from models.text.encoder import SentenceConfig, TextConfig, TextEncoder
from models.text.vocabulary import ROLE_WORDS
from models.types import Motion, Role

VERSION = 2
"""Of how motion is sampled and cleaned up, the words it is asked in included: what was made by another is made again.
"""
AGES: dict[Role, tuple[float, float]] = {
    "resident": (70.0, 95.0),
    "carer": (22.0, 62.0),
    "visitor": (25.0, 80.0),
    "person": (25.0, 75.0),
}
"""Of bodies that are drawn for a role."""


class SampleMotionConfig(Config):
    """Which model, and how it is sampled from."""

    model: str = "starter"
    """A folder made by `careclips train motion`, or `starter`."""
    text: TextConfig = SentenceConfig()
    """The text network that the model was trained with."""
    sampling: SamplingConfig = SamplingConfig()
    """How it is sampled."""
    cleanup: CleanupConfig | None = CleanupConfig()
    """What is done to samples against jitter, skating feet and shared space; null leaves them as they come."""
    batch_size: int = renamed("batch", "batch_size", 16, ge=1)
    """Motions that are sampled together; more cost memory."""
    device: str = "cpu"
    """Where, as torch names it: cpu, cuda, cuda:1, ... A GPU wants many more motions at a time."""


def roles_of(text: str, people: int) -> tuple[Role, ...]:
    """Read who acts from the words of a sentence, in its order; `person` for whoever is not named."""
    words = [(word, role) for role in ROLE_WORDS for word in ROLE_WORDS[role] if role != "person"]
    # The longer word first: a care worker is no other worker, a care home resident no home.
    words.sort(key=lambda one: -len(one[0]))
    pattern = "|".join(rf"(?<![\w-]){re.escape(word)}s?(?!\w)" for word, _ in words)
    said = [found.removesuffix("s") for found in re.findall(pattern, text.lower())]
    named: list[Role] = []
    for word in said:
        role: Role = dict(words)[word]  # type: ignore[assignment]
        if role not in named:
            named.append(role)
    unnamed: list[Role] = ["person"] * people
    return tuple((named + unnamed)[:people])


def draw_requests(
    body: BodyModel, text: str, roles: Sequence[Role], frames: int, count: int, seed: int
) -> list[MotionRequest]:
    """Ask for `count` motions of one sentence, each with bodies of its own that suit the roles."""
    requests = []
    for number in range(count):
        rng = generator(seed, "sample_motion", f"{text} {number}")
        shapes = [
            BodyShape(
                age_years=rng.uniform(*AGES[role]),
                sex=rng.uniform(),
                stature_m=rng.uniform(1.52, 1.85),
                build=rng.uniform(0.2, 0.8),
            )
            for role in roles
        ]
        betas = np.array([body.betas_from_shape(shape) for shape in shapes], dtype=np.float64).reshape(len(roles), 10)
        requests.append(request_for(body, text, roles, betas, frames, int(rng.integers(2**40))))
    return requests


def check(model: MotionModel, encoder: TextEncoder, text: str, people: int, frames: int) -> None:
    """Raise InputError for what cannot be sampled, before anything is: an empty text, 0 or 5 people, 0 or 10,000
    frames, or a model that was trained with another text network."""
    check_request(MotionRequest(text, ("person",) * people, torch.zeros(people, 22, 3), frames, 0), model)
    check_text_encoder(model, encoder.digest)


def run(
    config: SampleMotionConfig,
    model: MotionModel,
    encoder: TextEncoder,
    body: BodyModel,
    requests: Sequence[MotionRequest],
) -> list[Motion]:
    """Sample one motion a request; the same whatever is sampled beside it.

    Actions are unknown (-1): label them by kinematics.
    """
    return MotionSampler(model, encoder, body, config.sampling, config.cleanup, config.batch_size).motions(requests)
