"""The bootstrap by cluster (Davison and Hinkley 1997, "Bootstrap Methods and their Application", §3.8), for all
figures.

Rows of one cluster, as the windows of one take, are no independent samples: clusters are drawn with replacement as
wholes. Strata keep as many clusters as they have.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

Rows = Int[np.ndarray, "_"]


def clusters_of(labels: Sequence[Any] | np.ndarray, names: Sequence[Any] | np.ndarray | None = None) -> list[Rows]:
    """Collect the rows of each label, in the order of `names`; without them, as labels first appear."""
    known = list(dict.fromkeys(labels)) if names is None else names
    places = {name: place for place, name in enumerate(known)}
    which = np.array([places.get(label, -1) for label in labels], dtype=np.int64)
    return [np.flatnonzero(which == place) for place in range(len(known))]


def resample(strata: Sequence[Sequence[Rows]], rng: np.random.Generator) -> Rows:
    """Draw clusters of each stratum with replacement, as many as it has; their rows, one cluster after the other."""
    drawn = [clusters[k] for clusters in strata if clusters for k in rng.integers(len(clusters), size=len(clusters))]
    return np.concatenate(drawn) if drawn else np.zeros(0, dtype=np.int64)


def bootstrap(
    value: Callable[[Rows], float], strata: Sequence[Sequence[Rows]], rng: np.random.Generator, replicates: int
) -> Float[np.ndarray, "replicate"]:
    """Return a figure's values on `replicates` resamples; `value` takes rows, some of them several times."""
    return np.array([value(resample(strata, rng)) for _ in range(replicates)])


def percentile_interval(values: Float[np.ndarray, "replicate"]) -> tuple[float, float]:
    """Return the 95 % interval by percentiles; replicates that have no value (nan) do not count."""
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)


def normal_interval(value: float, values: Float[np.ndarray, "replicate"]) -> tuple[float, float]:
    """Return the 95 % interval of 1.96 standard deviations of the replicates to both sides of a figure.

    For figures that draws with replacement shift, as distances are shifted upwards.
    """
    half = 1.96 * float(np.std(values, ddof=1))
    return value - half, value + half
