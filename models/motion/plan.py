"""The plan of a motion: where everybody is, which way they face and what they hold, five times a second. DESIGN §5.

Said in one world, where somebody stands is told by thousands of redundant numbers, which show through nearly all noise,
so that it is settled before a network has seen anything, and sampled people end up in one place. A plan says it once,
in ten numbers, and is sampled first; bodies are then sampled each in its own frame, which moves along the plan.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from models.motion.features import heading, positions, root_matrices
from models.motion.holding import holding_hands
from models.motion.known_frames import KnownRun, at_frame

PLAN_STRIDE = 4
"""Frames (20 a second) from one moment of a plan to the next."""
ROOT = slice(0, 3)
"""The pelvis, metres, in the canonical frame."""
HEADING = slice(3, 5)
"""Cosine and sine of the direction that the body faces on the floor (`models.motion.features.heading`)."""
UP = slice(5, 8)
"""The pelvis' upward axis, forwards, to the left and upwards as the body faces: who stands, lies or bends, and how."""
HOLDS = slice(8, 10)
"""1 where the left, the right hand is on somebody else (`models.motion.holding`), else 0."""
PLAN_FEATURES = 10
PLAN_LAYOUT = "root 3, heading 2, up 3, holding hands 2; 5 Hz"
"""Checkpoints name what they were trained on."""
STANDING_M = 0.8
"""About the height of a standing pelvis."""
MEAN = (0.0, 0.0, 0.75, 0.0, 0.0, 0.0, 0.0, 0.7, 0.1, 0.1)
STD = (1.0, 1.0, 0.25, 0.7, 0.7, 0.35, 0.35, 0.35, 0.4, 0.4)
"""By which networks see a plan: fixed, and the same along both horizontal axes, so that a scene may be rotated."""


def normalise(plan: Float[Tensor, "*batch 10"]) -> Float[Tensor, "*batch 10"]:
    """Scale a plan to what a network sees."""
    return (plan - torch.tensor(MEAN).to(plan)) / torch.tensor(STD).to(plan)


def denormalise(normal: Float[Tensor, "*batch 10"]) -> Float[Tensor, "*batch 10"]:
    """Undo `normalise`."""
    return normal * torch.tensor(STD).to(normal) + torch.tensor(MEAN).to(normal)


def plan_of(
    features: Float[Tensor, "batch person moment 268"], mask: Bool[Tensor, "batch person moment"]
) -> Float[Tensor, "batch person moment 10"]:
    """Read the plan off a motion's frames at the moments of a plan; zero where nobody is."""
    R = root_matrices(features)
    ahead = heading(R)
    up = R[..., :, 1]
    forwards = (up[..., :2] * ahead).sum(-1)
    leftwards = ahead[..., 0] * up[..., 1] - ahead[..., 1] * up[..., 0]
    holds = holding_hands(positions(features), mask).to(features)
    leans = torch.stack([forwards, leftwards, up[..., 2]], dim=-1)
    return torch.cat([features[..., :3], ahead, leans, holds], dim=-1) * mask[..., None]


