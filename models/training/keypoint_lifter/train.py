"""Train the keypoint regressor (`models/people3d/keypoint_lifter.py`) on motion seen by imagined cameras, and write its card.

    python -m models.training.keypoint_lifter.train motions --corpus corpus.bin --out motions.npz
    python -m models.training.keypoint_lifter.train train --motions motions.npz --out models/starter/pose_lift
    python -m models.training.keypoint_lifter.train train --motions motions.npz --start models/starter/pose_lift --rate 5e-4 --out longer
    python -m models.training.keypoint_lifter.train card --motions motions.npz --folder models/starter/pose_lift

`train` draws every window anew (models/training/keypoint_lifter/views.py): no two steps see the same. Repeat when the corpus grows, from nothing or, with
`--start`, from weights there are.
"""

import argparse
import json
import logging
import math
import time
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
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
from models.training.corpus_tracks import corpus_tracks
from models.training.keypoint_lifter.evaluate import write_card
from models.training.keypoint_lifter.motions import Motions, collect, read_motions, save_motions
from models.training.keypoint_lifter.views import Windows, WindowSource
from models.training.state import resume_state, save_state, write_starter

logger = logging.getLogger(__name__)

WINDOW_FRAMES = 32
SAVE_EVERY_S = 120.0


def loss_of(found: Lifted, true: Windows, body: BodyModel) -> tuple[Tensor, dict[str, float]]:
    """Sum of the errors of rotations, joints, keypoints, place, shape and motion, and each of them.

    Frames in which nothing was seen count a third. The expected error is fitted to the joints' errors, not they to it.
    """
    weight = torch.where((true.scores > 0.0).any(-1), 1.0, 0.33)

    def mean(values: Float[Tensor, "batch time"]) -> Tensor:
        return (values * weight).mean()

    rest = body.rest_joints(true.betas)[:, None, 0]
    pelvis = true.pelvis - true.offset[:, None]
    posed_true = body._pose(true.betas[:, None], true.rotations[:, :, 0], true.rotations[:, :, 1:], pelvis - rest)
    posed = body._pose(true.betas[:, None], found.rotations[:, :, 0], found.rotations[:, :, 1:], found.pelvis - rest)
    joints, joints_true = posed[2], posed_true[2]
    keypoints = body._keypoints(true.betas[:, None], *posed)
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
    terms = {
        "rotations": mean(turned[..., 1:].mean(-1)) + mean(turned[..., 0]),
        "joints": 10.0 * mean(apart),
        "place": 2.0 * mean(place / (0.5 + 0.2 * distance[..., 0])),
        "keypoints": 10.0 * mean(across),
        "motion": 0.1 * motion.norm(dim=-1).mean(-1).clamp(max=5.0).mean(),
        "shape": 0.1 * mean((found.shape - true.shape[:, None]).square().mean(-1)),
        "expected": 0.1 * mean((found.log_error - expected).abs()),
    }
    return sum(terms.values(), torch.zeros(())), {name: float(value.detach()) for name, value in terms.items()}


def _unit(way: Tensor) -> Tensor:
    return torch.nn.functional.normalize(way, dim=-1)


def _normaliser(network: PoseLift, windows: Windows) -> None:
    """Mean and spread of the features, from one large draw."""
    view = view_of(windows.rays, windows.scores)
    rows = features(view, windows.rays, windows.scores, windows.camera_height_m).flatten(0, 1)
    network.mean.copy_(rows.mean(0))
    network.spread.copy_(rows.std(0).clamp(min=0.05))


