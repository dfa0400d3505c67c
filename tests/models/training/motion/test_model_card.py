"""The card of a motion model tells what its files tell, and shows the thesis's prompts."""

import json

import numpy as np
import pytest
import torch

from models.body.model import load_body
from models.errors import InputError
from models.motion.denoisers.identity import IdentityConfig
from models.motion.model import MotionModel, MotionModelConfig
from models.text.encoder import SentenceConfig, TextEncoder
from models.training.motion.model_card import PROMPTS, SEEDS, card, prompt_strips, take_pictures
from models.training.state import write_starter


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    torch.manual_seed(0)
    encoder = TextEncoder(SentenceConfig())
    sizes = IdentityConfig(width=32, layers=1, heads=2, text=encoder.dim)
    model = MotionModel(MotionModelConfig(denoiser=sizes, text_encoder_digest=encoder.digest, max_frames=120))
    for value in model.parameters():
        torch.nn.init.normal_(value, std=0.05)
    folder = tmp_path_factory.mktemp("model")
    facts = {
        "corpus": "c0ffee",
        "items": 7,
        "seed": 4,
        "steps": 900,
        "seconds": 600,
        "config": {"batch": 16, "rate": 6e-4},
        "validation": [{"step": 900, "seconds": 600.0, "simple": 0.25}],
    }
    write_starter(folder, model.state_dict(), model.config, facts)
    return folder, model.eval(), encoder


def test_a_card_says_what_was_done_and_measured(made):
    folder, model, _ = made
    tops = [[0.4, 0.3, 0.5], [0.5, 0.4, 0.6], [0.6, 0.5, 0.7]]
    real = {"scenes": 40, "fid": [0.1, 0.05, 0.2], "r_precision": tops, "kid": None, "closest_shift_cm": 2.0}
    figures = {
        "real": real,
        "starter": real | {"fid": [3.2, 3.0, 3.4]},
        "starter/captured_pairs": real | {"r_precision": None},
    }
    figures["starter"] |= {"nearest_learned": [0.4, 0.3, 0.5], "nearest_learned_quantiles": [0.0, 0.1]}
    figures["real"] = figures["real"] | {"nearest_learned": [0.5, 0.4, 0.6], "nearest_learned_quantiles": [0.0, 0.2]}
    figures["shuffled_text"] = real
    told = card(folder, model, figures)
    for words in (
        "c0ffee",
        "900 steps of 16 scenes",
        "10 minutes",
        "simple 0.250",
        "| | real | starter | shuffled_text |",
        "| fid | 0.1 [0.05, 0.2] | 3.2 [3, 3.4] |",
        "| r_precision | 0.40 / 0.50 / 0.60 |",
        "| nearest_learned | 0.5 [0.4, 0.6] | 0.4 [0.3, 0.5] | – |",
    ):
        assert words in told, words
    assert "| fid |" not in card(folder, model, None) and "quantiles" not in told
    digest = json.loads((folder / "config.json").read_text())["text_encoder_digest"]
    assert digest == model.config.text_encoder_digest


def test_a_card_says_what_was_seen_in_interactions(made, tmp_path):
    folder, model, _ = made
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    rows = [{"kind": "catch", "caption": "A carer catches a resident.", "seen": "one falls, one holds them"}]
    rows += [{"kind": "comfort", "caption": "A carer consoles a resident.", "seen": ""}]
    (tmp_path / "interactions.json").write_text(json.dumps(rows))
    told = card(tmp_path, model, None)
    assert "| 1 | one falls, one holds them | catch | A carer catches a resident. |" in told
    assert "| 2 | – | comfort |" in told and "![interactions](interactions.jpg)" in told


def test_pictures_are_those_of_the_evaluated_model(made, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "evaluation").mkdir()
    for name in ("memorised.png", "interactions_ours.jpg", "interactions_other.jpg", "interactions_other.json"):
        (tmp_path / "evaluation" / name).write_text(name)
    (tmp_path / "model" / "interactions.json").write_text("of another model")
    take_pictures(tmp_path / "model", tmp_path / "evaluation", dict.fromkeys(("real", "ours", "ours/single", "other")))
    kept = {path.name: path.read_text() for path in (tmp_path / "model").iterdir()}
    assert kept == {"memorised.png": "memorised.png", "interactions.jpg": "interactions_ours.jpg"}
    with pytest.raises(InputError, match="judges no model; name one"):
        take_pictures(tmp_path / "model", tmp_path / "evaluation", {"real": {}, "shuffled_text": {}})


def test_every_prompt_is_shown_with_every_seed(made):
    _, model, encoder = made
    strips = prompt_strips(model, encoder, load_body(), PROMPTS[2:4])
    assert strips.shape == (2 * SEEDS * 190, 8 * 150, 3)
    rows = strips.reshape(2 * SEEDS, 190, 1200, 3)
    assert len(np.unique(rows.reshape(len(rows), -1), axis=0)) == len(rows)
