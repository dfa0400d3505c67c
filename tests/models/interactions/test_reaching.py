"""A hand held out comes to where it is wanted, the other arm and the legs stay, and out of reach it points there."""

import numpy as np
import pytest

from models.animation.actor import actor_of
from models.body.model import load_body
from models.body.subject import Subject
from models.body.tracks import track_joints
from models.interactions.hand_holds import Side
from models.interactions.reaching import reach_out
from models.types import SMPL_JOINTS


@pytest.fixture(scope="module")
def standing():
    body = load_body()
    subject = Subject(body, np.zeros(10), 40.0, "carer")
    actor = actor_of(subject, 20.0, np.random.default_rng(0))
    actor.stand(1.0)
    return body, actor.track(subject, 20)[0]


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_hand_comes_to_the_place_by_a_share_and_nothing_else_moves(standing, side: Side) -> None:
    body, track = standing
    sign = 1.0 if side == "left" else -1.0
    place, share = np.array([0.4, 0.15 * sign, 1.1]), np.linspace(0.0, 1.0, 20)
    before, after = track_joints(body, track), track_joints(body, reach_out(body, track, side, place, share))
    hand = SMPL_JOINTS.index(f"{side}_hand")
    off = np.linalg.norm(after[:, hand] - place, axis=-1)
    assert off[-1] < 0.02 and off[0] > 0.2 and np.all(np.diff(off) < 0.01)
    assert np.allclose(after[0], before[0], atol=1e-6)
    arm = [SMPL_JOINTS.index(f"{side}_{name}") for name in ("elbow", "wrist", "hand")]
    others = [joint for joint in range(24) if joint not in arm]
    assert np.abs(after[:, others] - before[:, others]).max() < 0.03


def test_what_is_out_of_reach_is_pointed_at(standing) -> None:
    body, track = standing
    place = np.array([3.0, 0.3, 1.3])
    after = track_joints(body, reach_out(body, track, "left", place, np.ones(20)))[-1]
    shoulder, elbow, wrist = (after[SMPL_JOINTS.index(f"left_{name}")] for name in ("shoulder", "elbow", "wrist"))
    toward = (place - shoulder) / np.linalg.norm(place - shoulder)
    arm = np.linalg.norm(elbow - shoulder) + np.linalg.norm(wrist - elbow)
    assert (wrist - shoulder) @ toward > 0.97 * arm
