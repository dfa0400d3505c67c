"""The pose animator: it begins as a pose that stands still, goes on from any, and knows people by their poses."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from models.body.model import load_body, relaxed_pose
from models.body.rest_skeleton import skeleton_of
from models.errors import InputError
from models.motion.denoisers.identity import IdentityConfig
from models.motion.denoisers.ponimator import PonimatorConfig
from models.motion.features import CONTACTS, POSITIONS, VELOCITIES, encode
from models.motion.interactive_pose import in_world_of, known_pose, still
from models.motion.known_frames import KnownFrames, moved
from models.motion.model import MotionModel, MotionModelConfig
from models.motion.request import MotionRequest
from models.motion.sample_windows import sample
from models.motion.schedulers import SamplingConfig

CONFIG = PonimatorConfig(width=32, layers=2, heads=4, text=12)
FAST = SamplingConfig(steps=4, precision="float32", overlap_frames=8)


def model_of(learned=True):
    torch.manual_seed(0)
    model = MotionModel(MotionModelConfig(denoiser=CONFIG, max_frames=40, people=(1, 2, 3, 4, 5)))
    for name, value in model.named_parameters() if learned else ():
        # A refinement of weights so large would blow rounding up to what is looked for.
        torch.nn.init.normal_(value, std=0.02 if "refinement" in name else 0.15)
    draw = torch.Generator().manual_seed(1)
    model.normaliser.fit(torch.randn(500, 268, generator=draw))
    return model.eval()


@pytest.fixture(scope="module")
def rest():
    return skeleton_of(load_body()).rest_joints(0.3 * torch.randn(5, 10, generator=torch.Generator().manual_seed(2)))


def posed(rest, people, frames, at, seed=0):
    """A request of people who stand about in poses of their own."""
    draw = torch.Generator().manual_seed(seed)
    rotations = torch.cat([torch.full((1, 3), 1.2), torch.as_tensor(relaxed_pose()).float().view(23, 3)])
    rotations = rotations + 0.2 * torch.randn(people, 24, 3, generator=draw)
    transl = torch.randn(people, 3, generator=draw) * torch.tensor([1.0, 1.0, 0.1]) + torch.tensor([2.0, -3.0, 0.9])
    known = known_pose(rest[:people], rotations, transl, frames, at)
    return MotionRequest("they meet", ("person",) * people, rest[:people], frames, 3, known=known)


@pytest.mark.parametrize(("people", "at"), [(1, 0), (2, 13), (3, 29), (5, 6)])
def test_an_untrained_network_stands_still_in_the_pose(rest, embed, people, at):
    """Its last layer is zero: what it adds to the interactive pose is nothing, at any time."""
    request = posed(rest, people, 30, at)
    found = in_world_of(request.known, at, sample(model_of(learned=False), embed, [request], FAST)[0])
    wanted = still(request.known.features[:, at])[:, None].expand(-1, 30, -1)
    assert_close(found, wanted, atol=2e-4, rtol=0.0)
    assert (found[..., VELOCITIES].abs() < 2e-4).all() and request.known.features[:, at, CONTACTS].shape == (people, 4)


@pytest.mark.parametrize(("people", "at"), [(1, 0), (2, 13), (3, 29), (5, 6)])
def test_the_pose_comes_out_as_it_went_in_at_its_time(rest, embed, people, at):
    request = posed(rest, people, 30, at)
    found = sample(model_of(), embed, [request], FAST)[0]
    assert_close(found[0, 0, :2], torch.zeros(2), atol=1e-5, rtol=0.0)
    world = in_world_of(request.known, at, found)
    assert_close(world[request.known.where], request.known.features[request.known.where], atol=1e-4, rtol=0.0)
    other = 29 if at < 15 else 0
    assert (world[:, other, POSITIONS] - request.known.features[:, at, POSITIONS]).abs().max() > 0.1, "it moves"


def test_a_batch_is_its_singles_and_the_same_seed_the_same_bytes(rest, embed):
    model = model_of()
    requests = [posed(rest, 2, 24, 5), posed(rest, 1, 33, 30, seed=1), posed(rest, 4, 17, 0, seed=2)]
    together = sample(model, embed, requests, FAST)
    for request, found in zip(requests, together, strict=True):
        assert_close(sample(model, embed, [request], FAST)[0], found, atol=1e-4, rtol=0.0)
    assert all(torch.equal(a, b) for a, b in zip(together, sample(model, embed, requests, FAST), strict=True))
    other = sample(model, embed, [replace(requests[0], seed=4)], FAST)[0]
    assert (other - together[0]).abs().max() > 0.05


def test_what_is_asked_is_heard_and_where_the_pose_lies_is_not(rest, embed):
    model, request = model_of(), posed(rest, 2, 24, 8)
    found = sample(model, embed, [request], FAST)[0]
    turned = moved(request.known.features[None], torch.zeros(1, 3), torch.tensor([[4.0, 1.0, 2.0]]))[0]
    elsewhere = replace(request, known=replace(request.known, features=turned))
    assert_close(sample(model, embed, [elsewhere], FAST)[0], found, atol=1e-4, rtol=0.0)
    for changed in (replace(request, text="they part"), posed(rest, 2, 24, 8, seed=5), posed(rest, 2, 24, 9)):
        assert (sample(model, embed, [changed], FAST)[0] - found).abs().max() > 5e-3


def test_windows_are_chained_from_the_last_pose(rest, embed):
    model, request = model_of(), posed(rest, 2, 40, 8)
    whole = sample(model, embed, [request], FAST)[0]
    features, where = (torch.nn.functional.pad(v, (0, 0, 0, 50)) for v in vars(request.known).values() if v is not True)
    long = sample(model, embed, [replace(request, frames=90, known=KnownFrames(features, where, True))], FAST)[0]
    assert long.shape == (2, 90, 268) and long.isfinite().all()
    assert_close(long[:, :40], whole, atol=1e-4, rtol=0.0)


def test_without_a_pose_of_everybody_there_is_nothing_to_animate(rest, embed):
    request = posed(rest, 2, 24, 8)
    with pytest.raises(InputError, match="motion model: makes motion around a pose, and none is given; use careclips"):
        sample(model_of(), embed, [replace(request, known=None)], FAST)
    where = request.known.where.clone()
    where[1] = False
    with pytest.raises(InputError, match="known frames: hold no pose of everybody at once"):
        sample(model_of(), embed, [replace(request, known=replace(request.known, where=where))], FAST)
    with pytest.raises(ValueError, match="plan must be null where ponimator"):
        MotionModelConfig(denoiser=CONFIG, plan=IdentityConfig(width=32, layers=1, heads=2))


def test_a_pose_that_stands_still_is_what_a_still_motion_is(rest):
    rotations = 0.2 * torch.randn(2, 24, 3, generator=torch.Generator().manual_seed(0))
    transl = torch.tensor([[0.0, 0.0, 0.9], [1.0, 0.0, 0.85]])
    motion = encode(rest[:2], rotations[:, None].expand(-1, 4, -1, -1), transl[:, None].expand(-1, 4, -1))
    moving = motion[:, 0] + torch.nn.functional.pad(torch.ones(2, 66), (66, 136))
    assert_close(still(moving), motion[:, 1], atol=1e-6, rtol=0.0)
