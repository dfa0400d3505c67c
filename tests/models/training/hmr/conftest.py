"""A network of crops so small that it learns in seconds, and how it is trained."""

from collections.abc import Callable

import pytest

from models.body.model import BodyModel, load_body
from models.people3d.hmr_network import HmrConfig
from models.training.hmr.train import TRAINING, HmrTrainConfig


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


@pytest.fixture
def tiny(body) -> HmrConfig:
    return HmrConfig(
        rows_px=32,
        columns_px=24,
        patch_px=8,
        width=32,
        layers=2,
        heads=2,
        decoder_width=32,
        decoder_layers=1,
        decoder_heads=2,
        decoder_head_width=16,
        decoder_hidden=32,
        query="state",
        iterations=2,
        body=body.name,
    )


@pytest.fixture
def how() -> Callable[..., HmrTrainConfig]:
    """Training of so many steps, examples and so high a learning rate."""

    def training(steps: int, batch_size: int, learning_rate: float, **more) -> HmrTrainConfig:
        values = {"steps": steps, "batch_size": batch_size, "learning_rate": learning_rate}
        return TRAINING.model_copy(update=values | more)

    return training
