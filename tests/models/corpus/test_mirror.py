"""Items in the mirror."""

import numpy as np
import pytest

from models.body.model import BodyModel, load_body, relaxed_pose
from models.corpus.mirror import mirrored_item
from models.corpus.writer import Item
from models.types import Motion, PersonTrack


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


@pytest.fixture
def motion() -> Motion:
    """Two people who turn, bend and go about, in poses of no symmetry."""
    rng = np.random.default_rng(2)

    def track(name: str, at: float) -> PersonTrack:
        pose = relaxed_pose() + rng.normal(0.0, 0.3, (12, 69))
        return PersonTrack(
            name,
            "resident",
            rng.normal(0.0, 0.5, 10),
            rng.normal(0.0, 1.5, (12, 3)),
            pose,
            rng.normal(0.0, 1.0, (12, 3)) + [0.0, at, 0.9],
            np.ones(12, dtype=bool),
            np.ones(12),
        )

    details = {
        "direction": "left",
        "impact_s": 1.5,
        "notes": ["trips on the Right foot"],
        "caption": "upright, then left_foot",
    }
    people = (track("person_0", 0.0), track("person_1", 2.0))
    return Motion(np.arange(12) / 20.0, people, np.arange(24).reshape(2, 12) % 16, "made", details)


def test_a_mirrored_item_keeps_its_take_and_mirrors_its_captions(body: BodyModel, motion: Motion) -> None:
    item = Item("a", motion, ("She turns left.", "A right turn."), "made", "CC0", "take 1", "mocap")
    image = mirrored_item(item, body)
    assert (image.name, image.take, image.texts) == ("a_mirrored", "take 1", ("She turns right.", "A left turn."))
    assert image.motion.details["direction"] == "right"
