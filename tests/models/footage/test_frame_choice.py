"""Frames that uncover the room are chosen, of all clips alike."""

import numpy as np

from models.footage.frame_choice import candidates, chosen_frames


def at(column: int) -> np.ndarray:
    covered = np.zeros((12, 40), dtype=bool)
    covered[3:, column : column + 4] = True
    return covered


def test_the_one_frame_that_uncovers_a_place_is_chosen():
    covered = np.stack([at(10)] * 30 + [at(30)] + [at(10)] * 30)
    clips = np.zeros(61, dtype=int)
    chosen = chosen_frames(covered, clips, 6)
    assert 30 in chosen and len(chosen) == 6 and chosen == sorted(chosen)
    assert chosen == chosen_frames(covered, clips, 6)


def test_a_clip_in_which_nobody_was_found_has_no_more_say_than_others():
    covered = np.stack([at(10)] * 20 + [at(10) & False] * 20)
    chosen = np.array(chosen_frames(covered, np.repeat([0, 1], 20), 10))
    assert (chosen < 20).sum() == 5
    few = np.stack([at(10)] * 2 + [at(20)] * 20)
    assert (np.array(chosen_frames(few, np.repeat([0, 1], [2, 20]), 10)) < 2).sum() == 2


def test_candidates_are_of_frames_that_may_be_used():
    usable = [np.zeros(50, bool), np.arange(50) >= 40, np.ones(400, bool)]
    found = candidates(usable, 40, 12)
    assert {clip for clip, _ in found} == {1, 2}
    assert all(frame >= 40 for clip, frame in found if clip == 1) and 35 <= len(found) <= 48
    assert candidates([np.zeros(5, bool)], 40, 12) == []
    many = [np.ones(10, bool)] * 30
    assert len({clip for clip, _ in candidates(many, 400, 12)}) == 12
