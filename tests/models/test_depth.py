"""Checkpoints in the hub's format, tiny and random: read, prepared and resized as the hub's own processor does."""

import json
import shutil

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config, DPTImageProcessorPil

from models.depth import DepthModels, DepthModelsConfig, DepthNetwork, checkpoint_digests, checkpoint_folder
from models.errors import InputError
from models.networks import STARTERS


def save_checkpoint(folder, kind: str, seed: int = 0, **extra):
    """A random Depth Anything as `save_pretrained` leaves it, with the published processor's settings at 56 px."""
    torch.manual_seed(seed)
    backbone = Dinov2Config(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        image_size=56,
        patch_size=14,
        out_indices=[1, 2, 3, 4],
        reshape_hidden_states=False,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=32,
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=8,
        head_hidden_size=4,
        depth_estimation_type=kind,
        max_depth=20 if kind == "metric" else 1,
    )
    for key, value in extra.items():
        setattr(config, key, value)
    network = DepthAnythingForDepthEstimation(config)
    with torch.no_grad():
        network.head.conv3.bias.fill_(0.5)
    network.save_pretrained(folder)
    DPTImageProcessorPil(
        size={"height": 56, "width": 56},
        keep_aspect_ratio=True,
        ensure_multiple_of=14,
        resample=3,
        image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub")
    return {kind: save_checkpoint(folder / kind, kind) for kind in ("metric", "relative")}


@pytest.fixture(scope="module")
def config(checkpoints):
    return DepthModelsConfig(metric=str(checkpoints["metric"]), relative=str(checkpoints["relative"]))


def pictures(count: int = 3, height: int = 60, width: int = 80) -> np.ndarray:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (count, 6, 8, 3), dtype=np.uint8)
    return coarse.repeat(height // 6, axis=1).repeat(width // 8, axis=2)


def test_pictures_are_prepared_as_by_the_hub_processor(checkpoints):
    network = DepthNetwork("metric", str(checkpoints["metric"]), None, None, "cpu")
    images = pictures()
    theirs = DPTImageProcessorPil.from_pretrained(checkpoints["metric"])(images=list(images), return_tensors="pt")
    ours = network.prepare(images)
    assert ours.shape == theirs["pixel_values"].shape
    torch.testing.assert_close(ours, theirs["pixel_values"], atol=1e-5, rtol=0)


def test_output_is_the_network_output_at_the_pictures_size(checkpoints, config):
    images = pictures()
    models = DepthModels(config)
    metric, disparity = models.predict_metric(images), models.predict_disparity(images)
    assert metric.shape == disparity.shape == (3, 60, 80)
    network = DepthAnythingForDepthEstimation.from_pretrained(checkpoints["metric"]).eval()
    with torch.no_grad():
        low = network(pixel_values=models.metric.prepare(images)).predicted_depth.numpy()
    assert 0.0 < metric.min() and metric.max() < 20.0
    np.testing.assert_allclose(metric[:, 30, 40], low[:, low.shape[1] // 2, low.shape[2] // 2], rtol=0.02)


def test_batches_equal_singles(config):
    images = pictures(5)
    models = DepthModels(config)
    for predict in (models.predict_metric, models.predict_disparity):
        together = predict(images)
        singles = np.concatenate([predict(image[None]) for image in images])
        np.testing.assert_allclose(together, singles, atol=1e-5)


def test_a_mirrored_picture_has_mirrored_depth():
    images = pictures()
    for flip in (True, False):
        models = DepthModels(DepthModelsConfig(flip=flip))
        off = models.predict_metric(images[:, :, ::-1]) - models.predict_metric(images)[:, :, ::-1]
        assert (np.abs(off).max() < 1e-6) == flip


def test_a_canonical_focal_length_scales_metres(tmp_path, checkpoints):
    folder = save_checkpoint(tmp_path / "canonical", "metric", canonical_focal_ratio=1.25)
    models = DepthModels(DepthModelsConfig(metric=str(folder), relative=str(checkpoints["relative"])))
    images = pictures()
    assumed = models.predict_metric(images)
    np.testing.assert_allclose(models.predict_metric(images, focal_px=100.0), assumed, rtol=1e-12)
    np.testing.assert_allclose(models.predict_metric(images, focal_px=150.0), 1.5 * assumed, rtol=1e-12)
    plain = DepthModels(DepthModelsConfig(metric=str(checkpoints["metric"]), relative=str(checkpoints["relative"])))
    np.testing.assert_array_equal(plain.predict_metric(images, focal_px=150.0), plain.predict_metric(images))
    assert models.needs_focal and not plain.needs_focal


def test_the_digest_follows_the_weights(tmp_path, checkpoints, config):
    first = checkpoint_digests(config)
    assert first == checkpoint_digests(config) and len(first["depth_metric"]) == 64
    assert DepthModels(config).metric.digest == first["depth_metric"]
    other = save_checkpoint(tmp_path / "other", "metric", seed=1)
    changed = checkpoint_digests(config.model_copy(update={"metric": str(other)}))
    assert changed["depth_metric"] != first["depth_metric"]
    assert changed["depth_relative"] == first["depth_relative"]


def test_a_hub_model_needs_a_revision():
    with pytest.raises(
        ValidationError, match="metric: the hub model 'org/depth' needs metric_revision, the commit to use"
    ):
        DepthModelsConfig(metric="org/depth")


def test_an_unreachable_hub_says_what_to_do(monkeypatch):
    monkeypatch.setattr("models.depth.snapshot_download", _unreachable)
    with pytest.raises(InputError) as error:
        checkpoint_folder("metric", "org/depth", "abc123")
    assert str(error.value) == (
        "org/depth: cannot be fetched from the model hub (ConnectionError); fetch the folder at revision abc123 where "
        "the hub can be reached and set depth_models.metric to its path, or set depth_models.metric: starter"
    )


def _unreachable(*_, **__):
    raise ConnectionError("no route to host")


def test_a_folder_that_is_no_checkpoint_is_named(tmp_path, checkpoints):
    with pytest.raises(InputError) as error:
        checkpoint_folder("relative", str(tmp_path), None)
    assert str(error.value) == (
        f"{tmp_path}: is not a checkpoint folder (config.json and *.safetensors missing); "
        "correct depth_models.relative, or set it to starter"
    )
    with pytest.raises(InputError) as error:
        DepthNetwork("metric", str(checkpoints["relative"]), None, None, "cpu")
    assert "is a model of type 'depth_anything' for 'relative' depth, expected 'depth_anything' for 'metric'" in str(
        error.value
    )
    broken = shutil.copytree(checkpoints["metric"], tmp_path / "broken")
    (broken / "config.json").write_text("{")
    with pytest.raises(InputError, match="config.json: is not readable JSON"):
        DepthNetwork("metric", str(broken), None, None, "cpu")


def changed(folder, path: str, **values) -> str:
    content = json.loads((folder / path).read_text()) | values
    (folder / path).write_text(json.dumps(content))
    return str(folder)


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        ({"image_mean": None}, "preprocessor_config.json: has the image_mean None, expected three numbers; fetch the"),
        ({"image_std": [0.2, 0.2, 0]}, "preprocessor_config.json: has the image_std [0.2, 0.2, 0], expected three"),
        ({"image_mean": [0.5, "a", 0.5]}, "preprocessor_config.json: has the image_mean [0.5, 'a', 0.5], expected"),
        ({"size": None}, "preprocessor_config.json: has the size None, expected pixels; fetch the folder again"),
        ({"size": {"height": "518"}}, "preprocessor_config.json: has the size {'height': '518'}, expected pixels"),
    ],
)
def test_a_preset_that_is_none_is_one_line(tmp_path, checkpoints, spoil, problem):
    folder = shutil.copytree(checkpoints["metric"], tmp_path / "spoiled")
    with pytest.raises(InputError) as caught:
        DepthNetwork("metric", changed(folder, "preprocessor_config.json", **spoil), None, None, "cpu")
    assert problem in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "spoil",
    [
        {"patch_size": "fourteen"},
        {"backbone_config": None},
        {"fusion_hidden_size": -4},
        {"canonical_focal_ratio": "wide"},
        {"backbone_config": {"model_type": "none"}},
    ],
)
def test_settings_that_are_none_are_one_line(tmp_path, checkpoints, spoil):
    folder = shutil.copytree(checkpoints["metric"], tmp_path / "spoiled")
    with pytest.raises(InputError) as caught:
        DepthNetwork("metric", changed(folder, "config.json", **spoil), None, None, "cpu")
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_pointer_of_git_lfs_is_named(tmp_path, checkpoints, name):
    folder = shutil.copytree(checkpoints["metric"], tmp_path / "pointers")
    (folder / name).write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 98973320\n")
    with pytest.raises(InputError) as caught:
        checkpoint_digests(DepthModelsConfig(metric=str(folder)))
    assert f"{name}: is a Git LFS pointer, not the file; run `git lfs pull`" in str(caught.value)


