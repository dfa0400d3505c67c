"""Processes that run steps. One that dies costs the item that it was at, and nothing else."""

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from logging.handlers import QueueListener
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for
from typing import Any

from pipeline.outcomes import FULL, Outcome, attempt, died, failed
from pipeline.run_log import log_to


class WorkerPool:
    """Workers that live as long as the pool: what one has imported and loaded serves the next step, too."""

    def __init__(self, workers: int):
        self.workers = workers
        self._executor: ProcessPoolExecutor | None = None
        self._records: Any = None
        """Queue of what workers log."""
        self._listener: QueueListener | None = None

    def run(
        self, function: Callable[..., Any], work: Sequence[tuple[str, tuple]], advance: Callable[[], None]
    ) -> list[Outcome]:
        """Run one step over many items; outcomes come in the order of the work.

        Where a process dies, all that ran then are begun again, each alone in a process of its own, so that the one
        that kills its process is known, and has the machine's memory to itself.
        """
        outcomes: dict[int, Outcome] = {}
        waiting, running = deque(range(len(work))), dict[Future, int]()
        try:
            while waiting or running:
                broken: list[int] = []
                while waiting and len(running) < self.workers and not broken:
                    index = waiting.popleft()
                    try:
                        running[self._started().submit(attempt, function, *work[index])] = index
                    except BrokenProcessPool:
                        broken.append(index)
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    index = running.pop(future)
                    outcome = _result(future, work[index][0])
                    if outcome is None:
                        broken.append(index)
                    else:
                        outcomes[index] = outcome
                        advance()
                if broken:
                    broken += running.values()
                    running.clear()
                    self.close()
                    for index in sorted(broken):
                        outcomes[index] = run_alone(function, *work[index])
                        advance()
        except BaseException:  # a full disk or an interrupt: what waits is not begun
            self.close()
            raise
        return [outcomes[index] for index in range(len(work))]

    def close(self) -> None:
        """End the processes; a later step starts new ones."""
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
            self._executor = None
        if self._listener is not None:
            self._listener.stop()
            self._listener = None

    def _started(self) -> ProcessPoolExecutor:
        if self._executor is None:
            context = get_context("spawn")
            self._records = context.Queue()
            self._listener = QueueListener(self._records, *logging.getLogger().handlers, respect_handler_level=True)
            self._listener.start()
            self._executor = ProcessPoolExecutor(self.workers, context, start_worker, (self._records,))
        return self._executor


def _result(future: Future, item: str) -> Outcome | None:
    """None where a process died meanwhile, this item's or another's."""
    try:
        return future.result()
    except BrokenProcessPool:
        return None
    except OSError as error:
        if error.errno in FULL:
            raise
        return failed(item, error)
    except Exception as error:  # noqa: BLE001  (what a step gave cannot travel between processes)
        return failed(item, error)


def start_worker(records: Any) -> None:
    """Let a new process log to its parent through a queue, and end when its parent ends, however that ends.

    Workers of a parent that was killed would wait for work for ever, with all that they have loaded.
    """
    log_to(records)
    parent = parent_process()
    assert parent is not None, "a worker has a parent"

    def end_with_parent() -> None:
        wait_for([parent.sentinel])
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


def run_alone(function: Callable[..., Any], item: str, arguments: tuple) -> Outcome:
    """Run one item in a process of its own; where that dies, so says the outcome."""
    context = get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(sender, function, item, arguments), daemon=False)
    process.start()
    sender.close()
    try:
        answer = receiver.recv()
    except EOFError:
        answer = None
    finally:
        receiver.close()
    process.join()
    if isinstance(answer, OSError):
        raise answer
    return died(item, process.exitcode) if answer is None else answer


def _answer(sender: Connection, function: Callable[..., Any], item: str, arguments: tuple) -> None:
    start_worker(None)
    try:
        sender.send(attempt(function, item, arguments))
    except OSError as error:
        sender.send(error)
