"""Segmentations: equal to pycocotools' where they are sound, refused before it sees them where they are not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from models.errors import Rejected
from models.footage.coco_masks import run_lengths

SIZE = (64, 48)


def mask(seed: int, share: float) -> np.ndarray:
    return np.asfortranarray(np.random.default_rng(seed).random((48, 64)) < share, dtype=np.uint8)


@given(st.integers(0, 99), st.floats(0.0, 1.0))
@settings(max_examples=50, deadline=None)
def test_sound_run_lengths_are_taken(seed, share):
    drawn = mask(seed, share)
    text = coco_mask.encode(drawn)["counts"].decode()
    assert np.array_equal(coco_mask.decode(run_lengths({"size": [48, 64], "counts": text}, SIZE, SIZE)), drawn)
    flat = drawn.ravel(order="F")
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flat, [2]])))
    counts = np.diff(np.concatenate([[0], edges])).tolist()
    assert np.array_equal(coco_mask.decode(run_lengths({"size": [48, 64], "counts": counts}, SIZE, SIZE)), drawn)


@given(st.text(max_size=30))
@settings(max_examples=200, deadline=None)
def test_damaged_run_lengths_never_reach_pycocotools(text):
    """It writes beyond the image where run lengths add up to more than its pixels."""
    try:
        found = run_lengths({"size": [48, 64], "counts": text}, SIZE, SIZE)
    except Rejected:
        return
    assert coco_mask.decode(found).shape == (48, 64)


@pytest.mark.parametrize(
    ("segmentation", "reason"),
    [
        ("polygon", "it is neither polygons nor run lengths"),
        ([[10, 10]], "a polygon has 1 points, and 3 are needed"),
        ([[10, 10, 20, 20]], "a polygon has 2 points, and 3 are needed"),
        ([[1, 2, 3, 4, 5]], "a polygon is no list of x, y, x, y, ..."),
        ([[1, 2, 3, 4, 5, None]], "a polygon is no list of x, y, x, y, ..."),
        ([1, 2, 3, 4, 5, 6], "a polygon is no list of x, y, x, y, ..."),
        ([[1, 2, 3, 4, 5, 99_999]], "a polygon lies far outside the image"),
        ({"counts": "0"}, "the run lengths are of None, its image is 64x48"),
        ({"size": [24, 32], "counts": [768]}, "the run lengths are of 32x24, its image is 64x48"),
        ({"size": [48, 64]}, "the run lengths do not add up to 64x48 pixels"),
        ({"size": [48, 64], "counts": [5]}, "the run lengths do not add up to 64x48 pixels"),
        ({"size": [48, 64], "counts": [-1, 3073]}, "the run lengths do not add up to 64x48 pixels"),
        ({"size": [48, 64], "counts": ["a"]}, "the run lengths do not add up to 64x48 pixels"),
        ({"size": [48, 64], "counts": ""}, "the run lengths do not add up to 64x48 pixels"),
        ({"size": [48, 64], "counts": "9" * 9}, "the run lengths do not add up to 64x48 pixels"),
    ],
)
def test_what_is_none_is_refused_by_name(segmentation, reason):
    with pytest.raises(Rejected) as caught:
        run_lengths(segmentation, SIZE, SIZE)
    assert caught.value.reason == reason


def test_polygons_are_drawn_at_the_clip_s_size():
    whole = run_lengths([[20, 10, 50, 10, 50, 40, 20, 40]], SIZE, SIZE)
    half = run_lengths([[10, 5, 25, 5, 25, 20, 10, 20]], (32, 24), SIZE)
    assert half == whole and coco_mask.area(whole) == 900
    # Pixels that are not square: each side has its own factor.
    assert run_lengths([[10, 10, 25, 10, 25, 40, 10, 40]], (32, 48), SIZE) == whole
