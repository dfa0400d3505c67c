"""Mamba's scan: chunked, it is the recurrence; as a mixer it is causal."""

import pytest
import torch

from models.motion.denoisers.selective_scan import selective_scan


def naive(x, log_decay, B, C):
    """Step by step, as it is defined."""
    state, found = torch.zeros(len(x), x.shape[2], B.shape[-1], x.shape[3], dtype=x.dtype), []
    for t in range(x.shape[1]):
        state = log_decay[:, t, :, None, None].exp() * state + B[:, t, None, :, None] * x[:, t, :, None]
        found.append((C[:, t, None, :, None] * state).sum(2))
    return torch.stack(found, dim=1)


def inputs(length, dtype=torch.float32):
    draw = torch.Generator().manual_seed(length)
    x, B, C = (torch.randn(2, length, *size, generator=draw, dtype=dtype) for size in ((3, 5), (4,), (4,)))
    # From nothing forgotten to everything at once.
    log_decay = -(torch.rand(2, length, 3, generator=draw, dtype=dtype) ** 4) * 40.0
    return [value.requires_grad_() for value in (x / 4, log_decay, B / 2, C / 2)]


@pytest.mark.parametrize("length", [1, 7, 32, 97])
def test_chunked_it_is_the_recurrence(length):
    found, expected = selective_scan(*inputs(length), chunk=8), naive(*inputs(length))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0.0)
    assert expected.std() > 0.01


def test_its_gradients_are_those_of_the_recurrence():
    both = []
    for scan in (lambda *of: selective_scan(*of, chunk=8), naive):
        values = inputs(45)
        weights = torch.randn(2, 45, 3, 5, generator=torch.Generator().manual_seed(1))
        both.append(torch.autograd.grad((scan(*values) * weights).sum(), values))
    for name, found, expected in zip(("x", "log_decay", "B", "C"), *both, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5, msg=lambda text, n=name: f"{n}: {text}")
        assert expected.abs().max() > 0.01, name
