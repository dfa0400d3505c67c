"""Figures of the world on motions whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest

from models.animation.gait_curves import procedural_standing, procedural_walking
from models.body.floor_contact import lowest_surface
from models.body.model import BodyModel, load_body, relaxed_pose
from models.errors import InputError
from models.geometry.transforms import R_ZUP_YUP, axis_angle_from_matrix
from models.people3d.plausibility import PlausibilityConfig, failure_reasons, measure_plausibility
from models.types import PersonTrack, take

CONFIG = PlausibilityConfig()
FPS = 20.0


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


def statue(
    body: BodyModel, count: int, orient: np.ndarray, lowest_m: float = 0.0, speed_m_s: float = 0.0
) -> PersonTrack:
    """A rigid body whose lowest point is at a height, moving along x."""
    betas, pose = np.zeros(10), np.tile(relaxed_pose(), (count, 1))
    turn = np.tile(orient, (count, 1))
    transl = np.outer(np.arange(count) / FPS, [speed_m_s, 0.0, 0.0])
    transl[:, 2] = lowest_m - lowest_surface(body, betas, turn, pose, transl)
    return PersonTrack("anna", "resident", betas, turn, pose, transl, np.ones(count, bool), np.ones(count))


UP = axis_angle_from_matrix(R_ZUP_YUP)
BACK = np.zeros(3)
"""A body with no turn lies on its back."""
TIMES = np.arange(40) / FPS


def test_standing_and_lying_still(body):
    for orient in (UP, BACK):
        figures = measure_plausibility(body, statue(body, 40, orient), TIMES, CONFIG)
        assert figures.sunk_m < 1e-6 and figures.sunk_share == 0.0
        assert figures.float_m == pytest.approx(0.0, abs=1e-6) and figures.rest_s == pytest.approx(1.95)
        assert failure_reasons(figures, CONFIG) == []
    standing = measure_plausibility(body, statue(body, 40, UP), TIMES, CONFIG)
    assert standing.skate_cm_s == pytest.approx(0.0, abs=1e-6) and standing.contact_s == pytest.approx(1.95)
    # Who lies does not stand on their feet.
    assert measure_plausibility(body, statue(body, 40, BACK), TIMES, CONFIG).skate_cm_s is None


def test_gliding_sinking_and_floating_by_known_amounts(body):
    glides = measure_plausibility(body, statue(body, 40, UP, speed_m_s=0.5), TIMES, CONFIG)
    assert glides.skate_cm_s == pytest.approx(50.0, abs=0.1) and glides.float_m is None
    sinks = measure_plausibility(body, statue(body, 40, BACK, -0.17), TIMES, CONFIG)
    assert sinks.sunk_m == pytest.approx(0.17, abs=1e-5) and sinks.sunk_share == 1.0
    floats = measure_plausibility(body, statue(body, 40, BACK, 0.42), TIMES, CONFIG)
    assert floats.float_m == pytest.approx(0.42, abs=1e-5) and floats.sunk_m == 0.0
    assert failure_reasons(glides, CONFIG) == ["feet in contact slide at 50 cm/s (at most 40)"]
    assert failure_reasons(sinks, CONFIG) == [
        "sinks 0.17 m into the floor (at most 0.15)",
        "is below the floor in 100% of the frames (at most 50%)",
    ]
    assert failure_reasons(floats, CONFIG) == ["rests 0.42 m above its support (at most 0.3)"]


def test_a_bed_below_is_a_support(body):
    on_bed = statue(body, 40, BACK, 0.5)
    figures = measure_plausibility(body, on_bed, TIMES, CONFIG, np.full(40, 0.5))
    assert figures.float_m == pytest.approx(0.0, abs=1e-5) and failure_reasons(figures, CONFIG) == []


def test_walking_feet_hold_and_a_slower_clock_says_slower(body):
    walk = procedural_walking(body, np.zeros(10), 3.0, FPS, np.random.default_rng(0))
    figures = measure_plausibility(body, walk.people[0], walk.timestamps_s, CONFIG)
    assert figures.skate_cm_s is not None and figures.skate_cm_s < 30.0
    assert failure_reasons(figures, CONFIG) == []
    slow = measure_plausibility(body, walk.people[0], walk.timestamps_s * 2.0, CONFIG)
    assert slow.skate_cm_s == pytest.approx(figures.skate_cm_s / 2.0, rel=1e-6)
    # A walk on the spot: the feet slide backwards under a body that does not move on.
    spot = replace(walk.people[0], transl=walk.people[0].transl * [0.0, 1.0, 1.0])
    assert measure_plausibility(body, spot, walk.timestamps_s, CONFIG).skate_cm_s > 60.0


def test_where_on_the_floor_does_not_matter(body):
    walk = procedural_walking(body, np.zeros(10), 2.0, FPS, np.random.default_rng(0))
    moved = replace(walk.people[0], transl=walk.people[0].transl + [3.0, -2.0, 0.0])
    a, b = (measure_plausibility(body, track, walk.timestamps_s, CONFIG) for track in (walk.people[0], moved))
    assert a.skate_cm_s == pytest.approx(b.skate_cm_s, abs=1e-2) and a.sunk_m == pytest.approx(b.sunk_m, abs=1e-6)


def test_unobserved_frames_and_gaps_say_nothing(body):
    stand = procedural_standing(body, np.zeros(10), 2.0, FPS, np.random.default_rng(0)).people[0]
    broken = replace(stand, transl=np.where(np.arange(40)[:, None] < 10, stand.transl - [0.0, 0.0, 1.0], stand.transl))
    seen = replace(broken, visible=np.arange(40) >= 10)
    alone = measure_plausibility(body, take(stand, np.arange(10, 40)), TIMES[10:], CONFIG)
    figures = measure_plausibility(body, seen, TIMES, CONFIG)
    assert figures.sunk_m == alone.sunk_m and figures.contact_s == pytest.approx(alone.contact_s)
    assert measure_plausibility(body, broken, TIMES, CONFIG).sunk_m > 0.9
    with pytest.raises(InputError, match="^anna: was observed in no frame; measure tracks that were observed$"):
        measure_plausibility(body, replace(stand, person="anna", visible=np.zeros(40, bool)), TIMES, CONFIG)
