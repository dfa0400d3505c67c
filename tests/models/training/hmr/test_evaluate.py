"""Errors of a network of crops, beside those of the mean pose."""

import numpy as np
import pytest

from models.people3d.hmr_network import load_hmr
from models.training.hmr.dataset import Batch, Skeleton, batch_of
from models.training.hmr.evaluate import errors_of, measure
from models.training.hmr.train import train
from models.training.loop import Run


def test_the_mean_pose_is_measured_beside(body, dot_people, tmp_path, how, tiny):
    views = dot_people(body)
    train(views, tiny, body, how(1, 8, 1e-6), Run(0, tmp_path / "none"))
    network = load_hmr(tmp_path / "none")
    figures = measure(network, views, body)
    assert figures["all"]["views"] == 8 and {"lying", "upright", "seen well"} <= figures.keys()
    # Untrained, it answers the mean pose.
    assert figures["all"]["pa_mm"] == pytest.approx(figures["all"]["mean_pa_mm"], abs=3.0)
    true = batch_of(views, body).of(np.arange(4))
    rows = Batch(true.crops, true.rotations, true.betas, true.transl, true.focal_px, true.root)
    errors = errors_of(network, Skeleton(body, 32), rows, flip=True)
    assert all(value.shape == (4,) and (value >= 0).all() for value in errors.values())
