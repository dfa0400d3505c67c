"""What the network of crops is held to in training: HMR2.0's losses (joints in 3D less the pelvis, joints in the crop,
rotation matrices, betas), with two changes.

Joints in 3D count twice: posture with the root unturned, and turned with the posture taken as given, since a posture
that pays for a wrong heading shrinks to a knot. And every token of the backbone is asked which joints lie in its patch:
HMR2.0 starts from a backbone that knows keypoints, ours from one that knows depth in rooms.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.people3d.hmr_network import Hmr, HmrConfig
from models.training.hmr.dataset import Batch, Skeleton

WEIGHTS = {"posture": 10.0, "turned": 4.0, "crop": 2.0, "root": 0.2, "rotations": 0.5, "betas": 0.02, "patches": 1.0}
"""Of the losses: metres, metres, half crops, squared Frobenius norm of the root, mean of the other joints', squared
betas, nats."""


class Trainee(nn.Module):
    """The network, and the layer that asks its backbone where joints are, which only training needs."""

    def __init__(self, network: Hmr):
        super().__init__()
        self.network = network
        self.finder = nn.Linear(network.config.width, 24)


def loss_of(
    trainee: Trainee, skeleton: Skeleton, pixels: Float[Tensor, "crop 3 rows columns"], true: Batch
) -> dict[str, Tensor]:
    """Return every loss by its name in `WEIGHTS`, mean over crops."""
    tokens = trainee.network.tokens(pixels)
    found = trainee.network.decode(tokens)
    transl = found.translation(true.focal_px, skeleton.rows_px)
    unturned, nowhere = torch.eye(3).expand(len(pixels), 1, 3, 3), torch.zeros_like(transl)

    def posture(rotations: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
        """Return joints less the pelvis with the root unturned, and J0."""
        joints = skeleton.joints(torch.cat([unturned, rotations[:, 1:]], dim=1), betas, nowhere)
        return joints - joints[:, :1], joints[:, :1]

    limbs, root = posture(found.rotations, found.betas)
    turn = found.rotations[:, :1]
    with torch.no_grad():
        real_limbs, real_root = posture(true.rotations, true.betas)
        real = (true.rotations[:, :1] @ real_limbs[..., None])[..., 0]
        real_crop = skeleton.in_crop(real + real_root + true.transl[:, None], true.focal_px)
    place = (turn @ limbs[..., None])[..., 0] + root + transl[:, None]
    # Joints far outside the crop are guesses: beyond two half sides they count no more.
    off = skeleton.in_crop(place, true.focal_px) - real_crop.clamp(-2.0, 2.0)
    apart = (found.rotations - true.rotations).square().sum((-1, -2))
    return {
        "posture": (limbs - real_limbs).abs().mean(),
        "turned": ((turn @ limbs.detach()[..., None])[..., 0] - real).abs().mean(),
        "crop": off.abs().clamp(max=2.0).mean(),
        "root": apart[:, 0].mean(),
        "rotations": apart[:, 1:].mean(),
        "betas": (found.betas - true.betas).square().mean(),
        "patches": _patch_loss(trainee.finder(tokens), real_crop, trainee.network.config),
    }


def _patch_loss(
    logits: Float[Tensor, "crop token 24"], in_crop: Float[Tensor, "crop 24 2"], config: HmrConfig
) -> Tensor:
    """Cross entropy over patches of where each joint lies; joints outside the crop are not asked for."""
    size = torch.tensor([config.columns_px, config.rows_px]) // config.patch_px
    patch = (in_crop * config.rows_px / (2 * config.patch_px) + size / 2).floor().long()
    inside = ((patch >= 0) & (patch < size)).all(-1)
    wanted = torch.where(inside, patch[..., 1] * size[0] + patch[..., 0], -100)
    return nn.functional.cross_entropy(logits, wanted)
