"""Checkpoints: what was written before the modules and settings were renamed is read as what it was."""

import json
import re

import pytest
import torch
from safetensors.torch import load_file, save_file

from models.motion.denoisers import build_denoiser
from models.motion.denoisers.identity import IdentityConfig
from models.motion.denoisers.intergen import InterGenConfig
from models.motion.denoisers.mdm import MdmConfig
from models.motion.evaluation.evaluator import MotionEvaluator, MotionEvaluatorConfig, load_motion_evaluator
from models.motion.model import MotionModel, MotionModelConfig, load_motion_model
from models.motion.request import MotionRequest
from models.motion.sample_windows import sample
from models.motion.schedulers import SamplingConfig
from models.networks import WEIGHTS_DIGEST
from models.training.state import write_starter

SIZES = {"width": 32, "layers": 1, "heads": 2, "text": 12}
OLD_SETTINGS = {"max_people": "most_people", "max_frames": "most_frames", "text_encoder_digest": "text_encoder"}
OLD_KEYS = {
    "identity": {
        "denoiser.patches.into.weight",
        "denoiser.patches.out.bias",
        "denoiser.patches.out_norm.weight",
        "denoiser.told.text.weight",
        "denoiser.told.asked.1.weight",
        "denoiser.told.none",
        "denoiser.blocks.0.attention.out.weight",
        "denoiser.blocks.0.perceptron.2.bias",
        "denoiser.blocks.0.norms.1.own",
        "normaliser.spread",
    },
    "intergen": {
        "denoiser.blocks.0.oneself.query.weight",
        "denoiser.blocks.0.oneself.out.weight",
        "denoiser.blocks.0.other.out.bias",
    },
    "mdm": {"denoiser.layers.0.attention.out.weight", "denoiser.layers.0.perceptron.0.weight"},
}
"""Some of the names that checkpoints had, by architecture."""


def drawn(network: torch.nn.Module) -> torch.nn.Module:
    draw = torch.Generator().manual_seed(0)
    for value in network.parameters():
        value.data = (0.1 * torch.randn(value.shape, generator=draw)).half().float()
    return network.eval()


def old_key(network: torch.nn.Module, key: str) -> str:
    """What a tensor was called: `renamed_keys` backwards."""
    for old, new in reversed(network.renamed_keys.items()):
        key = re.sub(rf"(?<![^.]){re.escape(new)}(?![^.])", old, key)
    return key


def aged(folder, network, old_settings) -> set[str]:
    """Give a checkpoint the names of before; the names of its tensors."""
    tensors = {old_key(network, key): value for key, value in load_file(folder / "model.safetensors").items()}
    save_file(tensors, folder / "model.safetensors")

    def renamed(values):
        return {old_settings.get(key, key): renamed(v) if isinstance(v, dict) else v for key, v in values.items()}

    settings = renamed(json.loads((folder / "config.json").read_text()))
    del settings[WEIGHTS_DIGEST]
    (folder / "config.json").write_text(json.dumps(settings))
    return set(tensors)


@pytest.mark.parametrize("config", [IdentityConfig(**SIZES), InterGenConfig(**SIZES), MdmConfig(**SIZES)])
def test_a_model_of_before_is_read_and_samples_the_same_bytes(config, embed, tmp_path):
    settings = MotionModelConfig(denoiser=config, text_encoder_digest="some encoder", max_frames=40)
    model = drawn(MotionModel(settings))
    model.normaliser.std.fill_(2.0)
    write_starter(tmp_path, model.state_dict(), settings, {})
    before = load_motion_model(tmp_path)
    keys = aged(tmp_path, model, OLD_SETTINGS)
    assert OLD_KEYS[config.name] <= keys
    after = load_motion_model(tmp_path)
    assert after.config == before.config == settings
    roles = ("person",) * config.people[-1]
    request = MotionRequest("someone walks", roles[:2], torch.rand(len(roles[:2]), 22, 3), 12, 3)
    sampling = SamplingConfig(steps=2, precision="float32")
    found = [sample(network, embed, [request], sampling)[0] for network in (before, after)]
    assert torch.equal(*found) and found[0].std() > 0.1


def test_an_evaluator_of_before_is_read_and_says_the_same(tmp_path):
    settings = MotionEvaluatorConfig(
        width=16, layers=1, heads=2, dims=4, text_dim=6, text_encoder_digest="some encoder"
    )
    write_starter(tmp_path, drawn(MotionEvaluator(settings)).state_dict(), settings, {})
    before = load_motion_evaluator(tmp_path)
    keys = aged(tmp_path, before, OLD_SETTINGS | {"text_encoder_digest": "text_digest"})
    assert {"slot.weight", "text_spread", "normaliser.spread"} <= keys
    after = load_motion_evaluator(tmp_path)
    assert after.config == settings
    assert all(
        torch.equal(a, b) for a, b in zip(before.state_dict().values(), after.state_dict().values(), strict=True)
    )


def test_every_name_of_today_has_one_name_of_before():
    for config in (IdentityConfig(**SIZES), InterGenConfig(**SIZES), MdmConfig(**SIZES)):
        model = MotionModel(MotionModelConfig(denoiser=config))
        keys = [old_key(model, key) for key in model.state_dict()]
        assert len(set(keys)) == len(keys) and build_denoiser(config).config == config
