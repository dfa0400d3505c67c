"""Grown people's shapes in three numbers: how a shape is drawn for training, regressed and fitted."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.body.model import BodyModel, BodyShape


class ShapeSpace:
    """Grown people's shapes: a mean and the directions of stature, sex and build, each with unit spread."""

    def __init__(self, body: BodyModel, stature_m: float, stature_std_m: float):
        def betas(stature: float = 0.0, sex: float = 0.5, build: float = 0.5) -> Float[np.ndarray, "10"]:
            shape = BodyShape(
                age_years=50.0, sex=sex, build=build, stature_m=float(np.clip(stature_m + stature, 0.95, 2.15))
            )
            return body.betas_from_shape(shape)

        self.mean = torch.as_tensor(betas())
        tall = (betas(stature=0.1) - betas(stature=-0.1)) * (stature_std_m / 0.2)
        other = (betas(sex=0.8) - betas(sex=0.2), betas(build=0.75) - betas(build=0.25))
        self.directions = torch.as_tensor(np.stack([tall, *(0.5 * d for d in other)]))

    def to(self, device: torch.device) -> "ShapeSpace":
        """Move to another device; return itself."""
        self.mean, self.directions = self.mean.to(device), self.directions.to(device)
        return self

    def __call__(self, z: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 10"]:
        """Betas of the model."""
        return self.mean + z @ self.directions
