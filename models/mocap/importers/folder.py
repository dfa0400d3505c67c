"""Folders of takes: one that cannot be read is skipped with its reason, and costs no other."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from models.errors import InputError

logger = logging.getLogger(__name__)
Taken = TypeVar("Taken")


def read_all(files: Sequence[Path], take: Callable[[Path], Taken], folder: Path, what: str) -> list[Taken]:
    """Return what `take` gives for each file; each InputError is logged. InputError where nothing can be read at all:
    the file's own where there is but one."""
    taken, reasons = [], []
    for file in files:
        try:
            taken.append(take(file))
        except InputError as error:
            if len(files) == 1:
                raise
            logger.warning("skipped: %s", error)
            reasons.append(str(error))
    if not files:
        raise InputError(folder, f"holds no {what}", "name the folder that holds them")
    if not taken:
        raise InputError(folder, f"holds {len(files)} {what}, of which none can be read ({reasons[0]})", "mend them")
    return taken
