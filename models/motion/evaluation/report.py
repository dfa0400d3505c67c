"""Metrics of generated motion, as `careclips evaluate motion` finds them (stages/evaluate_motion.py), as files, a table
and plots."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib

from models.files import write_text
from models.motion.evaluation import memorisation

SHOWN = (
    "fid",
    "kid",
    "r_precision_1",
    "r_precision_3",
    "mm_dist",
    "diversity",
    "multimodality",
    "foot_skate_cm_s",
    "penetration_cm",
    "jerk_ratio",
    "fall_action_agreement",
    "fall_direction_agreement",
)


def write_motion_report(folder: Path, summary: dict[str, dict[str, Any]]) -> None:
    """Write `summary.json`, `table.csv`, `motion.png`, a panel a metric, `interactions.csv`
    where pairs were sampled, and `memorised.png` where that was measured."""
    write_text(folder / "summary.json", json.dumps(summary, indent=1) + "\n")
    with (folder / "table.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["arm", "scenes", *(f"{name}{end}" for name in SHOWN for end in ("", "_low", "_high"))])
        for arm, row in summary.items():
            shown = [_shown(row, name) or ["", "", ""] for name in SHOWN]
            lines.writerow([arm, row["scenes"], *(value for estimate in shown for value in estimate)])
    _write_interactions(folder / "interactions.csv", summary)
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    arms = list(summary)
    figure, panels = plt.subplots(3, 4, figsize=(15, 3 * (0.9 + 0.27 * len(arms))), sharey=True, layout="constrained")
    for panel, name in zip(panels.flat, SHOWN, strict=True):
        for place, arm in enumerate(arms):
            if (row := _shown(summary[arm], name)) is not None:
                colour = "0.45" if arm.split("/")[0] in ("real", "shuffled_text") else "tab:blue"
                errors = [[max(row[0] - row[1], 0.0)], [max(row[2] - row[0], 0.0)]]
                panel.errorbar(row[0], place, xerr=errors, fmt="o", color=colour, capsize=3)
        panel.set_title(name, fontsize=10)
        panel.set_yticks(range(len(arms)), arms, fontsize=8)
        panel.set_ylim(len(arms) - 0.5, -0.5)
        panel.grid(axis="x", alpha=0.3)
    figure.savefig(folder / "motion.png", dpi=80, metadata={"Software": None})
    plt.close(figure)
    near = {arm: row["nearest_learned_quantiles"] for arm, row in summary.items() if "nearest_learned_quantiles" in row}
    if near:
        (folder / "memorised.png").write_bytes(memorisation.plot(near))


def _write_interactions(path: Path, summary: dict[str, dict[str, Any]]) -> None:
    """Write a line an arm and kind of interaction, where pairs were sampled."""
    lines = [
        {"arm": arm, "kind": kind, **_flat(found)}
        for arm, row in summary.items()
        for kind, found in row.get("interactions", {}).items()
    ]
    if lines:
        with path.open("w", newline="") as file:
            table = csv.DictWriter(file, list(dict.fromkeys(name for line in lines for name in line)))
            table.writeheader()
            table.writerows(lines)


def _flat(found: Mapping[str, Any]) -> dict[str, Any]:
    """Name what is in a part after both."""
    flat: dict[str, Any] = {}
    for name, value in found.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}_{part}": of for part, of in value.items()}
        else:
            flat[name] = value
    return flat


def _shown(row: Mapping[str, Any], name: str) -> list[float] | None:
    if name.startswith("r_precision_"):
        return row["r_precision"] and row["r_precision"][int(name[-1]) - 1]
    return row[name]
