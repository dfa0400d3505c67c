"""Items in the mirror."""

import pytest

from models.body.model import BodyModel, load_body
from models.corpus.mirror import mirrored_item
from models.corpus.writer import Item
from models.types import Motion


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


def test_a_mirrored_item_keeps_its_take_and_mirrors_its_captions(body: BodyModel, two_movers: Motion) -> None:
    item = Item("a", two_movers, ("She turns left.", "A right turn."), "made", "CC0", "take 1", "mocap")
    image = mirrored_item(item, body)
    assert (image.name, image.take, image.texts) == ("a_mirrored", "take 1", ("She turns right.", "A left turn."))
    assert image.motion.details["direction"] == "right"
