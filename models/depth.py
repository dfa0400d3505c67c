"""Depth Anything, metric and relative, through `transformers`: frames in, metres and disparity out.

A checkpoint is named by a hub id with its revision, by a local folder in the hub's format, or by `starter`: the small
network shipped in `models/starter/`. Weights are read from safetensors only. The image is prepared as the hub's
image processor does (bicubic to a multiple of the patch, ImageNet mean and deviation), without torchvision.

Metric depth depends on the focal length, which an image does not say. A checkpoint whose config.json holds
`canonical_focal_ratio` r predicts depth for a camera with focal length = r x image width; metres are then
prediction x (focal / width) / r. Checkpoints without that key are taken as they are.
"""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from httpx import HTTPError
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError
from jaxtyping import Float, UInt8
from PIL import Image
from pydantic import Field, model_validator
from torch.nn.functional import interpolate

from models.config import Config
from models.errors import InputError
from models.networks import STARTERS, check_no_pointer, device_of, from_pretrained, is_hub_id
from models.text_files import read_json

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Kind = Literal["metric", "relative"]


class DepthModelsConfig(Config):
    """Which two networks predict depth, and where they run."""

    metric: str = "starter"
    """Hub id, local folder or `starter`; e.g. depth-anything/Depth-Anything-V2-Metric-Indoor-Small-hf."""
    metric_revision: str | None = None
    """Commit of the hub repository; needed for a hub id."""
    metric_short_px: int | None = Field(default=None, ge=28)
    """Shorter side of the network's input, pixels; None is what the checkpoint was made for."""
    relative: str = "starter"
    """Hub id, local folder or `starter`; e.g. depth-anything/Depth-Anything-V2-Small-hf."""
    relative_revision: str | None = None
    """Commit of the hub repository; needed for a hub id."""
    relative_short_px: int | None = Field(default=None, ge=28)
    """Shorter side of the network's input, pixels; None is what the checkpoint was made for."""
    flip: bool = True
    """Predict the mirrored image too and take the mean: twice the time, some percent less error."""
    device: str = "cpu"
    """Where both run, as torch names it."""
    batch: int = Field(default=4, ge=1)
    """Frames per pass."""

    @model_validator(mode="after")
    def _hub_models_are_pinned(self):
        for kind in ("metric", "relative"):
            name, revision = getattr(self, kind), getattr(self, f"{kind}_revision")
            if is_hub_id(name) and revision is None:
                raise ValueError(f"{kind}: the hub model {name!r} needs {kind}_revision, the commit to use")
        return self


FETCH_AGAIN = "fetch the folder again"


@dataclass(frozen=True)
class Preset:
    """How a checkpoint wants its images prepared."""

    short_px: int = 518
    """Shorter side of the network's input."""
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD

    @classmethod
    def read(cls, path: Path) -> "Preset":
        """Read a preprocessor_config.json of the hub; what it does not name, or the whole file, is Depth Anything's.

        InputError where it names what is no size, or no three numbers.
        """
        raw = _settings(path) if path.is_file() else {}
        size = raw.get("size", {"height": cls.short_px})
        short_px = size.get("height", cls.short_px) if isinstance(size, dict) else size
        if type(short_px) is not int or not 1 <= short_px <= 10_000:
            raise InputError(path, f"has the size {size!r:.60}, expected pixels", FETCH_AGAIN)
        values = []
        for name, default in (("image_mean", IMAGENET_MEAN), ("image_std", IMAGENET_STD)):
            value = raw.get(name, default)
            sound = isinstance(value, list | tuple) and len(value) == 3 and all(_is_number(one) for one in value)
            if not sound or (name == "image_std" and min(value) <= 0.0):
                raise InputError(path, f"has the {name} {value!r:.60}, expected three numbers", FETCH_AGAIN)
            values.append(tuple(float(one) for one in value))
        return cls(short_px, *values)


def _settings(path: Path) -> dict[str, Any]:
    raw = read_json(path)
    if not isinstance(raw, dict):
        raise InputError(path, f"holds no settings, but a {type(raw).__name__}", FETCH_AGAIN)
    return raw


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


