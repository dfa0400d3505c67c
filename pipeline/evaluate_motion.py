"""`careclips evaluate motion`: how near generated motion is to real motion, and to its captions."""

import functools
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from models.body.model import BodyModel
from models.body.rest_skeleton import skeleton_of
from models.body.tracks import standing_pelvis_height
from models.compare_falls.fall_audit import Audit
from models.corpus.reader import read_corpus
from models.errors import InputError
from models.files import check_replaceable, replaced, write_text
from models.motion.dataset import MotionData
from models.motion.evaluation import inbetweening
from models.motion.evaluation.evaluator import STARTER, load_motion_evaluator
from models.motion.evaluation.interaction_strips import FILE, SampledInteraction, interaction_of, interaction_strips
from models.motion.evaluation.memorisation import embedded
from models.motion.evaluation.physical_metrics import BodySurfaces
from models.motion.evaluation.report import write_motion_report
from models.motion.evaluation.scenes import Scene, sample_scenes, scenes_of
from models.motion.model import load_motion_model
from models.motion.sampler import MotionSampler
from models.seeds import generator
from models.text.encoder import TextCache, TextEncoder
from pipeline.loaders import body_model
from pipeline.output_folder import holds
from pipeline.settings import Settings
from stages import evaluate_motion as stage
from stages import label


@holds("out")
def evaluate_motion(
    corpus: Path, out: Path, arms: list[str], settings: Settings, texts: Path | None, evaluator: Path | None
) -> dict[str, Any]:
    """Evaluate motion generated for held-out captions beside real motion; metrics, table, plots and film strips go to
    `out`."""
    config, labelling = settings.evaluate_motion, settings.label
    sampled = settings.sample_motion
    named = dict(arm.split("=", 1) for arm in arms if "=" in arm)
    if len(named) < len(arms):
        raise InputError("--arm", f"got {' '.join(arms)}", "say NAME=FOLDER of a motion model, each name once")
    check_replaceable(out, "summary.json")
    scorer = load_motion_evaluator(evaluator or STARTER)
    captions = TextCache(texts) if texts else TextEncoder(sampled.text)
    if captions.digest != scorer.config.text_encoder_digest:
        wanted = scorer.config.text_encoder_digest[:12]
        raise InputError(
            texts or "text encoder", f"is {captions.digest[:12]}, the evaluator's is {wanted}", "train again"
        )
    for name, asked, most in (
        ("people", max(config.people), scorer.config.max_people),
        ("frames", config.frames or 0, scorer.config.max_frames),
    ):
        if asked > most:
            raise InputError(f"evaluate_motion.{name}", f"names {asked}", f"the evaluator knows up to {most}")
    body = body_model(settings.run.body)

    held = read_corpus(corpus, lambda row: row.split in config.splits and len(row.people) in config.people)
    rises = None
    if config.assisted_rises:
        if not any(stage.is_assisted_rise(row) for row in held.index.rows):
            raise InputError("evaluate_motion.assisted_rises", f"{corpus} holds out no rise with help", "ask for 0")
        rises = read_corpus(corpus, lambda row: row.split in config.splits and stage.is_assisted_rise(row))
    if config.inbetween and not any(
        len(row.people) == 2 and min(row.frames, config.frames or row.frames) >= inbetweening.MIN_FRAMES
        for row in held.index.rows
    ):
        found = f"{corpus} holds out no scene of two people of {inbetweening.MIN_FRAMES} frames"
        raise InputError("evaluate_motion.inbetween", found, "ask for 0, or for longer scenes")
    data = MotionData(held, skeleton_of(body), config.frames or scorer.config.max_frames)
    real = scenes_of(data, held, data.held_out(data.where(lambda _: True), config.stride))
    taught = read_corpus(corpus, lambda row: row.split == "train" and len(row.people) in config.people)
    windows = MotionData(taught, skeleton_of(body), data.max_frames)
    stage.check(config, real, named)
    samplers = {
        name: MotionSampler(
            load_motion_model(folder, sampled.device),
            captions,
            body,
            sampled.sampling,
            sampled.cleanup,
            config.batch_size,
        )
        for name, folder in named.items()
    }
    made = {
        name: sample_scenes(sampler, real, settings.seed, config.samples_per_caption)
        for name, sampler in samplers.items()
    }
    acted = {name: stage.sampled_interactions(scenes) for name, scenes in made.items()}
    strips = [_strips_of(FILE, name, body, scenes, settings.seed) for name, scenes in acted.items() if scenes]

    def standing_m(betas: np.ndarray) -> float:
        return standing_pelvis_height(body, betas)

    audit = Audit(
        functools.partial(label.find_fall, labelling.model_copy(update={"fall_drop": config.fall_drop})),
        standing_m,
        labelling.direction_tolerance_deg,
    )
    judge = stage.Judge(scorer, captions, BodySurfaces(body), audit)
    learned = embedded(scorer, windows, windows.held_out(windows.where(lambda _: True), data.max_frames // 2))
    summary = stage.run(config, judge, real, made, settings.seed, learned)
    if rises is not None:
        performed = stage.perform_rises(config.assisted_rises, body, rises, samplers, settings.seed)
        for name, found in performed.items():
            summary[name]["assisted_rises"] = found
    if config.inbetween:
        for name, sampler in samplers.items():
            summary[name]["inbetween"], between = _between(config, sampler, real, settings.seed)
            if between:
                strips.append(_strips_of(inbetweening.FILE, name, body, between, settings.seed))
    with replaced(out) as folder:
        write_motion_report(folder, summary)
        for name, image, rows in strips:
            (folder / f"{name}.jpg").write_bytes(image)
            write_text(folder / f"{name}.json", json.dumps(rows, indent=1) + "\n")
    return summary


def _between(
    config: stage.EvaluateMotionConfig, sampler: MotionSampler, real: list[Scene], seed: int
) -> tuple[dict[str, Any] | None, list[SampledInteraction]]:
    """Figures of an arm's in-betweening, and scenes for film strips; None of a model that does not know pairs."""
    if 2 not in sampler.model.config.people:
        return None, []
    pairs = inbetweening.draw_pairs(real, config.inbetween, generator(seed, "evaluate_motion", "inbetween"))
    found = inbetweening.sample_between(sampler, pairs, seed)
    figures = inbetweening.summarise(found, generator(seed, "evaluate_motion", "inbetween interval"), config.repeats)
    return figures, [interaction_of(scene) for scene in found[: inbetweening.STRIPS]]


def _strips_of(
    file: str, arm: str, body: BodyModel, scenes: list[SampledInteraction], seed: int
) -> tuple[str, bytes, list[dict[str, str]]]:
    """Film strips of an arm's scenes as a JPEG, and what each row is, with room for what somebody saw in it; before
    them the name of their files."""
    image, shown = interaction_strips(body, scenes, generator(seed, "interaction_strips", arm))
    buffer = BytesIO()
    Image.fromarray(image).save(buffer, "jpeg", quality=75)
    return f"{file}_{arm}", buffer.getvalue(), [{"kind": one.kind, "caption": one.text, "seen": ""} for one in shown]
