"""Measure a keypoint regressor on held-out motion seen by imagined cameras it never saw, and write its card.

Every figure is of frames in which something was seen, by posture of the true body.
"""

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from matplotlib.figure import Figure

from models.body.model import load_body
from models.files import file_digest
from models.people2d.simulated_detector import DetectorNoiseConfig
from models.people3d.keypoint_lifter import PoseLift, load_pose_lift
from models.people3d.metrics import BODY_JOINTS, mpjpe_mm, pa_mpjpe_mm
from models.seeds import generator
from models.training.keypoint_lifter.motions import Motions
from models.training.keypoint_lifter.views import WindowSource
from models.training.state import read_facts
from models.types import SMPL_JOINTS

POSTURES = ("standing", "sitting", "falling", "lying", "other")
BATCH = 50
NECK = SMPL_JOINTS.index("neck")
RIGHT_HEADING_DEG = 30.0


@dataclass(frozen=True)
class Errors:
    """One row a frame."""

    mpjpe_mm: Float[np.ndarray, "frame"]
    pa_mpjpe_mm: Float[np.ndarray, "frame"]
    root_m: Float[np.ndarray, "frame"]
    heading_deg: Float[np.ndarray, "frame"]
    """On the floor: of the way the body faces, or of its long axis from pelvis to neck where it lies."""
    roll_deg: Float[np.ndarray, "frame"]
    """Angle between the true and the found front of the body, in space: supine, prone or on which side."""
    posture: Int[np.ndarray, "frame"]
    """Index into POSTURES."""
    missing: Int[np.ndarray, "frame"]
    """Keypoints not seen, of 17."""


def postures(joints: Float[np.ndarray, "frame 24 3"], falling: Bool[np.ndarray, "frame"]) -> Int[np.ndarray, "frame"]:
    """Return the index into POSTURES by the elevation of trunk and thighs; `falling` is known from the motion."""

    def rise(a: int, b: int) -> Float[np.ndarray, "frame"]:
        direction = joints[:, b] - joints[:, a]
        return direction[:, 2] / np.linalg.norm(direction, axis=-1)

    trunk, thighs = rise(0, NECK), np.stack([rise(4, 1), rise(5, 2)])
    found = np.full(len(joints), POSTURES.index("other"))
    found[(trunk > 0.75) & (thighs.min(0) < 0.5)] = POSTURES.index("sitting")
    found[(trunk > 0.8) & (thighs.min(0) > 0.8)] = POSTURES.index("standing")
    found[np.abs(trunk) < 0.5] = POSTURES.index("lying")
    found[falling] = POSTURES.index("falling")
    return found


def _between_deg(a: Float[np.ndarray, "frame n"], b: Float[np.ndarray, "frame n"]) -> Float[np.ndarray, "frame"]:
    cosine = (a * b).sum(-1) / np.maximum(np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1), 1e-9)
    return np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))


