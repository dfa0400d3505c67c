"""From 2D keypoints over time to a body over the floor: the `keypoints` regressor. DESIGN §4 people3d, thesis §5.3.

A temporal transformer that sees no pixels, so that it learns from motion alone
(models/training/keypoint_lifter/train.py). Each frame is one token: the keypoints' rays in a frame that stands upright
and looks at the person, with the place where each ray would meet the floor, which says how far and how large a person
is who stands or lies there. Out come the root's rotation in that same frame, the joints' rotations, the pelvis as a
direction and a distance, the shape and how sure it is. Time enters as seconds by rotary encoding, so that frame rates
may differ and nothing depends on when a window begins.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from pydantic import Field, model_validator
from scipy.spatial.transform import Rotation, Slerp
from torch import Tensor, nn

from models.body.model import BodyModel
from models.body.shape_space import ShapeSpace
from models.config import Config
from models.geometry.camera import Camera
from models.geometry.rotations import matrix_from_columns
from models.networks import STARTERS, load_network, network_digest
from models.people3d.pose_prior import PRIOR_JOINTS
from models.people3d.regressor import Regression

STARTER = STARTERS / "pose_lift"
STATURE_M, STATURE_STD_M = 1.68, 0.09
"""The space of shapes that the network answers in."""
NEAR_M, FAR_M = 0.4, 25.0
"""Bounds of the distance along a ray to the floor that the network is given."""
FRAME_FEATURES = 17 * 5 + 9


class PoseLiftConfig(Config):
    """Sizes of the network."""

    width: int = Field(default=192, ge=8)
    """Numbers per token."""
    layers: int = Field(default=5, ge=1)
    """Transformer layers."""
    heads: int = Field(default=6, ge=1)
    """Attention heads of a layer."""

    @model_validator(mode="after")
    def _divisible(self) -> "PoseLiftConfig":
        if self.width % (2 * self.heads):
            raise ValueError(f"width ({self.width}) must be a multiple of twice heads ({self.heads})")
        return self


@dataclass(frozen=True)
class View:
    """Per frame, the upright frame that looks at the person: keypoints are given in it, and answers rotated from it."""

    forward: Float[Tensor, "*batch 3"]
    """World, unit: from the camera to the middle of the keypoints."""
    left: Float[Tensor, "*batch 3"]
    """World, unit, level."""
    up: Float[Tensor, "*batch 3"]
    """World, unit, across both."""
    extent: Float[Tensor, "*batch"]
    """Root mean square distance of the keypoints from their middle, as a tangent."""

    @property
    def R_world_view(self) -> Float[Tensor, "*batch 3 3"]:
        """Rotate about the vertical: x is `forward` on the floor."""
        up = torch.zeros_like(self.left)
        up[..., 2] = 1.0
        return torch.stack([torch.linalg.cross(self.left, up), self.left, up], dim=-1)

    def direction(self, offset: Float[Tensor, "*batch point 2"]) -> Float[Tensor, "*batch point 3"]:
        """Return world directions, unit, of places left and up of the middle, in extents."""
        across = offset * self.extent[..., None, None]
        direction = (
            self.forward[..., None, :]
            + across[..., :1] * self.left[..., None, :]
            + across[..., 1:] * self.up[..., None, :]
        )
        return nn.functional.normalize(direction, dim=-1)

    def offset(self, directions: Float[Tensor, "*batch point 3"]) -> Float[Tensor, "*batch point 2"]:
        """Invert `direction`; directions need not be unit."""
        depth = (directions * self.forward[..., None, :]).sum(-1).clamp(min=1e-3)
        along = torch.stack(
            [(directions * self.left[..., None, :]).sum(-1), (directions * self.up[..., None, :]).sum(-1)], dim=-1
        )
        return along / depth[..., None] / self.extent[..., None, None]


def view_of(rays_world: Float[Tensor, "*batch time 17 3"], scores: Float[Tensor, "*batch time 17"]) -> View:
    """Return the view of each frame; frames without keypoints take the middle of the whole window."""
    rays = nn.functional.normalize(rays_world, dim=-1)
    weight = scores.clamp(min=0.0).square()
    seen = weight.sum(-1, keepdim=True) > 0.0
    total = (rays * weight[..., None]).sum(-2)
    overall = total.sum(-2, keepdim=True)
    overall = torch.where(overall.norm(dim=-1, keepdim=True) > 0.0, overall, torch.tensor([1.0, 0.0, 0.0]).to(rays))
    forward = nn.functional.normalize(torch.where(seen, total, overall), dim=-1)
    level = torch.stack([-forward[..., 1], forward[..., 0], torch.zeros_like(forward[..., 0])], dim=-1)
    straight_down = torch.tensor([0.0, 1.0, 0.0]).to(rays)
    left = torch.where(level.norm(dim=-1, keepdim=True) > 1e-4, nn.functional.normalize(level, dim=-1), straight_down)
    up = torch.linalg.cross(forward, left)
    view = View(forward, left, up, torch.ones_like(forward[..., 0]))
    offset = view.offset(rays)
    share = weight / weight.sum(-1, keepdim=True).clamp(min=1e-6)
    std = (offset.square().sum(-1) * share).sum(-1).sqrt()
    typical = (std * seen[..., 0]).sum(-1, keepdim=True) / seen[..., 0].sum(-1, keepdim=True).clamp(min=1)
    extent = torch.where(seen[..., 0], std, typical.expand_as(std)).clamp(min=5e-3)
    return View(forward, left, up, extent)


def features(
    view: View,
    rays_world: Float[Tensor, "*batch time 17 3"],
    scores: Float[Tensor, "*batch time 17"],
    camera_height_m: Float[Tensor, "*batch"],
) -> Float[Tensor, "*batch time feature"]:
    """Build one row a frame: where each keypoint is, how far its ray goes to the floor, its score; the view, the
    height."""
    rays = nn.functional.normalize(rays_world, dim=-1)
    present = (scores > 0.0).to(rays)
    offset = view.offset(rays).clamp(-6.0, 6.0) * present[..., None]
    height = camera_height_m[..., None, None].expand(scores.shape)
    to_floor = (height / (-rays[..., 2]).clamp(min=1e-3)).clamp(NEAR_M, FAR_M).log()
    # How large an extent at that distance is: the sum of two logarithms, which the network need not find by itself.
    size = to_floor + view.extent.log()[..., None]
    per_keypoint = torch.cat(
        [offset, torch.stack([to_floor - 1.2, size, 2.0 * scores - 1.0], dim=-1) * present[..., None]], -1
    )
    flat = view.forward[..., :2].norm(dim=-1)
    whole = torch.nn.functional.normalize((view.forward * present.amax(-1, keepdim=True)).sum(-2, keepdim=True), dim=-1)
    sideways = (whole * view.left).sum(-1)
    level = [view.forward[..., 2], flat, view.extent.log() + 2.0, height[..., 0], height[..., 0].log(), sideways * 3.0]
    frame = [
        present.mean(-1),
        scores.mean(-1),
        (height[..., 0] / (-view.forward[..., 2]).clamp(min=1e-2)).clamp(NEAR_M, FAR_M).log(),
    ]
    return torch.cat([per_keypoint.flatten(-2), torch.stack([*level, *frame], dim=-1)], dim=-1)


class _Block(nn.Module):
    """Attention over time and an MLP, normalised before each."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(
        self,
        x: Float[Tensor, "batch time width"],
        turn: Float[Tensor, "batch time half"],
        mask: Bool[Tensor, "batch time"],
    ) -> Float[Tensor, "batch time width"]:
        batch, time, width = x.shape
        split = self.query_key_value(self.norm_attention(x)).view(batch, time, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        query, key = _rotary(query, turn), _rotary(key, turn)
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None])
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, time, width))
        return x + self.mlp(self.norm_mlp(x))


