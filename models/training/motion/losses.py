"""What a predicted clean motion is held to (thesis 3.28 to 3.38, InterGen's geometric losses), on what it decodes to.

Joints are those of the predicted rotations by forward kinematics: they are what leaves the model.
"""

import itertools

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor

from models.body.kinematics import bone_lengths, forward_kinematics
from models.config import Config
from models.motion.dataset import MotionBatch
from models.motion.features import CONTACTS, FEET, VELOCITIES, heading, matrices, positions, root_matrices
from models.motion.holding import NEAR_M as HOLD_M
from models.motion.holding import capsule_distances, palms_of
from models.types import FPS

UNDER_M = 0.02
"""Joints lie inside the body: below this its skin is in the floor."""
NEAR_M = 1.0
"""People whose floor distance is below this are held to their distances."""


class LossWeights(Config):
    """Weight of each loss; metres and seconds throughout."""

    joints: float = Field(default=10.0, ge=0.0)
    """On squared errors of joints."""
    velocity: float = Field(default=0.3, ge=0.0)
    """On squared errors of joints' velocities."""
    foot: float = Field(default=1.0, ge=0.0)
    """On squared speed of feet that touch the floor."""
    bone: float = Field(default=10.0, ge=0.0)
    """On squared errors of the lengths of bones."""
    floor: float = Field(default=100.0, ge=0.0)
    """On squared depth of joints below UNDER_M."""
    distance: float = Field(default=3.0, ge=0.0)
    """On squared errors of distances between the joints of two people who are near each other."""
    hold: float = Field(default=0.0, ge=0.0)
    """On squared errors of where hands that are on somebody else are on them: two of 22 joints, yet all that makes
    help of standing close by."""
    orientation: float = Field(default=0.1, ge=0.0)
    """On squared errors of how two people face each other."""
    root: float = Field(default=0.0, ge=0.0)
    """On where everyone's pelvis is, in units of its spread: three of 268 numbers, yet they say what bodies lie on."""
    beside: float = Field(default=0.0, ge=0.0)
    """On the path over the floor from everyone to everyone else, metres. That and `root` are asked for through all
    noise: who stands on which side of whom is settled while next to nothing shows, and without it two people tend to
    the middle, to one place."""
    below_step: int = Field(default=700, ge=0, le=1000)
    """Geometry is asked for where less noise than this was added; above, the mean of many motions is none."""


def losses(
    predicted: Float[Tensor, "batch person time 268"],
    clean: Float[Tensor, "batch person time 268"],
    found: Float[Tensor, "batch person time 268"],
    batch: MotionBatch,
    step: Int[Tensor, "batch"],
    weights: LossWeights,
) -> dict[str, Tensor]:
    """Return each loss, weighted; their sum is minimised. `predicted` and `clean` are as the network sees them, `found`
    is what was predicted in the batch's own world and units."""
    mask = batch.mask
    off = (predicted - clean).square().mean(-1)
    rotations = matrices(found)
    joints = forward_kinematics(batch.rest[:, :, None], rotations, found[..., :3])
    true = positions(batch.features)
    calm = mask & (step < weights.below_step)[:, None, None]
    ahead = calm[..., 1:] & calm[..., :-1]
    velocity = (joints[..., 1:, :, :] - joints[..., :-1, :, :]) * FPS
    true_velocity = batch.features[..., :-1, VELOCITIES].unflatten(-1, (22, 3))
    contact = batch.features[..., :-1, CONTACTS]
    slip = (velocity[..., list(FEET), :].square().sum(-1) * contact).sum(-1)
    stored = positions(found)
    bones = (bone_lengths(stored) - bone_lengths(batch.rest)[:, :, None]).square().mean(-1)
    weighted = {
        "simple": mean_where(off, mask),
        "root": weights.root * mean_where((predicted - clean)[..., :3].square().mean(-1), mask),
        "joints": weights.joints * mean_where((joints - true).square().sum(-1).mean(-1), calm),
        "velocity": weights.velocity * mean_where((velocity - true_velocity).square().sum(-1).mean(-1), ahead),
        "foot": weights.foot * mean_where(slip, ahead),
        "bone": weights.bone * mean_where(bones, calm),
        "floor": weights.floor * mean_where((UNDER_M - joints[..., 2]).clamp(min=0.0).square().sum(-1), calm),
    }
    if mask.shape[1] > 1:
        weighted |= _between(joints, true, rotations[..., 0, :, :], root_matrices(batch.features), calm, weights)
        weighted["hold"] = weights.hold * _hold(joints, true, calm)
        weighted["beside"] = weights.beside * _beside(found[..., :2] - batch.features[..., :2], mask)
    return weighted


