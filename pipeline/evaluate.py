"""`careclips evaluate`: does a dataset help to find falls in real footage?"""

import json
from dataclasses import dataclass
from pathlib import Path

from models.errors import InputError
from models.files import write_text
from models.footage.action_labels import read_mapping, read_segments
from models.seeds import generator
from pipeline.output_folder import holds
from pipeline.records import read_store_index
from pipeline.runner import load_value
from pipeline.settings import CONFIGS, Settings
from pipeline.store import Store
from stages import dataset_report, evaluate_gain


@dataclass(frozen=True)
class LabelTable:
    """Labels of real footage that lie in tables of their own."""

    table: Path
    """CSV with path,label,start,end."""
    names: Path | None = None
    """YAML from its names to ours; None is OmniFall's."""
    events: Path | None = None
    """CSV with path,fall_onset_s,at_rest_s, which says more of each fall."""


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
    segments = None
    if labels is not None:
        mapping = read_mapping(labels.names or CONFIGS / "labels" / "omnifall.yaml")
        relative = read_segments(labels.table, mapping, labels.events)
        segments = {str((labels.table.parent / path).resolve()): parts for path, parts in relative.items()}
    real_clips = real_pose_clips(real, segments)
    test_clips = None if test is None else real_pose_clips(test, segments)
    made = evaluate_gain.dataset_poses(synthetic)
    result = evaluate_gain.run(
        settings.evaluate, real_clips, made, test_clips, generator(settings.seed, "evaluate", "")
    )
    result["note"] = "2D joints: real ones as reconstructed, synthetic ones exact from the renderer."
    result["verdict"] = evaluate_gain.verdict(result["gain"])
    result |= {"real": str(real), "synthetic": str(synthetic), "test": str(test or ""), "seed": settings.seed}
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "summary.json", json.dumps(result, indent=1))
    write_text(synthetic / "evaluation.json", json.dumps(result, indent=1))
    write_text(synthetic / "report.html", dataset_report.run(synthetic))
    return result


def real_pose_clips(root: str | Path, segments: dict | None) -> list:
    """Load 2D joints of a store's clips, labelled by the sidecar of each clip, else by the table of segments."""
    store = Store(root)
    index, result = read_store_index(store), []
    for name, record in index.clips.items():
        if record.people2d is None:
            continue
        entry, people = load_value(store, "ingest", record.ingest), load_value(store, "people2d", record.people2d)
        footage = entry["footage"]
        parts = None if segments is None else segments.get(str((Path(index.footage) / footage.path).resolve()))
        result += evaluate_gain.labelled_poses(
            name, record.room or "", footage.timestamps_s, people, entry["annotations"], parts
        )
    if not result:
        raise InputError(
            store.root, "has no labelled clip", "give --labels FILE (path,label,start,end) or a sidecar with actions"
        )
    return result
