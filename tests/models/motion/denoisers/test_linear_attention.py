"""RWKV's attention: chunked, it is the recurrence; as a mixer it is causal."""

import pytest
import torch

from models.motion.denoisers.linear_attention import MOST_DECAY, wkv


def naive(receptance, key, value, log_decay, bonus):
    """Step by step, as it is defined."""
    state, found = torch.zeros(len(key), *key.shape[2:], value.shape[3]), []
    for t in range(key.shape[1]):
        new = key[:, t, ..., None] * value[:, t, :, None]
        found.append((receptance[:, t, ..., None] * (state + bonus[..., None] * new)).sum(2))
        state = log_decay[:, t, ..., None].exp() * state + new
    return torch.stack(found, dim=1)


def inputs(length):
    draw = torch.Generator().manual_seed(length)
    r, k, v = (torch.randn(2, length, 3, dim, generator=draw) / 3 for dim in (6, 6, 5))
    # A third each: nothing forgotten, as much as can be, and between.
    log_decay = -MOST_DECAY * (torch.rand(2, length, 3, 6, generator=draw) * 3.0 - 1.0).clamp(0.0, 1.0)
    bonus = torch.randn(3, 6, generator=draw)
    for values in (r, k, v, log_decay, bonus):
        values.requires_grad_()
    return r, k, v, log_decay, bonus


@pytest.mark.parametrize("length", [1, 7, 32, 97])
def test_chunked_it_is_the_recurrence(length):
    found, expected = wkv(*inputs(length)), naive(*inputs(length))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0.0)
    assert expected.std() > 0.01


def test_its_gradients_are_those_of_the_recurrence():
    both = []
    for scan in (wkv, naive):
        values = inputs(75)
        weights = torch.randn(2, 75, 3, 5, generator=torch.Generator().manual_seed(1))
        both.append(torch.autograd.grad((scan(*values) * weights).sum(), values))
    for name, found, expected in zip(("r", "k", "v", "log_decay", "bonus"), *both, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5, msg=lambda text, n=name: f"{n}: {text}")
        assert expected.abs().max() > 0.01, name


def test_forgetting_as_fast_as_it_can_leaves_float32_nowhere():
    r, k, v, _, bonus = inputs(64)
    fastest = torch.full_like(k, -MOST_DECAY).detach().requires_grad_()
    found = wkv(r, k, v, fastest, bonus)
    torch.testing.assert_close(found, naive(r, k, v, fastest, bonus), atol=1e-5, rtol=0.0)
    assert torch.autograd.grad(found.sum(), fastest)[0].isfinite().all()