def _rotary(
    x: Float[Tensor, "batch head time channel"], turn: Float[Tensor, "batch time half"]
) -> Float[Tensor, "batch head time channel"]:
    """Rotary position encoding (Su et al. 2021, eq. 34), with seconds for positions."""
    a, b = x.chunk(2, dim=-1)
    c, s = turn.cos()[:, None], turn.sin()[:, None]
    return torch.cat([a * c - b * s, a * s + b * c], dim=-1)


@dataclass(frozen=True)
class Lifted:
    """What the network says of each frame."""

    rotations: Float[Tensor, "*batch 24 3 3"]
    """The root to the world, joints to their parents; hands straight."""
    pelvis: Float[Tensor, "*batch 3"]
    """From the camera, in world axes, metres."""
    shape: Float[Tensor, "*batch 3"]
    """Of a `ShapeSpace`, per frame."""
    log_error: Float[Tensor, "*batch"]
    """Logarithm of the expected mean joint error, metres."""


class PoseLift(nn.Module):
    """The network."""

    renamed_keys: ClassVar[dict[str, str]] = {
        "spread": "std",
        "inwards": "proj_in",
        "outwards": "proj_out",
        "norm_perceptron": "norm_mlp",
        "perceptron": "mlp",
    }
    """What weights of before call the modules (`models.networks.current_keys`)."""
    frequencies: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, config: PoseLiftConfig):
        super().__init__()
        self.config = config
        half = config.width // config.heads // 2
        # Periods from a third of a second to twenty.
        self.register_buffer(
            "frequencies", 2.0 * torch.pi / torch.logspace(np.log10(0.3), np.log10(20.0), half), persistent=False
        )
        self.register_buffer("mean", torch.zeros(FRAME_FEATURES))
        self.register_buffer("std", torch.ones(FRAME_FEATURES))
        self.proj_in = nn.Sequential(
            nn.Linear(FRAME_FEATURES, 2 * config.width), nn.GELU(), nn.Linear(2 * config.width, config.width)
        )
        self.blocks = nn.ModuleList(_Block(config.width, config.heads) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.proj_out = nn.Linear(config.width, 6 * (PRIOR_JOINTS + 1) + 7)

    def forward(
        self,
        rays_world: Float[Tensor, "batch time 17 3"],
        scores: Float[Tensor, "batch time 17"],
        camera_height_m: Float[Tensor, "batch"],
        seconds: Float[Tensor, "batch time"],
        mask: Bool[Tensor, "batch time"],
    ) -> Lifted:
        """Lift keypoints; rays are in world axes (z up) of any length; `mask` is False where a window is padded."""
        view = view_of(rays_world, scores)
        x = self.proj_in((features(view, rays_world, scores, camera_height_m) - self.mean) / self.std)
        turn = seconds[..., None] * self.frequencies
        for block in self.blocks:
            x = block(x, turn, mask)
        out = self.proj_out(self.norm(x))
        rotation_numbers, rest = out[..., : 6 * (PRIOR_JOINTS + 1)], out[..., 6 * (PRIOR_JOINTS + 1) :]
        upright = torch.tensor([0.0, 1.0, 0.0, 0.0, 0.0, 1.0]).to(x)
        straight = torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]).to(x).repeat(PRIOR_JOINTS)
        local = matrix_from_columns(
            (rotation_numbers + torch.cat([upright, straight])).unflatten(-1, (PRIOR_JOINTS + 1, 6))
        )
        root = view.R_world_view @ local[..., 0, :, :]
        hands = torch.eye(3).to(x).expand(*local.shape[:-3], 23 - PRIOR_JOINTS, 3, 3)
        towards = view.direction(rest[..., None, :2])[..., 0, :]
        # A body whose keypoints lie 0.45 m from their middle, root mean square, is as large as it looks at this
        # distance.
        distance = 0.45 / view.extent * rest[..., 2].clamp(-2.5, 2.5).exp()
        return Lifted(
            torch.cat([root[..., None, :, :], local[..., 1:, :, :], hands], dim=-3),
            towards * distance[..., None],
            rest[..., 3:6],
            rest[..., 6].clamp(-6.0, 2.0),
        )


