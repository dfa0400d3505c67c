"""`careclips generate`: an order form and a store of rooms into a dataset of labelled clips."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from models import codec, types
from models.body.placement import transform_motion
from models.body.tracks import rest_root, standing_pelvis_height, track_joints
from models.errors import InputError, Rejected
from models.files import check_replaceable, digest, file_digest, replaced
from models.footage.video_writer import write_masks, write_video
from models.motion.model import load_motion_model, motion_model_digest
from models.motion_sources.draw import draw_motion
from models.motion_sources.sampled import SampledMotion
from models.order import OrderForm, check_order, draw_clip_order, read_order_form, wants_model
from models.seeds import generator
from pipeline.derived import note_derived
from pipeline.loaders import PeopleSearch, body_model, people_search, sampled_motion
from pipeline.outcomes import TRACEBACKS, SetAside, check_defects
from pipeline.output_folder import holds, used_store
from pipeline.pseudonyms import Pseudonyms, number_of, shared_config
from pipeline.records import read_store_index, read_store_summary
from pipeline.runner import PeakMemory, Runner, find_made, load_value
from pipeline.settings import RunConfig, Settings
from pipeline.store import Store
from stages import dataset, dataset_report, find_people_left, label, place_motion, render, sample_motion

SHARED_SECTIONS = ("run", "physics", "generate", "label", "render", "sample_motion", "dataset")
"""Sections of a config that made clips depend on, and that a dataset names."""
FAILED = "failed, and was said where it ran"
"""What a dataset says of a clip whose failure it does not quote."""


@dataclass(frozen=True)
class GeneratedClip:
    """A clip as an artefact, and how it came about."""

    key: str
    recomputed: bool
    source: str | None
    """Where its motion comes from; None where every try was rejected."""
    rejected: dict[str, int]
    """Tries before it, by reason."""
    seconds: float


def make_clip(store: Store, settings: Settings, form_json: str, rooms: dict[str, str], index: int) -> GeneratedClip:
    """Make one accepted, rendered and labelled clip as an artefact, or find the one that was made."""
    form = OrderForm.model_validate_json(form_json)
    run = settings.run
    by_model = {wants_model(event, run.motion) for event in form.events}
    sampled = True in by_model
    sections = ("physics", "generate", "label", "render", *(["sample_motion"] if sampled else []))
    configs = {name: getattr(settings, name) for name in sections}
    clip = f"clip_{index:05d}"
    inputs = {
        "order": digest(form_json),
        "rooms": rooms,
        "index": index,
        "seed": settings.seed,
        "body": body_model(run.body).digest,
        "mocap": file_digest(run.mocap) if run.mocap else None,
        "model": motion_model_digest(configs["sample_motion"].model) if sampled else None,
        "minimum_visibility": run.min_visibility,
        "configs": {name: config.key_values() for name, config in configs.items()},
        "versions": [
            place_motion.VERSION,
            label.VERSION,
            render.VERSION,
            *([sample_motion.VERSION] if sampled else []),
        ],
    }
    search = people_search(settings)
    if search is not None:
        inputs["people_left"] = search.key
    if run.motion == "mixed" and len(by_model) == 2:  # else the clips are those of `model`, or of `simulated`
        inputs["motion"] = run.motion
    key = store.key("clip", 1, None, inputs)
    found = store.find("clip", key)
    if found is not None:
        return GeneratedClip(key, False, **found.meta["figures"])
    started = time.perf_counter()
    rejected: Counter[str] = Counter()
    source = labelled = rendered = None
    for attempt_index in range(form.attempts_per_clip):
        rng = generator(settings.seed, "generate", f"{clip}/{attempt_index}")
        try:
            labelled, rendered, source = _try_clip(store, configs, form, rooms, clip, run, rng, search)
            break
        except Rejected as error:
            rejected[error.reason] += 1
    figures = {"source": source, "rejected": rejected, "seconds": time.perf_counter() - started}
    with store.write("clip", key, {"inputs": inputs, "figures": figures}) as folder:
        if labelled is not None and rendered is not None:
            write_video(folder / "clip.mp4", rendered.frames, form.fps)
            write_masks(folder / "masks.mkv", rendered.masks, form.fps)
            codec.save(labelled, folder, "value")
    return GeneratedClip(key, True, **figures)


def _try_clip(
    store: Store,
    configs: dict,
    form: Any,
    rooms: dict[str, str],
    clip: str,
    run: RunConfig,
    rng: np.random.Generator,
    search: PeopleSearch | None,
) -> tuple[types.LabelledClip, Any, str]:
    """Draw, place, audit and render one clip: with its pictures and the motion's source; Rejected with the reason."""
    body = body_model(run.body)
    order = draw_clip_order(form, rng)
    name = str(rng.choice(sorted(rooms)))
    room = load_value(store, "room", rooms[name])
    model = None
    if wants_model(order, run.motion):
        model = sampled_motion(run.body, configs["sample_motion"].model_dump_json())
    motion, source = draw_motion(body, configs["physics"], run.mocap, order, room, rng, model)
    joints = np.stack([track_joints(body, person) for person in motion.people])
    T_world_motion = place_motion.run(configs["generate"], room, joints, rng)
    roots = np.stack([rest_root(body, person.betas) for person in motion.people])
    motion = transform_motion(motion, roots, T_world_motion)
    joints = np.stack([track_joints(body, person) for person in motion.people])
    standing_m = [standing_pelvis_height(body, person.betas) for person in motion.people]
    actions, falls = label.run_audited(configs["label"], order, joints, motion.timestamps_s, standing_m)
    motion = replace(motion, actions=actions)
    looks = tuple(types.BodyLook(int(rng.integers(2**31)), order.age_years) for _ in motion.people)
    rendered = render.run(configs["render"], types.Scene(room, motion, looks, render.light_direction(room)), body, rng)
    if float(rendered.visibility.mean()) < run.min_visibility:
        raise Rejected("hidden by the room or out of the picture", f"{float(rendered.visibility.mean()):.2f} visible")
    if search is not None:
        seen = find_people_left.count_in_clip(
            search.config, search.in_clip, rendered.frames, rendered.masks, rendered.boxes_px
        )
        if seen:
            raise Rejected(find_people_left.SOMEBODY, f"in {seen} of its frames")
    details = {"falls": [asdict(fall) if fall else None for fall in falls], "T_world_motion": T_world_motion.tolist()}
    labelled = types.LabelledClip(
        clip=clip,
        room=name,
        camera=room.camera,
        motion=motion,
        order=order.model_dump(mode="json") | details,
        statures_m=tuple(body.stature(person.betas) for person in motion.people),
        boxes_px=rendered.boxes_px,
        keypoints_px=rendered.keypoints_px,
        keypoints_visible=rendered.keypoints_visible,
        joints_world=rendered.joints_world,
        visibility=rendered.visibility,
    )
    return labelled, rendered, source


