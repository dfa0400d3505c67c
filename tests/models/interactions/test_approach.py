"""Who comes ends on the spot, facing as told, in time, and from other places every time."""

import numpy as np
import pytest

from models.body.model import load_body
from models.body.tracks import track_joints
from models.interactions.approach import coming
from models.interactions.interaction import draw_subject

FPS = 20.0


@pytest.mark.parametrize("heading", [np.pi, 0.5])
def test_who_comes_arrives_in_time_where_it_is_needed(heading: float) -> None:
    body, starts = load_body(), []
    spot, ahead = np.array([0.4, -0.3]), np.array([np.cos(heading), np.sin(heading)])
    for seed in range(20):
        rng = np.random.default_rng(seed)
        carer = draw_subject(body, "person_1", "carer", (22.0, 62.0), rng)
        actor = coming(carer, spot, heading, float(rng.uniform(-0.5, 0.5)), 4.0, FPS, rng)
        assert actor.frames <= 4.1 * FPS
        actor.stand(1.0)
        track, _ = actor.track(carer, actor.frames)
        joints = track_joints(body, track)
        assert np.linalg.norm(joints[-1, 0, :2] - spot) < 0.05
        left = joints[-1, 1, :2] - joints[-1, 2, :2]
        assert np.array([left[1], -left[0]]) @ ahead > 0.98 * np.linalg.norm(left)
        starts.append(joints[0, 0, :2])
    away = np.linalg.norm(np.array(starts) - spot, axis=1)
    assert away.min() < 0.1 and away.max() > 0.9 and np.ptp(away[away > 0.1]) > 0.2
    assert ((np.array(starts) - spot) @ ahead < 0.05).all(), "from behind the spot"