class KeypointRegressor:
    """`models.people3d.regressor.Regressor` from a network and a body; frames closer than `min_spacing_s` are
    interpolated."""

    reads_frames = False

    def __init__(
        self, network: PoseLift, body: BodyModel, window: int = 32, overlap: int = 16, min_spacing_s: float = 0.055
    ):
        self.network, self.body = network, body
        self.window, self.overlap, self.min_spacing_s = window, overlap, min_spacing_s
        self.shapes = ShapeSpace(body, STATURE_M, STATURE_STD_M)

    @torch.no_grad()
    def regress(
        self,
        keypoints_px: Float[np.ndarray, "time 17 2"],
        scores: Float[np.ndarray, "time 17"],
        boxes_px: Float[np.ndarray, "time 4"],
        timestamps_s: Float[np.ndarray, "time"],
        camera: Camera,
        frames: Iterable[UInt8[np.ndarray, "height width 3"]] = (),
    ) -> Regression:
        """Regress as `Regressor` says.

        Windows overlap and are cross-faded, so a long clip has no seams; cost is linear in frames.
        """
        kept = _spaced(timestamps_s, self.min_spacing_s)
        rays = camera.rays_camera(keypoints_px[kept]) @ camera.T_world_camera[:3, :3].T
        seconds = timestamps_s[kept]
        spans = _spans(len(kept), self.window, self.overlap)
        rows = np.minimum(np.array([np.arange(first, first + self.window) for first, _ in spans]), len(kept) - 1)
        real = np.array([[first + i < last for i in range(self.window)] for first, last in spans])
        lifted = self.network(
            torch.as_tensor(rays[rows], dtype=torch.float32),
            torch.as_tensor(scores[kept][rows], dtype=torch.float32) * torch.as_tensor(real)[..., None],
            torch.full((len(spans),), camera.height_m),
            torch.as_tensor(seconds[rows] - seconds[rows[:, :1]], dtype=torch.float32),
            torch.as_tensor(real),
        )
        total = np.zeros(len(kept))
        rotations, pelvis = np.zeros((len(kept), 24, 3, 3)), np.zeros((len(kept), 3))
        shape, error = np.zeros((len(kept), 3)), np.zeros(len(kept))
        for span, (first, last) in enumerate(spans):
            count = last - first
            share = np.minimum(np.arange(1, count + 1), np.arange(count, 0, -1)).astype(np.float64)
            rotations[first:last] += share[:, None, None, None] * lifted.rotations[span, :count].double().numpy()
            pelvis[first:last] += share[:, None] * lifted.pelvis[span, :count].double().numpy()
            shape[first:last] += share[:, None] * lifted.shape[span, :count].double().numpy()
            error[first:last] += share * lifted.log_error[span, :count].double().exp().numpy()
            total[first:last] += share
        mean = rotations / total[:, None, None, None]
        turns = Rotation.from_matrix(mean.reshape(-1, 3, 3)).as_matrix().reshape(-1, 24, 3, 3)
        pelvis = pelvis / total[:, None] + camera.T_world_camera[:3, 3]
        error = error / total
        trusted = 1.0 / error**2
        z = ((shape / total[:, None]) * trusted[:, None]).sum(0) / trusted.sum()
        betas = self.shapes(torch.as_tensor(z, dtype=torch.float32)).double().numpy()
        return _at(seconds, timestamps_s, turns, pelvis, betas, np.exp(-error / 0.15))


