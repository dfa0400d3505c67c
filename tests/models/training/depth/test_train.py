"""The losses do what they promise, and a training leaves a checkpoint that loads, the same for the same seed."""

import json
from pathlib import Path

import numpy as np
import pytest

from models.depth import DepthNetwork
from models.training.depth.train import TRAINING, train
from models.training.depth.views import Views, render_views
from models.training.loop import Run, TrainConfig
from models.training.state import save_state


def how(steps, **more) -> TrainConfig:
    return TRAINING.model_copy(update={"steps": steps, "batch_size": 2, "learning_rate": 1e-3} | more)


def small_views(path: Path) -> Views:
    render_views(10, np.random.default_rng(0), path)
    return Views(path, 84)


def test_views_are_rendered_and_a_training_can_be_repeated(tmp_path):
    views = small_views(tmp_path / "views.npz")
    with np.load(tmp_path / "views.npz") as data:
        assert data["images"].std(axis=(1, 2, 3)).min() > 3.0
        assert (data["depth"] > 0).mean() > 0.95 and 0.05 < data["floor"].mean() < 0.9
    assert len(views.train) > 0 and set(views.room_of[views.train]).isdisjoint(views.room_of[views.test])
    digests = []
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        train("metric", views, how(2), Run(seed, tmp_path / name))
        digests.append(DepthNetwork("metric", str(tmp_path / name), None, None, "cpu").digest)
    assert digests[0] == digests[1] != digests[2]
    train("relative", views, how(1), Run(3, tmp_path / "relative"), tmp_path / "one")
    facts = json.loads((tmp_path / "relative" / "training.json").read_text())
    assert facts["kind"] == "relative" and facts["start"]["kind"] == "metric"
    picture = np.random.default_rng(0).integers(0, 256, (1, 60, 80, 3), dtype=np.uint8)
    network = DepthNetwork("relative", str(tmp_path / "relative"), None, None, "cpu")
    assert network.short_px == 168 and network.predict(picture, 1).std() > 0


def test_interrupted_training_ends_the_same(tmp_path, monkeypatch):
    """Two optimisers, and one stream of batches: both go on where they were."""
    views = small_views(tmp_path / "views.npz")
    train("metric", views, how(4), Run(0, tmp_path / "whole"))

    def breaks_off(checkpoint, trained, progress):
        save_state(checkpoint, trained, progress)
        if progress.step == 2:
            raise KeyboardInterrupt

    run = Run(0, tmp_path / "parts", tmp_path / "state")
    with monkeypatch.context() as patch:
        patch.setattr("models.training.loop.save_state", breaks_off)
        with pytest.raises(KeyboardInterrupt):
            train("metric", views, how(4, save_every_s=0.0), run)
    train("metric", views, how(4), run)
    for file in ("model.safetensors", "training.json"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "parts" / file).read_bytes()
