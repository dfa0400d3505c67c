"""How fallen bodies lie: supine, prone or on a side, on the floor or on a bed; who stands has not fallen."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from models.body.model import BodyShape, load_body, relaxed_pose
from models.body.tracks import track_joints
from models.compare_falls.fallen_bodies import FallenConfig, describe_fallen, support_below
from models.compare_falls.real_falls import Fall
from models.geometry.transforms import R_ZUP_YUP, axis_angle_from_matrix, yaw
from models.types import PersonTrack

TIMES = np.arange(20) / 10.0


@pytest.fixture(scope="module")
def body():
    return load_body()


def standing(body, tilt: np.ndarray | None = None, height: float = 0.95) -> PersonTrack:
    """Somebody at ease, tilted whole (in the body's own axes)."""
    count = len(TIMES)
    betas = np.asarray(body.betas_from_shape(BodyShape(stature_m=1.7)), dtype=np.float64)
    orient = yaw(0.4) @ R_ZUP_YUP @ (np.eye(3) if tilt is None else tilt)
    return PersonTrack(
        "person_1",
        "resident",
        betas,
        np.tile(axis_angle_from_matrix(orient[None]), (count, 1)),
        np.tile(relaxed_pose(), (count, 1)),
        np.tile([4.0, 0.0, height], (count, 1)),
        np.ones(count, bool),
        np.ones(count),
    )


TURNS = {
    "supine": Rotation.from_rotvec([-np.pi / 2, 0, 0]),
    "prone": Rotation.from_rotvec([np.pi / 2, 0, 0]),
    "left_side": Rotation.from_rotvec([0, 0, -np.pi / 2]),
    "right_side": Rotation.from_rotvec([0, 0, np.pi / 2]),
}


@pytest.mark.parametrize("posture", TURNS)
def test_postures_of_fallen_bodies(body, posture):
    # SMPL's axes: left is +x, up +y, forward +z; turned about +z the left side comes up.
    joints = track_joints(body, standing(body, TURNS[posture].as_matrix(), height=0.15))
    config = FallenConfig()
    every = np.ones(len(TIMES), bool)
    row = describe_fallen(config, joints, every, Fall(1.0, "floor", posture, "yes"), 0.0)
    assert row["posture"] == posture and row["posture_ok"] and row["trunk_ok"] and row["trunk_deg"] < 12.0
    raised = describe_fallen(config, joints + [0.0, 0.0, 0.5], every, Fall(1.0, "bed", posture, "yes"), 0.5)
    assert raised["pelvis_over_support_m"] == pytest.approx(row["pelvis_over_support_m"])
    assert not describe_fallen(config, joints + [0, 0, 0.5], every, Fall(1.0, "floor", posture, "yes"), 0.0)[
        "pelvis_ok"
    ]


def test_standing_is_not_fallen(body):
    joints = track_joints(body, standing(body))
    row = describe_fallen(FallenConfig(), joints, np.ones(20, bool), Fall(1.0, "floor", "prone", "yes"), 0.0)
    assert not row["pelvis_ok"] and not row["trunk_ok"] and not row["posture_ok"]


def test_nothing_is_below_where_no_room_is_known():
    assert support_below(None, np.array([1.0, 2.0, 0.6])) == 0.0
