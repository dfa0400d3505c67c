"""Which hands may hold what: a hand one thing at a time, a place as many hands as there is room for."""

import re
from dataclasses import replace

import numpy as np
import pytest

from models.animation.actor import actor_of
from models.body.model import load_body
from models.body.subject import Subject
from models.errors import InputError
from models.interactions.hand_holds import Handle, Hold, check_holds
from models.interactions.interaction import Interaction
from models.text.captions import Facts

ARM = Hold("left", "left_forearm", 0.0, 1.0, 3.0, 4.0)


def test_hands_that_have_room_are_accepted() -> None:
    later = replace(ARM, begin_s=3.0, from_s=3.5, until_s=5.0, part="left_upper_arm")
    backs = [Hold(side, "back", 0.0, 1.0, 3.0, 4.0, holder=holder) for holder, side in ((1, "right"), (2, "left"))]
    check_holds([ARM, later, *backs, replace(ARM, part="right_forearm", holder=2, hand="right")], 3)
    handles = [Handle(np.array([-0.4, y, 0.2]), np.array([0.0, 0.0, 1.0])) for y in (0.2, -0.2)]
    check_holds([replace(ARM, hand=h, handle=one) for h, one in zip(("left", "right"), handles, strict=True)], 2)


@pytest.mark.parametrize(
    ("holds", "people", "message"),
    [
        (
            [replace(ARM, holder=holder, hand=hand) for holder, hand in ((1, "left"), (2, "right"), (3, "left"))],
            4,
            (
                "holds: 3 hands are to hold person 0 at one place, left forearm, at once; "
                "let one hand hold there, and the others another part"
            ),
        ),
        (
            [replace(ARM, holder=holder, part="back") for holder in (1, 2, 3)],
            4,
            (
                "holds: 3 hands are to hold person 0 at one place, back, at once; "
                "let 2 hands hold there, and the others another part"
            ),
        ),
        (
            [ARM, replace(ARM, part="chest", from_s=2.0)],
            2,
            (
                "holds: the left hand of person 1 is to hold two things at once; "
                "give it one after the other, or use the other hand"
            ),
        ),
        (
            [replace(ARM, holder=2)],
            2,
            "holds: person 2 cannot hold person 0: there are 2, and the first holds nobody; name two who are there",
        ),
    ],
)
def test_three_carers_on_one_arm_and_a_hand_on_two_things_are_refused(holds, people, message) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        check_holds(holds, people)


def test_an_interaction_refuses_them_where_it_is_given_them() -> None:
    person = Subject(load_body(), np.zeros(10), 40.0, "carer")
    actor = actor_of(person, 20.0, np.random.default_rng(0))
    actor.stand(1.0)
    acted = actor.track(person, actor.frames)
    facts = Facts("lift_by_two", role="carer", other="resident", together=("carer",))
    holds = tuple(replace(ARM, holder=holder) for holder in (1, 2))
    with pytest.raises(InputError, match="2 hands are to hold person 0 at one place, left forearm"):
        Interaction((acted, acted, acted), facts, holds)
