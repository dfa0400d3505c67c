"""What linear recurrences share: sequences cut into chunks, and the state that is carried from one to the next.

Within a chunk all pairs of tokens are looked at in one matrix product; only chunks are gone through one by one. So time
and memory are linear in the length.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def in_chunks(values: Float[Tensor, "batch token *rest"], size: int) -> Float[Tensor, "batch chunk size *rest"]:
    """Cut a sequence into chunks; zeros fill the last."""
    short = -values.shape[1] % size
    return F.pad(values, (0, 0) * (values.ndim - 2) + (0, short)).unflatten(1, (-1, size))


def carried_states(
    decay: Float[Tensor, "batch chunk heads #key"], added: Float[Tensor, "batch chunk heads key value"]
) -> Float[Tensor, "batch chunk heads key value"]:
    """Return the state that each chunk begins with, of what a chunk leaves of it and of what it adds; the first begins
    with zero."""
    state = torch.zeros_like(added[:, 0])
    states = []
    for kept, new in zip(decay.unbind(1), added.unbind(1), strict=True):
        states.append(state)
        state = kept[..., None] * state + new
    return torch.stack(states, dim=1)
