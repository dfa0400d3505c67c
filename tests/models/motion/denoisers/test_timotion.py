"""TIMotion's denoiser with each of its mixers.

What all denoisers hold to is in tests/models/motion/test_denoisers.py.
"""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from models.motion.condition import Condition
from models.motion.denoisers import build_denoiser
from models.motion.denoisers.layers import KERNEL_SIZE
from models.motion.denoisers.role_scans import role_scans
from models.motion.denoisers.selective_scan import selective_scan
from models.motion.denoisers.timotion import MIXERS, LocalPatterns, TimotionConfig
from models.motion.features import FEATURES
from models.motion.known_frames import KnownFrames
from models.motion.model import MotionModel, MotionModelConfig
from models.motion.request import MotionRequest
from models.motion.sample_windows import sample
from models.motion.schedulers import SamplingConfig

STEPS = 260
SMALL = {"width": 32, "layers": 2, "heads": 4, "text": 12}


def network_of(mixer, **sizes):
    torch.manual_seed(0)
    return build_denoiser(TimotionConfig.model_validate(SMALL | {"mixer": mixer} | sizes))


def away_from_the_start(network):
    """Weights drawn: outputs begin at zero."""
    for name, value in network.named_parameters():
        # A refinement of weights so large would blow rounding up to what is looked for.
        torch.nn.init.normal_(value, std=0.02 if "refinement" in name else 0.15)
    return network.eval()


def scene(people, frames=20, batch=1):
    draw = torch.Generator().manual_seed(people)
    condition = Condition(
        torch.nn.functional.normalize(torch.randn(batch, 12, generator=draw), dim=-1),
        torch.zeros(batch, dtype=torch.bool),
        torch.randint(0, 4, (batch, people), generator=draw),
        0.25 + 0.05 * torch.randn(batch, people, 21, generator=draw),
        torch.rand(batch, 5, generator=draw).argsort(-1)[:, :people],
    )
    x = torch.randn(batch, people, frames, FEATURES, generator=draw)
    return x, torch.full((batch,), 500), condition, torch.ones(batch, people, frames, dtype=torch.bool)


def with_people(condition, people):
    """Of people in another order, or of some of them."""
    return condition.map(lambda v: v[:, people] if v.ndim > 1 and v is not condition.text else v)