@holds("out")
def generate(root: str | Path, order: Path, count: int, out: Path, settings: Settings, runner: Runner) -> dict:
    """Make ordered clips in the rooms of a store, as a dataset folder; returns what `summary.json` holds."""
    with used_store(Store(root).folder, "generate"):  # else `forget` could not remove what is being made
        return _generate(Store(root), order, count, out, settings, runner)


def _generate(store: Store, order: Path, count: int, out: Path, settings: Settings, runner: Runner) -> dict:
    started = time.perf_counter()
    form = read_order_form(order)
    check_replaceable(out, "dataset.json")
    index, reconstruction = read_store_index(store), read_store_summary(store)
    longest_s = np.inf
    if any(wants_model(event, settings.run.motion) for event in form.events):
        longest_s = (load_motion_model(settings.sample_motion.model).config.max_frames - 1) / types.FPS
    check_order(form, order, settings.run.motion, longest_s, settings.run.mocap is not None)
    missing = sorted(set(form.rooms) - set(index.rooms))
    if missing:
        raise InputError(order, f"asks for room {missing[0]!r}, which the store lacks", f"use {', '.join(index.rooms)}")
    rooms = {name: key for name, key in index.rooms.items() if not form.rooms or name in form.rooms}
    if not rooms:
        raise InputError(store.root, "holds no room", "see `skipped` in its summary.json")
    with PeakMemory() as memory:
        work = [(f"clip_{i:05d}", (store, settings, form.model_dump_json(), rooms, i)) for i in range(count)]
        outcomes = runner("making clips", make_clip, work)
    set_aside = SetAside()
    clips: dict[str, GeneratedClip] = set_aside.values("making clips", outcomes)
    failed = Counter(one["reason"] for one in set_aside.skipped)
    rejected: Counter[str] = Counter()
    for clip in clips.values():
        rejected.update(clip.rejected)
    recomputed = sum(clip.recomputed for clip in clips.values())
    accepted = {name: clip.key for name, clip in clips.items() if clip.source}
    sources = Counter(clip.source for clip in clips.values() if clip.source)
    seconds = time.perf_counter() - started
    summary = {
        "requested": count,
        "accepted": len(accepted),
        "rejected": rejected + failed,
        "seconds_per_clip": seconds / recomputed if recomputed else 0.0,
        "peak_memory_mib": memory.mib,
        "sources": sources,
        "recomputed": recomputed,
        "seed": settings.seed,
    } | set_aside.summary()
    if not accepted:
        check_defects(summary, set_aside)
        raise InputError(
            order,
            f"gave no clip at all: {dict(rejected + failed)}",
            "loosen the order or film a room with more free floor",
        )
    run, models = settings.run, settings.depth_models
    depth = {"metric": models.metric, "relative": models.relative}
    motion = {settings.sample_motion.model if name == SampledMotion.name else name for name in sources}
    names = Pseudonyms(store)
    reconstruction = names.reconstruction(reconstruction)
    names.write()
    shared_rooms = {names.camera(name): key for name, key in rooms.items()}
    if tracebacks := set_aside.tracebacks():
        store.write_text(TRACEBACKS, tracebacks)
    shared = summary | _shared_failures(rejected, set_aside)
    facts = {
        "order": form.model_dump(mode="json") | {"rooms": [names.camera(name) for name in form.rooms]},
        "seed": settings.seed,
        "config": shared_config(settings.values, SHARED_SECTIONS),
        "rooms": shared_rooms,
        "cameras": {name: number_of(name) for name in sorted(shared_rooms, key=number_of)},
        "clips": list(accepted.values()),
        "counts": shared,
        "reconstruction": reconstruction,
        "timings_s": {"reconstruction": reconstruction["total_seconds"], "generation": seconds},
        "stand_ins": dataset_report.stand_ins(depth, run.body is not None, motion, reconstruction),
        "licences": dataset_report.licences(run.body is not None),
        "people_left": dataset_report.vouching(reconstruction, _clip_search(settings)),
    }
    _write_dataset(store, settings, accepted, names, out, facts)
    return summary


