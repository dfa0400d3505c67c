"""A body seen in a mirror: sides change places, and x, to the body's left, changes its sign."""

from jaxtyping import Float
from torch import Tensor

from pipeline.sides import swapped
from pipeline.types import SMPL_JOINTS


def mirrored(rotations: Float[Tensor, "*batch joint 3 3"], first: int = 0) -> Float[Tensor, "*batch joint 3 3"]:
    """Rotations of the mirrored body, given those of the joints from `first` on in the order of SMPL's."""
    partners = swapped(SMPL_JOINTS[first : first + rotations.shape[-3]])
    signs = rotations.new_tensor([-1.0, 1.0, 1.0])
    return rotations[..., partners, :, :] * signs[:, None] * signs
