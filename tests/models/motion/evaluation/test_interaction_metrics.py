"""How two people act together: scenes whose answers are known."""

import math

import numpy as np
import pytest
import torch
import trimesh

from models.body.model import load_body
from models.body.rest_skeleton import skeleton_of
from models.motion.evaluation.interaction_metrics import (
    Pair,
    SampledPair,
    contact,
    hands_that_hold,
    interaction_metrics,
    moved_cm,
    pelvis_distances_m,
    relative_heading_deg,
    rests_low,
    shared_volume_cm3,
    side_of,
    stated_side,
)
from models.motion.features import from_matrices, transformed
from models.motion.holding import ARMS, palms_of, surface_distance

BETAS = torch.zeros(2, 10)
UPRIGHT = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
"""Faces +x."""


@pytest.fixture(scope="module")
def rest():
    return skeleton_of(load_body()).rest_joints(BETAS)


def standing(rest, places, yaws=(0.0, 0.0), frames=20, height=0.95):
    """Two who stand with their arms out at these places, facing these ways."""
    R = torch.eye(3).expand(2, frames, 22, 3, 3).clone()
    for person, yaw in enumerate(yaws):
        c, s = math.cos(yaw), math.sin(yaw)
        R[person, :, 0] = torch.tensor([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]) @ UPRIGHT
    root = torch.tensor([[*place, height] for place in places])[:, None].expand(-1, frames, -1)
    return Pair(from_matrices(rest, R, root), rest, BETAS)


def test_distance_side_and_heading_of_two_who_stand(rest):
    pair = standing(rest, [(0.0, 0.0), (0.0, 0.6)], (0.0, 0.5))
    np.testing.assert_allclose(pelvis_distances_m(pair.features), 0.6, atol=1e-6)
    assert side_of(pair.features) == "left"
    assert side_of(standing(rest, [(0.0, 0.0), (0.2, -0.6)]).features) == "right"
    assert relative_heading_deg(pair.features) == pytest.approx(math.degrees(0.5), abs=1e-3)


@pytest.mark.parametrize(
    ("text", "side"),
    [("walks on the left of", "left"), ("to the right", "right"), ("left, then right", None), ("walks", None)],
)
def test_a_caption_says_a_side_or_none(text, side):
    assert stated_side(text) == side


def holding(rest, gap_m=0.0):
    """The second one's outstretched arm ends at the first one's trunk."""
    pair = standing(rest, [(0.0, 0.0), (0.0, 0.9)])
    joints = pair.features[..., :66].unflatten(-1, (22, 3))
    reach = palms_of(joints[1, :1])[0]
    # The right hand is the one towards -y, where the first one stands.
    distance = surface_distance(reach, joints[0, 0])
    at = int(distance.argmin())
    return standing(rest, [(0.0, 0.0), (0.0, 0.9 - float(distance[at]) + gap_m)]), at


def test_hands_that_hold_are_those_on_the_other_for_long(rest):
    pair, at = holding(rest)
    held = hands_that_hold(pair)
    assert held[1, at] and held[1].sum() == 1
    assert not hands_that_hold(holding(rest, 2.0)[0])[1].any()
    assert len(ARMS) == held.shape[1]


def test_contact_counts_hands_of_each_person(rest):
    with_hands, without = holding(rest)[0], standing(rest, [(0.0, 0.0), (0.0, 3.0)])
    assert contact([with_hands], [with_hands]) == (1.0, 1.0)
    assert contact([with_hands], [without]) == (None, 0.0)
    assert contact([without], [with_hands]) == (0.0, None)
    assert contact([with_hands, with_hands], [with_hands, without]) == (1.0, 0.5)


def test_the_volume_inside_two_boxes_is_theirs():
    box = trimesh.creation.box((0.4, 0.4, 0.4))
    skins = np.stack([box.vertices, box.vertices + (0.2, 0.2, 0.0)])
    assert shared_volume_cm3(skins, np.asarray(box.faces)) == pytest.approx(20.0 * 20.0 * 40.0, rel=0.02)
    apart = np.stack([box.vertices, box.vertices + (0.5, 0.0, 0.0)])
    assert shared_volume_cm3(apart, np.asarray(box.faces)) == 0.0


def test_two_in_one_place_share_their_whole_volume(rest):
    body = load_body()
    skin = body.posed(BETAS[:1], torch.zeros(1, 3), torch.zeros(1, 69), torch.zeros(1, 3)).vertices[0].numpy()
    found = shared_volume_cm3(np.stack([skin, skin]), np.asarray(body.faces))
    assert 40_000.0 < found < 110_000.0, "a person's litres"


def test_what_a_clean_up_moved_is_not_where_its_frame_begins(rest):
    pair = standing(rest, [(0.0, 0.0), (0.0, 0.6)])
    turned = transformed(pair.features[None], torch.tensor([[3.0, -1.0, 2.0]]))[0]
    assert moved_cm(pair.features, turned) < 1e-3
    apart = standing(rest, [(0.0, -0.05), (0.0, 0.65)])
    assert moved_cm(pair.features, apart.features) == pytest.approx(5.0, abs=1e-3)
    assert moved_cm(pair.features, standing(rest, [(0.0, 0.0), (0.0, 0.6)], height=0.85).features) == pytest.approx(
        10.0
    )


def test_who_stands_does_not_rest_low_and_who_lies_does(rest):
    pair = standing(rest, [(0.0, 0.0), (0.0, 0.6)], frames=30)
    assert not rests_low(pair.features, rest)
    R = torch.eye(3).expand(1, 30, 22, 3, 3).clone()
    R[:, :, 0] = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
    assert rests_low(from_matrices(rest[:1], R, torch.tensor([0.0, 0.0, 0.1]).expand(1, 30, 3)), rest[:1])


def test_what_is_real_is_judged_right(rest):
    pair, near = holding(rest)[0], standing(rest, [(0.0, 0.0), (0.0, 0.4)], (0.0, math.pi))
    same = SampledPair("walk_beside", "walks on the left of the other", pair, pair, pair)
    found = interaction_metrics(load_body(), [same])
    assert found["wasserstein_cm"] == {"raw": 0.0, "cleaned": 0.0} and found["cleanup_moved_cm"] < 1e-6
    assert found["side_agreement"] == {"real": 1.0, "raw": 1.0, "cleaned": 1.0}
    assert found["contact_precision"]["raw"] == found["contact_recall"]["raw"] == 1.0
    assert found["relative_heading_off_deg"]["raw"] == 0.0
    other = interaction_metrics(load_body(), [SampledPair("walk_beside", same.text, pair, near, pair)])
    gap = 100.0 * (other["pair_distance_m"]["real"] - 0.4)
    assert other["wasserstein_cm"]["raw"] == pytest.approx(gap, abs=1e-3)
    assert other["relative_heading_off_deg"]["raw"] == pytest.approx(180.0)
    assert other["interpenetration_cm3"]["raw"] > other["interpenetration_cm3"]["real"]


def test_a_side_that_real_scenes_do_not_bear_out_is_not_judged(rest):
    pair = standing(rest, [(0.0, 0.0), (0.0, 0.6)])
    found = interaction_metrics(load_body(), [SampledPair("catch", "stumbles to the right", pair, pair, pair)])
    assert found["side_agreement"] is None
