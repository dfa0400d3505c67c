"""Losses are zero for the truth, and each rises by what it is there for."""

from dataclasses import replace

import pytest
import torch

from models.motion.dataset import Piece
from models.motion.features import POSITIONS, ROTATIONS, Normaliser, from_matrices, matrices, positions
from models.motion.holding import palms_of
from models.training.motion.losses import LossWeights, losses
from models.types import SMPL_JOINTS


@pytest.fixture
def scene(motion_data):
    names = [row.name for row in motion_data.rows]
    batch = motion_data.batch([Piece(names.index("pair"), 0, 60, (0, 1), 0)] * 2)
    normaliser = Normaliser()
    normaliser.fit(batch.features[batch.mask])
    return batch, normaliser


def terms(scene, features, step=10, weights=None):
    batch, normaliser = scene
    weights = weights or LossWeights(root=0.3, beside=1.0)
    seen, clean = normaliser(features), normaliser(batch.features) * batch.mask[..., None]
    found = losses(seen, clean, features, batch, torch.tensor([step, step]), weights)
    return {name: float(value) for name, value in found.items()}


def test_the_truth_costs_nothing(scene):
    found = terms(scene, scene[0].features)
    geometry = {"joints", "velocity", "foot", "bone", "floor", "distance", "orientation", "hold"}
    assert set(found) == geometry | {"simple", "root", "beside"}
    slip = found.pop("foot")
    assert max(found.values()) < 1e-6 and slip < 0.2, "standing feet of the truth itself move a little"


def test_a_shift_of_everybody_costs_joints_and_nothing_between(scene):
    features = scene[0].features.clone()
    joints = features[..., POSITIONS].unflatten(-1, (22, 3))
    joints[..., 0] += 0.1
    features[..., POSITIONS] = joints.flatten(-2)
    found, calm = terms(scene, features), terms(scene, scene[0].features)
    assert found["joints"] == pytest.approx(10.0 * 0.01, rel=1e-3)
    std = float(scene[1].std[0])
    assert found["root"] == pytest.approx(0.3 * (0.1 / std) ** 2 / 3.0, rel=1e-3)
    for name in ("velocity", "bone", "distance", "orientation", "foot", "beside"):
        assert found[name] == pytest.approx(calm[name], abs=1e-5)


def test_one_who_comes_nearer_costs_distance_where_they_are_near(scene):
    batch, _ = scene
    features = batch.features.clone()
    moved = from_matrices(batch.rest, matrices(features), features[..., :3] + torch.tensor([0.0, -0.2, 0.0]))
    features[:, 1] = moved[:, 1]
    found = terms(scene, features)
    near = (batch.features[:, 0, :, :2] - batch.features[:, 1, :, :2]).norm(dim=-1) < 1.0
    assert near.any() and found["distance"] > 3.0 * 0.01 and found["orientation"] < 1e-6
    assert found["beside"] == pytest.approx(0.2**2, rel=1e-3)


def test_one_who_turns_costs_orientation(scene):
    batch, _ = scene
    features = batch.features.clone()
    R = matrices(features)
    quarter = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    R[:, 1, :, 0] = quarter @ R[:, 1, :, 0]
    features[:, 1] = from_matrices(batch.rest, R, features[..., :3])[:, 1]
    # A quarter turn: cosine and sine of the angle between them move from (1, 0) to (0, 1), about.
    assert terms(scene, features)["orientation"] == pytest.approx(0.1 * 2.0, rel=0.15)


def test_a_hand_that_holds_costs_by_how_far_it_is_off_whom_it_holds(scene):
    """The second is put where the first one's left palm is on the trunk."""
    batch, normaliser = scene
    R, root = matrices(batch.features).clone(), batch.features[..., :3].clone()
    R[:, 1], root[:, 1] = R[:, 0], root[:, 0]
    features = from_matrices(batch.rest[:, :1].expand(-1, 2, -1, -1), R, root)
    joints = positions(features)
    root[:, 1] += (
        palms_of(joints[:, 0])[:, :, 0] - joints[:, 0, :, SMPL_JOINTS.index("spine2")] - torch.tensor([0, 0, 0.02])
    )
    batch = replace(batch, rest=batch.rest[:, :1].expand(-1, 2, -1, -1))
    true = replace(batch, features=from_matrices(batch.rest, R, root))
    weights = LossWeights(hold=2.0)
    held = true, normaliser
    assert terms(held, true.features, weights=weights)["hold"] < 1e-6
    away = torch.tensor([0.0, 0.0, 0.1])
    both, one = (
        from_matrices(batch.rest, R, root + shift) for shift in (away, torch.stack([away, 0.0 * away])[:, None])
    )
    assert terms(held, both, weights=weights)["hold"] < 1e-6, "together they hold on"
    assert terms(held, one, weights=weights)["hold"] == pytest.approx(2.0 * 0.01, rel=1e-3)
    assert terms(held, one, step=900, weights=weights)["hold"] == 0.0
    apart = replace(true, features=from_matrices(batch.rest, R, root + torch.stack([3.0 * away, 30.0 * away])[:, None]))
    assert terms((apart, normaliser), true.features, weights=weights)["hold"] == 0.0, "nobody holds anybody"


def test_what_is_in_the_floor_costs_by_its_depth(scene):
    batch, _ = scene
    sunk = from_matrices(batch.rest, matrices(batch.features), batch.features[..., :3] - torch.tensor([0.0, 0.0, 0.3]))
    found, calm = terms(scene, sunk), terms(scene, batch.features)
    assert calm["floor"] < 0.01 and found["floor"] > 0.5
    deeper = from_matrices(batch.rest, matrices(sunk), sunk[..., :3] - torch.tensor([0.0, 0.0, 0.3]))
    assert terms(scene, deeper)["floor"] > 3.0 * found["floor"]


def test_long_bones_cost(scene):
    features = scene[0].features.clone()
    joints = features[..., POSITIONS].unflatten(-1, (22, 3))
    features[..., POSITIONS] = (joints[..., :1, :] + (joints - joints[..., :1, :]) * 1.1).flatten(-2)
    bones = scene[0].bones
    assert terms(scene, features)["bone"] == pytest.approx(10.0 * float((0.1 * bones).square().mean()), rel=1e-2)


def test_wrong_rotations_cost_joints_though_positions_are_right(scene):
    features = scene[0].features.clone()
    features[..., ROTATIONS.start + 6 : ROTATIONS.stop] = torch.tensor([1.0, 0, 0, 0, 1.0, 0]).repeat(21)
    assert terms(scene, features)["joints"] > 0.01


def test_geometry_is_not_asked_for_in_noise(scene):
    features = scene[0].features + 0.1
    late, early = terms(scene, features, step=900), terms(scene, features, step=10)
    assert late["simple"] == early["simple"] > 0.0
    always = ("simple", "root", "beside")
    assert all(late[name] == (early[name] if name in always else 0.0) for name in late) and early["joints"] > 0.0
