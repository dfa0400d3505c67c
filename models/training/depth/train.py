"""Train the starter depth networks on views of our own sample rooms.

    python -m models.training.depth.train views --count 4000 --seed 0 --out views.npz
    python -m models.training.depth.train train --kind metric --views views.npz --steps 1200 --out models/starter/depth_metric
    python -m models.training.depth.train train --kind relative --start models/starter/depth_metric --views views.npz \
        --steps 500 --out models/starter/depth_relative

Both are Depth Anything (Dinov2 backbone, DPT neck) of some 3 M parameters, stored as float16. The metric one learns the
depth at which a camera with focal length = image width would see the same picture (see `models.depth`): scale-invariant
log loss and gradient matching. The relative one learns disparity up to scale and offset (aligned by median and mean
deviation, as MiDaS does) and gradient matching. Same views, seed and threads: the same weights.
"""

import argparse
import json
import logging
import math
import os
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from safetensors.torch import load_file, save_file
from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

from models.depth import IMAGENET_MEAN, IMAGENET_STD, Kind
from models.sample_footage.room import RoomRenderer, random_camera, sample_room, watching_camera
from models.types import SURFACE_LABELS

logger = logging.getLogger(__name__)

MAX_DEPTH_M = 20
"""Of the metric head's sigmoid, at the canonical focal length."""
CANONICAL_FOCAL_RATIO = 1.0
SHORT_PX = {"metric": 84, "relative": 168}
"""The metric network only sets scale and offset of the relative one's disparity: it may see less (thesis §5.1)."""
VIEW_HEIGHT_PX, VIEW_WIDTH_PX = 168, 224
HELD_OUT = 0.05
"""Share of the views, whole rooms from the end, on which errors are measured."""
VIEWS_PER_ROOM = 4
DRAWS = 4
"""Of a camera, until one watches the room."""
FLOOR_LABELS = [SURFACE_LABELS.index("floor"), SURFACE_LABELS.index("rug")]


def starter_config(kind: Kind) -> DepthAnythingConfig:
    """The starters' architecture: everything but the head is the same in both, so that one starts from the other."""
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


def render_views(count: int, rng: np.random.Generator, out: Path) -> None:
    """Render empty sample rooms from random cameras; save images, depth, focal lengths and floor masks."""
    images = np.zeros((count, VIEW_HEIGHT_PX, VIEW_WIDTH_PX, 3), dtype=np.uint8)
    depth = np.zeros((count, VIEW_HEIGHT_PX, VIEW_WIDTH_PX), dtype=np.float16)
    floor = np.zeros((count, VIEW_HEIGHT_PX, VIEW_WIDTH_PX), dtype=bool)
    focal_px, room_of = np.zeros(count), np.arange(count) // VIEWS_PER_ROOM
    for start in range(0, count, VIEWS_PER_ROOM):
        room = sample_room(rng)
        with RoomRenderer(room, VIEW_WIDTH_PX, VIEW_HEIGHT_PX) as renderer:
            for view in range(start, min(start + VIEWS_PER_ROOM, count)):
                # Half of the views are like those of footage: high on a wall, over most of the floor.
                draw = watching_camera if rng.random() < 0.5 else random_camera
                for _ in range(DRAWS):
                    camera = draw(room, rng, VIEW_WIDTH_PX, VIEW_HEIGHT_PX)
                    images[view], drawn, labels = renderer.view(camera)
                    depth[view], focal_px[view] = drawn, camera.focal_px
                    floor[view] = np.isin(labels, FLOOR_LABELS)
                    if watches(floor[view], depth[view] * VIEW_WIDTH_PX / camera.focal_px):
                        break
        if start % 300 == 0:
            logger.info("%d of %d views", start, count)
    np.savez(out, images=images, depth=depth, floor=floor, focal_px=focal_px, room_of=room_of)


