"""The log of a run: what careclips notes of every process, and what libraries write past Python; warnings go to the
terminal as well.

Logs lie in `cache_folder()/logs`, a file a run. Inference libraries write their greetings straight to the process's
error stream; while a run is logged, that stream is the log, and `sys.stderr` is still the terminal.
"""

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging.handlers import QueueHandler
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

from rich.console import Console

from models.errors import InputError
from models.files import cache_folder, without_passwords
from pipeline.progress import ProgressBars, tells_progress

FORMAT = "%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"
OURS = ("flows", "pipeline", "stages", "models")
"""Loggers whose notes (INFO) the log holds, too; of others it holds warnings."""
TOLD = ("models.training", "prefect")
"""Loggers whose notes the terminal shows, too: how a training goes, and what Prefect does."""
KEPT_DAYS = 90
"""After so many days a log goes when another run begins."""


class _Message(logging.Formatter):
    """Messages alone; tracebacks are the log's."""

    def format(self, record: logging.LogRecord) -> str:
        record.message = record.getMessage()
        return without_passwords(self.formatMessage(record))


class _LogFile(logging.StreamHandler):
    """A log's file; where it is full, that is said once, and the run goes on."""

    told = False

    def handleError(self, record: logging.LogRecord) -> None:
        """Say why nothing more is logged."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self.told:
            self.told = True
            logging.getLogger(__name__).warning("the log ends here: %s", error.strerror)

    def end(self) -> None:
        """Close the file, whatever is left unwritten. Not `close`: Prefect's own setting up of logs closes every
        handler, and this one goes on."""
        with suppress(OSError):
            self.stream.close()


class _Whole(logging.Formatter):
    """Everything, but for passwords."""

    def format(self, record: logging.LogRecord) -> str:
        return without_passwords(super().format(record))


def log_folder() -> Path:
    """Return where the logs of runs lie."""
    return cache_folder() / "logs"


def _remove_old_logs() -> None:
    """Logs name clips: they are not kept for ever."""
    for path in log_folder().glob("*.log"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > KEPT_DAYS * 86400.0:
                path.unlink()


@contextmanager
def run_log(verb: str) -> Iterator[Path | None]:
    """Log a run to a new file, which is given; None, and warnings on the terminal alone, where none can be written."""
    terminal = logging.StreamHandler(sys.stderr)
    bars = ProgressBars(Console(stderr=True)) if sys.stderr.isatty() else None

    def is_for_terminal(record: logging.LogRecord) -> bool:
        if bars is not None and tells_progress(record):
            return False
        return record.levelno >= logging.WARNING or record.name.startswith(TOLD)

    terminal.addFilter(is_for_terminal)
    terminal.setFormatter(_Message("%(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(terminal)
    if bars is not None:
        root.addHandler(bars)
    try:
        try:
            _remove_old_logs()
            path = log_folder() / f"{time.strftime('%Y-%m-%dT%H-%M-%S')}_{verb}_{os.getpid()}.log"
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except (OSError, InputError) as error:
            root.warning("no log is kept: %s", error)
            yield None
            return
        handler = _LogFile(os.fdopen(log, "a", buffering=1, encoding="utf-8"))
        handler.setFormatter(_Whole(FORMAT))
        root.addHandler(handler)
        for name in OURS:
            logging.getLogger(name).setLevel(logging.INFO)
        try:
            with _native_output_to(log, terminal):
                yield path
        finally:
            root.removeHandler(handler)
            handler.end()
    finally:
        root.removeHandler(terminal)
        if bars is not None:
            root.removeHandler(bars)
            bars.close()


@contextmanager
def _native_output_to(log: int, terminal: logging.StreamHandler) -> Iterator[None]:
    """Let the process's error stream be the log, and `sys.stderr` a copy of what it was."""
    before, copy = sys.stderr, os.dup(2)
    before.flush()
    os.dup2(log, 2)
    with os.fdopen(os.dup(copy), "w", buffering=1, encoding="utf-8", errors="backslashreplace") as stream:
        sys.stderr = stream
        terminal.setStream(stream)
        try:
            yield
        finally:
            terminal.setStream(before)
            sys.stderr = before
            os.dup2(copy, 2)
            os.close(copy)


def log_to(queue: "Queue[Any] | None") -> None:
    """Let a worker's process log to its parent through a queue; to its own error stream where there is none."""
    if queue is None:
        logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
        return
    logging.getLogger().handlers = [QueueHandler(queue)]
    for name in OURS:
        logging.getLogger(name).setLevel(logging.INFO)
