"""Train the motion evaluator (`models/motion/evaluation/evaluator.py`) on a corpus (`careclips train evaluator`).

Trained on items of the split `train` of one or two people; the averaged weights that match best in the split `val` are
kept. Mirrored items are in the corpus already. Needs numpy, torch, scipy, pydantic and safetensors.
"""

from collections import Counter

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn

from models.corpus.reader import Row
from models.errors import InputError
from models.motion.dataset import POOL, MotionBatch, MotionData, to_device
from models.motion.evaluation.evaluator import MotionEvaluator, MotionEvaluatorConfig, meaning_of, same_meaning
from models.text.encoder import TextCache
from models.training.loop import Run, Schedule, TrainConfig, Validation, fit
from models.training.motion.evaluate_evaluator import batches_of, judged
from models.training.state import Checkpoint, Progress, write_starter


class EvaluatorTrainConfig(TrainConfig):
    """How a motion evaluator is trained."""

    validate_every: int = Field(default=250, ge=1)
    """Steps between two measurements of the split `val`."""
    patience: int = Field(default=8, ge=1)
    """Measurements without a lower loss after which training ends."""


TRAINING = EvaluatorTrainConfig(
    steps=4000, batch_size=64, learning_rate=5e-4, weight_decay=0.05, ema_decay=0.998, log_every=250
)
"""For a training from nothing."""


def weights_of(rows: tuple[Row, ...], items: Int[np.ndarray, "item"]) -> Float[np.ndarray, "item"]:
    """Return how often each item is drawn: kinds and numbers of people count by the root of how many there are."""
    kinds = [(rows[item].kind, len(rows[item].people)) for item in items]
    counts = Counter(kinds)
    return np.array([counts[kind] ** -0.5 for kind in kinds])


def train(
    data: MotionData,
    texts: TextCache,
    config: MotionEvaluatorConfig,
    training: EvaluatorTrainConfig,
    run: Run,
    facts: dict,
) -> None:
    """Train; `run.out` holds the averaged weights of the best validation so far, beside `facts`.

    Same data, seed and threads: the same bytes, also after an interruption. InputError where the texts are of another
    encoder than the config's.
    """
    if config.text_encoder_digest != texts.digest:
        raise InputError(
            texts.path, f"is of the encoder {texts.digest[:12]}", f"name one of {config.text_encoder_digest[:12]}"
        )
    items = data.where(lambda row: judged(row, "train", config.max_people))
    weights = weights_of(data.rows, items)
    torch.manual_seed(run.seed)
    network = MotionEvaluator(config)
    # A whole pool: batches by themselves are of one length, so of few kinds.
    pool = [data.draw(items, weights, 64, step, run.seed + 1) for step in range(POOL)]
    network.normaliser.fit(torch.cat([batch.features[batch.mask] for batch in pool]))
    every = texts.encode(sorted({text for item in items for text in data.rows[item].texts}))
    network.text_mean.copy_(every.mean(0))
    network.text_std.copy_(every.std(0).clamp(min=0.01))
    network.to(run.device)

    def losses(step: int) -> dict[str, Tensor]:
        # Dropout, too, depends on the seed and the step alone.
        torch.manual_seed(int(np.random.default_rng([run.seed, step]).integers(2**31)))
        return {"loss": _loss(network, data, data.draw(items, weights, training.batch_size, step, run.seed), texts)}

    def keep(average: nn.Module, progress: Progress) -> None:
        trained = {
            "steps": training.steps,
            "kept_step": progress.best_step,
            "val_loss": progress.best,
            "batch_size": training.batch_size,
            "learning_rate": training.learning_rate,
            "seed": run.seed,
        }
        write_starter(
            run.out, {name: value.cpu() for name, value in average.state_dict().items()}, config, trained | facts
        )

    optimiser = torch.optim.AdamW(
        network.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay, betas=(0.9, 0.98)
    )
    made_of = {
        "seed": run.seed,
        "config": config.model_dump(mode="json"),
        "training": training.made_of(),
        **facts,
    }
    validation = Validation(
        training.validate_every,
        lambda average: {"loss": _validated(average, data, texts)},
        score="loss",
        keep=keep,
        patience=training.patience,
    )
    schedule = Schedule(training.steps, training.short_warmup(), end_share=0.02)
    fit(network, [optimiser], losses, training, Checkpoint(run.checkpoint, made_of), schedule, validation)


def _loss(network: MotionEvaluator, data: MotionData, seen: MotionBatch, texts: TextCache) -> Float[Tensor, ""]:
    there = to_device(seen, network.summary.device)
    motions = network.motions(there.features, there.mask, there.roles)
    captions = network.captions(texts.encode(seen.texts).to(motions.device))
    same = same_meaning([meaning_of(data.rows[int(item)]) for item in seen.items])
    return network.loss(motions, captions, same.to(motions.device))


def _validated(network: nn.Module, data: MotionData, texts: TextCache) -> float:
    """Mean loss over the split `val`, in batches that mix all kinds."""
    assert isinstance(network, MotionEvaluator)
    items = data.where(lambda row: judged(row, "val", network.config.max_people))
    pieces = data.held_out(np.random.default_rng(0).permutation(items))
    losses = [float(_loss(network, data, batch, texts)) for batch in batches_of(data, pieces) if len(batch.texts) > 1]
    return float(np.mean(losses))