def _beside(off: Float[Tensor, "batch person time 2"], mask: Bool[Tensor, "batch person time"]) -> Tensor:
    """Mean square of by how much more one is off than the other, over all pairs of people."""
    people = mask.shape[1]
    pairs = [(a, b) for a in range(people) for b in range(a + 1, people)]
    squares = torch.stack([(off[:, b] - off[:, a]).square().sum(-1) for a, b in pairs])
    return mean_where(squares, torch.stack([mask[:, a] & mask[:, b] for a, b in pairs]))


def _hold(
    joints: Float[Tensor, "batch person time 22 3"],
    true: Float[Tensor, "batch person time 22 3"],
    calm: Bool[Tensor, "batch person time"],
) -> Tensor:
    """Mean square of how far palms are from where they are on somebody else, as seen from the joint at the end of the
    limb that they are on."""
    palms, true_palms = palms_of(joints), palms_of(true)
    squares, on = [], []
    for holder, held in itertools.permutations(range(joints.shape[1]), 2):
        distance, limb = capsule_distances(true_palms[:, holder], true[:, held]).min(-1)
        end = (limb + 1)[..., None].expand(*limb.shape, 3)
        place = palms[:, holder] - joints[:, held].gather(2, end)
        wanted = true_palms[:, holder] - true[:, held].gather(2, end)
        squares.append((place - wanted).square().sum(-1))
        on.append((distance < HOLD_M) & (calm[:, holder] & calm[:, held])[..., None])
    return mean_where(torch.stack(squares), torch.stack(on))


def _between(
    joints: Tensor,
    true: Tensor,
    root: Tensor,
    true_root: Tensor,
    calm: Bool[Tensor, "batch person time"],
    weights: LossWeights,
) -> dict[str, Tensor]:
    """Distances from every joint of one to every joint of the other where they are near, and how they face each
    other."""
    distance, orientation, pairs = joints.new_zeros(()), joints.new_zeros(()), 0
    people = joints.shape[1]
    for a in range(people):
        for b in range(a + 1, people):
            both = calm[:, a] & calm[:, b]
            apart = (true[:, a, :, 0, :2] - true[:, b, :, 0, :2]).norm(dim=-1)
            wanted = torch.cdist(true[:, a], true[:, b])
            got = torch.cdist(joints[:, a], joints[:, b], compute_mode="donot_use_mm_for_euclid_dist")
            distance = distance + mean_where((got - wanted).square().mean((-1, -2)), both & (apart < NEAR_M))
            turned = _turn(heading(root[:, a]), heading(root[:, b]))
            meant = _turn(heading(true_root[:, a]), heading(true_root[:, b]))
            orientation = orientation + mean_where((turned - meant).square().sum(-1), both)
            pairs += 1
    return {"distance": weights.distance * distance / pairs, "orientation": weights.orientation * orientation / pairs}


def _turn(a: Float[Tensor, "*batch 2"], b: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch 2"]:
    """Cosine and sine of the angle from a to b."""
    return torch.stack([(a * b).sum(-1), a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]], dim=-1)


def mean_where(values: Float[Tensor, "*shape"], mask: Bool[Tensor, "*shape"]) -> Float[Tensor, ""]:
    """Return the mean of what is inside a mask; 0 where nothing is."""
    return (values * mask).sum() / mask.sum().clamp(min=1)
