"""Folders of files in an object store, by any fsspec URL: put there with their last file last, fetched file by file.

Object stores cannot rename a folder, so the presence of one file, `meta.json`, says that all others are there.
"""

from pathlib import Path
from typing import Any

from models.errors import InputError

LAST = "meta.json"


class Objects:
    """What lies below one URL, by names with /; files are whole or not there."""

    def __init__(self, url: str):
        """Open the URL's file system; InputError where fsspec lacks the protocol or the package for it."""
        # Here, not above: machines that only train motion have none.
        import fsspec

        try:
            files, base = fsspec.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise InputError(
                url, f"cannot be opened ({error})", "install what it asks for, or name a folder"
            ) from error
        self._files: Any = files
        self._base: str = base.rstrip("/")

    def read(self, name: str) -> bytes | None:
        """Read a file's bytes; None where there is none."""
        try:
            return self._files.cat_file(f"{self._base}/{name}")
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Write a whole file over what was there."""
        self._files.pipe_file(f"{self._base}/{name}", content)

    def publish(self, folder: Path, name: str) -> None:
        """Upload a folder's files, its `meta.json` last: until then nobody finds it."""
        files = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
        for file in [*(file for file in files if file != LAST), LAST]:
            self._files.put_file(str(folder / file), f"{self._base}/{name}/{file}")

    def fetch(self, name: str, into: Path) -> None:
        """Download one file; FileNotFoundError where there is none."""
        into.parent.mkdir(parents=True, exist_ok=True)
        self._files.get_file(f"{self._base}/{name}", str(into))

    def remove(self, name: str) -> None:
        """Remove a file, where there is one."""
        try:
            self._files.rm_file(f"{self._base}/{name}")
        except FileNotFoundError:
            pass  # or another process was faster

    def names(self, end: str = "") -> list[str]:
        """List the names of all files, or of those that end so."""
        try:
            found = self._files.find(self._base)
        except FileNotFoundError:
            return []
        return sorted(name.removeprefix(self._base).lstrip("/") for name in found if name.endswith(end))

    def remove_folder(self, name: str) -> None:
        """Remove a folder and all in it, its `meta.json` first."""
        self.withdraw(name)
        if self._files.exists(f"{self._base}/{name}"):
            self._files.rm(f"{self._base}/{name}", recursive=True)

    def withdraw(self, name: str) -> None:
        """Remove a folder's `meta.json`, so that it is not found any more."""
        self.remove(f"{name}/{LAST}")
