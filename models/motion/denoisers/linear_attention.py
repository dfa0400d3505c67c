"""RWKV's linear attention in plain torch: of every head a matrix that is read, decayed and written token by token.

The recurrence and the decays that depend on the token are RWKV-6's, the decays' lower bound RWKV-7's (Peng et al. 2024,
"Eagle and Finch"; 2025, "Goose").
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from models.motion.denoisers.chunked_recurrence import carried_states, in_chunks
from models.motion.denoisers.role_scans import RoleScans

CHUNK = 32
"""Tokens of a chunk: decays of so many multiply to no less than float32 can divide by."""
MOST_DECAY = math.exp(-0.5)
"""Bound of -log_decay: no number is forgotten faster than to 0.545 a token."""
DECAY_RANK = 32
"""Rank of the map from a token to its decays."""


def wkv(
    receptance: Float[Tensor, "batch token heads key"],
    key: Float[Tensor, "batch token heads key"],
    value: Float[Tensor, "batch token heads value"],
    log_decay: Float[Tensor, "batch token heads key"],
    bonus: Float[Tensor, "heads key"],
    chunk: int = CHUNK,
) -> Float[Tensor, "batch token heads value"]:
    """Scan: y_t = r_t (S_(t-1) + diag(u) k_t v_t), S_t = diag(exp(log_decay_t)) S_(t-1) + k_t v_t, S_0 = 0.

    `log_decay` lies between -`MOST_DECAY` and 0; `bonus` is u.
    """
    length = key.shape[1]
    current = (receptance * bonus * key).sum(-1, keepdim=True) * value
    r, k, v, log_decay = (in_chunks(values, chunk).movedim(3, 2) for values in (receptance, key, value, log_decay))
    total = log_decay.cumsum(3)
    # From the middle of a chunk neither way is far, so that no factor leaves float32.
    middle = total[..., chunk // 2 : chunk // 2 + 1, :]
    read = r * (total - log_decay - middle).exp()
    score = (read @ (k * (middle - total).exp()).transpose(-1, -2)).tril(-1)
    added = (k * (total[..., -1:, :] - total).exp()).transpose(-1, -2) @ v
    states = carried_states(total[..., -1, :].exp(), added)
    y = score @ v + (r * (total - log_decay).exp()) @ states
    return y.movedim(2, 3).flatten(1, 2)[:, :length] + current


class LinearAttention(nn.Module):
    """RWKV's time mixing as a mixer of tokens, over every scan of roles; causal along each.

    The shift to the token before is that of the projections, not of what they are of, so that they are computed once a
    token whatever the number of scans.
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.proj_in, self.gate = nn.Linear(width, 3 * width), nn.Linear(width, width)
        into_decay = nn.Linear(DECAY_RANK, width)
        # From numbers that are kept for a hundred tokens to such as are forgotten after two.
        with torch.no_grad():
            into_decay.bias.copy_(torch.linspace(-4.5, 3.0, width // heads).repeat(heads))
        self.decay = nn.Sequential(nn.Linear(width, DECAY_RANK), nn.Tanh(), into_decay)
        self.shift = nn.Parameter(torch.full((4 * width,), 0.5))
        self.bonus = nn.Parameter(torch.zeros(heads, width // heads))
        self.norm = nn.GroupNorm(heads, width)
        self.proj_out = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "batch token width"], scans: RoleScans) -> Float[Tensor, "batch token width"]:
        """Mix tokens."""
        projected, gate = torch.cat([self.proj_in(x), self.decay(x)], dim=-1), self.gate(x)
        with torch.autocast(x.device.type, enabled=False):
            sequence = scans.interleave(projected.float())
            before = F.pad(sequence, (0, 0, 1, 0))[:, :-1]
            shifted = torch.lerp(sequence, before, self.shift)
            r, k, v, decay = shifted.unflatten(-1, (4, self.heads, -1)).unbind(2)
            y = wkv(r, k * k.shape[-1] ** -0.5, v, -MOST_DECAY * decay.sigmoid(), self.bonus)
            joined = scans.join(y.flatten(2))
            y = self.norm(joined.flatten(0, 1)).view_as(joined) * F.silu(gate.float())
        return self.proj_out(y)
