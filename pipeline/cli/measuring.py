"""Commands that measure trained networks and write their cards: measure."""

import json
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import Config, Prefect, Seed, print_summary, run_verb
from pipeline.cli.training_options import (
    Corpus,
    MaybeCorpus,
    MotionsFile,
    PosesFile,
    Texts,
    Trained,
    Without,
)
from pipeline.settings import read_settings

# Verbs load torch and much else: each command imports its own when it is called, so that `careclips --help` stays
# quick.

measure_app = typer.Typer(
    no_args_is_help=True, help="Measure trained networks, and what captures lose in import; write cards."
)


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


def _write(figures: dict, out: Path | None) -> None:
    if out is not None:
        out.write_text(json.dumps(figures, indent=1) + "\n")
    print_summary(figures)
