"""Show: one artefact in words and one image, without any network: a folder of a store, or a whole store.

Input: the artefact's folder, or a store's index. Output: lines of text and, where there is something to see, an RGB
image.
"""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib import colormaps
from matplotlib.figure import Figure
from PIL import Image

from models import codec
from models.errors import InputError
from models.footage.video import read_frames_at
from models.types import Motion, Room


def run(item: Path) -> tuple[list[str], UInt8[np.ndarray, "height width 3"] | None]:
    """Describe an artefact. Raises InputError where the folder is none."""
    try:
        meta = json.loads((item / "meta.json").read_text())
    except (OSError, ValueError) as error:
        raise InputError(item, "is no artefact", "give STORE/<stage>/<key>, or the store itself") from error
    lines = [f"{meta['stage']} {meta['key']}"]
    if "rejected" in meta:
        return [*lines, f"set aside: {': '.join(part for part in meta['rejected'] if part)}"], None
    lines += [f"  {key}: {_short(value)}" for key, value in meta.get("figures", {}).items()]
    if not (item / "value.json").exists():
        return lines, None
    value = codec.load(item, "value")
    draw = {
        "ingest": lambda: np.repeat(value["background"][..., None], 3, axis=2),
        "plate": lambda: value["image"],
        "depth": lambda: _colour(value.depth),
        "room": lambda: _room(value),
        "people3d": lambda: _motion(value),
        "clip": lambda: _clip(item),
    }.get(meta["stage"])
    return lines, draw() if draw else None


def run_store(store: str, index: Mapping[str, Any]) -> list[str]:
    """List rooms and clips of a store by its `index.json`, each as what to ask for next; `store` is its folder or
    URL."""
    lines = [f"store of {index['footage']}"]
    lines += [f"  room {name}: {store.rstrip('/')}/room/{key}" for name, key in index["rooms"].items()]
    for name, clip in index["clips"].items():
        lifted = f"{store.rstrip('/')}/people3d/{clip['people3d']}" if "people3d" in clip else "not lifted"
        lines.append(f"  clip {name} ({clip['room']}): {lifted}")
    return lines


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    text = json.dumps(value)
    return text if len(text) <= 200 else text[:197] + "..."


def _colour(depth: Float[np.ndarray, "height width"]) -> UInt8[np.ndarray, "height width 3"]:
    """Near is bright."""
    inverse = 1.0 / np.maximum(depth, 0.1)
    low, high = np.percentile(inverse, [1, 99])
    scaled = np.clip((inverse - low) / max(float(high - low), 1e-9), 0, 1)
    return (colormaps["magma"](scaled)[..., :3] * 255).astype(np.uint8)


def _room(room: Room) -> UInt8[np.ndarray, "height width 3"]:
    """The plate with a metre grid on its floor, beside the depth."""
    image = room.plate.copy()
    camera = room.camera
    far = float(room.grid_origin[0] + room.grid_cell_m * room.walkable.shape[0])
    for metre in np.arange(0.0, far, 1.0):
        for line in (
            np.stack([np.linspace(0.3, far, 400), np.full(400, metre - far / 2), np.zeros(400)], axis=1),
            np.stack([np.full(400, metre), np.linspace(-far / 2, far / 2, 400), np.zeros(400)], axis=1),
        ):
            pixels = camera.project(line)
            pixels = pixels[np.isfinite(pixels).all(axis=1)].round().astype(int)
            inside = (pixels >= 0).all(axis=1) & (pixels < [camera.width_px, camera.height_px]).all(axis=1)
            image[pixels[inside, 1], pixels[inside, 0]] = (60, 255, 120)
    return np.concatenate([image, _colour(room.depth)], axis=1)


def _motion(motion: Motion) -> UInt8[np.ndarray, "height width 3"]:
    """Everybody's root from above and its height over time."""
    figure = Figure(figsize=(9, 4), dpi=90)
    above, height = figure.subplots(1, 2)
    for person in motion.people:
        above.plot(person.transl[:, 0], person.transl[:, 1], label=person.person)
        height.plot(motion.timestamps_s, person.transl[:, 2], label=person.person)
    above.set(xlabel="x (m)", ylabel="y (m)", aspect="equal", title="translation from above")
    height.set(xlabel="time (s)", ylabel="z (m)", title="height of the translation")
    above.legend()
    figure.tight_layout()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return np.asarray(Image.open(buffer).convert("RGB"))


def _clip(item: Path) -> UInt8[np.ndarray, "height width 3"]:
    """Six frames side by side, each half size."""
    labelled = codec.load(item, "value")
    frames = np.linspace(0, len(labelled.motion.timestamps_s) - 1, 6).round().astype(int).tolist()
    images = read_frames_at(item / "clip.mp4", frames)
    return np.concatenate([images[frame][::2, ::2] for frame in frames], axis=1)
