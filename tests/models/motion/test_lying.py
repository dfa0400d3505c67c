"""Whoever rests on the floor with the head in the air is laid down; who sits, kneels or moves is not."""

import numpy as np
import pytest
import torch

from models.body.kinematics import forward_kinematics
from models.body.model import load_body
from models.body.rest_skeleton import skeleton_of
from models.geometry.transforms import R_ZUP_YUP, matrix_from_axis_angle
from models.motion.floor_clearance import HEAD, floor_clearance_of
from models.motion.lying import HIPS, lay_down

FRAMES, HIGHEST_M = 60, 0.3


@pytest.fixture(scope="module")
def rest():
    return skeleton_of(load_body()).rest_joints(torch.zeros(10))[None]


def reclining(lift_rad, hips_rad=None, frames=FRAMES):
    """Rotations and root of somebody on their back, the trunk raised about the pelvis while the legs lie; or, told by
    how much hips bend, legs that go along with the trunk."""
    lift_rad = np.broadcast_to(lift_rad, frames)
    R = np.tile(np.eye(3), (frames, 22, 1, 1))
    about_x = lift_rad[:, None] * np.array([1.0, 0.0, 0.0])
    flat = matrix_from_axis_angle(np.array([-np.pi / 2.0, 0.0, 0.0]))
    R[:, 0] = R_ZUP_YUP @ flat @ matrix_from_axis_angle(about_x)
    for hip in HIPS:
        bent = -about_x if hips_rad is None else np.tile([-hips_rad, 0.0, 0.0], (frames, 1))
        R[:, hip] = matrix_from_axis_angle(bent)
    return torch.as_tensor(R, dtype=torch.float32)[None], torch.tensor([0.0, 0.0, 0.15]).expand(1, frames, 3)


def joints(rest, R, root):
    return forward_kinematics(rest[:, None], R, root)[0].numpy()


def laid(rest, R, root):
    return lay_down(floor_clearance_of(load_body()), HIGHEST_M, rest, R, root)


@pytest.mark.parametrize("lift_deg", [20.0, 40.0])
def test_a_head_that_hovers_comes_down_and_the_legs_stay(rest, lift_deg):
    R, root = reclining(np.radians(lift_deg))
    assert joints(rest, R, root)[:, HEAD, 2].min() > HIGHEST_M
    found = laid(rest, R, root)
    after = joints(rest, found, root)
    assert after[:, HEAD, 2].max() < HIGHEST_M + 0.01 and after[:, HEAD, 2].min() > 0.15, "no lower than asked"
    np.testing.assert_allclose(after[:, 0], root[0].numpy(), atol=1e-6)
    for hip in HIPS:
        torch.testing.assert_close(found[:, :, 0] @ found[:, :, hip], R[:, :, 0] @ R[:, :, hip], atol=1e-5, rtol=0.0)


def test_who_moves_first_sinks_smoothly_once_at_rest(rest):
    """The trunk comes down from upright in a second, stops half-way, and sinks on."""
    lift = np.concatenate([np.linspace(np.radians(85.0), np.radians(40.0), 20), np.full(40, np.radians(40.0))])
    R, root = reclining(lift)
    found = laid(rest, R, root)
    before, after = (joints(rest, turns, root)[:, HEAD, 2] for turns in (R, found))
    np.testing.assert_allclose(after[:8], before[:8], atol=0.01)
    assert after[-20:].max() < HIGHEST_M + 0.01
    assert np.abs(np.diff(after)).max() * 20.0 < 1.5, "metres per second"


def test_who_lies_sits_kneels_or_moves_is_left(rest):
    lying, sitting = reclining(np.radians(5.0)), reclining(np.radians(80.0))
    swaying = reclining(np.radians(30.0) + 0.7 * np.sin(np.arange(FRAMES) / 6.0))
    for R, root in (lying, sitting, swaying):
        assert laid(rest, R, root) is R
    # Kneeling, bent over somebody: chest down, thighs under it.
    over, root = reclining(np.radians(180.0 - 30.0), hips_rad=np.radians(100.0))
    places = joints(rest, over, root)
    assert HIGHEST_M < places[0, HEAD, 2] < 0.6
    assert laid(rest, over, root) is over


def test_who_slowly_sits_up_is_not_held_down(rest):
    R, root = reclining(np.radians(np.linspace(20.0, 80.0, FRAMES)))
    before, after = (joints(rest, turns, root)[:, HEAD, 2] for turns in (R, laid(rest, R, root)))
    np.testing.assert_allclose(after, before, atol=1e-6)


def test_only_who_hovers_is_laid_down(rest):
    (hovers, root), (sits, _) = reclining(np.radians(40.0)), reclining(np.radians(80.0))
    together = laid(rest.expand(2, -1, -1), torch.cat([hovers, sits]), root.expand(2, -1, -1))
    assert torch.equal(together[1], sits[0]) and torch.equal(together[0], laid(rest, hovers, root)[0])
