"""Walking and standing by joint-angle curves."""

import numpy as np

from models.animation.gait_curves import procedural_standing, procedural_walking
from models.body.model import BodyModel
from models.errors import Rejected
from models.motion_sources.source import betas_of
from models.order import ClipOrder
from models.types import Motion, Room


class ProceduralEveryday:
    """Walking and standing from joint-angle curves; needs nothing."""

    name = "procedural"

    def __init__(self, body: BodyModel):
        self.body = body

    def sample(self, order: ClipOrder, room: Room | None, rng: np.random.Generator) -> Motion:
        """Walk or stand as ordered (`everyday` draws one of them); Rejected for any other event. The floor is bare."""
        if order.event not in ("walk", "stand", "everyday"):
            raise Rejected("event_not_procedural", order.event)
        walks = rng.random() < 0.5 if order.event == "everyday" else order.event == "walk"
        act = procedural_walking if walks else procedural_standing
        return act(
            self.body, betas_of(self.body, order), order.seconds, order.fps, rng, order.age_years, role=order.role
        )
