"""Who is whom: boxes, keypoints, switches counted as CLEAR MOT counts them."""

from dataclasses import replace

import numpy as np
import pytest

from models.people2d.clear_mot import box_iou, identity_switches, keypoint_distance, match
from models.types import Person2D


def somebody(x: np.ndarray, name: str = "a", keypoints: bool = True) -> Person2D:
    """A figure 100 px tall and 40 wide whose middle moves along x."""
    frames = len(x)
    shape = np.stack([np.linspace(-20, 20, 17), np.linspace(0, 100, 17)], axis=-1)
    points = shape + np.stack([x, np.full(frames, 50.0)], axis=-1)[:, None]
    boxes = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
    return Person2D(name, "person", np.ones(frames, bool), boxes, points, np.full((frames, 17), 0.9 * keypoints))


def hidden(person: Person2D, frames: np.ndarray) -> Person2D:
    return replace(person, visible=person.visible & ~frames)


def test_iou_of_known_boxes():
    box = np.array([0.0, 0.0, 10.0, 10.0])
    assert box_iou(box, box) == 1.0
    assert box_iou(box, box + 5.0) == pytest.approx(25 / 175)
    assert box_iou(box, box + 20.0) == 0.0 and box_iou(np.zeros(4), np.zeros(4)) == 0.0


def test_distance_is_a_share_of_the_box_and_needs_three_keypoints():
    a, b = somebody(np.zeros(2)), somebody(np.full(2, 10.0))
    assert keypoint_distance(a, b, 0) == pytest.approx(0.1)
    few = replace(b, scores=b.scores * (np.arange(17) < 2))
    assert keypoint_distance(a, few, 0) is None


def test_a_swap_is_two_switches_and_a_gap_none():
    t = np.arange(20)
    a, b = somebody(np.full(20, 0.0)), somebody(np.full(20, 300.0))
    assert identity_switches([a, b], [b, a]) == 0
    one, two = somebody(np.where(t < 10, 0.0, 300.0)), somebody(np.where(t < 10, 300.0, 0.0))
    assert identity_switches([a, b], [one, two]) == 2
    gap = (t > 5) & (t < 12)
    assert identity_switches([hidden(a, gap), b], [hidden(a, gap), b]) == 0
    # Found as a new person after the gap, though nobody else took the name.
    assert identity_switches([a], [hidden(a, t > 5), hidden(a, t < 12)]) == 1


def test_who_was_matched_stays_matched_while_it_holds():
    a = somebody(np.zeros(6))
    first, nearer = somebody(np.full(6, 8.0)), somebody(np.full(6, 2.0))
    late = replace(nearer, visible=np.arange(6) >= 2)
    assert match([a], [first, late]).tolist() == [[0] * 6]
    assert match([a], [first, nearer]).tolist() == [[1] * 6]
    assert match([], [a]).shape == (0, 0)
    assert match([a], []).tolist() == [[-1] * 6]


def test_boxes_alone_match_too():
    a, b = somebody(np.zeros(3), keypoints=False), somebody(np.full(3, 200.0), keypoints=False)
    assert match([a, b], [somebody(np.full(3, 195.0)), somebody(np.full(3, 5.0))]).tolist() == [[1] * 3, [0] * 3]
