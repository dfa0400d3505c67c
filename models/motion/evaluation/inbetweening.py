"""In-betweening: of a real scene the first and the last frames are known, and what lies between is sampled with its
caption (seeds/timotion_supplement.txt, Algorithm 1).

What comes is held against the real motion, and against poses interpolated from the last known frame to the next.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial.transform import Rotation
from torch import Tensor

from models.motion.dataset import ROLES
from models.motion.evaluation import metrics
from models.motion.evaluation.physical_metrics import joints_of
from models.motion.evaluation.scenes import Scene
from models.motion.features import from_matrices, matrices
from models.motion.interactive_pose import kept_pose
from models.motion.known_frames import KnownFrames
from models.motion.plan import PLAN_STRIDE
from models.motion.request import MotionRequest
from models.motion.sampler import MotionSampler
from models.seeds import generator
from models.types import FPS

STRIPS = 8
"""Scenes that film strips show."""
SHARE = 0.1
"""Of a scene's frames that are known at its begin, and at its end."""
MIN_FRAMES = 4 * PLAN_STRIDE
"""Of shorter scenes too little lies between."""
FILE = "inbetween"
"""Under this name, and that of the arm, film strips are written, and what is known of each row."""
MEASURES = (
    "known_off_cm",
    "known_off_raw_cm",
    "between_off_cm",
    "interpolated_off_cm",
    "nearer_than_interpolated_cm",
    "seam_velocity_change_m_s",
    "inside_velocity_change_m_s",
    "real_seam_velocity_change_m_s",
    "real_inside_velocity_change_m_s",
)


def known_count(frames: int) -> int:
    """Count the frames that are known at either end; at least so many that a moment of a plan is among them."""
    return max(PLAN_STRIDE, round(SHARE * frames))


def known_ends(features: Float[Tensor, "person time 268"]) -> KnownFrames:
    """Return what is known of a motion whose first and last frames are."""
    count = known_count(features.shape[1])
    where = torch.ones_like(features, dtype=torch.bool)
    where[:, count:-count] = False
    return KnownFrames(features.where(where, torch.zeros(())), where)


def interpolated(
    features: Float[Tensor, "person time 268"], rest: Float[Tensor, "person 22 3"]
) -> Float[Tensor, "person time 268"]:
    """Return a motion that between its known frames goes straight from one pose to the other: places linearly, joints'
    rotations the shortest way."""
    count, frames = known_count(features.shape[1]), features.shape[1]
    ends = [count - 1, frames - count]
    R, root = matrices(features[:, ends]), features[:, ends, :3]
    share = np.linspace(0.0, 1.0, ends[1] - ends[0] + 1)[1:-1]
    first, last = (Rotation.from_matrix(R[:, end].flatten(0, 1).numpy()) for end in (0, 1))
    turn = (first.inv() * last).as_rotvec()
    turned = [(first * Rotation.from_rotvec(part * turn)).as_matrix() for part in share]
    between = torch.as_tensor(np.stack(turned), dtype=R.dtype).unflatten(1, R.shape[:1] + R.shape[2:3]).transpose(0, 1)
    places = torch.lerp(root[:, :1], root[:, 1:], torch.as_tensor(share, dtype=R.dtype)[:, None])
    found = features.clone()
    found[:, count:-count] = from_matrices(rest, between, places)
    return found


def draw_pairs(scenes: Sequence[Scene], count: int, rng: np.random.Generator) -> list[Scene]:
    """Draw scenes of two people of MIN_FRAMES and more, or take all where there are not so many."""
    pairs = [scene for scene in scenes if len(scene.roles) == 2 and scene.features.shape[1] >= MIN_FRAMES]
    return [pairs[k] for k in rng.permutation(len(pairs))[:count]]


def sample_between(sampler: MotionSampler, scenes: Sequence[Scene], seed: int) -> list[Scene]:
    """Sample what a model makes between the ends of real scenes of people that it knows: cleaned up, the ends as they
    are. Scenes longer than the model's longest motion are cut to it."""
    longest = sampler.model.config.max_frames
    wanted = [replace(scene, features=scene.features[:, :longest]) for scene in scenes]
    requests = [_request(scene, seed) for scene in wanted]
    order = sorted(range(len(requests)), key=lambda k: requests[k].frames)
    sampled = dict(zip(order, sampler.sampled([requests[k] for k in order]), strict=True))
    found = []
    for at, (scene, request) in enumerate(zip(wanted, requests, strict=True)):
        assert request.known is not None
        cleaned = kept_pose(request.known, request.rest, sampler.cleaned(request, sampled[at]))
        found.append(replace(scene, features=cleaned, raw=sampled[at].features, asked=scene.features))
    return found


def _request(scene: Scene, seed: int) -> MotionRequest:
    own = int(generator(seed, "inbetweening", scene.row.name).integers(2**40))
    roles = tuple(ROLES[role] for role in scene.roles.tolist())
    known, betas = known_ends(scene.features), scene.betas.double().numpy()
    return MotionRequest(scene.text, roles, scene.rest, scene.features.shape[1], own, known=known, betas=betas)


def measure(scene: Scene) -> dict[str, float]:
    """Measure one sampled scene, by MEASURES: how far joints of known frames are from the known ones at most, and those
    between them from the real ones in the mean, centimetres; and by how much a joint's velocity changes from a frame to
    the next at most, where known frames end and inside of what lies between, m/s."""
    rest, real = scene.rest, scene.asked
    assert real is not None and scene.raw is not None, "a scene that was sampled between the ends of another"
    truth, sampled = joints_of(real, rest), joints_of(scene.features, rest)
    straight = joints_of(interpolated(real, rest), rest)
    count = known_count(real.shape[1])
    known = np.r_[:count, real.shape[1] - count : real.shape[1]]

    def off_cm(joints: Float[np.ndarray, "person time 22 3"]) -> Float[np.ndarray, "person time 22"]:
        return 100.0 * np.linalg.norm(joints - truth, axis=-1)

    between, straight_off = (float(off_cm(joints)[:, count:-count].mean()) for joints in (sampled, straight))
    figures = (
        float(off_cm(sampled)[:, known].max()),
        float(off_cm(joints_of(scene.raw, rest))[:, known].max()),
        between,
        straight_off,
        straight_off - between,
        *velocity_changes_m_s(sampled, count),
        *velocity_changes_m_s(truth, count),
    )
    return dict(zip(MEASURES, figures, strict=True))


def velocity_changes_m_s(joints: Float[np.ndarray, "person time 22 3"], count: int) -> tuple[float, float]:
    """Find the largest change of a joint's velocity from one frame to the next: where the `count` frames at either end
    meet what lies between, and inside of that."""
    change = FPS * np.linalg.norm(np.diff(joints, n=2, axis=1), axis=-1).max(axis=(0, 2))
    last = len(change) - count
    seams, inside = np.r_[change[count - 2 : count], change[last : last + 2]], change[count:last]
    return float(seams.max()), float(inside.max())


def summarise(scenes: Sequence[Scene], rng: np.random.Generator, repeats: int) -> dict[str, list[float] | int]:
    """Return the mean of each measure with its 95 % interval over takes."""
    takes = [scene.take for scene in scenes]
    measured = [measure(scene) for scene in scenes]
    summary: dict[str, list[float] | int] = {"scenes": len(scenes)}
    for name in MEASURES:
        values = np.array([row[name] for row in measured])
        summary[name] = metrics.with_interval(lambda k, v=values: float(v[k].mean()), takes, rng, repeats)
    return summary
