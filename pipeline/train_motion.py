"""`careclips train motion`: a corpus into a motion model."""

import importlib.util
import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from models.body.rest_skeleton import read_skeleton
from models.corpus.reader import read_corpus, read_index
from models.corpus.writer import join_corpora
from models.errors import InputError
from models.files import file_digest, write_text
from models.motion.dataset import MotionData
from models.motion.model import load_motion_model, motion_model_digest
from models.networks import device_of
from models.rendering.stick_figures import stick_figures
from models.text.encoder import TextCache, TextEncoder, write_texts
from models.training.loop import Run
from models.training.motion import train as training
from pipeline.derived import note_derived
from pipeline.output_folder import holds
from pipeline.settings import Settings
from pipeline.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Machine:
    """What a training runs on."""

    device: str = "cpu"
    """cpu, cuda, cuda:1, ..."""
    threads: int = 1
    """On the CPU: same number, same bytes."""


ONE_CORE = Machine()


@holds("out")
def train_motion(
    corpus: Path,
    texts: Path | None,
    out: Path,
    settings: Settings,
    machine: Machine = ONE_CORE,
    start: str | None = None,
    finetune: str | None = None,
) -> dict:
    """Train a motion model from a corpus file and what lies beside it: the skeleton, and the captions' encodings.

    Encodings are made where there are none. `finetune` is a store whose people join the corpus, beginning with the
    weights of `start`. Goes on where it was stopped; pictures of samples and losses come as it runs. Started on several
    devices, the first process prepares and writes.
    """

    def encoder() -> TextEncoder:
        return TextEncoder(settings.sample_motion.text)

    config = settings.train_motion
    torch.set_num_threads(machine.threads)
    out.mkdir(parents=True, exist_ok=True)
    skeleton, begin = read_skeleton(corpus.parent / "skeleton.safetensors"), None
    texts = texts or corpus.parent / "texts.safetensors"
    facts: dict[str, Any] = {"corpus": file_digest(corpus), "device": machine.device}
    first = int(os.environ.get("RANK", "0")) == 0
    if finetune is not None:
        if first:
            from pipeline.build_corpus import build_finetuning_corpus  # machines that only train lack what it imports

            note_derived(Store(finetune), out)
            build_finetuning_corpus(Store(finetune), out / "own.bin", settings)
            join_corpora([corpus, out / "own.bin"], out / "corpus.bin", read_index(corpus).dropped)
        training.wait_for_everyone(machine.device)
        corpus, texts = out / "corpus.bin", out / "texts.safetensors"
        facts |= {"own_motion": file_digest(out / "own.bin"), "note": "made with own footage: it stays where that is"}
        start = start or "starter"
    if start is not None:
        begin = load_motion_model(start)
        theirs = begin.config.denoiser.model_copy(update={"text": config.denoiser.text})
        if "denoiser" in config.model_fields_set and theirs != config.denoiser:
            raise InputError(
                "train_motion.denoiser", f"is {config.denoiser}, that of {start} is {theirs}", "leave it out"
            )
        config = config.model_copy(update={"denoiser": begin.config.denoiser})
        if begin.config.plan is None:
            config = config.model_copy(update={"plan": None})
        facts["start"] = motion_model_digest(start)
    read = read_corpus(corpus)
    learned = {row.kind for row in read.index.rows if row.split == "train" and len(row.people) in config.people}
    if finetune is not None and ("own" not in learned or not config.sampling_weights.get("own")):
        why = "has no weight" if "own" in learned else "has no clip among those that are learned, not held out"
        raise InputError(
            "own footage", why, "give `own` a weight in train_motion.sampling_weights, or rebuild more clips"
        )
    data = MotionData(read, skeleton, config.max_frames)
    if first and not texts.exists():
        captions = [caption for row in read.index.rows for caption in row.texts]
        log.info("encoding %d captions, once", len(captions))
        write_texts(texts, encoder(), captions)
    training.wait_for_everyone(machine.device)
    # Machines that only train have no text network; where one is named, it has to be the file's.
    cache = TextCache(texts, encoder() if "text" in (settings.values.get("sample_motion") or {}) else None)
    config = config.told_by(cache.dim)

    def look(done: int, model: Any) -> None:
        from models.training.motion.preview import samples_of_held_out  # machines that only train may lack diffusers

        picture = stick_figures(*samples_of_held_out(model, data, cache.encode))
        (out / f"samples_{done:06d}.png").write_bytes(picture)

    missing = [name for name in ("matplotlib", "diffusers") if importlib.util.find_spec(name) is None]
    if missing:
        log.warning("%s not installed: no pictures are drawn", " and ".join(missing))
    facts["items"] = len(read.index.rows)
    run = Run(settings.seed, out, device=device_of("--device", machine.device))
    look_on = None if missing else look
    curve = training.train(config, data, cache.encode, cache.digest, run, facts, look_on, begin)
    if not first:
        return facts
    if not missing:
        (out / "curve.png").write_bytes(training.plot_curve(curve))
    summary = {
        "out": str(out),
        "steps": config.max_steps or config.steps,
        "validation": curve.validation[-1],
        "seed": settings.seed,
    } | facts
    write_text(out / "summary.json", json.dumps(summary, indent=1))
    return summary
