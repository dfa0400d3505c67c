"""A trained network on disk: a folder with config.json and model.safetensors.

What it is known by is the digest of both. Two things let names in the code change while yesterday's files stay good:

- Tensors are stored by the names of the modules that hold them. A network whose modules were renamed says so in its
  `renamed_keys`, and `current_keys` reads files that were written before.
- Artefacts are kept by the digest of the network that made them. Where the files of a network that ships were written
  again with today's names, and nothing else, `KNOWN_AS` says what they were known by before.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from models.errors import InputError
from models.files import digest, file_digest

STARTERS = Path(__file__).parent / "starter"
"""The small networks that ship."""

Network = TypeVar("Network", bound=nn.Module)
WEIGHTS_DIGEST = "weights_sha256"
"""What config.json calls the digest of model.safetensors, beside the network's own settings."""
KNOWN_AS = {
    # The motion starter, before its modules and its settings got the field's names.
    "fe141b60dafe6a4a0ffb5233ea941af4f04de52458326eb87efae594f7f4e0c6": (
        "af2436f8b4c543c7d5d21b40bb2b1da726295376035ca74b54faf69ba29629f9"
    ),
}
"""Digest of files whose names alone were changed -> digest that the same network had before, which goes on standing for
it, so that nothing is made anew."""


def network_digest(folder: Path, kind: str, remedy: str) -> str:
    """Return what a network is known by, from its files alone; InputError where the folder holds none."""
    found = digest([file_digest(path) for path in _files(folder, kind, remedy)])
    return KNOWN_AS.get(found, found)


def current_keys(network: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give the tensors of a file the names that the network's modules have today.

    A network may state `renamed_keys`: parts of names, whole between dots, of before -> of today, in the order in which
    they are to be replaced. Names that are today's already stay.
    """
    found = {}
    for key, value in tensors.items():
        for old, new in getattr(network, "renamed_keys", {}).items():
            key = re.sub(rf"(?<![^.]){re.escape(old)}(?![^.])", new, key)
        found[key] = value
    return found


def load_network(folder: Path, kind: str, remedy: str, build: Callable[[dict], Network]) -> Network:
    """Load the network that `build` makes of the settings, with its weights, float32 and frozen.

    Shipped weights are float16 to be small. Names of before are read, too (`current_keys`). InputError where a file is
    missing, does not hold what `build` made, or is not the one whose digest the settings state.
    """
    settings, weights = _files(folder, kind, remedy)
    try:
        values = json.loads(settings.read_text())
        stated, found = values.pop(WEIGHTS_DIGEST, None), file_digest(weights)
        if stated not in (None, found):
            raise InputError(
                weights, f"has the digest {found[:12]}, {settings.name} states {stated[:12]}", "fetch it again"
            )
        network = build(values)
        tensors = {name: value.to(torch.float32) for name, value in load_file(weights).items()}
        network.load_state_dict(current_keys(network, tensors))
    except (json.JSONDecodeError, ValidationError, SafetensorError, RuntimeError) as error:
        problem = str(error).splitlines()[0]
        raise InputError(folder, f"is damaged, or no {kind} ({problem})", "train or fetch it again") from error
    return network.eval().requires_grad_(False)


def _files(folder: Path, kind: str, remedy: str) -> tuple[Path, Path]:
    settings, weights = folder / "config.json", folder / "model.safetensors"
    if missing := [path.name for path in (settings, weights) if not path.is_file()]:
        raise InputError(folder, f"is no {kind} ({' and '.join(missing)} missing)", remedy)
    return settings, weights


def half_precision(precision: str, device: torch.device) -> bool:
    """Tell whether to multiply in bfloat16.

    Processors without instructions for it are ten times slower with it than without.
    """
    if precision != "auto":
        return precision == "bfloat16"
    return device.type == "cuda" or torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def device_of(key: str, name: str) -> torch.device:
    """Find a device as torch names it: cpu, cuda, cuda:1, ...

    InputError where it is not there; `key` is the config's.
    """
    try:
        return torch.zeros(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise InputError(key, f"{name!r} is not there", "name a device that torch finds, or cpu") from error
