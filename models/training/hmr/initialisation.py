"""What the network of crops begins with: a Depth Anything backbone, and mean parameters of what is to be learned."""

import math
from pathlib import Path

import torch
from torch import nn

from models.body.model import BodyModel
from models.depth import DepthNetwork
from models.errors import InputError
from models.people3d.hmr_network import Hmr
from models.training.hmr.dataset import Batch

DINO_NAMES = (
    ("norm1.", "layernorm_before."),
    ("norm2.", "layernorm_after."),
    ("attention.q_proj.", "attention.attention.query."),
    ("attention.k_proj.", "attention.attention.key."),
    ("attention.v_proj.", "attention.attention.value."),
    ("attention.o_proj.", "attention.output.dense."),
)
"""Dinov2's names, and the ViT's."""


def start_backbone(network: Hmr, folder: Path) -> None:
    """Begin with the backbone of a Depth Anything checkpoint, which knows edges, surfaces and furniture.

    Its Dinov2 layers are the ViT's, but for a scale behind each residual branch, which goes into the branch's last
    weights. Patches and places are resampled to our grid; its class token is left out. InputError where the sizes
    differ.
    """
    theirs = DepthNetwork("relative", str(folder), None, None, "cpu").network.backbone.state_dict()
    own = network.backbone.state_dict()
    config = network.config
    scale = theirs["embeddings.patch_embeddings.projection.weight"].shape[-1] / config.patch_px
    started = {}
    for name, value in theirs.items():
        for there, here in DINO_NAMES:
            name = name.replace(there, here)
        layer = name.rpartition(".layer.")[0] + ".layer." + name.rpartition(".layer.")[2].split(".")[0]
        if name.endswith("projection.weight"):
            size = [config.patch_px] * 2
            value = scale**2 * nn.functional.interpolate(value, size=size, mode="bicubic", align_corners=False)
        elif name.endswith("position_embeddings"):
            side = math.isqrt(value.shape[1] - 1)
            grid = value[:, 1:].unflatten(1, (side, side)).permute(0, 3, 1, 2)
            size = [config.rows_px // config.patch_px, config.columns_px // config.patch_px]
            grid = nn.functional.interpolate(grid, size=size, mode="bicubic", align_corners=False)
            value = torch.cat([torch.zeros_like(value[:, :1]), grid.flatten(2).transpose(1, 2)], dim=1)
        elif ".attention.output.dense." in name or ".mlp.fc2." in name:
            part = "layer_scale1" if ".attention." in name else "layer_scale2"
            lengths = theirs[f"{layer}.{part}.lambda1"]
            value = value * (lengths[:, None] if value.ndim == 2 else lengths)
        if name in own:
            started[name] = value
    if wrong := sorted(name for name in own if name not in started or started[name].shape != own[name].shape):
        raise InputError(
            folder, f"has a backbone of other sizes ({wrong[0]})", "start from a network of the same width"
        )
    network.backbone.load_state_dict(started)


def set_means(network: Hmr, body: BodyModel, batch: Batch) -> None:
    """Take mean parameters from what is to be learned, and the rest joints of its body."""
    columns = batch.rotations[..., :2].transpose(-1, -2).flatten(-2).mean(0)
    # Headings cancel: the root's mean is no rotation to start from, and stays that of facing the camera.
    network.mean_pose[6:] = columns[1:].flatten()
    network.mean_betas.copy_(batch.betas.mean(0))
    scale = 2.0 * batch.focal_px / (batch.crops.shape[1] * batch.transl[:, 2])
    network.mean_camera.copy_(torch.cat([scale[:, None], batch.transl[:, :2]], dim=1).median(0).values)
    network.rest_joints.copy_(body.J_template)
    network.rest_directions.copy_(body.J_shapedirs)
