"""Train the keypoint regressor (`models/people3d/keypoint_lifter.py`) on motion seen by imagined cameras
(`careclips train lifter`).

Every window is drawn anew (`models/training/keypoint_lifter/views.py`): no two steps see the same. Repeat when the
corpus grows, from nothing or from weights there are.
"""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from models.body.model import BodyModel, load_body
from models.people2d.simulated_detector import DetectorNoiseConfig
from models.people3d.keypoint_lifter import (
    Lifted,
    PoseLift,
    PoseLiftConfig,
    features,
    load_pose_lift,
    pose_lift_digest,
    view_of,
)
from models.training.keypoint_lifter.motions import Motions
from models.training.keypoint_lifter.views import Windows, WindowSource
from models.training.loop import Run, Schedule, TrainConfig, fit
from models.training.state import Checkpoint, write_starter


class LifterTrainConfig(TrainConfig):
    """How a keypoint regressor is trained."""

    frames: int = Field(default=32, ge=4)
    """Of a window."""


TRAINING = LifterTrainConfig(steps=12000, batch_size=48, learning_rate=7e-4, warmup_steps=500, ema_decay=0.9995)
"""For a training from nothing."""
FAULT_SCALES = (0.3, 1.0, 1.3)
"""How faulty the imagined detector is, one drawn a step."""
SHORT_SHARE = 0.15
"""Of windows that are cut short: an end of a clip has nothing after it."""


def loss_of(found: Lifted, true: Windows, body: BodyModel) -> dict[str, Tensor]:
    """Return the errors of rotations, joints, keypoints, place, shape and motion; their sum is the loss.

    Frames in which nothing was seen count a third. The expected error is fitted to the joints' errors, not they to it.
    """
    weight = torch.where((true.scores > 0.0).any(-1), 1.0, 0.33)

    def mean(values: Float[Tensor, "batch time"]) -> Tensor:
        return (values * weight).mean()

    rest = body.rest_joints(true.betas)[:, None, 0]
    pelvis = true.pelvis - true.offset[:, None]
    posed_true = body.posed(true.betas[:, None], true.rotations[:, :, 0], true.rotations[:, :, 1:], pelvis - rest)
    posed = body.posed(true.betas[:, None], found.rotations[:, :, 0], found.rotations[:, :, 1:], found.pelvis - rest)
    joints, joints_true = posed.joints, posed_true.joints
    keypoints = posed.keypoints
    turned = (found.rotations[:, :, :22] - true.rotations[:, :, :22]).square().sum((-1, -2))
    apart = ((joints - joints[:, :, :1]) - (joints_true - joints_true[:, :, :1])).norm(dim=-1)[:, :, 1:22].mean(-1)
    place = (found.pelvis - pelvis).norm(dim=-1)
    # Sideways errors are seen in the image, and weigh more than those along the ray.
    distance = pelvis.norm(dim=-1, keepdim=True)
    ray = _unit(true.true_rays)
    seen = _unit(keypoints) - ray
    across = (seen * distance[..., None]).norm(dim=-1).mean(-1)
    dt = (true.seconds[:, 1:] - true.seconds[:, :-1])[..., None, None].clamp(min=0.02)
    motion = ((joints[:, 1:] - joints[:, :-1]) - (joints_true[:, 1:] - joints_true[:, :-1])) / dt
    expected = (apart.detach() + 0.005).log()
    return {
        "rotations": mean(turned[..., 1:].mean(-1)) + mean(turned[..., 0]),
        "joints": 10.0 * mean(apart),
        "place": 2.0 * mean(place / (0.5 + 0.2 * distance[..., 0])),
        "keypoints": 10.0 * mean(across),
        "motion": 0.1 * motion.norm(dim=-1).mean(-1).clamp(max=5.0).mean(),
        "shape": 0.1 * mean((found.shape - true.shape[:, None]).square().mean(-1)),
        "expected": 0.1 * mean((found.log_error - expected).abs()),
    }


def _unit(vectors: Tensor) -> Tensor:
    return torch.nn.functional.normalize(vectors, dim=-1)


def _normaliser(network: PoseLift, windows: Windows) -> None:
    """Mean and spread of the features, from one large draw."""
    view = view_of(windows.rays, windows.scores)
    rows = features(view, windows.rays, windows.scores, windows.camera_height_m).flatten(0, 1)
    network.mean.copy_(rows.mean(0))
    network.std.copy_(rows.std(0).clamp(min=0.05))


def train(
    motions: Motions,
    config: PoseLiftConfig,
    training: LifterTrainConfig,
    run: Run,
    body: BodyModel | None = None,
    start: Path | None = None,
) -> None:
    """Train, and write the averaged weights at the end. Same motion, seed and threads: the same bytes, also after an
    interruption.

    `start` is a folder of weights to begin with; its sizes win over those of `config`.
    """
    body = body or load_body()
    source = WindowSource(motions, body, training.frames, held_out=False)
    torch.manual_seed(run.seed)
    began_with = {}
    if start is None:
        network = PoseLift(config)
        _normaliser(network, source.draw(256, np.random.default_rng([run.seed, 2**31]), DetectorNoiseConfig()))
    else:
        network, weights_digest = load_pose_lift(start), pose_lift_digest(start)
        network.train().requires_grad_(True)
        config, began_with = network.config, {"start": weights_digest}

    def losses(step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([run.seed, step])
        windows = source.draw(training.batch_size, rng, DetectorNoiseConfig(scale=float(rng.choice(FAULT_SCALES))))
        mask = _cut_short(windows, rng)
        scores = windows.scores * mask[..., None]
        return loss_of(network(windows.rays, scores, windows.camera_height_m, windows.seconds, mask), windows, body)

    optimiser = torch.optim.AdamW(
        network.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay, betas=(0.9, 0.98)
    )
    made_of = {
        "seed": run.seed,
        "config": config.model_dump(mode="json"),
        "training": training.made_of(),
        "motion": motions.counts(),
        **began_with,
    }
    schedule = Schedule(training.steps, training.short_warmup())
    average, progress = fit(network, [optimiser], losses, training, Checkpoint(run.checkpoint, made_of), schedule)
    facts = {
        "steps": progress.step,
        "batch_size": training.batch_size,
        "frames": training.frames,
        "learning_rate": training.learning_rate,
        "seed": run.seed,
        "loss": {name: round(value, 4) for name, value in progress.losses.items()},
        "motion": motions.counts(),
        **began_with,
    }
    write_starter(run.out, average.state_dict(), config, facts)


def _cut_short(windows: Windows, rng: np.random.Generator) -> Bool[Tensor, "batch time"]:
    """Frames that are shown."""
    batch, frames = windows.seconds.shape
    short = torch.as_tensor(rng.random(batch) < SHORT_SHARE)
    ends = torch.as_tensor(rng.integers(4, frames + 1, batch))
    return ~short[:, None] | (torch.arange(frames)[None] < ends[:, None])
