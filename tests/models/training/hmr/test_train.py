"""Training of the network of crops: it learns, repeats, and resumes; its errors have known answers."""

import json

import numpy as np
import pytest
import torch

from models.body.model import load_body
from models.depth import DepthNetwork
from models.errors import InputError
from models.networks import STARTERS
from models.people3d.hmr_network import Hmr, HmrConfig, load_hmr
from models.training.hmr.dataset import Batch, Skeleton, batch_of, varied
from models.training.hmr.evaluate import errors_of, measure
from models.training.hmr.initialisation import start_backbone
from models.training.hmr.losses import WEIGHTS, Trainee, loss_of
from models.training.hmr.train import TRAINING, HmrTrainConfig, small_config, train
from models.training.loop import Run
from models.training.state import save_state


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


def test_backbone_starts_with_that_of_the_depth_starter(body, tmp_path):
    """Layer for layer the same function, Dinov2's scales included; other sizes are refused."""
    network = Hmr(small_config(body)).eval()
    start_backbone(network, STARTERS / "depth_relative")
    theirs = DepthNetwork("relative", "starter", None, None, "cpu").network.backbone
    x = torch.randn((2, 48, 192), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for own, other in zip(network.backbone.encoder.layer, theirs.encoder.layer, strict=True):
            found, wanted = own(x), other(x)
            assert torch.allclose(found, wanted if isinstance(wanted, torch.Tensor) else wanted[0], atol=1e-4)
        flat = torch.full((1, 3, 128, 96), 0.7)
        patch = network.backbone.embeddings.patch_embeddings(flat)[0, 20]
        other = theirs.embeddings.patch_embeddings(torch.full((1, 3, 168, 168), 0.7))[0, 20]
    assert (patch - other).norm() < 0.05 * other.norm()
    with pytest.raises(InputError, match="has a backbone of other sizes"):
        start_backbone(Hmr(tiny(body)), STARTERS / "depth_relative")


def test_a_few_steps_lower_the_loss_on_a_fixed_batch(body, dot_people, tmp_path):
    views = dot_people(body)
    for name, steps in (("short", 1), ("long", 150), ("again", 150)):
        train(views, tiny(body), body, how(steps, 16, 4e-3), Run(0, tmp_path / name))
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


def test_interrupted_training_ends_the_same(body, dot_people, tmp_path, monkeypatch):
    """The state is saved after every step, the training breaks off, and goes on from there."""
    views, state = dot_people(body), tmp_path / "state"
    train(views, tiny(body), body, how(8, 8, 1e-3), Run(0, tmp_path / "whole"))

    def breaks_off(checkpoint, trained, progress):
        save_state(checkpoint, trained, progress)
        if progress.step == 5:
            raise KeyboardInterrupt

    run = Run(0, tmp_path / "parts", state)
    with monkeypatch.context() as patch:
        patch.setattr("models.training.loop.save_state", breaks_off)
        with pytest.raises(KeyboardInterrupt):
            train(views, tiny(body), body, how(8, 8, 1e-3, save_every_s=0.0), run)
    assert not (tmp_path / "parts").exists()
    train(views, tiny(body), body, how(8, 8, 1e-3), run)
    for file in ("model.safetensors", "training.json"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "parts" / file).read_bytes()


def test_measuring_changes_nothing_of_the_training(body, dot_people, tmp_path):
    views = dot_people(body)
    train(views, tiny(body), body, how(6, 8, 1e-3), Run(0, tmp_path / "plain"))
    train(views, tiny(body), body, how(6, 8, 1e-3, validate_every=2), Run(0, tmp_path / "measured"))
    first, second = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("plain", "measured"))
    assert first == second
    curve = json.loads((tmp_path / "measured" / "training.json").read_text())["curve"]
    assert [point["step"] for point in curve] == [2, 4, 6] and all(point["pa_mm"] > 0 for point in curve)


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
