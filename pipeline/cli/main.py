"""The console script: every command, and what a user's mistake looks like."""

import pipeline.environment  # noqa: F401, I001  (before numpy)

import errno
import importlib
import logging
import sys
from typing import Annotated

import typer

from models.errors import InputError, Rejected
from pipeline.cli.evaluation import evaluate_app
from pipeline.cli.footage import add_footage_commands
from pipeline.cli.measuring import measure_app
from pipeline.cli.motion import add_motion_commands, corpus_app
from pipeline.cli.options import Config, Seed, print_summary
from pipeline.cli.training import add_training_commands

app = typer.Typer(
    name="careclips",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Labelled clips of rare events, rendered in your own rooms, and a measured answer whether they help.",
)
add_footage_commands(app)
add_motion_commands(app)
add_training_commands(app, corpus_app)
app.add_typer(measure_app, name="measure")
app.add_typer(evaluate_app, name="evaluate")


@app.command("config")
def config(
    schema: Annotated[bool, typer.Option("--schema", help="Print a JSON schema instead.")] = False,
    docs: Annotated[bool, typer.Option("--docs", help="Print docs/configuration.md instead.")] = False,
) -> None:
    """Print every key of a config file with its meaning and default."""
    from pipeline import describe_config

    describe = describe_config.describe_schema if schema else describe_config.describe_yaml
    typer.echo(describe_config.describe_markdown() if docs else describe(), nl=False)


@app.command("nightly")
def nightly(config: Config = None, seed: Seed = 0) -> None:
    """Run the nightly flow once, now: reconstruct what is new, then generate, as `serve` in the config says."""
    flows = importlib.import_module("flows")
    print_summary(flows.nightly(**flows.nightly_parameters(config, seed)))


@app.command("serve")
def serve(config: Config = None, seed: Seed = 0) -> None:
    """Serve the nightly flow on its schedule; needs a Prefect server (PREFECT_API_URL), for schedules live there."""
    importlib.import_module("flows").serve(config, seed)


def main() -> None:
    """Run the command line; a user's mistake ends in one line and exit code 1."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        app()
    except (InputError, Rejected) as error:
        typer.echo(f"careclips: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
            raise
        where = error.filename or "the output folder"
        typer.echo(
            f"careclips: {where}: no room to write ({error.strerror}); free some space and run the same command again: "
            "what is finished is kept",
            err=True,
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
