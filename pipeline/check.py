"""`careclips check`: what a run over a folder of footage would find, skip and miss, and how long it would take.

Every clip is read as `reconstruct` reads it, by the same step; nobody is looked for, and nothing is rebuilt. With a
store, what is read stays there, and what is finished there already is not counted again.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import InputError
from models.footage.listing import camera_file
from models.geometry.camera_file import read_camera
from models.types import Annotations, Footage
from pipeline.evaluate import LabelTable, clip_labels
from pipeline.outcomes import SetAside, attempt
from pipeline.reconstruct import assign_cameras, read_clips
from pipeline.reconstruct_people import people2d_key
from pipeline.records import ClipRecord
from pipeline.runner import Runner, load_value
from pipeline.settings import Settings
from pipeline.store import Store

POSES_S = {"sidecar": 0.0, "tflite": 0.018, "transformers": 0.5}
"""Seconds a frame that finding people takes, of one core of the machine that the bench ran on."""
LIFTING_S = 0.023
"""Seconds a frame that lifting people takes, likewise."""
ROOM_S = 10.0
"""Seconds a camera that its room takes, likewise."""


@dataclass(frozen=True)
class _ClipNeeds:
    """What `reconstruct` still has to do for a clip, and whether it can."""

    row: dict[str, Any]
    seconds: float
    missing: str
    """What is missing to find its people; empty where nothing is."""


def check(
    footage: Path, settings: Settings, runner: Runner, store: str | Path | None = None, labels: LabelTable | None = None
) -> dict[str, Any]:
    """Return the clips with what is known of them, `skipped`, `passed_over`, `missing`, and the time to be expected.

    Raises InputError where no clip can be used.
    """
    set_aside = SetAside()
    with _kept(store) as kept:
        listing, records = read_clips(kept, settings, footage, runner, set_aside)
        cameras, notes = assign_cameras(kept, settings, records) if records else ({}, [])
        paths = {one.clip: one.path for one in listing.clips}
        work = [(name, (kept, settings, footage, paths[name], record)) for name, record in records.items()]
        needs: dict[str, _ClipNeeds] = set_aside.values("looking at clips", [attempt(_needs, *one) for one in work])
        footages = {name: load_value(kept, "ingest", records[name].ingest)["footage"] for name in needs}
    missing: dict[str, list[str]] = {}
    for name, one in needs.items():
        if one.missing:
            missing.setdefault(one.missing, []).append(name)
    if labels is not None:
        found = clip_labels(labels)
        if unlabelled := [name for name, one in footages.items() if not found.of(footage, one.path)]:
            missing[f"no label in {labels.table.name}"] = unlabelled
        if found.counts()["unmatched"]:
            missing[str(found.unmatched())] = []
    seconds = sum(one.seconds for one in needs.values()) + ROOM_S * len({cameras[name] for name in needs})
    summary = {
        "clips": [{"clip": name, "camera": cameras[name], **one.row} for name, one in needs.items()],
        "cameras": len({cameras[name] for name in needs}),
        "notes": notes,
        "missing": [{"reason": reason, "clips": clips} for reason, clips in missing.items()],
        "passed_over": listing.passed_over,
        "expected_minutes": round(seconds / settings.run.workers / 60.0, 1),
    } | set_aside.summary()
    if not needs:
        raise InputError(
            footage, f"holds no clip that can be used: {set_aside.first_reason()}", "see --help of reconstruct"
        )
    return summary


@contextmanager
def _kept(store: str | Path | None) -> Iterator[Store]:
    if store is not None:
        yield Store(store)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Store(folder)


def _needs(store: Store, settings: Settings, root: Path, path: Path, record: ClipRecord) -> _ClipNeeds:
    """What is known of a clip; InputError where its camera file cannot be used."""
    value = load_value(store, "ingest", record.ingest)
    clip: Footage = value["footage"]
    annotations: Annotations | None = value["annotations"]
    frames = len(clip.timestamps_s)
    given = camera_file(path, root)
    if given.exists():
        read_camera(given, clip.width_px, clip.height_px, clip.coded_px)
    backend = settings.people2d.backend.kind
    annotated = _annotated_frames(annotations, settings.people2d.sidecar_keypoints)
    done = store.find("people2d", people2d_key(store, settings, record)) is not None
    lacking = frames - annotated
    missing = ""
    if annotated == 0 and backend == "sidecar":
        missing = (
            "no keypoints in a sidecar, and no pose model is configured; name one by --pose-file or people2d.backend"
        )
    seconds = 0.0 if done else lacking * POSES_S[backend] + frames * LIFTING_S
    source = "sidecar" if lacking == 0 else backend if annotated == 0 else f"sidecar, then {backend}"
    row = {
        "frames": frames,
        "seconds": round(record.seconds, 2),
        "frames_per_s": round((frames - 1) / record.seconds, 2) if record.seconds else 0.0,
        "width_px": clip.width_px,
        "height_px": clip.height_px,
        "annotated_frames": annotated,
        "poses": "none" if missing else source,
        "camera_file": given.exists(),
        "done": done,
        "notes": list(record.notes or ()),
    }
    return _ClipNeeds(row, seconds, missing)


def _annotated_frames(annotations: Annotations | None, least: int) -> int:
    """In how many frames somebody's keypoints are annotated."""
    if annotations is None or not annotations.people:
        return 0
    return int(np.any([(person.scores > 0.0).sum(axis=1) >= least for person in annotations.people], axis=0).sum())
