"""Cutting into chunks, and what is carried between them."""

import torch

from models.motion.denoisers.chunked_recurrence import carried_states, in_chunks


def test_the_last_chunk_is_filled_with_zeros():
    found = in_chunks(torch.arange(1.0, 8.0).view(1, 7, 1, 1), 3)
    assert found.shape == (1, 3, 3, 1, 1)
    assert found.flatten().tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 0.0, 0.0]


def test_a_chunk_begins_with_what_those_before_left():
    added = torch.tensor([1.0, 10.0, 100.0]).view(1, 3, 1, 1, 1)
    found = carried_states(torch.tensor([9.0, 0.5, 9.0]).view(1, 3, 1, 1), added)
    assert found.flatten().tolist() == [0.0, 1.0, 10.5]
