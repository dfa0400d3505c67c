"""Whether people act together: how near, on which side, hands on whom, how far inside one another.

Of a kind of interaction: sampled scenes, before and after the clean-up, beside the real ones whose captions they were
sampled for. Contact and volume are what DIGHT and PINO report (seeds/ponimator_supplement.txt names both).
"""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import open3d as o3d
import torch
from jaxtyping import Bool, Float, Int
from scipy.stats import wasserstein_distance
from torch import Tensor

from models.body.model import BodyModel
from models.body.tracks import HEAD, LYING_HEAD_M
from models.motion.evaluation.physical_metrics import joints_of
from models.motion.features import heading, root_matrices, smpl_parameters
from models.motion.holding import holding_hands
from models.types import FPS

Side = Literal["left", "right"]
MIN_HOLD_S = 0.5
"""A hand that is on somebody for less holds nobody."""
VOXEL_M = 0.02
"""Edge of the cubes that a volume within two bodies is counted in."""
VOLUME_EVERY = 20
"""Frames from one whose volume is counted to the next."""
REST_S = 1.0
"""The end of a motion, at which a body that fell is at rest."""
MEANT_SHARE = 0.9
"""A side that a caption says is where the second one is, if so many of the real scenes agree."""


@dataclass(frozen=True)
class Pair:
    """A motion of two people, or of more."""

    features: Float[Tensor, "person time 268"]
    rest: Float[Tensor, "person 22 3"]
    betas: Float[Tensor, "person 10"]


@dataclass(frozen=True)
class SampledPair:
    """What was made of the caption of a real scene of people together, in the same bodies."""

    kind: str
    """Of interaction."""
    text: str
    real: Pair
    raw: Pair
    """As sampled."""
    cleaned: Pair


def pelvis_distances_m(features: Float[Tensor, "person time 268"]) -> Float[np.ndarray, "distance"]:
    """Return how far the pelvises of every two are apart over the floor, at each frame."""
    apart = [(one[:, :2] - other[:, :2]).norm(dim=-1) for one, other in itertools.combinations(features, 2)]
    return torch.cat(apart).double().numpy()


def side_of(features: Float[Tensor, "person time 268"]) -> Side:
    """Tell on which side of the first one the second is, most of the time."""
    ahead = heading(root_matrices(features[0]))
    away = features[1, :, :2] - features[0, :, :2]
    leftwards = ahead[:, 0] * away[:, 1] - ahead[:, 1] * away[:, 0]
    return "left" if leftwards.median() > 0.0 else "right"


def relative_heading_deg(features: Float[Tensor, "person time 268"]) -> float:
    """Return how the second one faces as the first one sees it, counter-clockwise: the circular mean over time."""
    first, second = (heading(root_matrices(one)).double() for one in features[:2])
    cosine = (first * second).sum(-1).mean()
    sine = (first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]).mean()
    return float(torch.rad2deg(torch.atan2(sine, cosine)))


def hands_that_hold(pair: Pair) -> Bool[np.ndarray, "person 2"]:
    """Tell which hands (left, right) are on the other for MIN_HOLD_S at a stretch at least."""
    joints = torch.as_tensor(joints_of(pair.features, pair.rest))
    holds = holding_hands(joints[None], torch.ones(1, *joints.shape[:2], dtype=torch.bool))[0]
    # A hand that leaves the skin for a moment has not let go.
    needed = round(MIN_HOLD_S * FPS)
    return (holds.double().unfold(1, min(needed, holds.shape[1]), 1).mean(-1) > 0.8).any(1).numpy()


def contact(real: Sequence[Pair], sampled: Sequence[Pair]) -> tuple[float | None, float | None]:
    """Return precision and recall of hands that hold: one of the sampled ones is right where in the real scene a hand
    of the same person holds, too. Which of the two hands is nobody's to say, so a person has one or two.

    None where no hand holds at all.
    """
    ours = np.concatenate([hands_that_hold(pair).sum(-1) for pair in sampled])
    theirs = np.concatenate([hands_that_hold(pair).sum(-1) for pair in real])
    right = float(np.minimum(ours, theirs).sum())
    return (right / ours.sum() if ours.any() else None), (right / theirs.sum() if theirs.any() else None)


def interpenetration_cm3(body: BodyModel, pair: Pair) -> float:
    """Compute the mean over frames of the volume that is inside two skins, counted in cubes of VOXEL_M."""
    orient, pose, transl = smpl_parameters(pair.features, pair.rest)
    volumes = []
    for frame in range(0, pair.features.shape[1], VOLUME_EVERY):
        posed = body.posed(pair.betas, *(torch.as_tensor(of[:, frame]).float() for of in (orient, pose, transl)))
        pairs = itertools.combinations(posed.vertices.numpy(), 2)
        volumes.append(sum(shared_volume_cm3(np.stack(skins), np.asarray(body.faces)) for skins in pairs))
    return float(np.mean(volumes))


