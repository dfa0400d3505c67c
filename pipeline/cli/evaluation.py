"""Commands that measure: `careclips evaluate` (the gain), `evaluate people`, `evaluate rooms`,
`evaluate motion`."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pipeline.cli.options import Config, Events, Figures, Prefect, Seed, print_summary, run_verb
from pipeline.settings import read_settings

# Verbs load torch and much else: each command imports its own when it is called, so that `careclips --help` stays
# quick.


class _GainByDefault(TyperGroup):
    """`careclips evaluate --real ...` measures the gain; `careclips evaluate people ...` something else."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] != "--help":
            args = ["gain", *args]
        return super().parse_args(ctx, args)


evaluate_app = typer.Typer(
    cls=_GainByDefault, no_args_is_help=True, help="Measure: the gain (the default), people, or motion."
)


@evaluate_app.command("gain")
def gain(
    real: Annotated[str, typer.Option(help="Store of real footage to train on.")],
    synthetic: Annotated[Path, typer.Option(help="Dataset that `generate` made.")],
    out: Figures,
    test: Annotated[
        str | None, typer.Option(help="Store to test on; else rooms of --real are held out in turn.")
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="CSV with path,label,start,end.")] = None,
    label_map: Annotated[Path | None, typer.Option(help="YAML from their names to ours.")] = None,
    events: Events = None,
    config: Config = None,
    seed: Seed = 0,
    prefect: Prefect = False,
) -> None:
    """Measure whether the synthetic clips help a fall classifier on real footage."""
    from pipeline.evaluate import LabelTable, evaluate

    settings = read_settings(config, seed)
    table = None if labels is None else LabelTable(labels, label_map, events)
    summary = run_verb(
        "evaluate",
        prefect,
        lambda _: evaluate(real, synthetic, out, settings, test, table),
        1,
        lambda flows: flows.evaluate(real, synthetic, out, test, table, config, seed),
    )
    print_summary(summary)


@evaluate_app.command("people")
def people(
    footage: Annotated[Path, typer.Option(help="Sample footage with its truth.")],
    out: Figures,
    store: Annotated[str | None, typer.Option(help="Store of real footage that `reconstruct` made.")] = None,
    events: Events = None,
    config: Config = None,
    seed: Seed = 0,
    prefect: Prefect = False,
) -> None:
    """Measure lifting: against the truth of sample footage by variant, and on real footage without truth."""
    from pipeline.evaluate_people import evaluate_people

    settings = read_settings(config, seed)
    summary = run_verb(
        "evaluate-people",
        prefect,
        lambda runner: evaluate_people(footage, out, settings, runner, store, events),
        settings.run.workers,
    )
    print_summary(summary)


@evaluate_app.command("rooms")
def rooms(
    store: Annotated[str, typer.Option(help="Store that `reconstruct` made.")],
    truth: Annotated[Path, typer.Option(help="JSON file of rooms drawn by hand (docs/formats.md).")],
    out: Figures,
    prefect: Prefect = False,
) -> None:
    """Measure rebuilt rooms: their floors against floors drawn by hand."""
    from pipeline.evaluate_rooms import evaluate_rooms

    print_summary(run_verb("evaluate-rooms", prefect, lambda _: evaluate_rooms(store, truth, out)))


@evaluate_app.command("motion")
def motion(
    corpus: Annotated[Path, typer.Option(help="Corpus whose held-out items are the real motion.")],
    out: Annotated[Path, typer.Option(help="Folder for summary.json, table.csv, motion.png.")],
    arm: Annotated[
        list[str] | None, typer.Option(help="NAME=FOLDER of a motion model that is judged, or =starter.")
    ] = None,
    texts: Annotated[Path | None, typer.Option(help="Encoded captions; else they are encoded here.")] = None,
    evaluator: Annotated[Path | None, typer.Option(help="Folder of a motion evaluator; else the starter.")] = None,
    config: Config = None,
    seed: Seed = 0,
    prefect: Prefect = False,
) -> None:
    """Measure generated motion: against real motion, against its captions, and against what bodies can do."""
    from pipeline.evaluate_motion import evaluate_motion

    settings, arms = read_settings(config, seed), arm or []
    summary = run_verb(
        "evaluate-motion", prefect, lambda _: evaluate_motion(corpus, out, arms, settings, texts, evaluator)
    )
    print_summary(summary)
