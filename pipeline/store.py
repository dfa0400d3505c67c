"""The artefact store: content keys, atomic writes, digests verified on read.

An artefact is a folder `<root>/<stage>/<key>/` with data files and `meta.json`. Its key is a digest of everything that
it was made from, so it is never out of date; it is written under `<root>/.partial/` and renamed last (or uploaded with
`meta.json` last), so it is never half written. A damaged artefact (a file missing or changed) is set aside, and so
computed again.
"""

import json
import logging
import os
import re
import shutil
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from models.config import Config
from models.errors import InputError
from models.files import cache_folder, digest, file_digest, write_text
from pipeline.object_store import LAST, Objects

log = logging.getLogger(__name__)

_PARTIAL = re.compile(r"(?P<host>.+)_(?P<process>\d+)_[0-9a-f]{8}_.+")
"""Name of what is being written."""


@dataclass(frozen=True)
class Artefact:
    """A finished artefact on disk."""

    stage: str
    key: str
    folder: Path
    meta: dict[str, Any]


def artefact_folder(place: str) -> Path:
    """Return the folder of `STORE/<stage>/<key>`; fetched and verified where the store is a URL. InputError where it is
    none."""
    if "://" not in place:
        return Path(place)
    root, stage, key = place.rstrip("/").rsplit("/", 2)
    found = Store(root).find(stage, key)
    if found is None:
        raise InputError(place, "is no artefact", "give STORE/<stage>/<key>, or the store itself")
    return found.folder


class Store:
    """Artefacts below one root, shared by any number of processes: a local folder, or an object store by its fsspec
    URL.

    Of an object store a copy is kept in `cache_folder()`, which may be removed at any time: artefacts are written
    there, then uploaded, `meta.json` last; and downloaded there once, and verified.
    """

    def __init__(self, root: str | Path):
        """Open a store; nothing is made before something is written. InputError where a URL cannot be opened."""
        self.root = str(root)
        self._objects: Objects | None = None
        if "://" not in self.root:
            self.folder = Path(os.path.expanduser(root))
        elif self.root.startswith(("file://", "local://")):
            self.folder = Path(self.root.split("://", 1)[1])
        else:
            self._objects = Objects(self.root)
            self.folder = cache_folder() / "stores" / digest(self.root.rstrip("/"))[:16]
        self._partial = self.folder / ".partial"
        if self._partial.is_dir():
            self._remove_leftovers()

    def key(self, stage: str, version: int, config: Config | None, inputs: dict[str, Any]) -> str:
        """Content key of an artefact: digest of stage, its version, config values and the digests of its inputs."""
        values = None if config is None else config.key_values()
        return digest({"stage": stage, "version": version, "config": values, "inputs": inputs})[:32]

    def find(self, stage: str, key: str) -> Artefact | None:
        """Find the artefact, every file of it verified against its digest; None where there is none or it is
        damaged."""
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
        """Read a text that lies beside the artefacts (`index.json`, `summary.json`); None where there is none."""
        if self._objects is not None:
            content = self._objects.read(name)
            return None if content is None else content.decode()
        try:
            return (self.folder / name).read_text()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write_text(self, name: str, text: str) -> None:
        """Write a text beside the artefacts, whole; an empty one is removed."""
        if not text:
            if self._objects is not None:
                self._objects.remove(name)
            else:
                (self.folder / name).unlink(missing_ok=True)
        elif self._objects is not None:
            self._objects.write(name, text.encode())
        else:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_text(self.folder / name, text)

    def artefacts(self) -> list[Artefact]:
        """Return every artefact that the store names, whole or not: with what its `meta.json` says, empty where that is
        damaged. Of an object store `folder` is where the cache keeps it, if it does."""
        names = (
            [path.relative_to(self.folder).as_posix() for path in sorted(self.folder.glob(f"*/*/{LAST}"))]
            if self._objects is None
            else self._objects.names(LAST)
        )
        found = []
        for name in names:
            parts = PurePosixPath(name).parts
            if len(parts) != 3 or parts[0].startswith("."):
                continue
            folder = self.folder / parts[0] / parts[1]
            content = self._objects.read(name) if self._objects else (folder / LAST).read_bytes()
            try:
                meta = json.loads(content or b"")
            except ValueError:
                meta = {}
            found.append(Artefact(parts[0], parts[1], folder, meta if isinstance(meta, dict) else {}))
        return found

    def remove(self, artefact: Artefact) -> None:
        """Remove an artefact, in the cache, too; its `meta.json` first, so that nobody finds half of it."""
        if self._objects is not None:
            self._objects.remove_folder(f"{artefact.stage}/{artefact.key}")
        (artefact.folder / LAST).unlink(missing_ok=True)
        shutil.rmtree(artefact.folder, ignore_errors=True)

    def remove_unfinished(self) -> None:
        """Remove what is, or was, being written; nobody else may be writing."""
        shutil.rmtree(self._partial, ignore_errors=True)

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """Yield name and bytes of every file of the store, of its cache, too."""
        if self._objects is not None:
            for name in self._objects.names():
                yield f"{self.root}/{name}", self._objects.read(name) or b""
        for path in sorted(self.folder.rglob("*")):
            if path.is_file():
                yield str(path), path.read_bytes()

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
                for name in _file_names(json.loads(published)):
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
            named = _PARTIAL.fullmatch(folder.name)  # a network file system leaves others there, .nfs0001 and the like
            if named and named["host"] == socket.gethostname() and not _is_alive(int(named["process"])):
                shutil.rmtree(folder, ignore_errors=True)


def _verified(folder: Path) -> dict[str, Any]:
    """An artefact's `meta.json`; ValueError, KeyError or OSError where it is damaged or a file is not as it says."""
    meta = json.loads((folder / LAST).read_text())
    for name in _file_names(meta):
        if file_digest(folder / name) != meta["files"][name]:
            raise ValueError(f"{name} has changed")
    return meta


def _file_names(meta: dict[str, Any]) -> list[str]:
    """Names of an artefact's files; ValueError where one leaves its folder: whoever can write a bucket must not write
    elsewhere."""
    names = list(meta["files"])
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or not path.parts or name == LAST:
            raise ValueError(f"its file {name!r} lies outside of the artefact's folder")
    return names


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
