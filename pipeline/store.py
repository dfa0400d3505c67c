"""The artefact store: content keys, atomic writes, digests verified on read.

An artefact is a folder `<root>/<stage>/<key>/` with data files and `meta.json`. Its key is a digest of everything that it
was made from, so it is never out of date; it is written under `<root>/.partial/` and renamed last (or uploaded with
`meta.json` last), so it is never half written. A damaged artefact (a file missing or changed) is set aside, and so
computed again.
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

from models.errors import InputError
from pipeline.object_store import LAST, Objects

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


def cache_folder() -> Path:
    """Where this machine keeps what can be made or fetched again: $CARECLIPS_CACHE, else careclips in the user's cache."""
    if chosen := os.environ.get("CARECLIPS_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "careclips"


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


def artefact_folder(place: str) -> Path:
    """The folder of `STORE/<stage>/<key>`; fetched and verified where the store is a URL. InputError where it is none."""
    if "://" not in place:
        return Path(place)
    root, stage, key = place.rstrip("/").rsplit("/", 2)
    found = Store(root).find(stage, key)
    if found is None:
        raise InputError(place, "is no artefact", "give STORE/<stage>/<key>, or the store itself")
    return found.folder


class Store:
    """Artefacts below one root, shared by any number of processes: a local folder, or an object store by its fsspec URL.

    Of an object store a copy is kept in `cache_folder()`, which may be removed at any time: artefacts are written there,
    then uploaded, `meta.json` last; and downloaded there once, and verified.
    """

    def __init__(self, root: str | Path):
        """Open a store; nothing is made before something is written. InputError where a URL cannot be opened."""
        self.root = str(root)
        self._objects: Objects | None = None
        if "://" not in self.root:
            self.folder = Path(root)
        elif self.root.startswith(("file://", "local://")):
            self.folder = Path(self.root.split("://", 1)[1])
        else:
            self._objects = Objects(self.root)
            self.folder = cache_folder() / "stores" / digest(self.root.rstrip("/"))[:16]
        self._partial = self.folder / ".partial"
        if self._partial.is_dir():
            self._remove_leftovers()

    def key(self, stage: str, version: int, config: BaseModel | None, inputs: dict[str, Any]) -> str:
        """Content key of an artefact: digest of stage, its version, config values and the digests of its inputs."""
        values = None if config is None else config.model_dump(mode="json")
        return digest({"stage": stage, "version": version, "config": values, "inputs": inputs})[:32]

    def find(self, stage: str, key: str) -> Artefact | None:
        """The artefact, every file of it verified against its digest; None where there is none or it is damaged."""
        if self._objects is None:
            return self._find_local(stage, key)
        published = self._objects.read(f"{stage}/{key}/{LAST}")
        if published is None:
            return None
        cached = self.folder / stage / key / LAST
        if cached.is_file() and cached.read_bytes() == published:
            found = self._find_local(stage, key)
            if found is not None:
                return found
        return self._download(stage, key, published)

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
            (temporary / LAST).write_text(json.dumps(full, indent=1))
            if self._objects is not None:
                self._objects.publish(temporary, f"{stage}/{key}")
                self._set_aside(stage, key)
            self._install(temporary, stage, key)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def read_text(self, name: str) -> str | None:
        """A text that lies beside the artefacts (`index.json`, `summary.json`); None where there is none."""
        if self._objects is not None:
            content = self._objects.read(name)
            return None if content is None else content.decode()
        try:
            return (self.folder / name).read_text()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write_text(self, name: str, text: str) -> None:
        """Write a text beside the artefacts, whole."""
        if self._objects is not None:
            self._objects.write(name, text.encode())
        else:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_text(self.folder / name, text)

    def _find_local(self, stage: str, key: str) -> Artefact | None:
        folder = self.folder / stage / key
        if not folder.is_dir():
            return None
        try:
            meta = _verified(folder)
        except (OSError, ValueError, KeyError) as error:
            log.warning("artefact %s/%s is damaged (%s): it is set aside and made again", stage, key, error)
            self._set_aside(stage, key)
            return None
        return Artefact(stage, key, folder, meta)

    def _download(self, stage: str, key: str, published: bytes) -> Artefact | None:
        """Fetch an artefact into the cache; a damaged one is withdrawn from the object store, and so made again."""
        assert self._objects is not None
        temporary = self._partial_folder(key)
        temporary.mkdir()
        try:
            (temporary / LAST).write_bytes(published)
            try:
                for name in json.loads(published)["files"]:
                    self._objects.fetch(f"{stage}/{key}/{name}", temporary / name)
                meta = _verified(temporary)
            except (FileNotFoundError, ValueError, KeyError) as error:  # the network's own errors are no damage
                log.warning("artefact %s/%s is damaged (%s): it is withdrawn and made again", stage, key, error)
                self._objects.withdraw(f"{stage}/{key}")
                return None
            self._set_aside(stage, key)
            self._install(temporary, stage, key)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return Artefact(stage, key, self.folder / stage / key, meta)

    def _install(self, temporary: Path, stage: str, key: str) -> None:
        """Rename a finished folder to its place; where another process has put its own there, that one stays."""
        target = self.folder / stage / key
        target.parent.mkdir(exist_ok=True)
        try:
            os.rename(temporary, target)
        except OSError:
            if not target.is_dir():
                raise

    def _set_aside(self, stage: str, key: str) -> None:
        try:
            os.rename(self.folder / stage / key, self._partial_folder(f"old-{key}"))
        except FileNotFoundError:
            pass  # nothing there, or another process was faster

    def _partial_folder(self, name: str) -> Path:
        self._partial.mkdir(parents=True, exist_ok=True)
        return self._partial / f"{socket.gethostname()}_{os.getpid()}_{uuid.uuid4().hex[:8]}_{name}"

    def _remove_leftovers(self) -> None:
        """Remove what killed processes of this machine left half written."""
        for folder in self._partial.iterdir():
            host, pid, *_ = folder.name.split("_")
            if host == socket.gethostname() and not _is_alive(int(pid)):
                shutil.rmtree(folder, ignore_errors=True)


def _verified(folder: Path) -> dict[str, Any]:
    """An artefact's `meta.json`; ValueError, KeyError or OSError where it is damaged or a file is not as it says."""
    meta = json.loads((folder / LAST).read_text())
    for name, expected in meta["files"].items():
        if file_digest(folder / name) != expected:
            raise ValueError(f"{name} has changed")
    return meta


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
