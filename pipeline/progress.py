"""How far a run is: one bar a step on a terminal, with items done, rate and time left.

Whoever has many things to do says so in the log: `log.info("...", extra={"progress": (title, done, total)})`. The log's
file holds it as a line; a terminal shows the bar instead, whoever said it: this process, a worker, or a Prefect task.
"""

import logging
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


class _Rate(ProgressColumn):
    """Items a second, or seconds an item, whichever is more than one."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        return Text(f"{speed:.1f}/s" if speed >= 1.0 else f"{1.0 / speed:.1f} s each")


class ProgressBars(logging.Handler):
    """Shows records that tell of progress as bars on a terminal; a bar goes when its step is done."""

    def __init__(self, console: Console):
        super().__init__(logging.INFO)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
        self._bars = Progress(*columns, console=console, transient=True)
        self._tasks: dict[str, Any] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Move the bar of the record's step; other records are none of its business."""
        told = getattr(record, "progress", None)
        if told is None:
            return
        title, done, total = told
        if title not in self._tasks:
            self._bars.start()
            self._tasks[title] = self._bars.add_task(title, total=total)
        self._bars.update(self._tasks[title], completed=done, total=total)
        if done >= total:
            self._bars.remove_task(self._tasks.pop(title))
        if not self._tasks:
            self._bars.stop()

    def close(self) -> None:
        """Take the bars away."""
        self._bars.stop()
        super().close()


def tells_progress(record: logging.LogRecord) -> bool:
    """Say whether a record is shown as a bar."""
    return hasattr(record, "progress")
