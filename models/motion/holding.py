"""Which hands are on somebody else, and how near people are to each other, told from joints alone: a palm near the
surface of another's limb or trunk.

Limbs are capsules around bones. Against what the composed interactions of the corpus say of their hands, a test shows
how often this agrees.
"""

import itertools

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from models.body.rest_skeleton import BODY_JOINTS, PARENTS
from models.types import SMPL_JOINTS

ARMS = tuple((SMPL_JOINTS.index(f"{side}_elbow"), SMPL_JOINTS.index(f"{side}_wrist")) for side in ("left", "right"))
PALM_M = 0.08
"""From the wrist to the middle of the palm, along the forearm."""
NEAR_M = 0.05
"""How far the middle of a palm that holds is from a surface at most: a hand is 3 cm thick, a capsule no body."""
TOUCH_M = 0.013
"""Who is nearer to another than this touches them (Liu et al. 2025, Ponimator, supplement A)."""
HAND_M = 0.14
"""From the wrist to where a hand's capsule ends, along the forearm."""
HAND_RADIUS_M = 0.02
RADII_M = {
    "hip": 0.11,
    "spine1": 0.12,
    "knee": 0.075,
    "spine2": 0.12,
    "ankle": 0.05,
    "spine3": 0.12,
    "foot": 0.04,
    "neck": 0.09,
    "collar": 0.08,
    "head": 0.09,
    "shoulder": 0.07,
    "elbow": 0.045,
    "wrist": 0.035,
}
"""Of the capsule from a joint's parent to it."""
_CHILDREN = tuple(range(1, BODY_JOINTS))
_PARENTS = tuple(PARENTS[child] for child in _CHILDREN)
_RADII = tuple(RADII_M[SMPL_JOINTS[child].split("_")[-1]] for child in _CHILDREN)


def holding_hands(
    joints: Float[Tensor, "batch person time 22 3"], there: Bool[Tensor, "batch person time"]
) -> Bool[Tensor, "batch person time 2"]:
    """Tell whether the left and the right hand of each person are on anybody else."""
    palms = palms_of(joints)
    people = joints.shape[1]
    found = torch.zeros(*there.shape, 2, dtype=torch.bool, device=joints.device)
    for holder in range(people):
        for held in range(people):
            if holder != held:
                both = there[:, holder] & there[:, held]
                found[:, holder] |= (surface_distance(palms[:, holder], joints[:, held]) < NEAR_M) & both[..., None]
    return found


def palms_of(joints: Float[Tensor, "*batch 22 3"]) -> Float[Tensor, "*batch 2 3"]:
    """Return the middle of the left and the right palm."""
    elbows, wrists = (joints[..., [arm[end] for arm in ARMS], :] for end in (0, 1))
    along = torch.nn.functional.normalize(wrists - elbows, dim=-1)
    return wrists + PALM_M * along


def capsules_of(
    joints: Float[Tensor, "*batch 22 3"],
) -> tuple[Float[Tensor, "*batch 23 3"], Float[Tensor, "*batch 23 3"], Float[Tensor, "23"]]:
    """Return where the capsules of a body begin and end, and their radii: those of the bones, and two hands."""
    wrists = joints[..., [wrist for _, wrist in ARMS], :]
    tips = wrists + HAND_M / PALM_M * (palms_of(joints) - wrists)
    start = torch.cat([joints[..., _PARENTS, :], wrists], dim=-2)
    end = torch.cat([joints[..., _CHILDREN, :], tips], dim=-2)
    return start, end, torch.tensor([*_RADII, *2 * [HAND_RADIUS_M]]).to(joints)


def surface_distance(
    points: Float[Tensor, "*batch point 3"], joints: Float[Tensor, "*batch 22 3"]
) -> Float[Tensor, "*batch point"]:
    """Return metres from each point to the nearest surface of a body of capsules; negative inside."""
    return capsule_distances(points, joints).amin(-1)


def capsule_distances(
    points: Float[Tensor, "*batch point 3"], joints: Float[Tensor, "*batch 22 3"]
) -> Float[Tensor, "*batch point 21"]:
    """Return metres from each point to the surface of each capsule, that of a joint from its parent, joints from 1 on;
    negative inside."""
    start, end = joints[..., _PARENTS, :][..., None, :, :], joints[..., _CHILDREN, :][..., None, :, :]
    bone, away = end - start, points[..., None, :] - start
    along = ((away * bone).sum(-1) / bone.square().sum(-1).clamp(min=1e-8)).clamp(0.0, 1.0)
    distance = (away - along[..., None] * bone).norm(dim=-1)
    return distance - torch.tensor(_RADII).to(distance)


def gap(joints: Float[Tensor, "person *batch 22 3"]) -> Float[Tensor, "*batch"]:
    """Return metres between the surfaces of the two people who are nearest to each other, negative where they are in
    each other; infinite for one person."""
    found = torch.full(joints.shape[1:-2], torch.inf, device=joints.device)
    for one, other in itertools.combinations(joints, 2):
        found = torch.minimum(found, _between(one, other))
    return found


def _between(one: Float[Tensor, "*batch 22 3"], other: Float[Tensor, "*batch 22 3"]) -> Float[Tensor, "*batch"]:
    """Metres between the capsules of two bodies: the least distance of two segments (Ericson 2005, "Real-time collision
    detection", 5.1.9), less the radii."""
    (start, end, radii), (other_start, other_end, other_radii) = capsules_of(one), capsules_of(other)
    a, b = (end - start)[..., :, None, :], (other_end - other_start)[..., None, :, :]
    r = start[..., :, None, :] - other_start[..., None, :, :]
    aa, bb, ab = a.square().sum(-1).clamp(min=1e-8), b.square().sum(-1).clamp(min=1e-8), (a * b).sum(-1)
    ar, br = (a * r).sum(-1), (b * r).sum(-1)
    s = ((ab * br - ar * bb) / (aa * bb - ab.square()).clamp(min=1e-8)).clamp(0.0, 1.0)
    t = (ab * s + br) / bb
    s = torch.where((t < 0.0) | (t > 1.0), ((t.clamp(0.0, 1.0) * ab - ar) / aa).clamp(0.0, 1.0), s)
    apart = (r + s[..., None] * a - t.clamp(0.0, 1.0)[..., None] * b).norm(dim=-1)
    return (apart - radii[:, None] - other_radii).amin((-1, -2))
