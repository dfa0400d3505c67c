"""What training keeps on disk: the whole state while it runs, and small averaged weights at its end. Never a pickle."""

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models.errors import InputError
from models.files import file_digest, write_text
from models.networks import WEIGHTS_DIGEST

logger = logging.getLogger(__name__)

STATE = "state.json"
PART_BYTES = 14_000_000
"""A file of the state is no larger, unless one tensor is."""


def _state(model: nn.Module, optimiser: torch.optim.Optimizer, average: dict[str, Tensor]) -> dict[str, Tensor]:
    """Every tensor that training changes, by name; views, not copies."""
    state = {f"weights.{name}": value for name, value in model.state_dict().items()}
    state |= {f"average.{name}": value for name, value in average.items()}
    for name, parameter in model.named_parameters():
        state |= {f"{key}.{name}": value for key, value in optimiser.state[parameter].items()}
    return state


def save_state(
    folder: Path,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: dict[str, Tensor],
    step: int,
    made_of: Mapping[str, Any],
) -> None:
    """Write weights, their average and Adam's moments as safetensors small enough to travel, then a `state.json` that
    names them.

    `made_of` is what the training depends on (seed, config, data ...), JSON values by name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts: list[dict[str, Tensor]] = [{}]
    for name, value in _state(model, optimiser, average).items():
        if parts[-1] and sum(one.nbytes for one in parts[-1].values()) + value.nbytes > PART_BYTES:
            parts.append({})
        parts[-1][name] = value.detach().clone()
    names = [f"state_{step:07d}_{number:02d}.safetensors" for number in range(len(parts))]
    for name, part in zip(names, parts, strict=True):
        save_file(part, folder / name)
    write_text(folder / STATE, json.dumps({"step": step, "parts": names, "made_of": _plain(made_of)}, indent=1))
    for older in set(folder.glob("state_*.safetensors")) - {folder / name for name in names}:
        older.unlink()


def resume_state(
    folder: Path | None,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: dict[str, Tensor],
    made_of: Mapping[str, Any],
) -> int:
    """Bring back what `save_state` wrote; the number of steps done, 0 where there is nothing.

    InputError where it is damaged, or comes of a training with another seed, config or data.
    """
    if folder is None or not (folder / STATE).exists():
        return 0
    for parameter in model.parameters():
        optimiser.state[parameter] = {
            "step": torch.zeros(()),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }
    try:
        head = json.loads((folder / STATE).read_text())
        before, now = head["made_of"], _plain(made_of)
        if other := sorted(name for name in {*before, *now} if before.get(name) != now.get(name)):
            raise InputError(
                folder, f"is of a training with another {', '.join(other)}", "name a new folder, or remove it"
            )
        saved = {name: value for part in head["parts"] for name, value in load_file(folder / Path(part).name).items()}
        for name, value in _state(model, optimiser, average).items():
            value.detach().copy_(saved[name])
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise InputError(folder, f"holds no state to go on from ({error})", "remove it to begin anew") from error
    logger.info("continuing from step %d of %s", head["step"], folder)
    return int(head["step"])


def _plain(values: Mapping[str, Any]) -> Any:
    """As JSON gives them back."""
    return json.loads(json.dumps(values))


def write_starter(folder: Path, weights: dict[str, Tensor], config: BaseModel, facts: dict) -> None:
    """config.json with the weights' digest, training.json, and model.safetensors in half precision, each renamed into
    place."""
    folder.mkdir(parents=True, exist_ok=True)
    half = {name: value.half().contiguous() for name, value in weights.items()}
    save_file(half, folder / "model.safetensors.part", metadata={"format": "pt"})
    settings = config.model_dump(mode="json") | {WEIGHTS_DIGEST: file_digest(folder / "model.safetensors.part")}
    for name, value in (("config", settings), ("training", facts)):
        (folder / f"{name}.json.part").write_text(json.dumps(value, indent=1) + "\n")
    for part in sorted(folder.glob("*.part")):
        part.chmod(0o644)
        os.replace(part, part.with_suffix(""))
