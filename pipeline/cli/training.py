"""Commands that train and measure networks: train, measure, corpus encode."""

import json
import logging
from pathlib import Path
from typing import Annotated, Literal

import typer

from pipeline.cli.options import Config, Prefect, Seed, print_summary, run_verb
from pipeline.settings import read_settings

# Verbs load torch and much else: each command imports its own when it is called, so that `careclips --help` stays
# quick.

train_app = typer.Typer(no_args_is_help=True, help="Train the networks that careclips ships, and write their cards.")
measure_app = typer.Typer(
    no_args_is_help=True, help="Measure trained networks, and what captures lose in import; write cards."
)

NetworkFolder = Annotated[Path, typer.Option("--out", help="Folder for the network and its card.")]
Trained = Annotated[Path, typer.Option("--folder", help="Folder of a trained network.")]
Corpus = Annotated[Path, typer.Option("--corpus", help="File made by `careclips corpus build`.")]
MaybeCorpus = Annotated[Path | None, typer.Option("--corpus", help="File made by `careclips corpus build`.")]
Without = Annotated[
    list[str] | None, typer.Option("--without", help="Source of the corpus whose items are left out; may be repeated.")
]
MotionsFile = Annotated[
    Path | None, typer.Option("--motions", help="File of gathered motion: read if it is there, else made there.")
]
PosesFile = Annotated[
    Path | None, typer.Option("--poses", help="File of gathered poses: read if it is there, else made there.")
]
Texts = Annotated[Path | None, typer.Option("--texts", help="Encoded captions; made beside the corpus if not said.")]
Steps = Annotated[int | None, typer.Option("--steps", min=1, help="Steps; else the network's own number.")]
BatchSize = Annotated[int | None, typer.Option("--batch-size", min=1, help="Examples a step.")]
LearningRate = Annotated[float | None, typer.Option("--learning-rate", help="The highest, after the warm-up.")]
Checkpoint = Annotated[
    Path | None, typer.Option("--checkpoint", help="Folder of the state that an interrupted training goes on from.")
]
Start = Annotated[Path | None, typer.Option("--start", help="Folder of a network whose weights it begins with.")]
Threads = Annotated[int, typer.Option("--threads", min=1, help="On the CPU: same number, same bytes.")]
Device = Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1, ...")]


def _prepare(threads: int) -> None:
    """Let the training tell how it goes, on so many threads."""
    import torch

    torch.set_num_threads(threads)
    logging.getLogger("models").setLevel(logging.INFO)


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
    logging.getLogger("models").setLevel(logging.INFO)
    summary = run_verb(
        "train-motion",
        prefect,
        lambda _: train_motion(corpus, texts, out, settings, machine, start, finetune),
        1,
        lambda flows: flows.train_motion(corpus, out, texts, start, finetune, machine, config, seed),
    )
    print_summary(summary)


@measure_app.command("depth")
def measure_depth(
    views: Annotated[Path, typer.Option(help="Views that `train depth` rendered: rooms held out are measured.")],
    rgbd: Annotated[Path | None, typer.Option(help="Folder of real RGB-D frames.")] = None,
    metric: Annotated[str, typer.Option(help="Folder of a metric network, or starter.")] = "starter",
    relative: Annotated[str, typer.Option(help="Folder of a relative network, or starter.")] = "starter",
    prefect: Prefect = False,
) -> None:
    """Measure both depth networks, and write their cards."""
    from models.training.depth.evaluate import report

    print_summary(run_verb("measure-depth", prefect, lambda _: report(views, rgbd, metric, relative)))


@measure_app.command("lifter")
def measure_lifter(
    folder: Trained,
    corpus: MaybeCorpus = None,
    motions: MotionsFile = None,
    without: Without = None,
    acted: Annotated[int, typer.Option(min=0, help="Takes of acted people beside the corpus.")] = 250,
    postures: Annotated[int, typer.Option(min=0, help="Takes of wandering postures beside the corpus.")] = 420,
    windows: Annotated[int, typer.Option(min=50, help="Held-out windows.")] = 1500,
    seed: Seed = 0,
    prefect: Prefect = False,
) -> None:
    """Measure a keypoint regressor on held-out takes, and write its card."""
    from models.training.keypoint_lifter.evaluate import write_card
    from pipeline import train_people

    source = train_people.Source(corpus, motions, without or ())

    def work() -> dict:
        return write_card(folder, train_people.gather_motions(source, acted, postures, seed), windows, seed)

    print_summary(run_verb("measure-lifter", prefect, lambda _: work()))