class Views:
    """Rendered views in memory, as training batches."""

    def __init__(self, path: Path, short_px: int):
        """Read and resize to the network's input."""
        with np.load(path) as data:
            images, depth, self.room_of = data["images"], data["depth"].astype(np.float32), data["room_of"]
            focal = data["focal_px"] / images.shape[2] / CANONICAL_FOCAL_RATIO
            watching = watches(data["floor"], depth / focal[:, None, None])
        size = round(short_px * images.shape[2] / images.shape[1]), short_px
        self.images = np.stack([cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images])
        # The depth at which the canonical camera would see the same picture.
        self.depth = (
            np.stack([cv2.resize(d, size, interpolation=cv2.INTER_NEAREST) for d in depth]) / focal[:, None, None]
        )
        self.depth = self.depth.astype(np.float32)
        rooms = np.unique(self.room_of)
        held = rooms[len(rooms) - max(1, round(HELD_OUT * len(rooms))) :]
        self.train = np.flatnonzero(watching & ~np.isin(self.room_of, held))
        self.test = np.flatnonzero(watching & np.isin(self.room_of, held))

    def batch(self, rng: np.random.Generator, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Augmented pixels [n, 3, h, w], normalised, and canonical depth [n, h, w]."""
        pixels, depths = [], []
        for index in rng.choice(self.train, size=size):
            image, depth = self.images[index], self.depth[index]
            if rng.random() < 0.5:
                image, depth = image[:, ::-1], depth[:, ::-1]
            if rng.random() < 0.6:
                image, depth = zoomed(image, depth, rng)
            pixels.append(recoloured(np.ascontiguousarray(image), rng))
            depths.append(np.ascontiguousarray(depth))
        return normalised(np.stack(pixels)), torch.from_numpy(np.stack(depths))


def watches(
    floor: Bool[np.ndarray, "*n height width"], depth: Float[np.ndarray, "*n height width"]
) -> Bool[np.ndarray, "*n"]:
    """Views that a camera which watches a room could have: some floor in sight, nothing right before the lens.

    The others (the side of a wardrobe, the ceiling) cost such small networks much and teach them little.
    """
    near = np.percentile(depth[..., ::8, ::8], 10, axis=(-2, -1))
    return np.asarray((floor[..., ::4, ::4].mean(axis=(-2, -1)) > 0.12) & (near > 0.9))


def zoomed(
    image: UInt8[np.ndarray, "height width 3"], depth: Float[np.ndarray, "height width"], rng: np.random.Generator
) -> tuple[UInt8[np.ndarray, "height width 3"], Float[np.ndarray, "height width"]]:
    """A crop at the picture's size: a longer focal length, so the canonical depth shrinks by the zoom."""
    height, width = depth.shape
    zoom = rng.uniform(1.0, 1.35)
    rows, columns = round(height / zoom), round(width / zoom)
    top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
    part = slice(top, top + rows), slice(left, left + columns)
    image = cv2.resize(image[part], (width, height), interpolation=cv2.INTER_LINEAR)
    return image, cv2.resize(depth[part], (width, height), interpolation=cv2.INTER_NEAREST) * np.float32(
        columns / width
    )


def recoloured(
    image: UInt8[np.ndarray, "height width 3"], rng: np.random.Generator
) -> UInt8[np.ndarray, "height width 3"]:
    """Another exposure, white balance, sharpness and noise: what differs between cameras."""
    colours = image.astype(np.float32) / 255.0
    if rng.random() < 0.3:
        colours = cv2.GaussianBlur(colours, (0, 0), rng.uniform(0.4, 1.2))
    colours = colours ** rng.uniform(0.7, 1.4) * rng.uniform(0.7, 1.25) * rng.uniform(0.88, 1.12, size=3)
    if rng.random() < 0.1:
        colours[:] = colours.mean(axis=2, keepdims=True)
    colours = colours + rng.normal(0.0, rng.uniform(0.0, 0.04), size=colours.shape[:2] + (1,))
    return (np.clip(colours, 0.0, 1.0) * 255.0).astype(np.uint8)


def normalised(images: UInt8[np.ndarray, "n height width 3"]) -> Float[torch.Tensor, "n 3 height width"]:
    """Pixels as the network takes them."""
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255.0
    return (pixels - torch.tensor(IMAGENET_MEAN).view(3, 1, 1)) / torch.tensor(IMAGENET_STD).view(3, 1, 1)


def gradient_loss(
    error: Float[torch.Tensor, "n h w"], mask: Bool[torch.Tensor, "n h w"], scales: int = 3
) -> Float[torch.Tensor, ""]:
    """Mean absolute difference of neighbouring errors, at several resolutions (MiDaS eq. 11)."""
    total = error.new_zeros(())
    for scale in range(scales):
        e, m = error[:, :: 2**scale, :: 2**scale], mask[:, :: 2**scale, :: 2**scale]
        across, down = m[:, :, 1:] & m[:, :, :-1], m[:, 1:] & m[:, :-1]
        total = total + ((e[:, :, 1:] - e[:, :, :-1]).abs() * across).sum() / across.sum().clamp(min=1)
        total = total + ((e[:, 1:] - e[:, :-1]).abs() * down).sum() / down.sum().clamp(min=1)
    return total


def metric_loss(
    predicted: Float[torch.Tensor, "n h w"], depth: Float[torch.Tensor, "n h w"]
) -> Float[torch.Tensor, ""]:
    """Scale-invariant log error (Eigen 2014, lambda 0.5, per picture) and gradient matching of log depth."""
    mask = (depth > 0.1) & (depth < MAX_DEPTH_M)
    error = torch.where(mask, predicted.clamp(min=0.05).log() - depth.clamp(min=0.05).log(), 0.0)
    count = mask.sum(dim=(1, 2)).clamp(min=1)
    mean, square = error.sum(dim=(1, 2)) / count, (error**2).sum(dim=(1, 2)) / count
    return (square - 0.5 * mean**2).clamp(min=1e-6).sqrt().mean() + 0.5 * gradient_loss(error, mask)


def relative_loss(
    predicted: Float[torch.Tensor, "n h w"], depth: Float[torch.Tensor, "n h w"]
) -> Float[torch.Tensor, ""]:
    """Disparity, both sides brought to median 0 and mean deviation 1, and gradient matching (MiDaS eq. 4-7, 11)."""
    mask = (depth > 0.1) & (depth < MAX_DEPTH_M)
    true = torch.where(mask, 1.0 / depth.clamp(min=0.1), 0.0)

    def aligned(disparity: torch.Tensor) -> torch.Tensor:
        flat = torch.where(mask, disparity, torch.nan).flatten(1)
        centre = flat.nanmedian(dim=1).values[:, None, None]
        deviation = ((disparity - centre).abs() * mask).sum(dim=(1, 2)) / mask.sum(dim=(1, 2)).clamp(min=1)
        return (disparity - centre) / deviation.clamp(min=1e-3)[:, None, None]

    error = torch.where(mask, aligned(predicted) - aligned(true), 0.0)
    return error.abs().sum() / mask.sum().clamp(min=1) + 0.5 * gradient_loss(error, mask)


class Orthogonalised(torch.optim.Optimizer):
    """Momentum whose direction is orthogonalised (Muon, Jordan 2024): matrices of a transformer learn in fewer steps.

    In float32, for this machine has no fast bfloat16, which PyTorch's own takes for the iteration.
    """

    def __init__(self, parameters: list[torch.nn.Parameter], lr: float, momentum: float = 0.95, decay: float = 0.02):
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self) -> None:
        """One update."""
        for group in self.param_groups:
            for matrix in group["params"]:
                velocity = self.state[matrix].setdefault("velocity", torch.zeros_like(matrix))
                velocity.lerp_(matrix.grad, 1.0 - group["momentum"])
                x = matrix.grad.lerp(velocity, group["momentum"])
                tall = x.shape[0] > x.shape[1]
                x = x.T if tall else x
                x = x / (x.norm() + 1e-7)
                for _ in range(5):  # Newton-Schulz, a quintic whose coefficients drive singular values to about 1
                    a = x @ x.T
                    x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
                x = x.T if tall else x
                matrix.mul_(1.0 - group["lr"] * group["decay"])
                matrix.add_(x, alpha=-group["lr"] * max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5)


