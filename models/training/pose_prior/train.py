"""Train the pose prior (`models/people3d/pose_prior.py`) on the poses of a motion corpus, and write its card.

    careclips corpus build --config configs/corpus.yaml --mocap path/to/mocap --out corpus
    python -m models.training.pose_prior.poses --corpus corpus/corpus.bin --out poses.npz
    python -m models.training.pose_prior.train train --poses poses.npz --out models/starter/pose_prior
    python -m models.training.pose_prior.train card --poses poses.npz --folder models/starter/pose_prior --before older

Takes of the corpus's val and test splits are held out. Mirroring left and right happens in training. `--before` adds
what the prior of another folder makes of the same held-out poses. Repeat when the corpus grows.
"""

import argparse
import json
import logging
import math
import time
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from models.body.joint_limits import joint_limits
from models.body.mirror import mirrored
from models.body.model import BodyModel, BodyShape, load_body
from models.body.sides import swapped
from models.files import file_digest
from models.geometry.transforms import axis_angle_from_matrix, matrix_from_axis_angle
from models.people3d.pose_prior import PRIOR_JOINTS, PosePrior, PosePriorConfig, load_pose_prior
from models.training.corpus_tracks import KINDS
from models.training.pose_prior.poses import Poses, read_poses
from models.training.state import resume_state, save_state, write_starter
from models.types import SMPL_JOINTS

logger = logging.getLogger(__name__)

POSTURES = {"lying": (-1.01, 0.5), "leaning": (0.5, 0.87), "upright": (0.87, 1.01)}
"""By the sine of the trunk's elevation: within 30 degrees of the floor, of the vertical, or between."""
ROTATION_SPREAD_RAD, JOINT_SPREAD_M, KL_WEIGHT = 0.1, 0.02, 0.5
SAVE_EVERY_S = 120.0


class Kinematics:
    """Joint positions of poses on one grown body, pelvis at the origin, root unturned."""

    def __init__(self, body: BodyModel):
        self.body = body
        self.betas = torch.as_tensor(
            body.betas_from_shape(BodyShape(age_years=50.0, stature_m=1.7, sex=0.5, build=0.5))
        )[None]

    def __call__(self, rotations: Float[Tensor, "batch 21 3 3"]) -> Float[Tensor, "batch 22 3"]:
        """Metres, SMPL axes; hands are left out."""
        count = len(rotations)
        unturned = torch.eye(3).expand(count, 1, 3, 3)
        pose = torch.cat([rotations, unturned.expand(count, 23 - PRIOR_JOINTS, 3, 3)], dim=1)
        joints = self.body.joints(self.betas, unturned[:, 0], pose, torch.zeros(count, 3))
        return joints[:, : PRIOR_JOINTS + 1] - joints[:, :1]


def matrices(body_pose: Float[np.ndarray, "pose 63"]) -> Float[Tensor, "pose 21 3 3"]:
    """Rotation matrices, float32."""
    return torch.as_tensor(matrix_from_axis_angle(body_pose.reshape(-1, PRIOR_JOINTS, 3)), dtype=torch.float32)


def loss_of(
    prior: PosePrior, kinematics: Kinematics, rotations: Float[Tensor, "batch 21 3 3"], noise: Float[Tensor, "batch n"]
) -> Tensor:
    """Evidence bound with Gaussian errors of rotations (matrix distance) and of joint positions, KL weighted lower."""
    mean, log_variance = prior.encode(rotations)
    found = prior.decode(mean + noise * (0.5 * log_variance).exp())
    turn = (found - rotations).square().sum((-1, -2, -3)) / (4.0 * ROTATION_SPREAD_RAD**2)
    apart = (kinematics(found) - kinematics(rotations)).square().sum((-1, -2)) / (2.0 * JOINT_SPREAD_M**2)
    divergence = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum(-1)
    return (turn + apart + KL_WEIGHT * divergence).mean()


