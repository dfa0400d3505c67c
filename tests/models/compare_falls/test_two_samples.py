"""Samples that differ are told apart, samples that do not are not, and events are not split."""

import numpy as np
import pytest

from models.compare_falls.two_samples import classifier_two_sample_test


def rows(rng: np.random.Generator, count: int, shift: float) -> list[dict[str, float]]:
    return [{"a": float(rng.normal(shift)), "b": float(rng.normal()), "c": float(rng.normal())} for _ in range(count)]


def names(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def test_a_shift_is_found_and_named():
    rng = np.random.default_rng(0)
    found = classifier_two_sample_test(
        rows(rng, 40, 0.0), rows(rng, 30, 3.0), names(40), names(30), np.random.default_rng(1)
    )
    assert found.auc > 0.95 and found.low > 0.9 and found.row() == [found.auc, found.low, found.high]
    assert max(found.single, key=found.single.get) == "a" and found.single["b"] < 0.7


def test_one_sample_cut_in_two_is_not_told_apart():
    rng = np.random.default_rng(2)
    found = classifier_two_sample_test(
        rows(rng, 60, 0.0), rows(rng, 60, 0.0), names(60), names(60), np.random.default_rng(1)
    )
    assert found.low < 0.5 < found.high and abs(found.auc - 0.5) < 0.15


def test_copies_of_an_event_help_nobody():
    """Each event is there ten times: who split them between learning and judging would find them all."""
    events = [name for name in names(8) for _ in range(10)]
    areas = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        many = [[row for row in rows(rng, 8, 0.0) for _ in range(10)] for _ in range(2)]
        areas.append(classifier_two_sample_test(*many, events, events, np.random.default_rng(4)).auc)
    assert 0.3 < np.mean(areas) < 0.65


def test_same_generator_same_figures_and_too_few_events_are_refused():
    rng = np.random.default_rng(5)
    samples = rows(rng, 12, 0.0), rows(rng, 12, 1.0)
    one, two = (classifier_two_sample_test(*samples, names(12), names(12), np.random.default_rng(6)) for _ in range(2))
    assert one == two
    with pytest.raises(AssertionError, match="too few events"):
        classifier_two_sample_test(samples[0][:2], samples[1], names(2), names(12), rng)
