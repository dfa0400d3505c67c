"""Partners on the other side."""

import pytest

from pipeline.sides import SWAPPED_JOINTS, SWAPPED_KEYPOINTS, swapped
from pipeline.types import COCO_KEYPOINTS, SMPL_JOINTS


@pytest.mark.parametrize(
    ("names", "partners"), [(SMPL_JOINTS, SWAPPED_JOINTS), (COCO_KEYPOINTS, SWAPPED_KEYPOINTS)], ids=["smpl", "coco"]
)
def test_left_and_right_change_places_and_the_middle_stays(names, partners):
    for name, partner in zip(names, partners, strict=True):
        assert names[partner] == name.replace("left_", "L_").replace("right_", "left_").replace("L_", "right_")
    assert [partners[partner] for partner in partners] == list(range(len(names)))


def test_a_name_without_partner_is_an_error():
    with pytest.raises(ValueError):
        swapped(("nose", "left_eye"))
