"""Train the starter depth networks on views of our own sample rooms (`careclips train depth`).

Both are Depth Anything (Dinov2 backbone, DPT neck) of some 3 M parameters, stored as float16. The metric one learns the
depth at which a camera with focal length = image width would see the same picture (see `models.depth`): scale-invariant
log loss and gradient matching. The relative one learns disparity up to scale and offset (aligned by median and mean
deviation, as MiDaS does) and gradient matching. Same views, seed and threads: the same weights.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import DepthAnythingForDepthEstimation

from models.depth import Kind
from models.training.depth.losses import metric_loss, relative_loss
from models.training.depth.network import SHORT_PX, begin_with, new_network, save_starter
from models.training.depth.orthogonalised import Orthogonalised
from models.training.depth.views import Views
from models.training.loop import Run, Schedule, TrainConfig, fit
from models.training.state import Checkpoint

TRAINING = TrainConfig(
    steps=1200, batch_size=16, learning_rate=6e-4, warmup_steps=60, weight_decay=0.02, ema_decay=0.99
)
"""For a training from nothing; matrices learn at MATRIX_RATE times this rate."""
MATRIX_RATE = 25.0


def train(kind: Kind, views: Views, training: TrainConfig, run: Run, start: Path | None = None) -> None:
    """Train one starter and write it at the end; `start` is a starter whose weights it begins with.

    The same bytes also after an interruption.
    """
    torch.manual_seed(run.seed)
    network = new_network(kind, views)
    history = None if start is None else begin_with(network, kind, start)
    loss_of = metric_loss if kind == "metric" else relative_loss
    rng, drawn = np.random.default_rng(run.seed), 0

    def losses(step: int) -> dict[str, Tensor]:
        nonlocal drawn
        # One stream of batches: one that goes on draws those again that came before.
        while drawn < step:
            views.batch(rng, training.batch_size)
            drawn += 1
        pixels, depth = views.batch(rng, training.batch_size)
        drawn += 1
        return {"loss": loss_of(network(pixel_values=pixels).predicted_depth, depth)}

    made_of = {
        "kind": kind,
        "seed": run.seed,
        "training": training.made_of(),
        "views": len(views.train),
        "start": history,
    }
    schedule = Schedule(training.steps, training.warmup_steps, end_share=0.02)
    checkpoint = Checkpoint(run.checkpoint, made_of)
    average, progress = fit(network, _optimisers(network, training), losses, training, checkpoint, schedule)
    assert isinstance(average, DepthAnythingForDepthEstimation)
    facts = {
        "kind": kind,
        "steps": progress.step,
        "of": training.steps,
        "batch_size": training.batch_size,
        "seed": run.seed,
        "learning_rate": training.learning_rate,
        "short_px": SHORT_PX[kind],
        "views": len(views.train),
        "loss": round(progress.losses["loss"], 4),
        "start": history,
    }
    save_starter(average, facts, run.out)


def _optimisers(network: DepthAnythingForDepthEstimation, training: TrainConfig) -> list[torch.optim.Optimizer]:
    """One for everything but the matrices of the encoder, and one for those."""
    matrices = [value for _, value in network.backbone.encoder.named_parameters() if value.ndim == 2]
    others = [value for value in network.parameters() if not any(value is matrix for matrix in matrices)]
    rate = training.learning_rate
    return [
        torch.optim.AdamW(others, lr=rate, weight_decay=training.weight_decay, betas=(0.9, 0.95)),
        Orthogonalised(matrices, lr=MATRIX_RATE * rate),
    ]
