"""Measure a pose prior on held-out poses, and write its card.

Takes of the corpus's val and test splits are held out. Another prior can be measured on the same poses beside it.
"""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from models.body.joint_limits import joint_limits
from models.body.model import load_body
from models.body.sides import swapped
from models.files import file_digest
from models.geometry.transforms import axis_angle_from_matrix
from models.people3d.pose_prior import PRIOR_JOINTS, PosePrior, load_pose_prior
from models.training.corpus_tracks import KINDS
from models.training.pose_prior.kinematics import Kinematics, angles_deg, matrices
from models.training.pose_prior.poses import Poses
from models.training.state import read_facts
from models.types import SMPL_JOINTS

POSTURES = {"lying": (-1.01, 0.5), "leaning": (0.5, 0.87), "upright": (0.87, 1.01)}
"""By the sine of the trunk's elevation: within 30 degrees of the floor, of the vertical, or between."""


@torch.no_grad()
def reconstruction(prior: PosePrior, poses: Poses, kinematics: Kinematics) -> dict[str, dict[str, float]]:
    """Return errors of encoding and decoding held-out poses, by kind of item and by posture."""
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
    """Measure how plausible decoded draws from the standard normal are, beside held-out poses themselves.

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
    """Tell whether every joint keeps the fit's limits."""
    angles = torch.as_tensor(axis_angle_from_matrix(rotations.double().numpy()))
    low, high = (limit[:PRIOR_JOINTS] for limit in joint_limits())
    return ((angles > low - slack_rad) & (angles < high + slack_rad)).all(-1).all(-1)


def limb_in_trunk(joints: Float[Tensor, "batch 22 3"], radius_m: float = 0.07) -> Bool[Tensor, "batch"]:
    """Tell whether a wrist, elbow, knee or ankle lies within `radius_m` of the line from pelvis to neck."""
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

A starter in VPoser's role, trained on the motion at hand; train it again when the corpus grows
(`careclips train pose-prior`).

- **Architecture**: 21 joints as 6D rotations, {layers} hidden layers of {hidden}, latent of {latent} numbers, and back;
  {parameters:.2f} M parameters, float16 on disk.
- **Trained on**: {poses}; mirrored left to right half of the time; seed {seed}, {steps} steps of {batch} poses.
  Hardly anybody was captured lying or crawling: such poses come from physics. The captured takes hold much dance,
  martial arts and sport. Takes of the corpus's val and test splits, one in five, are held out; they are of the same
  performers and the same simulator as the others: people unlike them will be encoded worse than the table says.
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

The limits are those of `models/body/joint_limits.py` with 0.1 rad of slack per axis-angle component, which captured and
simulated poses do not all keep. A limb inside the trunk is a wrist, elbow, knee or ankle within 7 cm of the line from
pelvis to neck.
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
    facts = read_facts(folder)
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
        f"| {name} | {row['count']} | {row['within_limits']:.0%} | {row['limb_in_trunk']:.1%} "
        f"| {row['nearest_mm']:.0f} mm |"
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
        batch=facts["batch_size"],
        sha256=file_digest(folder / "model.safetensors"),
        errors="\n".join(errors),
        plausible="\n".join(plausible),
        head="" if before is None else " joints before | rotation before |",
        rule="" if before is None else " --- | --- |",
        note="" if before is None else BEFORE.format(sha256=file_digest(before / "model.safetensors")),
    )
    (folder / "README.md").write_text(text)
    return figures
