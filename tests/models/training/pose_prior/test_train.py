"""Training of the pose prior: mirrors, thinning, splits, resuming, learning."""

import pytest

from models.people3d.pose_prior import load_pose_prior
from models.training.loop import Run
from models.training.pose_prior.evaluate import (
    plausibility,
    reconstruction,
)
from models.training.pose_prior.kinematics import Kinematics
from models.training.pose_prior.train import train
from models.training.state import save_state


def test_training_learns_and_repeats(body, tmp_path, how, some_poses, tiny):
    poses = some_poses()
    for name, steps in (("short", 3), ("long", 300), ("again", 300)):
        train(poses, tiny, how(steps, 64, 1e-2), Run(0, tmp_path / name), body)
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("long", "again")]
    assert files[0] == files[1]
    kinematics = Kinematics(body)
    short, long = (reconstruction(load_pose_prior(tmp_path / name), poses, kinematics) for name in ("short", "long"))
    assert long["all"]["joints_mm"] < 0.6 * short["all"]["joints_mm"]
    assert long["all"]["poses"] == 20 and long["mocap"]["poses"] == long["upright"]["poses"] == 10
    # Samples of what learnt elbows and knees lie nearer to such poses than those of what learnt nothing.
    near = [plausibility(load_pose_prior(tmp_path / name), poses, kinematics, 50, 0) for name in ("short", "long")]
    assert near[1]["samples"]["nearest_mm"] < near[0]["samples"]["nearest_mm"]


def test_interrupted_training_ends_the_same(body, tmp_path, monkeypatch, how, some_poses, tiny):
    """The state is saved after every step, the training breaks off, and goes on from there."""
    poses, state = some_poses(), tmp_path / "state"
    train(poses, tiny, how(8, 16, 1e-3), Run(0, tmp_path / "whole"), body)

    def breaks_off(checkpoint, trained, progress):
        save_state(checkpoint, trained, progress)
        if progress.step == 5:
            raise KeyboardInterrupt

    run = Run(0, tmp_path / "parts", state)
    with monkeypatch.context() as patch:
        patch.setattr("models.training.loop.save_state", breaks_off)
        with pytest.raises(KeyboardInterrupt):
            train(poses, tiny, how(8, 16, 1e-3, save_every_s=0.0), run, body)
    assert not (tmp_path / "parts").exists()
    train(poses, tiny, how(8, 16, 1e-3), run, body)
    for file in ("model.safetensors", "training.json"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "parts" / file).read_bytes()
