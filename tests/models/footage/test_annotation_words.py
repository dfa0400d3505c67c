import pytest

from models.footage.annotation_words import category, frame_name, joint_order
from models.types import COCO_KEYPOINTS


@pytest.mark.parametrize(
    ("name", "ours"),
    [("Person", "person"), ("care_worker", "staff"), ("Bed", "bed"), ("Dining  Table", "table"), ("Cat", "Cat")],
)
def test_categories(name, ours):
    assert category(name) == ours


@pytest.mark.parametrize("write", ["{s}{j}", "{S} {J}", "{S}{J}", "{j}-{s}", "{J}{c}"])
def test_joints_by_any_spelling(write):
    names = []
    for name in reversed(COCO_KEYPOINTS):
        side, _, joint = name.rpartition("_")
        words = {"s": side and side + "_", "S": side.title(), "j": joint, "J": joint.title(), "c": side[:1].upper()}
        names.append(write.format(**words).strip(" -_") if side else "Nose")
    assert joint_order(names) == list(reversed(range(17)))


def test_a_skeleton_without_our_limbs_is_another():
    assert joint_order(COCO_KEYPOINTS[:-1]) is None
    assert joint_order([*COCO_KEYPOINTS, "left_ankle"]) is None
    body = [name for name in COCO_KEYPOINTS if "eye" not in name]
    assert joint_order(["neck", *body])[:4] == [1, None, None, 2]


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("frame_000012.PNG", ("", 12, True)),
        ("clip_01_mp4-0001_jpg.rf.0a1b2c.jpg", ("clip_01_mp4", 1, False)),
        ("0a1b2c3d-clip_01_frame_7.png", ("clip_01", 7, False)),
        ("clip_01-frame_000012.png", ("clip_01", 12, False)),
        ("00012.jpg", ("", 12, False)),
        ("holiday.jpg", ("holiday", None, False)),
    ],
)
def test_frames(name, parts):
    assert frame_name(name) == parts
