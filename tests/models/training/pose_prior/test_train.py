"""Training of the pose prior: mirrors, thinning, splits, resuming, learning."""

import numpy as np
import pytest

from models.body.model import load_body, relaxed_pose
from models.people3d.pose_prior import PosePriorConfig, load_pose_prior
from models.training.loop import Run, TrainConfig
from models.training.pose_prior.evaluate import (
    plausibility,
    reconstruction,
)
from models.training.pose_prior.kinematics import Kinematics
from models.training.pose_prior.poses import Poses
from models.training.pose_prior.train import TRAINING, train
from models.training.state import save_state

TINY = PosePriorConfig(latent=4, hidden=16, layers=1)


def how(steps, batch_size, learning_rate, **more) -> TrainConfig:
    values = {"steps": steps, "batch_size": batch_size, "learning_rate": learning_rate}
    return TRAINING.model_copy(update=values | more)


@pytest.fixture(scope="module")
def body():
    return load_body()


def some_poses(count=120, seed=0):
    """Elbows and knees that bend together, over twelve takes."""
    rng = np.random.default_rng(seed)
    pose = np.tile(relaxed_pose()[:63].reshape(21, 3), (count, 1, 1))
    bend = rng.uniform(0.0, 1.5, count)
    pose[:, [3, 4], 0] = bend[:, None]
    pose[:, [0, 1], 0] = -bend[:, None]
    pose += rng.normal(0.0, 0.02, pose.shape)
    take = np.arange(count) // (count // 12)
    return Poses(
        pose.reshape(count, 63), np.where(take < 9, 0, 1), take, np.where(take < 9, 1.0, 0.1), np.isin(take, [4, 10])
    )


def test_training_learns_and_repeats(body, tmp_path):
    poses = some_poses()
    for name, steps in (("short", 3), ("long", 300), ("again", 300)):
        train(poses, TINY, how(steps, 64, 1e-2), Run(0, tmp_path / name), body)
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("long", "again")]
    assert files[0] == files[1]
    kinematics = Kinematics(body)
    short, long = (reconstruction(load_pose_prior(tmp_path / name), poses, kinematics) for name in ("short", "long"))
    assert long["all"]["joints_mm"] < 0.6 * short["all"]["joints_mm"]
    assert long["all"]["poses"] == 20 and long["mocap"]["poses"] == long["upright"]["poses"] == 10
    # Samples of what learnt elbows and knees lie nearer to such poses than those of what learnt nothing.
    near = [plausibility(load_pose_prior(tmp_path / name), poses, kinematics, 50, 0) for name in ("short", "long")]
    assert near[1]["samples"]["nearest_mm"] < near[0]["samples"]["nearest_mm"]


def test_interrupted_training_ends_the_same(body, tmp_path, monkeypatch):
    """The state is saved after every step, the training breaks off, and goes on from there."""
    poses, state = some_poses(), tmp_path / "state"
    train(poses, TINY, how(8, 16, 1e-3), Run(0, tmp_path / "whole"), body)

    def breaks_off(checkpoint, trained, progress):
        save_state(checkpoint, trained, progress)
        if progress.step == 5:
            raise KeyboardInterrupt

    run = Run(0, tmp_path / "parts", state)
    with monkeypatch.context() as patch:
        patch.setattr("models.training.loop.save_state", breaks_off)
        with pytest.raises(KeyboardInterrupt):
            train(poses, TINY, how(8, 16, 1e-3, save_every_s=0.0), run, body)
    assert not (tmp_path / "parts").exists()
    train(poses, TINY, how(8, 16, 1e-3), run, body)
    for file in ("model.safetensors", "training.json"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "parts" / file).read_bytes()
