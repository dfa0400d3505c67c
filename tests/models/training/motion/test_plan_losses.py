"""What the network of plans learns by: nothing where it knows the answer, more the farther people are misplaced."""

import pytest
import torch
from torch import nn

from models.motion.dataset import Piece
from models.motion.denoisers import build_denoiser
from models.motion.denoisers.identity import IdentityConfig
from models.motion.plan import PLAN_FEATURES, PLAN_STRIDE, normalise, plan_of
from models.training.motion.plan_losses import PlanTrainConfig, plan_losses

CONFIG = PlanTrainConfig(denoiser=IdentityConfig(width=32, layers=1, heads=2, patch=2, text=12))


@pytest.fixture
def scene(motion_data):
    names = [row.name for row in motion_data.rows]
    return motion_data.batch([Piece(names.index("pair"), 0, 60, (0, 1), 0)] * 4, PLAN_STRIDE)


def losses(scene, embed, denoise, training=True):
    draws = torch.Generator().manual_seed(0)
    return plan_losses(CONFIG, denoise, scene, embed, draws, training)


def test_who_knows_the_plan_pays_nothing(scene, embed):
    clean = normalise(plan_of(scene.features, scene.mask))
    found = losses(scene, embed, lambda x, step, condition, mask: clean)
    assert set(found) == {"plan", "plan_velocity", "plan_beside"} and max(found.values()) < 1e-9
    assert set(losses(scene, embed, lambda *_: clean, training=False)) == {*found, "plan_from_text"}


def test_a_shift_of_everybody_costs_places_and_not_the_path_between_people(scene, embed):
    clean = normalise(plan_of(scene.features, scene.mask))
    shift = torch.zeros(PLAN_FEATURES)
    shift[0] = 0.5
    found = losses(scene, embed, lambda *_: clean + shift)
    assert float(found["plan"]) == pytest.approx(0.25 / PLAN_FEATURES, rel=1e-4)
    assert found["plan_velocity"] < 1e-9 and found["plan_beside"] < 1e-9
    apart = torch.stack([shift, -shift])[:, None]
    found = losses(scene, embed, lambda *_: clean + apart)
    assert float(found["plan_beside"]) == pytest.approx(1.0, rel=1e-4), "metres squared"


def test_a_network_learns_plans(scene, embed):
    torch.manual_seed(0)
    network = build_denoiser(CONFIG.denoiser, PLAN_FEATURES)
    optimiser, draws, seen = torch.optim.Adam(network.parameters(), 3e-3), torch.Generator().manual_seed(0), []
    for _ in range(120):
        loss = sum(plan_losses(CONFIG, network, scene, embed, draws, True).values())
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        seen.append(loss.item())
    assert sum(seen[-20:]) < 0.5 * sum(seen[:20])
