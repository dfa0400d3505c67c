"""Where a body's joints are at rest, for any shape, and its forward kinematics: what machines that train motion need of
it.

A body model is large and baked from other packages; its joints are two small tensors. They travel beside a corpus as
one file, so that training needs neither the body model nor what bakes it.
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
    """Rest joints linear in the shape, J(betas) = template + shapedirs betas (SMPL, eq.

    10), metres, the body's own axes.
    """

    template: Tensor
    shapedirs: Tensor

    def __init__(self, name: str, template: Float[Tensor, "24 3"], shapedirs: Float[Tensor, "24 3 10"]):
        super().__init__()
        self.name = name
        """Of the body model whose betas are meant."""
        self.register_buffer("template", template.clone(memory_format=torch.contiguous_format))
        self.register_buffer("shapedirs", shapedirs.clone(memory_format=torch.contiguous_format))

    def rest_joints(self, betas: Float[Tensor, "*batch 10"]) -> Float[Tensor, "*batch 22 3"]:
        """Return joints of the T-pose before `transl`."""
        joints = self.template + torch.einsum("jcb,...b->...jc", self.shapedirs, betas)
        return joints[..., :BODY_JOINTS, :]


def skeleton_of(body: BodyModel) -> RestSkeleton:
    """Return the joints of a body model."""
    return RestSkeleton(body.name, body.J_template.float(), body.J_shapedirs.float())


def save_skeleton(skeleton: RestSkeleton, path: Path) -> None:
    """Write a few kilobytes of safetensors."""
    save_file(dict(skeleton.state_dict()), path, metadata={"body": skeleton.name})


def read_skeleton(path: Path) -> RestSkeleton:
    """Read what `save_skeleton` wrote; InputError where the file is missing or something else."""
    try:
        with safe_open(path, framework="pt") as file:
            name = (file.metadata() or {})["body"]
            return RestSkeleton(name, file.get_tensor("template"), file.get_tensor("shapedirs"))
    except (OSError, SafetensorError, KeyError) as error:
        raise InputError(
            path, f"is no skeleton of a body ({error})", "name the skeleton.safetensors beside the corpus"
        ) from error
