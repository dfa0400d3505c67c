"""Mamba's selective scan in plain torch: a state space whose step, input and output depend on the token.

With one decay a head, as in Mamba-2 (Dao and Gu 2024, "Transformers are SSMs", whose section 6 has the chunks).
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from models.motion.denoisers.chunked_recurrence import carried_states, in_chunks
from models.motion.denoisers.role_scans import RoleScans

CHUNK = 32
"""Tokens of a chunk."""
STATE = 32
"""Numbers of the state for each number of a head."""
CONVOLVED = 4
"""Tokens that the convolution before the scan sees."""


def selective_scan(
    x: Float[Tensor, "batch token heads value"],
    log_decay: Float[Tensor, "batch token heads"],
    B: Float[Tensor, "batch token state"],
    C: Float[Tensor, "batch token state"],
    chunk: int = CHUNK,
) -> Float[Tensor, "batch token heads value"]:
    """Scan: h_t = exp(log_decay_t) h_(t-1) + B_t x_t, y_t = C_t h_t, h_0 = 0; `log_decay` is at most 0."""
    length = x.shape[1]
    x, log_decay, B, C = (in_chunks(value, chunk) for value in (x, log_decay, B, C))
    total = log_decay.cumsum(2).movedim(-1, 2)
    # What token j left, at token i: all factors after j up to i.
    between = total[..., :, None] - total[..., None, :]
    later = torch.ones(chunk, chunk, dtype=torch.bool, device=x.device).triu(1)
    kept = between.masked_fill(later, -torch.inf).exp()
    score = (C @ B.transpose(-1, -2))[:, :, None] * kept
    x = x.movedim(3, 2)
    within = score @ x
    added = (B[:, :, None] * (total[..., -1:] - total).exp()[..., None]).transpose(-1, -2) @ x
    states = carried_states(total[..., -1:].exp(), added)
    y = within + (C[:, :, None] @ states) * total.exp()[..., None]
    return y.movedim(2, 3).flatten(1, 2)[:, :length]


class SelectiveScan(nn.Module):
    """Mamba-2's block as a mixer of tokens, over every scan of roles; causal along each.

    What does not depend on the order is computed once a token: what comes in, the gate, what goes out.
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads, self.inner = heads, 2 * width
        self.convolved_width = self.inner + 2 * STATE
        self.proj_in = nn.Linear(width, self.inner + self.convolved_width + heads)
        self.convolution = nn.Conv1d(self.convolved_width, self.convolved_width, CONVOLVED, groups=self.convolved_width)
        # Steps from 0.001 to 0.1 and decays from 1 to 16 a step, as published.
        step = torch.exp(torch.linspace(math.log(1e-3), math.log(1e-1), heads))
        self.step_offset = nn.Parameter(step + torch.log(-torch.expm1(-step)))
        self.log_rate = nn.Parameter(torch.log(torch.linspace(1.0, 16.0, heads)))
        self.skip = nn.Parameter(torch.ones(heads))
        self.norm = nn.RMSNorm(self.inner, eps=1e-5)
        self.proj_out = nn.Linear(self.inner, width)

    def forward(self, x: Float[Tensor, "batch token width"], scans: RoleScans) -> Float[Tensor, "batch token width"]:
        """Mix tokens."""
        gate, scanned = self.proj_in(x).split([self.inner, self.convolved_width + self.heads], dim=-1)
        with torch.autocast(x.device.type, enabled=False):
            sequence, step = scans.interleave(scanned.float()).split([self.convolved_width, self.heads], dim=-1)
            before = F.pad(sequence.transpose(1, 2), (CONVOLVED - 1, 0))
            values, B, C = F.silu(self.convolution(before)).transpose(1, 2).split([self.inner, STATE, STATE], dim=-1)
            values, step = values.unflatten(-1, (self.heads, -1)), F.softplus(step + self.step_offset)
            y = selective_scan(values * step[..., None], -step * self.log_rate.exp(), B, C)
            joined = scans.join((y + self.skip[:, None] * values).flatten(2))
            y = self.norm(joined * F.silu(gate.float()))
        return self.proj_out(y)
