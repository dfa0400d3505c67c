"""Curves from 0 to 1: smooth step and minimum jerk."""

import numpy as np
from jaxtyping import Float


def smooth_step(x: float) -> float:
    """0 below 0, 1 above 1, level at both ends."""
    x = float(np.clip(x, 0.0, 1.0))
    return x * x * (3.0 - 2.0 * x)


def minimum_jerk(x: Float[np.ndarray, "*batch"]) -> Float[np.ndarray, "*batch"]:
    """10 x^3 - 15 x^4 + 6 x^5 on [0, 1], level beyond (Flash and Hogan 1985, eq. 5)."""
    x = np.clip(x, 0.0, 1.0)
    return x**3 * (10.0 + x * (6.0 * x - 15.0))
