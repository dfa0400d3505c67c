import json
from dataclasses import replace
from pathlib import Path

import pytest

from models.body.model import load_body
from models.body.rest_skeleton import skeleton_of
from models.corpus.reader import read_corpus
from models.corpus.writer import write_corpus
from models.errors import InputError
from models.motion.dataset import MotionData
from models.motion.evaluation.evaluator import MotionEvaluatorConfig
from models.text.encoder import SentenceConfig, TextCache, TextEncoder, write_texts
from models.training.loop import Run
from models.training.motion.evaluate_evaluator import write_card
from models.training.motion.train_evaluator import TRAINING, train, weights_of


@pytest.fixture(scope="module")
def at_hand(items, tmp_path_factory) -> tuple[MotionData, TextCache]:
    """Every item three times, once in each split."""
    folder = tmp_path_factory.mktemp("evaluator")
    body = load_body()
    write_corpus(folder / "corpus.bin", items, body.name, {})
    corpus = read_corpus(folder / "corpus.bin")
    data = MotionData(corpus, skeleton_of(body), 60)
    rows, features, rest = data.rows, data._features, data._rest
    data.rows = tuple(
        replace(row, split=split, details={"kind": row.name.split("_")[0]})
        for split in ("train", "val", "test")
        for row in rows
    )
    data._features, data._rest = features * 3, rest * 3
    write_texts(folder / "texts", TextEncoder(SentenceConfig()), [text for row in rows for text in row.texts])
    return data, TextCache(folder / "texts")


def _config(texts: TextCache) -> MotionEvaluatorConfig:
    return MotionEvaluatorConfig(
        width=16, layers=1, heads=2, dims=8, text_dim=texts.dim, text_encoder_digest=texts.digest, max_frames=60
    )


FACTS = {"items": 11, "corpus": "abc", "licences": ["CC0"]}


def _train(at_hand, out: Path, steps: int, checkpoint: Path | None = None, **more) -> None:
    data, texts = at_hand
    training = TRAINING.model_copy(update={"steps": steps, "batch_size": 8, "learning_rate": 3e-3} | more)
    train(data, texts, _config(texts), training, Run(0, out, checkpoint), FACTS)


def test_training_learns_to_match_and_writes_the_card(at_hand, tmp_path):
    data, texts = at_hand
    _train(at_hand, tmp_path, 240)
    figures = write_card(tmp_path, data, texts)
    # Walks, standing, falls and the pair are told apart; shuffled captions are not matched.
    assert figures["pool"][0] == 4 and figures["r_precision_1"][0] > 0.85
    assert figures["shuffled_text_1"][0] < 0.75
    card = (tmp_path / "README.md").read_text()
    assert "| own captions | " in card and "CC0" in card and "`abc`" in card
    assert json.loads((tmp_path / "training.json").read_text())["kept_step"] <= 240


def test_the_same_training_writes_the_same_bytes_also_after_an_interruption(at_hand, tmp_path, monkeypatch):
    _train(at_hand, tmp_path / "whole", 6)
    _train(at_hand, tmp_path / "again", 6)
    # Killed while the fourth step's batch is drawn.
    drawn = MotionData.draw

    def killed(self, items, weights, size, step, seed):
        if step == 3:
            raise KeyboardInterrupt
        return drawn(self, items, weights, size, step, seed)

    monkeypatch.setattr(MotionData, "draw", killed)
    with pytest.raises(KeyboardInterrupt):
        _train(at_hand, tmp_path / "parts", 6, tmp_path / "state", save_every_s=0.0)
    monkeypatch.setattr(MotionData, "draw", drawn)
    _train(at_hand, tmp_path / "parts", 6, tmp_path / "state")
    for name in ("again", "parts"):
        for file in ("model.safetensors", "config.json", "training.json"):
            assert (tmp_path / name / file).read_bytes() == (tmp_path / "whole" / file).read_bytes(), (name, file)


def test_texts_of_another_encoder_are_refused(at_hand, tmp_path):
    data, texts = at_hand
    config = _config(texts).model_copy(update={"text_encoder_digest": "another"})
    with pytest.raises(InputError, match="is of the encoder"):
        train(data, texts, config, TRAINING, Run(0, tmp_path), FACTS)


def test_rare_kinds_are_drawn_more_often(at_hand):
    data, _ = at_hand
    train_items = data.where(lambda row: row.split == "train")
    weights = dict(zip([data.rows[k].name for k in train_items], weights_of(data.rows, train_items), strict=True))
    assert weights["pair"] == 1.0 and weights["walk_0"] == weights["stand_1"] == pytest.approx(8**-0.5)
