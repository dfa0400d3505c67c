"""What carries somebody is told from how they sit, lie and rise; the composed interactions say what it is."""

import numpy as np
import pytest

from models.body.model import BodyModel, load_body
from models.errors import Rejected
from models.interactions.assisted_rises import rise_of
from models.interactions.composition import compose_interaction
from models.interactions.implied_seat import seat_under
from models.interactions.kinds import InteractionKind
from models.types import ACTIONS, FPS, Motion, take


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


def composed(body: BodyModel, kind: InteractionKind) -> Motion:
    for seed in range(20):
        try:
            motion, _ = compose_interaction(body, kind, FPS, np.random.default_rng(seed))
        except Rejected:
            continue
        if motion.details.get("outcome") is None:
            return motion
    raise AssertionError("one in twenty tries")


@pytest.mark.parametrize("kind", ("help_up", "help_from_bed"))
def test_a_seat_is_where_the_chair_or_bed_was(body: BodyModel, kind: InteractionKind) -> None:
    motion = composed(body, kind)
    rise = rise_of(body, motion.people)
    seat = seat_under(body, motion.people[rise.who], rise.leaves, rise.risen)
    centre, half, _ = motion.details["boxes"][0]
    assert seat is not None and seat.top_m == pytest.approx(centre[2] + half[2], abs=0.03)
    # Within what was there, but for the skin that overhangs it.
    assert (np.abs(seat.centre - centre)[:2] < np.array(half[:2]) + 0.1).all()
    # Nobody sits on a seat in whose place their knees are.
    pelvis = motion.people[rise.who].transl[rise.leaves, :2]
    assert np.linalg.norm(seat.centre[:2] - pelvis) < 0.7


def test_who_lies_or_kneels_on_the_floor_has_none(body: BodyModel) -> None:
    motion = composed(body, "help_from_floor")
    rise = rise_of(body, motion.people)
    track = motion.people[rise.who]
    kneels = np.flatnonzero(motion.actions[rise.who] == ACTIONS.index("kneeling"))
    assert seat_under(body, track, rise.leaves, rise.risen) is None
    assert seat_under(body, take(track, np.arange(kneels[0], rise.risen + 1)), 5, rise.risen - int(kneels[0])) is None
