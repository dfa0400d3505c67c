"""Train the network of crops (`models/people3d/hmr_network.py`) on rendered sample people (`careclips train hmr`).

One group of people in ten, with a room and takes of their own, is held out (`models/training/hmr/views.py`). Crops are
mirrored, turned and zoomed about the axis of their camera, which is exact, and their colours vary.
"""

from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from models.body.model import BodyModel
from models.people3d.hmr_network import Hmr, HmrConfig
from models.training.hmr.dataset import Skeleton, Views, batch_of, varied
from models.training.hmr.evaluate import errors_of
from models.training.hmr.initialisation import set_means, start_backbone
from models.training.hmr.losses import WEIGHTS, Trainee, loss_of
from models.training.loop import Run, Schedule, TrainConfig, Validation, fit
from models.training.state import Checkpoint, write_starter

MEASURED = 400
"""Held-out views in each point of the curve."""


class HmrTrainConfig(TrainConfig):
    """How a network of crops is trained."""

    validate_every: int = Field(default=250, ge=1)
    """Steps between two points of the curve."""


TRAINING = HmrTrainConfig(
    steps=20000, batch_size=16, learning_rate=5e-4, weight_decay=0.05, ema_decay=0.998, log_every=250
)
"""For a training from the backbone of the depth starter."""


def small_config(body: BodyModel) -> HmrConfig:
    """Return sizes that two CPU cores can train; the backbone has those of the starter for depth, from which it begins.

    One query asks for 24 joints: it has many narrow heads, so that it can look at many places at once.
    """
    return HmrConfig(
        rows_px=128,
        columns_px=96,
        width=192,
        layers=4,
        heads=6,
        mlp_ratio=3,
        decoder_width=192,
        decoder_layers=2,
        decoder_heads=12,
        decoder_head_width=16,
        decoder_hidden=384,
        body=body.name,
    )


def train(
    views: Views,
    config: HmrConfig,
    body: BodyModel,
    training: HmrTrainConfig,
    run: Run,
    start: Path | None = None,
) -> None:
    """Train, from the backbone of `start` if given, and write the averaged weights at the end. Same views, seed and
    threads: the same bytes, also after an interruption."""
    skeleton = Skeleton(body, config.rows_px)
    torch.manual_seed(run.seed)
    trainee = Trainee(Hmr(config))
    if start is not None:
        start_backbone(trainee.network, start)
    everything = batch_of(views, body)
    seen = np.flatnonzero(~views.held_out)
    held = np.random.default_rng(run.seed).permutation(np.flatnonzero(views.held_out))[:MEASURED]
    set_means(trainee.network, body, everything.of(seen))

    def losses(step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([run.seed, step])
        drawn = everything.of(rng.choice(seen, training.batch_size))
        found = loss_of(trainee, skeleton, *varied(drawn, rng))
        return {"loss": torch.stack([WEIGHTS[name] * value for name, value in found.items()]).sum()}

    def measured(average: nn.Module) -> dict[str, float]:
        assert isinstance(average, Trainee)
        errors = errors_of(average.network, skeleton, everything.of(held), flip=False)
        return {name: round(float(np.median(errors[name])), 1) for name in ("pa_mm", "mm", "root_deg")}

    optimiser = torch.optim.AdamW(
        trainee.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay, betas=(0.9, 0.98)
    )
    made_of = {
        "seed": run.seed,
        "config": config.model_dump(mode="json"),
        "training": training.made_of(),
        "views": len(views.ends),
        "start": None if start is None else str(start),
    }
    validation = Validation(training.validate_every, measured) if len(held) else None
    schedule = Schedule(training.steps, training.short_warmup())
    checkpoint = Checkpoint(run.checkpoint, made_of)
    average, progress = fit(trainee, [optimiser], losses, training, checkpoint, schedule, validation)
    assert isinstance(average, Trainee)
    facts = {
        "steps": progress.step,
        "batch_size": training.batch_size,
        "learning_rate": training.learning_rate,
        "seed": run.seed,
        "views": len(seen),
        "loss": round(progress.losses["loss"], 3),
        "curve": [{name: value for name, value in row.items() if name != "seconds"} for row in progress.validation],
    }
    write_starter(run.out, average.network.state_dict(), config, facts)
