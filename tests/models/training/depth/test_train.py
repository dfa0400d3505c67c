"""The losses do what they promise, and a training leaves a checkpoint that loads, the same for the same seed."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from models.depth import DepthNetwork
from models.training.depth.evaluate import errors, fitted_disparity
from models.training.depth.losses import gradient_loss, metric_loss, relative_loss
from models.training.depth.orthogonalised import Orthogonalised
from models.training.depth.train import TRAINING, train
from models.training.depth.views import Views, render_views, watches, zoomed
from models.training.loop import Run, TrainConfig
from models.training.state import save_state


def how(steps, **more) -> TrainConfig:
    return TRAINING.model_copy(update={"steps": steps, "batch_size": 2, "learning_rate": 1e-3} | more)


def depths(count: int = 2, height: int = 28, width: int = 42) -> torch.Tensor:
    return 1.0 + 5.0 * torch.rand((count, height, width), generator=torch.Generator().manual_seed(0))


def test_the_metric_loss_is_least_at_the_truth_and_half_forgives_scale():
    true = depths()
    exact, scaled = metric_loss(true, true), metric_loss(1.2 * true, true)
    assert exact < 2e-3 < scaled
    # lambda = 0.5: a pure scale error s costs |log s| sqrt(1 - 0.5).
    assert abs(float(scaled) - np.log(1.2) * np.sqrt(0.5)) < 1e-4


def test_the_relative_loss_does_not_see_scale_and_offset():
    true = depths()
    disparity = 1.0 / true
    assert relative_loss(disparity, true) < 1e-5
    assert relative_loss(7.0 * disparity + 3.0, true) < 1e-5
    assert relative_loss(-disparity, true) > 0.5
    assert relative_loss(true, true) > 0.5


def test_losses_pass_over_pixels_without_depth():
    true, wrong = depths(), depths()
    holes = torch.zeros_like(true, dtype=torch.bool)
    holes[:, 5:15, 5:15] = True
    wrong[holes] = 15.0
    true[holes] = 0.0
    assert metric_loss(wrong, true) < 2e-3 and relative_loss(1.0 / wrong, true) < 1e-5


def test_the_gradient_loss_sees_edges_only():
    mask = torch.ones((1, 16, 16), dtype=torch.bool)
    step = torch.zeros((1, 16, 16))
    step[:, :, 8:] = 1.0
    assert gradient_loss(torch.full((1, 16, 16), 3.0), mask) == 0.0
    # One of 15, of 7 and of 3 neighbouring pairs differs by 1 at the three scales.
    assert abs(float(gradient_loss(step, mask)) - (1 / 15 + 1 / 7 + 1 / 3)) < 1e-6


def test_zooming_in_shortens_the_canonical_depth():
    rng = np.random.default_rng(0)
    image, depth = np.zeros((42, 56, 3), dtype=np.uint8), np.full((42, 56), 4.0, dtype=np.float32)
    for _ in range(5):
        picture, near = zoomed(image, depth, rng)
        assert picture.shape == image.shape and near.shape == depth.shape
        assert 4.0 / 1.36 < near.min() == near.max() <= 4.0


def test_views_without_floor_or_too_near_are_left_out():
    floor, depth = np.zeros((3, 40, 40), dtype=bool), np.full((3, 40, 40), 3.0, dtype=np.float32)
    floor[1:, 20:] = True
    depth[2, :, :10] = 0.4
    np.testing.assert_array_equal(watches(floor, depth), [False, True, False])


def test_the_step_is_orthogonal_and_downhill():
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.zeros(6, 4))
    (weight * torch.randn(6, 4)).sum().backward()
    Orthogonalised([weight], lr=1.0).step()
    values = torch.linalg.svdvals(weight.detach()) / (6 / 4) ** 0.5
    assert (values > 0.6).all() and (values < 1.3).all()
    assert (weight.detach() * weight.grad).sum() < 0


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


def test_errors_are_as_defined():
    depth = np.array([[1.0, 2.0, 0.0, 4.0]])
    absrel, delta1 = errors(np.array([[1.1, 2.0, 9.0, 6.0]]), depth)
    assert absrel == pytest.approx((0.1 + 0.0 + 0.5) / 3) and delta1 == pytest.approx(2 / 3)
    np.testing.assert_allclose(
        fitted_disparity(5.0 / depths()[0].numpy() - 0.3, depths()[0].numpy()), depths()[0], rtol=1e-5
    )
