"""Parameters that several commands and flows share, each typed once, and how a command runs its verb."""

import importlib
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import Field

from models.files import without_passwords
from pipeline.outcomes import check_defects
from pipeline.runner import Runner, plain_runner
from pipeline.worker_pool import WorkerPool

Config = Annotated[
    Path | None, typer.Option("--config", help="YAML with values for the stages; see `careclips config`.")
]
Seed = Annotated[int, typer.Option("--seed", help="Same seed, same bytes.")]
Prefect = Annotated[bool, typer.Option("--prefect", help="Run as a Prefect flow.")]
PoseFile = Annotated[Path | None, typer.Option("--pose-file", help="MoveNet TFLite file; sets people2d.backend.")]
Footage = Annotated[Path, typer.Argument(help="Folder of videos.")]
NewStore = Annotated[
    str, typer.Option("--out", help="Store of artefacts: a folder, or a URL such as s3://bucket/store.")
]
Store = Annotated[str, typer.Option("--store", help="Store that `reconstruct` made: a folder or a URL.")]
NewDataset = Annotated[Path, typer.Option("--out", help="Dataset folder to make.")]
Order = Annotated[Path, typer.Option("--order", help="Order form.")]
Count = Annotated[int, Field(ge=1), typer.Option("--count", min=1, help="How many to make.")]
Figures = Annotated[Path, typer.Option("--out", help="Folder for the figures.")]
Events = Annotated[Path | None, typer.Option("--events", help="CSV of real falls: path,fall_onset_s,at_rest_s,...")]
Mocap = Annotated[
    Path | None, typer.Option("--mocap", help="Folder of captured motion; else corpus.mocap of the config.")
]
Item = Annotated[str, typer.Argument(help="STORE/people3d/<key>, STORE/clip/<key> or DATASET/clips/<id>.npz.")]

Result = TypeVar("Result")


def run_verb(
    verb: str,
    prefect: bool,
    plainly: Callable[[Runner], Result],
    workers: int = 1,
    as_flow: Callable[[Any], Result] | None = None,
) -> Result:
    """Run a verb plainly, or as a Prefect flow: `as_flow` calls one of `flows.py` where the verb has one of its own."""
    if not prefect:
        # Closed here: left to the interpreter's exit, its threads race, and what workers logged last is lost.
        with closing(WorkerPool(workers)) as pool:
            return plainly(plain_runner(workers, pool))
    flows = importlib.import_module("flows")  # by name: importing Prefect takes seconds, and no import points up
    flows.check_api()
    return as_flow(flows) if as_flow else flows.run_as_flow(verb, plainly)


def print_summary(summary: dict) -> None:
    """Print what `summary.json` holds; DefectsMet where it tells of any."""
    typer.echo(without_passwords(json.dumps(summary, indent=1)))
    check_defects(summary)
