"""The loop that trains every network: steps, a learning rate that warms up and falls, averaged weights, validation,
state.

What a step's losses are is the network's own: `train.py` beside it says so, and calls `fit`. A training that was killed
goes on from its last saved state to the same bytes, as long as the losses of step n depend on the seed and n alone.
Torch alone is needed.
"""

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from models.config import Config, renamed
from models.training.state import Checkpoint, Progress, Trained, resume_state, save_state

logger = logging.getLogger(__name__)

Tensors = list[Tensor] | tuple[Tensor, ...]
CPU = torch.device("cpu")
RUNNING_DECAY = 0.98
"""Of the running means that are logged."""


class TrainConfig(Config):
    """How any network is trained."""

    steps: int = Field(default=20000, ge=1)
    """Optimiser steps over which the learning rate falls to its end."""
    max_steps: int | None = renamed("stop", "max_steps", None, ge=1)
    """Optimiser steps after which training ends; all of `steps` if not said."""
    batch_size: int = renamed("batch", "batch_size", 32, ge=1)
    """Examples of a step, on each device."""
    learning_rate: float = renamed("rate", "learning_rate", 4e-4, gt=0.0)
    """The highest, after the warm-up."""
    warmup_steps: int = renamed("warm_up", "warmup_steps", 200, ge=1)
    """Steps over which the learning rate rises."""
    weight_decay: float = Field(default=0.01, ge=0.0)
    """AdamW's."""
    max_grad_norm: float = renamed("clip", "max_grad_norm", 1.0, gt=0.0)
    """Norm to which longer gradients are shortened."""
    ema_decay: float = renamed("average", "ema_decay", 0.999, ge=0.0, lt=1.0)
    """Of the exponential moving average of the weights, which is what is kept in the end."""
    log_every: int = Field(default=100, ge=1)
    """Steps between two lines of the log."""
    save_every_s: float = Field(default=120.0, ge=0.0)
    """Seconds between two saved states, from which an interrupted training goes on."""

    @model_validator(mode="after")
    def _stops_in_time(self):
        if self.max_steps is not None and self.max_steps > self.steps:
            raise ValueError(
                f"max_steps is {self.max_steps}, the learning rate is made for steps {self.steps}: "
                "make max_steps at most that"
            )
        return self

    def made_of(self) -> dict[str, Any]:
        """Return what a continued training must agree in: all but how often it logs and saves."""
        return self.model_dump(mode="json", exclude={"log_every", "save_every_s"})

    def short_warmup(self) -> int:
        """Return the warm-up, cut to a tenth of a short training."""
        return min(self.warmup_steps, 1 + self.steps // 10)


AnyTrainConfig = TypeVar("AnyTrainConfig", bound=TrainConfig)


def with_values(config: AnyTrainConfig, **changes: Any) -> AnyTrainConfig:
    """Return a config with those of some values that are not None, checked."""
    given = {name: value for name, value in changes.items() if value is not None}
    return config.model_validate(config.model_dump() | given)


@dataclass(frozen=True)
class Run:
    """One training: its seed, where it writes, and on what it runs."""

    seed: int
    out: Path
    """Folder of the trained network."""
    checkpoint: Path | None = None
    """Folder of the state that an interrupted training goes on from; None keeps none."""
    device: torch.device = CPU


@dataclass(frozen=True)
class Schedule:
    """The learning rate: linear warm-up, times half a cosine that falls to a share of the highest."""

    steps: int
    warmup_steps: int
    end_share: float = 0.01

    def __call__(self, step: int) -> float:
        """Return the share of the highest learning rate at a step, from 0."""
        warmed = min(1.0, (step + 1) / self.warmup_steps)
        fallen = 0.5 * (1.0 + math.cos(math.pi * step / self.steps))
        return warmed * (self.end_share + (1.0 - self.end_share) * fallen)


@dataclass(frozen=True)
class Validation:
    """What is done with the averaged weights now and then."""

    every: int
    """Steps; and after the last one."""
    measure: Callable[[nn.Module], dict[str, float]]
    """Figures of the model with its averaged weights, in evaluation mode; must draw nothing from the global generator
    that training needs."""
    look: Callable[[int, nn.Module], None] | None = None
    """Is shown the same model, and the number of steps."""
    score: str | None = None
    """Name of the figure by which weights are kept: the lower the better."""
    keep: Callable[[nn.Module, Progress], None] | None = None
    """Is given the model whenever its score is the lowest so far."""
    patience: int | None = None
    """Validations without a lower score after which training ends."""

    def is_over(self, progress: Progress) -> bool:
        """Tell whether patience has run out."""
        waited = progress.step - progress.best_step
        return self.patience is not None and waited >= self.patience * self.every


def averaged(model: nn.Module, ema_decay: float) -> AveragedModel:
    """Copy a model whose weights are to follow the model's: an exponential moving average (`swa_utils`).

    The decay is min(ema_decay, n / (n + 9)) at the nth step, or short trainings would keep what they began with.
    """

    def update(averages: Tensors, current: Tensors, count: Tensor | int) -> None:
        number = int(count)
        get_ema_multi_avg_fn(min(ema_decay, number / (number + 9)))(averages, current, count)

    average = AveragedModel(model, multi_avg_fn=update)
    # The copy counts as the first of what is averaged; at 0 torch would overwrite it with the first step's weights.
    average.n_averaged.fill_(1)
    return average.eval().requires_grad_(False)


def fit(
    model: nn.Module,
    optimisers: Sequence[torch.optim.Optimizer],
    losses: Callable[[int], dict[str, Tensor]],
    config: TrainConfig,
    checkpoint: Checkpoint,
    schedule: Schedule,
    validation: Validation | None = None,
    is_first: bool = True,
) -> tuple[nn.Module, Progress]:
    """Train a model in place; returns a copy with the averaged weights, in evaluation mode, and how it went.

    `losses` gives those of one step, of which the sum is minimised. Optimisers come with the highest learning rate of
    each group. Of processes that train together, `is_first` alone validates, logs and writes. The state is saved now
    and then and at the end; InputError where a state is of another training.
    """
    trained = Trained(model, optimisers, averaged(model, config.ema_decay))
    progress = resume_state(checkpoint, trained)
    schedulers = [_scheduler(optimiser, schedule, progress.step) for optimiser in optimisers]
    last, before = config.max_steps or config.steps, progress.seconds
    began = saved = time.monotonic()
    while progress.step < last and not (validation and validation.is_over(progress)):
        found = losses(progress.step)
        total = sum(found.values(), torch.zeros((), device=next(iter(found.values())).device))
        for optimiser in optimisers:
            optimiser.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(model.parameters(), config.max_grad_norm)
        for optimiser, scheduler in zip(optimisers, schedulers, strict=True):
            optimiser.step()
            scheduler.step()
        trained.average.update_parameters(model)
        progress.step += 1
        for name, value in found.items():
            now = float(value.detach())
            progress.losses[name] = RUNNING_DECAY * progress.losses.get(name, now) + (1.0 - RUNNING_DECAY) * now
        if not is_first:
            continue
        progress.seconds = before + time.monotonic() - began
        if progress.step % config.log_every == 0:
            _log(progress, last)
        if validation and (progress.step % validation.every == 0 or progress.step == last):
            _validate(validation, trained.average.module, progress)
        if checkpoint.folder and (time.monotonic() - saved > config.save_every_s or progress.step == last):
            save_state(checkpoint, trained, progress)
            saved = time.monotonic()
    return trained.average.module, progress


def _scheduler(optimiser: torch.optim.Optimizer, schedule: Schedule, step: int) -> LambdaLR:
    """As it stands after so many steps."""
    for group in optimiser.param_groups:
        group["initial_lr"] = group["lr"]
    return LambdaLR(optimiser, schedule, last_epoch=step - 1)


def _log(progress: Progress, last: int) -> None:
    progress.train.append({"step": progress.step, "seconds": progress.seconds} | progress.losses)
    shown = " ".join(f"{name} {value:.4f}" for name, value in progress.losses.items())
    told = {"progress": ("training", progress.step, last)}
    logger.info("step %d of %d, %.0f s: %s", progress.step, last, progress.seconds, shown, extra=told)


@torch.no_grad()
def _validate(validation: Validation, average: nn.Module, progress: Progress) -> None:
    figures = validation.measure(average)
    progress.validation.append({"step": progress.step, "seconds": progress.seconds} | figures)
    logger.info("held out: %s", progress.validation[-1])
    if validation.score is not None and (progress.best is None or figures[validation.score] < progress.best):
        progress.best, progress.best_step = figures[validation.score], progress.step
        if validation.keep is not None:
            validation.keep(average, progress)
    if validation.look is not None:
        validation.look(progress.step, average)
