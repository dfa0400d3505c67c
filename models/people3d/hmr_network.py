"""A body from one crop, in the shape of HMR2.0 (Goel et al. 2023, Humans in 4D, §3.1).

A ViT (`transformers`' VitPoseBackbone) turns a crop of 256 x 192 pixels, the middle of a square around the person, into
tokens. A decoder with one query token attends to them and says what to add to mean parameters: SMPL rotations (6D, 24
joints), betas, and a weak camera (s, tx, ty).

The crop is seen by a camera of its own, turned so that its axis meets the middle of the box (`crop_camera`): a person
at the image's edge then looks to the network as one in its middle would, and the answer is turned back exactly. In
the axes of that camera (x right, y down, z forward), with focal length f and a side of n pixels, a point p of the body
model at transl 0 projects to n/2 (1 + s (p_x + tx)), counted from the crop's left edge, if depth within the body is
neglected, and so downwards; hence the translation is

    (tx, ty, z) with z = 2 f / (n s), and the pelvis lies at J0(betas) + (tx, ty, z).

Weights: a folder with config.json and model.safetensors, made by `models/training/hmr/train.py`, or by
`models/training/hmr/convert_4dhumans.py` from the published checkpoint.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

import cv2
import numpy as np
import roma
import torch
from jaxtyping import Float, UInt8
from pydantic import Field, model_validator
from torch import Tensor, nn
from transformers import VitPoseBackbone, VitPoseBackboneConfig

from models.body.mirror import mirrored
from models.body.model import relaxed_pose
from models.config import Config
from models.errors import InputError
from models.geometry.camera import Camera, intrinsics_from_focal
from models.geometry.rotations import matrix_from_columns
from models.geometry.transforms import matrix_from_axis_angle, rotation_between, transform
from models.networks import device_of, load_network, network_digest

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
MIN_SCALE = 0.05
"""Of the weak camera: less would put the body tens of metres away, and 0 nowhere."""


class HmrConfig(Config):
    """Sizes of the network; the defaults are HMR2.0's."""

    rows_px: int = Field(default=256, ge=8)
    """Side of the square crop."""
    columns_px: int = Field(default=192, ge=8)
    """How many of its columns, the middle ones, the network sees."""
    patch_px: int = Field(default=16, ge=5)
    """At least 5: the backbone pads crops by 2 pixels, which would give smaller patches a row more."""
    width: int = Field(default=1280, ge=1)
    """Numbers per token of the backbone."""
    layers: int = Field(default=32, ge=1)
    """Layers of the backbone."""
    heads: int = Field(default=16, ge=1)
    """Attention heads of the backbone."""
    mlp_ratio: int = Field(default=4, ge=1)
    """Hidden width of the backbone's MLPs, in widths."""
    decoder_width: int = Field(default=1024, ge=1)
    """Numbers of the decoder's token."""
    decoder_layers: int = Field(default=6, ge=1)
    """Layers of the decoder."""
    decoder_heads: int = Field(default=8, ge=1)
    """Attention heads of the decoder."""
    decoder_head_width: int = Field(default=64, ge=1)
    """Numbers per attention head of the decoder."""
    decoder_hidden: int = Field(default=1024, ge=1)
    """Hidden width of the decoder's MLPs."""
    query: Literal["zero", "state"] = "zero"
    """What the query token is made of: nothing, or the parameters so far."""
    iterations: int = Field(default=1, ge=1)
    """How often the decoder corrects the parameters."""
    body: str = "smpl"
    """Name of the body model whose betas and rotations are answered."""

    @model_validator(mode="after")
    def _sizes_fit(self):
        if self.rows_px % self.patch_px or self.columns_px % self.patch_px:
            raise ValueError(f"rows_px {self.rows_px} and columns_px {self.columns_px}: not multiples of patch_px")
        if self.columns_px > self.rows_px or (self.rows_px - self.columns_px) % 2:
            raise ValueError(f"columns_px {self.columns_px} must leave as many columns of rows_px on either side")
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        if self.iterations > 1 and self.query == "zero":
            raise ValueError("iterations above 1 need query 'state': each would repeat the first")
        return self


