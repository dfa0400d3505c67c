"""Report: one self-contained HTML page over a generated dataset.

Inputs: a dataset folder as `stages/dataset.py` wrote it, with `rooms/*.npz` maps. Output: the page as text, pictures inside.
"""

import base64
import io
import json
from pathlib import Path

import cv2
import jinja2
import matplotlib
import numpy as np
import pandas as pd
from jaxtyping import Float, UInt8
from matplotlib.figure import Figure

from pipeline.errors import InputError
from pipeline.types import ACTIONS
from pipeline.video import read_frames_at

VERSION = 1
LIMBS = (
    (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8), (7, 9), (8, 10), (0, 5),
    (0, 6),
)  # fmt: skip
"""Pairs of COCO-17 keypoints that are drawn as lines."""
_COLOURS = {"fall": "#d62728", "fallen": "#ff7f0e", "walk": "#2ca02c", "standing": "#1f77b4", "sitting": "#9467bd"}


def draw_skeleton(
    image: UInt8[np.ndarray, "height width 3"],
    keypoints_px: Float[np.ndarray, "17 2"],
    seen: np.ndarray,
    label: str = "",
    colour: tuple[int, int, int] = (255, 220, 0),
) -> UInt8[np.ndarray, "height width 3"]:
    """A copy of the image with one person's limbs, joints and label drawn; joints with `seen` false are left out."""
    drawn = image.copy()
    points = np.nan_to_num(keypoints_px).round().astype(int)
    thickness = max(1, image.shape[0] // 240)
    for a, b in LIMBS:
        if seen[a] and seen[b]:
            cv2.line(drawn, points[a].tolist(), points[b].tolist(), colour, thickness, cv2.LINE_AA)
    for point, visible in zip(points, seen, strict=True):
        if visible:
            cv2.circle(drawn, point.tolist(), thickness + 1, (255, 80, 40), -1, cv2.LINE_AA)
    if label and seen.any():
        top = points[np.asarray(seen, dtype=bool)].min(axis=0)
        where = (int(max(top[0] - 10, 2)), int(max(top[1] - 10, 16)))
        scale = image.shape[0] / 700
        cv2.putText(drawn, label, where, cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 3 * thickness, cv2.LINE_AA)
        cv2.putText(drawn, label, where, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thickness, cv2.LINE_AA)
    return drawn


def film_strip(video: Path, rows: pd.DataFrame, frames: int, width_px: int) -> UInt8[np.ndarray, "height width 3"]:
    """Evenly spaced frames of a clip side by side, with every person's skeleton and label."""
    count = int(rows["frame"].max()) + 1
    wanted = np.linspace(0, count - 1, min(frames, count)).round().astype(int)
    pictures = read_frames_at(video, wanted.tolist())
    strip = []
    for frame in wanted:
        picture = pictures[int(frame)]
        for _, row in rows[rows["frame"] == frame].iterrows():
            points = np.asarray(row["keypoints_px"], dtype=np.float64).reshape(17, 2)
            picture = draw_skeleton(picture, points, np.asarray(row["keypoints_visible"]) > 0, row["action"])
        height_px = round(width_px * picture.shape[0] / picture.shape[1])
        strip.append(cv2.resize(picture, (width_px, height_px), interpolation=cv2.INTER_AREA))
    return np.concatenate(strip, axis=1)


def room_from_above(room: Path, rows: pd.DataFrame) -> dict[str, str]:
    """Walkable and occupied cells with the pelvis paths of all clips in the room: name and embedded picture."""
    with np.load(room, allow_pickle=False) as data:
        name = str(data["name"])
        walkable, occupied = data["walkable"], data["occupied"]
        origin, cell = data["grid_origin"], float(data["grid_cell_m"])
        camera = data["T_world_camera"]
    figure = Figure(figsize=(4.2, 4.2), dpi=90)
    axes = figure.add_subplot()
    picture = np.full((*walkable.shape, 3), 0.85)
    picture[walkable] = (0.80, 0.93, 0.80)
    picture[occupied] = (0.55, 0.55, 0.60)
    extent = (origin[0], origin[0] + cell * walkable.shape[0], origin[1], origin[1] + cell * walkable.shape[1])
    axes.imshow(picture.transpose(1, 0, 2), origin="lower", extent=extent, interpolation="nearest")
    for _, clip in rows[rows["room"] == name].groupby(["clip", "person"]):
        path = np.stack([np.asarray(joints)[:3] for joints in clip["joints_world"]])
        falls = clip["action"].isin(["fall", "fallen"]).to_numpy()
        axes.plot(path[:, 0], path[:, 1], color="#1f77b4", linewidth=1)
        axes.plot(path[falls, 0], path[falls, 1], color="#d62728", linewidth=2)
        axes.plot(*path[-1, :2], marker="o", color="#d62728" if falls.any() else "#1f77b4", markersize=4)
    ahead = camera[:2, 2] * 0.6
    axes.annotate("", xy=camera[:2, 3] + ahead, xytext=camera[:2, 3], arrowprops={"arrowstyle": "-|>", "color": "k"})
    axes.set_xlabel("x (m), away from the camera")
    axes.set_ylabel("y (m)")
    axes.set_aspect("equal")
    axes.set_xlim(min(extent[0], -0.3), extent[1])
    figure.tight_layout()
    return {"name": name, "picture": _embed_figure(figure)}


def action_bars(counts: dict[str, float]) -> str:
    """Seconds per action as horizontal bars, as an embedded picture."""
    figure = Figure(figsize=(4.6, 0.35 * max(len(counts), 2) + 0.8), dpi=90)
    axes = figure.add_subplot()
    names = sorted(counts, key=lambda name: counts[name])
    axes.barh(names, [counts[name] for name in names], color=[_COLOURS.get(name, "#888888") for name in names])
    axes.set_xlabel("person-seconds")
    figure.tight_layout()
    return _embed_figure(figure)


def run(dataset: Path, clips_shown: int = 12) -> str:
    """The report as one HTML text. Raises InputError where the folder is no dataset."""
    try:
        facts = json.loads((dataset / "dataset.json").read_text())
        summary = json.loads((dataset / "summary.json").read_text())
        rows = pd.read_parquet(dataset / "frames.parquet")
    except (OSError, ValueError) as error:
        raise InputError(
            dataset, f"is not a dataset ({error})", "give a folder that `careclips generate` wrote"
        ) from error
    strips = []
    for name in rows["clip"].unique()[:clips_shown]:
        mine = rows[rows["clip"] == name]
        strip = film_strip(dataset / "clips" / f"{name}.mp4", mine, 6, 232)
        strips.append({"name": name, "room": mine["room"].iloc[0], "picture": _embed_image(strip)})
    step_s = rows.groupby("clip")["timestamp_s"].agg(lambda times: np.median(np.diff(np.unique(times)))).mean()
    seconds = {name: float(count * step_s) for name, count in rows["action"].value_counts().items() if name in ACTIONS}
    rooms = [room_from_above(path, rows) for path in sorted((dataset / "rooms").glob("*.npz"))]
    evaluated = dataset / "evaluation.json"
    evaluation = json.loads(evaluated.read_text()) if evaluated.exists() else None
    template = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    ).get_template("report.html.j2")
    return template.render(
        facts=facts, summary=summary, evaluation=evaluation, strips=strips, rooms=rooms, bars=action_bars(seconds), seconds=seconds,
        hidden=max(0, rows["clip"].nunique() - clips_shown),
    )  # fmt: skip


def _embed_image(image: UInt8[np.ndarray, "height width 3"]) -> str:
    encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82])[1]
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()


def _embed_figure(figure: Figure) -> str:
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "careclips"}):
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
