"""The console script: every command, and what a user's mistake looks like."""

import pipeline.environment  # noqa: F401, I001  (before numpy)

import importlib
import logging
import os
import re
import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from models.errors import InputError, Rejected
from models.files import without_passwords
from pipeline.cli.evaluation import evaluate_app
from pipeline.cli.footage import add_footage_commands
from pipeline.cli.measuring import measure_app
from pipeline.cli.motion import add_motion_commands, corpus_app
from pipeline.cli.options import Config, Seed, print_summary
from pipeline.cli.training import add_training_commands
from pipeline.outcomes import FULL, UNUSABLE, DefectsMet
from pipeline.run_log import run_log

logger = logging.getLogger(__name__)

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
    flows.check_api()
    print_summary(flows.nightly(**flows.nightly_parameters(config, seed)))


@app.command("serve")
def serve(config: Config = None, seed: Seed = 0) -> None:
    """Serve the nightly flow on its schedule; needs a Prefect server (PREFECT_API_URL), for schedules live there."""
    importlib.import_module("flows").serve(config, seed)


def main() -> None:
    """Run the command line: exit code 0 where all is done, 1 where nothing could be or a user's mistake ended it in one
    line, 3 where a defect of careclips was met."""
    with run_log(_verb(sys.argv[1:])) as log:
        code = _run(log)
    sys.exit(code)


def _verb(arguments: list[str]) -> str:
    """The verb in words that are ours alone: an argument may be somebody's name, and a log is called after this."""
    one, other = (*arguments, "", "")[:2]
    groups = {group.name: group.typer_instance for group in app.registered_groups if group.typer_instance}
    if one in groups and other in {command.name for command in groups[one].registered_commands}:
        return f"{one}-{other}"
    return one if one in {*groups, *(command.name for command in app.registered_commands)} else "careclips"


def _run(log: Path | None) -> int:
    """Run the command, say in one line what ended it, and return the exit code."""
    where = "" if log is None else f"; the log is {log}"
    try:
        return int(app(_at_home(sys.argv[1:]), standalone_mode=False) or 0)
    except TyperException as error:  # of the command line's own form; of more lines than one where help was shown
        words = error.format_message().strip()
        if "\n" not in words:
            _say(f"{words.rstrip('.')}; see --help of the command")
        return 1
    except (InputError, Rejected) as error:
        _say(error)
        return 1
    except DefectsMet as error:
        logger.info("%s\n%s", error, error.tracebacks)
        _say(f"{error}{where}")
        return 3
    except KeyboardInterrupt:
        _say("interrupted; run the same command again: what is finished is kept")
        return 130
    except OSError as error:
        if error.errno not in FULL + UNUSABLE:
            return _defect(error, where)
        logger.info("%s", error, exc_info=error)
        place = error.filename or "the output folder"
        if error.errno in FULL:
            problem, remedy = "no room to write", "free some space"
        else:
            problem, remedy = "cannot be used", "correct the path or its permissions"
        _say(
            f"{place}: {problem} ({error.strerror}); {remedy} and run the same command again: what is finished is kept"
        )
        return 1
    except Exception as error:  # noqa: BLE001  (the last place where a defect can be told)
        return _defect(error, where)


def _at_home(arguments: list[str]) -> list[str]:
    """Arguments with `~/` as the user's home in `--out=~/x`, too, where no shell sees to it."""
    home = os.path.expanduser("~/")
    spelled = [re.sub(r"^(--[a-z-]+=)?~/", lambda found: (found[1] or "") + home, argument) for argument in arguments]
    if home.startswith("~") and any(re.match(r"(--[a-z-]+=)?~/", argument) for argument in arguments):
        raise InputError("~/", "stands for this user's home, and there is none", "set HOME, or spell the path out")
    return spelled


def _defect(error: Exception, where: str) -> int:
    logger.info("a defect", exc_info=error)
    words = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    _say(f"met a defect of careclips and ended ({words}){where}; please report it")
    return 3


def _say(words: object) -> None:
    typer.echo(f"careclips: {without_passwords(str(words))}", err=True)


if __name__ == "__main__":
    main()
