"""Poses to learn a prior from in seconds, a prior so small, and how it is trained."""

from collections.abc import Callable

import numpy as np
import pytest

from models.body.model import BodyModel, load_body, relaxed_pose
from models.people3d.pose_prior import PosePriorConfig
from models.training.loop import TrainConfig
from models.training.pose_prior.poses import Poses
from models.training.pose_prior.train import TRAINING


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


@pytest.fixture
def tiny() -> PosePriorConfig:
    return PosePriorConfig(latent=4, hidden=16, layers=1)


@pytest.fixture
def how() -> Callable[..., TrainConfig]:
    """Training of so many steps, examples and so high a learning rate."""

    def training(steps: int, batch_size: int, learning_rate: float, **more) -> TrainConfig:
        values = {"steps": steps, "batch_size": batch_size, "learning_rate": learning_rate}
        return TRAINING.model_copy(update=values | more)

    return training


@pytest.fixture
def some_poses() -> Callable[..., Poses]:
    """Elbows and knees that bend together, over twelve takes."""

    def poses(count: int = 120, seed: int = 0) -> Poses:
        rng = np.random.default_rng(seed)
        pose = np.tile(relaxed_pose()[:63].reshape(21, 3), (count, 1, 1))
        bend = rng.uniform(0.0, 1.5, count)
        pose[:, [3, 4], 0] = bend[:, None]
        pose[:, [0, 1], 0] = -bend[:, None]
        pose += rng.normal(0.0, 0.02, pose.shape)
        take = np.arange(count) // (count // 12)
        split, weight = np.where(take < 9, 0, 1), np.where(take < 9, 1.0, 0.1)
        return Poses(pose.reshape(count, 63), split, take, weight, np.isin(take, [4, 10]))

    return poses
