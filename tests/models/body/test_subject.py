"""Who moves: age as falls and actors read it, and tracks that are theirs."""

import numpy as np
import pytest

from models.body.model import load_body
from models.body.subject import Subject


@pytest.mark.parametrize(("age", "old"), [(20.0, 0.0), (50.0, 0.0), (70.0, 0.5), (90.0, 1.0), (104.0, 1.0)])
def test_age_counts_from_50_to_90(age, old):
    assert Subject(load_body(), np.zeros(10), age, "resident").old == old


def test_a_track_is_of_the_subject_and_seen_throughout():
    subject = Subject(load_body(), np.full(10, 0.1, dtype=np.float32), 80.0, "carer", name="person_3")
    track = subject.track(np.zeros((4, 3)), np.ones((4, 69)), np.full((4, 3), 2.0))
    assert track.person == "person_3" and track.role == "carer" and track.betas.dtype == np.float64
    assert track.visible.all() and (track.confidence == 1.0).all() and track.transl.shape == (4, 3)
