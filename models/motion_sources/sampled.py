"""The motion model as a source of ordered motion: the order in words, sampled, at the order's frame rate."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from models.body.model import BodyModel
from models.body.resample import resample_track
from models.errors import Rejected
from models.motion.cleanup import CleanupConfig
from models.motion.model import load_motion_model
from models.motion.sampler import MotionSampler, request_for
from models.motion.schedulers import SamplingConfig
from models.motion_sources.source import betas_of
from models.order import ClipOrder
from models.text.captions import Facts, age_of, captions, sex_of
from models.text.encoder import ClipConfig, SentenceConfig, TextEncoder
from models.types import FPS, Motion, Role, Room

WALKING = ("A person walks.", "A person walks forward.", "A person is walking.")
"""As captures, which walking is learned from, are captioned: of nobody old, who would be seen to rise or fall."""
STANDING = ("A person stands idle, naturally.", "Here a person stands idle, naturally.")
"""As captures of it are captioned: "stands" alone means somebody who rises."""
FURNISHED = ("sit", "sit_to_stand", "roll_out_of_bed", "slide_out_of_bed")
"""Events and causes that begin on a seat or a bed, which the floor where a clip is put has not."""


class SampledMotion:
    """Motion of any event, sampled from the motion model; InputError where a folder holds none, or one that learned
    from another text encoder."""

    name = "motion model"

    def __init__(
        self,
        body: BodyModel,
        model: Path | str,
        text: SentenceConfig | ClipConfig,
        sampling: SamplingConfig,
        cleanup: CleanupConfig | None,
        device: str = "cpu",
    ):
        self.body = body
        self.sampler = MotionSampler(load_motion_model(model, device), TextEncoder(text), body, sampling, cleanup)

    def sample(self, order: ClipOrder, room: Room | None, rng: np.random.Generator) -> Motion:
        """Sample one motion; what came of it is for the audit to tell. Rejected where it is longer than what the model
        learned, or begins on furniture: it is made on a bare floor before it has a place in the room."""
        for beginning in (order.event, order.cause):
            if beginning in FURNISHED and not order.text:
                raise Rejected("cause_needs_furniture", f"{beginning} on a bare floor")
        frames = round(order.seconds * FPS) + 1
        longest = self.sampler.model.config.max_frames
        if frames > longest:
            raise Rejected(
                "longer_than_the_model_learned", f"{order.seconds:g} s, it learned up to {longest / FPS:g} s"
            )
        betas = betas_of(self.body, order)[None]
        text = text_of(order, rng)
        request = request_for(self.body, text, (requested_role(order),), betas, frames, int(rng.integers(2**40)))
        motion = self.sampler.motions([request])[0]
        timestamps_s = np.arange(max(2, round(order.seconds * order.fps))) / order.fps
        return replace(
            motion,
            timestamps_s=timestamps_s,
            people=tuple(
                replace(resample_track(track, motion.timestamps_s, timestamps_s), role=order.role)
                for track in motion.people
            ),
            actions=np.full((1, len(timestamps_s)), -1),
        )


def requested_role(order: ClipOrder) -> Role:
    """Return the role that the model is asked for: as a `person` in everyday motion, since captures, which it is
    learned from, are of nobody in particular. Residents and carers are seen to fall and to rise from seats, and would
    do so."""
    return order.role if order.event == "fall" or order.text else "person"


def text_of(order: ClipOrder, rng: np.random.Generator) -> str:
    """Return the order's own words, else a caption of its facts as the corpus has them."""
    if order.text:
        return order.text
    if order.event == "fall":
        facts = Facts("fall", role=requested_role(order), sex=sex_of(order.sex), age=age_of(order.age_years))
        return captions(replace(facts, cause=order.cause, direction=order.direction), rng, 1)[0]
    stands = order.event == "stand" or (order.event == "everyday" and rng.random() < 0.5)
    return str(rng.choice(STANDING if stands else WALKING))
