"""Running steps: many items through one function, what was set aside and why, what was done already, how much memory.

A step is a function of paths, keys and plain values that finds its finished artefact by content key or makes it.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil
from rich.progress import Progress

from models import codec
from models.config import Config
from models.errors import InputError, Rejected
from pipeline.store import Artefact, Store


@dataclass(frozen=True)
class Outcome:
    """What became of one step."""

    item: str
    value: Any = None
    reason: str = ""
    """Why it was set aside; empty where it was not."""


def attempt(function: Callable[..., Any], item: str, arguments: tuple) -> Outcome:
    """Run a step; InputError and Rejected become a reason, everything else is a defect and is raised."""
    try:
        return Outcome(item, value=function(*arguments))
    except InputError as error:
        return Outcome(item, reason=f"{Path(error.item).name} {error.problem}; {error.remedy}")
    except Rejected as error:
        return Outcome(item, reason=str(error))


Work = Sequence[tuple[str, tuple]]
"""(item, arguments of the step) for every item."""
Runner = Callable[[str, Callable[..., Any], Work], list[Outcome]]
"""Runs one step over many items; outcomes come in the order of the work."""


def _start_worker() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")


def plain_runner(workers: int, show_progress: bool) -> Runner:
    """Run steps in this process, or in a pool of processes where there is more than one worker.

    The pool lives as long as the runner: what a worker has imported and loaded serves the next step, too.
    """
    pool: ProcessPoolExecutor | None = None

    def in_pool(function: Callable[..., Any], work: Work, advance: Callable[[], None]) -> list[Outcome]:
        nonlocal pool
        pool = pool or ProcessPoolExecutor(workers, get_context("spawn"), _start_worker)
        futures = [pool.submit(attempt, function, item, arguments) for item, arguments in work]
        try:
            for future in as_completed(futures):
                future.result()
                advance()
        except BaseException:  # a defect, a worker that was killed, or an interrupt: what waits is not begun
            pool.shutdown(cancel_futures=True)
            pool = None
            raise
        return [future.result() for future in futures]

    def run(title: str, function: Callable[..., Any], work: Work) -> list[Outcome]:
        with Progress(transient=True, disable=not (show_progress and sys.stderr.isatty())) as progress:
            task = progress.add_task(title, total=len(work))
            if min(workers, len(work)) > 1:
                return in_pool(function, work, lambda: progress.advance(task))
            outcomes = []
            for item, arguments in work:
                outcomes.append(attempt(function, item, arguments))
                progress.advance(task)
            return outcomes

    return run


class PeakMemory:
    """Largest memory of this process and its children together (proportional set size), sampled twice a second."""

    def __enter__(self) -> "PeakMemory":  # noqa: PYI034  (the tests' run-time checks take methods one by one, without Self)
        self.mib = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        me = psutil.Process()
        while True:
            total = 0
            for process in [me, *me.children(recursive=True)]:
                try:
                    total += process.memory_full_info().pss
                except (psutil.NoSuchProcess, psutil.AccessDenied):
                    continue
            self.mib = max(self.mib, total / 2**20)
            if self._done.wait(0.5):
                return


def cached(
    store: Store,
    stage: str,
    version: int,
    config: Config | None,
    inputs: dict[str, Any],
    compute: Callable[[], tuple[Any, dict[str, Any]]],
    spent_s: float = 0.0,
) -> tuple[Any, Artefact, bool]:
    """Return the value of a finished artefact, or of `compute`, stored; whether it was computed now comes last.

    A Rejected is remembered like a value, and raised again when it is found. `spent_s` went into it before.
    """
    key = store.key(stage, version, config, inputs)
    found = store.find(stage, key)
    if found is not None:
        if "rejected" in found.meta:
            raise Rejected(*found.meta["rejected"])
        return codec.load(found.folder, "value"), found, False
    started = time.perf_counter()
    meta: dict[str, Any] = {
        "config": None if config is None else config.key_values(),
        "inputs": inputs,
        "version": version,
    }
    try:
        value, figures = compute()
    except Rejected as error:
        with store.write(stage, key, {**meta, "rejected": [error.reason, error.detail]}):
            pass
        raise
    meta |= {"figures": figures, "seconds": spent_s + time.perf_counter() - started}
    with store.write(stage, key, meta) as folder:
        codec.save(value, folder, "value")
    return value, Artefact(stage, key, store.folder / stage / key, meta), True


def find_made(store: Store, stage: str, key: str) -> Artefact:
    """Find an artefact that an earlier step made; InputError where it is gone."""
    found = store.find(stage, key)
    if found is None:
        raise InputError(f"{store.root}/{stage}/{key}", "is missing or damaged", "run the verb that made it again")
    return found


def load_value(store: Store, stage: str, key: str) -> Any:
    """Load the value of an artefact that an earlier step made; InputError where it is gone."""
    return codec.load(find_made(store, stage, key).folder, "value")
