"""`make rare-falls`: what generated clips teach a classifier of falls where real falls are rare.

The forest of `careclips evaluate` learns from the real clips of some rooms, with the falls of none, 1, 2, 4 or all of
them, alone and together with each dataset; average precision of `fall` on the clips of other rooms, the mean over draws
of the falls that are kept and over forests. Printed as a table, and written to `--out`.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import average_precision_score

from models.files import write_text
from models.footage.action_labels import ClipLabels, read_mapping, read_segments
from pipeline.evaluate import real_pose_clips
from pipeline.settings import CONFIGS
from stages.evaluate_gain import EvaluateConfig, PoseClip, Windows, dataset_poses, windows

CONFIG = EvaluateConfig.model_validate({})
FALLS_KEPT = (0, 1, 2, 4)
"""Real clips with a fall that are learned from; all of them come last."""


def matching(clips: Sequence[PoseClip], patterns: Sequence[str]) -> list[PoseClip]:
    """Return the clips whose name or camera matches one of the patterns."""
    found = [clip for clip in clips if any(fnmatch(name, p) for name in (clip.clip, clip.room) for p in patterns)]
    if not found:
        names = sorted({clip.room for clip in clips})
        sys.exit(f"{' '.join(patterns)} match no clip; cameras: {', '.join(names)}; clips like {clips[0].clip}")
    return found


def precision(trained_on: Sequence[tuple[np.ndarray, np.ndarray]], tested: Windows, seed: int) -> float:
    """Average precision of a forest that learned from (features, truth) of each; chance's where one kind is missing."""
    x, y = (np.concatenate(parts) for parts in zip(*trained_on, strict=True))
    if y.all() or not y.any():
        return float(tested.positive.mean())
    forest = RandomForestClassifier(
        CONFIG.trees, class_weight="balanced_subsample", min_samples_leaf=2, random_state=seed, n_jobs=2
    )
    predicted = np.asarray(forest.fit(x, y).predict_proba(tested.features))[:, 1]
    return float(average_precision_score(tested.positive, predicted))


def measure(real: Windows, datasets: dict[str, Windows], tested: Windows, draws: int) -> dict[str, dict]:
    """Mean and standard deviation of average precision by real falls kept and arm; `gain` over the same draw."""
    clips = np.array(real.clip)
    with_falls = np.unique(clips[real.positive])
    table: dict[str, dict] = {}
    for kept in (*FALLS_KEPT, len(with_falls)):
        scores: dict[str, list[float]] = {}
        for seed in range(draws):
            dropped = np.random.default_rng(seed).permutation(with_falls)[kept:]
            use = ~np.isin(clips, dropped)
            own = (real.features[use], real.positive[use])
            scores.setdefault("real", []).append(precision([own], tested, seed))
            for name, made in datasets.items():
                both = [own, (made.features, made.positive)]
                scores.setdefault(f"real+{name}", []).append(precision(both, tested, seed))
        row = "all" if kept == len(with_falls) else str(kept)
        table[row] = {
            arm: {
                "mean": float(np.mean(values)),
                "sd": float(np.std(values)),
                "gain": float(np.mean(np.subtract(values, scores["real"]))),
            }
            for arm, values in scores.items()
        }
        print_row(row, table[row])
    table["synthetic alone"] = {}
    for name, made in datasets.items():
        values = [precision([(made.features, made.positive)], tested, seed) for seed in range(draws)]
        table["synthetic alone"][name] = {"mean": float(np.mean(values)), "sd": float(np.std(values))}
    print_row("synthetic alone", table["synthetic alone"])
    return table


def print_row(name: str, row: dict[str, dict]) -> None:
    """Print one row of a Markdown table."""
    cells = [f"{arm} {value['mean']:.3f} ± {value['sd']:.3f}" for arm, value in row.items()]
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def counts(found: Windows, copies: int) -> dict[str, int]:
    """Windows, those of falls, clips and those with a fall; `copies` of each window are in it."""
    clips = np.array(found.clip)
    return {
        "windows": len(clips) // copies,
        "falls": int(found.positive.sum()) // copies,
        "clips": len(np.unique(clips)),
        "clips_with_falls": len(np.unique(clips[found.positive])),
    }


def main() -> None:
    """Read what the command line names, measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", required=True, help="store of real footage")
    parser.add_argument("--train", nargs="+", required=True, help="clips or cameras learned from, with * in names")
    parser.add_argument("--test", nargs="+", required=True, help="clips or cameras tested on")
    parser.add_argument("--test-store", help="store that they are in; else --real")
    parser.add_argument("--synthetic", nargs="+", required=True, help="NAME=DATASET of each dataset")
    parser.add_argument("--labels", type=Path, help="CSV with path,label,start,end; else sidecars say")
    parser.add_argument("--label-map", type=Path, default=CONFIGS / "labels" / "omnifall.yaml")
    parser.add_argument("--events", type=Path, help="CSV with path,fall_onset_s,at_rest_s")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "rare_falls.json")
    given = parser.parse_args()
    labels = None
    if given.labels:
        segments = read_segments(given.labels, read_mapping(given.label_map), given.events)
        labels = ClipLabels(given.labels, segments)
    clips = real_pose_clips(given.real, labels)
    others = real_pose_clips(given.test_store, labels) if given.test_store else clips
    real = windows(CONFIG, matching(clips, given.train), mirror=True)
    tested = windows(CONFIG, matching(others, given.test))
    parted = (part.partition("=") for part in given.synthetic)
    datasets = {name: windows(CONFIG, dataset_poses(Path(folder)), mirror=True) for name, _, folder in parted}
    report = {
        "counts": {"real": counts(real, 2), "test": counts(tested, 1)}
        | {name: counts(made, 2) for name, made in datasets.items()}
    }
    print(json.dumps(report["counts"]), flush=True)
    report["average_precision_fall"] = measure(real, datasets, tested, given.draws)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    write_text(given.out, json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
