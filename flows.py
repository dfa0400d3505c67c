"""The pipeline as Prefect flows: what a scheduler runs, and what `careclips VERB --prefect` runs.

A flow's parameters are those of its verb (`pipeline/<verb>.py`); the verb's steps run as tasks, a shard of items each.
A step gets paths and keys, never arrays, finds its finished artefact by content key or makes it, and gives back a small
record.
"""

import pipeline.environment  # noqa: I001  (before numpy and Prefect)

import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.settings import PREFECT_API_URL

import pipeline.build_corpus
import pipeline.evaluate
import pipeline.generate
import pipeline.reconstruct
import pipeline.train_motion
from models.errors import InputError
from pipeline.cli.main import main
from pipeline.cli.options import Config, Count, Footage, Mocap, NewDataset, NewStore, Order, PoseFile, Seed, Store
from pipeline.outcomes import FULL, Outcome, attempt, check_defects, failed
from pipeline.runner import Runner, Step, Work
from pipeline.settings import read_settings

Result = TypeVar("Result")
SHARD = 16
"""Items of a task: thousands of mapped tasks would stall."""


# Our own content keys decide what is done already; Prefect's cache would not see a changed file.
@task(cache_policy=NO_CACHE, persist_result=False)
def steps(function: Callable[..., Any], work: Work) -> list[Outcome]:
    """Run one step on a shard of items."""
    return [attempt(function, item, arguments) for item, arguments in work]


def task_runner(title: str, function: Callable[..., Any], work: Work) -> list[Outcome]:
    """Run one step over all items as tasks; a `pipeline.runner.Runner`.

    Where a task fails itself (its worker was killed), its items are begun again, a task each.
    """
    named = steps.with_options(name=title)
    shards = [list(work[start : start + SHARD]) for start in range(0, len(work), SHARD)]
    outcomes: list[Outcome] = []
    step = Step(title, len(work))
    for shard, future in [(shard, named.submit(function, shard)) for shard in shards]:
        found = future.result(raise_on_failure=False)
        if isinstance(found, OSError) and found.errno in FULL:
            raise found
        if isinstance(found, list):
            outcomes += found
        elif len(shard) > 1:
            outcomes += [outcome for one in shard for outcome in task_runner(title, function, [one])]
        else:
            outcomes.append(failed(shard[0][0], found))
        step.advance(len(shard))
    return outcomes


@flow(name="careclips-reconstruct", persist_result=False)
def reconstruct(
    footage: Footage, store: NewStore, config: Config = None, seed: Seed = 0, pose_file: PoseFile = None
) -> dict:
    """Rebuild the rooms and lift the people of a folder of footage; what stands already is not made again."""
    settings = read_settings(config, seed, pose_file)
    return check_defects(pipeline.reconstruct.reconstruct(footage, store, settings, task_runner))


@flow(name="careclips-generate", persist_result=False)
def generate(
    store: Store, order: Order, count: Count, dataset: NewDataset, config: Config = None, seed: Seed = 0
) -> dict:
    """Make ordered clips in the rooms of a store: placed, audited, rendered, labelled."""
    settings = read_settings(config, seed)
    return check_defects(pipeline.generate.generate(store, order, count, dataset, settings, task_runner))


@flow(name="careclips-evaluate", persist_result=False)
def evaluate(
    real: str,
    synthetic: Path,
    out: Path,
    test: str | None = None,
    labels: pipeline.evaluate.LabelTable | None = None,
    config: Config = None,
    seed: Seed = 0,
) -> dict:
    """Measure whether the synthetic clips help a fall classifier on real footage."""
    return pipeline.evaluate.evaluate(real, synthetic, out, read_settings(config, seed), test, labels)


@flow(name="careclips-nightly", persist_result=False)
def nightly(
    footage: Path, store: Store, order: Order, count: Count, dataset: NewDataset, config: Config = None, seed: Seed = 0
) -> dict:
    """Rebuild what is new in the footage, then make clips in all rooms; what stands already is not made again.

    It fails where no room can be rebuilt, before anything is made; and at its end where a defect was met.
    """
    settings = read_settings(config, seed)
    rebuilt = pipeline.reconstruct.reconstruct(footage, store, settings, task_runner)
    made = pipeline.generate.generate(store, order, count, dataset, settings, task_runner)
    counts = {"rooms": len(rebuilt["rooms"]), "accepted": made["accepted"]}
    found = {name: [*rebuilt[name], *made[name]] for name in ("skipped", "defects")}
    return check_defects(counts | found)


@flow(name="careclips-build-corpus", persist_result=False)
def build_corpus(out: Path, mocap: Mocap = None, config: Config = None, seed: Seed = 0) -> dict:
    """Gather captured motion, simulated falls, look-alikes and two-person motion into one file."""
    return pipeline.build_corpus.build_corpus(out, read_settings(config, seed, mocap=mocap), task_runner)


@flow(name="careclips-train-motion", persist_result=False)
def train_motion(
    corpus: Path,
    out: Path,
    texts: Path | None = None,
    start: str | None = None,
    finetune: str | None = None,
    machine: pipeline.train_motion.Machine = pipeline.train_motion.ONE_CORE,
    config: Config = None,
    seed: Seed = 0,
) -> dict:
    """Train a motion model; goes on where it was stopped."""
    settings = read_settings(config, seed)
    return pipeline.train_motion.train_motion(corpus, texts, out, settings, machine, start, finetune)


def check_api() -> None:
    """Raise InputError where the Prefect server that PREFECT_API_URL names does not answer."""
    url = PREFECT_API_URL.value()
    if url is None:
        return  # Prefect starts a server of its own
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=10):
            pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        remedy = "start it with `prefect server start`, correct the address, or unset PREFECT_API_URL"
        raise InputError("PREFECT_API_URL", f"is {url}, where no Prefect server answers ({reason})", remedy) from error


def run_as_flow(verb: str, function: Callable[[Runner], Result]) -> Result:
    """Run any other verb as a flow of its name; `function` gets what runs its steps."""
    return flow(name=f"careclips-{verb}", persist_result=False)(lambda: function(task_runner))()


def nightly_parameters(config: Path | None, seed: int) -> dict[str, Any]:
    """Return what a night gets: the `serve` section of a config, the config itself and the seed."""
    plan = read_settings(config, seed).serve.model_dump(exclude={"cron"})
    return plan | {"config": str(config.resolve()) if config else None, "seed": seed}


def serve(config: Path | None, seed: int) -> None:
    """Serve the nightly flow on its schedule, until it is stopped; InputError where there is no Prefect server."""
    plan = read_settings(config, seed).serve
    parameters = nightly_parameters(config, seed)
    if not PREFECT_API_URL.value():
        raise InputError(
            "PREFECT_API_URL",
            "is not set, and Prefect cannot schedule without a server",
            "run `prefect server start` and set PREFECT_API_URL=http://127.0.0.1:4200/api",
        )
    check_api()
    nightly.serve(name="nightly", cron=plan.cron, parameters=parameters)


if __name__ == "__main__":  # `accelerate launch flows.py train motion ...` and the like
    main()
