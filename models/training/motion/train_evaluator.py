"""Train the motion evaluator (`models/motion/evaluation/evaluator.py`) on a corpus, and write its card.

    python -m models.training.motion.train_evaluator train --corpus corpus.bin --skeleton skeleton.safetensors --texts texts.safetensors --out models/starter/motion_evaluator
    python -m models.training.motion.train_evaluator card --corpus corpus.bin --skeleton skeleton.safetensors --texts texts.safetensors --folder models/starter/motion_evaluator

Trained on items of the split `train` of one or two people; the averaged weights that match best in the split `val` are kept, and
the card's figures are of `test`. Mirrored items are in the corpus already. Needs numpy, torch, scipy, pydantic and safetensors.
"""

import argparse
import json
import logging
import math
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.body.rest_skeleton import read_skeleton
from models.corpus.reader import Row, read_corpus
from models.errors import InputError
from models.files import file_digest
from models.motion.dataset import POOL, MotionBatch, MotionData, Piece, to
from models.motion.evaluation.evaluator import (
    MotionEvaluator,
    MotionEvaluatorConfig,
    load_motion_evaluator,
    meaning_of,
    same_meaning,
)
from models.motion.evaluation.metrics import (
    Bank,
    diversity,
    frechet_distance,
    halves,
    kernel_distance,
    multimodal_distance,
    r_precision,
    with_interval,
)
from models.text.encoder import TextCache
from models.training.state import resume_state, save_state, write_starter

logger = logging.getLogger(__name__)

JUDGED = 32
"""Scenes judged at a time."""
JUDGE_EVERY = 250
SAVE_EVERY_S = 120.0


def judged(row: Row, split: str, most_people: int) -> bool:
    """Whether an item is of the split and of no more people than the evaluator knows."""
    return row.split == split and len(row.people) <= most_people


def weights_of(rows: tuple[Row, ...], items: Int[np.ndarray, "item"]) -> Float[np.ndarray, "item"]:
    """How often each item is drawn: kinds and numbers of people count by the root of how many there are."""
    kinds = [(rows[item].kind, len(rows[item].people)) for item in items]
    counts = Counter(kinds)
    return np.array([counts[kind] ** -0.5 for kind in kinds])


@torch.no_grad()
def embedded(
    evaluator: MotionEvaluator, batches: list[MotionBatch], texts: TextCache
) -> tuple[Float[np.ndarray, "n dims"], Float[np.ndarray, "n dims"]]:
    """Motions and captions of batches in the shared space."""
    device = evaluator.summary.device
    motions, captions = [], []
    for batch in batches:
        there = to(batch, device)
        motions.append(evaluator.motions(there.features, there.mask, there.roles))
        captions.append(evaluator.captions(texts.encode(batch.texts).to(device)))
    return torch.cat(motions).double().cpu().numpy(), torch.cat(captions).double().cpu().numpy()


def batches_of(data: MotionData, pieces: list[Piece]) -> list[MotionBatch]:
    """Batches of JUDGED pieces in their order."""
    return [data.batch(pieces[first : first + JUDGED]) for first in range(0, len(pieces), JUDGED)]


def matched(evaluator: MotionEvaluator, data: MotionData, split: str, texts: TextCache) -> dict[str, list[float]]:
    """How well the held-out items of a split are matched with their captions, and with others' captions.

    Figures are [figure, low, high]; FID and KID are of one half of the takes against the other.
    """
    rng = np.random.default_rng(0)
    items = data.where(lambda row: judged(row, split, evaluator.config.most_people))
    pieces = data.held_out(items)
    motions, captions = embedded(evaluator, batches_of(data, pieces), texts)
    rows = [data.rows[piece.item] for piece in pieces]
    meanings, takes = [meaning_of(row) for row in rows], [row.take for row in rows]
    bank = Bank(captions, tuple(meanings))
    found = {"pool": [float(bank.pool)] * 3, "items": [float(len(rows))] * 3}
    turned = rng.permutation(len(rows))
    for name, texts_of, of in (
        ("r_precision", captions, meanings),
        ("shuffled_text", captions[turned], [meanings[k] for k in turned]),
    ):
        for top, row in enumerate(r_precision(motions, texts_of, of, takes, bank, rng), start=1):
            found[f"{name}_{top}"] = row
    found["mm_dist"] = with_interval(lambda k: multimodal_distance(motions[k], captions[k]), takes, rng)
    found["diversity"] = with_interval(lambda k: diversity(motions[k], np.random.default_rng(0)), takes, rng)
    half = halves(takes, rng)
    for name, distance in (("fid_halves", frechet_distance), ("kid_halves", kernel_distance)):
        found[name] = with_interval(
            lambda k, d=distance: d(motions[k[half[k]]], motions[k[~half[k]]]), takes, rng, side=half
        )
    return found


