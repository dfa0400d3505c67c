"""Hands on somebody else, told from joints."""

import pytest
import torch
from torch.testing import assert_close

from models.body.kinematics import forward_kinematics
from models.body.model import load_body
from models.body.rest_skeleton import skeleton_of
from models.motion.holding import ARMS, NEAR_M, PALM_M, holding_hands, palms_of, surface_distance


@pytest.fixture(scope="module")
def standing():
    """Joints of somebody upright, arms along the body's own axes, facing +x: (22, 3)."""
    rest = skeleton_of(load_body()).rest_joints(torch.zeros(10))
    R = torch.eye(3).expand(22, 3, 3).clone()
    R[0] = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    return forward_kinematics(rest, R[None], torch.tensor([[0.0, 0.0, 0.9]]))[0]


def test_a_palm_lies_beyond_the_wrist_along_the_forearm(standing):
    palms = palms_of(standing)
    for number, (elbow, wrist) in enumerate(ARMS):
        along = standing[wrist] - standing[elbow]
        assert_close(palms[number], standing[wrist] + PALM_M * along / along.norm())


def test_surface_distance_is_that_of_a_capsule(standing):
    knee, ankle = standing[4], standing[7]
    beside = 0.5 * (knee + ankle) + torch.tensor([0.3, 0.0, 0.0])
    found = surface_distance(beside[None], standing)
    assert_close(found, torch.tensor([0.25]), atol=0.03, rtol=0)
    assert surface_distance(standing[3][None], standing) < 0.0, "inside"


@pytest.mark.parametrize(("gap_m", "holds"), [(0.02, True), (NEAR_M + 0.1, False)])
def test_a_hand_holds_where_it_is_near_the_surface_of_somebody_else(standing, gap_m, holds):
    palm = palms_of(standing)[0]
    # The other's left shin, its surface so far from the palm.
    shin = 0.5 * (standing[4] + standing[7])
    other = standing + (palm - shin) + torch.tensor([0.05 + gap_m, 0.0, 0.0])
    other = other.clone()
    joints = torch.stack([standing, other])[None, :, None]
    there = torch.ones(1, 2, 1, dtype=torch.bool)
    assert bool(holding_hands(joints, there)[0, 0, 0, 0]) is holds
    there[0, 1] = False
    assert not holding_hands(joints, there).any(), "nobody is there to hold"


def test_nobody_holds_oneself_and_order_changes_nothing(standing):
    alone = standing[None, None, None]
    assert not holding_hands(alone, torch.ones(1, 1, 1, dtype=torch.bool)).any()
    three = torch.stack([standing, standing + torch.tensor([0.0, 0.6, 0.0]), standing + torch.tensor([0.0, -5.0, 0.0])])
    there = torch.ones(1, 3, 1, dtype=torch.bool)
    found = holding_hands(three[None, :, None], there)
    turned = holding_hands(three[[2, 0, 1]][None, :, None], there)
    assert found.any() and torch.equal(turned[:, [1, 2, 0]], found)
