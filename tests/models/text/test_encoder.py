import json
import lzma
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from models.errors import InputError
from models.text.encoder import TEXT_CONFIG, SentenceConfig, TextCache, TextEncoder, write_texts

TEXTS = (
    "A resident falls to the left.",
    "An old man sits down on a chair and then stands up again.",
    "Somebody walks.",
)


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder(SentenceConfig())


def test_parts_have_unit_length_and_a_text_is_encoded_alike_in_any_company(encoder):
    together = encoder.encode(TEXTS)
    assert together.shape == (3, encoder.dim) == (3, 384 + 2 * 96)
    for part in together.split([384, 96, 96], dim=1):
        assert torch.allclose(part.norm(dim=1), torch.ones(3), atol=1e-5)
    for row, text in zip(together, TEXTS, strict=True):
        assert torch.allclose(encoder.encode([text])[0], row, atol=1e-5)
    assert (together[0] - together[1]).norm() > 0.5
    assert encoder.encode([]).shape == (0, encoder.dim)


def test_the_sentence_part_is_what_the_network_is_published_with(encoder):
    # Cosines of the model card's own way of use (mean over tokens, unit length): paraphrases near, other things far.
    a, b, c = encoder.encode(["That is a happy person", "That is a very happy person", "Today is a sunny day"])[:, :384]
    assert float(a @ b) == pytest.approx(0.943, abs=0.01)
    assert float(a @ c) == pytest.approx(0.257, abs=0.02)


def test_words_in_another_order_are_told_apart_by_the_last_part_alone(encoder):
    one, other = encoder.encode(["a carer helps a resident", "a resident helps a carer"])
    assert float(one[384:480] @ other[384:480]) > 0.98
    assert float(one[480:] @ other[480:]) < 0.9


def test_without_words_it_is_the_sentence_alone(encoder):
    plain = TextEncoder(SentenceConfig(word_dims=0))
    assert plain.digest != encoder.digest
    assert torch.allclose(plain.encode(TEXTS), encoder.encode(TEXTS)[:, :384], atol=1e-5)


def test_a_folder_of_the_same_network_is_the_same_encoder(encoder):
    folder = Path(encoder._tokenizer.name_or_path)
    assert TextEncoder(SentenceConfig(model=str(folder))).digest == encoder.digest


def test_clip_text_by_config(tmp_path):
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection, CLIPTokenizerFast

    words = ["<|startoftext|>", "<|endoftext|>", "a</w>", "falls</w>", "person</w>"]
    letters = sorted({letter for word in ("a", "falls", "person") for letter in word})
    vocabulary = {word: row for row, word in enumerate(words + letters + [f"{letter}</w>" for letter in letters])}
    (tmp_path / "vocab.json").write_text(json.dumps({word: row for row, word in enumerate(dict.fromkeys(vocabulary))}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    vocabulary = json.loads((tmp_path / "vocab.json").read_text())
    CLIPTokenizerFast(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt")).save_pretrained(tmp_path)
    torch.manual_seed(0)
    small = CLIPTextConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        intermediate_size=16,
        projection_dim=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        eos_token_id=1,
        bos_token_id=0,
    )
    CLIPTextModelWithProjection(small).save_pretrained(tmp_path)
    encoder = TextEncoder(TEXT_CONFIG.validate_python({"kind": "clip", "model": str(tmp_path), "word_dims": 4}))
    rows = encoder.encode(["a person falls", "a person"])
    assert rows.shape == (2, 8 + 8) and (rows[0] - rows[1]).norm() > 0.01
    assert torch.allclose(encoder.encode(["a person"])[0], rows[1], atol=1e-5)


def test_bad_texts_and_bad_settings(encoder):
    with pytest.raises(InputError, match="text: is empty; say what happens"):
        encoder.encode(["a person", "  "])
    with pytest.raises(InputError, match="has 602 tokens, at most 512 are read"):
        encoder.encode(["fall " * 600])
    with pytest.raises(InputError, match="has no revision; set text.revision to a commit"):
        TextEncoder(SentenceConfig(model="somebody/some-network"))
    with pytest.raises(ValidationError):
        TEXT_CONFIG.validate_python({"kind": "bert"})


def test_a_folder_without_a_network_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be loaded as a text network"):
        TextEncoder(SentenceConfig(model=str(tmp_path)))


def test_the_cache_holds_what_was_encoded_and_the_same_texts_are_the_same_bytes(encoder, tmp_path):
    rows = write_texts(tmp_path / "a", encoder, [*TEXTS, TEXTS[0]])
    assert len(rows) == 3
    write_texts(tmp_path / "b", encoder, TEXTS[::-1])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    cache = TextCache(tmp_path / "a")
    assert TEXTS[1] in cache and "unseen" not in cache and cache.dim == encoder.dim and cache.digest == encoder.digest
    assert torch.allclose(cache.encode(TEXTS), encoder.encode(TEXTS), atol=1e-3)
    with pytest.raises(InputError, match="lacks 1 of the texts asked for, 'unseen' first"):
        cache.encode(["unseen", TEXTS[0]])


def test_what_the_cache_lacks_is_encoded_where_an_encoder_is_at_hand(encoder, tmp_path):
    write_texts(tmp_path / "cache", encoder, TEXTS[:1])
    cache = TextCache(tmp_path / "cache", encoder)
    for _ in range(2):
        assert torch.equal(cache.encode([TEXTS[2], TEXTS[0]])[0], encoder.encode([TEXTS[2]])[0].half().float())


def test_a_cache_of_another_encoder_or_a_damaged_one_is_refused(encoder, tmp_path):
    write_texts(tmp_path / "cache", encoder, TEXTS[:1])
    with pytest.raises(InputError, match="was made by the encoder"):
        TextCache(tmp_path / "cache", TextEncoder(SentenceConfig(word_dims=8)))
    (tmp_path / "cut").write_bytes((tmp_path / "cache").read_bytes()[:200])
    with pytest.raises(InputError, match="holds no encoded texts"):
        TextCache(tmp_path / "cut")
    tensors = load_file(tmp_path / "cache")
    head = json.loads(lzma.decompress(tensors["texts"].numpy().tobytes()))
    assert head["texts"] == [TEXTS[0]]
    save_file({"embeddings": tensors["embeddings"]}, tmp_path / "headless")
    with pytest.raises(InputError, match="holds no encoded texts"):
        TextCache(tmp_path / "headless")


def test_reading_the_cache_needs_no_text_network(encoder, tmp_path):
    write_texts(tmp_path / "cache", encoder, TEXTS[:1])
    code = (
        "import sys; from pathlib import Path; from models.text.encoder import TextCache;"
        f"texts = TextCache(Path({str(tmp_path / 'cache')!r})).encode([{TEXTS[0]!r}]);"
        "print(texts.shape[1], 'transformers' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == [str(encoder.dim), "False"]


def test_the_command_writes_every_caption_of_a_corpus(items, tmp_path):
    from models.corpus.writer import write_corpus
    from pipeline.cli.main import app

    write_corpus(tmp_path / "corpus.bin", items, "anny", {})
    given = ["--corpus", str(tmp_path / "corpus.bin"), "--out", str(tmp_path / "texts")]
    told = json.loads(CliRunner().invoke(app, ["corpus", "encode", *given], catch_exceptions=False).stdout)
    assert (told["texts"], told["numbers"]) == (5, 576)
    cache = TextCache(tmp_path / "texts")
    assert all(text in cache for item in items for text in item.texts)
