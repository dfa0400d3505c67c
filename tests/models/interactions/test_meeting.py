"""Who comes arrives where and facing how it is said; who sits sits from the first frame; both are there as long."""

import numpy as np
import pytest

from models.body.model import load_body
from models.body.subject import Subject
from models.interactions import meeting

FPS = 20.0


@pytest.fixture(scope="module")
def person() -> Subject:
    return Subject(load_body(), np.zeros(10), 40.0, "carer")


def test_a_path_is_as_far_to_the_left_as_it_is_said() -> None:
    path = meeting.curve(np.zeros(2), np.array([2.0, 0.0]), 0.3)
    assert np.allclose(path[[0, -1]], [[0.0, 0.0], [2.0, 0.0]]) and np.isclose(path[:, 1].max(), 0.3)


@pytest.mark.parametrize("seed", range(4))
def test_who_comes_walks_to_the_place_from_where_it_is_said_and_leaves_to_where(person: Subject, seed: int) -> None:
    rng = np.random.default_rng(seed)
    stop, bearing = np.array([0.5, -0.2]), 0.7
    actor = meeting.comes(person, FPS, rng, stop, bearing, 0.4)
    start = np.array(actor.recording.pelvis)[0, :2] - stop
    assert np.allclose(np.arctan2(start[1], start[0]), bearing, atol=0.1) and 1.1 < np.linalg.norm(start) < 2.5
    assert np.linalg.norm(actor.xy - stop) < 0.02
    meeting.leaves(actor, -2.0)
    gone = actor.xy - stop
    assert np.allclose(np.arctan2(gone[1], gone[0]), -2.0, atol=0.1) and np.linalg.norm(gone) > 1.1


def test_who_sits_sits_from_the_first_frame_and_both_are_there_as_long(person: Subject) -> None:
    rng = np.random.default_rng(0)
    sitting, support, boxes = meeting.seated(person, FPS, rng)
    coming = meeting.comes(person, FPS, rng, np.array([0.8, 0.0]), 0.0, 0.3)
    meeting.wait_for(sitting, coming, support)
    assert sitting.frames == coming.frames > 20
    heights = np.array(sitting.recording.pelvis)[:, 2]
    assert np.ptp(heights) < 0.03 and support.height_m < heights[0] < support.height_m + 0.2
    assert meeting.boxes_in(boxes)["boxes"] and meeting.boxes_in(()) == {}
