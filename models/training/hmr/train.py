"""Train the network of crops (`models/people3d/hmr_network.py`) on rendered sample people, and measure it on people it
has not seen.

    python -m models.training.pose_prior.poses --corpus corpus.bin --out poses.npz
    python -m models.training.hmr.train views --poses poses.npz --people 800 --out views.npz
    python -m models.training.hmr.train train --views views.npz --out hmr
    python -m models.training.hmr.train measure --views views.npz --folder hmr

`views` renders (`models/training/hmr/views.py`); one group of people in ten, with a room and takes of their own, is
held out. Losses are HMR2.0's (joints in 3D less the pelvis, joints in the crop, rotation matrices, betas), with two
changes. Joints in 3D count twice: posture with the root unturned, and turned with the posture taken as given, since a
posture that pays for a wrong heading shrinks to a knot. And every token of the backbone is asked which joints lie in
its patch: HMR2.0 starts from a backbone that knows keypoints, ours from one that knows depth in rooms (`--start`). In
training, crops are mirrored, turned and zoomed about the axis of their camera, which is exact, and their colours vary.
"""

import argparse
import json
import logging
import math
import os
import time
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from models.body.model import BodyModel, load_body
from models.depth import DepthNetwork
from models.errors import InputError
from models.geometry.rotations import matrix_from_columns, nearest_rotations
from models.networks import STARTERS
from models.people3d.hmr_network import Hmr, HmrConfig, load_hmr
from models.training.hmr.dataset import Batch, Skeleton, Views, batch_of, read_views, save_views, varied
from models.training.hmr.views import draw_views
from models.training.pose_prior.poses import read_poses
from models.training.pose_prior.train import POSTURES, angles_deg

logger = logging.getLogger(__name__)

WEIGHTS = {"posture": 10.0, "turned": 4.0, "crop": 2.0, "root": 0.2, "rotations": 0.5, "betas": 0.02, "patches": 1.0}
"""Of the losses: metres, metres, half crops, squared Frobenius norm of the root, mean of the other joints', squared
betas, nats."""
DINO_NAMES = (
    ("norm1.", "layernorm_before."),
    ("norm2.", "layernorm_after."),
    ("attention.q_proj.", "attention.attention.query."),
    ("attention.k_proj.", "attention.attention.key."),
    ("attention.v_proj.", "attention.attention.value."),
    ("attention.o_proj.", "attention.output.dense."),
)
"""Dinov2's names, and the ViT's."""
SAVE_EVERY_S = 120.0
MEASURE_EVERY, MEASURED = 250, 400
"""Steps between points of the curve, and held-out views in each."""


def small_config(body: BodyModel) -> HmrConfig:
    """Sizes that two CPU cores can train; the backbone has those of the starter for depth, from which it begins.

    One query asks for 24 joints: it has many narrow heads, so that it can look at many places at once.
    """
    return HmrConfig(
        rows_px=128,
        columns_px=96,
        width=192,
        layers=4,
        heads=6,
        mlp_ratio=3,
        decoder_width=192,
        decoder_layers=2,
        decoder_heads=12,
        decoder_head_width=16,
        decoder_hidden=384,
        body=body.name,
    )


class Trainee(nn.Module):
    """The network, and the layer that asks its backbone where joints are, which only training needs."""

    def __init__(self, network: Hmr):
        super().__init__()
        self.network = network
        self.finder = nn.Linear(network.config.width, 24)


