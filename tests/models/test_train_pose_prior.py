"""Training of the pose prior: mirrors, thinning, splits, resuming, learning."""

import numpy as np
import pytest
import torch

from models.body import load_body, relaxed_pose
from models.pose_prior import PosePriorConfig, load_pose_prior
from models.procedural import procedural_walking
from models.train_pose_prior import (
    SOURCES,
    Kinematics,
    Poses,
    angles_deg,
    collect,
    limb_in_trunk,
    matrices,
    measure,
    read_poses,
    save_poses,
    thinned,
    train,
    within_limits,
)
from models.training_state import save_state
from pipeline.bvh import write_bvh
from pipeline.errors import InputError
from pipeline.frames import matrix_from_axis_angle

TINY = PosePriorConfig(latent=4, hidden=16, layers=1)


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


def test_thinning_drops_who_stands_still():
    joints = np.zeros((20, 24, 3))
    joints[10:, :, 0] = np.arange(10)[:, None] * 0.01
    assert thinned(joints, 0.015).tolist() == [0, 12, 14, 16, 18]


def test_collecting_takes_captures_falls_and_walks(body, as_bvh, tmp_path):
    walk = procedural_walking(body, np.zeros(10), 2.0, 30.0, np.random.default_rng(0))
    write_bvh(as_bvh(body, walk), tmp_path / "walk.bvh")
    (tmp_path / "broken.bvh").write_text("HIERARCHY")
    poses = collect(body, tmp_path, 2, seed=0)
    assert set(poses.source) == {0, 1, 2}
    assert (poses.trunk[poses.source == 0] > 0.8).all()
    falls = poses.trunk[poses.source == SOURCES.index("falls")]
    assert falls.min() < 0.5 and falls.max() > 0.9
    for one in np.unique(poses.take):
        assert len(np.unique(poses.held_out[poses.take == one])) == 1
    assert collect(body, tmp_path, 2, seed=0).body_pose.tobytes() == poses.body_pose.tobytes()
    save_poses(poses, tmp_path / "poses.npz")
    again = read_poses(tmp_path / "poses.npz")
    assert np.abs(again.body_pose - poses.body_pose).max() < 2e-3
    assert (again.held_out == poses.held_out).all() and (again.source == poses.source).all()


def test_folder_without_captures_is_named(body, tmp_path):
    with pytest.raises(InputError, match="holds no BVH motion capture"):
        collect(body, tmp_path, 1, seed=0)
    (tmp_path / "poses.npz").write_bytes(b"no")
    with pytest.raises(InputError, match="holds no collected poses"):
        read_poses(tmp_path / "poses.npz")


def test_training_learns_and_repeats(body, tmp_path):
    poses = some_poses()
    for name, steps in (("short", 3), ("long", 300), ("again", 300)):
        train(poses, TINY, steps, 64, 1e-2, 0, tmp_path / name, body=body)
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("long", "again")]
    assert files[0] == files[1]
    kinematics = Kinematics(body)
    with torch.no_grad():
        short, long = (
            measure(load_pose_prior(tmp_path / name), poses, kinematics, 50, 0)["errors"] for name in ("short", "long")
        )
    assert long["all"]["joints_mm"] < 0.6 * short["all"]["joints_mm"]
    assert long["all"]["poses"] == 20 and long["mocap"]["poses"] == long["upright"]["poses"] == 10


def test_interrupted_training_ends_the_same(body, tmp_path, monkeypatch):
    """The state is saved after every step, the training breaks off, and goes on from there."""
    poses, state = some_poses(), tmp_path / "state.safetensors"
    train(poses, TINY, 8, 16, 1e-3, 0, tmp_path / "whole", body=body)

    def breaks_off(path, prior, optimiser, average, step):
        save_state(path, prior, optimiser, average, step)
        if step == 5:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("models.train_pose_prior.SAVE_EVERY_S", -1.0)
        patch.setattr("models.train_pose_prior.save_state", breaks_off)
        with pytest.raises(KeyboardInterrupt):
            train(poses, TINY, 8, 16, 1e-3, 0, tmp_path / "parts", state, body)
    assert not (tmp_path / "parts").exists()
    train(poses, TINY, 8, 16, 1e-3, 0, tmp_path / "parts", state, body)
    first, second = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert first == second


def test_figures_of_plausibility_have_known_answers(body):
    pose = np.zeros((3, 21, 3))
    pose[:] = relaxed_pose().reshape(23, 3)[:21]
    pose[1, 3, 0] = -0.8
    pose[2, [15, 16], 2] = 0.0
    pose[2, 17, 1] = -2.4
    rotations = matrices(pose.reshape(3, 63))
    assert within_limits(rotations).tolist() == [True, False, True]
    line = torch.zeros(2, 22, 3)
    line[:, 12, 1] = 0.5
    line[:, [4, 5, 7, 8, 18, 19, 20, 21], 0] = 0.4
    line[1, 20] = torch.tensor([0.05, 0.3, 0.0])
    assert limb_in_trunk(line).tolist() == [False, True]
    turns = torch.as_tensor(matrix_from_axis_angle(np.radians([[0.0, 40.0, 0.0], [0.0, 0.0, 0.0]])))
    assert torch.allclose(angles_deg(turns[0], turns[1]), torch.tensor(40.0, dtype=torch.float64))
