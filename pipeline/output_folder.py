"""The folder that a verb writes: there, writable, and held by one run at a time.

A run holds its folder by a lock on `.<name>.lock` beside it, which ends with its process, however that ends; runs on
other machines see it as far as their file system shares locks. Of a store that lies where only others may write (a
mounted volume), the lock is in the store.
"""

import fcntl
import functools
import inspect
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

from models.errors import InputError
from pipeline.store import Store

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def holds(
    parameter: str, stays: bool = False
) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Let a verb run only while nothing else writes the folder (or store's URL) that its parameter names.

    `run.out` is an attribute of a parameter. A folder that stays is written into, never replaced as a whole. Of
    processes that train together (RANK) the first alone writes, and holds.
    """

    def decorate(verb: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        signature = inspect.signature(verb)

        @functools.wraps(verb)
        def held(*arguments: Parameters.args, **more: Parameters.kwargs) -> Result:
            name, *attributes = parameter.split(".")
            value = functools.reduce(getattr, attributes, signature.bind(*arguments, **more).arguments[name])
            if os.environ.get("RANK", "0") != "0":
                return verb(*arguments, **more)
            folder = Store(str(value)).folder if "://" in str(value) else Path(value)
            with held_folder(folder, verb.__name__.replace("_", " "), stays):
                return verb(*arguments, **more)

        return held

    return decorate


@contextmanager
def held_folder(folder: Path, verb: str, stays: bool = False) -> Iterator[None]:
    """Hold a folder that is to be written; InputError where it cannot be, or says who holds it already."""
    if folder.exists() and not folder.is_dir():
        raise InputError(folder, "is a file, and a folder is to be written there", "name another folder, or remove it")
    # By its real place: two names of one folder are one lock.
    folder = folder.resolve()
    path = _lock_place(folder, "lock", stays)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = _locked(path, folder)
        if folder.is_dir():
            _check_writable(folder)
    except OSError as error:
        raise InputError(
            folder, f"cannot be written ({error.strerror})", "name another folder, or change its permissions"
        ) from error
    try:
        _sign(lock, verb)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(lock)


@contextmanager
def used_store(folder: Path, verb: str, alone: bool = False) -> Iterator[None]:
    """Use a store's folder beside others who do, or alone, as who removes what others are making must; InputError where
    that is not to be had. A store that is not there is nobody's."""
    folder = folder.resolve()
    if not folder.parent.is_dir():
        yield
        return
    path = _lock_place(folder, "use.lock", stays=True)
    try:
        lock = _locked(path, folder, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
    except OSError as error:
        remedy = "name another store, or change its permissions"
        raise InputError(folder, f"cannot be written ({error.strerror})", remedy) from error
    try:
        _sign(lock, verb)
        yield
    finally:
        with suppress(BlockingIOError):  # others still use it
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
        os.close(lock)


def _lock_place(folder: Path, ending: str, stays: bool) -> Path:
    path = folder.with_name(f".{folder.name}.{ending}")
    if stays and folder.is_dir() and not os.access(folder.parent, os.W_OK):
        return folder / path.name
    return path


def _sign(lock: int, verb: str) -> None:
    """Write into a lock who has it."""
    about = {
        "verb": verb,
        "process": os.getpid(),
        "host": socket.gethostname(),
        "user": os.environ.get("USER") or os.getuid(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }
    os.ftruncate(lock, 0)
    os.pwrite(lock, json.dumps(about).encode(), 0)


def _locked(path: Path, folder: Path, how: int = fcntl.LOCK_EX) -> int:
    """An open, locked file at the path."""
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, how | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = _holder(lock)
            os.close(lock)
            raise InputError(folder, f"is being written by {holder}", "wait for it, or name another folder") from error
        # Who held it before may have removed the file between opening and locking it here.
        if path.exists() and os.path.samestat(os.fstat(lock), path.stat()):
            return lock
        os.close(lock)


def _holder(lock: int) -> str:
    try:
        one = json.loads(os.pread(lock, 4096, 0))
        who = f"process {one['process']} of {one['user']} on {one['host']}, since {one['since']}"
        return f"`careclips {one['verb']}` ({who})"
    except (ValueError, KeyError):  # it has not written who it is yet
        return "another run"


def _check_writable(folder: Path) -> None:
    probe = folder / f".careclips-{os.getpid()}.probe"
    probe.touch()
    probe.unlink()
