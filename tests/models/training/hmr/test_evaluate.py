"""Errors of a network of crops, beside those of the mean pose."""

import numpy as np
import pytest

from models.body.model import load_body
from models.people3d.hmr_network import HmrConfig, load_hmr
from models.training.hmr.dataset import Batch, Skeleton, batch_of
from models.training.hmr.evaluate import errors_of, measure
from models.training.hmr.train import TRAINING, HmrTrainConfig, train
from models.training.loop import Run


def how(steps, batch_size, learning_rate, **more) -> HmrTrainConfig:
    values = {"steps": steps, "batch_size": batch_size, "learning_rate": learning_rate}
    return TRAINING.model_copy(update=values | more)


@pytest.fixture(scope="module")
def body():
    return load_body()


def tiny(body):
    return HmrConfig(
        rows_px=32,
        columns_px=24,
        patch_px=8,
        width=32,
        layers=2,
        heads=2,
        decoder_width=32,
        decoder_layers=1,
        decoder_heads=2,
        decoder_head_width=16,
        decoder_hidden=32,
        query="state",
        iterations=2,
        body=body.name,
    )


def test_the_mean_pose_is_measured_beside(body, dot_people, tmp_path):
    views = dot_people(body)
    train(views, tiny(body), body, how(1, 8, 1e-6), Run(0, tmp_path / "none"))
    network = load_hmr(tmp_path / "none")
    figures = measure(network, views, body)
    assert figures["all"]["views"] == 8 and {"lying", "upright", "seen well"} <= figures.keys()
    # Untrained, it answers the mean pose.
    assert figures["all"]["pa_mm"] == pytest.approx(figures["all"]["mean_pa_mm"], abs=3.0)
    true = batch_of(views, body).of(np.arange(4))
    rows = Batch(true.crops, true.rotations, true.betas, true.transl, true.focal_px, true.root)
    errors = errors_of(network, Skeleton(body, 32), rows, flip=True)
    assert all(value.shape == (4,) and (value >= 0).all() for value in errors.values())
