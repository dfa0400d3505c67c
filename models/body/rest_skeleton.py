"""Where a body's joints are at rest, for any shape, and its forward kinematics: what machines that train motion need of it.

A body model is large and baked from other packages; its joints are two small tensors. They travel beside a corpus as one file,
so that training needs neither the body model nor what bakes it.
"""

from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from models.body.model import BodyModel
from models.errors import InputError
from models.types import SMPL_PARENTS

BODY_JOINTS = 22
"""SMPL's joints without the hands: those that features and networks speak of."""
PARENTS = SMPL_PARENTS[:BODY_JOINTS]


class RestSkeleton(nn.Module):
    """Rest joints linear in the shape, J(betas) = template + shapedirs betas (SMPL, eq. 10), metres, the body's own axes."""

    template: Tensor
    shapedirs: Tensor

    def __init__(self, name: str, template: Float[Tensor, "24 3"], shapedirs: Float[Tensor, "24 3 10"]):
        super().__init__()
        self.name = name
        """Of the body model whose betas are meant."""
        self.register_buffer("template", template.clone(memory_format=torch.contiguous_format))
        self.register_buffer("shapedirs", shapedirs.clone(memory_format=torch.contiguous_format))

    def rest_joints(self, betas: Float[Tensor, "*batch 10"]) -> Float[Tensor, "*batch 22 3"]:
        """Joints of the T-pose before `transl`."""
        joints = self.template + torch.einsum("jcb,...b->...jc", self.shapedirs, betas)
        return joints[..., :BODY_JOINTS, :]


def skeleton_of(body: BodyModel) -> RestSkeleton:
    """The joints of a body model."""
    return RestSkeleton(body.name, body.J_template.float(), body.J_shapedirs.float())


def save_skeleton(skeleton: RestSkeleton, path: Path) -> None:
    """Write a few kilobytes of safetensors."""
    save_file(dict(skeleton.state_dict()), path, metadata={"body": skeleton.name})


def read_skeleton(path: Path) -> RestSkeleton:
    """What `save_skeleton` wrote; InputError where the file is missing or something else."""
    try:
        with safe_open(path, framework="pt") as file:
            name = (file.metadata() or {})["body"]
            return RestSkeleton(name, file.get_tensor("template"), file.get_tensor("shapedirs"))
    except (OSError, SafetensorError, KeyError) as error:
        raise InputError(
            path, f"is no skeleton of a body ({error})", "name the skeleton.safetensors beside the corpus"
        ) from error


def bone_lengths(rest: Float[Tensor, "*batch 22 3"]) -> Float[Tensor, "*batch 21"]:
    """Distance of every joint but the root to its parent, metres."""
    return (rest[..., 1:, :] - rest[..., list(PARENTS[1:]), :]).norm(dim=-1)


def forward_kinematics(
    rest: Float[Tensor, "*#batch 22 3"], rotations: Float[Tensor, "*batch 22 3 3"], root: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 22 3"]:
    """Joints of a posed skeleton. `rotations`: the root's to the world, the others' to their parents; `root`: the pelvis, world."""
    # Products of many small matrices are slow; with the batch as the last axis they are sums of long vectors.
    bones = (rest[..., 1:, :] - rest[..., list(PARENTS[1:]), :]).expand(*root.shape[:-1], -1, -1)
    bones = bones.movedim((-2, -1), (0, 1)).contiguous()
    local = rotations.movedim((-3, -2, -1), (0, 1, 2)).contiguous()
    turned, joints = [local[0]], [root.movedim(-1, 0)]
    for joint in range(1, BODY_JOINTS):
        above = turned[PARENTS[joint]]
        joints.append(joints[PARENTS[joint]] + (above * bones[joint - 1]).sum(1))
        turned.append((above[:, :, None] * local[joint]).sum(1))
    return torch.stack(joints).movedim((0, 1), (-2, -1))
