"""Self attention told apart by places in a scan."""

import torch

from models.motion.denoisers.role_scans import role_scans
from models.motion.denoisers.rotary_attention import RotaryAttention, rotated


def test_products_depend_on_how_far_apart_tokens_are():
    draw = torch.Generator().manual_seed(0)
    query, key = torch.randn(2, 1, 1, 1, 8, generator=draw)

    def product(at, other):
        return (rotated(query, torch.tensor([[at]])) * rotated(key, torch.tensor([[other]]))).sum()

    torch.testing.assert_close(product(3, 5), product(103, 105), atol=1e-4, rtol=0.0)
    assert (product(3, 5) - product(3, 8)).abs() > 0.05
    torch.testing.assert_close(product(7, 7), (query * key).sum(), atol=1e-5, rtol=0.0)


def test_both_orders_of_two_people_are_scanned_and_all_tokens_seen():
    torch.manual_seed(0)
    mixer, x = RotaryAttention(16, 2), torch.randn(1, 12, 16)
    mask, ids = torch.ones(1, 2, 6, dtype=torch.bool), torch.tensor([[0, 1]])
    both = role_scans(mask, ids)[0]
    each = [type(both)(both.order[:, [n]], both.place[:, [n]], torch.ones(1, 1), both.token_mask) for n in (0, 1)]
    with torch.no_grad():
        found, first, second = mixer(x, both), mixer(x, each[0]), mixer(x, each[1])
        torch.testing.assert_close(found, (first + second) / 2, atol=1e-6, rtol=0.0)
        assert (first - second).abs().max() > 1e-3, "who comes first matters"
        other = x.clone()
        other[:, 7] += 1.0
        assert ((mixer(other, both) - found).abs().amax((0, 2)) > 1e-5).all()
