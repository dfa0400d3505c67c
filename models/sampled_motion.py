"""The motion model as a source of ordered motion: the order in words, sampled, at the order's frame rate."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from models.body import BodyModel
from models.captions import Facts, age_of, captions, sex_of
from models.motion_cleanup import CleanupConfig, cleaned
from models.motion_model import load_motion_model
from models.motion_sampling import Ask, SamplingConfig, motion_of, sample
from models.motion_source import betas_of
from models.rest_skeleton import skeleton_of
from models.retime import retimed
from models.text_encoder import ClipConfig, SentenceConfig, TextEncoder
from pipeline.corpus import FPS
from pipeline.errors import Rejected
from pipeline.order import ClipOrder
from pipeline.types import Motion, Room

EVENTS = {"walk": "walk", "stand": "standing", "sit": "sitting"}
"""What a caption calls an ordered event; a fall by its own facts, anything everyday by one of these."""


class SampledMotion:
    """Any event, by the motion model; InputError where a folder holds none."""

    name = "motion model"

    def __init__(
        self, body: BodyModel, model: Path | str, text: SentenceConfig | ClipConfig, sampling: SamplingConfig,
        cleanup: CleanupConfig | None,
    ):  # fmt: skip
        self.body, self.sampling, self.cleanup = body, sampling, cleanup
        self.model, self.encoder = load_motion_model(model), TextEncoder(text)

    def sample(self, order: ClipOrder, room: Room | None, rng: np.random.Generator) -> Motion:
        """One motion; what came of it is for the audit to tell. Rejected where it is longer than what the model learned."""
        frames = round(order.seconds * FPS) + 1
        if frames > self.model.config.most_frames:
            longest = self.model.config.most_frames / FPS
            raise Rejected("longer_than_the_model_learned", f"{order.seconds:g} s, it learned up to {longest:g} s")
        betas = betas_of(self.body, order)[None]
        rest = skeleton_of(self.body).rest_joints(torch.as_tensor(betas, dtype=torch.float32))
        ask = Ask(text_of(order, rng), (order.role,), rest, frames, int(rng.integers(2**40)))
        features = sample(self.model, self.encoder.encode, [ask], self.sampling)[0]
        motion = motion_of(ask, betas, cleaned(self.cleanup, self.body, betas, rest, features))
        clock = np.arange(max(2, round(order.seconds * order.fps))) / order.fps
        return replace(
            motion,
            timestamps_s=clock,
            people=tuple(retimed(track, motion.timestamps_s, clock) for track in motion.people),
            actions=np.full((1, len(clock)), -1),
        )


def text_of(order: ClipOrder, rng: np.random.Generator) -> str:
    """The order's own words, else a caption of its facts as the corpus has them."""
    if order.text:
        return order.text
    sex, age = sex_of(order.sex), age_of(order.age_years)
    if order.event == "fall":
        facts = Facts("fall", role=order.role, sex=sex, age=age, cause=order.cause, direction=order.direction)
    else:
        event = order.event if order.event in EVENTS else str(rng.choice(sorted(EVENTS)))
        facts = Facts(EVENTS[event], role=order.role, sex=sex, age=age)  # type: ignore[arg-type]
    return captions(facts, rng, 1)[0]