def _clip_search(settings: Settings) -> str:
    """How clips were searched for people of the footage, in words."""
    search = people_search(settings)
    if search is None:
        return find_people_left.NOT_SEARCHED if settings.find_people_left.enabled else "not searched: it is turned off"
    by = settings.people2d.backend.kind
    return f"one frame in {search.config.every} was searched by {by} for people who are not ours"


def _shared_failures(rejected: Counter[str], set_aside: SetAside) -> dict[str, Any]:
    """What a dataset says of what went wrong: reasons of rejected tries are ours, those of failures quote files, and
    are told where the clips were made, as are tracebacks."""
    skipped = [{"item": one["item"], "kind": one["kind"], "reason": FAILED} for one in set_aside.skipped]
    defects = [{"step": one["step"], "item": one["item"], "reason": FAILED} for one in set_aside.defects]
    failed = Counter(one["reason"] for one in skipped)
    return {"rejected": rejected + failed, "skipped": skipped, "defects": defects}


def _write_dataset(
    store: Store, settings: Settings, clips: dict[str, str], names: Pseudonyms, out: Path, facts: dict
) -> None:
    """Write the dataset beside its place and swap it in when it is whole; clips that it holds already are kept."""
    kept = dataset.kept(settings.dataset, out, list(clips.items()), facts["cameras"])

    def added() -> Iterator[tuple[types.LabelledClip, Path]]:
        for key in list(clips.values())[kept:]:
            made = find_made(store, "clip", key).folder
            clip = codec.load(made, "value")
            yield replace(clip, room=names.camera(clip.room)), made

    note_derived(store, out)
    with replaced(out) as folder:
        body = body_model(settings.run.body)
        dataset.run(settings.dataset, added(), folder, facts, body, out if kept else None)
        (folder / "rooms").mkdir()
        for name, key in facts["rooms"].items():
            dataset.write_room_map(folder / "rooms", name, load_value(store, "room", key))
        (folder / "summary.json").write_text(json.dumps(facts["counts"], indent=1))
        (folder / "report.html").write_text(dataset_report.run(folder))
