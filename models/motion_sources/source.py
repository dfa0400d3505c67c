"""Where ordered motion comes from: simulated falls, procedural everyday motion, motion capture, or the motion model.

Every source answers one order with one `Motion` in a local frame: first-frame pelvis at x = y = 0 facing +x, z up,
floor at z = 0, at the order's frame rate and length.
"""

import logging
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from models.body.model import BodyModel, BodyShape
from models.order import ClipOrder
from models.types import Motion, Room

log = logging.getLogger(__name__)


@runtime_checkable
class MotionSource(Protocol):
    """Anything that can perform an order."""

    name: str

    def sample(self, order: ClipOrder, room: Room | None, rng: np.random.Generator) -> Motion:
        """Make one motion for the order; raises Rejected with a reason when it cannot."""
        ...


def betas_of(body: BodyModel, order: ClipOrder) -> Float[np.ndarray, "10"]:
    """Return the shape of the person whom the order describes."""
    shape = BodyShape(age_years=order.age_years, sex=order.sex, stature_m=order.stature_m, build=order.build)
    return np.asarray(body.betas_from_shape(shape), dtype=np.float64)
