"""A COCO file as it lies beside footage, whoever wrote it: found, read, and what it says of a clip put into our words.

What is handed on (`clip_entries`) is COCO as docs/formats.md has it, whatever names, ids and frame names the file uses;
of a file that is written so already it is what stands there, unchanged. An entry that cannot be understood is left out
and counted with its reason; it costs neither the others nor the clip.
"""

import functools
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import InputError
from models.footage.annotation_words import ROLES, category, joint_order
from models.footage.clip_finder import ClipFinder, id_text
from models.text_files import read_json

NAME = "annotations.json"
IDENTITIES = ("person_id", "track_id", "instance_id")
"""Keys that say who is who, of an annotation itself or of its `attributes`."""


class Skipped:
    """Entries that were left out, counted by reason."""

    def __init__(self, rows: Iterable[tuple[str, int, Any]] = ()):
        self.rows: dict[str, tuple[int, Any]] = {reason: (count, first) for reason, count, first in rows}

    def add(self, reason: str, item: Any) -> None:
        """Count one entry."""
        count, first = self.rows.get(reason, (0, item))
        self.rows[reason] = count + 1, first

    def words(self, name: str, kind: str = "annotation") -> list[str]:
        """Say each reason in a line that begins with the file's name."""
        lines = []
        for reason, (count, first) in self.rows.items():
            which = f"{kind} {first!s:.60}" if count == 1 else f"{count} {kind}s, the first {first!s:.60}"
            lines.append(f"{name}: {which}: {reason}")
        return lines


@dataclass(frozen=True)
class CocoFile:
    """A file's entries by what they belong to."""

    images: dict[str, list[dict]]
    """By clip: its path below the file's folder."""
    annotations: dict[str, list[dict]]
    """By the id of their image, as text."""
    categories: dict[Hashable, str]
    """Our name, by id."""
    joints: dict[str, list[str]]
    """Names of the keypoints, by the category's id as text, where the file says them."""
    count: int
    """How many images it lists."""
    names: tuple[str, ...]
    """Some of the images' names."""
    counted: frozenset[str]
    """Clips whose frames are told by numbers that need not be the video's own."""
    complaints: tuple[str, ...] = field(default=())
    """What of it can belong to no clip, in words."""


def find_sidecar(clip: Path, root: Path) -> Path | None:
    """Find the nearest `annotations.json` from the clip's folder up to the footage root."""
    for folder in (clip if clip.is_dir() else clip.parent, *clip.parents):
        if (folder / NAME).exists():
            return folder / NAME
        if folder == root:
            return None
    return None


def read_coco(path: Path) -> CocoFile:
    """Read a file, once as long as it does not change; InputError where it is no COCO at all."""
    try:
        status = path.stat()
    except OSError as error:
        raise InputError(path, f"cannot be opened ({error.strerror})", "correct its permissions") from error
    return _read(path, (status.st_mtime_ns, status.st_size))


