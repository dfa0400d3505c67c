"""What is known of a motion: where it is found, and how what is predicted meets it."""

import math

import pytest
import torch
from torch.testing import assert_close

from models.motion.dataset import Piece
from models.motion.features import FEATURES, POSITIONS, ROTATIONS
from models.motion.known_frames import (
    FADE_S,
    FIRST_FADE_S,
    continued,
    fade_from_known,
    known_run_of,
    moved,
    place_of,
    places_of,
    poses_known,
)


def test_the_first_run_of_known_frames_is_found():
    known = torch.tensor([[[1, 1, 0, 1], [0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]]], dtype=torch.bool)
    run = known_run_of(known)
    assert run.there.tolist() == [[True, True, True, False, True]]
    assert run.leads.tolist() == [[True, False, False, False, True]]
    assert run.first[0, :3].tolist() == [0, 1, 3] and run.last[0].tolist()[:3] == [1, 2, 3] and run.last[0, 4] == 3


def test_a_pose_is_known_where_places_and_rotations_are():
    where = torch.zeros(1, 1, 3, FEATURES, dtype=torch.bool)
    where[..., 1, POSITIONS] = where[..., 1, ROTATIONS] = True
    where[..., 2, POSITIONS] = True
    assert poses_known(where).tolist() == [[[False, True, False]]]


@pytest.mark.parametrize(("left", "seconds"), [(0.0, FADE_S), (1.0, FIRST_FADE_S)])
def test_what_is_predicted_meets_a_known_frame_on_both_sides(left, seconds):
    """An offset of 2 at frame 40 is 1 half a fade away before and after it, and none beyond; what is not known there
    stays."""
    predicted, known = torch.zeros(1, 2, 81, 2), torch.full((1, 2, 81, 2), 2.0)
    where = torch.zeros(1, 2, 81, 2, dtype=torch.bool)
    where[0, 0, 40, 0] = True
    found = fade_from_known(predicted, known, where, where[..., 0], 20.0, left)
    half = round(seconds * 10.0)
    assert_close(found[0, 0, [40 - half, 40 + half], 0], torch.ones(2))
    assert 1.9 < found[0, 0, 39, 0] < 2.0 and 1.9 < found[0, 0, 41, 0] < 2.0
    if left == 0.0:
        assert (found[0, 0, :31, 0] == 0.0).all() and (found[0, 0, 51:, 0] == 0.0).all()
    assert torch.equal(found[0, 0, :, 1], predicted[0, 0, :, 1]) and torch.equal(found[0, 1], predicted[0, 1])


def test_the_end_of_a_lead_fades_alike_in_all_steps():
    """Windows that go on from the one before are as they would be at the last step."""
    draw = torch.Generator().manual_seed(0)
    predicted, known = torch.randn(2, 1, 1, 60, 3, generator=draw)
    where = torch.zeros(1, 1, 60, 3, dtype=torch.bool)
    where[:, :, :8] = True
    first, last = (fade_from_known(predicted, known, where, where[..., 0], 20.0, left) for left in (1, 0))
    assert torch.equal(first, last) and torch.equal(first[:, :, 18:], predicted[:, :, 18:])
    step = (known - predicted)[0, 0, 7] * (0.5 + 0.5 * math.cos(math.pi * 0.1))
    assert_close(first[0, 0, 8], predicted[0, 0, 8] + step)


def test_what_lies_between_known_frames_meets_both_of_them():
    """1 up to frame 7, -3 from frame 51 on, nothing predicted: beyond half a second nothing is left of either, or,
    where it is spread, half of the later is left half way. With little between, one goes over into the other."""

    def faded(begin: int, spread: bool):
        known = torch.ones(1, 1, 60, 1)
        known[:, :, begin:] = -3.0
        where = torch.zeros(1, 1, 60, dtype=torch.bool)
        where[:, :, :8] = where[:, :, begin:] = True
        found = fade_from_known(torch.zeros_like(known), known, where[..., None], where, 20.0, 0.0, spread)
        return found[0, 0, :, 0]

    for spread, half_way in ((False, 0.0), (True, -1.5)):
        found = faded(51, spread)
        assert 0.9 < found[8] < 1.0 and -3.0 < found[50] < -2.9
        assert_close(found[29], torch.tensor(half_way), atol=1e-5, rtol=0.0)
    assert_close(faded(12, False)[8:12], torch.tensor([0.618, -0.382, -1.618, -2.618]), atol=0.01, rtol=0.0)


@pytest.fixture
def pair(motion_data):
    item = next(item for item, row in enumerate(motion_data.rows) if row.name == "pair")
    return motion_data.batch([Piece(item, 0, 60, (0, 1), 0)])


def test_a_scene_is_moved_as_a_whole_so_that_somebody_comes_to_a_place(pair):
    frame, onto = torch.tensor([25]), torch.tensor([[2.0, -1.0, 0.8]])
    found = moved(pair.features, place_of(pair.features, frame), onto)
    assert_close(place_of(found, frame), onto, atol=1e-5, rtol=0.0)
    apart = [(values[0, 0, :, :3] - values[0, 1, :, :3]).norm(dim=-1) for values in (found, pair.features)]
    assert_close(*apart, atol=1e-5, rtol=0.0)
    assert_close(found[..., 2], pair.features[..., 2])


def test_who_is_known_at_first_goes_on_from_there_and_nobody_else_is_moved(pair):
    known = moved(pair.features, torch.zeros(1, 3), torch.tensor([[3.0, 1.0, -0.5]]))
    where = torch.zeros(1, 2, 60, dtype=torch.bool)
    where[0, 0, :4] = where[0, 1, 20:24] = True
    found = continued(pair.features, known, known_run_of(where))
    assert_close(places_of(found)[0, 0, 3], places_of(known)[0, 0, 3], atol=1e-5, rtol=0.0)
    assert torch.equal(found[0, 1], pair.features[0, 1]), "whose motion does not begin with what is known"
