"""All architectures, one signature: sizes, masks, people who can be exchanged, batch = singles."""

from dataclasses import replace
from functools import partial

import pytest
import torch

from models.motion.condition import Condition, stack_conditional_unconditional
from models.motion.denoisers import DENOISERS, build_denoiser
from models.motion.denoisers.identity import IdentityConfig
from models.motion.denoisers.intergen import InterGenConfig
from models.motion.denoisers.mdm import MdmConfig
from models.motion.denoisers.ponimator import PonimatorConfig
from models.motion.denoisers.timotion import MIXERS, TimotionConfig

SMALL = {"width": 32, "layers": 2, "heads": 4, "patch": 4, "text": 12}
TIMOTION = tuple(f"timotion_{mixer}" for mixer in MIXERS)
CONFIGS = {
    "identity": IdentityConfig,
    "intergen": InterGenConfig,
    "mdm": MdmConfig,
    "ponimator": PonimatorConfig,
    "timotion_transformer": partial(TimotionConfig, mixer="transformer"),
    "timotion_mamba": partial(TimotionConfig, mixer="mamba"),
    "timotion_rwkv": partial(TimotionConfig, mixer="rwkv"),
}
PEOPLE = {"identity": 3, "intergen": 2, "mdm": 1, "ponimator": 3} | dict.fromkeys(TIMOTION, 3)


def trained(name):
    """A small network whose weights are not at their start: outputs begin at zero."""
    torch.manual_seed(0)
    network = build_denoiser(CONFIGS[name](**SMALL))
    for value in network.parameters():
        torch.nn.init.normal_(value, std=0.15)
    return network.eval()


def scenes(people, frames=19, batch=2, seed=0):
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, people, frames, 268, generator=draw)
    mask = torch.ones(batch, people, frames, dtype=torch.bool)
    condition = Condition(
        torch.nn.functional.normalize(torch.randn(batch, 12, generator=draw), dim=-1),
        torch.zeros(batch, dtype=torch.bool),
        torch.randint(0, 4, (batch, people), generator=draw),
        0.25 + 0.05 * torch.randn(batch, people, 21, generator=draw),
        torch.arange(people).expand(batch, -1),
        pose=torch.randn(batch, people, 268, generator=draw),
        pose_frame=torch.randint(0, 13, (batch,), generator=draw),
    )
    return x, torch.randint(0, 1000, (batch,), generator=draw), condition, mask


def at(condition, rows):
    return condition.map(lambda value: value[rows])


WEIGHTS = {
    "identity": 7_050_172,
    "intergen": 6_985_660,
    "mdm": 6_650_812,
    "ponimator": 7_186_108,
    "timotion_transformer": 6_579_644,
    "timotion_mamba": 7_345_884,
    "timotion_rwkv": 7_000_924,
}


def test_every_architecture_is_tested():
    assert {config().name for config in CONFIGS.values()} == set(DENOISERS) and set(TIMOTION) < set(CONFIGS)


@pytest.mark.parametrize(("name", "count"), WEIGHTS.items())
def test_numbers_of_weights(name, count):
    """At the sizes they are compared at: within an eighth of each other."""
    assert sum(value.numel() for value in build_denoiser(CONFIGS[name]()).parameters()) == count


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_a_batch_is_its_singles(name):
    network, (x, step, condition, mask) = trained(name), scenes(PEOPLE[name])
    with torch.no_grad():
        both = network(x, step, condition, mask)
        for row in range(2):
            one = slice(row, row + 1)
            alone = network(x[one], step[one], at(condition, one), mask[one])
            torch.testing.assert_close(both[one], alone, atol=1e-4, rtol=0.0)
    assert both.std() > 0.01


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_what_is_not_there_changes_nothing_and_is_zero(name):
    network, (x, step, condition, mask) = trained(name), scenes(PEOPLE[name], frames=20)
    with torch.no_grad():
        short = network(x[:, :, :13], step, condition, mask[:, :, :13])
        mask[:, :, 13:] = False
        x[:, :, 13:] = 1e3
        padded = network(x, step, condition, mask)
    torch.testing.assert_close(padded[:, :, :13], short, atol=1e-4, rtol=0.0)
    assert (padded[:, :, 13:] == 0.0).all()


@pytest.mark.parametrize("name", ["identity", "ponimator", *TIMOTION])
def test_an_empty_slot_changes_nothing(name):
    network, (x, step, condition, mask) = trained(name), scenes(3)
    with torch.no_grad():
        two = condition.map(lambda v: v[:, :2] if v.ndim > 1 and v is not condition.text else v)
        alone = network(x[:, :2], step, two, mask[:, :2])
        mask[:, 2] = False
        padded = network(x, step, condition, mask)
    torch.testing.assert_close(padded[:, :2], alone, atol=1e-4, rtol=0.0)