@measure_app.command("pose-prior")
def measure_pose_prior(
    folder: Trained,
    corpus: MaybeCorpus = None,
    poses: PosesFile = None,
    without: Without = None,
    samples: Annotated[int, typer.Option(min=1, help="Samples of it.")] = 2000,
    before: Annotated[Path | None, typer.Option(help="Folder of a prior whose figures the card has beside.")] = None,
    seed: Seed = 0,
    prefect: Prefect = False,
) -> None:
    """Measure a pose prior on held-out poses, and write its card."""
    from models.training.pose_prior.evaluate import write_card
    from pipeline import train_people

    source = train_people.Source(corpus, poses, without or ())

    def work() -> dict:
        return write_card(folder, train_people.gather_poses(source), samples, seed, before)

    print_summary(run_verb("measure-pose-prior", prefect, lambda _: work()))


@measure_app.command("hmr")
def measure_hmr(
    folder: Trained,
    views: Annotated[Path, typer.Option(help="File of people that `train hmr` rendered.")],
    prefect: Prefect = False,
) -> None:
    """Measure a regressor from crops to bodies on people, rooms and takes that it has not seen."""
    from models.training.hmr.dataset import read_views
    from pipeline import train_people

    print_summary(run_verb("measure-hmr", prefect, lambda _: train_people.measure_hmr(folder, read_views(views))))


@measure_app.command("evaluator")
def measure_evaluator(folder: Trained, corpus: Corpus, texts: Texts = None, prefect: Prefect = False) -> None:
    """Measure what judges generated motion on the corpus' split `test`, and write its card."""
    from pipeline.train_evaluator import measure_evaluator

    print_summary(run_verb("measure-evaluator", prefect, lambda _: measure_evaluator(folder, corpus, texts)))


@measure_app.command("motion")
def measure_motion(
    folder: Trained,
    figures: Annotated[
        Path | None, typer.Option(help="summary.json of `careclips evaluate motion`, for the card's table.")
    ] = None,
    prefect: Prefect = False,
) -> None:
    """Write the card of a motion model: how it learned, its figures, film strips of the thesis's prompts."""
    from models.training.motion.model_card import write_card

    run_verb("measure-motion", prefect, lambda _: write_card(folder, figures))
    typer.echo(folder / "README.md")


@measure_app.command("role-swaps")
def measure_role_swaps(
    corpus: Corpus,
    model: Annotated[str, typer.Option(help="Folder of a motion model, or starter.")] = "starter",
    out: Annotated[Path | None, typer.Option(help="JSON to write.")] = None,
    prefect: Prefect = False,
) -> None:
    """Measure whether it matters to a motion model who of two people is named first."""
    from models.motion.model import load_motion_model
    from models.training.motion.role_swaps import measure_corpus

    figures = run_verb("measure-role-swaps", prefect, lambda _: measure_corpus(corpus, load_motion_model(model)))
    _write(figures, out)


@measure_app.command("text-encoder")
def measure_text_encoder(corpus: MaybeCorpus = None, config: Config = None, prefect: Prefect = False) -> None:
    """Measure what an encoding of captions keeps: negations, sides, directions, who does what to whom."""
    from models.corpus.reader import read_index
    from models.text.encoder import TextEncoder
    from models.training.probe_text_encoder import measure

    encoder = TextEncoder(read_settings(config, 0).sample_motion.text)
    texts = None if corpus is None else [text for row in read_index(corpus).rows for text in row.texts]
    print_summary(run_verb("measure-text-encoder", prefect, lambda _: measure(encoder, texts)))


@measure_app.command("import")
def measure_import(
    mocap: Annotated[Path, typer.Option(help="Folder of captures with an index.csv.")],
    out: Annotated[Path, typer.Option(help="JSON to write, with the figures of every file.")],
    fps: Annotated[float, typer.Option(min=1.0, help="Frames a second.")] = 20.0,
    only: Annotated[str, typer.Option(help="Only takes whose first file holds this text.")] = "",
    prefect: Prefect = False,
) -> None:
    """Measure what bringing captures to our body does to feet, hands and limbs."""
    from models.mocap.evaluate_retargeting import measure

    figures = run_verb("measure-import", prefect, lambda _: measure(mocap, fps, only))
    out.write_text(json.dumps(figures, indent=1))
    print_summary({key: value for key, value in figures.items() if key != "rows"})


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


def _write(figures: dict, out: Path | None) -> None:
    if out is not None:
        out.write_text(json.dumps(figures, indent=1) + "\n")
    print_summary(figures)


def add_training_commands(app: typer.Typer, corpus_app: typer.Typer) -> None:
    """Add the commands of this file; `corpus encode` to the corpus' own group."""
    app.add_typer(train_app, name="train")
    app.add_typer(measure_app, name="measure")
    corpus_app.command("encode")(encode_texts)
