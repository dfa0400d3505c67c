"""Measure the starter depth networks and write their cards.

Errors are AbsRel and delta_1: on views of sample rooms that were held out (see `models/training/depth/views.py`), and
on real RGB-D frames, where networks that saw nothing but drawn rooms do poorly; the cards say so.
"""

import hashlib
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float
from transformers import Dinov2Config

from models.depth import DepthModels, DepthModelsConfig, DepthNetwork, Kind, checkpoint_folder
from models.errors import InputError
from models.training.depth.losses import MAX_DEPTH_M
from models.training.depth.network import SHORT_PX
from models.training.depth.views import Views
from models.training.state import read_facts


def errors(predicted: Float[np.ndarray, "*pixel"], depth: Float[np.ndarray, "*pixel"]) -> tuple[float, float]:
    """Return AbsRel and delta_1 (share within a factor 1.25) over pixels with depth."""
    ratio = (predicted / np.where(depth > 0, depth, np.nan))[depth > 0]
    return float(np.mean(np.abs(ratio - 1.0))), float(np.mean(np.maximum(ratio, 1.0 / ratio) < 1.25))


def fitted_disparity(disparity: Float[np.ndarray, "h w"], depth: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Return depth from disparity with the scale and offset that fit the truth best: how relative depth is judged."""
    good = depth > 0
    a, b = np.polyfit(disparity[good], 1.0 / depth[good], 1)
    return 1.0 / np.maximum(a * disparity + b, 1.0 / MAX_DEPTH_M)


def measure(images, depths, focals, floors, models: DepthModels) -> dict[str, dict[str, float]]:
    """Return mean errors of both networks over views: raw, scaled by the median ratio, by the floor, fitted."""
    rows: dict[str, list[tuple[float, float]]] = {
        "raw": [],
        "median_scaled": [],
        "floor_scaled": [],
        "relative_fitted": [],
    }
    for image, depth, focal, floor in zip(images, depths, focals, floors, strict=True):
        depth = depth.astype(np.float64)
        metric = models.predict_metric(image[None], float(focal))[0]
        good = depth > 0
        rows["raw"].append(errors(metric, depth))
        rows["median_scaled"].append(errors(metric * np.median(depth[good] / metric[good]), depth))
        if floor is not None and (floor & good).sum() > 200:
            on = floor & good
            rows["floor_scaled"].append(errors(metric * np.median(depth[on] / metric[on]), depth))
        rows["relative_fitted"].append(errors(fitted_disparity(models.predict_disparity(image[None])[0], depth), depth))
    return {
        name: {
            "absrel": round(float(np.mean(values, axis=0)[0]), 4),
            "delta1": round(float(np.mean(values, axis=0)[1]), 4),
        }
        for name, values in rows.items()
        if values
    }


def read_rgbd(folder: Path):
    """Yield images, depth in metres and focal lengths of `7scenes_kitchen` and `nyu` below a folder."""
    found = []
    for colour in sorted((folder / "7scenes_kitchen").glob("*.color.jpg")):
        found.append((colour, colour.with_name(colour.name.replace("color.jpg", "depth.png")), 585.0))
    found += [(colour, colour.with_name("depth_00000.png"), 519.0) for colour in (folder / "nyu").glob("rgb_*.jpg")]
    for colour, depth_file, focal in found:
        picture, millimetres = cv2.imread(str(colour)), cv2.imread(str(depth_file), cv2.IMREAD_UNCHANGED)
        if picture is None or millimetres is None:
            raise InputError(colour, f"cannot be read, or {depth_file.name} beside it", "fetch the RGB-D frames again")
        image = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        depth = millimetres.astype(np.float64) / 1000.0
        depth[depth > 10.0] = 0.0  # 65.535 m marks a missing pixel
        yield image, depth, focal


CARD = """# depth_{kind}: a small Depth Anything for {kind} depth

A starter: good enough to run the chain where no model hub can be reached, not a replacement for the published networks.

- **Architecture**: Depth Anything (Dinov2 backbone, {layers} layers of {hidden}, patch {patch}; DPT neck),
  {parameters:.2f} M parameters, float16 on disk, input {short} px on the shorter side.
- **Trained on**: {views} rendered views of this repository's own random sample rooms
  (`models/sample_footage/room.py`), nothing else; by `careclips train depth`, seed {seed},
  {steps} steps of {batch} views{start}.
- **Output**: {output}.
- **Licence**: Apache-2.0, as the repository.
- **SHA-256** of `model.safetensors`: `{sha256}`

Errors (AbsRel, lower is better; delta_1, the share of pixels within a factor of 1.25):

| views | alignment | AbsRel | delta_1 |
| --- | --- | --- | --- |
{table}

The real rooms (7-Scenes kitchen and NYUv2) look like nothing it was trained on, and the figures say so.
"""


def started(history: dict | None) -> str:
    """Say in words what a training started from."""
    if history is None:
        return ""
    views = f"{history['steps']} steps of {history['batch_size']} views"
    return f", from {views} as {history['kind']} of {history['short_px']} px{started(history['start'])}"


def report(views: Path, rgbd: Path | None, metric: str = "starter", relative: str = "starter") -> dict:
    """Measure both networks on the held-out rooms, and on real RGB-D frames if given; write their cards.

    `metric` and `relative` are folders, or `starter`. The mean errors.
    """
    models = DepthModels(DepthModelsConfig(metric=metric, relative=relative))
    test = Views(views, SHORT_PX["metric"]).test
    with np.load(views) as data:
        parts = data["images"][test], data["depth"][test], data["focal_px"][test], data["floor"][test]
    measured = {f"{len(test)} views of rooms held out": measure(*parts, models)}
    if rgbd is not None:
        images, depths, focals = zip(*read_rgbd(rgbd), strict=True)
        measured[f"{len(images)} real RGB-D frames"] = measure(images, depths, focals, [None] * len(images), models)
    words = {
        "raw": "none, focal length given",
        "median_scaled": "scale, by the median",
        "floor_scaled": "scale, by the floor",
        "relative_fitted": "scale and offset, fitted",
    }
    networks: tuple[tuple[Kind, DepthNetwork], ...] = (("metric", models.metric), ("relative", models.relative))
    for kind, network in networks:
        folder, backbone = checkpoint_folder(kind, network.name, None), network.network.config.backbone_config
        assert isinstance(backbone, Dinov2Config)  # of the starters, which are ours
        facts = read_facts(folder)
        table = [
            f"| {name} | {words[how]} | {value['absrel']:.3f} | {value['delta1']:.3f} |"
            for name, rows in measured.items()
            for how, value in rows.items()
            if (how == "relative_fitted") == (kind == "relative")
        ]
        text = CARD.format(
            kind=kind,
            layers=backbone.num_hidden_layers,
            hidden=backbone.hidden_size,
            patch=network.patch,
            parameters=sum(p.numel() for p in network.network.parameters()) / 1e6,
            short=network.short_px,
            views=facts["views"],
            seed=facts["seed"],
            steps=facts["steps"],
            batch=facts["batch_size"],
            start=started(facts["start"]),
            output="metres for a camera with focal length = image width; `models/depth.py` scales them by the true one"
            if kind == "metric"
            else "disparity up to scale and offset, larger is nearer",
            sha256=hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest(),
            table="\n".join(table),
        )
        (folder / "README.md").write_text(text)
    return measured
