"""`careclips evaluate people`: how well people are lifted, against exact truth and on real footage."""

import json
from pathlib import Path
from typing import Any

from models.body.tracks import track_joints
from models.compare_falls.real_falls import LiftedClip, read_falls
from models.errors import InputError
from models.files import write_text
from models.seeds import generator
from pipeline.loaders import body_model
from pipeline.outcomes import SetAside
from pipeline.output_folder import holds
from pipeline.records import read_store_index
from pipeline.runner import Runner, load_value
from pipeline.settings import Settings
from pipeline.store import Store
from stages import evaluate_people as stage
from stages import people3d


def lift_sample_clip(footage: Path, clip: str, size: tuple[int, int], settings: Settings) -> dict[str, Any]:
    """Lift one clip of sample footage by every variant, from its true keypoints and from spoiled ones."""
    config, lifting = settings.evaluate_people, settings.people3d
    body = body_model(settings.run.body)
    true = stage.true_clip(footage / "truth" / clip, *size)
    result: dict[str, Any] = {}
    for keypoints in ("clean", "noisy"):
        people = true.people
        if keypoints == "noisy":
            rng = generator(settings.seed, "evaluate_people", clip)
            people = tuple(stage.add_detector_noise(person, config, rng) for person in people)
        for variant in stage.VARIANTS:
            # Whoever fails is counted in the errors, not left out of them.
            chosen = lifting.model_copy(update={"variant": variant, "plausibility": stage.NOBODY_FAILS})
            ((tracks, _),) = people3d.run(chosen, [people3d.Clip(people, true.timestamps_s, true.camera)], body)
            errors = stage.clip_errors(body, true, tracks)
            result[f"{keypoints}/{variant}"] = (errors, len(people), len(tracks))
    return {"lifted": result}


@holds("out")
def evaluate_people(
    footage: Path,
    out: Path,
    settings: Settings,
    runner: Runner,
    store: str | Path | None = None,
    events: Path | None = None,
) -> dict:
    """Measure errors of lifting on sample footage by variant, and what real footage shows; written to
    `out/summary.json`."""
    size = settings.sample_footage
    names = sorted(path.name for path in (footage / "truth").iterdir()) if (footage / "truth").is_dir() else []
    if not names:
        raise InputError(footage, "holds no sample footage with its truth", "make some with `careclips sample-footage`")
    work = [(name, (footage, name, (size.width_px, size.height_px), settings)) for name in names]
    set_aside = SetAside()
    values = set_aside.values("lifting people", runner("lifting people", lift_sample_clip, work))
    lifted = [value["lifted"] for value in values.values()]
    summary: dict[str, Any] = {
        **set_aside.summary(),
        "clips": len(lifted),
        "footage": str(footage),
        "seed": settings.seed,
    }
    for keypoints in ("clean", "noisy"):
        summary[keypoints] = {}
        for variant in stage.VARIANTS:
            rows = [clip[f"{keypoints}/{variant}"] for clip in lifted]
            people, found = sum(row[1] for row in rows), sum(row[2] for row in rows)
            summary[keypoints][variant] = stage.table([row[0] for row in rows], people, found)
    if store is not None:
        summary["real"] = real_lifting(Store(store), settings, events)
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "summary.json", json.dumps(summary, indent=1))
    set_aside.write_tracebacks(out)
    return summary


def lifted_clips(store: Store, settings: Settings) -> list:
    """Load every clip of a store in which people were looked for, as `models.compare_falls.real_falls.LiftedClip`."""
    index, body, clips = read_store_index(store), body_model(settings.run.body), []
    for name, record in index.clips.items():
        if record.people2d is None:
            continue
        footage = load_value(store, "ingest", record.ingest)["footage"]
        people = load_value(store, "people2d", record.people2d)
        tracks, room, camera = (), None, ""
        if record.people3d and record.room:
            tracks, camera = load_value(store, "people3d", record.people3d).people, record.room
            room = load_value(store, "room", index.rooms[record.room])
        joints = {track.person: track_joints(body, track) for track in tracks}
        clips.append(LiftedClip(name, camera, footage, tuple(people), tuple(tracks), joints, room))
    return clips


def real_lifting(store: Store, settings: Settings, events: Path | None) -> dict[str, Any]:
    """Measure what can be told of a store's lifted people without truth: reprojection, feet, fallen bodies, two
    cameras."""
    config, body = settings.evaluate_people, body_model(settings.run.body)
    falls = read_falls(events) if events is not None else {}
    return stage.real_metrics(config, body, lifted_clips(store, settings), falls)
