"""Orders in which tokens of several people are scanned."""

import torch

from models.motion.denoisers.role_scans import role_scans


def names(scans, row=0):
    """What is scanned, in letters of people and numbers of frames; what is not there is left out."""
    time = scans.token_mask.shape[1] // len("abc")
    there = scans.token_mask[row]
    return [
        " ".join("abc"[token // time] + str(token % time) for token in order.tolist() if there[token])
        for order, weight in zip(scans.order[row], scans.weight[row], strict=True)
        if weight > 0.0
    ]


def test_people_are_interleaved_time_by_time_in_every_cyclic_order():
    forwards, backwards = role_scans(torch.ones(1, 3, 2, dtype=torch.bool), torch.tensor([[0, 1, 2]]))
    assert names(forwards) == ["a0 b0 c0 a1 b1 c1", "b0 c0 a0 b1 c1 a1", "c0 a0 b0 c1 a1 b1"]
    assert names(backwards) == [" ".join(reversed(name.split())) for name in names(forwards)]
    torch.testing.assert_close(forwards.weight, torch.full((1, 3), 1 / 3))


def test_identities_say_who_is_next_and_who_is_not_there_is_left_out():
    mask = torch.ones(2, 3, 3, dtype=torch.bool)
    mask[0, 1] = False
    mask[0, 2, 2] = False
    forwards, backwards = role_scans(mask, torch.tensor([[4, 0, 2], [2, 0, 1]]))
    assert names(forwards) == ["c0 a0 c1 a1 a2", "a0 c0 a1 c1 a2"]
    assert names(backwards) == ["a2 a1 c1 a0 c0", "a2 c1 a1 c0 a0"]
    assert names(forwards, 1)[0] == "b0 c0 a0 b1 c1 a1 b2 c2 a2"
    for scans in (forwards, backwards):
        places = scans.token_mask[:, None].expand_as(scans.order).gather(2, scans.order)
        assert (places.long().diff(dim=-1) <= 0).all(), "those that are there come first"


def test_joining_takes_back_what_was_interleaved():
    mask = torch.ones(2, 3, 5, dtype=torch.bool)
    mask[1, 0] = False
    values = torch.randn(2, 15, 4, generator=torch.Generator().manual_seed(0))
    for scans in role_scans(mask, torch.tensor([[2, 0, 1], [0, 1, 2]])):
        scanned = scans.interleave(values)
        assert scanned.shape == (6, 15, 4) and not torch.equal(scanned[0], scanned[1])
        torch.testing.assert_close(scans.join(scanned), values)
        torch.testing.assert_close(
            scans.join(torch.arange(6.0)[:, None, None].expand(6, 15, 1))[:, 0, 0], torch.tensor([1.0, 3.5])
        )
