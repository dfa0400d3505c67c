"""What makes the falls that are compared with real ones."""

import numpy as np

from models.body.tracks import track_joints
from models.compare_falls.counterparts import WantedFall
from models.falls.causes import SIMULATED_HZ
from pipeline.compare_falls import fall_maker
from pipeline.loaders import body_model
from pipeline.settings import read_settings


def test_the_motion_model_makes_falls_where_it_is_asked_to(tmp_path):
    """With what ships: somebody stands, and lies half a second and more after the onset."""
    body = body_model(None)
    (tmp_path / "config.yaml").write_text("compare_falls: {motion: model}")
    make = fall_maker(read_settings(tmp_path / "config.yaml", 0), body)
    track, onset_s = make(WantedFall("slip", "backward", False, "floor", 3.0), np.random.default_rng(4))
    pelvis = track_joints(body, track)[:, 0, 2]
    assert len(pelvis) == round(7.0 * SIMULATED_HZ) and 0.3 < onset_s < 4.0
    assert pelvis[: round(0.5 * onset_s * SIMULATED_HZ)].min() > 0.7 and pelvis[-1] < 0.35
