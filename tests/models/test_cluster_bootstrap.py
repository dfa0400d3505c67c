"""The bootstrap by cluster: wholes are drawn, strata keep their sizes, and intervals are what they should be."""

import numpy as np
import pytest

from models.cluster_bootstrap import bootstrap, clusters_of, normal_interval, percentile_interval, resample


def test_clusters_are_the_rows_of_a_label_in_order_of_appearance_or_as_named():
    labels = ["b", "a", "b", "c"]
    assert [rows.tolist() for rows in clusters_of(labels)] == [[0, 2], [1], [3]]
    assert [rows.tolist() for rows in clusters_of(labels, np.unique(labels))] == [[1], [0, 2], [3]]
    assert [rows.tolist() for rows in clusters_of(np.array(labels), ["c", "b"])] == [[3], [0, 2]]
    assert clusters_of([]) == []


def test_whole_clusters_are_drawn_as_many_of_each_stratum_as_it_has():
    clusters = clusters_of([k // 3 for k in range(30)])
    strata = [clusters[:4], clusters[4:]]
    for seed in range(20):
        rows = resample(strata, np.random.default_rng(seed)).reshape(-1, 3)
        assert (rows % 3 == [0, 1, 2]).all() and (rows[:, 1] // 3 == rows[:, 0] // 3).all(), "torn apart"
        assert (rows[:4] < 12).all() and (rows[4:] >= 12).all() and len(rows) == 10
    assert len(resample([[], []], np.random.default_rng(0))) == 0


def test_draws_are_those_of_numpy_s_choice():
    """Calibrations and figures that were made with `choice` stay what they were."""
    names = np.array(["p", "q", "r", "s"])
    labels = np.repeat(names, 2)
    drawn = np.random.default_rng(5).choice(names, 4)
    expected = np.concatenate([np.flatnonzero(labels == name) for name in drawn])
    assert np.array_equal(resample([clusters_of(labels, names)], np.random.default_rng(5)), expected)


def test_intervals_are_as_wide_as_the_mean_of_independent_clusters_says():
    """Each value stands four times: rows alone would make the interval half as wide."""
    rng = np.random.default_rng(0)
    values = np.repeat(rng.standard_normal(400), 4)
    clusters = clusters_of(np.repeat(np.arange(400), 4))
    found = bootstrap(lambda rows: float(values[rows].mean()), [clusters], rng, 1000)
    expected = 1.96 * values.std() / np.sqrt(400)
    for low, high in (percentile_interval(found), normal_interval(float(values.mean()), found)):
        assert (high - low) / 2.0 == pytest.approx(expected, rel=0.1)
        assert low < values.mean() < high


def test_replicates_without_a_value_do_not_count():
    assert percentile_interval(np.array([1.0, np.nan, 1.0])) == (1.0, 1.0)
