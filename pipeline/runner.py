"""Running steps: many items through one function, what was done already, how much memory.

A step is a function of paths, keys and plain values that finds its finished artefact by content key or makes it.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import psutil

from models import codec
from models.config import Config
from models.errors import InputError, Rejected
from pipeline.outcomes import Outcome, attempt
from pipeline.store import Artefact, Store
from pipeline.worker_pool import WorkerPool

log = logging.getLogger(__name__)

Work = Sequence[tuple[str, tuple]]
"""(item, arguments of the step) for every item."""
Runner = Callable[[str, Callable[..., Any], Work], list[Outcome]]
"""Runs one step over many items; outcomes come in the order of the work."""


class Step:
    """Tells how far a step is (`pipeline.progress`)."""

    def __init__(self, title: str, total: int):
        self.title, self.done, self.total = title, 0, total
        if total:
            self._tell()

    def advance(self, items: int = 1) -> None:
        """So many more are done."""
        self.done += items
        self._tell()

    def _tell(self) -> None:
        progress = (self.title, self.done, self.total)
        log.info("%s: %d of %d", *progress, extra={"progress": progress})


def plain_runner(workers: int, pool: WorkerPool | None = None) -> Runner:
    """Run steps in a pool of processes (one that its owner closes), or, where one worker is asked for, in this process
    itself.

    In this process, an item that the system kills for its memory takes the run with it.
    """
    processes = pool or WorkerPool(workers)

    def run(title: str, function: Callable[..., Any], work: Work) -> list[Outcome]:
        step = Step(title, len(work))
        if workers > 1 and work:
            return processes.run(function, work, step.advance)
        outcomes = []
        for item, arguments in work:
            outcomes.append(attempt(function, item, arguments))
            step.advance()
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
    meta |= {"figures": figures, "seconds": spent_s + time.perf_counter() - started, "created_s": time.time()}
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
