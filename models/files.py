"""Files and folders: digests, whole or not at all, and what may be replaced."""

import hashlib
import json
import os
import re
import shutil
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import InputError

_UNREADABLE = (OSError, ValueError, EOFError, TypeError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError,
               RuntimeError, MemoryError, struct.error, tokenize.TokenError, SyntaxError)  # fmt: skip
"""What numpy and zipfile raise for files that are none of theirs, or are damaged, cut off or encrypted."""


def file_digest(path: Path) -> str:
    """Return SHA-256 of a file's bytes, or of the names and bytes of a folder's files."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return digest({str(file.relative_to(path)): file_digest(file) for file in files})
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def digest(value: Any) -> str:
    """Return SHA-256 of a JSON-like value, independent of the order of dict keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def cache_folder() -> Path:
    """Return where this machine keeps what can be made or fetched again: $CARECLIPS_CACHE, else careclips in the user's
    cache; InputError where the user has neither."""
    if chosen := os.environ.get("CARECLIPS_CACHE"):
        return Path(chosen)
    place = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if place.startswith("~"):  # a user that the system does not know, as in many containers
        raise InputError("HOME", "is not set, and this user has no home", "set CARECLIPS_CACHE to a folder")
    return Path(place) / "careclips"


def without_passwords(text: str) -> str:
    """Return a text with what stands before the @ of its URLs left out: keys and passwords are nobody's business."""
    # To the last @ that may belong to it: a password may hold one itself, and, behind a user's name, a slash.
    return re.sub(r"(\w+://)(?:[^/\s@:]*:[^\s\"']*|[^/\s]+)@", r"\1***@", text)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file or none of it: under a temporary name, then renamed."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a whole text file or none of it."""
    write_bytes(path, text.encode())


def read_arrays(path: Path, remedy: str = "copy it again, or write it with numpy.savez") -> dict[str, np.ndarray]:
    """Read the arrays of an npz by name, or the one of an npy as `array`; numbers and text only, never a pickle.

    Raises InputError where the file is none, is cut off or damaged, or holds other values.
    """
    try:
        if path.stat().st_size == 0:
            raise InputError(path, "is empty (0 bytes)", remedy)
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            return {"array": found}
        with found:
            return {name: found[name] for name in found.files}
    except _UNREADABLE as error:
        words = " ".join(str(error).split()) or type(error).__name__
        raise InputError(path, f"is no npz or npy that can be read ({words[:120]})", remedy) from error


def finite(path: Path, name: str, values: np.ndarray, remedy: str) -> np.ndarray:
    """Return an array of a file in double precision; InputError where it holds anything but finite numbers."""
    if values.dtype.kind not in "fiub":
        raise InputError(path, f"{name} holds {values.dtype} and no numbers", remedy)
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise InputError(path, f"{name} holds a number that is not finite", remedy)
    return values


def check_replaceable(folder: Path, mark: str) -> None:
    """Raise InputError where a folder holds something that we did not write: it is not empty and lacks the file
    `mark`."""
    if folder.exists() and not (folder / mark).exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(folder, f"is there already and holds no {mark}", "name a new folder, or remove it yourself")


def unfinished(folder: Path) -> tuple[Path, Path]:
    """Return where `replaced` writes what is not whole yet, and where it puts what was there before."""
    return folder.with_name(f".{folder.name}.partial"), folder.with_name(f".{folder.name}.old")


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """Give an empty folder to write into; on leaving without an error it takes the place of `folder`, whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial, old = unfinished(folder)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    yield partial
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.rename(folder, old)
    os.rename(partial, folder)
    shutil.rmtree(old, ignore_errors=True)
