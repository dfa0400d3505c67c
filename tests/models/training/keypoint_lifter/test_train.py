"""Training of the keypoint regressor: it learns, resumes to the same bytes, and its card holds what was measured."""

import json

import numpy as np
import pytest
import torch

from models.body.model import load_body
from models.people2d.simulated_detector import DetectorNoiseConfig
from models.people3d.keypoint_lifter import Lifted, PoseLiftConfig, pose_lift_digest
from models.training.keypoint_lifter.motions import collect
from models.training.keypoint_lifter.train import TRAINING, LifterTrainConfig, loss_of, train
from models.training.keypoint_lifter.views import WindowSource
from models.training.loop import Run
from models.training.state import save_state

TINY = PoseLiftConfig(width=24, layers=1, heads=2)


def how(steps, batch_size, learning_rate, **more) -> LifterTrainConfig:
    values = {"steps": steps, "batch_size": batch_size, "learning_rate": learning_rate, "frames": 8}
    return TRAINING.model_copy(update=values | more)


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def motions(body):
    return collect(body, (), acted=6, postures=6, seed=2)


def test_the_truth_has_no_loss_and_what_is_off_has(body, motions):
    windows = WindowSource(motions, body, 8, held_out=False).draw(
        4, np.random.default_rng(0), DetectorNoiseConfig(scale=0.0)
    )
    way = windows.pelvis - windows.offset[:, None]
    shape = windows.shape[:, None].expand(-1, 8, -1)
    exact = Lifted(windows.rotations, way, shape, torch.full((4, 8), float(np.log(0.005))))
    found = loss_of(exact, windows, body)
    assert float(sum(found.values())) < 1e-3, found
    away = Lifted(windows.rotations, way * 1.2, shape, exact.log_error)
    off = loss_of(away, windows, body)
    assert off["place"] > 0.2 and off["rotations"] < 1e-6 and off["joints"] < 1e-3


def test_it_learns(body, motions, tmp_path, caplog):
    caplog.set_level("INFO")
    train(motions, TINY, how(200, 16, 3e-3), Run(0, tmp_path), body)
    told = [record.getMessage() for record in caplog.records if "step" in record.getMessage()]
    joints = [float(line.split("joints ")[1].split()[0]) for line in told]
    assert joints[-1] < 0.8 * joints[0]
    assert (tmp_path / "model.safetensors").stat().st_size < 200_000


def test_resumed_is_the_same_as_uninterrupted(body, motions, tmp_path, monkeypatch):
    train(motions, TINY, how(6, 4, 1e-3), Run(0, tmp_path / "whole"), body)
    state = tmp_path / "state"

    def breaks_off(checkpoint, trained, progress):
        save_state(checkpoint, trained, progress)
        if progress.step == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("models.training.loop.save_state", breaks_off)
        with pytest.raises(KeyboardInterrupt):
            train(motions, TINY, how(6, 4, 1e-3, save_every_s=0.0), Run(0, tmp_path / "no", state), body)
    assert state.exists() and not (tmp_path / "no").exists()
    train(motions, TINY, how(6, 4, 1e-3), Run(0, tmp_path / "resumed", state), body)
    for file in ("model.safetensors", "training.json"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "resumed" / file).read_bytes()


def test_training_starts_from_weights_there_are(body, motions, tmp_path):
    train(motions, TINY, how(3, 4, 1e-3), Run(0, tmp_path / "first"), body)
    # With next to no step size nothing is learnt, so that what comes out is what went in.
    train(motions, PoseLiftConfig(), how(2, 4, 1e-12), Run(1, tmp_path / "more"), body, tmp_path / "first")
    a, b = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("first", "more"))
    assert a == b
    facts = json.loads((tmp_path / "more" / "training.json").read_text())
    assert facts["start"] == pose_lift_digest(tmp_path / "first")
    assert (tmp_path / "more" / "config.json").read_bytes() == (tmp_path / "first" / "config.json").read_bytes()
