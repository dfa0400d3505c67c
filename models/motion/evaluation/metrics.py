"""How far generated motion is from real motion, and from its captions, in a feature space in which texts and motions
meet.

Fréchet distance (Heusel et al. 2017), kernel distance (Binkowski et al. 2018), R-precision, multimodal distance,
diversity and multimodality (Guo et al. 2022), as seeds/timotion_supplement.txt §E lists them. Features have unit length
(`models/motion/evaluation/evaluator.py`) and few dimensions, so that some hundred motions are enough for their
covariance.

Captions of one meaning are no mistakes for each other: pools hold captions whose meanings all differ.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from models.cluster_bootstrap import bootstrap, clusters_of, normal_interval

REPEATS = 20
POOL = 32
DIVERSITY_PAIRS = 300
MAX_DIMS = 64
"""Of features whose covariance is estimated."""


def with_interval(
    value: Callable[[Int[np.ndarray, "drawn"]], float],
    groups: Sequence[str],
    rng: np.random.Generator,
    repeats: int = REPEATS,
    side: Bool[np.ndarray, "row"] | None = None,
) -> list[float]:
    """Compute a metric of all rows with its 95 % interval: [value, low, high].

    `value` takes rows. Groups (the rows of one take, say) are drawn anew with replacement as wholes, `repeats` times;
    where groups are on one side or the other, within their side. The interval is 1.96 of the draws' standard deviation
    to both sides, since draws with replacement shift a distance upwards.
    """
    clusters = clusters_of(groups)
    strata = (
        [clusters]
        if side is None
        else [[rows for rows in clusters if side[rows[0]] == is_on] for is_on in (True, False)]
    )
    everything = value(np.arange(len(groups)))
    return [everything, *normal_interval(everything, bootstrap(value, strata, rng, repeats))]


def frechet_distance(a: Float[np.ndarray, "n dim"], b: Float[np.ndarray, "m dim"]) -> float:
    """Compute the squared distance of two Gaussians of the features' means and covariances: |m_a - m_b|² + tr(A + B
    - 2 (A B)^½)."""
    assert a.shape[1] <= MAX_DIMS, "too many dimensions for a covariance of few motions"
    A, B = np.cov(a, rowvar=False, ddof=1), np.cov(b, rowvar=False, ddof=1)
    values, vectors = np.linalg.eigh(A)
    root = (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
    # (A B)^½ has the eigenvalues of the symmetric (A^½ B A^½)^½, which needs no complex numbers.
    shared = np.sqrt(np.clip(np.linalg.eigvalsh(root @ B @ root), 0.0, None)).sum()
    moved = a.mean(axis=0) - b.mean(axis=0)
    return float(moved @ moved + np.trace(A) + np.trace(B) - 2.0 * shared)


def kernel_distance(a: Float[np.ndarray, "n dim"], b: Float[np.ndarray, "m dim"]) -> float:
    """Compute the squared maximum mean discrepancy under k(x, y) = (x·y + 1)³, unbiased: zero in expectation for equal
    distributions.

    The published kernel divides x·y by the number of dimensions, for features of about unit spread in each; these are
    of about unit length.
    """

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x @ y.T + 1.0) ** 3

    n, m = len(a), len(b)
    within_a = (kernel(a, a).sum() - (((a * a).sum(axis=1) + 1.0) ** 3).sum()) / (n * (n - 1))
    within_b = (kernel(b, b).sum() - (((b * b).sum(axis=1) + 1.0) ** 3).sum()) / (m * (m - 1))
    return float(within_a + within_b - 2.0 * kernel(a, b).mean())


@dataclass(frozen=True)
class Bank:
    """Captions that pools are drawn from."""

    features: Float[np.ndarray, "caption dim"]
    meanings: tuple[str, ...]

    @property
    def pool(self) -> int:
        """Return the captions of a pool: POOL, or all different meanings where there are fewer."""
        return min(POOL, len(set(self.meanings)))


def ranks(
    motions: Float[np.ndarray, "n dim"],
    texts: Float[np.ndarray, "n dim"],
    meanings: Sequence[str],
    bank: Bank,
    rng: np.random.Generator,
) -> Int[np.ndarray, "n"]:
    """Find the place of each motion's own caption among the pool's by distance, 0 the nearest; ties count against it.

    The others' meanings differ from its own and from each other.
    """
    by_meaning: dict[str, list[int]] = {}
    for row, meaning in enumerate(bank.meanings):
        by_meaning.setdefault(meaning, []).append(row)
    known = sorted(by_meaning)
    found = np.empty(len(motions), dtype=np.int64)
    for row, meaning in enumerate(meanings):
        others = [name for name in known if name != meaning]
        drawn = rng.permutation(len(others))[: bank.pool - 1]
        pool = [by_meaning[others[k]][int(rng.integers(len(by_meaning[others[k]])))] for k in drawn]
        own = np.linalg.norm(motions[row] - texts[row])
        found[row] = int((np.linalg.norm(bank.features[pool] - motions[row], axis=1) <= own).sum())
    return found


def r_precision(
    motions: Float[np.ndarray, "n dim"],
    texts: Float[np.ndarray, "n dim"],
    meanings: Sequence[str],
    groups: Sequence[str],
    bank: Bank,
    rng: np.random.Generator,
    repeats: int = REPEATS,
) -> list[list[float]]:
    """Compute the share of motions whose caption is among the nearest 1, 2 and 3 of its pool, each [value, low, high].

    Pools are drawn anew `repeats` times and averaged.
    """
    places = np.stack([ranks(motions, texts, meanings, bank, rng) for _ in range(repeats)])
    found = []
    for top in (1, 2, 3):
        hits = (places < top).mean(axis=0)
        found.append(with_interval(lambda rows, hits=hits: float(hits[rows].mean()), groups, rng, repeats))
    return found


def halves(groups: Sequence[str], rng: np.random.Generator) -> Bool[np.ndarray, "row"]:
    """Deal out groups as wholes to two sides; which rows are on the first."""
    names = sorted(set(groups))
    first = set(rng.permutation(names)[: len(names) // 2].tolist())
    return np.array([group in first for group in groups])


def multimodal_distance(motions: Float[np.ndarray, "n dim"], texts: Float[np.ndarray, "n dim"]) -> float:
    """Compute the mean distance of motions from their captions."""
    return float(np.linalg.norm(motions - texts, axis=1).mean())


def diversity(motions: Float[np.ndarray, "n dim"], rng: np.random.Generator, pairs: int = DIVERSITY_PAIRS) -> float:
    """Compute the mean distance of `pairs` pairs of motions, no motion in two pairs; of half as many pairs as
    motions where that is fewer."""
    pairs = min(pairs, len(motions) // 2)
    drawn = rng.permutation(len(motions))[: 2 * pairs]
    return float(np.linalg.norm(motions[drawn[:pairs]] - motions[drawn[pairs:]], axis=1).mean())


def multimodality(motions: Float[np.ndarray, "n dim"], captions: Sequence[str]) -> float | None:
    """Compute the mean distance between motions of one caption, averaged over captions that have several; None where
    none has."""
    found = []
    for caption in dict.fromkeys(captions):
        rows = motions[[other == caption for other in captions]]
        if len(rows) > 1:
            apart = np.linalg.norm(rows[:, None] - rows[None], axis=-1)
            found.append(float(apart.sum() / (len(rows) * (len(rows) - 1))))
    return float(np.mean(found)) if found else None
