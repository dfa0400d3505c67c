"""Hands on the floor lie on their palms; hands in the air stay as they are."""

import numpy as np
import pytest

from models.body.floor_contact import surface_heights
from models.body.hand_contact import lay_hands
from models.body.model import REGIONS, BodyModel, load_body
from models.body.tracks import rest_joints_of
from models.geometry.transforms import R_ZUP_YUP, axis_angle_from_matrix, matrix_from_axis_angle
from models.types import SMPL_JOINTS

FRAMES = 40
WRISTS = [SMPL_JOINTS.index(f"{side}_wrist") for side in ("left", "right")]


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


def hanging(body: BodyModel, wrist_m: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Upright with arms straight down, wrists at a height over the floor: rest joints, turns, pelvis."""
    rest = rest_joints_of(body, np.zeros(10))
    turns = np.zeros((FRAMES, 24, 3))
    for side, sign in (("left", -1.0), ("right", 1.0)):
        turns[:, SMPL_JOINTS.index(f"{side}_shoulder"), 2] = sign * np.pi / 2.0
    local = matrix_from_axis_angle(turns)
    local[:, 0] = R_ZUP_YUP
    shoulder, wrist = rest[SMPL_JOINTS.index("left_shoulder")], rest[WRISTS[0]]
    pelvis = np.zeros((FRAMES, 3))
    pelvis[:, 2] = wrist_m - (shoulder[1] - rest[0, 1] - (wrist[0] - shoulder[0]))
    return rest, local, pelvis


def hand_heights(body: BodyModel, rest: np.ndarray, local: np.ndarray, pelvis: np.ndarray) -> np.ndarray:
    vectors = axis_angle_from_matrix(local)
    heights = surface_heights(body, np.zeros(10), vectors[:, 0], vectors[:, 1:].reshape(-1, 69), pelvis - rest[0])
    return heights[:, body.regions[body.surface_vertices] == REGIONS.index("hand")]


def test_leaning_hands_lie_on_their_palms(body: BodyModel) -> None:
    rest, local, pelvis = hanging(body, 0.05)
    before = hand_heights(body, rest, local, pelvis)
    assert before.min() < -0.1
    laid = lay_hands(body, rest, local, pelvis, 20.0)
    assert hand_heights(body, rest, laid, pelvis).min() > -0.02
    bend = axis_angle_from_matrix(laid[:, WRISTS])
    np.testing.assert_allclose(bend[:, 0, 2], -bend[:, 1, 2], atol=1e-3)
    assert 70.0 < np.degrees(bend[0, 0, 2]) <= 85.1, "back, not to the palm"
    others = [joint for joint in range(24) if joint not in WRISTS]
    np.testing.assert_array_equal(laid[:, others], local[:, others])


def test_hands_in_the_air_stay_as_they_are(body: BodyModel) -> None:
    rest, local, pelvis = hanging(body, 0.4)
    np.testing.assert_allclose(lay_hands(body, rest, local, pelvis, 20.0), local, atol=1e-12)
