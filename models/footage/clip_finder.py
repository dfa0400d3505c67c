"""Which clip and which frame the name of an annotated image means, as annotation tools write it."""

import functools
import re
from pathlib import Path
from typing import Any

from models.errors import InputError
from models.footage.annotation_words import frame_name, slug
from models.footage.image_folder import IMAGE_SUFFIXES, images_of
from models.footage.image_times import image_times
from models.footage.listing import TRUTH_FOLDER
from models.footage.video import VIDEO_SUFFIXES, is_image_folder

FRAMES = ("frame", "frame_id", "frame_index", "frame_number")
"""Keys of an image that say which frame it is, from 0."""


def id_text(value: Any) -> str | None:
    """An id as text, so that 3, 3.0 and "3" are one; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str) or value == "":
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _frame(image: dict) -> int | None:
    """The number of a frame, where the image says one."""
    for key in FRAMES:
        text = id_text(image.get(key))
        if text is not None and re.fullmatch(r"\d{1,9}", text):
            return int(text)
    return None


class ClipFinder:
    """Which clip and frame an image's name means, below one folder."""

    def __init__(self, folder: Path):
        """Look below the folder of a sidecar, and there only where a name is asked for that is no file's."""
        self.folder = folder
        self._known: dict[str, Path | None] = {}
        self._orders: dict[Path, dict[str, int]] = {}

    def find(self, name: str, image: dict) -> tuple[str | None, int, bool, str]:
        """Return clip, frame and whether the frame's number is the video's own; without a clip also what is wrong."""
        path, _, fragment = name.replace("\\", "/").partition("#")
        path = path.removeprefix("./")
        frame = _frame(image)
        if frame is None and fragment.isdecimal():
            frame = int(fragment)
        target = self._there(path)
        if target is not None and target.suffix.lower() in IMAGE_SUFFIXES and target.is_file():
            number = self._order(target.parent).get(target.name) if frame is None else frame
            problem = "its place among the images of its folder cannot be told: write `frame`, counted from 0"
            return (self._relative(target.parent), number, True, "") if number is not None else (None, 0, True, problem)
        if target is not None:
            problem = "it does not say which frame of the clip it is: write `frame`, counted from 0"
            return (self._relative(target), frame, True, "") if frame is not None else (None, 0, True, problem)
        *folders, base = path.split("/")
        clips = self._called(base, folders)
        certain = True
        if not (clips and frame is not None):
            stem, number, cvat = frame_name(base)
            clips = self._called(stem, folders) if stem else self._of(folders)
            certain = cvat or frame is not None
            frame = number if frame is None else frame
        if len(clips) == 1 and frame is not None:
            return self._relative(clips[0]), frame, certain, ""
        if frame is None:
            return None, 0, True, "its file_name is no clip's: write the clip's path from this file on, and `frame`"
        what = f"{len(clips)} clips could be meant" if clips else "no clip here is called so"
        return None, 0, True, f"its file_name does not tell the clip ({what}): write the clip's path, and `frame`"

    def _there(self, path: str) -> Path | None:
        if path not in self._known:
            inside = path and not path.startswith("/") and ".." not in path.split("/") and "\0" not in path
            target = self.folder / path
            try:
                self._known[path] = target if inside and target.exists() else None
            except OSError:  # a name too long for a file
                self._known[path] = None
        return self._known[path]

    def _called(self, name: str, folders: list[str]) -> list[Path]:
        """Clips of a name, with or without suffix; of several those in the folder that is named."""
        found = self._by_slug.get(slug(name), [])
        if len(found) > 1 and folders:
            found = [clip for clip in found if clip.parent.name == folders[-1]] or found
        return found

    def _of(self, folders: list[str]) -> list[Path]:
        """Clips that a frame without a clip's name can be of: the one its folder is called after, else all."""
        return (self._called(folders[-1], folders[:-1]) if folders else []) or self._clips

    @functools.cached_property
    def _clips(self) -> list[Path]:
        below = [
            path for path in sorted(self.folder.rglob("*")) if TRUTH_FOLDER not in path.relative_to(self.folder).parts
        ]
        return [
            path
            for path in ([self.folder] if is_image_folder(self.folder) else below)
            if is_image_folder(path) or (path.is_file() and path.suffix.lower() in VIDEO_SUFFIXES)
        ]

    @functools.cached_property
    def _by_slug(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for clip in self._clips:
            for name in {slug(clip.name), slug(clip.stem)}:
                found.setdefault(name, []).append(clip)
        return found

    def _relative(self, clip: Path) -> str:
        return clip.relative_to(self.folder).as_posix()

    def _order(self, folder: Path) -> dict[str, int]:
        """Numbers of a folder's images, in the order of their times; none where these cannot be told."""
        if folder not in self._orders:
            try:
                # Whatever the rate of images that are only counted is, their order is the same.
                files = image_times(images_of(folder), 1.0, lambda _: None).files
            except InputError:  # which is said of the clip itself
                files = []
            self._orders[folder] = {file.name: number for number, file in enumerate(files)}
        return self._orders[folder]
