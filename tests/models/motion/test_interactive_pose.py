"""Interactive poses: who touches, and where a pose is in a motion."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from models.body.model import load_body, relaxed_pose
from models.body.rest_skeleton import skeleton_of
from models.body.skin_distance import skin_distance
from models.motion.features import POSITIONS, ROTATIONS, encode, positions
from models.motion.holding import TOUCH_M, gap
from models.motion.interactive_pose import in_world_of, interactive_frames, kept_pose, known_pose, middle_pose
from models.motion.known_frames import moved


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def rest(body):
    return skeleton_of(body).rest_joints(torch.zeros(2, 10))


def standing(apart_m: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Two who stand side by side, facing +x, so far apart."""
    rotations = torch.zeros(2, 24, 3)
    rotations[:, 0] = torch.full((3,), 2.0 * np.pi / 3.0 / 3.0**0.5)
    rotations[:, 1:] = torch.as_tensor(relaxed_pose(), dtype=torch.float32).view(23, 3)
    return rotations, torch.tensor([[0.0, 0.0, 0.95], [0.0, apart_m, 0.95]])


@pytest.mark.parametrize("apart_m", [0.35, 0.45, 0.55, 0.65, 0.8, 1.2])
def test_the_gap_is_about_that_of_the_bodies_skin(body, rest, apart_m):
    rotations, transl = standing(apart_m)
    found = gap(positions(encode(rest, rotations[:, None], transl[:, None])))[0]
    skin = skin_distance(body, np.zeros((2, 10)), rotations.double().numpy(), transl.double().numpy())
    if skin > 0.02:
        assert abs(float(found) - skin) < 0.06
    else:
        assert found < TOUCH_M


def test_nobody_is_near_to_who_is_alone_and_the_order_changes_nothing(rest):
    rotations, transl = standing(0.7)
    joints = positions(encode(rest, rotations[:, None], transl[:, None]))
    assert gap(joints[:1]).tolist() == [float("inf")]
    assert_close(gap(joints), gap(joints.flip(0)))
    third = torch.cat([joints, joints[:1] + torch.tensor([0.2, 0.0, 0.0])])
    assert gap(third)[0] < gap(joints)[0], "of three, the nearest two"


def test_a_pose_is_known_in_its_frame_alone_and_brings_a_motion_to_its_world(rest):
    rotations, transl = standing(0.7)
    known = known_pose(rest, rotations, transl, 12, 5)
    assert known.floats and known.where[:, 5, POSITIONS].all() and known.where[:, 5, ROTATIONS].all()
    assert known.where.sum() == 2 * (66 + 132)
    still = encode(rest, rotations[:, None].expand(-1, 12, -1, -1), transl[:, None].expand(-1, 12, -1))
    elsewhere = moved(still[None], torch.zeros(1, 3), torch.tensor([[4.0, -2.0, 2.5]]))[0]
    found = in_world_of(known, 5, elsewhere)
    assert_close(found[known.where], known.features[known.where], atol=1e-5, rtol=0.0)


def test_a_pose_is_taken_where_people_touch_else_where_they_are_nearest():
    gaps = torch.tensor([[0.5, 0.01, -0.1, 0.02], [0.5, 0.3, 0.4, 0.0], [torch.inf] * 4])
    there = torch.tensor([[True] * 4, [True, True, True, False], [True, True, False, False]])
    expected = [[False, True, True, False], [False, True, False, False], [True, True, False, False]]
    assert interactive_frames(gaps, there).tolist() == expected


def test_the_middle_pose_of_a_motion_is_one_in_which_people_touch(rest):
    """They touch in frames 4 to 6 of 12; who is alone is posed in the middle of the motion."""
    rotations, transl = standing(2.0)
    transl = transl[:, None].repeat(1, 12, 1)
    transl[1, 4:7, 1] = 0.4
    motion = encode(rest, rotations[:, None].expand(-1, 12, -1, -1), transl)
    for features, frame in ((motion, 5), (motion[:1], 6)):
        known = middle_pose(features)
        assert known.where.any(-1).all(0).nonzero()[:, 0].tolist() == [frame]
        assert torch.equal(known.features[known.where], features[known.where])


def test_a_pose_that_was_moved_is_put_back_and_half_a_second_away_nothing_changes(rest):
    rotations, transl = standing(0.7)
    known = known_pose(rest, rotations, transl, 41, 20)
    bent = rotations.clone()
    bent[:, 4:6] += 0.3
    moved_by = torch.tensor([0.1, 0.0, 0.02])
    motion = encode(rest, bent[:, None].expand(-1, 41, -1, -1), (transl + moved_by)[:, None].expand(-1, 41, -1))
    found = kept_pose(known, rest, motion)
    assert_close(found[known.where], known.features[known.where], atol=1e-5, rtol=0.0)
    assert_close(found[:, :10, POSITIONS], motion[:, :10, POSITIONS], atol=1e-5, rtol=0.0)
    assert_close(found[:, 31:, POSITIONS], motion[:, 31:, POSITIONS], atol=1e-5, rtol=0.0)
    assert_close(found[:, 15, :3], transl + rest[:, 0] + 0.5 * moved_by, atol=1e-5, rtol=0.0)
