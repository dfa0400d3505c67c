"""What somebody sits, lies or falls onto: a box with a top, by its place, size and height."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Support:
    """A place to sit or lie."""

    label: str
    height_m: float
    outline: Float[np.ndarray, "4 2"]
    """Convex, x and y."""
    centre: Float[np.ndarray, "2"]
    """Where the pelvis goes."""
    facing: Float[np.ndarray, "2"]
    """Unit: where a person who sits there looks; on a bed, out over the free long side."""
    head: Float[np.ndarray, "2"]
    """Unit: towards the pillow; zero where nobody lies."""
