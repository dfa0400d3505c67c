"""Partners on the other side."""

import pytest

from models.body.sides import SWAPPED_KEYPOINTS, mirrored_text, swapped
from models.types import COCO_KEYPOINTS, SMPL_JOINTS


@pytest.mark.parametrize(
    ("names", "partners"),
    [(SMPL_JOINTS, swapped(SMPL_JOINTS)), (COCO_KEYPOINTS, SWAPPED_KEYPOINTS)],
    ids=["smpl", "coco"],
)
def test_left_and_right_change_places_and_the_middle_stays(names, partners):
    for name, partner in zip(names, partners, strict=True):
        assert names[partner] == name.replace("left_", "L_").replace("right_", "left_").replace("L_", "right_")
    assert [partners[partner] for partner in partners] == list(range(len(names)))


def test_a_name_without_partner_is_an_error():
    with pytest.raises(ValueError):
        swapped(("nose", "left_eye"))


def test_words_of_sides_change_places_wherever_they_stand():
    assert mirrored_text("Left foot first, then the right one; left_hand up") == (
        "Right foot first, then the left one; right_hand up"
    )
    assert mirrored_text("upright, bright: a 90-degree left turn, clockwise") == (
        "upright, bright: a 90-degree right turn, counterclockwise"
    )
    assert mirrored_text("anticlockwise") == "clockwise"
