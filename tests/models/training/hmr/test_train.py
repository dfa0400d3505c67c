"""Training of the network of crops: it learns, repeats, and resumes; its errors have known answers."""

import json

import numpy as np
import pytest
import torch

from models.people3d.hmr_network import load_hmr
from models.training.hmr.dataset import Skeleton, batch_of, varied
from models.training.hmr.losses import WEIGHTS, Trainee, loss_of
from models.training.hmr.train import train
from models.training.loop import Run
from models.training.state import save_state


def test_a_few_steps_lower_the_loss_on_a_fixed_batch(body, dot_people, tmp_path, how, tiny):
    views = dot_people(body)
    for name, steps in (("short", 1), ("long", 150), ("again", 150)):
        train(views, tiny, body, how(steps, 16, 4e-3), Run(0, tmp_path / name))
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("long", "again")]
    assert files[0] == files[1]
    batch = batch_of(views, body)
    pixels, true = varied(batch, np.random.default_rng(5))
    skeleton = Skeleton(body, 32)
    with torch.no_grad():
        short, long = (
            loss_of(Trainee(load_hmr(tmp_path / name)), skeleton, pixels, true) for name in ("short", "long")
        )
    for name, share in (("crop", 0.7), ("root", 0.2), ("turned", 0.75)):
        assert long[name] < share * short[name], name
    assert long.keys() == WEIGHTS.keys()
    facts = json.loads((tmp_path / "long" / "training.json").read_text())
    assert (facts["steps"], facts["views"]) == (150, 32)


def test_interrupted_training_ends_the_same(body, dot_people, tmp_path, monkeypatch, how, tiny):
    """The state is saved after every step, the training breaks off, and goes on from there."""
    views, state = dot_people(body), tmp_path / "state"
    train(views, tiny, body, how(8, 8, 1e-3), Run(0, tmp_path / "whole"))

    def breaks_off(checkpoint, trained, progress):
        save_state(checkpoint, trained, progress)
        if progress.step == 5:
            raise KeyboardInterrupt

    run = Run(0, tmp_path / "parts", state)
    with monkeypatch.context() as patch:
        patch.setattr("models.training.loop.save_state", breaks_off)
        with pytest.raises(KeyboardInterrupt):
            train(views, tiny, body, how(8, 8, 1e-3, save_every_s=0.0), run)
    assert not (tmp_path / "parts").exists()
    train(views, tiny, body, how(8, 8, 1e-3), run)
    for file in ("model.safetensors", "training.json"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "parts" / file).read_bytes()


def test_measuring_changes_nothing_of_the_training(body, dot_people, tmp_path, how, tiny):
    views = dot_people(body)
    train(views, tiny, body, how(6, 8, 1e-3), Run(0, tmp_path / "plain"))
    train(views, tiny, body, how(6, 8, 1e-3, validate_every=2), Run(0, tmp_path / "measured"))
    first, second = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("plain", "measured"))
    assert first == second
    curve = json.loads((tmp_path / "measured" / "training.json").read_text())["curve"]
    assert [point["step"] for point in curve] == [2, 4, 6] and all(point["pa_mm"] > 0 for point in curve)
