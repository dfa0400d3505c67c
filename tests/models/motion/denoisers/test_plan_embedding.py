"""What bodies are told of a plan: the same wherever the scene lies, and whoever comes first."""

import math

import pytest
import torch
from torch.testing import assert_close

from models.motion.denoisers.plan_embedding import OTHER, OWN, PlanEmbedding, as_done, as_seen


@pytest.fixture
def plan():
    found = torch.randn(2, 3, 6, 10, generator=torch.Generator().manual_seed(0))
    found[..., 3:5] = torch.nn.functional.normalize(found[..., 3:5], dim=-1)
    return found


@pytest.fixture
def embedding():
    torch.manual_seed(1)
    return PlanEmbedding(16)


def moved(plan, x, y, yaw):
    c, s = math.cos(yaw), math.sin(yaw)
    turn = torch.tensor([[c, -s], [s, c]])
    place, ahead = (torch.einsum("ij,...j->...i", turn, plan[..., at : at + 2]) for at in (0, 3))
    return torch.cat([place + torch.tensor([x, y]), plan[..., 2:3], ahead, plan[..., 5:]], dim=-1)


def everybody(plan):
    return torch.ones(plan.shape[:3], dtype=torch.bool)


def test_moving_a_scene_changes_nothing(plan, embedding):
    assert_close(
        embedding(moved(plan, 3.0, -2.0, 1.2), everybody(plan)), embedding(plan, everybody(plan)), atol=1e-4, rtol=0
    )


def test_people_are_told_in_any_order(plan, embedding):
    order = [2, 0, 1]
    found = embedding(plan[:, order], everybody(plan))
    assert_close(found, embedding(plan, everybody(plan))[:, order], atol=1e-5, rtol=0)


def test_who_is_not_there_changes_nothing(plan, embedding):
    mask = everybody(plan)
    mask[:, 2] = False
    changed = plan.clone()
    changed[:, 2] += 5.0
    assert_close(embedding(plan, mask)[:, :2], embedding(changed, mask)[:, :2])
    assert_close(embedding(plan, mask)[:, :2], embedding(plan[:, :2], everybody(plan)[:, :2]))


def test_others_are_seen_from_ones_own_heading():
    me, other = torch.zeros(1, 1, 1, 10), torch.zeros(1, 1, 1, 10)
    me[..., 3:5] = torch.tensor([0.0, 1.0])  # faces +y
    other[..., 3:5] = torch.tensor([1.0, 0.0])
    other[..., :2] = torch.tensor([-0.5, 1.0])
    along, left, near, cosine, sine, height = as_seen(me, other)[0, 0, 0, -6:].tolist()
    assert (along, left) == (pytest.approx(1.0), pytest.approx(0.5))
    assert (cosine, sine, height) == (pytest.approx(0.0), pytest.approx(-1.0), 0.0)
    assert near == pytest.approx(math.exp(-math.hypot(0.5, 1.0)))


def test_the_last_moment_stays_where_it_is(plan):
    mask = everybody(plan)
    mask[:, :, 4:] = False
    told = as_done(plan, mask)
    assert told.shape[-1] == OWN and as_seen(plan, plan).shape[-1] == OTHER
    after = told[:, :, 3, -8:]
    assert_close(after[..., [0, 1, 3, 4, 5, 6, 7]], torch.zeros(2, 3, 7))
    assert_close(after[..., 2], torch.ones(2, 3))
