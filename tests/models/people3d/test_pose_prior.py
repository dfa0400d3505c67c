"""The pose prior: what is decoded is a rotation, the starter knows common poses, damaged files are named."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from models.body.model import load_body, relaxed_pose
from models.errors import InputError
from models.files import file_digest
from models.geometry.transforms import matrix_from_axis_angle
from models.people3d.pose_prior import PosePrior, PosePriorConfig, load_pose_prior, pose_prior_digest
from models.training.pose_prior.kinematics import Kinematics

STARTER = Path(__file__).parents[3] / "models" / "starter" / "pose_prior"


def poses(count, spread, seed=0):
    vectors = np.random.default_rng(seed).normal(0.0, spread, (count, 21, 3))
    return torch.as_tensor(matrix_from_axis_angle(vectors + relaxed_pose().reshape(23, 3)[:21]), dtype=torch.float32)


@pytest.fixture(scope="module")
def starter():
    return load_pose_prior()


@torch.no_grad()
def test_any_latent_decodes_to_rotations(starter):
    latent = 3.0 * torch.randn((40, 32), generator=torch.Generator().manual_seed(0))
    rotations = starter.decode(latent)
    assert torch.allclose(rotations @ rotations.transpose(-1, -2), torch.eye(3).expand_as(rotations), atol=1e-5)
    assert torch.allclose(torch.linalg.det(rotations), torch.ones(40, 21), atol=1e-5)


@torch.no_grad()
def test_starter_returns_standing_at_ease(starter):
    true = poses(1, 0.0)
    found = starter.decode(starter.encode(true)[0])
    kinematics = Kinematics(load_body())
    away = (kinematics(found) - kinematics(true)).norm(dim=-1)
    assert away.mean() < 0.03 and away.max() < 0.1


@torch.no_grad()
def test_energy_prefers_poses_that_people_take(starter):
    """The more a pose is shaken, the less likely it is; a knee bent forward is worse than one bent back."""
    energies = [float(starter.energy(poses(50, spread)).mean()) for spread in (0.0, 0.2, 0.5)]
    assert energies[0] < energies[1] < energies[2]
    bent = np.tile(relaxed_pose().reshape(23, 3)[:21], (2, 1, 1))
    bent[:, 3, 0] = 0.9, -0.9
    back, forward = starter.energy(torch.as_tensor(matrix_from_axis_angle(bent), dtype=torch.float32))
    assert back + 10.0 < forward


def test_energy_pulls_a_wrong_pose_towards_a_likely_one(starter):
    rotations = poses(4, 0.4).requires_grad_()
    before = starter.energy(rotations).sum()
    (slope,) = torch.autograd.grad(before, rotations)
    assert slope.isfinite().all()
    assert starter.energy((rotations - 1e-4 * slope).detach()).sum() < before


@torch.no_grad()
def test_batch_equals_singles(starter):
    together = poses(6, 0.3)
    mean, log_variance = starter.encode(together)
    decoded, energy = starter.decode(mean), starter.energy(together)
    for one in range(6):
        alone = starter.encode(together[one])
        assert torch.allclose(alone[0], mean[one], atol=1e-5) and torch.allclose(alone[1], log_variance[one], atol=1e-5)
        assert torch.allclose(starter.decode(mean[one]), decoded[one], atol=1e-5)
        assert torch.allclose(starter.energy(together[one]), energy[one], rtol=1e-4)


def test_dtype_is_the_callers():
    prior = load_pose_prior(dtype=torch.float64)
    assert prior.decode(torch.zeros(1, 32, dtype=torch.float64)).dtype == torch.float64


def test_card_names_the_weights_and_they_are_small(starter):
    weights = STARTER / "model.safetensors"
    assert re.search(r"`([0-9a-f]{64})`", (STARTER / "README.md").read_text())[1] == file_digest(weights)
    assert weights.stat().st_size <= 4 * 2**20
    assert re.fullmatch("[0-9a-f]{64}", pose_prior_digest("starter"))
    assert pose_prior_digest("starter") == pose_prior_digest(STARTER)


def test_folder_without_weights_is_named(tmp_path):
    with pytest.raises(InputError, match=r"is no pose prior \(config.json and model.safetensors missing\)"):
        load_pose_prior(tmp_path)


def test_weights_of_another_size_are_refused(tmp_path):
    (tmp_path / "config.json").write_text(PosePriorConfig(hidden=8).model_dump_json())
    (tmp_path / "model.safetensors").write_bytes((STARTER / "model.safetensors").read_bytes())
    with pytest.raises(InputError, match="is damaged, or no pose prior"):
        load_pose_prior(tmp_path)


def test_sizes_follow_the_config():
    prior = PosePrior(PosePriorConfig(latent=5, hidden=8, layers=1))
    mean, log_variance = prior.encode(poses(3, 0.1))
    assert mean.shape == log_variance.shape == (3, 5)
    assert prior.decode(mean).shape == (3, 21, 3, 3)


def test_weights_of_before_are_read(starter):
    """The shipped file calls a module by the name it had; what is read is as it was written."""
    written = load_file(STARTER / "model.safetensors")
    assert "spread" in written and "std" not in written
    assert torch.equal(starter.state_dict()["std"], written["spread"].float())
