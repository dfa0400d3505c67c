"""A prior over body poses: a variational auto-encoder, in the role of VPoser (Pavlakos et al. 2019, SMPL-X §3.3).

A pose is the 21 joints between pelvis and hands, without the root's orientation: 6D rotations in, a Gaussian over 32
latent numbers, and 6D rotations out, so that what is decoded is a rotation whatever the latent. Standing, lying and
falling bodies share one latent space; which way is up is not its business.
"""

from pathlib import Path
from typing import ClassVar

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from models.config import Config
from models.geometry.rotations import matrix_from_columns
from models.networks import STARTERS, load_network, network_digest

STARTER = STARTERS / "pose_prior"
PRIOR_JOINTS = 21
"""SMPL joints 1 to 21: the body without root and hands."""


class PosePriorConfig(Config):
    """Sizes of the network."""

    latent: int = Field(default=32, ge=1)
    """Numbers of the latent."""
    hidden: int = Field(default=384, ge=1)
    """Width of hidden layers."""
    layers: int = Field(default=2, ge=1)
    """Hidden layers of the encoder, and of the decoder."""


class PosePrior(nn.Module):
    """Encoder and decoder.

    Poses are rotation matrices [*b, 21, 3, 3] of SMPL joints 1 to 21 in their parents' frames.
    """

    renamed_keys: ClassVar[dict[str, str]] = {"spread": "std"}
    """What weights of before call the modules (`models.networks.current_keys`)."""
    mean: Tensor
    std: Tensor

    def __init__(self, config: PosePriorConfig):
        super().__init__()
        self.config = config
        self.digest = ""
        """SHA-256 of config and weights, where they came from a file."""
        width = 6 * PRIOR_JOINTS
        # 6D numbers are brought to zero mean and a common scale per joint, or the knees would drown the wrists.
        self.register_buffer("mean", torch.tensor([1.0, 0, 0, 0, 1, 0]).repeat(PRIOR_JOINTS))
        self.register_buffer("std", torch.ones(width))
        self.encoder = _mlp(width, config.hidden, 2 * config.latent, config.layers)
        self.decoder = _mlp(config.latent, config.hidden, width, config.layers)

    def encode(
        self, rotations: Float[Tensor, "*batch 21 3 3"]
    ) -> tuple[Float[Tensor, "*batch latent"], Float[Tensor, "*batch latent"]]:
        """Return mean and logarithm of the variance of the latent."""
        columns = rotations[..., :2].transpose(-1, -2).flatten(-3)
        mean, log_variance = self.encoder((columns - self.mean) / self.std).chunk(2, dim=-1)
        return mean, log_variance.clamp(-12.0, 4.0)

    def decode(self, latent: Float[Tensor, "*batch latent"]) -> Float[Tensor, "*batch 21 3 3"]:
        """Decode the pose of a latent, as rotation matrices."""
        columns = self.decoder(latent) * self.std + self.mean
        return matrix_from_columns(columns.unflatten(-1, (PRIOR_JOINTS, 6)))

    def energy(self, rotations: Float[Tensor, "*batch 21 3 3"], std_rad: float = 0.15) -> Float[Tensor, "*batch"]:
        """Measure how unlikely a pose is: its distance from its own reconstruction, and how far out in the latent
        that lies.

        Half the sum of squares of both, the distance in units of `std_rad` (for small angles, half the squared
        Frobenius norm is the angle squared). Differentiable in the pose.
        """
        latent, _ = self.encode(rotations)
        apart = (rotations - self.decode(latent)).square().sum((-1, -2, -3)) / (2.0 * std_rad**2)
        return 0.5 * (apart + latent.square().sum(-1))


def _mlp(inputs: int, hidden: int, outputs: int, layers: int) -> nn.Sequential:
    parts: list[nn.Module] = []
    for layer in range(layers):
        parts += [nn.Linear(hidden if layer else inputs, hidden), nn.SiLU()]
    return nn.Sequential(*parts, nn.Linear(hidden, outputs))


_KIND = ("pose prior", "name a folder made by careclips train pose-prior, or starter")


def load_pose_prior(name: Path | str = "starter", device: str = "cpu", dtype: torch.dtype = torch.float32) -> PosePrior:
    """Load the prior of a folder with config.json and model.safetensors, or the shipped `starter`; InputError if it is
    none."""
    prior = load_network(_folder(name), *_KIND, lambda settings: PosePrior(PosePriorConfig.model_validate(settings)))
    return prior.to(device=torch.device(device), dtype=dtype)


def pose_prior_digest(name: Path | str) -> str:
    """Return the digest of the files that `load_pose_prior` reads."""
    return network_digest(_folder(name), *_KIND)


def _folder(name: Path | str) -> Path:
    return STARTER if name == "starter" else Path(name)
