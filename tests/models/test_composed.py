"""Two people composed: together in time and place, apart in space, said so."""

import numpy as np
import pytest

from models.body import BodyModel, load_body
from models.captions import captions
from models.composed import APART_M, COMPOSITIONS, composed
from models.retarget import body_joints
from pipeline.errors import Rejected
from pipeline.types import ACTIONS, Motion


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


def made(body: BodyModel, kind: str) -> tuple[Motion, object]:
    for seed in range(6):
        try:
            return composed(body, kind, 20.0, np.random.default_rng(seed))
        except Rejected:
            continue
    raise AssertionError(f"no {kind} in six tries")


def joints_of(body: BodyModel, motion: Motion) -> np.ndarray:
    return np.stack([body_joints(body, t.betas, t.global_orient, t.body_pose, t.transl)[:, :22] for t in motion.people])


@pytest.mark.parametrize("kind", COMPOSITIONS)
def test_resident_and_carer_share_clock_and_world_but_not_space(body: BodyModel, kind: str) -> None:
    motion, facts = made(body, kind)
    assert [track.role for track in motion.people] == ["resident", "carer"] and motion.details["composed"]
    assert motion.actions.shape == (2, len(motion.timestamps_s)) and len(motion.timestamps_s) > 60
    joints = joints_of(body, motion)
    apart = np.linalg.norm(joints[0][:, :, None] - joints[1][:, None], axis=-1)
    assert apart.min() >= APART_M
    nearest = {"walk_beside": 1.3, "approach_fallen": 0.9, "catch": 0.9, "help_up": 0.6}[kind]
    assert apart.min(axis=(1, 2)).min() < nearest, "they are together at some time"
    assert all(
        any(word in text for word in ("carer", "caregiver", "care worker"))
        for text in captions(facts, np.random.default_rng(0))
    )


def test_who_is_walked_beside_is_on_the_side_that_is_said(body: BodyModel) -> None:
    motion, facts = made(body, "walk_beside")
    joints = joints_of(body, motion)
    middle = len(motion.timestamps_s) // 3
    way = joints[0, middle + 5, 0] - joints[0, middle - 5, 0]
    across = joints[1, middle, 0] - joints[0, middle, 0]
    left = way[0] * across[1] - way[1] * across[0] > 0.0
    assert facts.side == ("left" if left else "right")


def test_who_is_caught_stands_and_who_is_approached_lies(body: BodyModel) -> None:
    caught, _ = made(body, "catch")
    assert ACTIONS.index("fall") not in caught.actions[0] and joints_of(body, caught)[0, -1, 0, 2] > 0.7
    fallen, _ = made(body, "approach_fallen")
    assert fallen.actions[0, -1] == ACTIONS.index("fallen") and joints_of(body, fallen)[0, -1, 0, 2] < 0.4
    carer = joints_of(body, fallen)[1]
    assert np.linalg.norm(carer[-1, 0, :2] - carer[0, 0, :2]) > 1.0


def test_same_seed_same_motion(body: BodyModel) -> None:
    one, two = (composed(body, "help_up", 20.0, np.random.default_rng(1))[0] for _ in range(2))
    assert one.people[1].body_pose.tobytes() == two.people[1].body_pose.tobytes()
