"""The artefact store: content keys, atomic writes, digests verified on read.

An artefact is a folder `<root>/<stage>/<key>/` with data files and `meta.json`. Its key is a digest of everything that it
was made from, so it is never out of date; it is written under `<root>/.partial/` and renamed last, so it is never half
written. A damaged artefact (a file missing or changed) is set aside, and so computed again.
"""

import hashlib
import json
import logging
import os
import shutil
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from pipeline.errors import InputError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Artefact:
    """A finished artefact on disk."""

    stage: str
    key: str
    folder: Path
    meta: dict[str, Any]


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, or of the names and bytes of a folder's files."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return digest({str(file.relative_to(path)): file_digest(file) for file in files})
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def digest(value: Any) -> str:
    """SHA-256 of a JSON-like value, independent of the order of dict keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write a whole file or none of it: under a temporary name, then renamed."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        temporary.write_text(text)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def check_replaceable(folder: Path, mark: str) -> None:
    """Raise InputError where a folder holds something that we did not write: it is not empty and lacks the file `mark`."""
    if folder.exists() and not (folder / mark).exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(folder, f"is there already and holds no {mark}", "name a new folder, or remove it yourself")


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """Give an empty folder to write into; on leaving without an error it takes the place of `folder`, whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial, old = (folder.with_name(f".{folder.name}.{word}") for word in ("partial", "old"))
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    yield partial
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.rename(folder, old)
    os.rename(partial, folder)
    shutil.rmtree(old, ignore_errors=True)


class Store:
    """Artefacts below one local folder, shared by any number of processes."""

    def __init__(self, root: Path):
        self.root = Path(root)
        self._partial = self.root / ".partial"
        self._partial.mkdir(parents=True, exist_ok=True)
        self._remove_leftovers()

    def key(self, stage: str, version: int, config: BaseModel | None, inputs: dict[str, Any]) -> str:
        """Content key of an artefact: digest of stage, its version, config values and the digests of its inputs."""
        values = None if config is None else config.model_dump(mode="json")
        return digest({"stage": stage, "version": version, "config": values, "inputs": inputs})[:32]

    def find(self, stage: str, key: str) -> Artefact | None:
        """The artefact, every file of it verified against its digest; None where there is none or it is damaged."""
        folder = self.root / stage / key
        if not folder.is_dir():
            return None
        try:
            meta = json.loads((folder / "meta.json").read_text())
            for name, expected in meta["files"].items():
                if file_digest(folder / name) != expected:
                    raise ValueError(f"{name} has changed")
        except (OSError, ValueError, KeyError) as error:
            log.warning("artefact %s/%s is damaged (%s): it is set aside and made again", stage, key, error)
            shutil.move(folder, self._partial_folder(f"damaged-{key}"))
            return None
        return Artefact(stage, key, folder, meta)

    @contextmanager
    def write(self, stage: str, key: str, meta: dict[str, Any]) -> Iterator[Path]:
        """Give a temporary folder to write into; on leaving without an error it becomes the artefact.

        `meta` may be added to inside the block; `stage`, `key` and `files` are filled in here. Where another process
        has finished the same artefact meanwhile, its copy stays.
        """
        temporary = self._partial_folder(key)
        temporary.mkdir()
        try:
            yield temporary
            files = {
                str(file.relative_to(temporary)): file_digest(file)
                for file in sorted(temporary.rglob("*"))
                if file.is_file()
            }
            full = {**meta, "stage": stage, "key": key, "files": files}
            (temporary / "meta.json").write_text(json.dumps(full, indent=1))
            target = self.root / stage / key
            target.parent.mkdir(exist_ok=True)
            try:
                os.rename(temporary, target)
            except OSError:
                if not target.is_dir():
                    raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _partial_folder(self, name: str) -> Path:
        return self._partial / f"{socket.gethostname()}_{os.getpid()}_{uuid.uuid4().hex[:8]}_{name}"

    def _remove_leftovers(self) -> None:
        """Remove what killed processes of this machine left half written."""
        for folder in self._partial.iterdir():
            host, pid, *_ = folder.name.split("_")
            if host == socket.gethostname() and not _is_alive(int(pid)):
                shutil.rmtree(folder, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