def train(
    kind: Kind, views: Views, steps: int, batch: int, rate: float, seed: int, start: Path | None, out: Path
) -> None:
    """Train one starter and write it to `out`, now and then on the way and at the end; `start` gives first weights."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    network = DepthAnythingForDepthEstimation(starter_config(kind))
    start_well(network, views)
    with torch.no_grad():
        # The sigmoid starts at 3 m of 20, and the ReLU alive.
        bias = network.head.conv3.bias
        assert bias is not None
        bias.fill_(math.log(3.0 / 17.0) if kind == "metric" else 1.0)
    history = None
    if start is not None:
        history = json.loads((start / "training.json").read_text())
        weights = {name: value.float() for name, value in load_file(start / "model.safetensors").items()}
        if history["kind"] != kind:
            # Far below its limit the metric head's logit is log depth: its negative falls with depth as disparity does.
            for name in ("head.conv3.weight", "head.conv3.bias"):
                weights[name] = -weights[name]
        network.load_state_dict(weights)
    matrices = [value for name, value in network.backbone.encoder.named_parameters() if value.ndim == 2]
    others = [value for value in network.parameters() if not any(value is matrix for matrix in matrices)]
    optimisers = [
        torch.optim.AdamW(others, lr=rate, weight_decay=0.02, betas=(0.9, 0.95)),
        Orthogonalised(matrices, lr=25.0 * rate),
    ]
    rates = [group["lr"] for optimiser in optimisers for group in optimiser.param_groups]
    average = {name: value.detach().clone() for name, value in network.state_dict().items()}
    loss_of = metric_loss if kind == "metric" else relative_loss
    began, running = time.monotonic(), 0.0
    for step in range(steps):
        warm = min(1.0, (step + 1) / 60)
        decay = warm * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * step / steps)))
        for optimiser, full in zip(optimisers, rates, strict=True):
            optimiser.param_groups[0]["lr"] = full * decay
        pixels, depth = views.batch(rng, batch)
        loss = loss_of(network(pixel_values=pixels).predicted_depth, depth)
        network.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        for optimiser in optimisers:
            optimiser.step()
        keep = min(0.99, (step + 1) / (step + 10))
        for name, value in network.state_dict().items():
            average[name].lerp_(value, 1.0 - keep)
        running = float(loss.detach()) if step == 0 else 0.97 * running + 0.03 * float(loss.detach())
        if step % 100 == 99:
            logger.info("%s step %d of %d: loss %.4f, %.0f s", kind, step + 1, steps, running, time.monotonic() - began)
        if step % 200 == 199 or step == steps - 1:
            facts = {"kind": kind, "steps": step + 1, "of": steps, "batch": batch, "seed": seed, "rate": rate}
            facts |= {
                "short_px": SHORT_PX[kind],
                "views": len(views.train),
                "loss": round(running, 4),
                "start": history,
            }
            save_starter(network, average, facts, out)


def start_well(network: DepthAnythingForDepthEstimation, views: Views) -> None:
    """First weights for training from nothing: the library's own suit fine-tuning, and learn next to nothing in the few
    hundred steps that a small CPU affords."""
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


def save_starter(
    network: DepthAnythingForDepthEstimation, weights: dict[str, torch.Tensor], facts: dict, out: Path
) -> None:
    """Write config, float16 weights, the image processor's settings and how it was trained; each file by renaming."""
    out.mkdir(parents=True, exist_ok=True)
    half = {name: value.half().contiguous() for name, value in weights.items()}
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


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    views = commands.add_parser("views")
    views.add_argument("--count", type=int, default=4000)
    training = commands.add_parser("train")
    training.add_argument("--kind", choices=("metric", "relative"), required=True)
    training.add_argument("--steps", type=int, default=1200)
    training.add_argument("--batch", type=int, default=16)
    training.add_argument("--rate", type=float, default=6e-4)
    training.add_argument("--start", type=Path)
    training.add_argument("--threads", type=int, default=1)
    for command in (views, training):
        command.add_argument("--seed", type=int, default=0)
        command.add_argument("--out", type=Path, required=True)
    training.add_argument("--views", type=Path, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if arguments.command == "views":
        render_views(arguments.count, np.random.default_rng(arguments.seed), arguments.out)
    else:
        torch.set_num_threads(arguments.threads)
        data = Views(arguments.views, SHORT_PX[arguments.kind])
        train(
            arguments.kind,
            data,
            arguments.steps,
            arguments.batch,
            arguments.rate,
            arguments.seed,
            arguments.start,
            arguments.out,
        )


if __name__ == "__main__":
    main()
