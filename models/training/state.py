"""What training keeps on disk: the whole state while it runs, and small averaged weights at its end. Never a pickle."""

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from models.errors import InputError
from models.files import file_digest, write_text
from models.networks import WEIGHTS_DIGEST

logger = logging.getLogger(__name__)

STATE = "state.json"
PART_BYTES = 14_000_000
"""A file of the state is no larger, unless one tensor is."""
OLD_FACTS = {"batch": "batch_size", "rate": "learning_rate"}
"""Names in a training.json written before, and what they are called now."""


@dataclass(frozen=True)
class Checkpoint:
    """Where a training keeps its state, and what it must be made of to be continued."""

    folder: Path | None
    """None keeps nothing."""
    made_of: Mapping[str, Any]
    """Seed, config, data ...: JSON values by name. A state made of anything else is refused."""


@dataclass
class Progress:
    """How far a training has come; saved with its state."""

    step: int = 0
    """Optimiser steps done."""
    seconds: float = 0.0
    losses: dict[str, float] = field(default_factory=dict)
    """Running mean of each loss."""
    train: list[dict[str, float]] = field(default_factory=list)
    """Rows of step, seconds and running losses."""
    validation: list[dict[str, float]] = field(default_factory=list)
    """Rows of step, seconds and the figures of the averaged weights."""
    best: float | None = None
    """Lowest validation score so far."""
    best_step: int = 0


@dataclass(frozen=True)
class Trained:
    """Everything that training changes."""

    model: nn.Module
    optimisers: Sequence[torch.optim.Optimizer]
    average: AveragedModel


def _tensors(trained: Trained) -> dict[str, Tensor]:
    """Return every tensor that training changes, by name; views, not copies."""
    state = {f"weights.{name}": value for name, value in trained.model.state_dict().items()}
    state |= {f"average.{name}": value for name, value in trained.average.state_dict().items()}
    for number, optimiser in enumerate(trained.optimisers):
        for place, values in optimiser.state_dict()["state"].items():
            state |= {f"optimiser{number}.{place}.{name}": value for name, value in values.items()}
    return state


def save_state(checkpoint: Checkpoint, trained: Trained, progress: Progress) -> None:
    """Write all tensors as safetensors small enough to travel, then a `state.json` that names them.

    Killed at any moment, either the state before or this one is whole.
    """
    folder = checkpoint.folder
    assert folder is not None
    folder.mkdir(parents=True, exist_ok=True)
    parts: list[dict[str, Tensor]] = [{}]
    for name, value in _tensors(trained).items():
        if parts[-1] and sum(kept.nbytes for kept in parts[-1].values()) + value.nbytes > PART_BYTES:
            parts.append({})
        parts[-1][name] = value.detach().clone()
    names = [f"state_{progress.step:07d}_{number:02d}.safetensors" for number in range(len(parts))]
    for name, part in zip(names, parts, strict=True):
        save_file(part, folder / name)
    head = {"progress": asdict(progress), "parts": names, "made_of": _plain(checkpoint.made_of)}
    write_text(folder / STATE, json.dumps(head, indent=1))
    for older in set(folder.glob("state_*.safetensors")) - {folder / name for name in names}:
        older.unlink()


def resume_state(checkpoint: Checkpoint, trained: Trained) -> Progress:
    """Bring back what `save_state` wrote; a `Progress` of no steps where there is nothing.

    InputError where it is damaged, or comes of a training with another seed, config or data.
    """
    folder = checkpoint.folder
    if folder is None or not (folder / STATE).exists():
        return Progress()
    try:
        head = json.loads((folder / STATE).read_text())
        before, now = head["made_of"], _plain(checkpoint.made_of)
        if other := sorted(name for name in {*before, *now} if before.get(name) != now.get(name)):
            raise InputError(
                folder,
                f"is of a training with another {', '.join(other)}",
                "name a new folder, or remove it; states of older versions are of no use",
            )
        saved = {name: value for part in head["parts"] for name, value in load_file(folder / Path(part).name).items()}
        for prefix, module in (("weights.", trained.model), ("average.", trained.average)):
            module.load_state_dict(_below(saved, prefix))
        for number, optimiser in enumerate(trained.optimisers):
            state: dict[int, dict[str, Tensor]] = {}
            for name, value in _below(saved, f"optimiser{number}.").items():
                place, _, key = name.partition(".")
                state.setdefault(int(place), {})[key] = value
            optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
        progress = Progress(**head["progress"])
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        raise InputError(folder, f"holds no state to go on from ({error})", "remove it to begin anew") from error
    logger.info("continuing from step %d of %s", progress.step, folder)
    return progress


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _plain(values: Mapping[str, Any]) -> Any:
    """As JSON gives them back."""
    return json.loads(json.dumps(values))


def write_starter(folder: Path, weights: dict[str, Tensor], config: BaseModel, facts: dict) -> None:
    """Write config.json with the weights' digest, training.json, and model.safetensors in half precision.

    Each is renamed into place.
    """
    folder.mkdir(parents=True, exist_ok=True)
    half = {name: value.half().contiguous() for name, value in weights.items()}
    save_file(half, folder / "model.safetensors.part", metadata={"format": "pt"})
    settings = config.model_dump(mode="json") | {WEIGHTS_DIGEST: file_digest(folder / "model.safetensors.part")}
    for name, value in (("config", settings), ("training", facts)):
        (folder / f"{name}.json.part").write_text(json.dumps(value, indent=1) + "\n")
    for part in sorted(folder.glob("*.part")):
        part.chmod(0o644)
        os.replace(part, part.with_suffix(""))


def read_facts(folder: Path) -> dict[str, Any]:
    """Read how a network was trained (training.json), by the names of today."""
    return _renamed(json.loads((folder / "training.json").read_text()))


def _renamed(values: Any) -> Any:
    """At every depth: a training that began with another's weights tells how those were trained."""
    if not isinstance(values, dict):
        return values
    return {OLD_FACTS.get(name, name): _renamed(value) for name, value in values.items()}
