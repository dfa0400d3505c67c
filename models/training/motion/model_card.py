"""The card of a motion model: what it learned from, how long, what it measures, and film strips of the thesis's six
prompts and of interactions.

Prompts of figures 6.4 to 6.9 of the thesis, three seeds each, none chosen.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from models.body.model import BodyModel, BodyShape, load_body
from models.errors import InputError
from models.files import file_digest
from models.motion.evaluation.interaction_strips import FILE
from models.motion.model import MotionModel, check_text_encoder, load_motion_model
from models.motion.sampler import MotionSampler, request_for
from models.rendering.film_strip import motion_strip
from models.text.encoder import SentenceConfig, TextEncoder
from models.training.state import read_facts
from models.types import BodyLook

PROMPTS: tuple[tuple[str, int], ...] = (
    ("A person kicks with their left leg.", 1),
    ("A man runs to the right then runs to the left then back to the middle.", 1),
    ("A person loses balance and falls to the ground.", 1),
    ("With fiery passion two dancers entwine in Latin dance sublime.", 2),
    ("With merry smiles the two snap their selfie.", 2),
    ("Two people picking up something from the ground.", 2),
)
"""Each with its number of people."""
SEEDS, FRAMES, PICTURES = 3, 120, 8
MEMORISED = "memorised.png"
"""What `careclips evaluate motion` plots beside its figures."""


def prompt_strips(
    model: MotionModel, encoder: TextEncoder, body: BodyModel, prompts: Sequence[tuple[str, int]] = PROMPTS
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw film strips, SEEDS of each prompt, one below the other, in the order of the prompts."""
    shape = BodyShape(age_years=40.0, sex=0.5, stature_m=1.72, build=0.4)
    betas = np.asarray(body.betas_from_shape(shape), dtype=np.float64)
    requests = [
        request_for(body, text, ("person",) * people, np.tile(betas, (people, 1)), FRAMES, seed)
        for text, people in prompts
        for seed in range(SEEDS)
    ]
    sampler = MotionSampler(model, encoder, body, batch_size=len(requests))
    shown = np.linspace(0, FRAMES - 1, PICTURES).round().astype(int)
    rows = []
    for number, motion in enumerate(sampler.motions(requests)):
        looks = [BodyLook(number * 8 + person, 40.0) for person in range(len(motion.people))]
        rows.append(motion_strip(body, motion, shown, 150, 190, looks))
    return np.concatenate(rows)


def card(folder: Path, model: MotionModel, figures: dict[str, dict[str, Any]] | None) -> str:
    """Return the card as Markdown, from the model's own files and an evaluation's summary."""
    facts = read_facts(folder)
    config, sizes = facts["config"], model.config.denoiser
    weights = sum(value.numel() for value in model.parameters())
    last = facts["validation"][-1] if facts["validation"] else {}
    lines = [
        "# motion: from a sentence to people who move",
        "",
        (
            f"- **Architecture**: `{sizes.name}`, width {sizes.width}, {sizes.layers} layers, {sizes.heads} heads, "
            f"{sizes.patch} frames a token;"
            f" {weights / 1e6:.2f} M parameters, float16 on disk. Predicts x_0 of {model.config.layout}."
        ),
        (
            f"- **Trained on**: a corpus of `careclips corpus build` (SHA-256 `{facts.get('corpus', '?')}`, "
            f"{facts.get('items', '?')} items, a part of them held out), "
            f"scenes of {' and '.join(map(str, model.config.people))} people, "
            f"windows of at most {model.config.max_frames} frames."
        ),
        f"- **How**: `careclips train motion` with the config of `training.json`, seed {facts['seed']}, "
        f"{facts['steps']} steps of {config['batch_size']} scenes, learning rate {config['learning_rate']:g}, "
        f"{facts['seconds'] / 60:.0f} minutes"
        + (f", from the model with digest `{facts['start']}`" if "start" in facts else "")
        + f". Held out, after {last.get('step', 0)} steps: "
        + ", ".join(f"{name} {value:.3f}" for name, value in last.items() if name not in ("step", "seconds"))
        + ".",
        "- **Text**: captions as `models/text/encoder.py` encodes them by default (all-MiniLM-L6-v2).",
        "- **Licence**: Apache-2.0, as the repository; the captures it learned from are free for any use.",
        f"- **SHA-256** of `model.safetensors`: `{file_digest(folder / 'model.safetensors')}`",
        "",
    ]
    if figures:
        lines += _table(figures)
    lines += ["The thesis's prompts (figures 6.4 to 6.9), three seeds each, in this order:", ""]
    lines += [f"{number}. {text}" for number, (text, _) in enumerate(PROMPTS, 1)]
    lines += ["", "![film strips](prompts.jpg)", ""]
    lines += _interactions(folder)
    if (folder / MEMORISED).exists():
        lines += [
            "How near samples, and unseen real motion, come to what was learned:",
            "",
            f"![distances]({MEMORISED})",
            "",
        ]
    return "\n".join(lines)


