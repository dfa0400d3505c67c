"""`careclips corpus build`: captures, falls, look-alikes and interactions into one file to learn from; and people of
own footage."""

import json
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from models.body.rest_skeleton import save_skeleton, skeleton_of
from models.body.tracks import standing_pelvis_height, track_joints
from models.corpus.reader import read_index
from models.corpus.statistics import index_rows, summary
from models.corpus.writer import join_corpora, write_corpus, write_pack
from models.errors import InputError
from models.falls.sampling import RESIDENT_YEARS
from models.files import file_digest, write_text
from models.interactions.kinds import INTERACTION_KINDS, InteractionKind
from models.mocap.importers.indexed_folder import index_takes
from pipeline.loaders import body_model
from pipeline.outcomes import require_all
from pipeline.output_folder import holds
from pipeline.records import read_store_index
from pipeline.runner import Runner, cached, load_value
from pipeline.settings import Settings
from pipeline.store import Store
from stages import corpus, corpus_report, finetuning_corpus, label

INTERACTION_PARTS: dict[str, InteractionKind] = {f"composed/{kind}": kind for kind in INTERACTION_KINDS}
"""The parts of each kind of interaction."""


def corpus_part(store: Store, settings: Settings, kind: str, numbers: list[int]) -> dict[str, Any]:
    """Make one part of the corpus as an artefact: a small corpus file, and what was skipped.

    `kind`: captured, falls, look_alikes, or composed/ and a kind of interaction; `numbers` are of that kind.
    """
    config, body = settings.corpus, body_model(settings.run.body)
    inputs: dict[str, Any] = {"kind": kind, "numbers": numbers, "seed": settings.seed, "body": body.digest}
    takes, mocap = [], config.mocap or Path()
    if kind == "captured":
        index = index_takes(mocap)
        takes = [index[number] for number in numbers]
        paths = {path for take in takes for path in take.paths}
        digests = {path: file_digest(path) for path in paths if path.is_file()}
        inputs["files"] = [[digests.get(path) for path in take.paths] for take in takes]
        inputs["index"] = [[take.episodes, take.texts, take.licence, config.left_out(take)] for take in takes]

    if kind == "falls" and config.fall.age_years[0] < RESIDENT_YEARS:
        inputs["called"] = "by age"  # parts of before called everybody a resident

    def compute() -> tuple[dict[str, Any], dict[str, Any]]:
        make = {"falls": corpus.fall_part, "look_alikes": corpus.look_alike_part}
        if kind == "captured":
            items, skipped = corpus.captured_part(config, body, takes, mocap, settings.seed)
        elif kind in INTERACTION_PARTS:
            items, skipped = corpus.interaction_part(config, body, INTERACTION_PARTS[kind], numbers, settings.seed)
        else:
            items, skipped = make[kind](config, body, numbers, settings.seed)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "part.bin"
            if items:
                write_corpus(path, items, body.name, skipped)
            content = np.frombuffer(path.read_bytes() if items else b"", dtype=np.uint8)
        return {"file": content, "dropped": dict(skipped)}, {"items": len(items)}

    # How many parts there are, and how large, says nothing of what is in one.
    stamp = config.model_copy(update={"falls": 0, "look_alikes": 0, "interactions": 0, "part": 1, "mocap": None})
    _, artefact, new = cached(store, "corpus_part", corpus.VERSIONS[kind.partition("/")[0]], stamp, inputs, compute)
    return {"key": artefact.key, "recomputed": new}


@holds("out")
def build_corpus(out: Path, settings: Settings, runner: Runner) -> dict:
    """Build the motion corpus: `corpus.bin`, a training pack `pack.bin`, `skeleton.safetensors`, `index.csv`,
    `summary.json`, `report.html`."""
    config, body = settings.corpus, body_model(settings.run.body)
    out.mkdir(parents=True, exist_ok=True)
    store = Store(out / "parts")
    counts = {"falls": config.falls, "look_alikes": config.look_alikes}
    composed = corpus.interactions_by_kind(config.interactions, list(INTERACTION_PARTS.values()))
    counts |= {part: composed[kind] for part, kind in INTERACTION_PARTS.items()}
    if config.mocap is not None:
        counts = {"captured": len(index_takes(config.mocap))} | counts
    work = []
    for kind, count in counts.items():
        for first in range(0, count, config.part):
            numbers = list(range(first, min(first + config.part, count)))
            work.append((f"{kind}/{first:05d}", (store, settings, kind, numbers)))
    made = require_all(out, "making the corpus", runner("making the corpus", corpus_part, work))
    dropped: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        parts = []
        for part in made:
            value = load_value(store, "corpus_part", part["key"])
            dropped.update(value["dropped"])
            if len(value["file"]):
                parts.append(Path(folder) / f"{len(parts):05d}.bin")
                parts[-1].write_bytes(value["file"].tobytes())
        join_corpora(parts, out / "corpus.bin", dropped)
    write_pack(out / "corpus.bin", out / "pack.bin")
    save_skeleton(skeleton_of(body), out / "skeleton.safetensors")
    index = read_index(out / "corpus.bin")
    result = summary(index) | {
        "pack_mib": (out / "pack.bin").stat().st_size / 2**20,
        "seed": settings.seed,
        "recomputed": sum(part["recomputed"] for part in made),
    }
    write_text(out / "index.csv", index_rows(index))
    write_text(out / "summary.json", json.dumps(result, indent=1))
    write_text(out / "report.html", corpus_report.run(out / "corpus.bin", body))
    return result


def build_finetuning_corpus(store: Store, out: Path, settings: Settings) -> Path:
    """Write what was seen well in a store of rebuilt rooms as a corpus file; InputError where nothing was."""
    config, body = settings.finetuning_corpus, body_model(settings.run.body)
    items, skipped = [], Counter[str]()
    for clip, record in read_store_index(store).clips.items():
        if record.people3d is None:
            continue
        motion = load_value(store, "people3d", record.people3d)
        actions = [
            label.run(
                settings.label,
                track_joints(body, track),
                motion.timestamps_s,
                standing_pelvis_height(body, track.betas),
            )[0]
            for track in motion.people
        ]
        labelled = replace(motion, actions=np.stack(actions))
        found, left_out = finetuning_corpus.run(config, body, clip, labelled, record.figures or {}, settings.seed)
        items += found
        skipped.update(left_out)
    if not items:
        raise InputError(
            store.root, f"shows nobody well enough to learn from: {dict(skipped)}", "see finetuning_corpus' keys"
        )
    write_corpus(out, items, body.name, skipped)
    return out