@pytest.mark.parametrize("name", ["identity", "intergen", "ponimator", *TIMOTION])
def test_people_and_their_identities_can_be_exchanged_together(name):
    network, (x, step, condition, mask) = trained(name), scenes(2)
    with torch.no_grad():
        found = network(x, step, condition, mask)
        turned = condition.map(lambda v: v.flip(1) if v.ndim > 1 and v is not condition.text else v)
        other = network(x.flip(1), step, turned, mask)
    torch.testing.assert_close(found, other.flip(1), atol=1e-4, rtol=0.0)


@pytest.mark.parametrize("name", ["identity", *TIMOTION])
def test_equal_people_are_told_apart_by_their_identities(name):
    network, (x, step, condition, mask) = trained(name), scenes(2)
    same = Condition(
        condition.text,
        condition.text_dropped,
        condition.roles * 0,
        torch.full_like(condition.bones, 0.25),
        condition.identity_ids,
    )
    x[:, 1] = x[:, 0]
    with torch.no_grad():
        found = network(x, step, same, mask)
    assert (found[:, 0] - found[:, 1]).abs().max() > 0.01


@pytest.mark.parametrize("name", ["identity", "intergen", "ponimator", *TIMOTION])
def test_each_person_knows_of_the_other(name):
    network, (x, step, condition, mask) = trained(name), scenes(2)
    with torch.no_grad():
        found = network(x, step, condition, mask)
        x[:, 1] += 1.0
        moved = network(x, step, condition, mask)
    assert (found[:, 0] - moved[:, 0]).abs().max() > 1e-3


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_text_step_role_and_bones_are_heard(name):
    network, (x, step, condition, mask) = trained(name), scenes(PEOPLE[name])
    with torch.no_grad():
        found = network(x, step, condition, mask)
        for changed in ("text", "roles", "bones"):
            value = {
                "text": condition.text.flip(-1),
                "roles": (condition.roles + 1) % 4,
                "bones": condition.bones * 1.3,
            }
            other = Condition(**(vars(condition) | {changed: value[changed]}))
            assert (network(x, step, other, mask) - found).abs().max() > 1e-3, changed
        assert (network(x, (step + 500) % 1000, condition, mask) - found).abs().max() > 1e-3


def test_a_caption_tells_each_role_something_of_its_own():
    """Also in what it adds: the difference between two captions is not the same for a carer and a resident."""
    network, (_, step, condition, _) = trained("identity"), scenes(2)
    twice = condition.map(lambda value: value[:1].repeat(2, *[1] * (value.ndim - 1)))
    of = replace(twice, text=condition.text, roles=torch.tensor([[0, 1], [0, 1]]))
    with torch.no_grad():
        told = network.condition_embedding(step[:1].repeat(2), of)
        withheld = network.condition_embedding(
            step[:1].repeat(2), replace(of, text_dropped=torch.ones(2, dtype=torch.bool))
        )
    change = told[0] - told[1]
    assert (change[0] - change[1]).norm() > 0.1 * change.norm()
    assert torch.equal(withheld[:, 0], withheld[:, 1])


def test_a_withheld_caption_is_not_heard():
    network, (x, step, condition, mask) = trained("identity"), scenes(2)
    twice = stack_conditional_unconditional(condition)
    other = stack_conditional_unconditional(Condition(**(vars(condition) | {"text": condition.text.flip(-1)})))
    with torch.no_grad():
        found = network(torch.cat([x, x]), torch.cat([step, step]), twice, torch.cat([mask, mask]))
        heard = network(torch.cat([x, x]), torch.cat([step, step]), other, torch.cat([mask, mask]))
    torch.testing.assert_close(found[2:], heard[2:], atol=0.0, rtol=0.0)
    assert (found[:2] - heard[:2]).abs().max() > 1e-3


@pytest.mark.parametrize("changed", ["pose", "pose_frame"])
def test_the_pose_and_its_time_are_heard(changed):
    network, (x, step, condition, mask) = trained("ponimator"), scenes(2)
    with torch.no_grad():
        found = network(x, step, condition, mask) - condition.pose[:, :, None]
        other = replace(condition, **{changed: getattr(condition, changed).flip(0)})
        assert (network(x, step, other, mask) - other.pose[:, :, None] - found).abs().max() > 1e-3
        assert torch.equal(network(x, step, condition, mask) - condition.pose[:, :, None], found)
    with pytest.raises(AssertionError, match="motion is made around a pose"):
        network(x, step, replace(condition, pose=None), mask)


@pytest.mark.parametrize(("name", "people"), [("intergen", 1), ("mdm", 2)])
def test_baselines_say_how_many_they_are_for(name, people):
    network, (x, step, condition, mask) = trained(name), scenes(people)
    with pytest.raises(AssertionError, match="is for"):
        network(x, step, condition, mask)


def test_width_must_fit_the_heads():
    with pytest.raises(ValueError, match=r"width \(30\) must be a multiple of twice heads \(4\)"):
        IdentityConfig(width=30, heads=4)