def shared_volume_cm3(skins: Float[np.ndarray, "2 vertex 3"], faces: Int[np.ndarray, "face 3"]) -> float:
    """Compute the volume inside both of two closed meshes of the same faces."""
    low, high = skins.min(axis=1).max(axis=0), skins.max(axis=1).min(axis=0)
    if (high <= low).any():
        return 0.0
    axes = [np.arange(a + 0.5 * VOXEL_M, b, VOXEL_M) for a, b in zip(low, high, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3).astype(np.float32)
    for skin in skins:
        if not len(points):
            return 0.0
        scene = o3d.t.geometry.RaycastingScene(nthreads=1)
        scene.add_triangles(
            o3d.core.Tensor.from_numpy(skin.astype(np.float32)), o3d.core.Tensor.from_numpy(faces.astype(np.uint32))
        )
        points = points[
            scene.compute_occupancy(o3d.core.Tensor.from_numpy(points), nthreads=1, nsamples=3).numpy() > 0.5
        ]
    return len(points) * (100.0 * VOXEL_M) ** 3


def moved_cm(before: Float[Tensor, "person time 268"], after: Float[Tensor, "person time 268"]) -> float:
    """Measure by how much a clean-up moved pelvises, in the mean: what remains when both scenes are laid on one another
    over the floor, for both begin in frames of their own."""
    a, b = (features[..., :3].double().numpy().reshape(-1, 3) for features in (before, after))
    a, b = a - a.mean(0) * (1, 1, 0), b - b.mean(0) * (1, 1, 0)
    # Procrustes in the plane: as complex numbers, the turn that takes one to the other.
    turn = np.vdot(b[:, 0] + 1j * b[:, 1], a[:, 0] + 1j * a[:, 1])
    laid = (b[:, 0] + 1j * b[:, 1]) * (turn / abs(turn) if abs(turn) > 0.0 else 1.0)
    return float(100.0 * np.linalg.norm(np.stack([laid.real, laid.imag, b[:, 2]], axis=-1) - a, axis=-1).mean())


def rests_low(features: Float[Tensor, "person time 268"], rest: Float[Tensor, "person 22 3"]) -> bool:
    """Tell whether the first one's head lies at the end: below LYING_HEAD_M in the median of the last second."""
    heads = joints_of(features, rest)[0, -round(REST_S * FPS) :, HEAD, 2]
    return bool(np.median(heads) < LYING_HEAD_M)


def stated_side(text: str) -> Side | None:
    """Return the side that a caption says, where it says one and not both."""
    said = set(re.findall(r"\b(left|right)\b", text))
    return cast(Side, said.pop()) if len(said) == 1 else None


def metrics_by_kind(body: BodyModel, pairs: Sequence[SampledPair]) -> dict[str, dict[str, Any]]:
    """Compute what each kind of interaction is judged by."""
    return {
        kind: interaction_metrics(body, [pair for pair in pairs if pair.kind == kind])
        for kind in sorted({pair.kind for pair in pairs})
    }


def interaction_metrics(body: BodyModel, pairs: Sequence[SampledPair]) -> dict[str, Any]:
    """Compute what samples of one kind are judged by, beside the real scenes: medians over all frames of distances,
    means over scenes of the rest. `side_agreement` is of captions that say a side, None where none does, or where it is
    not the side that the second one is on: the real scenes tell."""
    arms = {name: [getattr(pair, name) for pair in pairs] for name in ("real", "raw", "cleaned")}
    distances = {
        name: np.concatenate([pelvis_distances_m(pair.features) for pair in own]) for name, own in arms.items()
    }
    told = [(place, side) for place, pair in enumerate(pairs) if (side := stated_side(pair.text))]
    sides = {name: _mean([side_of(own[at].features) == side for at, side in told]) for name, own in arms.items()}
    meant = (sides["real"] or 0.0) >= MEANT_SHARE
    moved = [moved_cm(pair.raw.features, pair.cleaned.features) for pair in pairs]
    volumes = {name: _mean([interpenetration_cm3(body, pair) for pair in own]) for name, own in arms.items()}
    found: dict[str, Any] = {
        "scenes": len(pairs),
        "pair_distance_m": {name: float(np.median(values)) for name, values in distances.items()},
        "wasserstein_cm": {},
        "side_agreement": sides if meant else None,
        "relative_heading_off_deg": {},
        "contact_precision": {},
        "contact_recall": {},
        "interpenetration_cm3": volumes,
        "cleanup_moved_cm": _mean(moved),
    }
    for name in ("raw", "cleaned"):
        found["wasserstein_cm"][name] = float(100.0 * wasserstein_distance(distances[name], distances["real"]))
        off = [
            relative_heading_deg(a.features) - relative_heading_deg(b.features)
            for a, b in zip(arms[name], arms["real"], strict=True)
        ]
        found["relative_heading_off_deg"][name] = float(np.median([abs((d + 180.0) % 360.0 - 180.0) for d in off]))
        found["contact_precision"][name], found["contact_recall"][name] = contact(arms["real"], arms[name])
    return found


def _mean(values: Sequence[float | bool]) -> float | None:
    return float(np.mean(values)) if len(values) else None