@dataclass(frozen=True)
class Bodies:
    """What the network says of crops, in the axes of each crop's camera."""

    rotations: Float[Tensor, "crop 24 3 3"]
    """Of SMPL's joints in their parents' frames; the root's maps body axes to those of the crop's camera."""
    betas: Float[Tensor, "crop 10"]
    camera: Float[Tensor, "crop 3"]
    """Weak camera s, tx, ty; tx and ty in metres."""

    def mirrored(self) -> "Bodies":
        """Return the bodies that the mirrored crops show."""
        return Bodies(mirrored(self.rotations), self.betas, self.camera * self.camera.new_tensor([1.0, -1.0, 1.0]))

    def translation(self, focal_px: Float[Tensor, "crop"], rows_px: int) -> Float[Tensor, "crop 3"]:
        """Return SMPL's transl in the crop cameras' axes, metres (see the module's docstring)."""
        scale = self.camera[:, 0].clamp(min=MIN_SCALE)
        return torch.stack([self.camera[:, 1], self.camera[:, 2], 2.0 * focal_px / (rows_px * scale)], dim=-1)


class _Attention(nn.Module):
    """Multi-head attention of normalised `x` to `context`, or to itself."""

    def __init__(self, width: int, context_width: int, heads: int, head_width: int):
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, heads * head_width, bias=False)
        self.key = nn.Linear(context_width, heads * head_width, bias=False)
        self.value = nn.Linear(context_width, heads * head_width, bias=False)
        self.out = nn.Linear(heads * head_width, width)

    def forward(
        self, x: Float[Tensor, "batch n width"], context: Float[Tensor, "batch m context"] | None = None
    ) -> Float[Tensor, "batch n width"]:
        x = self.norm(x)
        seen = x if context is None else context
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.query(x), self.key(seen), self.value(seen))
        )
        return self.out(nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class _DecoderLayer(nn.Module):
    """Attention to itself, to the image, and an MLP, each before a residual."""

    def __init__(self, config: HmrConfig):
        super().__init__()
        width, heads = config.decoder_width, (config.decoder_heads, config.decoder_head_width)
        self.itself = _Attention(width, width, *heads)
        self.image = _Attention(width, config.width, *heads)
        self.norm = nn.LayerNorm(width)
        self.wide = nn.Linear(width, config.decoder_hidden)
        self.narrow = nn.Linear(config.decoder_hidden, width)

    def forward(
        self, x: Float[Tensor, "batch 1 width"], image: Float[Tensor, "batch token context"]
    ) -> Float[Tensor, "batch 1 width"]:
        x = x + self.itself(x)
        x = x + self.image(x, image)
        return x + self.narrow(nn.functional.gelu(self.wide(self.norm(x))))


class Hmr(nn.Module):
    """Backbone, decoder, and the mean parameters from which it starts."""

    mean_pose: Tensor
    mean_betas: Tensor
    mean_camera: Tensor
    rest_joints: Tensor
    rest_directions: Tensor

    def __init__(self, config: HmrConfig):
        super().__init__()
        self.config = config
        """SHA-256 of config and weights, where they came from a file."""
        backbone = VitPoseBackboneConfig(
            image_size=[config.rows_px, config.columns_px],
            patch_size=[config.patch_px] * 2,
            hidden_size=config.width,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            mlp_ratio=config.mlp_ratio,
            layer_norm_eps=1e-6,
        )
        backbone.out_indices = [config.layers]
        self.backbone = VitPoseBackbone(backbone)
        width, state = config.decoder_width, 24 * 6 + 10 + 3
        self.query = nn.Linear(state if config.query == "state" else 1, width)
        self.place = nn.Parameter(0.02 * torch.randn(width))
        self.decoder = nn.ModuleList([_DecoderLayer(config) for _ in range(config.decoder_layers)])
        self.pose, self.betas, self.camera = (nn.Linear(width, size) for size in (24 * 6, 10, 3))
        for head in (self.pose, self.betas, self.camera):
            # Training starts at the mean parameters, or nearly.
            nn.init.xavier_uniform_(head.weight, gain=0.01)
            nn.init.zeros_(head.bias)
        # At ease, facing the camera: body axes are x left, y up, z ahead, the camera's x right, y down, z forward.
        at_ease = torch.as_tensor(matrix_from_axis_angle(relaxed_pose().reshape(23, 3)), dtype=torch.float32)
        mean = torch.cat([torch.diag(torch.tensor([1.0, -1.0, -1.0]))[None], at_ease])
        self.register_buffer("mean_pose", mean[..., :2].transpose(-1, -2).flatten())
        self.register_buffer("mean_betas", torch.zeros(10))
        self.register_buffer("mean_camera", torch.tensor([0.9, 0.0, 0.0]))
        # The body model's rest joints are J + D betas; another model's betas are refit from them.
        self.register_buffer("rest_joints", torch.zeros(24, 3))
        self.register_buffer("rest_directions", torch.zeros(24, 3, 10))

    def forward(self, crops: Float[Tensor, "batch 3 rows columns"]) -> Bodies:
        """Predict bodies of normalised crops (see `normalised`)."""
        return self.decode(self.tokens(crops))

    def tokens(self, crops: Float[Tensor, "batch 3 rows columns"]) -> Float[Tensor, "batch token width"]:
        """Return what the backbone says of each patch, row by row."""
        return self.backbone(pixel_values=crops).feature_maps[0]

    def decode(self, image: Float[Tensor, "batch token width"]) -> Bodies:
        """Decode bodies of the backbone's tokens."""
        state = torch.cat([self.mean_pose, self.mean_betas, self.mean_camera]).expand(len(image), -1)
        for _ in range(self.config.iterations):
            asked = state if self.config.query == "state" else torch.zeros_like(state[:, :1])
            token = (self.query(asked) + self.place)[:, None]
            for layer in self.decoder:
                token = layer(token, image)
            token = token[:, 0]
            state = state + torch.cat([self.pose(token), self.betas(token), self.camera(token)], dim=-1)
        pose, betas, camera = state.split([24 * 6, 10, 3], dim=-1)
        return Bodies(matrix_from_columns(pose.unflatten(-1, (24, 6))), betas, camera)

    @torch.no_grad()
    def predict(self, crops: UInt8[np.ndarray, "crop rows columns 3"], batch: int = 32, flip: bool = True) -> Bodies:
        """Predict bodies of RGB crops on the CPU, in float32; with `flip`, the mean over each crop and its mirror
        image.

        Rotations are averaged as matrices and brought back to rotations by singular value decomposition.
        """
        assert len(crops), "no crops"
        like, parts = self.mean_pose, []
        for first in range(0, len(crops), batch):
            pixels = normalised(torch.as_tensor(crops[first : first + batch])).to(like.device, like.dtype)
            found = self(pixels)
            if flip:
                other = self(pixels.flip(-1)).mirrored()
                found = Bodies(
                    cast(Tensor, roma.special_procrustes(found.rotations + other.rotations)),
                    0.5 * (found.betas + other.betas),
                    0.5 * (found.camera + other.camera),
                )
            parts.append((found.rotations.cpu().float(), found.betas.cpu().float(), found.camera.cpu().float()))
        return Bodies(*(torch.cat(part) for part in zip(*parts, strict=True)))


def normalised(crops: UInt8[Tensor, "*batch rows columns 3"]) -> Float[Tensor, "*batch 3 rows columns"]:
    """Normalise crops as the network wants them: channels first, less ImageNet's mean, by its deviation."""
    pixels = crops.movedim(-1, -3).float() / 255.0
    return (pixels - torch.tensor(IMAGENET_MEAN)[:, None, None]) / torch.tensor(IMAGENET_STD)[:, None, None]


def crop_camera(camera: Camera, box_px: Float[np.ndarray, "4"], config: HmrConfig) -> Camera:
    """Return the camera of a crop: at the same place, turned to the middle of a box (x0, y0, x1, y1), a square of
    `rows_px`.

    Its focal length is such that the box just fits into the columns that the network sees. InputError where the box is
    empty or lies out of the camera's sight.
    """
    x0, y0, x1, y1 = box_px.tolist()
    if not (x1 > x0 and y1 > y0):
        raise InputError(f"box {box_px.round(1).tolist()}", "is empty", "give x0, y0, x1, y1 in pixels")
    middle = np.array([(x0 + x1) / 2.0, (y0 + y1) / 2.0])
    sides = np.array([[x0, middle[1]], [x1, middle[1]], [middle[0], y0], [middle[0], y1]])
    ray, *rays = camera.rays_camera(np.vstack([middle, sides]))
    R_camera_crop = rotation_between(np.array([0.0, 0.0, 1.0]), ray / np.linalg.norm(ray))
    turned = np.array(rays) @ R_camera_crop
    if turned[:, 2].min() <= 0.0:
        raise InputError(f"box {box_px.round(1).tolist()}", "spans half of all directions", "cut it at the picture")
    across, down = np.abs(turned[:2, 0] / turned[:2, 2]).max(), np.abs(turned[2:, 1] / turned[2:, 2]).max()
    focal = config.rows_px / 2.0 / max(down, across * config.rows_px / config.columns_px)
    return replace(
        camera,
        intrinsics=intrinsics_from_focal(focal, config.rows_px, config.rows_px),
        width_px=config.rows_px,
        height_px=config.rows_px,
        T_world_camera=camera.T_world_camera @ transform(R_camera_crop, np.zeros(3)),
        lens=None,
    )


def crop(
    frame: UInt8[np.ndarray, "height width 3"], camera: Camera, view: Camera, columns_px: int
) -> UInt8[np.ndarray, "rows columns 3"]:
    """Cut out the middle columns of what `view` (see `crop_camera`) sees of a frame of `camera`; black beyond its
    edges."""
    if frame.shape[:2] != (camera.height_px, camera.width_px):
        size = f"{frame.shape[1]}x{frame.shape[0]}"
        raise InputError(
            "frame", f"is {size} for a camera of {camera.width_px}x{camera.height_px}", "give its own frames"
        )
    R_view_camera = view.T_world_camera[:3, :3].T @ camera.T_world_camera[:3, :3]
    # A picture much larger than the crop is sampled several times a pixel, or fine stripes would alias.
    fine = max(1, round(camera.focal_px / view.focal_px))
    rows, columns = view.height_px, columns_px
    shift = np.array([[1.0, 0.0, -(view.width_px - columns) / 2.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    scale = np.array([[fine, 0.0, (fine - 1) / 2.0], [0.0, fine, (fine - 1) / 2.0], [0.0, 0.0, 1.0]])
    H = scale @ shift @ view.intrinsics @ R_view_camera @ np.linalg.inv(camera.intrinsics)
    seen = cv2.warpPerspective(frame, H, (columns * fine, rows * fine), flags=cv2.INTER_LINEAR)
    return seen if fine == 1 else cv2.resize(seen, (columns, rows), interpolation=cv2.INTER_AREA)


_KIND = ("hmr network", "name a folder made by careclips train hmr, or by convert-hmr from published weights")


def load_hmr(name: Path | str, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Hmr:
    """Load the network of a folder with config.json and model.safetensors; InputError if it is none."""
    network = load_network(Path(name), *_KIND, lambda settings: Hmr(HmrConfig.model_validate(settings)))
    return network.to(device_of("people3d.regressor.device", device), dtype)


def hmr_digest(name: Path | str) -> str:
    """Return the digest of the files that `load_hmr` reads."""
    return network_digest(Path(name), *_KIND)