def train(
    data: MotionData,
    texts: TextCache,
    config: MotionEvaluatorConfig,
    steps: int,
    batch: int,
    rate: float,
    seed: int,
    out: Path,
    facts: dict,
    checkpoint: Path | None = None,
    device: str = "cpu",
    patience: int = 8,
) -> None:
    """Train; `out` holds the averaged weights of the best validation so far. Same data, seed and threads: the same
    bytes.

    Stops after `patience` judgements without a better one. The whole state goes to the folder `checkpoint` every two
    minutes; a training continues from there as if it had not been interrupted: what step n sees depends on the seed and
    n alone.
    """
    if config.text_digest != texts.digest:
        raise InputError(texts.path, f"is of the encoder {texts.digest[:12]}", f"name one of {config.text_digest[:12]}")
    items = data.where(lambda row: judged(row, "train", config.most_people))
    weights = weights_of(data.rows, items)
    torch.manual_seed(seed)
    network = MotionEvaluator(config)
    # A whole pool: batches by themselves are of one length, so of few kinds.
    pool = [data.draw(items, weights, 64, step, seed + 1) for step in range(POOL)]
    network.normaliser.fit(torch.cat([batch.features[batch.mask] for batch in pool]))
    every = texts.encode(sorted({text for item in items for text in data.rows[item].texts}))
    network.text_mean.copy_(every.mean(0))
    network.text_spread.copy_(every.std(0).clamp(min=0.01))
    network.to(device)
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.05, betas=(0.9, 0.98))
    average = {name: value.detach().clone() for name, value in network.state_dict().items()}
    made_of = {
        "steps": steps,
        "batch": batch,
        "rate": rate,
        "seed": seed,
        "config": config.model_dump(mode="json"),
        **facts,
    }
    first = resume_state(checkpoint, network, optimiser, average, made_of)
    before = json.loads((out / "training.json").read_text()) if first and (out / "training.json").exists() else {}
    best, best_step = before.get("val_loss", math.inf), before.get("kept_step", first)
    began = saved = time.monotonic()
    running = 0.0
    for step in range(first, steps):
        # Dropout, too, depends on the seed and the step alone.
        torch.manual_seed(int(np.random.default_rng([seed, step]).integers(2**31)))
        warm = min(1.0, (step + 1) / min(200, 1 + steps // 10))
        optimiser.param_groups[0]["lr"] = rate * warm * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * step / steps)))
        seen = data.draw(items, weights, batch, step, seed)
        loss = _loss(network, data, seen, texts)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        keep = min(0.998, (step + 1) / (step + 10))
        for name, value in network.state_dict().items():
            average[name].lerp_(value, 1.0 - keep)
        running = float(loss.detach()) if step == first else 0.98 * running + 0.02 * float(loss.detach())
        if step % JUDGE_EVERY == JUDGE_EVERY - 1 or step == steps - 1:
            val = _validated(network, average, data, texts)
            spent = time.monotonic() - began
            logger.info("step %d of %d: loss %.3f, val %.3f, %.0f s", step + 1, steps, running, val, spent)
            if val < best:
                best, best_step = val, step + 1
                written = {name: value.cpu() for name, value in average.items()}
                told = {
                    "steps": steps,
                    "kept_step": step + 1,
                    "val_loss": val,
                    "batch": batch,
                    "rate": rate,
                    "seed": seed,
                }
                write_starter(out, written, config, told | facts)
            elif step + 1 - best_step >= patience * JUDGE_EVERY:
                logger.info("no better since step %d", best_step)
                break
        if checkpoint is not None and time.monotonic() - saved > SAVE_EVERY_S:
            save_state(checkpoint, network, optimiser, average, step + 1, made_of)
            saved = time.monotonic()


def _loss(network: MotionEvaluator, data: MotionData, seen: MotionBatch, texts: TextCache) -> Float[Tensor, ""]:
    there = to(seen, network.summary.device)
    motions = network.motions(there.features, there.mask, there.roles)
    captions = network.captions(texts.encode(seen.texts).to(motions.device))
    same = same_meaning([meaning_of(data.rows[int(item)]) for item in seen.items])
    return network.loss(motions, captions, same.to(motions.device))


@torch.no_grad()
def _validated(network: MotionEvaluator, average: dict[str, Tensor], data: MotionData, texts: TextCache) -> float:
    """Mean loss of the averaged weights over the split `val`, in batches that mix all kinds."""
    trained = {name: value.detach().clone() for name, value in network.state_dict().items()}
    network.load_state_dict(average)
    network.eval()
    items = data.where(lambda row: judged(row, "val", network.config.most_people))
    pieces = data.held_out(np.random.default_rng(0).permutation(items))
    losses = [float(_loss(network, data, batch, texts)) for batch in batches_of(data, pieces) if len(batch.texts) > 1]
    network.load_state_dict(trained)
    network.train()
    return float(np.mean(losses))