def loss_of(
    trainee: Trainee, skeleton: Skeleton, pixels: Float[Tensor, "crop 3 rows columns"], true: Batch
) -> dict[str, Tensor]:
    """Every loss by its name in `WEIGHTS`, mean over crops."""
    tokens = trainee.network.tokens(pixels)
    found = trainee.network.decode(tokens)
    transl = found.translation(true.focal_px, skeleton.rows_px)
    unturned, nowhere = torch.eye(3).expand(len(pixels), 1, 3, 3), torch.zeros_like(transl)

    def posture(rotations: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
        """Joints less the pelvis with the root unturned, and J0."""
        joints = skeleton.joints(torch.cat([unturned, rotations[:, 1:]], dim=1), betas, nowhere)
        return joints - joints[:, :1], joints[:, :1]

    limbs, root = posture(found.rotations, found.betas)
    turn = found.rotations[:, :1]
    with torch.no_grad():
        real_limbs, real_root = posture(true.rotations, true.betas)
        real = (true.rotations[:, :1] @ real_limbs[..., None])[..., 0]
        real_crop = skeleton.in_crop(real + real_root + true.transl[:, None], true.focal_px)
    place = (turn @ limbs[..., None])[..., 0] + root + transl[:, None]
    # Joints far outside the crop are guesses: beyond two half sides they count no more.
    off = skeleton.in_crop(place, true.focal_px) - real_crop.clamp(-2.0, 2.0)
    apart = (found.rotations - true.rotations).square().sum((-1, -2))
    return {
        "posture": (limbs - real_limbs).abs().mean(),
        "turned": ((turn @ limbs.detach()[..., None])[..., 0] - real).abs().mean(),
        "crop": off.abs().clamp(max=2.0).mean(),
        "root": apart[:, 0].mean(),
        "rotations": apart[:, 1:].mean(),
        "betas": (found.betas - true.betas).square().mean(),
        "patches": _patch_loss(trainee.finder(tokens), real_crop, trainee.network.config),
    }


def _patch_loss(
    logits: Float[Tensor, "crop token 24"], in_crop: Float[Tensor, "crop 24 2"], config: HmrConfig
) -> Tensor:
    """Cross entropy over patches of where each joint lies; joints outside the crop are not asked for."""
    size = torch.tensor([config.columns_px, config.rows_px]) // config.patch_px
    patch = (in_crop * config.rows_px / (2 * config.patch_px) + size / 2).floor().long()
    inside = ((patch >= 0) & (patch < size)).all(-1)
    wanted = torch.where(inside, patch[..., 1] * size[0] + patch[..., 0], -100)
    return nn.functional.cross_entropy(logits, wanted)


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
    """Mean parameters from what is to be learned, and the rest joints of its body."""
    columns = batch.rotations[..., :2].transpose(-1, -2).flatten(-2).mean(0)
    # Headings cancel: the root's mean is no rotation to start from, and stays that of facing the camera.
    network.mean_pose[6:] = columns[1:].flatten()
    network.mean_betas.copy_(batch.betas.mean(0))
    scale = 2.0 * batch.focal_px / (batch.crops.shape[1] * batch.transl[:, 2])
    network.mean_camera.copy_(torch.cat([scale[:, None], batch.transl[:, :2]], dim=1).median(0).values)
    network.rest_joints.copy_(body.J_template)
    network.rest_directions.copy_(body.J_shapedirs)


def train(
    views: Views,
    config: HmrConfig,
    body: BodyModel,
    steps: int,
    batch: int,
    rate: float,
    seed: int,
    out: Path,
    checkpoint: Path | None = None,
    start: Path | None = None,
) -> None:
    """Train, from the backbone of `start` if given, and write the averaged weights to `out` at the end. Same views,
    seed and threads: the same bytes.

    Every two minutes the whole state goes to `checkpoint`, from which an interrupted training continues as if it had
    not been interrupted: what step n sees depends on the seed and n alone.
    """
    skeleton = Skeleton(body, config.rows_px)
    torch.manual_seed(seed)
    trainee = Trainee(Hmr(config))
    if start is not None:
        start_backbone(trainee.network, start)
    everything = batch_of(views, body)
    seen = np.flatnonzero(~views.held_out)
    held = np.random.default_rng(seed).permutation(np.flatnonzero(views.held_out))[:MEASURED]
    set_means(trainee.network, body, everything.of(seen))
    optimiser = torch.optim.AdamW(trainee.parameters(), lr=rate, weight_decay=0.05, betas=(0.9, 0.98))
    average = {name: value.detach().clone() for name, value in trainee.state_dict().items()}
    done, curve, running = 0, [], 0.0
    if checkpoint is not None and checkpoint.exists():
        done, curve, running = _resume(checkpoint, trainee, optimiser, average)
    began = saved = time.monotonic()
    for step in range(done, steps):
        rng = np.random.default_rng([seed, step])
        warm = min(1.0, (step + 1) / min(200, 1 + steps // 10))
        optimiser.param_groups[0]["lr"] = rate * warm * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * step / steps)))
        losses = loss_of(trainee, skeleton, *varied(everything.of(rng.choice(seen, batch)), rng))
        loss = torch.stack([WEIGHTS[name] * value for name, value in losses.items()]).sum()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trainee.parameters(), 1.0)
        optimiser.step()
        keep = min(0.998, (step + 1) / (step + 10))
        for name, value in trainee.state_dict().items():
            average[name].lerp_(value, 1.0 - keep)
        running = float(loss.detach()) if step == 0 else 0.98 * running + 0.02 * float(loss.detach())
        if step % MEASURE_EVERY == MEASURE_EVERY - 1 and len(held):
            errors = errors_of(_with(config, average), skeleton, everything.of(held), flip=False)
            figures = {name: round(float(np.median(errors[name])), 1) for name in ("pa_mm", "mm", "root_deg")}
            curve.append({"step": step + 1, "loss": round(running, 3)} | figures)
            logger.info("%s of %d steps, %.0f s", json.dumps(curve[-1]), steps, time.monotonic() - began)
        if checkpoint is not None and time.monotonic() - saved > SAVE_EVERY_S:
            _checkpoint(checkpoint, trainee, optimiser, average, step + 1, curve, running)
            saved = time.monotonic()
    facts = {
        "steps": steps,
        "batch": batch,
        "rate": rate,
        "seed": seed,
        "views": len(seen),
        "loss": round(running, 3),
        "curve": curve,
    }
    out.mkdir(parents=True, exist_ok=True)
    half = {name: value.half().contiguous() for name, value in _own(average).items()}
    save_file(half, out / "model.safetensors.part", metadata={"format": "pt"})
    for name, value in (("config", config.model_dump()), ("training", facts)):
        (out / f"{name}.json.part").write_text(json.dumps(value, indent=1) + "\n")
    for part in sorted(out.glob("*.part")):
        part.chmod(0o644)
        os.replace(part, part.with_suffix(""))


