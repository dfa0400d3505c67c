"""The starter depth networks before training, and as files after it."""

import json
import math
import os
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

from models.depth import IMAGENET_MEAN, IMAGENET_STD, Kind
from models.training.depth.losses import MAX_DEPTH_M
from models.training.depth.views import CANONICAL_FOCAL_RATIO, Views, normalised
from models.training.state import read_facts

SHORT_PX = {"metric": 84, "relative": 168}
"""The metric network only sets scale and offset of the relative one's disparity: it may see less (thesis §5.1)."""


def starter_config(kind: Kind) -> DepthAnythingConfig:
    """Return the starters' architecture: everything but the head is the same in both, so that one starts from the
    other."""
    size = SHORT_PX[kind]
    backbone = Dinov2Config(
        hidden_size=192,
        num_hidden_layers=4,
        num_attention_heads=6,
        mlp_ratio=3,
        image_size=168,
        patch_size=14,
        reshape_hidden_states=False,
        apply_layernorm=True,
    )
    backbone.out_indices = [1, 2, 3, 4]
    config = DepthAnythingConfig(
        backbone_config=backbone,
        patch_size=14,
        reassemble_hidden_size=192,
        reassemble_factors=[2, 1, 1, 0.5],
        neck_hidden_sizes=[32, 48, 96, 128],
        fusion_hidden_size=32,
        head_hidden_size=16,
        depth_estimation_type=kind,
        max_depth=MAX_DEPTH_M if kind == "metric" else 1,
    )
    if kind == "metric":
        config.canonical_focal_ratio = CANONICAL_FOCAL_RATIO
    config.starter_short_px = size
    return config


def new_network(kind: Kind, views: Views) -> DepthAnythingForDepthEstimation:
    """Return a network of random weights from which a training from nothing learns well."""
    network = DepthAnythingForDepthEstimation(starter_config(kind))
    start_well(network, views)
    with torch.no_grad():
        # The sigmoid starts at 3 m of 20, and the ReLU alive.
        bias = network.head.conv3.bias
        assert bias is not None
        bias.fill_(math.log(3.0 / 17.0) if kind == "metric" else 1.0)
    return network


def begin_with(network: DepthAnythingForDepthEstimation, kind: Kind, start: Path) -> dict:
    """Load the weights of a starter of either kind; returns how that was trained."""
    history = read_facts(start)
    weights = {name: value.float() for name, value in load_file(start / "model.safetensors").items()}
    if history["kind"] != kind:
        # Far below its limit the metric head's logit is log depth: its negative falls with depth as disparity does.
        for name in ("head.conv3.weight", "head.conv3.bias"):
            weights[name] = -weights[name]
    network.load_state_dict(weights)
    return history


def start_well(network: DepthAnythingForDepthEstimation, views: Views) -> None:
    """Set first weights for training from nothing: the library's own suit fine-tuning, and learn next to nothing in
    the few hundred steps that a small CPU affords."""
    with torch.no_grad():
        for part in (network.neck, network.head):
            for module in part.modules():
                if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
                    module.weight.mul_(2.0)
    for module in network.backbone.modules():
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.xavier_normal_(module.weight)
    # Queries equal to keys attend to alike and near tokens first, as a convolution does.
    for layer in network.backbone.encoder.layer:
        layer.attention.k_proj.weight.data.copy_(layer.attention.q_proj.weight.data)
    # Whitened principal components of the views' own patches: in random ones the patch's mean drowns its edges.
    projection = network.backbone.embeddings.patch_embeddings.projection
    side = projection.kernel_size[0]
    pixels = normalised(views.images[views.train[:: max(1, len(views.train) // 400)]])
    patches = pixels.unfold(2, side, side).unfold(3, side, side).permute(0, 2, 3, 1, 4, 5).reshape(-1, 3 * side * side)
    mean, spread = patches.mean(dim=0), torch.cov(patches.T)
    values, vectors = torch.linalg.eigh(spread)
    count = projection.out_channels
    whitening = (vectors[:, -count:] / (values[-count:] + 1e-3 * values.mean()).sqrt()).T * 0.5
    with torch.no_grad():
        projection.weight.copy_(whitening.reshape(projection.weight.shape))
        projection.bias.copy_(-whitening @ mean)
    # Sines of row and column: random position embeddings take long to sort out.
    embeddings = network.backbone.embeddings.position_embeddings
    side = math.isqrt(embeddings.shape[1] - 1)
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    frequency = torch.pi * 2.0 ** torch.linspace(-1.0, math.log2(side) - 1.0, embeddings.shape[2] // 4) / side
    waves = [f(axis.flatten()[:, None] * frequency) for axis in (rows, columns) for f in (torch.sin, torch.cos)]
    with torch.no_grad():
        embeddings[0, 1:] = 0.5 * torch.cat(waves, dim=1)


def save_starter(network: DepthAnythingForDepthEstimation, facts: dict, out: Path) -> None:
    """Write config, float16 weights, the image processor's settings and how it was trained; each file by renaming."""
    out.mkdir(parents=True, exist_ok=True)
    half = {name: value.half().contiguous() for name, value in network.state_dict().items()}
    save_file(half, out / "model.safetensors.part", metadata={"format": "pt"})
    side = network.config.starter_short_px
    processor = {
        "image_processor_type": "DPTImageProcessor",
        "do_resize": True,
        "size": {"height": side, "width": side},
        "keep_aspect_ratio": True,
        "ensure_multiple_of": 14,
        "resample": 3,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": IMAGENET_MEAN,
        "image_std": IMAGENET_STD,
    }
    settings = network.config.to_dict() | {"architectures": ["DepthAnythingForDepthEstimation"], "dtype": "float16"}
    for name, value in (("config", settings), ("preprocessor_config", processor), ("training", facts)):
        (out / f"{name}.json.part").write_text(json.dumps(value, indent=1) + "\n")
    for part in sorted(out.glob("*.part")):
        part.chmod(0o644)
        os.replace(part, part.with_suffix(""))