def _spaced(timestamps_s: Float[np.ndarray, "time"], least_s: float) -> np.ndarray:
    """Frames at least so far apart, the first and the last among them."""
    kept = [0]
    for index in range(1, len(timestamps_s)):
        if timestamps_s[index] - timestamps_s[kept[-1]] >= least_s:
            kept.append(index)
    if kept[-1] != len(timestamps_s) - 1:
        kept.append(len(timestamps_s) - 1)
    return np.array(kept)


def _spans(count: int, window: int, overlap: int) -> list[tuple[int, int]]:
    """Windows over `count` frames, each but the only one full."""
    if count <= window:
        return [(0, count)]
    starts = list(range(0, count - window, window - overlap)) + [count - window]
    return [(first, first + window) for first in starts]


def _at(
    known_s: Float[np.ndarray, "known"],
    wanted_s: Float[np.ndarray, "wanted"],
    turns: Float[np.ndarray, "known 24 3 3"],
    pelvis: Float[np.ndarray, "known 3"],
    betas: Float[np.ndarray, "10"],
    confidence: Float[np.ndarray, "known"],
) -> Regression:
    """Between the frames that were regressed."""
    if len(known_s) == 1:
        between = np.repeat(turns, len(wanted_s), axis=0)
    else:
        between = np.stack(
            [Slerp(known_s, Rotation.from_matrix(turns[:, joint]))(wanted_s).as_matrix() for joint in range(24)], axis=1
        )
    flat = Rotation.from_matrix(between[:, 1:].reshape(-1, 3, 3)).as_rotvec().reshape(len(wanted_s), 69)
    place = np.stack([np.interp(wanted_s, known_s, pelvis[:, axis]) for axis in range(3)], axis=1)
    return Regression(between[:, 0], flat, place, betas, np.interp(wanted_s, known_s, confidence))


_KIND = ("keypoint regressor", "name a folder made by careclips train lifter, or starter")


def load_pose_lift(name: Path | str = "starter") -> PoseLift:
    """Load the network of a folder with config.json and model.safetensors, or the shipped `starter`; InputError if
    it is none."""
    return load_network(_folder(name), *_KIND, lambda settings: PoseLift(PoseLiftConfig.model_validate(settings)))


def pose_lift_digest(name: Path | str) -> str:
    """Return the digest of the files that `load_pose_lift` reads."""
    return network_digest(_folder(name), *_KIND)


def _folder(name: Path | str) -> Path:
    return STARTER if name == "starter" else Path(name)
