"""What chance decides: as many as there are scenes, each by the same generator the same, and little of it held out."""

import pytest
import torch

from models.motion.dataset import Piece
from models.training.motion.draws import draw
from models.training.motion.plan_losses import PlanTrainConfig


@pytest.fixture
def scenes(motion_data):
    names = [row.name for row in motion_data.rows]
    return motion_data.batch([Piece(names.index("pair"), 0, 60, (0, 1), 0)] * 400)


def drawn(scenes, training, seed=0, **changes):
    config = PlanTrainConfig().model_copy(update=changes)
    return draw(config, scenes, 10, torch.Generator().manual_seed(seed), training)


def test_a_share_of_captions_is_withheld_in_training_alone(scenes):
    assert 0.3 < drawn(scenes, True, text_dropout=0.4).text_dropped.double().mean() < 0.5
    assert not drawn(scenes, False, text_dropout=0.4).text_dropped.any()


def test_a_share_of_steps_is_noisier_in_training_alone(scenes):
    noisier = {"high_noise_fraction": 1.0, "timestep_shift": 16.0}
    training, held = (drawn(scenes, learns, **noisier).step.double().mean() for learns in (True, False))
    assert training > 750.0 and 400.0 < held < 600.0


def test_the_same_seed_draws_the_same_and_people_differ_in_a_scene(scenes):
    one, again, other = drawn(scenes, True), drawn(scenes, True), drawn(scenes, True, seed=1)
    assert one.noise.shape == (*scenes.mask.shape, 10) and torch.equal(one.noise, again.noise)
    assert not torch.equal(one.noise, other.noise)
    assert (one.identity_ids[:, 0] != one.identity_ids[:, 1]).all()
