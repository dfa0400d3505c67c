"""Plans: read off motion and back, the same wherever a scene lies, and interpolated."""

import math

import pytest
import torch
from torch.testing import assert_close

from models.motion import plan as plans
from models.motion.dataset import Piece
from models.motion.features import from_frames, heading, root_matrices, to_frames, transformed
from models.motion.known_frames import KnownRun
from models.motion.plan import (
    HEADING,
    HOLDS,
    PLAN_FEATURES,
    PLAN_STRIDE,
    ROOT,
    UP,
    continued,
    denormalise,
    frames_of_bodies,
    moments_of,
    normalise,
    plan_at_frames,
    plan_of,
    shaken,
)


@pytest.fixture
def pair(motion_data):
    names = [row.name for row in motion_data.rows]
    return motion_data.batch([Piece(names.index("pair"), 0, 60, (0, 1), 0)])


def plan_of_pair(pair):
    return plan_of(pair.features[:, :, ::PLAN_STRIDE], pair.mask[:, :, ::PLAN_STRIDE])


def test_a_plan_says_where_a_body_is_which_way_it_faces_and_how_upright_it_is(pair):
    plan = plan_of_pair(pair)
    assert plan.shape == (1, 2, moments_of(60), 10)
    assert_close(plan[..., ROOT], pair.features[:, :, ::PLAN_STRIDE, :3])
    assert_close(plan[..., HEADING], heading(root_matrices(pair.features[:, :, ::PLAN_STRIDE])))
    assert_close(plan[..., HEADING].norm(dim=-1), torch.ones(1, 2, moments_of(60)))
    up = root_matrices(pair.features[:, :, ::PLAN_STRIDE])[..., :, 1]
    assert_close(plan[..., UP].norm(dim=-1), up.norm(dim=-1))
    assert_close(plan[..., UP][..., 2], up[..., 2])


def test_moving_a_scene_moves_places_and_headings_alone(pair):
    pose = torch.tensor([[1.3, -0.4, 2.1]])
    moved = plan_of_pair(type(pair)(transformed(pair.features, pose), *list(vars(pair).values())[1:]))
    plan = plan_of_pair(pair)
    assert_close(moved[..., UP], plan[..., UP], atol=1e-5, rtol=0)
    assert torch.equal(moved[..., HOLDS], plan[..., HOLDS])
    turned = frames_of_bodies(moved)[..., 2] - frames_of_bodies(plan)[..., 2]
    assert_close(turned.cos(), torch.full_like(turned, math.cos(2.1)), atol=1e-4, rtol=0)
    gap = (plan[:, 0, :, :2] - plan[:, 1, :, :2]).norm(dim=-1)
    assert_close((moved[:, 0, :, :2] - moved[:, 1, :, :2]).norm(dim=-1), gap, atol=1e-5, rtol=0)


def test_bodies_told_along_a_plan_are_the_same_in_the_world_again(pair):
    frames = frames_of_bodies(plan_at_frames(plan_of_pair(pair), pair.mask[:, :, ::PLAN_STRIDE], 60))
    told = to_frames(pair.features, frames)
    # After its last moment a plan stands still.
    assert told[:, :, :57, :2].abs().max() < 0.03, "a pelvis is where its plan is, but for what moments miss"
    assert_close(from_frames(told, frames), pair.features, atol=1e-5, rtol=0)


def test_interpolation_meets_the_moments_and_draws_straight_lines_straight():
    plan = torch.zeros(1, 1, 4, 10)
    plan[..., 0] = torch.arange(4) * 0.4
    plan[..., HEADING] = torch.tensor([1.0, 0.0])
    frames = plan_at_frames(plan, torch.ones(1, 1, 4, dtype=torch.bool), 13)
    assert_close(frames[0, 0, ::PLAN_STRIDE], plan[0, 0])
    assert_close(frames[0, 0, 4:9, 0], torch.arange(4, 9) * 0.1)


def test_a_plan_goes_on_at_its_last_moment():
    plan = torch.rand(1, 1, 5, 10, generator=torch.Generator().manual_seed(0))
    moments = torch.tensor([[[True, True, True, False, False]]])
    frames = plan_at_frames(plan, moments, 20)
    assert_close(frames[0, 0, 12:, ROOT], plan[0, 0, 2, ROOT].expand(8, 3))
    assert (frames[0, 0, 8:12, ROOT] - plan[0, 0, 2, ROOT]).abs().max() < 0.1


def test_normalising_is_undone_and_treats_both_horizontal_axes_alike(pair):
    plan = plan_of_pair(pair)
    assert_close(denormalise(normalise(plan)), plan)
    for part in (ROOT, HEADING):
        x, y = part.start, part.start + 1
        assert plans.MEAN[x] == plans.MEAN[y] == 0.0 and plans.STD[x] == plans.STD[y]


def test_a_plan_is_continued_from_what_is_known_and_stays_rigid(pair):
    plan = plan_of_pair(pair)
    known = torch.zeros_like(plan)
    known[..., HEADING] = torch.tensor([0.0, 1.0])
    known[..., :2] = torch.tensor([2.0, 3.0])
    moved = continued(plan, known, KnownRun(torch.tensor([[0, 2]]), torch.tensor([[2, 1]])))
    assert_close(moved[0, 0, 2, :2], torch.tensor([2.0, 3.0]))
    assert_close(moved[0, 0, 2, HEADING], torch.tensor([0.0, 1.0]), atol=1e-6, rtol=0)
    assert torch.equal(moved[0, 1], plan[0, 1]), "of whom nothing is known, nothing is moved"
    steps = [(values[0, 0, 1:, :2] - values[0, 0, :-1, :2]).norm(dim=-1) for values in (moved, plan)]
    assert_close(*steps, atol=1e-5, rtol=0)


def test_shaken_plans_differ_by_little_and_each_scene_by_a_share_of_its_own(pair):
    plan = plan_of_pair(pair)[:, :, :1].expand(200, -1, moments_of(60), -1)
    off = shaken(plan, torch.ones(plan.shape[:3], dtype=torch.bool), torch.Generator().manual_seed(1)) - plan
    by_scene = off[..., 0].flatten(1).std(dim=1) / plans.SHAKEN[0]
    assert 0.0 <= by_scene.min() < 0.15 and 0.8 < by_scene.max() < 1.4


def test_who_drops_at_once_may_be_planned_to_drop_slowly(monkeypatch):
    monkeypatch.setattr(plans, "SHAKEN", (0.0,) * PLAN_FEATURES)
    plan, there = torch.zeros(64, 1, 12, PLAN_FEATURES), torch.ones(64, 1, 12, dtype=torch.bool)
    plan[:, :, :6, 2], there[:, :, 10:] = 1.0, False
    plan[:, :, 10:, 2] = 50.0
    found = shaken(plan, there, torch.Generator().manual_seed(0))[:, 0, :10, 2]
    drops = (found[:, :-1] - found[:, 1:]).max(1).values
    assert {round(float(drop), 4) for drop in drops} == {1.0, 0.5, 0.375, 0.3125}, "by 0 to 3 passes"
    assert (found[:, 0] == 1.0).all() and (found[:, 9] == 0.0).all(), "nor does the motion's end know what is not there"
