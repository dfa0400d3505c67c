"""Train the pose prior (`models/people3d/pose_prior.py`) on a motion corpus' poses (`careclips train pose-prior`).

Takes of the corpus's val and test splits are held out. Mirroring left and right happens in training.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.body.mirror import mirrored
from models.body.model import BodyModel, load_body
from models.people3d.pose_prior import PRIOR_JOINTS, PosePrior, PosePriorConfig
from models.training.corpus_tracks import KINDS
from models.training.loop import Run, Schedule, TrainConfig, fit
from models.training.pose_prior.kinematics import Kinematics, matrices
from models.training.pose_prior.poses import Poses
from models.training.state import Checkpoint, write_starter

ROTATION_SPREAD_RAD, JOINT_SPREAD_M, KL_WEIGHT = 0.1, 0.02, 0.5


TRAINING = TrainConfig(
    steps=40000, batch_size=256, learning_rate=1e-3, weight_decay=1e-4, max_grad_norm=20.0, log_every=500
)
"""How the prior that ships was trained, but for its 16,000 steps."""


def loss_of(
    prior: PosePrior, kinematics: Kinematics, rotations: Float[Tensor, "batch 21 3 3"], noise: Float[Tensor, "batch n"]
) -> Tensor:
    """Return the evidence bound with Gaussian errors of rotations (matrix distance) and of joint positions, KL
    weighted lower."""
    mean, log_variance = prior.encode(rotations)
    found = prior.decode(mean + noise * (0.5 * log_variance).exp())
    turn = (found - rotations).square().sum((-1, -2, -3)) / (4.0 * ROTATION_SPREAD_RAD**2)
    apart = (kinematics(found) - kinematics(rotations)).square().sum((-1, -2)) / (2.0 * JOINT_SPREAD_M**2)
    divergence = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum(-1)
    return (turn + apart + KL_WEIGHT * divergence).mean()


def train(
    poses: Poses, config: PosePriorConfig, training: TrainConfig, run: Run, body: BodyModel | None = None
) -> None:
    """Train, and write the averaged weights at the end. Same poses, seed and threads: the same bytes, also after an
    interruption."""
    kinematics = Kinematics(body or load_body())
    torch.manual_seed(run.seed)
    prior = PosePrior(config)
    rotations = matrices(poses.body_pose[~poses.held_out])
    _normalise_by(prior, rotations)

    def losses(step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([run.seed, step])
        drawn = rotations[rng.integers(len(rotations), size=training.batch_size)]
        drawn[: training.batch_size // 2] = mirrored(drawn[: training.batch_size // 2], first=1)
        noise = torch.as_tensor(rng.standard_normal((training.batch_size, config.latent)), dtype=torch.float32)
        return {"loss": loss_of(prior, kinematics, drawn, noise)}

    optimiser = torch.optim.AdamW(
        prior.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay, betas=(0.9, 0.98)
    )
    made_of = {
        "seed": run.seed,
        "config": config.model_dump(mode="json"),
        "training": training.made_of(),
        "poses": len(rotations),
    }
    schedule = Schedule(training.steps, training.short_warmup())
    average, progress = fit(prior, [optimiser], losses, training, Checkpoint(run.checkpoint, made_of), schedule)
    learned = [(poses.kind == number) & ~poses.held_out for number in range(len(KINDS))]
    facts = {
        "steps": progress.step,
        "batch_size": training.batch_size,
        "learning_rate": training.learning_rate,
        "seed": run.seed,
        "loss": round(progress.losses["loss"], 3),
        "poses": {name: int(kind.sum()) for name, kind in zip(KINDS, learned, strict=True)},
        "takes": {name: len(np.unique(poses.take[kind])) for name, kind in zip(KINDS, learned, strict=True)},
    }
    write_starter(run.out, average.state_dict(), config, facts)


def _normalise_by(prior: PosePrior, rotations: Float[Tensor, "pose 21 3 3"]) -> None:
    """Give the prior the mean and the spread of poses and of their mirror images."""
    columns = rotations[..., :2].transpose(-1, -2).flatten(-3)
    both = torch.cat([columns, mirrored(rotations, first=1)[..., :2].transpose(-1, -2).flatten(-3)])
    prior.mean.copy_(both.mean(0))
    variance = both.var(0).unflatten(-1, (PRIOR_JOINTS, 6)).mean(-1, keepdim=True)
    prior.std.copy_((variance + 1e-4).sqrt().expand(-1, 6).flatten())
