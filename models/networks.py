"""A trained network on disk: a folder with config.json and model.safetensors.

What it is known by is the digest of both. Two things let names in the code change while yesterday's files stay good:

- Tensors are stored by the names of the modules that hold them. A network whose modules were renamed says so in its
  `renamed_keys`, and `current_keys` reads files that were written before.
- Artefacts are kept by the digest of the network that made them. Where the files of a network that ships were written
  again with today's names, and nothing else, `KNOWN_AS` says what they were known by before.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from models.config import first_fault
from models.errors import InputError
from models.files import digest, file_digest
from models.text_files import read_json

STARTERS = Path(__file__).parent / "starter"
"""The small networks that ship."""

Network = TypeVar("Network", bound=nn.Module)
_POINTER = b"version https://git-lfs.github.com/spec/"
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
    for path in (settings, weights):
        check_no_pointer(path)
    values, again = read_json(settings), "train or fetch it again"
    if not isinstance(values, dict):
        raise InputError(settings, f"holds no settings of a {kind}, but a {type(values).__name__}", again)
    stated, found = values.pop(WEIGHTS_DIGEST, None), file_digest(weights)
    if stated not in (None, found):
        raise InputError(
            weights, f"has the digest {found[:12]}, {settings.name} states {stated!s:.12}", "fetch it again"
        )
    try:
        network = build(values)
        tensors = {name: value.to(torch.float32) for name, value in load_file(weights).items()}
        network.load_state_dict(current_keys(network, tensors))
    except ValidationError as error:
        words = first_fault(error, "as a whole")
        raise InputError(settings, f"holds no settings of a {kind} ({words})", again) from error
    except (SafetensorError, RuntimeError) as error:
        raise InputError(folder, f"is damaged, or no {kind} ({one_line(error)})", again) from error
    spoiled = [name for name, value in network.state_dict().items() if not torch.isfinite(value).all()]
    if spoiled:
        raise InputError(weights, f"holds numbers that are not finite, in {spoiled[0]}", again)
    return network.eval().requires_grad_(False)


def check_no_pointer(path: Path) -> None:
    """Raise InputError where a file is what Git LFS leaves in the place of one that was not fetched."""
    with path.open("rb") as handle:
        if handle.read(len(_POINTER)) == _POINTER:
            raise InputError(
                path, "is a Git LFS pointer, not the file", "run `git lfs pull` in its repository, or download the file"
            )


def is_hub_id(name: str) -> bool:
    """Tell whether a name is of a model hub, and of no folder here."""
    return re.fullmatch(r"[\w.-]+/[\w.-]+", name) is not None and not Path(name).is_dir()


def from_pretrained(kind: type, name: str | Path, key: str, what: str = "", **options: Any) -> Any:
    """Return what `kind.from_pretrained` of transformers makes of a folder or hub id; networks with all their weights.

    `key` is the config's that names it, `what` what it is in words. InputError where it cannot be had.
    """
    folder = Path(name)
    for path in sorted([*folder.glob("*.safetensors"), *folder.glob("*.json")]) if folder.is_dir() else ():
        check_no_pointer(path)
    network = hasattr(kind, "base_model_prefix")
    try:
        loaded = kind.from_pretrained(name, **options, **({"output_loading_info": True} if network else {}))
    # Whatever a foreign folder makes of transformers, which validates little: it is the folder that is to be named.
    except Exception as error:
        remedy = f"give a hub id that can be reached or a local folder in {key}"
        raise InputError(name, f"cannot be loaded as {what or kind.__name__} ({one_line(error)})", remedy) from error
    if not network:
        return loaded
    loaded, info = loaded
    lacking = sorted([*info["missing_keys"], *(str(one) for one in info["mismatched_keys"])])
    if lacking:
        problem = f"lacks {len(lacking)} of the weights of {kind.__name__}, such as {lacking[0]}"
        raise InputError(name, problem, f"set {key} to a whole checkpoint of that kind")
    return loaded


def one_line(error: BaseException) -> str:
    """Return the first line of what an exception says, or its name."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(error).__name__


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
        device = torch.zeros(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise InputError(key, f"{name!r} is not there", "name a device that torch finds, or cpu") from error
    if device.type == "meta":
        raise InputError(key, f"{name!r} computes nothing", "name a device that torch finds, or cpu")
    return device
