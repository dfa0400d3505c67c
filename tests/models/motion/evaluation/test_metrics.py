import numpy as np
import pytest

from models.motion.evaluation.metrics import (
    Bank,
    diversity,
    frechet_distance,
    halves,
    kernel_distance,
    multimodal_distance,
    multimodality,
    r_precision,
    ranks,
    with_interval,
)


def _standardised(rng: np.random.Generator, count: int, dims: int) -> np.ndarray:
    """Rows of exactly zero mean and unit covariance."""
    rows = rng.standard_normal((count, dims))
    rows -= rows.mean(axis=0)
    return rows @ np.linalg.inv(np.linalg.cholesky(np.cov(rows, rowvar=False))).T


def test_frechet_distance_of_two_gaussians_is_the_known_one():
    rng = np.random.default_rng(0)
    a, b = _standardised(rng, 300, 3), _standardised(rng, 200, 3)
    assert frechet_distance(a, b) == pytest.approx(0.0, abs=1e-9)
    # Means (1, 2, 0) apart, standard deviations 1, 2, 3 against 1: 5 + 0 + 1 + 4.
    assert frechet_distance(a * [1.0, 2.0, 3.0] + [1.0, 2.0, 0.0], b) == pytest.approx(10.0)
    # Covariances that do not commute: tr(A) + tr(B) - 2 tr((A B)^1/2), the root by eigenvalues of the product.
    A, B = np.array([[2.0, 1.0], [1.0, 1.0]]), np.array([[1.0, 0.0], [0.0, 5.0]])
    x, y = (_standardised(rng, 100, 2) @ np.linalg.cholesky(C).T for C in (A, B))
    expected = 3.0 + 6.0 - 2.0 * np.sqrt(np.linalg.eigvals(A @ B)).real.sum()
    assert frechet_distance(x, y) == pytest.approx(expected)


def test_frechet_distance_of_too_many_dimensions_is_refused():
    with pytest.raises(AssertionError, match="too many dimensions"):
        frechet_distance(np.zeros((100, 65)), np.zeros((100, 65)))


def test_kernel_distance_is_zero_in_expectation_and_as_by_hand():
    rng = np.random.default_rng(0)
    found = [kernel_distance(rng.standard_normal((20, 4)), rng.standard_normal((30, 4))) for _ in range(300)]
    assert abs(np.mean(found)) < 3.0 * np.std(found) / np.sqrt(300)
    assert min(found) < 0.0  # unbiased, so it is negative half of the time
    a, b = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 0.0], [1.0, 0.0]])
    # within a: k = 1; within b: k = 8; between: (8 + 8 + 1 + 1) / 4.
    assert kernel_distance(a, b) == pytest.approx(1.0 + 8.0 - 2.0 * 4.5)


def test_r_precision_is_one_for_perfect_features_and_three_in_thirty_two_for_random_ones():
    rng = np.random.default_rng(0)
    count = 640
    meanings = [f"meaning {k % 64}" for k in range(count)]
    texts = rng.standard_normal((count, 8))
    bank, groups = Bank(texts, tuple(meanings)), [str(k) for k in range(count)]
    assert bank.pool == 32
    for row in r_precision(texts.copy(), texts, meanings, groups, bank, rng, repeats=3):
        assert row == [1.0, 1.0, 1.0]
    random = r_precision(rng.standard_normal((count, 8)), texts, meanings, groups, bank, rng, repeats=3)
    for top, (figure, low, high) in enumerate(random, start=1):
        assert low < figure < high and abs(figure - top / 32) < 0.03


def test_pools_hold_no_caption_of_the_same_meaning_and_ties_count_against():
    # All captions of one meaning lie in one place: were they in the pool, they would tie with the own one.
    texts = np.repeat(np.eye(4), 5, axis=0)
    meanings = [f"meaning {k // 5}" for k in range(20)]
    bank = Bank(texts, tuple(meanings))
    assert bank.pool == 4
    assert ranks(texts, texts, meanings, bank, np.random.default_rng(0)).max() == 0
    # A space in which all is one matches nothing.
    same = np.ones((20, 4))
    assert ranks(same, same, meanings, Bank(same, tuple(meanings)), np.random.default_rng(0)).min() == 3


def test_distances_of_known_points():
    motions = np.array([[0.0, 0.0], [0.0, 2.0], [4.0, 0.0], [4.0, 2.0]])
    assert multimodal_distance(motions, motions + [3.0, 4.0]) == 5.0
    assert multimodality(motions, ["a", "a", "b", "c"]) == 2.0
    assert multimodality(motions, ["a", "a", "b", "b"]) == 2.0
    assert multimodality(motions, ["a", "b", "c", "d"]) is None
    line = np.arange(2.0)[:, None]
    assert diversity(line, np.random.default_rng(0)) == 1.0
    spread = diversity(np.random.default_rng(1).standard_normal((5000, 1)), np.random.default_rng(0), pairs=2500)
    assert spread == pytest.approx(2.0 / np.sqrt(np.pi), abs=0.05)


def test_intervals_draw_groups_as_wholes():
    rng = np.random.default_rng(0)
    values = np.repeat(rng.standard_normal(50), 20)
    groups = [str(k // 20) for k in range(1000)]
    mean, low, high = with_interval(lambda k: float(values[k].mean()), groups, rng, repeats=200)
    assert mean == values.mean() and mean - low == pytest.approx(high - mean)
    # 1.96 sd / sqrt(50), not / sqrt(1000).
    assert (high - low) / 2.0 == pytest.approx(1.96 * values.std() / np.sqrt(50), rel=0.25)


def test_halves_keep_groups_whole_and_draws_stay_on_their_side():
    groups = ["a", "a", "b", "b", "c", "d"]
    side = halves(groups, np.random.default_rng(0))
    assert side[0] == side[1] and side[2] == side[3] and len({g for g, s in zip(groups, side, strict=True) if s}) == 2
    drawn = []
    with_interval(lambda k: drawn.append(sorted(set(k))) or 0.0, groups, np.random.default_rng(0), 50, side)
    assert all(side[rows].any() and not side[rows].all() for rows in drawn) and len({str(rows) for rows in drawn}) > 4