def train(
    poses: Poses,
    config: PosePriorConfig,
    steps: int,
    batch: int,
    rate: float,
    seed: int,
    out: Path,
    checkpoint: Path | None = None,
    body: BodyModel | None = None,
) -> None:
    """Train, and write the averaged weights to `out` at the end. Same poses, seed and threads: the same bytes.

    Every two minutes the whole state goes to the folder `checkpoint`, from which an interrupted training continues as
    if it had not been interrupted: what step n sees depends on the seed and n alone.
    """
    kinematics = Kinematics(body or load_body())
    torch.manual_seed(seed)
    prior = PosePrior(config)
    rotations = matrices(poses.body_pose[~poses.held_out])
    columns = rotations[..., :2].transpose(-1, -2).flatten(-3)
    both = torch.cat([columns, mirrored(rotations, first=1)[..., :2].transpose(-1, -2).flatten(-3)])
    prior.mean.copy_(both.mean(0))
    variance = both.var(0).unflatten(-1, (PRIOR_JOINTS, 6)).mean(-1, keepdim=True)
    prior.spread.copy_((variance + 1e-4).sqrt().expand(-1, 6).flatten())
    optimiser = torch.optim.AdamW(prior.parameters(), lr=rate, weight_decay=1e-4, betas=(0.9, 0.98))
    average = {name: value.detach().clone() for name, value in prior.state_dict().items()}
    made_of = {
        "steps": steps,
        "batch": batch,
        "rate": rate,
        "seed": seed,
        "config": config.model_dump(mode="json"),
        "poses": len(rotations),
    }
    first = resume_state(checkpoint, prior, optimiser, average, made_of)
    began = saved = time.monotonic()
    running = 0.0
    for step in range(first, steps):
        rng = np.random.default_rng([seed, step])
        warm = min(1.0, (step + 1) / min(200, 1 + steps // 10))
        optimiser.param_groups[0]["lr"] = rate * warm * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * step / steps)))
        drawn = rotations[rng.integers(len(rotations), size=batch)]
        drawn[: batch // 2] = mirrored(drawn[: batch // 2], first=1)
        noise = torch.as_tensor(rng.standard_normal((batch, config.latent)), dtype=torch.float32)
        loss = loss_of(prior, kinematics, drawn, noise)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(prior.parameters(), 20.0)
        optimiser.step()
        keep = min(0.999, (step + 1) / (step + 10))
        for name, value in prior.state_dict().items():
            average[name].lerp_(value, 1.0 - keep)
        running = float(loss.detach()) if step == first else 0.99 * running + 0.01 * float(loss.detach())
        if step % 500 == 499:
            logger.info("step %d of %d: loss %.2f, %.0f s", step + 1, steps, running, time.monotonic() - began)
        if checkpoint is not None and time.monotonic() - saved > SAVE_EVERY_S:
            save_state(checkpoint, prior, optimiser, average, step + 1, made_of)
            saved = time.monotonic()
    facts = {
        "steps": steps,
        "batch": batch,
        "rate": rate,
        "seed": seed,
        "loss": round(running, 3),
        "poses": {name: int(((poses.kind == i) & ~poses.held_out).sum()) for i, name in enumerate(KINDS)},
        "takes": {
            name: len(np.unique(poses.take[(poses.kind == i) & ~poses.held_out])) for i, name in enumerate(KINDS)
        },
    }
    write_starter(out, average, config, facts)


def angles_deg(a: Float[Tensor, "*batch 3 3"], b: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch"]:
    """Angles between rotations, from the chord |a - b| = 2 sqrt 2 sin(angle / 2), which is exact for small ones too."""
    return torch.rad2deg(2.0 * ((a - b).square().sum((-1, -2)).sqrt() / 8.0**0.5).clamp(max=1.0).asin())


@torch.no_grad()
def reconstruction(prior: PosePrior, poses: Poses, kinematics: Kinematics) -> dict[str, dict[str, float]]:
    """Errors of encoding and decoding held-out poses, by kind of item and by posture."""
    held = np.flatnonzero(poses.held_out)
    true = matrices(poses.body_pose[held])
    found = prior.decode(prior.encode(true)[0])
    away_mm = 1000.0 * (kinematics(found) - kinematics(true))[:, 1:].norm(dim=-1).mean(-1).numpy()
    turned_deg = angles_deg(found, true).mean(-1).numpy()
    groups = {"all": np.ones(len(held), dtype=bool)}
    groups |= {name: poses.kind[held] == i for i, name in enumerate(KINDS)}
    groups |= {name: (poses.trunk[held] >= a) & (poses.trunk[held] < b) for name, (a, b) in POSTURES.items()}
    return {
        name: {
            "poses": int(group.sum()),
            "joints_mm": float(away_mm[group].mean()),
            "joints_p95_mm": float(np.percentile(away_mm[group], 95)),
            "rotations_deg": float(turned_deg[group].mean()),
        }
        for name, group in groups.items()
        if group.any()
    }


@torch.no_grad()
def plausibility(
    prior: PosePrior, poses: Poses, kinematics: Kinematics, samples: int, seed: int
) -> dict[str, dict[str, float]]:
    """How plausible decoded draws from the standard normal are, beside held-out poses themselves.

    Within the fit's joint limits (all joints, 0.1 rad of slack), limbs inside the trunk, mean joint distance to the
    nearest of 20,000 training poses.
    """
    held = np.flatnonzero(poses.held_out)
    rng = np.random.default_rng(seed)
    latent = torch.as_tensor(rng.standard_normal((samples, prior.config.latent)), dtype=torch.float32)
    some = rng.choice(held, min(samples, len(held)), replace=False)
    known = rng.permutation(np.flatnonzero(~poses.held_out))[:20000]
    known_joints = kinematics(matrices(poses.body_pose[known]))
    plausible = {}
    for name, rotations in (("samples", prior.decode(latent)), ("held_out", matrices(poses.body_pose[some]))):
        joints = kinematics(rotations)
        plausible[name] = {
            "count": len(rotations),
            "within_limits": float(within_limits(rotations).float().mean()),
            "limb_in_trunk": float(limb_in_trunk(joints).float().mean()),
            "nearest_mm": 1000.0 * float(_nearest(joints, known_joints).mean()),
        }
    return plausible


def within_limits(rotations: Float[Tensor, "batch 21 3 3"], slack_rad: float = 0.1) -> Bool[Tensor, "batch"]:
    """Whether every joint keeps the fit's limits."""
    angles = torch.as_tensor(axis_angle_from_matrix(rotations.double().numpy()))
    low, high = (limit[:PRIOR_JOINTS] for limit in joint_limits())
    return ((angles > low - slack_rad) & (angles < high + slack_rad)).all(-1).all(-1)


def limb_in_trunk(joints: Float[Tensor, "batch 22 3"], radius_m: float = 0.07) -> Bool[Tensor, "batch"]:
    """Whether a wrist, elbow, knee or ankle lies within `radius_m` of the line from pelvis to neck."""
    line = joints[:, SMPL_JOINTS.index("neck")]
    limbs = joints[
        :, [i for i, name in enumerate(SMPL_JOINTS[:22]) if name.endswith(("wrist", "elbow", "knee", "ankle"))]
    ]
    along = ((limbs @ line[..., None])[..., 0] / line.square().sum(-1, keepdim=True)).clamp(0.0, 1.0)
    return ((limbs - along[..., None] * line[:, None]).norm(dim=-1) < radius_m).any(-1)


def _nearest(joints: Float[Tensor, "a 22 3"], known: Float[Tensor, "b 22 3"]) -> Float[Tensor, "a"]:
    """Mean joint distance to the known pose that is nearest in all coordinates, or in its mirror image."""
    found = []
    for poses in (joints, joints[:, swapped(SMPL_JOINTS[:22])] * torch.tensor([-1.0, 1.0, 1.0])):
        index = torch.cdist(poses.flatten(1), known.flatten(1)).argmin(1)
        found.append((poses - known[index]).norm(dim=-1).mean(-1))
    return torch.minimum(*found)


CARD = """# pose_prior: a small variational auto-encoder of body poses

A starter in VPoser's role, trained on the motion at hand; train it again when the corpus grows (`models/training/pose_prior/train.py`).

- **Architecture**: 21 joints as 6D rotations, {layers} hidden layers of {hidden}, latent of {latent} numbers, and back;
  {parameters:.2f} M parameters, float16 on disk.
- **Trained on**: {poses}; mirrored left to right half of the time; seed {seed}, {steps} steps of {batch} poses.
  Hardly anybody was captured lying or crawling: such poses come from physics. The captured takes hold much dance, martial
  arts and sport. Takes of the corpus's val and test splits, one in five, are held out; they are of the same performers and
  the same simulator as the others: people unlike them will be encoded worse than the table says.
- **Licence**: Apache-2.0, as the repository.
- **SHA-256** of `model.safetensors`: `{sha256}`

Encoding and decoding held-out poses, root left out (mean joint distance after forward kinematics on a body of 1.7 m):

| held-out poses | number | joints | 95th percentile | rotation of a joint |{head}
| --- | --- | --- | --- | --- |{rule}
{errors}
{note}
Decoded draws from the standard normal beside held-out poses themselves:

| | number | all joints within the fit's limits | a limb inside the trunk | nearest training pose, mean joint distance |
| --- | --- | --- | --- | --- |
{plausible}

The limits are those of `models/body/joint_limits.py` with 0.1 rad of slack per axis-angle component, which captured and simulated
poses do not all keep. A limb inside the trunk is a wrist, elbow, knee or ankle within 7 cm of the line from pelvis to neck.
"""


WORDS = {
    "mocap": "motion capture",
    "fall": "simulated falls and what follows them",
    "look_alike": "look-alikes of falls",
    "composed": "two composed people",
    "lying": "trunk within 30° of the floor",
    "upright": "trunk within 30° of the vertical",
    "leaning": "between",
}
BEFORE = """
Before: the weights `{sha256}` on the same poses.
They may have learnt from some of these takes.
"""


def write_card(folder: Path, poses: Poses, samples: int, seed: int, before: Path | None = None) -> dict:
    """Measure the prior of a folder and write its README.md; the figures. `before` is a folder to compare with."""
    prior, kinematics = load_pose_prior(folder), Kinematics(load_body())
    figures = {
        "errors": reconstruction(prior, poses, kinematics),
        "plausible": plausibility(prior, poses, kinematics, samples, seed),
    }
    if before is not None:
        figures["before"] = reconstruction(load_pose_prior(before), poses, kinematics)
    facts = json.loads((folder / "training.json").read_text())
    errors = [
        f"| {WORDS.get(name, name)} | {row['poses']} | {row['joints_mm']:.1f} mm | {row['joints_p95_mm']:.1f} mm "
        f"| {row['rotations_deg']:.1f}° |"
        for name, row in figures["errors"].items()
    ]
    if before is not None:
        errors = [
            f"{line} {row['joints_mm']:.1f} mm | {row['rotations_deg']:.1f}° |"
            for line, row in zip(errors, figures["before"].values(), strict=True)
        ]
    plausible = [
        f"| {name} | {row['count']} | {row['within_limits']:.0%} | {row['limb_in_trunk']:.1%} | {row['nearest_mm']:.0f} mm |"
        for name, row in (
            ("samples", figures["plausible"]["samples"]),
            ("held-out poses", figures["plausible"]["held_out"]),
        )
    ]
    trained = [
        f"{count} poses of {WORDS[name]} ({facts['takes'][name]} takes)"
        for name, count in facts["poses"].items()
        if count
    ]
    text = CARD.format(
        layers=prior.config.layers,
        hidden=prior.config.hidden,
        latent=prior.config.latent,
        parameters=sum(p.numel() for p in prior.parameters()) / 1e6,
        poses=", ".join(trained),
        seed=facts["seed"],
        steps=facts["steps"],
        batch=facts["batch"],
        sha256=file_digest(folder / "model.safetensors"),
        errors="\n".join(errors),
        plausible="\n".join(plausible),
        head="" if before is None else " joints before | rotation before |",
        rule="" if before is None else " --- | --- |",
        note="" if before is None else BEFORE.format(sha256=file_digest(before / "model.safetensors")),
    )
    (folder / "README.md").write_text(text)
    return figures


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train")
    training.add_argument("--steps", type=int, default=40000)
    training.add_argument("--batch", type=int, default=256)
    training.add_argument("--rate", type=float, default=1e-3)
    training.add_argument("--checkpoint", type=Path)
    training.add_argument("--out", type=Path, required=True)
    card = commands.add_parser("card")
    card.add_argument("--samples", type=int, default=2000)
    card.add_argument("--folder", type=Path, required=True)
    card.add_argument("--before", type=Path)
    for command in (training, card):
        command.add_argument("--seed", type=int, default=0)
        command.add_argument("--threads", type=int, default=1)
        command.add_argument("--poses", type=Path, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(arguments.threads)
    poses = read_poses(arguments.poses)
    if arguments.command == "train":
        train(
            poses,
            PosePriorConfig(),
            arguments.steps,
            arguments.batch,
            arguments.rate,
            arguments.seed,
            arguments.out,
            arguments.checkpoint,
        )
    else:
        figures = write_card(arguments.folder, poses, arguments.samples, arguments.seed, arguments.before)
        print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
