"""Figures of a pose prior have known answers, and its card holds them."""

import numpy as np
import torch

from models.body.model import relaxed_pose
from models.geometry.transforms import matrix_from_axis_angle
from models.training.loop import Run
from models.training.pose_prior.evaluate import (
    limb_in_trunk,
    within_limits,
    write_card,
)
from models.training.pose_prior.kinematics import angles_deg, matrices
from models.training.pose_prior.train import train


def test_the_card_holds_the_figures_and_those_before(body, tmp_path, how, some_poses, tiny):
    poses = some_poses()
    for name, steps in (("short", 3), ("long", 60)):
        train(poses, tiny, how(steps, 64, 1e-2), Run(0, tmp_path / name), body)
    figures = write_card(tmp_path / "long", poses, 20, 0, tmp_path / "short")
    card = (tmp_path / "long" / "README.md").read_text()
    row = next(line for line in card.splitlines() if line.startswith("| motion capture"))
    assert f"{figures['errors']['mocap']['joints_mm']:.1f} mm" in row
    assert row.endswith(
        f"| {figures['before']['mocap']['joints_mm']:.1f} mm | {figures['before']['mocap']['rotations_deg']:.1f}° |"
    )
    assert "80 poses of motion capture (8 takes), 20 poses of simulated falls" in card
    write_card(tmp_path / "long", poses, 20, 0)
    assert "before" not in (tmp_path / "long" / "README.md").read_text().lower()


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
