"""Limits of the joints."""

import torch

from models.body.joint_limits import joint_limits
from models.body.model import relaxed_pose
from models.types import SMPL_JOINTS


def test_limits_are_mirrored_and_knees_bend_backwards_only():
    low, high = joint_limits()
    left, right = (SMPL_JOINTS.index(f"{side}_elbow") - 1 for side in ("left", "right"))
    assert torch.equal(low[left, 1], -high[right, 1]) and torch.equal(low[left, 0], low[right, 0])
    knee = SMPL_JOINTS.index("left_knee") - 1
    assert low[knee, 0] == 0.0 and high[knee, 0] > 2.0
    assert (torch.as_tensor(relaxed_pose().reshape(23, 3)) >= low - 0.2).all()
    assert (torch.as_tensor(relaxed_pose().reshape(23, 3)) <= high + 0.2).all()
