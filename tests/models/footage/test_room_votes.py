"""Who votes: far from people before near them, of the arrangement that most show; shadows and what moves do not."""

import numpy as np

from models.footage.room_votes import arrangement, moved, near_people, shadows, votes

SAMPLES, HEIGHT, WIDTH = 8, 120, 160


def scene(columns: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """An even room, and a mask of a person at each column."""
    covered = np.zeros((len(columns), HEIGHT, WIDTH), dtype=bool)
    for sample, column in enumerate(columns):
        covered[sample, 40:100, column : column + 20] = True
    return np.full((len(columns), HEIGHT, WIDTH, 3), 120, np.uint8), covered


def test_who_votes_is_far_from_people():
    frames, covered = scene([10, 10, 10, 10, 120, 120, 120, 120])
    said = votes(frames, np.ones((8, 3)), covered, np.zeros(8, int))
    # Beside the one place only the samples with the person at the other vote.
    assert said.voters[:, 60, 35].tolist() == [False] * 4 + [True] * 4
    assert said.voters[:, 60, 12].tolist() == [False] * 4 + [True] * 4
    assert said.voters[:, 10, 80].all() and said.shown[:4, 60, 35].all()
    assert not said.shadowed.any()


def test_near_is_by_the_largest_that_the_clip_shows():
    covered = np.zeros((2, HEIGHT, WIDTH), dtype=bool)
    covered[0, 0:100, 10:40] = True
    covered[1, 60:70, 100:110] = True  # who lies: only the head is known
    near = near_people(covered, np.zeros(2, int))
    assert near[1, 65, 130] and not near[1, 65, 145]
    assert not near_people(covered, np.array([0, 1]))[1, 65, 130]


def test_the_arrangement_that_most_clips_show_is_kept():
    frames, covered = scene([10] * 8)
    small = frames.astype(np.float32)
    small[6:, 60:110, 90:150] = 230.0
    clips = np.repeat(np.arange(4), 2)
    assert arrangement(small, covered, clips).tolist() == [True] * 6 + [False] * 2
    assert arrangement(small, covered, np.zeros(8, int)).all()


def test_a_shadow_is_dark_of_the_same_colour_and_near():
    frames, covered = scene([60] * 8)
    small = frames.astype(np.float32)
    small[:5, 40:100, 84:100] *= 0.7  # beside them
    small[5, 40:100, 84:100] *= np.array([0.7, 0.3, 0.9], np.float32)  # of another colour
    small[:, 5:30, 140:158] *= 0.7  # always there
    near = near_people(covered, np.zeros(8, int))
    found = shadows(small, covered, near, np.ones(8, bool))
    assert found[:5, 60, 92].all() and not found[5:, 60, 92].any() and not found[:, 15, 150].any()


def test_what_moved_is_a_patch_that_differs():
    frames, covered = scene([60] * 8)
    small = frames.astype(np.float32)
    small[3, 20:40, 120:140] = 30.0
    small[4, 100, 100] = 0.0  # a speck
    found = moved(small, covered, np.full((HEIGHT, WIDTH, 3), 120.0, np.float32))
    assert found[3, 30, 130] and found.sum() <= 24 * 24 and not found[4].any()