@functools.lru_cache(maxsize=4)
def _read(path: Path, stamp: tuple[int, int]) -> CocoFile:
    raw = read_json(path, constants=True)  # one such number costs its annotation, not the file
    lists = {}
    for key in ("images", "annotations", "categories"):
        lists[key] = raw.get(key) if isinstance(raw, dict) else None
        if not isinstance(lists[key], list):
            remedy = "write a COCO file: lists of images, annotations, categories"
            raise InputError(path, f"is not a readable COCO file (it has no list {key!r})", remedy)
    odd_images, odd_annotations = Skipped(), Skipped()
    ids = [id_text(one.get("id")) if isinstance(one, dict) else None for one in lists["images"]]
    places, images, counted = ClipFinder(path.parent), {}, set()
    seen: dict[str, int] = {}
    for one in ids:
        if one is not None:
            seen[one] = seen.get(one, 0) + 1
    for image, one in zip(lists["images"], ids, strict=True):
        name = image.get("file_name") if isinstance(image, dict) else None
        if one is None or not isinstance(name, str):
            odd_images.add("it has no id or no file_name", name or one)
        elif seen[one] > 1:
            odd_images.add(f"its id {one} is another image's, too", name)
        else:
            clip, frame, certain, problem = places.find(name, image)
            if clip is None:
                odd_images.add(problem, name)
                continue
            ours = type(image.get("frame")) is int and image["frame"] == frame
            images.setdefault(clip, []).append(image if ours else {**image, "frame": frame})
            counted |= set() if certain else {clip}
    annotations: dict[str, list[dict]] = {}
    for number, one in enumerate(lists["annotations"]):
        image = id_text(one.get("image_id")) if isinstance(one, dict) else None
        if image not in seen:
            odd_annotations.add("its image_id is no image's", _name_of(one, number))
        else:
            annotations.setdefault(image, []).append(one)
    kept = [one for one in lists["categories"] if isinstance(one, dict) and id_text(one.get("id")) is not None]
    numbers = all(type(one["id"]) is int for one in kept)
    names = [one.get("file_name") for one in lists["images"] if isinstance(one, dict)]
    return CocoFile(
        images,
        annotations,
        {one["id"] if numbers else id_text(one["id"]): category(str(one.get("name"))) for one in kept},
        {
            str(id_text(one["id"])): [str(name) for name in one["keypoints"]]
            for one in kept
            if isinstance(one.get("keypoints"), list) and one["keypoints"]
        },
        len(lists["images"]),
        tuple(name for name in names if isinstance(name, str))[:2],
        frozenset(counted),
        (*odd_images.words(path.name, "image"), *odd_annotations.words(path.name)),
    )


def file_complaints(sidecar: Path) -> list[str]:
    """Say what of a file can belong to no clip, or that it cannot be read; the same words for every clip below it."""
    try:
        return list(read_coco(sidecar).complaints)
    except InputError as error:
        return [f"{sidecar.name} {error.problem}; {error.remedy}; clips go on without it"]


def clip_entries(sidecar: Path, clip: Path) -> dict[str, Any] | None:
    """Return what a file says of one clip alone, in our words; None where it says nothing or cannot be read.

    The digest of what is returned is the clip's own.

    `images`, `annotations` and `categories` are COCO's; only where there is something to say are there `skipped`
    (reason, count, first annotation) and `doubtful` (images of which an annotation was skipped, so that somebody may be
    there whom they do not show), and `counted` where the frames' numbers may not be the video's own.
    """
    try:
        content = read_coco(sidecar)
    except InputError:  # said by `file_complaints`
        return None
    name = clip.relative_to(sidecar.parent).as_posix()
    if not content.images.get(name):
        return None
    images = content.images[name]
    skipped, doubtful = Skipped(), []
    annotations: list[dict] = []
    for image in images:
        for number, entry in enumerate(content.annotations.get(str(id_text(image["id"])), [])):
            one, problem = _in_our_words(content, entry, image)
            if problem:
                skipped.add(problem, _name_of(entry, number))
            if one is None:
                doubtful.append(str(image["id"]))
            else:
                annotations.append(one)
    annotations = _identified(annotations, {image["id"]: image["frame"] for image in images}, content.categories)
    entries = {"images": images, "annotations": annotations, "categories": content.categories}
    if skipped.rows:
        entries["skipped"] = [[reason, count, first] for reason, (count, first) in skipped.rows.items()]
        entries["doubtful"] = sorted(set(doubtful))
    if name in content.counted:
        entries["counted"] = True
    return entries


def why_nothing(sidecar: Path, clip: Path) -> str:
    """Say why a file has nothing of a clip, or no keypoints."""
    try:
        content = read_coco(sidecar)
    except InputError as error:
        return f"{sidecar.name} {error.problem}"
    if clip.relative_to(sidecar.parent).as_posix() in content.images:
        return f"{sidecar.name} has no keypoints of this clip that can be used"
    listed = f"{sidecar.name} lists {content.count} images, none of {clip.name}"
    return f"{listed}: it names {', '.join(content.names)}, ..." if content.names else listed