class DepthNetwork:
    """One loaded checkpoint."""

    def __init__(self, kind: Kind, name: str, revision: str | None, short_px: int | None, device: str):
        """Load a checkpoint; InputError says which key names it and what to fetch."""
        key = f"depth_models.{kind}"
        folder = checkpoint_folder(kind, name, revision)
        self.kind, self.name, self.device = kind, name, device_of("depth_models.device", device)
        self.digest = digest(folder)
        settings = _settings(folder / "config.json")
        found = settings.get("model_type"), settings.get("depth_estimation_type", "relative")
        if found != ("depth_anything", kind):
            raise InputError(
                folder / "config.json",
                f"is a model of type {found[0]!r} for {found[1]!r} depth, expected 'depth_anything' for {kind!r}",
                f"set {key} to a {kind} Depth Anything checkpoint",
            )
        from transformers import DepthAnythingForDepthEstimation  # takes seconds, and many a command predicts no depth

        # Shipped weights are float16 to be small; arithmetic is float32 everywhere.
        loaded = from_pretrained(
            DepthAnythingForDepthEstimation, folder, key, use_safetensors=True, dtype=torch.float32
        )
        self.network = loaded.eval()
        torch.nn.Module.to(self.network, self.device)
        patch, ratio = self.network.config.patch_size, settings.get("canonical_focal_ratio")
        if type(patch) is not int or patch < 1:
            raise InputError(folder / "config.json", f"has the patch {patch!r:.40}, expected one number", FETCH_AGAIN)
        if ratio is not None and not (_is_number(ratio) and ratio > 0.0):
            found = f"has the canonical_focal_ratio {ratio!r:.40}, expected a number above 0"
            raise InputError(folder / "config.json", found, FETCH_AGAIN)
        self.patch = patch
        self.canonical_focal_ratio: float | None = ratio
        preset = Preset.read(folder / "preprocessor_config.json")
        self.short_px = short_px or preset.short_px
        self.mean = torch.tensor(preset.mean).view(3, 1, 1)
        self.std = torch.tensor(preset.std).view(3, 1, 1)

    def input_size(self, height_px: int, width_px: int) -> tuple[int, int]:
        """Return height and width of the network's input: the shorter side as configured, each side a multiple of
        the patch."""
        scale = self.short_px / min(height_px, width_px)
        height, width = (max(1, round(scale * side / self.patch)) * self.patch for side in (height_px, width_px))
        return height, width

    def prepare(self, images: UInt8[np.ndarray, "n height width 3"]) -> Float[torch.Tensor, "n 3 rows cols"]:
        """Resize and normalise as the hub's image processor for Depth Anything does."""
        height, width = self.input_size(*images.shape[1:3])
        resized = [
            np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC)) for image in images
        ]
        pixels = torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2).float() / 255.0
        return (pixels - self.mean) / self.std

    @torch.inference_mode()
    def predict(
        self, images: UInt8[np.ndarray, "n height width 3"], batch: int, flip: bool = False
    ) -> Float[np.ndarray, "n height width"]:
        """Return the network's own output, resized to the images: metres at the canonical focal length, or disparity.

        With `flip` it is the mean over the images and their mirror images.
        """
        if flip:
            mirrored = self.predict(images[:, :, ::-1], batch)[:, :, ::-1]
            return (self.predict(images, batch) + mirrored) / 2.0
        outputs = []
        for start in range(0, len(images), batch):
            pixels = self.prepare(images[start : start + batch]).to(self.device)
            predicted = self.network(pixel_values=pixels).predicted_depth[:, None]
            # Bilinear, not bicubic: no overshoot at the edge of furniture.
            predicted = interpolate(predicted, size=images.shape[1:3], mode="bilinear", align_corners=False)
            outputs.append(predicted[:, 0].cpu().numpy().astype(np.float64))
        return np.concatenate(outputs)


class DepthModels:
    """The metric and the relative network together."""

    def __init__(self, config: DepthModelsConfig):
        """Load both; raises InputError (see `DepthNetwork`)."""
        self.config = config
        self.metric = DepthNetwork(
            "metric", config.metric, config.metric_revision, config.metric_short_px, config.device
        )
        self.relative = DepthNetwork(
            "relative", config.relative, config.relative_revision, config.relative_short_px, config.device
        )

    @property
    def needs_focal(self) -> bool:
        """Say whether metres depend on a focal length that the caller gives."""
        return self.metric.canonical_focal_ratio is not None

    def predict_metric(
        self, images: UInt8[np.ndarray, "n height width 3"], focal_px: float | None = None
    ) -> Float[np.ndarray, "n height width"]:
        """Predict depth along the optical axis, metres.

        Without `focal_px` the checkpoint's canonical camera is assumed.
        """
        predicted = self.metric.predict(images, self.config.batch, self.config.flip)
        if self.metric.canonical_focal_ratio is not None and focal_px is not None:
            predicted *= focal_px / images.shape[2] / self.metric.canonical_focal_ratio
        return predicted

    def predict_disparity(self, images: UInt8[np.ndarray, "n height width 3"]) -> Float[np.ndarray, "n height width"]:
        """Predict inverse depth up to one scale and one offset, larger is nearer."""
        return self.relative.predict(images, self.config.batch, self.config.flip)


def checkpoint_digests(config: DepthModelsConfig) -> dict[str, str]:
    """Return SHA-256 of the weights of both checkpoints, for the key of an artefact; loads no network."""
    return {
        "depth_metric": digest(checkpoint_folder("metric", config.metric, config.metric_revision)),
        "depth_relative": digest(checkpoint_folder("relative", config.relative, config.relative_revision)),
    }


def digest(folder: Path) -> str:
    """Return SHA-256 over the safetensors files of a checkpoint and its JSON files, in the order of their names."""
    state = hashlib.sha256()
    for path in sorted([*folder.glob("*.safetensors"), *folder.glob("*.json")]):
        state.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return state.hexdigest()


def checkpoint_folder(kind: Kind, name: str, revision: str | None) -> Path:
    """Return the folder that holds a named checkpoint, fetched from the hub if it is a hub id."""
    key = f"depth_models.{kind}"
    if name == "starter":
        folder = STARTERS / f"depth_{kind}"
    elif is_hub_id(name):
        try:
            # safetensors and JSON only: a pickle is never fetched, let alone loaded.
            folder = Path(snapshot_download(name, revision=revision, allow_patterns=["*.json", "*.safetensors"]))
        except (OSError, ValueError, HfHubHTTPError, HTTPError) as error:
            raise InputError(
                name,
                f"cannot be fetched from the model hub ({type(error).__name__})",
                f"fetch the folder at revision {revision} where the hub can be reached and set {key} to its path, "
                f"or set {key}: starter",
            ) from error
    else:
        folder = Path(name)
    missing = [part for part in ("config.json", "*.safetensors") if not any(folder.glob(part))]
    if missing:
        raise InputError(
            folder,
            f"is not a checkpoint folder ({' and '.join(missing)} missing)",
            f"correct {key}, or set it to starter",
        )
    for path in sorted([*folder.glob("*.safetensors"), *folder.glob("*.json")]):
        check_no_pointer(path)
    return folder
