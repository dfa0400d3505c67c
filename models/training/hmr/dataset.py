"""Rendered views (made by `models/training/hmr/views.py`) in files and as tensors, and what may be done to a crop and
its truth.

Pixels and truth change together: mirrors, turns and zooms about the axis of the crop's camera are exact.
"""

from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn

from models.body.mirror import mirrored
from models.body.model import BodyModel
from models.errors import InputError
from models.geometry.transforms import matrix_from_axis_angle
from models.people3d.hmr_network import normalised

TURN_DEG, ZOOM = 15.0, (0.9, 1.1)
NEAREST_M = 0.3
"""Depth of a joint below which its place in the crop is taken from there."""


@dataclass(frozen=True)
class Views:
    """Rendered crops and what is true of them."""

    jpeg: UInt8[np.ndarray, "bytes"]
    """All crops as JPEG files, one after the other."""
    ends: Int[np.ndarray, "view"]
    """Where in `jpeg` each one ends."""
    pose: Float[np.ndarray, "view 72"]
    """Axis-angle of SMPL's joints, the root's in the axes of the crop's camera, radians."""
    betas: Float[np.ndarray, "view 10"]
    transl: Float[np.ndarray, "view 3"]
    """SMPL's, in the axes of the crop's camera, metres."""
    focal_px: Float[np.ndarray, "view"]
    """Of the crop's camera."""
    trunk: Float[np.ndarray, "view"]
    """Sine of the trunk's elevation."""
    seen: Float[np.ndarray, "view"]
    """Share of the body's silhouette that neither furniture nor panels nor the picture's edge hide."""
    held_out: Bool[np.ndarray, "view"]
    """People, rooms and takes that training does not see."""

    def crops(self) -> UInt8[np.ndarray, "view rows columns 3"]:
        """Return all crops, RGB."""
        starts = np.concatenate([[0], self.ends[:-1]])
        files = [self.jpeg[first:last] for first, last in zip(starts, self.ends, strict=True)]
        return np.stack([np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR_RGB)) for file in files])


def save_views(views: Views, path: Path) -> None:
    """Write as npz."""
    np.savez(path, **{field.name: getattr(views, field.name) for field in fields(Views)})


def read_views(path: Path) -> Views:
    """Read what `save_views` wrote; InputError for anything else."""
    try:
        with np.load(path) as data:
            return Views(*(data[field.name] for field in fields(Views)))
    except (OSError, ValueError, KeyError) as error:
        raise InputError(path, "holds no rendered views", "make it with careclips train hmr --views") from error


@dataclass(frozen=True)
class Batch:
    """Crops and the truth of them, in the axes of the crops' cameras."""

    crops: UInt8[Tensor, "crop rows columns 3"]
    rotations: Float[Tensor, "crop 24 3 3"]
    betas: Float[Tensor, "crop 10"]
    transl: Float[Tensor, "crop 3"]
    focal_px: Float[Tensor, "crop"]
    root: Float[Tensor, "crop 3"]
    """J0(betas): where the pelvis lies at transl 0."""

    def of(self, rows: np.ndarray) -> "Batch":
        """Return some of the crops."""
        index = torch.as_tensor(rows)
        return Batch(*(value[index] for value in vars(self).values()))


def batch_of(views: Views, body: BodyModel) -> Batch:
    """Return views as tensors."""
    betas, transl, focal = (
        torch.as_tensor(value, dtype=torch.float32) for value in (views.betas, views.transl, views.focal_px)
    )
    return Batch(
        torch.as_tensor(views.crops()),
        torch.as_tensor(matrix_from_axis_angle(views.pose.reshape(-1, 24, 3)), dtype=torch.float32),
        betas,
        transl,
        focal,
        body.rest_joints(betas)[:, 0],
    )


def varied(batch: Batch, rng: np.random.Generator) -> tuple[Float[Tensor, "crop 3 rows columns"], Batch]:
    """Return normalised pixels of crops mirrored half of the time, turned, zoomed and recoloured, and the truth to
    match.

    Turning about the axis of the crop's camera turns the body with it; zooming is another focal length.
    """
    count, n = len(batch.crops), batch.crops.shape[1]
    flipped = torch.as_tensor(rng.random(count) < 0.5)
    turn = np.radians(rng.uniform(-TURN_DEG, TURN_DEG, count) * (rng.random(count) < 0.6))
    zoom = rng.uniform(*ZOOM, count)
    gain = torch.as_tensor(rng.uniform(0.7, 1.3, (count, 1)) * rng.uniform(0.9, 1.1, (count, 3)), dtype=torch.float32)
    lift = torch.as_tensor(rng.uniform(-0.25, 0.25, (count, 1)), dtype=torch.float32)
    rotations = torch.where(flipped[:, None, None, None], mirrored(batch.rotations), batch.rotations)
    pelvis = batch.root + batch.transl
    pelvis = torch.where(flipped[:, None], pelvis * torch.tensor([-1.0, 1.0, 1.0]), pelvis)
    pixels = normalised(batch.crops)
    pixels = torch.where(flipped[:, None, None, None], pixels.flip(-1), pixels)
    R = torch.as_tensor(matrix_from_axis_angle(np.stack([0.0 * turn, 0.0 * turn, turn], axis=-1)), dtype=torch.float32)
    # grid_sample counts in half widths and half heights: a turn in pixels is a shear in those.
    sides = torch.tensor([pixels.shape[3] / n, 1.0])
    back = R[:, :2, :2].transpose(-1, -2) / torch.as_tensor(zoom, dtype=torch.float32)[:, None, None]
    affine = torch.cat([back * sides / sides[:, None], torch.zeros(count, 2, 1)], dim=-1)
    grid = nn.functional.affine_grid(affine, list(pixels.shape), align_corners=False)
    black = normalised(torch.zeros(1, 1, 1, 3, dtype=torch.uint8))
    pixels = nn.functional.grid_sample(pixels - black, grid, align_corners=False) + black
    pixels = pixels * gain[..., None, None] + lift[..., None, None]
    rotations = torch.cat([R[:, None] @ rotations[:, :1], rotations[:, 1:]], dim=1)
    transl = (R @ pelvis[..., None])[..., 0] - batch.root
    focal = batch.focal_px * torch.as_tensor(zoom, dtype=torch.float32)
    return pixels, Batch(batch.crops, rotations, batch.betas, transl, focal, batch.root)


class Skeleton:
    """Joints of bodies, and where crops show them."""

    def __init__(self, body: BodyModel, rows_px: int):
        self.body, self.rows_px = body, rows_px

    def joints(
        self, rotations: Float[Tensor, "crop 24 3 3"], betas: Float[Tensor, "crop 10"], transl: Float[Tensor, "crop 3"]
    ) -> Float[Tensor, "crop 24 3"]:
        """Return joints in the axes of the crops' cameras, metres."""
        return self.body.posed(betas, rotations[:, 0], rotations[:, 1:], transl).joints

    def in_crop(
        self, joints: Float[Tensor, "crop 24 3"], focal_px: Float[Tensor, "crop"]
    ) -> Float[Tensor, "crop 24 2"]:
        """Return joints right and down of the crop's middle, in half sides."""
        depth = joints[..., 2:].clamp(min=NEAREST_M)
        return joints[..., :2] / depth * (2.0 * focal_px[:, None, None] / self.rows_px)
