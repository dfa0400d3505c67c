import numpy as np
import pytest
import torch

from models.text.encoder import SentenceConfig, TextEncoder
from models.training.probe_text_encoder import accuracy, corpus_accuracy, measure, probes


@pytest.fixture(scope="module")
def figures() -> dict[str, dict[str, float]]:
    torch.set_num_threads(1)
    return measure(TextEncoder(SentenceConfig()))


def test_probes_are_balanced_sentences_that_differ():
    for name, probe in probes().items():
        texts = [text for text, _, _ in probe]
        assert len(set(texts)) == len(texts), name
        assert np.mean([answer for _, answer, _ in probe]) == 0.5, name
        assert all(text[0].isupper() and text.endswith(".") and "{" not in text for text in texts)
    assert ("A resident does not fall.", 1, 0) in probes()["falls / does not fall"]
    assert ("A resident is helped up by a carer.", 1, 0) in probes()["helps / is helped"]
    helpers = {text: answer for text, answer, _ in probes()["who helps, active or passive"]}
    assert helpers["A carer helps a resident up."] == helpers["A resident is helped up by a carer."] == 0
    assert helpers["A resident helps a carer up."] == helpers["A carer is helped up by a resident."] == 1


def test_accuracy_of_an_encoding_that_tells_and_of_one_that_does_not():
    probe = probes()["left / right"]
    told = np.array([[float(answer)] for _, answer, _ in probe])
    assert accuracy(told, probe) == 1.0
    assert accuracy(np.random.default_rng(0).standard_normal((len(probe), 3)), probe) < 0.65


def test_the_default_encoding_tells_what_captions_are_about(figures):
    for name in (
        "falls / does not fall",
        "left / right",
        "forwards / backwards",
        "carer does / resident does",
        "who falls",
    ):
        assert figures[name]["all"] >= 0.98, name
    assert figures["helps / is helped"]["all"] >= 0.9
    # Why the sentence alone is not the default.
    assert figures["who falls"]["sentence"] < 0.8


def test_directions_of_captions_are_told_from_few():
    ways = ("forward", "backward", "to the left", "to the right", "straight down")
    who = [
        f"A{age} {who}" for age in ("n old", " young", "n elderly") for who in ("resident", "man", "woman", "visitor")
    ]
    texts = [
        f"{one} {does} {way}{then}."
        for one in who
        for does in ("falls", "topples", "tumbles")
        for way in ways
        for then in ("", " and lies still")
    ]
    encoder = TextEncoder(SentenceConfig())
    figures = corpus_accuracy(encoder, texts, {"all": slice(None)})
    assert figures["captions: five directions"]["all"] > 0.95
