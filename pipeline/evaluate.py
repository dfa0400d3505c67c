"""`careclips evaluate`: does a dataset help to find falls in real footage?"""

import json
import logging
from dataclasses import dataclass
from pathlib import Path

from models.errors import InputError
from models.files import without_passwords, write_text
from models.footage.action_labels import ClipLabels, read_mapping, read_segments
from models.seeds import generator
from pipeline.derived import note_derived
from pipeline.output_folder import holds
from pipeline.records import read_store_index
from pipeline.runner import load_value
from pipeline.settings import CONFIGS, Settings
from pipeline.store import Store
from stages import dataset_report, evaluate_gain

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelTable:
    """Labels of real footage that lie in tables of their own."""

    table: Path
    """CSV with path,label,start,end."""
    names: Path | None = None
    """YAML from its names to ours; None is OmniFall's."""
    events: Path | None = None
    """CSV with path,fall_onset_s,at_rest_s, which says more of each fall."""


SHARED = ("average_precision_fall", "gain", "windows", "split", "note", "verdict", "labels", "seed")
"""What a dataset's `evaluation.json` holds of a result."""


def clip_labels(labels: LabelTable) -> ClipLabels:
    """Read a table of labels."""
    mapping = read_mapping(labels.names or CONFIGS / "labels" / "omnifall.yaml")
    return ClipLabels(labels.table, read_segments(labels.table, mapping, labels.events))


@holds("out")
def evaluate(
    real: str | Path,
    synthetic: Path,
    out: Path,
    settings: Settings,
    test: str | Path | None = None,
    labels: LabelTable | None = None,
) -> dict:
    """Measure average precision of falls on real windows, with and without the synthetic clips; written to
    `out/summary.json`."""
    found = None
    if labels is not None:
        found = clip_labels(labels)
    real_clips = real_pose_clips(real, found)
    test_clips = None if test is None else real_pose_clips(test, found)
    if found is not None and not found.counts()["matched"]:
        raise found.unmatched()
    if found is not None and found.counts()["unmatched"]:
        log.warning("%s", found.unmatched())
    made = evaluate_gain.dataset_poses(synthetic)
    result = evaluate_gain.run(
        settings.evaluate, real_clips, made, test_clips, generator(settings.seed, "evaluate", "")
    )
    result["note"] = "2D joints: real ones as reconstructed, synthetic ones exact from the renderer."
    result["verdict"] = evaluate_gain.verdict(result["gain"])
    if found is not None:
        result["labels"] = found.counts()
    places = {"real": str(real), "synthetic": str(synthetic), "test": str(test or "")}
    result |= {name: without_passwords(place) for name, place in places.items()} | {"seed": settings.seed}
    for root in (real, test):
        if root is not None:
            note_derived(Store(root), out)
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "summary.json", json.dumps(result, indent=1))
    # A dataset is shared: it says how many rooms were tested on, not what they are called, nor where they lie.
    shared = {key: result[key] for key in SHARED if key in result}
    write_text(synthetic / "evaluation.json", json.dumps(shared | {"rooms": len(result["rooms"])}, indent=1))
    write_text(synthetic / "report.html", dataset_report.run(synthetic))
    return result


def real_pose_clips(root: str | Path, labels: ClipLabels | None) -> list:
    """Load 2D joints of a store's clips, labelled by the sidecar of each clip, else by a table."""
    store = Store(root)
    index, result = read_store_index(store), []
    for name, record in index.clips.items():
        entry = load_value(store, "ingest", record.ingest)
        footage = entry["footage"]
        parts = None if labels is None else labels.of(Path(index.footage), footage.path)
        if record.people2d is None:
            continue
        people = load_value(store, "people2d", record.people2d)
        result += evaluate_gain.labelled_poses(
            name, record.room or "", footage.timestamps_s, people, entry["annotations"], parts
        )
    if not result and labels is not None and labels.counts()["unmatched"]:
        raise labels.unmatched()
    if not result:
        raise InputError(
            store.root, "has no labelled clip", "give --labels FILE (path,label,start,end) or a sidecar with actions"
        )
    return result