def train(
    motions: Motions,
    config: PoseLiftConfig,
    steps: int,
    batch: int,
    rate: float,
    seed: int,
    out: Path,
    checkpoint: Path | None = None,
    body: BodyModel | None = None,
    frames: int = WINDOW_FRAMES,
    start: Path | None = None,
) -> None:
    """Train, and write the averaged weights to `out` at the end. Same motion, seed and threads: the same bytes.

    Every two minutes the whole state goes to the folder `checkpoint`, from which an interrupted training continues as
    if it had not been interrupted: what step n sees depends on the seed and n alone. `start` is a folder of weights to
    begin with.
    """
    body = body or load_body()
    source = WindowSource(motions, body, frames, held_out=False)
    torch.manual_seed(seed)
    began_with = {}
    if start is None:
        network = PoseLift(config)
        _normaliser(network, source.draw(256, np.random.default_rng([seed, 2**31]), DetectorNoiseConfig()))
    else:
        network, weights_digest = load_pose_lift(start), pose_lift_digest(start)
        network.train().requires_grad_(True)
        config, began_with = network.config, {"start": weights_digest}
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.01, betas=(0.9, 0.98))
    average = {name: value.detach().clone() for name, value in network.state_dict().items()}
    made_of = {
        "steps": steps,
        "batch": batch,
        "frames": frames,
        "rate": rate,
        "seed": seed,
        "config": config.model_dump(mode="json"),
        "motion": motions.counts(),
        **began_with,
    }
    first = resume_state(checkpoint, network, optimiser, average, made_of)
    began = saved = time.monotonic()
    running: dict[str, float] = {}
    for step in range(first, steps):
        rng = np.random.default_rng([seed, step])
        warm = min(1.0, (step + 1) / min(500, 1 + steps // 10))
        optimiser.param_groups[0]["lr"] = rate * warm * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * step / steps)))
        windows = source.draw(batch, rng, DetectorNoiseConfig(scale=float(rng.choice([0.3, 1.0, 1.3]))))
        mask = torch.ones(windows.seconds.shape, dtype=torch.bool)
        # Shorter windows, too: an end of a clip has nothing after it.
        short = torch.as_tensor(rng.random(batch) < 0.15)
        ends = torch.as_tensor(rng.integers(4, frames + 1, batch))
        mask &= ~short[:, None] | (torch.arange(frames)[None] < ends[:, None])
        scores = windows.scores * mask[..., None]
        found = network(windows.rays, scores, windows.camera_height_m, windows.seconds, mask)
        loss, terms = loss_of(found, windows, body)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        keep = min(0.9995, (step + 1) / (step + 10))
        for name, value in network.state_dict().items():
            average[name].lerp_(value, 1.0 - keep)
        for name, value in terms.items():
            running[name] = value if step == first else 0.99 * running[name] + 0.01 * value
        if step % 100 == 99:
            told = " ".join(f"{name} {value:.3f}" for name, value in running.items())
            logger.info("step %d of %d: %s, %.0f s", step + 1, steps, told, time.monotonic() - began)
        if checkpoint is not None and time.monotonic() - saved > SAVE_EVERY_S:
            save_state(checkpoint, network, optimiser, average, step + 1, made_of)
            saved = time.monotonic()
    facts = {
        "steps": steps,
        "batch": batch,
        "frames": frames,
        "rate": rate,
        "seed": seed,
        "loss": {name: round(value, 4) for name, value in running.items()},
        "motion": motions.counts(),
        **began_with,
    }
    write_starter(out, average, config, facts)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    gather = commands.add_parser("motions")
    gather.add_argument("--corpus", type=Path, required=True, help="file made by `careclips corpus build`")
    gather.add_argument("--without", nargs="*", default=(), help="sources whose items are left out, by their names")
    gather.add_argument("--acted", type=int, default=250)
    gather.add_argument("--postures", type=int, default=420)
    gather.add_argument("--out", type=Path, required=True)
    training = commands.add_parser("train")
    training.add_argument("--steps", type=int, default=12000)
    training.add_argument("--batch", type=int, default=48)
    training.add_argument("--rate", type=float, default=7e-4)
    training.add_argument("--checkpoint", type=Path)
    training.add_argument("--start", type=Path)
    training.add_argument("--out", type=Path, required=True)
    card = commands.add_parser("card")
    card.add_argument("--windows", type=int, default=1500)
    card.add_argument("--folder", type=Path, required=True)
    for command in (gather, training, card):
        command.add_argument("--seed", type=int, default=0)
        command.add_argument("--threads", type=int, default=1)
    for command in (training, card):
        command.add_argument("--motions", type=Path, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(arguments.threads)
    if arguments.command == "motions":
        body = load_body()
        tracks = corpus_tracks(arguments.corpus, body, arguments.without)
        save_motions(collect(body, tracks, arguments.acted, arguments.postures, arguments.seed), arguments.out)
    elif arguments.command == "train":
        train(
            read_motions(arguments.motions),
            PoseLiftConfig(),
            arguments.steps,
            arguments.batch,
            arguments.rate,
            arguments.seed,
            arguments.out,
            arguments.checkpoint,
            start=arguments.start,
        )
    else:
        figures = write_card(arguments.folder, read_motions(arguments.motions), arguments.windows, arguments.seed)
        print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
