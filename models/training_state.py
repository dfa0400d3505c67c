"""What training keeps on disk: the whole state while it runs, and small averaged weights at its end. Never a pickle."""

import json
import logging
import os
from pathlib import Path

import torch
from pydantic import BaseModel
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

logger = logging.getLogger(__name__)


def _state(model: nn.Module, optimiser: torch.optim.Optimizer, average: dict[str, Tensor]) -> dict[str, Tensor]:
    """Every tensor that training changes, by name; views, not copies."""
    state = {f"weights.{name}": value for name, value in model.state_dict().items()}
    state |= {f"average.{name}": value for name, value in average.items()}
    for name, parameter in model.named_parameters():
        state |= {f"{key}.{name}": value for key, value in optimiser.state[parameter].items()}
    return state


def save_state(
    path: Path, model: nn.Module, optimiser: torch.optim.Optimizer, average: dict[str, Tensor], step: int
) -> None:
    """Write weights, their average and Adam's moments as safetensors, renamed last."""
    part = path.with_name(path.name + ".part")
    state = {name: value.detach().clone() for name, value in _state(model, optimiser, average).items()}
    save_file(state, part, metadata={"step": str(step)})
    os.replace(part, path)


def resume_state(path: Path, model: nn.Module, optimiser: torch.optim.Optimizer, average: dict[str, Tensor]) -> int:
    """Bring back what `save_state` wrote; the number of steps done."""
    for parameter in model.parameters():
        optimiser.state[parameter] = {
            "step": torch.zeros(()), "exp_avg": torch.zeros_like(parameter), "exp_avg_sq": torch.zeros_like(parameter)
        }  # fmt: skip
    with safe_open(path, framework="pt") as file:
        done = int((file.metadata() or {})["step"])
        for name, value in _state(model, optimiser, average).items():
            value.detach().copy_(file.get_tensor(name))
    logger.info("continuing from step %d of %s", done, path)
    return done


def write_starter(folder: Path, weights: dict[str, Tensor], config: BaseModel, facts: dict) -> None:
    """config.json, training.json and model.safetensors in half precision, each renamed into place."""
    folder.mkdir(parents=True, exist_ok=True)
    half = {name: value.half().contiguous() for name, value in weights.items()}
    save_file(half, folder / "model.safetensors.part", metadata={"format": "pt"})
    for name, value in (("config", config.model_dump()), ("training", facts)):
        (folder / f"{name}.json.part").write_text(json.dumps(value, indent=1) + "\n")
    for part in sorted(folder.glob("*.part")):
        part.chmod(0o644)
        os.replace(part, part.with_suffix(""))
