"""The plate of one camera: the room as its clips show it, as other cameras of the room do, painted in where none does.

No frame enters a plate unless people were looked for in it: by a detector that read the clip to its end (and found them
or nobody), or by whoever annotated that very frame. The plate itself is searched for people who are left in it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from models import types
from models.errors import InputError
from models.footage.inpainting import fill
from models.footage.other_views import fill_from
from models.footage.person_masks import sample_frames
from models.people2d.movenet import FETCH
from pipeline.loaders import people_search
from pipeline.reconstruct_people import nobody_in_view
from pipeline.records import ClipRecord
from pipeline.runner import cached, find_made, load_value
from pipeline.settings import Settings
from pipeline.store import Artefact, Store
from stages import find_people_left, people2d, plate


@dataclass(frozen=True)
class CameraClips:
    """All clips of one fixed camera, as ingest and people2d left them."""

    root: Path
    camera: str
    clips: list[dict]
    tracks: list[list[types.Person2D]]
    looked: list[np.ndarray]
    """In which frames of each clip people were looked for."""
    seen: dict[str, list]
    """Keys of what they were loaded from."""


def load_clips(store: Store, settings: Settings, root: Path, camera: str, records: list[ClipRecord]) -> CameraClips:
    """Load all clips of a camera, and tell in which of their frames people were looked for."""
    clips = [load_value(store, "ingest", record.ingest) for record in records]
    tracks = [load_value(store, "people2d", record.people2d) if record.people2d else [] for record in records]
    looked = []
    for clip, record in zip(clips, records, strict=True):
        detected = settings.people2d.backend.kind != "sidecar" and (
            record.people2d is not None or nobody_in_view(store, settings, record)
        )
        looked.append(followed_frames(store, settings, clip, record) if detected else annotated_frames(clip))
    keys: dict[str, list] = {
        "ingest": [record.ingest for record in records],
        "people2d": [record.people2d for record in records],
    }
    return CameraClips(root, camera, clips, tracks, looked, keys)


def followed_frames(store: Store, settings: Settings, clip: dict, record: ClipRecord) -> Bool[np.ndarray, "time"]:
    """Return the frames in which a detector followed everybody whom it saw: not those around a time at which it saw
    more people than it follows (`people2d.max_people`), of whom nobody knows where they are."""
    times_s = clip["footage"].timestamps_s
    if record.people2d is None:
        return np.ones(len(times_s), dtype=bool)
    figures = find_made(store, "people2d", record.people2d).meta["figures"]
    followed = np.ones(len(times_s), dtype=bool)
    for seen_s in figures.get("unfollowed_s", ()):
        followed &= np.abs(times_s - seen_s) > settings.people2d.search_every_s
    return followed


def annotated_frames(clip: dict) -> Bool[np.ndarray, "time"]:
    """Return the frames that the clip's sidecar lists: whoever is not annotated there is not there."""
    annotations, count = clip["annotations"], len(clip["footage"].timestamps_s)
    if annotations is None:
        return np.zeros(count, dtype=bool)
    if annotations.listed is not None:
        return annotations.listed
    return np.logical_or.reduce([np.zeros(count, dtype=bool), *(person.visible for person in annotations.people)])


def make_plate(
    store: Store, settings: Settings, watched: CameraClips, other_views: dict[str, list[ClipRecord]]
) -> tuple[dict, Artefact, bool]:
    """The picture of the empty room, and which of its pixels were ever seen; InputError where nobody was looked for.

    `other_views` are the clips of other cameras of the room, by camera: their plates are asked where this one has
    holes.
    """
    own, own_artefact, _ = _own_plate(store, settings, watched)
    others: list[tuple[dict, str]] = []
    if not own["valid"].all():
        for camera, records in sorted(other_views.items()):
            there = load_clips(store, settings, watched.root, camera, records)
            if any(looked.any() for looked in there.looked):
                value, artefact, _ = _own_plate(store, settings, there)
                others.append((value, artefact.key))
    search = people_search(settings)

    def compute() -> tuple[dict, dict[str, Any]]:
        image, valid = own["image"], own["valid"]
        own_share, taken = float(valid.mean()), 0.0
        for other, _ in others:
            image, from_there = fill_from(image, valid, other["image"], other["valid"])
            valid, taken = valid | from_there, taken + float(from_there.mean())
        image = fill(image, valid)
        painted, left = 0, 0
        if search is not None:
            searched = find_people_left.search_plate(search.config, search.in_plate, image, valid, fill)
            image, valid, painted, left = searched.image, searched.valid, searched.painted_over, searched.left
        lens = watched.clips[0]["footage"].lens
        filled = float((~valid).mean())
        valid = valid if lens is None else valid & lens.covered
        return {"image": image, "valid": valid}, {
            "valid_share": float(valid.mean()),
            "plate_frames": own_artefact.meta["figures"]["frames"],
            "frames_looked_at": int(sum(looked.sum() for looked in watched.looked)),
            "frames": int(sum(len(looked) for looked in watched.looked)),
            "plate_own_share": own_share,
            "plate_other_view_share": taken,
            "plate_painted_share": filled,
            "plate_searched": int(search is not None),
            "sitters_removed": painted,
            "people_left_in_plate": left,
        }

    inputs = {
        "own": own_artefact.key,
        "others": [key for _, key in others],
        **watched.seen,
        "search": None if search is None else search.key,
    }
    return cached(store, "plate", plate.VERSION, settings.plate, inputs, compute)


def _own_plate(store: Store, settings: Settings, watched: CameraClips) -> tuple[dict, Artefact, bool]:
    """What this camera's own clips show of the room."""
    config, wanted = settings.plate, settings.run.plate_samples

    def compute() -> tuple[dict, dict[str, Any]]:
        footages = [clip["footage"] for clip in watched.clips]
        people = [
            tracks or ([] if clip["annotations"] is None else list(clip["annotations"].people))
            for tracks, clip in zip(watched.tracks, watched.clips, strict=True)
        ]
        views = list(zip(footages, people, watched.looked, strict=True))
        samples = sample_frames(watched.root, views, wanted)
        if samples is None:
            raise InputError(
                watched.camera,
                "people were looked for in none of its frames, so none can be shown in a plate",
                f"annotate frames of an empty room or with everybody in them, or {FETCH}",
            )
        image, valid = plate.run(config, samples.frames, samples.masks, samples.clips)
        return {"image": image, "valid": valid}, {"frames": len(samples.frames)}

    looked = [float(one.mean()) for one in watched.looked]
    inputs = {**watched.seen, "samples": wanted, "looked": looked, "models": people2d.weight_digests(settings.people2d)}
    return cached(store, "own_plate", plate.VERSION, config, inputs, compute)
