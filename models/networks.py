"""A trained network on disk: a folder with config.json and model.safetensors.

What it is known by is the digest of both.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from models.errors import InputError
from models.files import digest, file_digest

STARTERS = Path(__file__).parent / "starter"
"""The small networks that ship."""

Network = TypeVar("Network", bound=nn.Module)
WEIGHTS_DIGEST = "weights_sha256"
"""What config.json calls the digest of model.safetensors, beside the network's own settings."""


def network_digest(folder: Path, kind: str, remedy: str) -> str:
    """Digest of the files alone; InputError where the folder holds no network."""
    return digest([file_digest(path) for path in _files(folder, kind, remedy)])


def load_network(folder: Path, kind: str, remedy: str, build: Callable[[dict], Network]) -> Network:
    """The network that `build` makes of the settings, with its weights, float32 and frozen.

    Shipped weights are float16 to be small. InputError where a file is missing, does not hold what `build` made, or is
    not the one whose digest the settings state.
    """
    settings, weights = _files(folder, kind, remedy)
    try:
        told = json.loads(settings.read_text())
        stated, found = told.pop(WEIGHTS_DIGEST, None), file_digest(weights)
        if stated not in (None, found):
            raise InputError(
                weights, f"has the digest {found[:12]}, {settings.name} states {stated[:12]}", "fetch it again"
            )
        network = build(told)
        network.load_state_dict({name: value.to(torch.float32) for name, value in load_file(weights).items()})
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
    """Whether to multiply in bfloat16.

    Processors without instructions for it are ten times slower with it than without.
    """
    if precision != "auto":
        return precision == "bfloat16"
    return device.type == "cuda" or torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def device_of(key: str, name: str) -> torch.device:
    """As torch names it: cpu, cuda, cuda:1, ... InputError where it is not there; `key` is the config's."""
    try:
        return torch.zeros(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise InputError(key, f"{name!r} is not there", "name a device that torch finds, or cpu") from error