@pytest.mark.parametrize("kept", [0, 7, 2000])
def test_weights_that_are_cut_off_are_one_line(tmp_path, checkpoints, kept):
    folder = shutil.copytree(checkpoints["metric"], tmp_path / "cut")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:kept])
    with pytest.raises(InputError) as caught:
        DepthNetwork("metric", str(folder), None, None, "cpu")
    assert "cannot be loaded as DepthAnythingForDepthEstimation (" in str(caught.value)
    assert "a local folder in depth_models.metric" in str(caught.value) and "\n" not in str(caught.value)


def test_a_checkpoint_without_all_its_weights_is_none(tmp_path, checkpoints):
    """transformers draws what is missing at random, and says so in a log."""
    folder = shutil.copytree(checkpoints["metric"], tmp_path / "half")
    tensors = {name: value.clone() for name, value in load_file(folder / "model.safetensors").items()}
    save_file({name: value for name, value in tensors.items() if "head" not in name}, folder / "model.safetensors")
    with pytest.raises(InputError, match=r"lacks \d+ of the weights of DepthAnythingForDepthEstimation, such as head"):
        DepthNetwork("metric", str(folder), None, None, "cpu")


@pytest.mark.parametrize("device", ["cuda:77", "tpu", "", "meta"])
def test_a_device_that_is_not_there_is_one_line(device):
    with pytest.raises(InputError, match=f"depth_models.device: '{device}' .*; name a device that torch finds, or cpu"):
        DepthModels(DepthModelsConfig(device=device))


def test_a_pickle_is_no_checkpoint(tmp_path, checkpoints):
    folder = shutil.copytree(checkpoints["metric"], tmp_path / "pickled")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"\*.safetensors missing"):
        checkpoint_folder("metric", str(folder), None)


def test_the_starters_are_small_and_carry_a_card():
    weights = [STARTERS / f"depth_{kind}" / "model.safetensors" for kind in ("metric", "relative")]
    assert sum(path.stat().st_size for path in weights) <= 12e6
    for path in weights:
        assert "Apache-2.0" in path.with_name("README.md").read_text()
        assert json.loads(path.with_name("training.json").read_text())["steps"] > 0
    models = DepthModels(DepthModelsConfig())
    assert models.metric.canonical_focal_ratio == 1.0 and models.relative.canonical_focal_ratio is None
