"""A camera that looks down, and networks of crops small enough to run in no time."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from models.geometry.camera import Camera, intrinsics_from_focal, normal_from_angles, pose_over_floor
from models.people3d.hmr_network import Hmr, HmrConfig


@pytest.fixture(scope="module")
def camera() -> Camera:
    pose = pose_over_floor(normal_from_angles(np.radians(20.0), np.radians(1.5)), 2.2)
    return Camera(intrinsics_from_focal(520.0, 640, 480), 640, 480, pose)


@pytest.fixture(scope="module")
def tiny() -> HmrConfig:
    return HmrConfig(
        rows_px=32,
        columns_px=24,
        patch_px=8,
        width=16,
        layers=2,
        heads=2,
        decoder_width=12,
        decoder_layers=2,
        decoder_heads=2,
        decoder_head_width=4,
        decoder_hidden=16,
        query="state",
        iterations=2,
        body="anny-bake",
    )


@pytest.fixture(scope="module")
def random_network() -> Callable[[HmrConfig], Hmr]:
    """A network whose answers differ widely from crop to crop."""

    def network(config: HmrConfig) -> Hmr:
        torch.manual_seed(0)
        made = Hmr(config)
        with torch.no_grad():
            for value in made.parameters():
                value.copy_(0.4 * torch.randn(value.shape))
        return made.eval()

    return network