@torch.no_grad()
def measure(
    network: PoseLift, motions: Motions, windows: int, frames: int, seed: int, faults: DetectorNoiseConfig
) -> Errors:
    """Return the errors on so many windows of held-out takes."""
    body = load_body()
    source = WindowSource(motions, body, frames, held_out=True)
    parts: list[tuple[np.ndarray, ...]] = []
    for number in range(-(-windows // BATCH)):
        true = source.draw(BATCH, generator(seed, "measure_lift", str(number)), faults)
        mask = torch.ones(true.seconds.shape, dtype=torch.bool)
        found = network(true.rays, true.scores, true.camera_height_m, true.seconds, mask)
        seen = (true.scores > 0.0).any(-1).numpy()
        rest = body.rest_joints(true.betas)[:, None, 0]
        pelvis = true.pelvis - true.offset[:, None]

        def joints(rotations, pelvis, shape=true.betas, rest=rest, seen=seen):
            posed = body.posed(shape[:, None], rotations[:, :, 0], rotations[:, :, 1:], pelvis - rest).joints
            return posed.double().numpy()[seen]

        shape = source.shapes(found.shape.mean(1))
        own = body.rest_joints(shape)[:, None, 0]
        a, b = joints(found.rotations, found.pelvis, shape, own), joints(true.rotations, pelvis)
        posture = postures(b, true.falling.numpy()[seen])
        front, front_true = (x[:, :, 0, :, 2].double().numpy()[seen] for x in (found.rotations, true.rotations))
        long, long_true = a[:, NECK] - a[:, 0], b[:, NECK] - b[:, 0]
        lies = posture == POSTURES.index("lying")
        heading = np.where(
            lies, _between_deg(long[:, :2], long_true[:, :2]), _between_deg(front[:, :2], front_true[:, :2])
        )
        parts.append(
            (
                mpjpe_mm(a[:, :BODY_JOINTS], b[:, :BODY_JOINTS]),
                pa_mpjpe_mm(a[:, :BODY_JOINTS], b[:, :BODY_JOINTS]),
                np.linalg.norm(a[:, 0] - b[:, 0], axis=-1),
                heading,
                _between_deg(front, front_true),
                posture,
                (true.scores <= 0.0).sum(-1).numpy()[seen],
            )
        )
    return Errors(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def table(errors: Errors) -> dict[str, dict[str, float]]:
    """Return means by posture, and over all frames."""
    rows = {}
    for name in ("all", *POSTURES):
        of = np.ones(len(errors.posture), bool) if name == "all" else errors.posture == POSTURES.index(name)
        if of.any():
            rows[name] = {
                "frames": int(of.sum()),
                "mpjpe_mm": float(errors.mpjpe_mm[of].mean()),
                "pa_mpjpe_mm": float(errors.pa_mpjpe_mm[of].mean()),
                "root_m": float(errors.root_m[of].mean()),
                "root_m_median": float(np.median(errors.root_m[of])),
                "heading_right_share": float((errors.heading_deg[of] <= RIGHT_HEADING_DEG).mean()),
                "front_right_share": float((errors.roll_deg[of] <= 45.0).mean()),
            }
    return rows


def plot(errors: Errors, path: Path) -> None:
    """Draw PA-MPJPE and root error by posture against the number of keypoints that are missing, as PNG."""
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    edges = [0, 1, 3, 5, 8, 12, 17]
    for axes, values, label in zip(
        figure.subplots(1, 2), (errors.pa_mpjpe_mm, 100.0 * errors.root_m), ("PA-MPJPE, mm", "root, cm"), strict=True
    ):
        for number, name in enumerate(POSTURES[:4]):
            means = []
            for low, high in itertools.pairwise(edges):
                of = (errors.posture == number) & (errors.missing >= low) & (errors.missing < high)
                means.append(float(values[of].mean()) if of.sum() >= 20 else float("nan"))
            axes.plot(range(len(means)), means, marker="o", label=name)
        axes.set_xticks(range(len(edges) - 1))
        axes.set_xticklabels([f"{low}-{high - 1}" for low, high in itertools.pairwise(edges)])
        axes.set(xlabel="keypoints missing, of 17", ylabel=label, ylim=(0, None))
        axes.grid(alpha=0.3)
    figure.axes[0].legend()
    figure.savefig(path, dpi=80, metadata={"Software": None})


CARD = """# pose_lift: from 2D keypoints over time to a body over the floor

The `keypoints` regressor: a starter that sees no pixels. Train it again when the corpus grows
(`careclips train lifter`).

- **Architecture**: one token a frame, {layers} transformer layers of width {width} and {heads} heads, rotary encoding
  of seconds; {parameters:.2f} M parameters, float16 on disk ({megabytes:.1f} MB).
- **Trained on**: {motion}; speed, shape and side varied; cameras 0.8 to 3 m high, pitched -4 to 60 degrees, focal
  length 0.7 to 1.3 of the image's width; faults of an imagined detector and calibration
  (`models/training/keypoint_lifter/views.py`). Seed {seed},
  {steps} steps of {batch} windows of {frames} frames{note}. `acted` people come from the generator that
  makes sample footage: on sample footage it has seen the like before. One take in five of the corpus is held out,
  one in ten of the acted and the wandering.
- **Licence**: Apache-2.0, as the repository.
- **SHA-256** of `model.safetensors`: `{sha256}`

{windows} windows of held-out takes, other cameras, the same kinds of detector's faults as in training; the camera's
height, tilt and focal length are known, the shape is the regressor's own:

{faulty}

The same, half of the windows with a camera that is believed to be 3 % lower or higher, 1 degree flatter or steeper and
3 % longer or shorter than it is (standard deviations):

{believed}

The same with a perfect detector and calibration:

{perfect}

Heading: the way the body faces on the floor (of those who lie: their long axis), within 30 degrees. Front: the front of
the body within 45 degrees in space, which tells supine from prone from on one side. Against the number of missing
keypoints:

![errors](errors.png)
"""


def _markdown(rows: dict[str, dict[str, float]]) -> str:
    lines = [
        "| posture | frames | PA-MPJPE | MPJPE | root (median) | heading | front |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in rows.items():
        lines.append(
            f"| {name} | {row['frames']:.0f} | {row['pa_mpjpe_mm']:.0f} mm | {row['mpjpe_mm']:.0f} mm | "
            f"{100 * row['root_m']:.0f} cm ({100 * row['root_m_median']:.0f}) | {row['heading_right_share']:.0%} | "
            f"{row['front_right_share']:.0%} |"
        )
    return "\n".join(lines)


def write_card(folder: Path, motions: Motions, windows: int, seed: int) -> dict:
    """Measure the network of a folder; write its README.md and errors.png. Returns the figures, by how wrong the
    input was."""
    network = load_pose_lift(folder)
    facts = read_facts(folder)
    errors = measure(network, motions, windows, facts["frames"], seed, DetectorNoiseConfig(calibration=0.0))
    tables = {"faulty": table(errors)}
    for name, faults in (("believed", DetectorNoiseConfig()), ("perfect", DetectorNoiseConfig(scale=0.0))):
        tables[name] = table(measure(network, motions, windows // 2, facts["frames"], seed, faults))
    plot(errors, folder / "errors.png")
    words = {
        "mocap": "motion capture",
        "fall": "simulated falls",
        "look_alike": "look-alikes of falls",
        "composed": "two composed people",
        "acted": "acted people",
        "postures": "wandering postures",
    }
    motion = ", ".join(
        f"{count['takes']} takes of {words[name]} ({count['minutes']:.0f} min)"
        for name, count in facts["motion"].items()
        if count["takes"]
    )
    size = (folder / "model.safetensors").stat().st_size / 1e6
    text = CARD.format(
        layers=network.config.layers,
        width=network.config.width,
        heads=network.config.heads,
        parameters=sum(p.numel() for p in network.parameters()) / 1e6,
        megabytes=size,
        motion=motion,
        seed=facts["seed"],
        note=f" ({facts['note']})" if "note" in facts else "",
        steps=facts["steps"],
        batch=facts["batch_size"],
        frames=facts["frames"],
        windows=windows,
        sha256=file_digest(folder / "model.safetensors"),
        **{name: _markdown(rows) for name, rows in tables.items()},
    )
    (folder / "README.md").write_text(text)
    return tables
