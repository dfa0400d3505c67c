"""Self attention that knows where in a scan each token comes: places enter as rotations of queries and keys (Su et al.
2021, RoFormer)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from models.motion.denoisers.layers import attend
from models.motion.denoisers.role_scans import RoleScans


def rotated(
    values: Float[Tensor, "scans heads token dim"], place: Int[Tensor, "scans token"]
) -> Float[Tensor, "scans heads token dim"]:
    """Rotate pairs of numbers by their token's place, 1 to 1/1,000 radian a place: products of two then depend on how
    far apart they are."""
    pairs = values.shape[-1] // 2
    rates = 1_000.0 ** (-torch.arange(pairs, device=values.device) / pairs)
    angle = place[:, None, :, None] * rates
    first, second = values.chunk(2, dim=-1)
    sine, cosine = angle.sin().to(values), angle.cos().to(values)
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], dim=-1)


class RotaryAttention(nn.Module):
    """Multi-head self attention over every scan of roles; each token sees all that are there, before it and after."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.query_key_value, self.proj_out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "batch token width"], scans: RoleScans) -> Float[Tensor, "batch token width"]:
        """Mix tokens. They stay where they are: what differs between scans is how far apart they lie."""
        per_head = self.query_key_value(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        number = scans.place.shape[1]
        query, key, value = per_head.repeat_interleave(number, dim=1)
        place = scans.place.flatten(0, 1)
        query, key = rotated(query, place), rotated(key, place)
        seen = scans.token_mask.repeat_interleave(number, dim=0)
        attended = attend(query, key, value, seen).unflatten(0, (-1, number))
        return self.proj_out((attended * scans.weight[..., None, None].to(attended)).sum(1))
