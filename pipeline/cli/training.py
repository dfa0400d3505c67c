"""Commands that train networks: train, corpus encode."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from pipeline.cli.options import Config, Prefect, Seed, print_summary, run_verb
from pipeline.cli.training_options import (
    BatchSize,
    Checkpoint,
    Corpus,
    Device,
    LearningRate,
    MaybeCorpus,
    MotionsFile,
    NetworkFolder,
    PosesFile,
    Start,
    Steps,
    Texts,
    Threads,
    Without,
)
from pipeline.settings import read_settings

# Verbs load torch and much else: each command imports its own when it is called, so that `careclips --help` stays
# quick.

train_app = typer.Typer(no_args_is_help=True, help="Train the networks that careclips ships, and write their cards.")


def _prepare(threads: int) -> None:
    """Train on so many threads."""
    import torch

    torch.set_num_threads(threads)


@train_app.command("depth")
def train_depth(
    kind: Annotated[Literal["metric", "relative"], typer.Option(help="Metres, or disparity up to scale and offset.")],
    views: Annotated[Path, typer.Option(help="File of rendered views: read if it is there, else made there.")],
    out: NetworkFolder,
    count: Annotated[int, typer.Option(min=8, help="Views to render where there are none.")] = 4000,
    start: Start = None,
    steps: Steps = None,
    batch_size: BatchSize = None,
    learning_rate: LearningRate = None,
    checkpoint: Checkpoint = None,
    threads: Threads = 1,
    seed: Seed = 0,
    prefect: Prefect = False,
) -> None:
    """Train a small Depth Anything on views of sample rooms; `careclips measure depth` writes its card."""
    from models.training.depth.train import TRAINING
    from models.training.loop import Run, with_values
    from pipeline.train_depth import train_depth

    _prepare(threads)
    training = with_values(TRAINING, steps=steps, batch_size=batch_size, learning_rate=learning_rate)
    run = Run(seed, out, checkpoint)
    facts = run_verb("train-depth", prefect, lambda _: train_depth(kind, views, count, training, run, start))
    print_summary(facts)


@train_app.command("lifter")
def train_lifter(
    out: NetworkFolder,
    corpus: MaybeCorpus = None,
    motions: MotionsFile = None,
    without: Without = None,
    acted: Annotated[int, typer.Option(min=0, help="Takes of acted people beside the corpus.")] = 250,
    postures: Annotated[int, typer.Option(min=0, help="Takes of wandering postures beside the corpus.")] = 420,
    start: Start = None,
    steps: Steps = None,
    batch_size: BatchSize = None,
    learning_rate: LearningRate = None,
    checkpoint: Checkpoint = None,
    windows: Annotated[int, typer.Option(min=50, help="Held-out windows that the card measures.")] = 1500,
    threads: Threads = 1,
    seed: Seed = 0,
    prefect: Prefect = False,
) -> None:
    """Train the regressor from 2D keypoints to bodies: gather motion, train, write the card."""
    from models.training.keypoint_lifter.train import TRAINING
    from models.training.loop import Run, with_values
    from pipeline import train_people

    _prepare(threads)
    training = with_values(TRAINING, steps=steps, batch_size=batch_size, learning_rate=learning_rate)
    source, run = train_people.Source(corpus, motions, without or ()), Run(seed, out, checkpoint)

    def work() -> dict:
        gathered = train_people.gather_motions(source, acted, postures, seed)
        return train_people.train_lifter(gathered, training, run, start, windows)

    print_summary(run_verb("train-lifter", prefect, lambda _: work()))


@train_app.command("pose-prior")
def train_pose_prior(
    out: NetworkFolder,
    corpus: MaybeCorpus = None,
    poses: PosesFile = None,
    without: Without = None,
    steps: Steps = None,
    batch_size: BatchSize = None,
    learning_rate: LearningRate = None,
    checkpoint: Checkpoint = None,
    samples: Annotated[int, typer.Option(min=1, help="Samples of it that the card measures.")] = 2000,
    before: Annotated[Path | None, typer.Option(help="Folder of a prior whose figures the card has beside.")] = None,
    threads: Threads = 1,
    seed: Seed = 0,
    prefect: Prefect = False,
) -> None:
    """Train the prior over body poses: gather poses, train, write the card."""
    from models.training.loop import Run, with_values
    from models.training.pose_prior.train import TRAINING
    from pipeline import train_people

    _prepare(threads)
    training = with_values(TRAINING, steps=steps, batch_size=batch_size, learning_rate=learning_rate)
    source, run = train_people.Source(corpus, poses, without or ()), Run(seed, out, checkpoint)

    def work() -> dict:
        return train_people.train_pose_prior(train_people.gather_poses(source), training, run, samples, before)

    print_summary(run_verb("train-pose-prior", prefect, lambda _: work()))


@train_app.command("lying-postures")
def train_lying_postures(
    out: Annotated[Path, typer.Option(help="JSON to write.")],
    corpus: MaybeCorpus = None,
    poses: PosesFile = None,
    without: Without = None,
    count: Annotated[int, typer.Option(min=1, help="How many.")] = 4,
    seed: Seed = 0,
    prefect: Prefect = False,
) -> None:
    """Pick typical lying postures out of a corpus, from which fits start."""
    from pipeline import train_people

    source = train_people.Source(corpus, poses, without or ())
    run_verb(
        "train-lying-postures",
        prefect,
        lambda _: train_people.train_lying_postures(train_people.gather_poses(source), out, count, seed),
    )
    typer.echo(out)


@train_app.command("hmr")
def train_hmr(
    out: NetworkFolder,
    corpus: MaybeCorpus = None,
    poses: PosesFile = None,
    views: Annotated[
        Path | None, typer.Option(help="File of rendered people: read if it is there, else made there.")
    ] = None,
    without: Without = None,
    people: Annotated[int, typer.Option(min=1, help="People to render where there are none.")] = 800,
    start: Annotated[Path | None, typer.Option(help="Depth Anything checkpoint; else the relative starter.")] = None,
    steps: Steps = None,
    batch_size: BatchSize = None,
    learning_rate: LearningRate = None,
    checkpoint: Checkpoint = None,
    threads: Threads = 1,
    seed: Seed = 0,
    prefect: Prefect = False,
) -> None:
    """Train the regressor from crops to bodies: gather poses, render people, train, measure."""
    from models.networks import STARTERS
    from models.training.hmr.train import TRAINING
    from models.training.loop import Run, with_values
    from pipeline import train_people

    _prepare(threads)
    training = with_values(TRAINING, steps=steps, batch_size=batch_size, learning_rate=learning_rate)
    source, run = train_people.Source(corpus, views, without or ()), Run(seed, out, checkpoint)

    def work() -> dict:
        rendered = train_people.gather_views(source, poses, people, seed)
        return train_people.train_hmr(rendered, training, run, start or STARTERS / "depth_relative")

    print_summary(run_verb("train-hmr", prefect, lambda _: work()))


@train_app.command("convert-hmr")
def convert_hmr(
    checkpoint: Annotated[Path, typer.Option(help="The .ckpt that 4D-Humans publishes.")],
    out: Annotated[Path, typer.Option(help="Folder for config.json and model.safetensors.")],
    heads: Annotated[
        int | None, typer.Option(help="Of the backbone's attention, where its width is none of ViTPose's.")
    ] = None,
    decoder_heads: Annotated[int, typer.Option(help="Of the decoder's attention.")] = 8,
    smpl: Annotated[Path | None, typer.Option(help="Licensed SMPL file, where the checkpoint holds no body.")] = None,
    prefect: Prefect = False,
) -> None:
    """Convert the published 4D-Humans weights, once, without running anything of the file."""
    from models.body.model import load_body
    from models.training.hmr.convert_4dhumans import convert

    body = load_body(smpl) if smpl else None
    made = run_verb("convert-hmr", prefect, lambda _: convert(checkpoint, out, heads, decoder_heads, body))
    print_summary(made.model_dump())


@train_app.command("evaluator")
def train_evaluator(
    corpus: Annotated[Path, typer.Option(help="corpus.bin or pack.bin; skeleton.safetensors must lie beside it.")],
    out: NetworkFolder,
    texts: Texts = None,
    steps: Steps = None,
    batch_size: BatchSize = None,
    learning_rate: LearningRate = None,
    checkpoint: Checkpoint = None,
    device: Device = "cpu",
    threads: Threads = 1,
    seed: Seed = 0,
    prefect: Prefect = False,
) -> None:
    """Train what judges generated motion, and write its card."""
    from models.networks import device_of
    from models.training.loop import Run, with_values
    from models.training.motion.train_evaluator import TRAINING
    from pipeline.train_evaluator import train_evaluator

    _prepare(threads)
    training = with_values(TRAINING, steps=steps, batch_size=batch_size, learning_rate=learning_rate)
    run = Run(seed, out, checkpoint, device_of("--device", device))
    print_summary(run_verb("train-evaluator", prefect, lambda _: train_evaluator(corpus, texts, training, run)))


@train_app.command("motion")
def train_motion(
    corpus: Annotated[Path, typer.Option(help="corpus.bin or pack.bin; skeleton.safetensors must lie beside it.")],
    out: Annotated[Path, typer.Option(help="Folder for the model; goes on where it was stopped.")],
    texts: Texts = None,
    start: Annotated[str | None, typer.Option(help="Model to begin with: a folder, or starter.")] = None,
    finetune: Annotated[
        str | None, typer.Option(help="Store of rebuilt rooms: its people join the corpus, the starter is begun with.")
    ] = None,
    device: Device = "cpu",
    threads: Threads = 1,
    config: Config = None,
    seed: Seed = 0,
    prefect: Prefect = False,
) -> None:
    """Train a motion model: ours, or a baseline by train_motion.denoiser of the config."""
    from pipeline.train_motion import Machine, train_motion

    settings, machine = read_settings(config, seed), Machine(device, threads)
    summary = run_verb(
        "train-motion",
        prefect,
        lambda _: train_motion(corpus, texts, out, settings, machine, start, finetune),
        1,
        lambda flows: flows.train_motion(corpus, out, texts, start, finetune, machine, config, seed),
    )
    print_summary(summary)


def encode_texts(
    corpus: Corpus,
    out: Annotated[
        Path | None, typer.Option(help="File to write; texts.safetensors beside the corpus if not said.")
    ] = None,
    device: Device = "cpu",
    config: Config = None,
    prefect: Prefect = False,
) -> None:
    """Encode the captions of a corpus, for machines that have no text network."""
    from models.text.encoder import TextEncoder
    from pipeline.train_evaluator import encode_texts

    encoder = TextEncoder(read_settings(config, 0).sample_motion.text, device)
    target = out or corpus.parent / "texts.safetensors"
    print_summary(run_verb("corpus-encode", prefect, lambda _: encode_texts(corpus, target, encoder)))


def add_training_commands(app: typer.Typer, corpus_app: typer.Typer) -> None:
    """Add the commands of this file; `corpus encode` to the corpus' own group."""
    app.add_typer(train_app, name="train")
    corpus_app.command("encode")(encode_texts)
