"""Whether two samples can be told apart: a classifier's area under the curve, by cross-validation, with its
interval."""

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models.cluster_bootstrap import clusters_of, percentile_interval, resample

FOLDS, REPEATS, RESAMPLES = 5, 10, 500
FEWEST = 3
"""Events of each sample without which nothing is told apart."""
STRENGTH = 0.05
"""Inverse of the ridge: there are more features than falls."""


@dataclass(frozen=True)
class Separation:
    """How well a logistic regression on all features tells two samples apart: 0.5 not at all, 1 always."""

    auc: float
    low: float
    high: float
    """95 % interval by drawing events anew."""
    single: dict[str, float]
    """Area under the curve of each feature alone, folded to at least 0.5."""

    def row(self) -> list[float]:
        """Return mean, low, high."""
        return [self.auc, self.low, self.high]


def classifier_two_sample_test(
    first: list[dict[str, float]],
    second: list[dict[str, float]],
    first_events: list[str],
    second_events: list[str],
    rng: np.random.Generator,
) -> Separation:
    """Tell two samples of features apart. Samples of one event are left out together, and drawn together.

    Needs at least three events of each.
    """
    names = list(first[0])
    features = np.array([[row[name] for name in names] for row in [*first, *second]])
    truth = np.array([0] * len(first) + [1] * len(second))
    events = np.array([f"a {event}" for event in first_events] + [f"b {event}" for event in second_events])
    fewest = min(len(set(first_events)), len(set(second_events)))
    assert fewest >= FEWEST, "too few events to tell samples apart"
    scores = np.zeros((REPEATS, len(truth)))
    for repeat in range(REPEATS):
        folds = StratifiedGroupKFold(min(FOLDS, fewest), shuffle=True, random_state=int(rng.integers(2**31)))
        for learn, judge in folds.split(features, truth, events):
            model = make_pipeline(
                StandardScaler(), LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=2000)
            )
            scores[repeat, judge] = model.fit(features[learn], truth[learn]).decision_function(features[judge])
    strata = [clusters_of(events, np.unique(events[truth == kind])) for kind in (0, 1)]
    drawn = [resample(strata, rng) for _ in range(RESAMPLES)]
    repeats = [float(roc_auc_score(truth[rows], scores[i % REPEATS][rows])) for i, rows in enumerate(drawn)]
    single = {}
    for column, name in enumerate(names):
        area = float(roc_auc_score(truth, features[:, column]))
        single[name] = max(area, 1.0 - area)
    auc = float(np.mean([roc_auc_score(truth, one) for one in scores]))
    low, high = percentile_interval(np.array(repeats))
    return Separation(auc, low, high, single)