CARD = """# motion_evaluator: motions and their captions in one space

What generated motion is judged by (`models/motion/evaluation/evaluator.py`); train it again when the corpus grows
(`models/training/motion/train_evaluator.py`). Figures of different evaluators cannot be compared.

- **Architecture**: patches of 4 frames, {layers} layers of {width}, one or two people, {dims} shared dimensions;
  {parameters:.2f} M parameters, float16 on disk.
- **Trained on**: {items} items of a corpus with SHA-256 `{corpus}`; seed {seed}, {kept_step} of {steps} steps of {batch}
  scenes, kept at the best validation loss ({val_loss:.3f}).
- **Licences of the motion**: {licences}. The weights: Apache-2.0, as the repository.
- **SHA-256** of `model.safetensors`: `{sha256}`

Real held-out motion ({test_items:.0f} items of the split `test`) among {pool:.0f} captions that mean different things:

| | top 1 | top 2 | top 3 |
| --- | --- | --- | --- |
| own captions | {own} |
| shuffled captions | {shuffled} |

Distance to the own caption {mm_dist}; diversity {diversity}; one half of the takes against the other: FID {fid}, KID {kid}.
Brackets are 95 % intervals over takes.
"""


def write_card(folder: Path, data: MotionData, texts: TextCache) -> dict[str, list[float]]:
    """Measure the evaluator of a folder on the split `test` and write its README.md; the figures."""
    evaluator = load_motion_evaluator(folder)
    found = matched(evaluator, data, "test", texts)
    facts = json.loads((folder / "training.json").read_text())

    def told(row: list[float], digits: int = 3) -> str:
        return f"{row[0]:.{digits}f} ({row[1]:.{digits}f} to {row[2]:.{digits}f})"

    def tops(name: str) -> str:
        return " | ".join(f"{100 * v:.0f} % ({100 * a:.0f} to {100 * b:.0f})" for v, a, b in _three(found, name))

    text = CARD.format(
        **{name: facts[name] for name in ("items", "corpus", "seed", "kept_step", "steps", "batch", "val_loss")},
        layers=evaluator.config.layers,
        width=evaluator.config.width,
        dims=evaluator.config.dims,
        parameters=sum(p.numel() for p in evaluator.parameters()) / 1e6,
        licences=", ".join(facts["licences"]),
        sha256=file_digest(folder / "model.safetensors"),
        test_items=found["items"][0],
        pool=found["pool"][0],
        own=tops("r_precision"),
        shuffled=tops("shuffled_text"),
        mm_dist=told(found["mm_dist"]),
        diversity=told(found["diversity"]),
        fid=told(found["fid_halves"], 4),
        kid=told(found["kid_halves"], 5),
    )
    (folder / "README.md").write_text(text)
    return found


def _three(found: dict[str, list[float]], name: str) -> list[list[float]]:
    return [found[f"{name}_{top}"] for top in (1, 2, 3)]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train")
    training.add_argument("--steps", type=int, default=4000)
    training.add_argument("--batch", type=int, default=64)
    training.add_argument("--rate", type=float, default=5e-4)
    training.add_argument("--seed", type=int, default=0)
    training.add_argument("--checkpoint", type=Path)
    training.add_argument("--device", default="cpu")
    training.add_argument("--out", type=Path, required=True)
    card = commands.add_parser("card")
    card.add_argument("--folder", type=Path, required=True)
    for command in (training, card):
        for name in ("corpus", "skeleton", "texts"):
            command.add_argument(f"--{name}", type=Path, required=True)
        command.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(arguments.threads)
    texts = TextCache(arguments.texts)
    config = MotionEvaluatorConfig(text_dim=texts.dim, text_digest=texts.digest)
    corpus = read_corpus(arguments.corpus, lambda row: len(row.people) <= config.most_people)
    data = MotionData(corpus, read_skeleton(arguments.skeleton), config.most_frames)
    if arguments.command == "card":
        print(json.dumps(write_card(arguments.folder, data, texts), indent=1))
        return
    train_rows = [row for row in data.rows if row.split == "train"]
    facts = {
        "items": len(train_rows),
        "corpus": file_digest(arguments.corpus),
        "licences": sorted({row.licence for row in train_rows}),
    }
    train(
        data,
        texts,
        config,
        arguments.steps,
        arguments.batch,
        arguments.rate,
        arguments.seed,
        arguments.out,
        facts,
        arguments.checkpoint,
        arguments.device,
    )


if __name__ == "__main__":
    main()
