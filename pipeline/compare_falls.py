"""`careclips falls report`: can made falls be told from the real ones of a store, and by what?"""

import functools
import json
from pathlib import Path
from typing import Any

from models.body.model import BodyModel, BodyShape
from models.body.tracks import standing_pelvis_height, track_joints
from models.compare_falls.counterparts import MakeFall, sampled_fall, simulated_fall
from models.compare_falls.fall_audit import Audit
from models.compare_falls.real_falls import read_falls
from models.files import write_text
from models.mocap.importers.indexed_folder import index_takes, read_take
from models.motion_sources.captured import UNUSUAL_WORDS
from models.seeds import generator
from pipeline.derived import note_derived
from pipeline.evaluate_people import lifted_clips
from pipeline.loaders import body_model, sampled_motion
from pipeline.outcomes import SetAside
from pipeline.output_folder import holds
from pipeline.records import read_store_index
from pipeline.runner import Runner
from pipeline.settings import Settings
from pipeline.simulate_falls import simulate_falls
from pipeline.store import Store
from stages import compare_falls as stage
from stages import label, people3d


def compare_window(settings: Settings, window: Any, walks: list) -> dict[str, Any]:
    """Return kinematic figures of one real fall or walk and of its counterparts, all lifted by the same stage, and why
    counterparts are missing; a real one without any is left out, too."""
    config, body = settings.compare_falls, body_model(settings.run.body)
    rng = generator(settings.seed, "compare_falls", f"{window.clip} {window.person.person} {window.times[-1]}")
    kinds = ("real_falls", "simulated_falls") if window.fall is not None else ("real_walks", "captured_walks")
    rows: list[tuple[str, str, dict[str, float]]] = []
    make = fall_maker(settings, body)
    made, missing = stage.counterparts(config, body, make, window, walks, rng)
    people = [window.person, *made] if made or window.fall is None else []
    for number, person in enumerate(people):
        seen = people3d.Clip([person], window.times, window.camera)
        ((tracks, _),) = people3d.run(settings.people3d, [seen], body)
        if tracks:
            event = f"{window.event} {window.clip} {number}" if number else window.event
            found = stage.features(window, track_joints(body, tracks[0]))
            rows.append((kinds[min(number, 1)], event, found))
    return {"rows": rows, "missing": missing + ["counterpart or original not lifted"] * (len(people) - len(rows))}


def fall_maker(settings: Settings, body: BodyModel) -> MakeFall:
    """Return what makes falls: physics, or the motion model, whose falls are told as labels tell them."""
    if settings.compare_falls.motion == "simulated":
        return functools.partial(simulated_fall, body)
    source = sampled_motion(settings.run.body, settings.sample_motion.model_dump_json())
    audit = Audit(
        functools.partial(label.find_fall, settings.label),
        functools.partial(standing_pelvis_height, body),
        settings.label.direction_tolerance_deg,
    )
    return functools.partial(sampled_fall, body, source.sample, audit)


def captured_walks(mocap: Path, settings: Settings) -> list:
    """Return walks of an indexed folder of captured motion, on a grown body."""
    body = body_model(settings.run.body)
    betas = body.betas_from_shape(BodyShape(age_years=40.0, sex=0.5, stature_m=1.72, build=0.5)).astype("float64")
    takes = [(take, " ".join(take.texts).lower()) for take in index_takes(mocap)]
    walks = [take for take, text in takes if "walk" in text and not any(word in text for word in UNUSUAL_WORDS)]
    return [read_take(take, body, betas, 30.0) for take in walks]


@holds("out")
def compare_falls(
    stores: list[str], events: Path, out: Path, count: int, settings: Settings, runner: Runner, mocap: Path | None
) -> dict:
    """Write `falls.json`: figures of `count` simulated falls of all kinds, and how falls that are made as
    `compare_falls.motion` says compare with the real ones of stores.

    `mocap` is a folder of captured motion, whose walks are compared with the real ones.
    """
    walks = captured_walks(mocap, settings) if mocap else []
    config, table = settings.compare_falls, read_falls(events)
    made = simulate_falls(out / "simulated", count, settings, runner)
    work, dropped = [], []
    for root in stores:
        store = Store(root)
        note_derived(store, out)
        footage = Path(read_store_index(store).footage)
        # The table may name the footage's own folder first.
        falls = {path.removeprefix(f"{footage.name}/"): fall for path, fall in table.items()}
        clips = lifted_clips(store, settings)
        windows, gone = stage.falls_of(config, clips, falls)
        windows += stage.walks_of(config, clips, falls)
        dropped += gone
        work += [
            (f"{w.clip} {w.person.person} {w.onset_s:.1f} {i}", (settings, w, walks)) for i, w in enumerate(windows)
        ]
    set_aside = SetAside()
    step = "lifting falls and their counterparts"
    found = set_aside.values(step, runner(step, compare_window, work))
    dropped += [{"item": one["item"], "reason": one["reason"]} for one in set_aside.skipped]
    samples: dict[str, list] = {"real_falls": [], "simulated_falls": [], "real_walks": [], "captured_walks": []}
    for item, value in found.items():
        dropped += [{"item": item, "reason": reason} for reason in value["missing"]]
        for kind, event, features in value["rows"]:
            samples[kind].append((event, features))
    compared = stage.run(config, samples, generator(settings.seed, "compare_falls", ""))
    keep = ("impact_time_s", "hip_speed_m_s", "dropped_share", "realtime_factor", "recovered", "dropped")
    summary = (
        {"motion": config.motion}
        | {key: made[key] for key in keep}
        | compared
        | {"rejected": dropped, "seed": settings.seed}
    )
    summary |= set_aside.summary()
    write_text(out / "falls.json", json.dumps(summary, indent=1))
    set_aside.write_tracebacks(out)
    return summary
