"""Commands about motion: corpus, sample, animate, falls, export, smooth."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from pipeline.cli.options import Config, Count, Item, Mocap, Prefect, Seed, print_summary, run_verb
from pipeline.settings import read_settings

# Verbs load torch and much else: each command imports its own when it is called, so that `careclips --help` stays
# quick.

corpus_app = typer.Typer(no_args_is_help=True, help="The motion corpus that the motion model learns from.")
falls_app = typer.Typer(no_args_is_help=True, help="Falls by physics: simulate them, or compare them with real ones.")


@corpus_app.command("build")
def build_corpus(
    out: Annotated[Path, typer.Option(help="Folder for corpus.bin, pack.bin, index.csv, summary.json, report.html.")],
    mocap: Mocap = None,
    config: Config = None,
    seed: Seed = 0,
    prefect: Prefect = False,
) -> None:
    """Gather captured motion, simulated falls, look-alikes and two-person motion into one file.

    Goes on where it stopped.
    """
    from pipeline.build_corpus import build_corpus

    settings = read_settings(config, seed, mocap=mocap)
    summary = run_verb(
        "build-corpus",
        prefect,
        lambda runner: build_corpus(out, settings, runner),
        settings.run.workers,
        lambda flows: flows.build_corpus(out, mocap, config, seed),
    )
    print_summary(summary)


def sample(
    text: Annotated[str, typer.Option(help="What happens, in a sentence.")],
    out: Annotated[Path, typer.Option(help="Folder for a npz and a film strip a motion.")],
    people: Annotated[int, typer.Option(help="1 to 4.")] = 1,
    frames: Annotated[int, typer.Option(help="20 a second.")] = 120,
    count: Count = 1,
    role: Annotated[
        list[str] | None, typer.Option(help="Of each person, in order; else by the words of the text.")
    ] = None,
    config: Config = None,
    seed: Seed = 0,
    prefect: Prefect = False,
) -> None:
    """Sample motion from a sentence."""
    from pipeline.sample import sample

    settings, roles = read_settings(config, seed), role or []
    summary = run_verb("sample", prefect, lambda _: sample(text, people, frames, count, out, settings, roles))
    print_summary(summary)


def animate(
    store: Annotated[str, typer.Argument(help="Store that `reconstruct` made: a folder or a URL.")],
    clip: Annotated[str, typer.Option(help="Clip of the store, as `careclips show STORE` names it.")],
    time: Annotated[float, typer.Option(help="Of the frame in the clip, seconds.")],
    out: Annotated[Path, typer.Option(help="Folder for a npz and a film strip a motion.")],
    before: Annotated[float, typer.Option(min=0.0, help="Seconds of motion before the frame.")] = 2.0,
    after: Annotated[float, typer.Option(min=0.0, help="Seconds of motion after it.")] = 3.0,
    text: Annotated[str, typer.Option(help="What happens, in a sentence; may be left out.")] = "",
    person: Annotated[
        list[str] | None, typer.Option(help="Who of the people in the frame; all of them if not said.")
    ] = None,
    add: Annotated[
        list[str] | None, typer.Option(help="Role of somebody who is not in the frame and joins those who are.")
    ] = None,
    poses: Annotated[
        Path | None, typer.Option(help="Model of interactive poses that adds them: trained with max_frames 1.")
    ] = None,
    count: Count = 1,
    config: Config = None,
    seed: Seed = 0,
    prefect: Prefect = False,
) -> None:
    """Make motion before and after one reconstructed frame of one person or several."""
    from pipeline.add_people import Added
    from pipeline.animate import StoreFrame, animate

    settings, frame = read_settings(config, seed), StoreFrame(store, clip, time, tuple(person or ()))
    added = Added(tuple(add or ()), poses)
    summary = run_verb("animate", prefect, lambda _: animate(frame, (before, after), text, count, out, settings, added))
    print_summary(summary)


@falls_app.command("simulate")
def simulate_falls(
    out: Annotated[Path, typer.Option(help="Folder for a npz a fall and summary.json.")],
    count: Count = 20,
    cause: Annotated[str | None, typer.Option(help="slip, trip, push, ...; any if not said.")] = None,
    direction: Annotated[
        str | None, typer.Option(help="forward, backward, left, right or down; any if not said.")
    ] = None,
    store: Annotated[str | None, typer.Option(help="Store whose rooms are fallen in.")] = None,
    room: Annotated[str | None, typer.Option(help="A room of the store.")] = None,
    config: Config = None,
    seed: Seed = 0,
    prefect: Prefect = False,
) -> None:
    """Let physics make people fall: on bare floor, against furniture, or in a reconstructed room."""
    from pipeline.simulate_falls import simulate_falls

    settings = read_settings(config, seed)
    summary = run_verb(
        "simulate-falls",
        prefect,
        lambda runner: simulate_falls(out, count, settings, runner, cause, direction, store, room),
        settings.run.workers,
    )
    print_summary({key: value for key, value in summary.items() if key != "falls"})


@falls_app.command("report")
def compare_falls(
    store: Annotated[list[str], typer.Option(help="Store of real footage; may be said several times.")],
    events: Annotated[Path, typer.Option(help="CSV of its falls: path,fall_onset_s,at_rest_s,direction,...")],
    out: Annotated[Path, typer.Option(help="Folder for falls.json.")],
    mocap: Annotated[Path | None, typer.Option(help="Folder of captured motion, for the walks.")] = None,
    count: Count = 200,
    config: Config = None,
    seed: Seed = 0,
    prefect: Prefect = False,
) -> None:
    """Compare made falls with the real ones of stores: can a classifier tell them apart, and by what?"""
    from pipeline.compare_falls import compare_falls

    settings = read_settings(config, seed)
    summary = run_verb(
        "report-falls",
        prefect,
        lambda runner: compare_falls(store, events, out, count, settings, runner, mocap),
        settings.run.workers,
    )
    print_summary(summary)


def export(
    item: Item,
    out: Annotated[Path, typer.Option(help="File to write.")],
    kind: Annotated[Literal["npz", "bvh", "glb"], typer.Option("--format", help="AMASS-style, BVH, or glTF.")] = "glb",
    person: Annotated[str | None, typer.Option(help="One person alone; BVH holds only one.")] = None,
    mesh: Annotated[bool, typer.Option(help="With the skinned body (glb).")] = True,
    config: Config = None,
    prefect: Prefect = False,
) -> None:
    """Write a lifted or made motion for other programs."""
    from pipeline.export import export

    settings = read_settings(config, 0)
    run_verb("export", prefect, lambda _: export(item, out, kind, person, mesh, settings))
    typer.echo(out)


def smooth(
    item: Item,
    out: Annotated[Path, typer.Option(help="Folder for motion.npz, the figures and a plot.")],
    config: Config = None,
    prefect: Prefect = False,
) -> None:
    """Find the motion of least change of velocity, and jitter against lag for a ladder of weights."""
    from pipeline.smooth import smooth

    settings = read_settings(config, 0)
    print_summary(run_verb("smooth", prefect, lambda _: smooth(item, out, settings)))


def add_motion_commands(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for name, group in (("corpus", corpus_app), ("falls", falls_app)):
        app.add_typer(group, name=name)
    for name, command in (("sample", sample), ("animate", animate), ("export", export), ("smooth", smooth)):
        app.command(name)(command)
