"""Captions of captured motion."""

import numpy as np
import pytest

from models.text.captured_captions import captured_captions
from models.text.locomotion import Locomotion

STILL = Locomotion(0.0, 0.0, 0.0, None)


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("a person: walking", {"A person is walking.", "Somebody can be seen walking.", "We see someone walking."}),
        ("run/jog", {"Somebody runs or jogs.", "Here someone runs or jogs."}),
        ("walk, shake hands (2 subjects - subject A)", {"A person walks and shakes hands."}),
        ("playground - climb, sit, dangle legs", {"Somebody climbs, sits and dangles legs."}),
        ("wash self", {"Someone washes themselves."}),
        (
            "two people dance salsa together",
            {"Two people dance salsa together.", "Here two people dance salsa together."},
        ),
        (
            "a person: sits down on a chair and stands up again (done badly on purpose) (pelvis min 0.55 m)",
            {"Somebody sits down on a chair and stands up again, done badly on purpose."},
        ),
        (
            "a person: standing shoulder abduction (pelvis min 0.97 m)",
            {"A person shows this: standing shoulder abduction.", "Someone in motion: standing shoulder abduction."},
        ),
        ("swordplay", {"The movements of someone: swordplay.", "Somebody shows this: swordplay."}),
        ("basketball - forward dribble", {"A person shows this: basketball, forward dribble."}),
    ],
)
def test_descriptions_become_sentences(description: str, expected: set[str]) -> None:
    texts = captured_captions(description, STILL, np.random.default_rng(0), count=9)
    assert expected <= set(texts) and len(texts) == len(set(texts)) >= 3


def test_what_was_measured_is_said_in_the_first() -> None:
    locomotion = Locomotion(3.1, 0.5, 95.0, "backward")
    texts = captured_captions("walk", locomotion, np.random.default_rng(0), count=6)
    assert texts[0].endswith(
        (
            "The person goes slowly backward for about three metres and turns to the left.",
            "The person moves slowly backward for about three metres and turns to the left.",
        )
    )
    assert any("metres" not in text for text in texts) and len(set(texts)) == 6
    ahead = captured_captions("walk", Locomotion(3.1, 1.5, 0.0, "forward"), np.random.default_rng(0))[0]
    assert ahead.endswith(("goes quickly for about three metres.", "moves quickly for about three metres."))
    for quiet in (STILL, None):
        assert all("The person" not in text for text in captured_captions("walk", quiet, np.random.default_rng(0)))


def test_same_seed_same_captions() -> None:
    drawn = [captured_captions("jump", STILL, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
