"""Whether falls that were requested happened, and went the way that was requested: told as the product's labels are."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float
from torch import Tensor

from models.corpus.reader import Row
from models.falls.causes import DIRECTION_ANGLES
from models.types import FPS


class FoundFall(Protocol):
    """What the audit needs of a fall found in joints."""

    @property
    def direction_deg(self) -> float:
        """Return the direction from the facing at the onset, counter-clockwise."""
        ...

    @property
    def onset_s(self) -> float:
        """Return when support is lost."""
        ...


FindFall = Callable[[np.ndarray, np.ndarray, float], FoundFall | None]
"""Joints (time 24 3), times in seconds, height of the upright pelvis in metres -> the fall in them."""


@dataclass(frozen=True)
class Audit:
    """How falls are told from joints: the labelling stage's own way."""

    find_fall: FindFall
    standing_m: Callable[[np.ndarray], float]
    """Height of the pelvis of the upright body of given betas."""
    tolerance_deg: float


def fall_agreement(
    row: Row, betas: Float[Tensor, "10"], joints: Float[np.ndarray, "person time 22 3"], audit: Audit
) -> tuple[float | None, float | None]:
    """Tell whether a fall that `row`'s captions request happened, and whether it went in the requested direction (0 or
    1).

    None where no fall of one person, or no direction but straight down, was requested. No fall went in no direction.
    """
    if row.kind != "fall" or len(joints) != 1:
        return None, None
    hands = joints[0][:, 20:22]
    times = np.arange(joints.shape[1]) / FPS
    standing = audit.standing_m(betas.double().numpy())
    fall = audit.find_fall(np.concatenate([joints[0], hands], axis=1), times, standing)
    requested = DIRECTION_ANGLES.get(row.details.get("direction", ""))
    if requested is None:
        return float(fall is not None), None
    off_deg = 180.0 if fall is None else abs((fall.direction_deg - np.degrees(requested) + 180.0) % 360.0 - 180.0)
    return float(fall is not None), float(off_deg <= audit.tolerance_deg)
