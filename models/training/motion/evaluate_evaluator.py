"""Measure a motion evaluator on the corpus' split `test`, and write its card."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from models.corpus.reader import Row
from models.files import file_digest
from models.motion.dataset import MotionBatch, MotionData, Piece, to_device
from models.motion.evaluation.evaluator import MotionEvaluator, load_motion_evaluator, meaning_of
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
from models.training.state import read_facts

SCENES = 32
"""Scenes judged at a time."""


def judged(row: Row, split: str, max_people: int) -> bool:
    """Tell whether an item is of the split and of no more people than the evaluator knows."""
    return row.split == split and len(row.people) <= max_people


@torch.no_grad()
def embedded(
    evaluator: MotionEvaluator, batches: list[MotionBatch], texts: TextCache
) -> tuple[Float[np.ndarray, "n dims"], Float[np.ndarray, "n dims"]]:
    """Return motions and captions of batches in the shared space."""
    device = evaluator.summary.device
    motions, captions = [], []
    for batch in batches:
        there = to_device(batch, device)
        motions.append(evaluator.motions(there.features, there.mask, there.roles))
        captions.append(evaluator.captions(texts.encode(batch.texts).to(device)))
    return torch.cat(motions).double().cpu().numpy(), torch.cat(captions).double().cpu().numpy()


def batches_of(data: MotionData, pieces: list[Piece]) -> list[MotionBatch]:
    """Return batches of SCENES pieces in their order."""
    return [data.batch(pieces[first : first + SCENES]) for first in range(0, len(pieces), SCENES)]


def matched(evaluator: MotionEvaluator, data: MotionData, split: str, texts: TextCache) -> dict[str, list[float]]:
    """Measure how well the held-out items of a split are matched with their captions, and with others' captions.

    Figures are [figure, low, high]; FID and KID are of one half of the takes against the other.
    """
    rng = np.random.default_rng(0)
    items = data.where(lambda row: judged(row, split, evaluator.config.max_people))
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


CARD = """# motion_evaluator: motions and their captions in one space

What generated motion is judged by (`models/motion/evaluation/evaluator.py`); train it again when the corpus grows
(`careclips train evaluator`). Figures of different evaluators cannot be compared.

- **Architecture**: patches of 4 frames, {layers} layers of {width}, one or two people, {dims} shared dimensions;
  {parameters:.2f} M parameters, float16 on disk.
- **Trained on**: {items} items of a corpus with SHA-256 `{corpus}`; seed {seed}, {kept_step} of {steps} steps of
  {batch_size} scenes, kept at the best validation loss ({val_loss:.3f}).
- **Licences of the motion**: {licences}. The weights: Apache-2.0, as the repository.
- **SHA-256** of `model.safetensors`: `{sha256}`

Real held-out motion ({test_items:.0f} items of the split `test`) among {pool:.0f} captions that mean different things:

| | top 1 | top 2 | top 3 |
| --- | --- | --- | --- |
| own captions | {own} |
| shuffled captions | {shuffled} |

Distance to the own caption {mm_dist}; diversity {diversity}; one half of the takes against the other: FID {fid}, KID
{kid}. Brackets are 95 % intervals over takes.
"""


def write_card(folder: Path, data: MotionData, texts: TextCache) -> dict[str, list[float]]:
    """Measure the evaluator of a folder on the split `test` and write its README.md; the figures."""
    evaluator = load_motion_evaluator(folder)
    found = matched(evaluator, data, "test", texts)
    facts = read_facts(folder)

    def shown(row: list[float], digits: int = 3) -> str:
        return f"{row[0]:.{digits}f} ({row[1]:.{digits}f} to {row[2]:.{digits}f})"

    def tops(name: str) -> str:
        return " | ".join(f"{100 * v:.0f} % ({100 * a:.0f} to {100 * b:.0f})" for v, a, b in _three(found, name))

    text = CARD.format(
        **{name: facts[name] for name in ("items", "corpus", "seed", "kept_step", "steps", "batch_size", "val_loss")},
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
        mm_dist=shown(found["mm_dist"]),
        diversity=shown(found["diversity"]),
        fid=shown(found["fid_halves"], 4),
        kid=shown(found["kid_halves"], 5),
    )
    (folder / "README.md").write_text(text)
    return found


def _three(found: dict[str, list[float]], name: str) -> list[list[float]]:
    return [found[f"{name}_{top}"] for top in (1, 2, 3)]