def _interactions(folder: Path) -> list[str]:
    """Return the lines on film strips of held-out captions: what each was to show, and what was seen by who had not
    read it."""
    if not (folder / f"{FILE}.json").exists():
        return []
    rows = json.loads((folder / f"{FILE}.json").read_text())
    return [
        "Interactions, the first of each kind's held-out captions, in an order that gives nothing away; cleaned up:",
        "",
        f"![interactions]({FILE}.jpg)",
        "",
        "| row | seen | kind | caption |",
        "| --- | --- | --- | --- |",
        *(
            f"| {number} | {row['seen'] or '–'} | {row['kind']} | {row['caption']} |"
            for number, row in enumerate(rows, 1)
        ),
        "",
    ]


def _table(figures: dict[str, dict[str, Any]]) -> list[str]:
    """What `careclips evaluate motion` found: a row a figure, a column an arm; of single people and pairs it has more
    to say."""
    arms = [arm for arm in figures if "/" not in arm]
    rows = ["| | " + " | ".join(arms) + " |", "| --- " * (len(arms) + 1) + "|"]
    known = [name for arm in arms for name, value in figures[arm].items() if isinstance(value, list | float)]
    for name in dict.fromkeys(name for name in known if "quantiles" not in name):
        cells = []
        for arm in arms:
            value = figures[arm].get(name)
            if value is None:
                cells.append("–")
            elif isinstance(value, float):
                cells.append(f"{value:.3g}")
            elif name == "r_precision":
                cells.append(" / ".join(f"{top[0]:.2f}" for top in value))
            else:
                cells.append(f"{value[0]:.3g} [{value[1]:.3g}, {value[2]:.3g}]")
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    return [*rows, ""]


def write_card(folder: Path, figures: Path | None) -> None:
    """Write README.md and prompts.jpg of a model; `figures` is the summary.json of `careclips evaluate motion`, whose
    first arm is the model."""
    model, encoder = load_motion_model(folder), TextEncoder(SentenceConfig())
    check_text_encoder(model, encoder.digest)
    Image.fromarray(prompt_strips(model, encoder, load_body())).save(folder / "prompts.jpg", quality=80)
    found = json.loads(figures.read_text()) if figures is not None else None
    if figures is not None and found is not None:
        take_pictures(folder, figures.parent, found)
    (folder / "README.md").write_text(card(folder, model, found))


def take_pictures(folder: Path, evaluation: Path, found: Mapping[str, Any]) -> None:
    """Copy what an evaluation drew of its first arm; what it did not draw is of another model, and goes."""
    arms = [arm for arm in found if "/" not in arm and arm not in ("real", "shuffled_text")]
    if not arms:
        raise InputError(evaluation, "judges no model", "name one: careclips evaluate motion --arm NAME=FOLDER")
    pictures = {MEMORISED: MEMORISED} | {f"{FILE}_{arms[0]}{end}": f"{FILE}{end}" for end in (".jpg", ".json")}
    for name, kept in pictures.items():
        if (evaluation / name).exists():
            shutil.copyfile(evaluation / name, folder / kept)
        else:
            (folder / kept).unlink(missing_ok=True)
