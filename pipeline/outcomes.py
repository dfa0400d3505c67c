"""What became of the items of a step: a value, or why there is none; and what a summary says of all that.

One odd item costs itself alone. A file that cannot be used and a thing that was looked at and set aside are reasons; so
is a defect of ours, whose traceback is kept, and which the run's exit code tells at its end.
"""

import errno
import signal
import traceback
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from models.errors import InputError, Rejected
from models.files import without_passwords, write_text

Kind = Literal["input", "rejected", "resources", "defect"]
"""Why an item has no value: its file or values cannot be used, it was looked at and set aside, the machine was too
small for it, or careclips has a defect."""
FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
"""Of OSError, where there is no room to write: no other item can be done either."""
UNUSABLE = (
    *(errno.EACCES, errno.EPERM, errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.EROFS),
    *(errno.EIO, errno.ESTALE, errno.ELOOP, errno.ENAMETOOLONG),
)
"""Of OSError, where a file or its place is at fault, not careclips."""
TRACEBACKS = "tracebacks.txt"
"""Name of the file beside `summary.json` that holds the tracebacks of defects."""


@dataclass(frozen=True)
class Outcome:
    """What became of one step."""

    item: str
    value: Any = None
    reason: str = ""
    """Why there is no value, in one line; empty where there is one."""
    kind: Kind | None = None
    """None where there is a value."""
    traceback: str = ""
    """Of a defect."""


def attempt(function: Callable[..., Any], item: str, arguments: tuple) -> Outcome:
    """Run a step; whatever goes wrong becomes its reason, but for a full disk, which ends the run (OSError)."""
    try:
        return Outcome(item, value=function(*arguments))
    except Exception as error:  # noqa: BLE001  (an item's failure is its own, whatever it is)
        return failed(item, error)


def failed(item: str, error: Exception) -> Outcome:
    """Return what an error means for an item; raises it where it means that nothing can be written any more."""
    if isinstance(error, InputError):
        return Outcome(item, reason=f"{Path(error.item).name} {error.problem}; {error.remedy}", kind="input")
    if isinstance(error, Rejected):
        return Outcome(item, reason=str(error), kind="rejected")
    trace = "".join(traceback.format_exception(error))
    if isinstance(error, MemoryError):
        return Outcome(item, reason=f"needs more memory than there is ({error})", kind="resources", traceback=trace)
    if isinstance(error, OSError):
        if error.errno in FULL:
            raise error
        if error.errno in UNUSABLE and error.filename is not None:
            name = Path(str(error.filename)).name
            return Outcome(item, reason=f"{name} cannot be used ({error.strerror})", kind="input", traceback=trace)
    words = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return Outcome(item, reason=f"met a defect of careclips ({words})", kind="defect", traceback=trace)


def died(item: str, exit_code: int | None) -> Outcome:
    """Return what it means for an item that its process ended before it did; the code is negative for a signal."""
    if exit_code == -signal.SIGKILL:
        reason = "its process was killed (SIGKILL), most often for want of memory; lower run.workers or add memory"
        return Outcome(item, reason=reason, kind="resources")
    how = f"exit code {exit_code}"
    if exit_code is not None and exit_code < 0:
        how = signal.Signals(-exit_code).name
    return Outcome(item, reason=f"met a defect of careclips (its process ended with {how})", kind="defect")


@dataclass
class SetAside:
    """What a run set aside, with reasons, and the defects that it met."""

    skipped: list[dict[str, str]] = field(default_factory=list)
    """`item`, `kind`, `reason`."""
    defects: list[dict[str, str]] = field(default_factory=list)
    """`step`, `item`, `reason`."""
    _tracebacks: list[str] = field(default_factory=list)

    def add(self, item: str, kind: str, reason: str) -> None:
        """Note an item, or a part of one, that was not used."""
        # A file's name may hold anything; a reason is one line.
        self.skipped.append({"item": item, "kind": kind, "reason": without_passwords(" ".join(reason.split()))})

    def values(self, step: str, outcomes: Iterable[Outcome]) -> dict[str, Any]:
        """Return what a step gave, by item; what gave nothing is noted."""
        values = {}
        for outcome in outcomes:
            if outcome.kind is None:
                values[outcome.item] = outcome.value
                continue
            self.add(outcome.item, outcome.kind, outcome.reason)
            if outcome.kind == "defect":
                self.defects.append({"step": step, "item": outcome.item, "reason": outcome.reason})
            if outcome.traceback:
                self._tracebacks.append(f"{step}: {outcome.item}: {outcome.reason}\n{outcome.traceback}")
        return values

    def summary(self) -> dict[str, list[dict[str, str]]]:
        """Return what `summary.json` says of it."""
        return {"skipped": self.skipped, "defects": self.defects}

    def tracebacks(self) -> str:
        """Return the text of TRACEBACKS; empty where there is nothing to tell."""
        return "\n".join(self._tracebacks)

    def write_tracebacks(self, folder: Path) -> None:
        """Write TRACEBACKS into a folder, or remove those of an earlier run where there are none."""
        if self._tracebacks:
            write_text(folder / TRACEBACKS, self.tracebacks())
        else:
            (folder / TRACEBACKS).unlink(missing_ok=True)

    def first_reason(self, about: Collection[str] = ()) -> str:
        """Return the first reason in words, of the items in question if they have one; empty where nothing was set
        aside."""
        for one in [*(one for one in self.skipped if one["item"] in about), *self.skipped]:
            return f"{one['item']}: {one['reason']}"
        return ""


class DefectsMet(Exception):
    """A run that was done to its end, and met defects of ours; `tracebacks` where they lie beside no summary."""

    def __init__(self, words: str, tracebacks: str = ""):
        self.tracebacks = tracebacks
        super().__init__(words)


def check_defects(summary: dict[str, Any], unwritten: SetAside | None = None) -> dict[str, Any]:
    """Return the summary of a finished run; DefectsMet where it names any. `unwritten` has what no file tells."""
    if found := summary.get("defects"):
        where = f"see {TRACEBACKS} beside summary.json" if unwritten is None else "see the log"
        raise DefectsMet(
            f"{len(found)} item(s) met a defect of careclips, the first in {found[0]['step']!r}: {found[0]['item']} "
            f"{found[0]['reason']}; all others were done; {where}, and please report it",
            "" if unwritten is None else unwritten.tracebacks(),
        )
    return summary


def require_all(what: Path | str, step: str, outcomes: Sequence[Outcome]) -> list[Any]:
    """Return what a step gave for every item; InputError or DefectsMet where one gave nothing, for all are needed."""
    set_aside = SetAside()
    values = set_aside.values(step, outcomes)
    check_defects(set_aside.summary(), set_aside)
    if set_aside.skipped:
        count = len(set_aside.skipped)
        raise InputError(
            what, f"{count} part(s) could not be made ({set_aside.first_reason()})", "mend that, start again"
        )
    return list(values.values())
