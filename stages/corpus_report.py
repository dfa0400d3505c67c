"""Corpus report: one self-contained HTML page over a motion corpus.

Inputs: a corpus file (`models/corpus/reader.py`) and the body that its betas belong to. Output: the page as text,
pictures inside. Falls are drawn from their details `onset_s`, `impact_s` and `rest_s`, by `cause` and `direction`;
furniture from `boxes`.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.body.model import BodyModel
from models.body.tracks import rest_root
from models.corpus.reader import Corpus, Row, read_corpus
from models.corpus.statistics import UNKNOWN, summary
from models.corpus.writer import motion_of
from models.errors import InputError
from models.rendering.film_strip import motion_strip
from models.rendering.html_page import embedded_figure, embedded_image, rendered
from models.types import FPS, BodyLook

BEFORE_S = 0.6
"""Shown of a fall before its onset."""
PICTURES, PICTURE_PX = 7, (196, 186)
DRAWN_FALLS = 60
"""Of each cause in the phase plots: more are only ink."""
_DIRECTIONS = {
    "forward": "#1f77b4",
    "backward": "#d62728",
    "left": "#2ca02c",
    "right": "#ff7f0e",
    "down": "#9467bd",
    UNKNOWN: "#7f7f7f",
}
_KINDS = {"fall": "#d62728", "look_alike": "#1f77b4", "composed": "#9467bd", "mocap": "#2ca02c"}


@dataclass(frozen=True)
class Drop:
    """One fall as its pelvis goes, from a little before the onset until it rests."""

    cause: str
    direction: str
    since_onset_s: Float[np.ndarray, "time"]
    height_m: Float[np.ndarray, "time"]
    """Of the pelvis over the floor."""
    speed_m_s: Float[np.ndarray, "time"]
    """Of the pelvis, upwards."""
    impact: int | None
    """Frame of the first impact."""


def run(corpus: Path, body: BodyModel, strips: int = 36) -> str:
    """Return the report as one HTML text, with `strips` motions in pictures.

    Raises InputError where the file is no corpus, or was made with another body.
    """
    motions = read_corpus(corpus)
    if motions.index.body != body.name:
        raise InputError(
            corpus, f"is of the body {motions.index.body}, not of {body.name}", "give the body it was made with"
        )
    rows = motions.index.rows
    figures = summary(motions.index)
    drops = [
        drop_of(motions, place, body)
        for place, row in enumerate(rows)
        if row.kind == "fall" and "onset_s" in row.details
    ]
    met = {direction for counts in figures["falls"].values() for direction in counts}
    directions = [name for name in _DIRECTIONS if name in met] + sorted(met - set(_DIRECTIONS))
    return rendered(
        Path(__file__).parent / "templates" / "corpus_report.html.j2",
        summary=figures,
        body=motions.index.body,
        hours_by_action=_action_bars(rows, figures["by_action_hours"]),
        sources=_sources(rows),
        splits=_splits(rows),
        directions=directions,
        falls_total=sum(row.kind == "fall" for row in rows),
        phase=_phase_plots(drops),
        profile=_profiles(drops),
        strips=[_strip(motions, place, body) for place in _shown(rows, strips)],
        captions=len({text for row in rows for text in row.texts}),
    )


def _sources(rows: tuple[Row, ...]) -> list[dict]:
    groups = defaultdict(list)
    for row in rows:
        groups[row.source, row.kind, row.licence].append(row)
    return [
        {
            "source": source,
            "kind": kind,
            "licence": licence,
            "items": len(of),
            "takes": len({row.take for row in of}),
            "hours": sum(row.seconds for row in of) / 3600.0,
        }
        for (source, kind, licence), of in sorted(groups.items())
    ]


def _splits(rows: tuple[Row, ...]) -> dict[str, dict]:
    return {
        split: {
            "items": len(of),
            "takes": len({row.take for row in of}),
            "hours": sum(row.seconds for row in of) / 3600.0,
            "falls": sum(row.kind == "fall" for row in of),
        }
        for split in ("train", "val", "test")
        for of in [[row for row in rows if row.split == split]]
    }


def _shown(rows: tuple[Row, ...], count: int) -> list[int]:
    """Places of items to show: in turn of each cause, action and source of each kind, people in twos and threes
    first."""
    groups = defaultdict(list)
    for place, row in enumerate(rows):
        most = max(row.action_seconds, key=lambda name: row.action_seconds[name])
        what = row.details.get("cause") or f"{row.source} {most}"
        alone = "alone" if len(row.people) == 1 else "together"
        groups[row.kind, alone, what].append((hashlib.sha256(row.name.encode()).digest(), place))
    order = sorted(groups, key=lambda group: (list(_KINDS).index(group[0]), group[1] == "alone", group[2]))
    queues = [sorted(groups[group]) for group in order]
    shown: list[tuple[int, int]] = []
    for turn in range(count):
        shown += [(number, queue[turn][1]) for number, queue in enumerate(queues) if turn < len(queue)]
        if len(shown) >= count:
            break
    return [place for _, place in sorted(shown[:count])]


def _strip(corpus: Corpus, place: int, body: BodyModel) -> dict[str, str]:
    """Pictures of one item: of a fall from just before the onset until it rests, else of four seconds."""
    row, motion = corpus.index.rows[place], motion_of(corpus, place)
    first, last = 0, min(row.frames, round(4.0 * FPS)) - 1
    if row.kind == "fall" and "onset_s" in row.details:
        first = max(0, round((row.details["onset_s"] - BEFORE_S / 2.0) * FPS))
        last = min(row.frames - 1, round((row.details.get("rest_s") or row.seconds) * FPS))
    seed = int.from_bytes(hashlib.sha256(row.name.encode()).digest()[:4], "little")
    picture = motion_strip(
        body,
        motion,
        np.linspace(first, last, PICTURES).round().astype(int),
        *PICTURE_PX,
        looks=[BodyLook(seed + number, 80.0 if role == "resident" else 40.0) for number, role in enumerate(row.roles)],
        boxes=[tuple(one) for one in row.details.get("boxes", ())],
    )
    return {
        "name": row.name,
        "kind": row.kind,
        "colour": _KINDS.get(row.kind, "#7f7f7f"),
        "text": row.texts[0],
        "span": f"{first / FPS:.1f}–{last / FPS:.1f} s of {row.seconds:.1f} s",
        "picture": embedded_image(picture),
    }


def drop_of(corpus: Corpus, place: int, body: BodyModel) -> Drop:
    """Return how the first person of an item goes down, by the times in its details; `onset_s` must be there."""
    row, tracks = corpus.index.rows[place], corpus.tracks(place)
    height = tracks.transl[0, :, 2].astype(np.float64) + rest_root(body, tracks.betas[0].astype(np.float64))[2]
    speed = np.gradient(height, 1.0 / FPS)
    onset = row.details["onset_s"]
    first, last = (
        np.clip(round(t * FPS), 0, row.frames - 1)
        for t in (onset - BEFORE_S, (row.details.get("rest_s") or row.seconds))
    )
    kept = slice(int(first), int(last) + 1)
    impact = row.details.get("impact_s")
    return Drop(
        row.details.get("cause") or UNKNOWN,
        row.details.get("direction") or UNKNOWN,
        np.arange(row.frames)[kept] / FPS - onset,
        height[kept],
        speed[kept],
        None if impact is None else int(np.clip(round(impact * FPS) - first, 0, last - first)),
    )


def _phase_plots(drops: list[Drop]) -> str | None:
    """Pelvis height over its vertical speed, a panel a cause, a colour a direction, a dot at the first impact."""
    if not drops:
        return None
    causes = sorted({drop.cause for drop in drops})
    columns = min(4, len(causes))
    lines = -(-len(causes) // columns)
    figure = Figure(figsize=(13.4, 3.2 * lines + 0.5), dpi=100)
    panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for panel, cause in zip(panels, causes, strict=False):
        mine = [drop for drop in drops if drop.cause == cause]
        for drop in mine[:DRAWN_FALLS]:
            colour = _DIRECTIONS.get(drop.direction, _DIRECTIONS[UNKNOWN])
            panel.plot(drop.speed_m_s, drop.height_m, color=colour, linewidth=0.7, alpha=0.5)
            if drop.impact is not None:
                at = drop.impact
                panel.plot(drop.speed_m_s[at], drop.height_m[at], ".", color=colour, markersize=4)
        _tidy(panel, f"{cause.replace('_', ' ')} ({len(mine)})")
    for panel in panels[len(causes) :]:
        panel.set_visible(False)
    figure.supxlabel("vertical speed of the pelvis (m/s)", fontsize=9)
    figure.supylabel("height of the pelvis (m)", fontsize=9)
    used = [name for name in _DIRECTIONS if any(drop.direction == name for drop in drops)]
    handles = [Axes.plot(panels[0], [], [], color=_DIRECTIONS[name], label=name)[0] for name in used]
    figure.legend(handles=handles, loc="upper center", ncols=len(used), fontsize=8, frameon=False)
    figure.tight_layout(rect=(0.0, 0.0, 1.0, 1.0 - 0.3 / figure.get_figheight()))
    return embedded_figure(figure)


def _profiles(drops: list[Drop]) -> str | None:
    """Pelvis height over the time since the onset: the median of each cause, and where nine in ten of all falls are."""
    if not drops:
        return None
    figure = Figure(figsize=(6.4, 3.6), dpi=100)
    axes = figure.add_subplot()
    since_onset_s = np.arange(-BEFORE_S, 2.5, 1.0 / FPS)

    def heights(some: Iterable[Drop]) -> Float[np.ndarray, "fall time"]:
        return np.stack([np.interp(since_onset_s, drop.since_onset_s, drop.height_m) for drop in some])

    low, high = np.percentile(heights(drops), [5.0, 95.0], axis=0)
    axes.fill_between(since_onset_s, low, high, color="#dde2ea", label="5 % to 95 % of all")
    for number, (cause, count) in enumerate(sorted(Counter(drop.cause for drop in drops).items())):
        median = np.median(heights(drop for drop in drops if drop.cause == cause), axis=0)
        axes.plot(
            since_onset_s, median, color=f"C{number}", linewidth=1.5, label=f"{cause.replace('_', ' ')} ({count})"
        )
    axes.axvline(0.0, color="#5d6778", linewidth=0.8, linestyle=":")
    axes.set_xlabel("time since the onset (s)", fontsize=9)
    axes.set_ylabel("height of the pelvis (m)", fontsize=9)
    _tidy(axes, "")
    axes.set_ylim(bottom=0.0)
    axes.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    figure.tight_layout()
    return embedded_figure(figure)


def _action_bars(rows: tuple[Row, ...], hours: dict[str, float]) -> str:
    """Person-hours of each action, stacked by kind."""
    share: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for row in rows:
        for action, seconds in row.action_seconds.items():
            share[row.kind][action] += seconds / 3600.0
    names = sorted(hours, key=lambda name: hours[name])
    figure = Figure(figsize=(6.4, 0.27 * max(len(names), 2) + 0.9), dpi=100)
    axes = figure.add_subplot()
    left = np.zeros(len(names))
    for kind, colour in _KINDS.items():
        if kind in share:
            width = np.array([share[kind][name] for name in names])
            axes.barh(
                [name.replace("_", " ") for name in names], width, left=left, color=colour, label=kind.replace("_", "-")
            )
            left += width
    for place, total in enumerate(left):
        axes.text(total, place, f" {total:.2f}", va="center", fontsize=8, color="#5d6778")
    axes.set_xlabel("person-hours", fontsize=9)
    _tidy(axes, "")
    axes.margins(x=0.1)
    axes.legend(fontsize=8, frameon=False, loc="lower right")
    figure.tight_layout()
    return embedded_figure(figure)


def _tidy(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
