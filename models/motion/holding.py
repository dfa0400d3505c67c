"""Which hands are on somebody else, told from joints alone: a palm near the surface of another's limb or trunk.

Limbs are capsules around bones. Against what the composed interactions of the corpus say of their hands, a test shows
how often this agrees.
"""

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


def surface_distance(
    points: Float[Tensor, "*batch point 3"], joints: Float[Tensor, "*batch 22 3"]
) -> Float[Tensor, "*batch point"]:
    """Return metres from each point to the nearest surface of a body of capsules; negative inside."""
    start, end = joints[..., _PARENTS, :][..., None, :, :], joints[..., _CHILDREN, :][..., None, :, :]
    bone, away = end - start, points[..., None, :] - start
    along = ((away * bone).sum(-1) / bone.square().sum(-1).clamp(min=1e-8)).clamp(0.0, 1.0)
    distance = (away - along[..., None] * bone).norm(dim=-1)
    return (distance - torch.tensor(_RADII).to(distance)).amin(-1)