def moments_of(frames: int) -> int:
    """Count the moments of the plan of a motion of so many frames."""
    return -(-frames // PLAN_STRIDE)


def plan_at_frames(
    plan: Float[Tensor, "batch person moment 10"], moments: Bool[Tensor, "batch person moment"], frames: int
) -> Float[Tensor, "batch person time 10"]:
    """Interpolate a plan at every frame: cubic (Catmull and Rom 1974), the heading of unit length; of who is there for
    less moments, the last one goes on."""
    last = (moments.sum(-1, keepdim=True) - 1).clamp(min=0)
    at = torch.arange(frames, device=plan.device)
    left, u = at // PLAN_STRIDE, ((at % PLAN_STRIDE) / PLAN_STRIDE)[:, None]

    def moment(offset: int) -> Float[Tensor, "batch person time 10"]:
        index = torch.minimum((left + offset).clamp(min=0), last)
        return plan.gather(2, index[..., None].expand(-1, -1, -1, PLAN_FEATURES))

    before, first, second, after = (moment(offset) for offset in (-1, 0, 1, 2))
    found = first + 0.5 * u * (
        second
        - before
        + u * (2.0 * before - 5.0 * first + 4.0 * second - after)
        + u * u * (3.0 * (first - second) + after - before)
    )
    facing = F.normalize(found[..., HEADING], dim=-1)
    return torch.cat([found[..., ROOT], facing, found[..., UP], found[..., HOLDS].clamp(0.0, 1.0)], dim=-1)


def frames_of_bodies(plan: Float[Tensor, "*batch 10"]) -> Float[Tensor, "*batch 3"]:
    """Return the frame that a body's features are told in: x, y and yaw of the plan; it stands on the floor."""
    return torch.cat([plan[..., :2], torch.atan2(plan[..., 4], plan[..., 3])[..., None]], dim=-1)


def continued(
    plan: Float[Tensor, "batch person moment 10"], known: Float[Tensor, "batch person moment 10"], run: KnownRun
) -> Float[Tensor, "batch person moment 10"]:
    """Where a person's first moments are known, rotate and move the plan of the others over the floor so that it begins
    where the known ones end."""
    found = moved(plan, at_frame(plan, run.last), at_frame(known, run.last))
    return torch.where(run.leads[..., None, None], found, plan)


def moved(
    plan: Float[Tensor, "batch person moment 10"],
    away: Float[Tensor, "batch #person 1 10"],
    onto: Float[Tensor, "batch #person 1 10"],
) -> Float[Tensor, "batch person moment 10"]:
    """Rotate and move plans over the floor, so that who is as one moment says comes to be as the other says."""
    c, s = rotation_between(away[..., HEADING], onto[..., HEADING])
    place, ahead = plan[..., :2] - away[..., :2], plan[..., HEADING]
    place, ahead = (
        torch.stack([c * v[..., 0] - s * v[..., 1], s * v[..., 0] + c * v[..., 1]], -1) for v in (place, ahead)
    )
    return torch.cat([place + onto[..., :2], plan[..., 2:3], ahead, plan[..., UP], plan[..., HOLDS]], dim=-1)


def rotation_between(a: Float[Tensor, "*batch 2"], b: Float[Tensor, "*batch 2"]) -> tuple[Tensor, Tensor]:
    """Cosine and sine of the angle from one direction on the floor to another, of whatever lengths."""
    a, b = F.normalize(a, dim=-1), F.normalize(b, dim=-1)
    return (a * b).sum(-1), a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def shaken(
    plan: Float[Tensor, "batch person moment 10"],
    moments: Bool[Tensor, "batch person moment"],
    generator: torch.Generator,
) -> Float[Tensor, "batch person moment 10"]:
    """Return plans as imperfect as sampled ones, so that bodies learn to mend them (Ho et al. 2022, "Cascaded diffusion
    models", conditioning augmentation).

    They are smoother than people are, who fall faster than five moments a second show, and off by noise; by how much is
    drawn for each scene.
    """
    noise = torch.randn(plan.shape, generator=generator)
    share = torch.rand(len(plan), 1, 1, 1, generator=generator)
    passes = torch.randint(MAX_SMOOTHING_PASSES + 1, (len(plan), 1, 1, 1), generator=generator).to(plan.device)
    last = (moments.sum(-1, keepdim=True) - 1).clamp(min=0)
    at = torch.arange(plan.shape[2], device=plan.device)
    before, after = (
        torch.minimum((at + step).clamp(min=0), last)[..., None].expand(-1, -1, -1, PLAN_FEATURES) for step in (-1, 1)
    )
    for number in range(MAX_SMOOTHING_PASSES):
        smoothed = 0.25 * plan.gather(2, before) + 0.5 * plan + 0.25 * plan.gather(2, after)
        plan = torch.where(passes > number, smoothed, plan)
    return plan + (noise * share * torch.tensor(SHAKEN)).to(plan)


SHAKEN = (0.03, 0.03, 0.02, 0.07, 0.07, 0.05, 0.05, 0.05, 0.15, 0.15)
"""Standard deviations by which plans are shaken at most: metres, and of unit vectors."""
MAX_SMOOTHING_PASSES = 3
"""How often at most each moment of a plan becomes half of itself and a quarter of both neighbours; three times blurs
by a quarter of a second (standard deviation)."""
