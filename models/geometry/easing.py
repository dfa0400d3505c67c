"""Curves from 0 to 1: smoothstep and minimum jerk."""

from typing import overload

import numpy as np
from jaxtyping import Float


@overload
def smoothstep(x: float, height: float = 1.0) -> float: ...
@overload
def smoothstep(
    x: Float[np.ndarray, "*batch"], height: Float[np.ndarray, "*batch"] | float = 1.0
) -> Float[np.ndarray, "*batch"]: ...
def smoothstep(
    x: Float[np.ndarray, "*batch"] | float, height: Float[np.ndarray, "*batch"] | float = 1.0
) -> Float[np.ndarray, "*batch"] | float:
    """Return `height` (3 x^2 - 2 x^3) for x clipped to [0, 1]: it rises from 0 to `height`, level at both ends."""
    x = np.clip(x, 0.0, 1.0)
    return height * x * x * (3.0 - 2.0 * x)


def minimum_jerk(x: Float[np.ndarray, "*batch"]) -> Float[np.ndarray, "*batch"]:
    """Return 10 x^3 - 15 x^4 + 6 x^5 on [0, 1], level beyond (Flash and Hogan 1985, eq. 5)."""
    x = np.clip(x, 0.0, 1.0)
    return x**3 * (10.0 + x * (6.0 * x - 15.0))