def _in_our_words(content: CocoFile, entry: dict, image: dict) -> tuple[dict | None, str]:
    """An annotation with our ids and keypoints, None where it is nobody's; and what was wrong with it."""
    given = entry.get("category_id")
    if id_text(given) is None:
        return None, "it has no category_id"
    by_text = {id_text(one): one for one in content.categories}
    if id_text(given) not in by_text:
        return None, f"its category_id {given!s:.40} is no category's"
    changes: dict[str, Any] = {}
    key = by_text[id_text(given)]
    if entry["image_id"] != image["id"] or type(entry["image_id"]) is not type(image["id"]):
        changes["image_id"] = image["id"]
    if given != key or type(given) is not type(key):
        changes["category_id"] = key
    if content.categories[key] not in ROLES:
        return {**entry, **changes} if changes else entry, ""
    attributes = entry.get("attributes")
    sources = (entry, attributes) if isinstance(attributes, dict) else (entry,)
    who = [source.get(name) for source in sources for name in IDENTITIES]
    named = next((one for one in who if id_text(one) is not None), None)
    if named is not None and entry.get("person_id") != named:
        changes["person_id"] = named
    problem = ""
    names = content.joints.get(str(id_text(given)))
    keypoints = entry.get("keypoints")
    if keypoints == []:
        changes["keypoints"] = [0] * 51
    elif keypoints is not None and names is not None:
        order = joint_order(names)
        if order is None:
            shown = ", ".join(names[:4])
            problem = f"its keypoints are not used: of {len(names)} called {shown}, ... COCO's cannot be told"
            changes["keypoints"] = [0] * 51
        elif order != list(range(17)) or len(names) != 17:
            if not isinstance(keypoints, list) or len(keypoints) != 3 * len(names):
                problem = f"its keypoints are not used: they are not {len(names)} times x, y, v"
                changes["keypoints"] = [0] * 51
            else:
                triples = [([0, 0, 0] if at is None else keypoints[3 * at : 3 * at + 3]) for at in order]
                changes["keypoints"] = [value for triple in triples for value in triple]
    return {**entry, **changes} if changes else entry, problem


def _identified(annotations: list[dict], frames: dict[Any, int], categories: dict[Hashable, str]) -> list[dict]:
    """Tell people apart who bear one number as staff and as patients, or none where several are in one frame.

    Who has no number is whoever's box overlapped most in the last frame before.
    """
    found, roles, nameless = [], {}, {}
    for entry in annotations:
        role = categories[entry["category_id"]]
        if role not in ROLES:
            found.append(entry)
            continue
        who = id_text(entry.get("person_id"))
        if who is None:
            nameless.setdefault(frames[entry["image_id"]], []).append(len(found))
        elif roles.setdefault(who, role) != role and "person" not in (role, roles[who]):
            entry = {**entry, "person_id": f"{who}_{role}"}
        found.append(entry)
    if all(len(places) == 1 for places in nameless.values()) and (not nameless or "1" not in roles):
        return found
    last: dict[int, Any] = {}
    for frame in sorted(nameless):
        free = dict(last)
        for place in nameless[frame]:
            overlaps = {number: _overlap(box, found[place].get("bbox")) for number, box in free.items()}
            number = max(overlaps, key=overlaps.__getitem__, default=None)
            if number is None or overlaps[number] <= 0.0:
                number = len(last)
            free.pop(number, None)
            last[number] = found[place].get("bbox")
            found[place] = {**found[place], "person_id": f"unnumbered_{number + 1}"}
    return found


def _overlap(first: Any, second: Any) -> float:
    """Intersection over union of two COCO boxes; 0 where one of them is none."""
    try:
        boxes = np.array([first, second], dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return 0.0
    if boxes.shape != (2, 4) or not np.isfinite(boxes).all():
        return 0.0
    low, high = boxes[:, :2].max(axis=0), (boxes[:, :2] + boxes[:, 2:]).min(axis=0)
    shared = float(np.prod(np.clip(high - low, 0.0, None)))
    return shared / max(float(np.prod(boxes[:, 2:], axis=1).sum()) - shared, 1e-9)


def _name_of(entry: Any, number: int) -> Any:
    return entry.get("id", number) if isinstance(entry, dict) else number
