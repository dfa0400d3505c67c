"""Commands from footage to a dataset: sample-footage, reconstruct, generate, demo, and looking at what they made."""

import json
from pathlib import Path
from typing import Annotated

import typer

from models.errors import InputError
from models.files import write_text
from pipeline.cli.options import (
    Config,
    Count,
    Events,
    Footage,
    NewDataset,
    NewStore,
    Order,
    PoseFile,
    Prefect,
    Seed,
    Store,
    print_summary,
    run_verb,
)
from pipeline.outcomes import check_defects
from pipeline.settings import CONFIGS, read_settings
from pipeline.store import Store as ArtefactStore
from pipeline.store import artefact_folder

# Verbs load torch and much else: each command imports its own when it is called, so that `careclips --help` stays
# quick.


def add_footage_commands(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for name, command in (
        ("sample-footage", sample_footage),
        ("check", check),
        ("reconstruct", reconstruct),
        ("generate", generate),
        ("report", report),
        ("show", show),
        ("forget", forget),
        ("demo", demo),
        ("doctor", doctor),
    ):
        app.command(name)(command)


def sample_footage(
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    config: Config = None,
    seed: Seed = 0,
    prefect: Prefect = False,
) -> None:
    """Render footage of furnished rooms with acting people, with the exact truth beside it."""
    from pipeline.sample_footage import make_sample_footage

    settings = read_settings(config, seed)
    workers = settings.run.workers
    print_summary(
        run_verb("sample-footage", prefect, lambda runner: make_sample_footage(out, settings, runner), workers)
    )


def check(
    footage: Footage,
    store: Annotated[
        str | None, typer.Option("--store", help="Store that `reconstruct` will write: what is read is kept there.")
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="CSV with path,label,start,end.")] = None,
    label_map: Annotated[Path | None, typer.Option(help="YAML from their names to ours.")] = None,
    events: Events = None,
    config: Config = None,
    seed: Seed = 0,
    pose_file: PoseFile = None,
    prefect: Prefect = False,
) -> None:
    """Read a folder of footage and say what is there, what would be skipped and why, what is missing, and how long it
    would take."""
    from pipeline.check import check
    from pipeline.evaluate import LabelTable

    settings = read_settings(config, seed, pose_file)
    table = None if labels is None else LabelTable(labels, label_map, events)
    workers = settings.run.workers
    print_summary(run_verb("check", prefect, lambda runner: check(footage, settings, runner, store, table), workers))


def reconstruct(
    footage: Footage,
    out: NewStore,
    config: Config = None,
    seed: Seed = 0,
    pose_file: PoseFile = None,
    prefect: Prefect = False,
) -> None:
    """Rebuild the rooms and lift the people of a folder of footage."""
    from pipeline.reconstruct import reconstruct

    settings = read_settings(config, seed, pose_file)
    summary = run_verb(
        "reconstruct",
        prefect,
        lambda runner: reconstruct(footage, out, settings, runner),
        settings.run.workers,
        lambda flows: flows.reconstruct(footage, out, config, seed, pose_file),
    )
    for one in summary["skipped"]:
        typer.echo(f"set aside: {' '.join(one['item'].split())}: {one['reason']}", err=True)
    print_summary(summary)


def generate(
    store: Store,
    out: NewDataset,
    order: Order = CONFIGS / "falls.yaml",
    count: Count = 10,
    config: Config = None,
    seed: Seed = 0,
    prefect: Prefect = False,
) -> None:
    """Make ordered clips in the rooms of a store: placed, audited, rendered, labelled."""
    from pipeline.generate import generate

    settings = read_settings(config, seed)
    summary = run_verb(
        "generate",
        prefect,
        lambda runner: generate(store, order, count, out, settings, runner),
        settings.run.workers,
        lambda flows: flows.generate(store, order, count, out, config, seed),
    )
    print_summary(summary)


def report(dataset: Annotated[Path, typer.Argument(help="Dataset folder.")], prefect: Prefect = False) -> None:
    """Write the dataset's report.html again."""
    from stages import dataset_report

    page = dataset / "report.html"
    run_verb("report", prefect, lambda _: write_text(page, dataset_report.run(dataset)))
    typer.echo(page)


def show(
    item: Annotated[str, typer.Argument(help="STORE, or STORE/<stage>/<key>.")],
    picture: Annotated[Path | None, typer.Option(help="PNG to write.")] = None,
    prefect: Prefect = False,
) -> None:
    """Show one artefact, or a store, in words and images."""
    from PIL import Image

    from stages import show

    def look() -> tuple:
        index = ArtefactStore(item).read_text("index.json")
        return show.run(artefact_folder(item)) if index is None else (show.run_store(item, json.loads(index)), None)

    lines, image = run_verb("show", prefect, lambda _: look())
    typer.echo("\n".join(lines))
    if picture is not None and image is not None:
        Image.fromarray(image).save(picture)
        typer.echo(picture)


def forget(
    item: Annotated[str, typer.Argument(help="A clip or room of --store by its name; or, without --store, a store.")],
    store: Annotated[str | None, typer.Option("--store", help="Store that `reconstruct` made.")] = None,
    older_than: Annotated[
        float | None, typer.Option("--older-than", min=0.0, help="Of a store: clips read more than so many days ago.")
    ] = None,
    prefect: Prefect = False,
) -> None:
    """Remove what was derived from a clip, a room or a store, datasets included, and search for what is left."""
    from pipeline.forget import forget

    if store is not None and older_than is not None:
        raise InputError("--older-than", "belongs to a whole store", "name the store alone")
    root, name = (item, None) if store is None else (store, item)
    print_summary(run_verb("forget", prefect, lambda _: forget(root, name, older_than)))


def demo(
    footage: Annotated[Path | None, typer.Option(help="Your videos; none renders sample footage.")] = None,
    out: Annotated[Path, typer.Option(help="Folder to work in.")] = Path("out/demo"),
    config: Config = CONFIGS / "demo.yaml",
    order: Order = CONFIGS / "falls.yaml",
    count: Count = 8,
    seed: Seed = 0,
    pose_file: PoseFile = None,
    prefect: Prefect = False,
) -> None:
    """Run the main job from end to end, on sample footage or on your own."""
    from pipeline.demo import demo

    settings = read_settings(config, seed, pose_file)
    workers = settings.run.workers
    summary = run_verb("demo", prefect, lambda runner: demo(footage, out, settings, runner, order, count), workers)
    hidden = ("report", "timings_s", "rejected", "sources", "defects")
    rows = [(key, value) for key, value in summary.items() if key not in hidden]
    rows += [(f"  {name} (s)", f"{seconds:.1f}") for name, seconds in summary["timings_s"].items()]
    for name, value in rows:
        typer.echo(f"{name:28} {value if not isinstance(value, float) else f'{value:.1f}'}")
    typer.echo(f"\nLook at {summary['report']}")
    check_defects(summary)


def doctor(
    out: Annotated[Path, typer.Option(help="Folder for summary.json.")] = Path("out/doctor"),
    config: Config = None,
    seed: Seed = 0,
    pose_file: PoseFile = None,
    prefect: Prefect = False,
) -> None:
    """Check system libraries and every configured model with a known frame."""
    from pipeline.doctor import doctor

    settings = read_settings(config, seed, pose_file)
    checks = run_verb("doctor", prefect, lambda _: doctor(out, settings))
    for check in checks:
        typer.echo(f"{'ok  ' if check['fine'] else 'FAIL'} {check['check']}: {check['detail']}")
    if not all(check["fine"] for check in checks):
        raise typer.Exit(1)