def _with(config: HmrConfig, weights: dict[str, Tensor]) -> Hmr:
    # Building one draws random numbers, which must not change what the training draws.
    with torch.random.fork_rng():
        network = Hmr(config)
    network.load_state_dict(_own(weights))
    return network.eval()


def _own(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The network's, of a trainee's."""
    return {name.removeprefix("network."): value for name, value in weights.items() if name.startswith("network.")}


def _state(trainee: Trainee, optimiser: torch.optim.Optimizer, average: dict[str, Tensor]) -> dict[str, Tensor]:
    """Every tensor that training changes, by name; views, not copies."""
    state = {f"weights.{name}": value for name, value in trainee.state_dict().items()}
    state |= {f"average.{name}": value for name, value in average.items()}
    for name, parameter in trainee.named_parameters():
        state |= {f"{key}.{name}": value for key, value in optimiser.state[parameter].items()}
    return state


def _checkpoint(
    path: Path,
    trainee: Trainee,
    optimiser: torch.optim.Optimizer,
    average: dict[str, Tensor],
    step: int,
    curve: list[dict],
    running: float,
) -> None:
    part = path.with_name(path.name + ".part")
    state = {name: value.detach().clone() for name, value in _state(trainee, optimiser, average).items()}
    save_file(state, part, metadata={"step": str(step), "curve": json.dumps(curve), "loss": repr(running)})
    os.replace(part, path)


def _resume(
    path: Path, trainee: Trainee, optimiser: torch.optim.Optimizer, average: dict[str, Tensor]
) -> tuple[int, list[dict], float]:
    """Bring the state back; the number of steps done, the curve so far, and the running loss."""
    for parameter in trainee.parameters():
        optimiser.state[parameter] = {
            "step": torch.zeros(()),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }
    with safe_open(path, framework="pt") as file:
        facts = file.metadata() or {}
        for name, value in _state(trainee, optimiser, average).items():
            value.detach().copy_(file.get_tensor(name))
    logger.info("continuing from step %s of %s", facts["step"], path)
    return int(facts["step"]), json.loads(facts["curve"]), float(facts["loss"])


def procrustes_error(
    found: Float[Tensor, "body joint 3"], true: Float[Tensor, "body joint 3"]
) -> Float[Tensor, "body"]:
    """Mean joint distance after the best rotation, scale and shift (PA-MPJPE), in the unit of what is given."""
    a, b = found - found.mean(1, keepdim=True), true - true.mean(1, keepdim=True)
    R = nearest_rotations(b.transpose(1, 2) @ a)
    turned = a @ R.transpose(1, 2)
    scale = (turned * b).sum((1, 2)) / a.square().sum((1, 2)).clamp(min=1e-12)
    return (scale[:, None, None] * turned - b).norm(dim=-1).mean(-1)


@torch.no_grad()
def errors_of(network: Hmr, skeleton: Skeleton, batch: Batch, flip: bool) -> dict[str, np.ndarray]:
    """Per crop: PA-MPJPE, MPJPE less the pelvis, heading and posture of the root, pelvis' distance, place in the crop.

    `mean_pa_mm` and `mean_mm` are those of the mean pose, the latter turned as the network turns it.
    """
    found = network.predict(batch.crops.numpy(), flip=flip)
    joints = skeleton.joints(found.rotations, found.betas, found.translation(batch.focal_px, skeleton.rows_px))
    real = skeleton.joints(batch.rotations, batch.betas, batch.transl)
    mean = matrix_from_columns(network.mean_pose.float().unflatten(-1, (24, 6))).expand_as(found.rotations)
    middling = network.mean_betas.float().expand_as(batch.betas)
    mean_joints = skeleton.joints(
        torch.cat([found.rotations[:, :1], mean[:, 1:]], dim=1), middling, torch.zeros_like(batch.transl)
    )
    shown = skeleton.in_crop(joints, batch.focal_px) - skeleton.in_crop(real, batch.focal_px)

    def less_pelvis(some: Tensor) -> Tensor:
        return 1000.0 * ((some - some[:, :1]) - (real - real[:, :1])).norm(dim=-1).mean(-1)

    errors = {
        "pa_mm": 1000.0 * procrustes_error(joints, real),
        "mean_pa_mm": 1000.0 * procrustes_error(mean_joints, real),
        "mm": less_pelvis(joints),
        "mean_mm": less_pelvis(mean_joints),
        "root_deg": angles_deg(found.rotations[:, 0], batch.rotations[:, 0]),
        "pelvis_mm": 1000.0 * (joints[:, 0] - real[:, 0]).norm(dim=-1),
        "crop_share": shown.norm(dim=-1).mean(-1) / 2.0,
    }
    return {name: value.numpy() for name, value in errors.items()}


def measure(network: Hmr, views: Views, body: BodyModel, flip: bool = True) -> dict[str, dict[str, float]]:
    """Mean errors on held-out views, by posture and by how much of the person is seen; medians for root and pelvis."""
    held = np.flatnonzero(views.held_out)
    errors = errors_of(network, Skeleton(body, network.config.rows_px), batch_of(views, body).of(held), flip)
    trunk, seen = views.trunk[held], views.seen[held]
    groups = {"all": np.ones(len(held), dtype=bool)}
    groups |= {name: (trunk >= low) & (trunk < high) for name, (low, high) in POSTURES.items()}
    groups |= {"seen well": seen >= 0.9, "half hidden": seen < 0.7}
    return {
        name: {"views": int(group.sum())}
        | {
            key: float((np.median if key in ("root_deg", "pelvis_mm") else np.mean)(value[group]))
            for key, value in errors.items()
        }
        for name, group in groups.items()
        if group.any()
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    drawing = commands.add_parser("views")
    drawing.add_argument("--poses", type=Path, required=True)
    drawing.add_argument("--people", type=int, default=800)
    drawing.add_argument("--out", type=Path, required=True)
    training = commands.add_parser("train")
    training.add_argument("--steps", type=int, default=20000)
    training.add_argument("--batch", type=int, default=16)
    training.add_argument("--rate", type=float, default=5e-4)
    training.add_argument("--checkpoint", type=Path)
    training.add_argument("--start", type=Path, default=STARTERS / "depth_relative", help="Depth Anything checkpoint")
    training.add_argument("--out", type=Path, required=True)
    measuring = commands.add_parser("measure")
    measuring.add_argument("--folder", type=Path, required=True)
    for command in (drawing, training):
        command.add_argument("--seed", type=int, default=0)
    for command in (training, measuring):
        command.add_argument("--views", type=Path, required=True)
    for command in (drawing, training, measuring):
        command.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(arguments.threads)
    body = load_body()
    if arguments.command == "views":
        views = draw_views(body, read_poses(arguments.poses), small_config(body), arguments.people, arguments.seed)
        save_views(views, arguments.out)
    elif arguments.command == "train":
        train(
            read_views(arguments.views),
            small_config(body),
            body,
            arguments.steps,
            arguments.batch,
            arguments.rate,
            arguments.seed,
            arguments.out,
            arguments.checkpoint,
            arguments.start,
        )
    else:
        print(json.dumps(measure(load_hmr(arguments.folder), read_views(arguments.views), body), indent=1))


if __name__ == "__main__":
    main()
