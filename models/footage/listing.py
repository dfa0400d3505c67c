"""What is in a folder of footage: every file is a frame of a clip, a sidecar, something skipped or passed over."""

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from models.errors import InputError
from models.files import digest, file_digest
from models.footage.image_folder import IMAGE_SUFFIXES, images_of
from models.footage.image_times import TABLE
from models.footage.video import VIDEO_SUFFIXES
from models.text_files import read_json, read_table

TRUTH_FOLDER = "truth"
"""Name of the folder of exact answers beside sample footage: scoring alone opens it."""
FEW_IMAGES = 8
"""Fewer images beside or above other footage are pictures of the place."""
LONGEST_NAME = 240
"""Bytes of a clip's name: it becomes the name of a file."""
_UNSAID_SUFFIXES = {".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".wmv"}
_UNSAID_SUFFIXES |= {".jpg", ".jpeg", ".png", ".bmp"}
"""Suffixes that a clip's name goes without, where that names one clip."""
_SIDECARS = {"annotations.json", "camera.json", TABLE}
_AT_THE_TOP = {"footage.csv", "summary.json"}
"""What our sample footage has beside the clips, and footage.csv."""
_OURS = {
    "dataset.json": ({"counts"}, "a dataset"),
    "index.json": ({"rooms", "clips", "footage"}, "a store"),
    "meta.json": ({"stage", "key", "files"}, "an artefact of a store"),
}
"""Files by which our own outputs are known: the keys that they have, and what the folder is then."""


@dataclass(frozen=True)
class Listing:
    """One clip of a footage folder."""

    clip: str
    path: Path
    row: dict[str, str]
    """Its row of footage.csv; empty without one."""


@dataclass(frozen=True)
class Skipped:
    """Something in a footage folder that could have been a clip."""

    item: str
    """Its path below the folder."""
    kind: str
    """`missing`, `unlisted`, `output`, `link`, `unreadable` or `pictures`."""
    reason: str
    """Why it is none, and what to do about it."""


@dataclass(frozen=True)
class FootageListing:
    """All that is in a footage folder."""

    clips: list[Listing]
    """By path."""
    skipped: list[Skipped] = field(default_factory=list)
    passed_over: dict[str, int] = field(default_factory=dict)
    """How many files are no footage, by suffix."""


def list_footage(root: Path) -> FootageListing:
    """List all that is below `root`: its videos and folders of images, and what is passed over.

    Folders that are links are followed, each folder once. `truth` folders are left alone. Raises InputError where there
    is nothing, or where a line of footage.csv cannot be used.
    """
    if not root.exists():
        raise InputError(root, "is not there", "give the folder that holds the videos")
    if not root.is_dir():
        raise InputError(root, "is not a folder", "give the folder that holds the videos")
    search = _Search(root)
    search.run()
    found, skipped = {path: {} for path in search.clips}, search.skipped
    rows, missing = _read_footage_csv(root)
    if rows or missing:
        skipped = [one for one in skipped if PurePosixPath(one.item) not in rows] + missing
        skipped += [
            Skipped(path.as_posix(), "unlisted", "is not in footage.csv; add a line for it, or remove it")
            for path in found
            if path not in rows
        ]
        found = rows
    if not found and not skipped:
        counts = ", ".join(f"{count} {suffix}" for suffix, count in sorted(search.passed_over.items()))
        raise InputError(
            root,
            "holds no video and no folder of images" + (f" (passed over: {counts})" if counts else ""),
            "give a folder with mp4, mkv, mov, avi, … files",
        )
    names = _clip_names(root, list(found))
    clips = [Listing(names[path], root / path, found[path]) for path in sorted(found)]
    return FootageListing(clips, sorted(skipped, key=lambda one: one.item), dict(sorted(search.passed_over.items())))


def camera_file(clip: Path, root: Path) -> Path:
    """Return where the camera file of a clip is looked for: beside it, and never outside of the footage folder."""
    return (root if clip == root else clip.parent) / "camera.json"


def clip_digest(clip: Path, root: Path) -> str:
    """Return the digest of a clip's bytes; of a footage folder that is one clip, of its images and their times."""
    if clip != root:
        return file_digest(clip)
    files = [*images_of(clip), *(file for file in [clip / TABLE] if file.exists())]
    return digest({file.name: file_digest(file) for file in files})


class _Search:
    """Walks a footage folder, each real folder once, and sorts what it finds."""

    def __init__(self, root: Path):
        self.clips: list[PurePosixPath] = []
        self.skipped: list[Skipped] = []
        self.passed_over: Counter[str] = Counter()
        self._root = root
        self._home = Path(os.path.realpath(root))
        self._seen: set[str] = set()
        self._pictures: list[tuple[PurePosixPath, list[Path], bool]] = []
        """Folders with images; whether videos lie among them."""

    def run(self) -> None:
        """Find everything; folders by their own path before the links to them."""
        waiting = [self._root]
        while waiting:
            links = []
            for folder in waiting:
                links += self._walk(folder)
            waiting = links
        self._sort_pictures()

    def _relative(self, path: Path) -> PurePosixPath:
        return PurePosixPath(path.relative_to(self._root))

    def _skip(self, path: Path, kind: str, reason: str) -> None:
        self.skipped.append(Skipped(self._relative(path).as_posix(), kind, reason))

    def _walk(self, folder: Path) -> list[Path]:
        """Go through a folder and all below it; return the links to folders that it holds."""
        real = os.path.realpath(folder)
        if real in self._seen:
            if folder.is_symlink():
                self._skip(folder, "link", "leads to a folder that is read already; nothing is to be done")
            return []
        if self._home.is_relative_to(real) and folder != self._root:
            self._skip(folder, "link", "leads to a folder that holds the footage itself; remove it")
            return []
        self._seen.add(real)
        if folder != self._root and (ours := _our_output(folder)):
            self._skip(folder, "output", f"is {ours} that careclips wrote; keep outputs outside of the footage")
            return []
        try:
            children = sorted(folder.iterdir())
        except OSError as error:
            self._skip(folder, "unreadable", f"cannot be opened ({error.strerror}); correct its permissions")
            return []
        links, images, videos = [], [], False
        for child in children:
            try:
                kind = self._kind(child, folder)
            except OSError as error:
                self._skip(child, "unreadable", f"cannot be looked at ({error.strerror}); correct its permissions")
                continue
            if kind == "folder":
                links += [child] if child.is_symlink() else self._walk(child)
            elif kind == "video":
                self.clips.append(self._relative(child))
                videos = True
            elif kind == "image":
                images.append(child)
            elif kind == "nothing":
                self._skip(child, "link", "is a link to nothing; remove it or mend it")
            elif kind != "known":
                self.passed_over[kind] += 1
        if images:
            self._pictures.append((self._relative(folder), images, videos))
        return links

    def _kind(self, child: Path, folder: Path) -> str:
        """`folder`, `video`, `image`, `nothing` for a link to nothing, `known` for what stands for itself, else what it
        is counted as."""
        if child.name.startswith("."):
            return "(hidden)"
        if child.is_dir():
            return "known" if child.name == TRUTH_FOLDER else "folder"
        if not child.is_file():
            return "(no file)" if child.exists() else "nothing"
        suffix = child.suffix.lower()
        if suffix in VIDEO_SUFFIXES:
            return "video"
        if suffix in IMAGE_SUFFIXES:
            return "image"
        known = child.name in _SIDECARS or (folder == self._root and child.name in _AT_THE_TOP)
        return "known" if known else suffix or "(no suffix)"

    def _sort_pictures(self) -> None:
        """Say which folders of images are clips, deepest first: few images beside or above other footage are none."""
        for path, images, videos in sorted(self._pictures, key=lambda one: len(one[0].parts), reverse=True):
            few = len(images) < FEW_IMAGES
            if few and (videos or any(path in clip.parents for clip in self.clips)):
                self.passed_over.update(image.suffix.lower() for image in images)
            elif videos:
                reason = (
                    f"{len(images)} images lie beside videos, so they are no clip; give frames a folder of their own"
                )
                self.skipped.append(Skipped(path.as_posix(), "pictures", reason))
            else:
                self.clips.append(path)


def _our_output(folder: Path) -> str:
    """What kind of output of ours a folder is; empty where it is none."""
    for name, (keys, kind) in _OURS.items():
        if (folder / name).is_file() and _has_keys(folder / name, keys):
            return kind
    artefacts = folder / "ingest"
    if artefacts.is_dir() and any(_has_keys(meta, _OURS["meta.json"][0]) for meta in artefacts.glob("*/meta.json")):
        return "a store"
    if (folder / "footage" / TRUTH_FOLDER).is_dir() and _our_output(folder / "store"):
        return "a demo"
    return ""


def _has_keys(file: Path, keys: set[str]) -> bool:
    try:
        content = read_json(file)
    except InputError:
        return False
    return isinstance(content, dict) and keys <= content.keys()


def _clip_names(root: Path, paths: list[PurePosixPath]) -> dict[PurePosixPath, str]:
    """Name every clip: its path with / as __, without suffix; with it, and with a digest of the path, where two would
    be called the same."""
    detail = dict.fromkeys(paths, 0)
    while True:
        names = {path: _clip_name(root, path, detail[path]) for path in paths}
        counts = Counter(names.values())
        again = [path for path in paths if counts[names[path]] > 1 and detail[path] < 2]
        if not again:
            return names
        for path in again:
            detail[path] += 1


def _clip_name(root: Path, path: PurePosixPath, detail: int) -> str:
    if path == PurePosixPath("."):
        return root.resolve().name or "footage"
    plain = path.with_suffix("") if detail == 0 and path.suffix.lower() in _UNSAID_SUFFIXES else path
    name, mark = "__".join(plain.parts), f"~{digest(path.as_posix())[:8]}"
    if detail == 2:
        name += mark
    content = os.fsencode(name)
    if len(content) > LONGEST_NAME:
        name = content[: LONGEST_NAME - len(mark)].decode("utf-8", errors="ignore") + mark
    return name


def _read_footage_csv(root: Path) -> tuple[dict[PurePosixPath, dict[str, str]], list[Skipped]]:
    """Rows of footage.csv by path, and those whose file is not there."""
    table = root / "footage.csv"
    if not table.exists():
        return {}, []
    rows: dict[PurePosixPath, dict[str, str]] = {}
    missing = []
    for row in read_table(table, ("path", "camera")):
        path = PurePosixPath(row.text("path"))
        if not _exists(root / path) and "\\" in row.text("path"):
            path = PurePosixPath(row.text("path").replace("\\", "/"))  # as Windows writes it
        if path.is_absolute() or ".." in path.parts:
            raise row.fail(f"{path} leaves the footage folder", "give paths below it")
        if path in rows:
            raise row.fail(f"{path} has a line already", "keep one of them")
        if _exists(root / path):
            rows[path] = row.cells
        else:
            reason = f"line {row.line} of footage.csv: it is not there; correct the path or remove the line"
            missing.append(Skipped(path.as_posix(), "missing", reason))
    return rows, missing


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name too long, a folder that may not be entered
        return False