@pytest.mark.parametrize("mixer", MIXERS)
@pytest.mark.parametrize("people", [1, 2, 3, 4, 5])
def test_one_to_five_people_whose_places_say_nothing(mixer, people):
    network, (x, step, condition, mask) = away_from_the_start(network_of(mixer)), scene(people)
    other = torch.randperm(people, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        found = network(x, step, condition, mask)
        moved = network(x[:, other], step, with_people(condition, other), mask)
    assert found.shape == x.shape and found.std() > 0.01
    torch.testing.assert_close(moved, found[:, other], atol=1e-4, rtol=0.0)


@pytest.mark.parametrize("mixer", MIXERS)
def test_scenes_of_other_numbers_of_people_and_lengths_in_a_batch_change_nothing(mixer):
    network, (x, step, condition, mask) = away_from_the_start(network_of(mixer)), scene(3, batch=2)
    few, order = [0, 2], torch.tensor([0, 2])
    mask[0, 1] = False
    mask[0, :, 15:] = False
    mask[0, 2, 9:] = False
    x[~mask] = 1e3
    with torch.no_grad():
        found = network(x, step, condition, mask)[:1]
        one = condition.map(lambda value: value[:1])
        alone = network(x[:1, few, :15], step[:1], with_people(one, order), mask[:1, few, :15])
    torch.testing.assert_close(found[:, few, :15], alone, atol=1e-4, rtol=0.0)
    assert (found[:, 1] == 0.0).all() and (found[:, :, 15:] == 0.0).all() and (found[:, 2, 9:] == 0.0).all()


def moved_by_a_frame(network):
    """How much each frame of two people changes with frame 30 of the second; eight tokens come before it."""
    x, step, condition, mask = scene(2, 64)
    with torch.no_grad():
        found = network(x, step, condition, mask)
        x[:, 1, 30] += 3.0
        return (network(x, step, condition, mask) - found).abs().amax((0, 3))


@pytest.mark.parametrize("mixer", MIXERS)
def test_what_comes_later_says_something_of_what_is_now(mixer):
    """Of causal mixers too: one block scans forwards, the next backwards."""
    moved = moved_by_a_frame(away_from_the_start(network_of(mixer)))
    assert (moved[:, 20:28] > 1e-5).all() and (moved[:, 32:40] > 1e-5).all()


@pytest.mark.parametrize("mixer", ["mamba", "rwkv"])
def test_one_block_is_causal_beside_its_convolution(mixer):
    moved = moved_by_a_frame(away_from_the_start(network_of(mixer, layers=1)))
    near = len(network_of(mixer).patches.refinement.mixing) * (KERNEL_SIZE // 2)
    assert (moved[0, : 28 - near] < 1e-6).all() and (moved[1, : 24 - near] < 1e-6).all()
    assert (moved[0, 28:36] > 1e-5).all(), "who was scanned before within the same frame knows by the other scan"


def test_local_patterns_are_each_persons_own_and_of_a_few_tokens():
    torch.manual_seed(0)
    local, x, mask = LocalPatterns(16, 2), torch.randn(1, 2, 9, 16), torch.ones(1, 2, 9, dtype=torch.bool)
    mask[:, :, 8] = False
    other = x.clone()
    other[0, 1, 4] += 1.0
    other[0, 0, 8] += 1.0
    with torch.no_grad():
        moved = (local(x, mask) - local(other, mask)).abs().amax((0, 3))
    assert (moved[0] == 0.0).all() and moved[1].nonzero().flatten().tolist() == [3, 4, 5]


class _Counted(TorchDispatchMode):
    """Elements of all tensors that are made, views aside."""

    def __init__(self):
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        if not func.is_view:
            of = made if isinstance(made, (tuple, list)) else (made,)
            self.elements += sum(one.numel() for one in of if isinstance(one, torch.Tensor))
        return made


def cost(network, frames):
    """Elements made and multiplications, of one pass forwards and back."""
    x, step, condition, mask = scene(2, frames)
    with _Counted() as counted, FlopCounterMode(display=False) as flops:
        network(x, step, condition, mask).square().sum().backward()
    return counted.elements, flops.get_total_flops()


@pytest.mark.parametrize("mixer", ["mamba", "rwkv"])
def test_scans_cost_four_times_as_much_for_four_times_the_frames(mixer):
    network = network_of(mixer, width=64, layers=1, patch=1)
    short, long = cost(network, 250), cost(network, 1_000)
    assert [high / low for low, high in zip(short, long, strict=True)] == pytest.approx([4.0, 4.0], rel=0.05)


def test_a_scan_in_one_chunk_costs_more_than_that():
    """So what is counted can tell."""
    made = []
    for length in (250, 1_000):
        x, decay, B, C = (torch.rand(1, length, *size) for size in ((2, 4), (2,), (4,), (4,)))
        with _Counted() as counted:
            selective_scan(x, -decay, B, C, chunk=length)
        made.append(counted.elements)
    assert made[1] > 12.0 * made[0]


@pytest.mark.parametrize("mixer", MIXERS)
def test_it_learns_that_one_person_follows_another(mixer):
    """The second does what the first does, a token later; of the second nothing is shown, every batch is new."""
    network, draw = network_of(mixer), torch.Generator().manual_seed(0)
    basis, time = torch.randn(3, FEATURES, generator=draw) / 3**0.5, torch.arange(24.0)[:, None]
    _, step, condition, mask = scene(2, 24, batch=32)
    condition = Condition(**(vars(condition) | {"roles": torch.tensor([[0, 1]]).expand(32, -1)}))
    optimiser, curve = torch.optim.Adam(network.parameters(), lr=2e-3), []
    for _ in range(STEPS):
        rate, start = torch.rand(2, 32, 1, 3, generator=draw)
        lead, follow = (((time - late) * (0.2 + rate) + 6.0 * start).sin() @ basis for late in (0.0, 4.0))
        shown = torch.stack([lead, torch.zeros_like(lead)], dim=1)
        loss = (network(shown, step, condition, mask)[:, 1] - follow).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        curve.append(loss.item())
    assert sum(curve[-10:]) < 0.4 * sum(curve[:10]), curve[::10]


@pytest.mark.parametrize("mixer", MIXERS)
def test_known_ends_stay_while_the_middle_is_sampled(mixer, embed):
    """TIMotion's supplement, Algorithm 1: the first and last fifth of two people are fixed."""
    config = MotionModelConfig(
        denoiser=TimotionConfig.model_validate(SMALL | {"layers": 1, "mixer": mixer}), max_frames=40
    )
    model = MotionModel(config)
    away_from_the_start(model)
    features = torch.randn(2, 30, FEATURES, generator=torch.Generator().manual_seed(1))
    where = torch.zeros(2, 30, FEATURES, dtype=torch.bool)
    where[:, :6] = where[:, -6:] = True
    request = MotionRequest(
        "two people meet", ("carer", "resident"), torch.rand(2, 22, 3), 30, 7, known=KnownFrames(features, where)
    )
    sampling = SamplingConfig(steps=3, precision="float32")
    found = sample(model, embed, [request], sampling)[0]
    torch.testing.assert_close(found[where], features[where], atol=1e-5, rtol=0.0)
    moved = KnownFrames(torch.where(where, features + 1.0, features), where)
    other = sample(
        model, embed, [MotionRequest(request.text, request.roles, request.rest, 30, 7, known=moved)], sampling
    )[0]
    assert (found - other)[~where].abs().max() > 1e-2 and found[~where].isfinite().all()


@pytest.mark.parametrize("mixer", ["mamba", "rwkv"])
def test_linear_mixers_are_causal_along_the_scan(mixer):
    torch.manual_seed(0)
    mix, scans = MIXERS[mixer](16, 2), role_scans(torch.ones(1, 1, 40, dtype=torch.bool), torch.zeros(1, 1).long())
    x = torch.randn(1, 40, 16)
    other = x.clone()
    other[:, 20] += 1.0
    for which, changed in zip(scans, (slice(20, None), slice(0, 21)), strict=True):
        with torch.no_grad():
            moved = (mix(x, which) - mix(other, which)).abs().amax((0, 2))
        assert (moved[changed] > 1e-6).all(), "what follows knows of it"
        moved[changed] = 0.0
        assert (moved == 0.0).all(), "what comes before does not"
