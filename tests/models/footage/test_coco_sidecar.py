"""What people drew, as arrays: known answers, other sizes, and what one bad entry costs (itself)."""

import json
from dataclasses import replace

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from models import codec
from models.footage.coco_file import clip_entries
from models.footage.coco_sidecar import merged_surfaces, named_sizes, read_annotations
from models.types import ACTIONS, SURFACE_LABELS, Annotations, Footage


def footage(path, frames=5):
    return Footage("a", str(path), "", "", "", np.arange(frames) / 15, 64, 48, "00")


def person(number=1, image=1, **entry):
    return {
        "id": number,
        "image_id": image,
        "category_id": 3,
        "person_id": 4,
        "bbox": [10, 5, 20, 30],
        "keypoints": [12, 8, 2] + [0, 0, 0] * 15 + [20, 33, 1],
        "action": "fall",
        "segmentation": [[10, 5, 29, 5, 29, 34, 10, 34]],
    } | entry


def content(frame=2, more=(), **entry):
    square = np.zeros((48, 64), np.uint8, order="F")
    square[30:, :] = 1
    floor = coco_mask.encode(square)
    surface = {
        "id": 2,
        "image_id": 1,
        "category_id": 11,
        "segmentation": {"size": [48, 64], "counts": floor["counts"].decode()},
    }
    return {
        "images": [{"id": 1, "file_name": "a.mp4", "frame": frame}, {"id": 9, "file_name": "b.mp4", "frame": 0}],
        "annotations": [person(**entry), surface, *more],
        "categories": [{"id": 3, "name": "patient"}, {"id": 11, "name": "floor"}],
    }


@pytest.fixture
def read(tmp_path):
    """Read a sidecar's content as the annotations of a.mp4, and what was left out of it."""
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).touch()

    def reader(value) -> tuple[Annotations, list[str]]:
        sidecar = tmp_path / "annotations.json"
        sidecar.write_text(json.dumps(value))
        entries = clip_entries(sidecar, tmp_path / "a.mp4")
        assert entries is not None
        return read_annotations(sidecar, entries, footage("a.mp4"))

    return reader


def test_a_known_sidecar(read):
    annotations, skipped = read(content())
    person = annotations.people[0]
    assert (person.person, person.role, skipped) == ("person_4", "resident", [])
    assert np.flatnonzero(annotations.listed).tolist() == [2]
    assert person.visible.tolist() == [False, False, True, False, False]
    np.testing.assert_array_equal(person.boxes_px[2], [10, 5, 30, 35])
    assert person.scores[2, [0, 1, 16]].tolist() == [1.0, 0.0, 0.5]
    assert ACTIONS[annotations.actions[0, 2]] == "fall" and annotations.actions[0, 0] == -1
    assert annotations.surfaces["floor"][30:].all() and not annotations.surfaces["floor"][:30].any()
    assert list(annotations.person_masks) == [2]
    assert annotations.person_masks[2][6:34, 11:29].all() and not annotations.person_masks[2][:, 32:].any()


def test_masks_of_people_stay_run_lengths_also_in_the_store(read, tmp_path):
    """2,000 masks of a person take kilobytes; each is decoded when it is asked for."""
    many = content()
    many["images"] = [{"id": n, "file_name": "a.mp4", "frame": n} for n in range(2000)]
    many["annotations"] = [person(n, n) for n in range(2000)]
    (tmp_path / "annotations.json").write_text(json.dumps(many))
    entries = clip_entries(tmp_path / "annotations.json", tmp_path / "a.mp4")
    annotations, _ = read_annotations(tmp_path / "annotations.json", entries, footage("a.mp4", 2000))
    codec.save(annotations, tmp_path, "value")
    assert (tmp_path / "value.npz").stat().st_size < 100_000
    again = codec.load(tmp_path, "value").person_masks
    assert len(again) == 2000 and np.array_equal(again[1999], annotations.person_masks[0])
    with pytest.raises(KeyError):
        again[2000]


@pytest.mark.parametrize(
    ("entry", "reason", "seen"),
    [
        ({"bbox": [1, 2, 3]}, "its bbox is not [x, y, width, height]", False),
        ({"bbox": [1, 2, "3", 4]}, "its bbox is not [x, y, width, height]", False),
        ({"bbox": [1, 2, 3, float("nan")]}, "its bbox is not [x, y, width, height]", False),
        ({"bbox": [1, 2, 10**400, 4]}, "its bbox is not [x, y, width, height]", False),
        ({"bbox": [10, 5, 0, 30]}, "its bbox has no extent", False),
        ({"bbox": [300, 200, 20, 30]}, "its bbox lies outside the image of 64x48", False),
        ({"category_id": None}, "it has no category_id", False),
        ({"category_id": 7}, "its category_id 7 is no category's", False),
        ({"keypoints": [1, 2, 3]}, "its keypoints are not used: they are not 17 times x, y, v", True),
        ({"keypoints": [float("nan")] * 51}, "its keypoints are not used: they are not 17 times x, y, v", True),
        ({"keypoints": [1, 2, 0.93] * 17}, "its keypoints are not used: v is 0.93, and not 0, 1 or 2", True),
        ({"action": "jumps"}, "its action 'jumps' is none of ours; map it first", True),
        ({"action": ["fall"]}, "its action ['fall'] is none of ours; map it first", True),
        ({"segmentation": [[10, 10]]}, "its mask is not used: a polygon has 1 points, and 3 are needed", True),
        ({"segmentation": [[]]}, "its mask is not used: a polygon has 0 points, and 3 are needed", True),
        (
            {"segmentation": {"size": [24, 32], "counts": [768]}},
            "its mask is not used: the run lengths are of 32x24, its image is 64x48",
            True,
        ),
    ],
)
def test_a_bad_entry_costs_itself_and_is_counted(read, entry, reason, seen):
    """What is wrong with a mask or with keypoints costs these alone; the other person of the frame always stays."""
    annotations, skipped = read(content(more=[person(5, person_id=6)], **entry))
    assert len(skipped) == 1 and skipped[0].startswith(f"annotations.json: annotation 1: {reason}")
    assert [one.person for one in annotations.people] == ["person_4", "person_6"][0 if seen else 1 :]
    assert annotations.surfaces["floor"].any()
    # Somebody whom we could not read is there: who is not drawn in that frame may be, too.
    assert annotations.listed[2] == seen


def test_reasons_are_counted_and_not_repeated(read):
    value = content(more=[person(n, person_id=n, bbox=[]) for n in range(10, 300)])
    _, skipped = read(value)
    assert skipped == ["annotations.json: 290 annotations, the first 10: its bbox is not [x, y, width, height]"]
    _, skipped = read(content(frame=99))
    assert skipped == ["annotations.json: image 1: it is of frame 99: the clip has frames 0 to 4"]
    annotations, skipped = read(content(more=[person(5, bbox=[1, 2, 3, 4])]))
    assert skipped == ["annotations.json: annotation 1: person_4 has another one in its frame, which is kept"]
    assert annotations.people[0].boxes_px[2].tolist() == [1, 2, 4, 6]


def sized(width, height, scale_x, scale_y):
    """The known sidecar, drawn on an image of another size."""
    value = content()
    value["images"][0] |= {"width": width, "height": height}
    drawn, floor = value["annotations"]
    drawn["bbox"] = [10 * scale_x, 5 * scale_y, 20 * scale_x, 30 * scale_y]
    drawn["keypoints"] = [12 * scale_x, 8 * scale_y, 2] + [0, 0, 0] * 15 + [20 * scale_x, 33 * scale_y, 1]
    drawn["segmentation"] = [[10 * scale_x, 5 * scale_y, 29 * scale_x, 5 * scale_y, 29 * scale_x, 34 * scale_y]]
    square = np.zeros((height, width), np.uint8, order="F")
    square[round(30 * scale_y) :] = 1
    floor["segmentation"] = {"size": [height, width], "counts": coco_mask.encode(square)["counts"].decode()}
    return value


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_annotations_made_at_another_size_are_scaled(read, scale):
    own, _ = read(sized(64, 48, 1.0, 1.0))
    other, skipped = read(sized(round(64 * scale), round(48 * scale), scale, scale))
    assert skipped == []
    np.testing.assert_allclose(other.people[0].boxes_px, own.people[0].boxes_px)
    np.testing.assert_allclose(other.people[0].keypoints_px, own.people[0].keypoints_px)
    assert np.array_equal(other.surfaces["floor"], own.surfaces["floor"])
    assert np.array_equal(other.person_masks[2], own.person_masks[2])


@pytest.mark.parametrize("named", [True, False])
def test_annotations_of_stored_pixels_are_scaled_by_each_side(read, tmp_path, named):
    """The clip is shown at 64x48 and stored at 32x48; a tool that knows no pixel aspect shows the latter."""
    own, _ = read(sized(64, 48, 1.0, 1.0))
    value = sized(32, 48, 0.5, 1.0)
    if not named:
        del value["images"][0]["width"], value["images"][0]["height"]
    (tmp_path / "annotations.json").write_text(json.dumps(value))
    entries = clip_entries(tmp_path / "annotations.json", tmp_path / "a.mp4")
    stored = replace(footage("a.mp4"), coded_width_px=32, coded_height_px=48)
    other, skipped = read_annotations(tmp_path / "annotations.json", entries, stored)
    assert skipped == []
    np.testing.assert_allclose(other.people[0].keypoints_px, own.people[0].keypoints_px)
    assert np.array_equal(other.surfaces["floor"], own.surfaces["floor"])


def test_annotations_of_another_aspect_are_refused_by_name(read):
    value = sized(64, 64, 1.0, 64 / 48)
    assert named_sizes(value) == [(64, 64)]
    annotations, skipped = read(value)
    assert annotations.people == () and not annotations.listed.any()
    (words,) = skipped
    assert "annotations.json: image 1: it was annotated at 64x64 and the clip is 64x48, of another aspect" in words


@pytest.mark.parametrize("size", [(0, 48), ("64", 48), (64, None), (float("inf"), 48)])
def test_sizes_that_are_none_are_said(read, size):
    value = content()
    value["images"][0] |= {"width": size[0], "height": size[1]}
    annotations, skipped = read(value)
    assert annotations.people == () and "image 1: its width and height are" in skipped[0]


def test_surfaces_are_merged_by_vote_over_the_clips():
    def says(**surfaces):
        masks = {}
        for label, columns in surfaces.items():
            masks[label] = np.zeros((2, 4), dtype=bool)
            masks[label][:, columns] = True
        return Annotations((), np.zeros((0, 3), dtype=int), masks)

    merged = merged_surfaces([says(floor=[0, 1]), None, says(floor=[1], bed=[0, 2]), says(bed=[0, 1])], 2, 4)
    bed, floor = SURFACE_LABELS.index("bed"), SURFACE_LABELS.index("floor")
    assert merged[0].tolist() == merged[1].tolist() == [bed, floor, bed, -1]
    assert merged_surfaces([None, says()], 2, 4) is None
    many = merged_surfaces([says(bed=[0])] * 300, 2, 4)  # more clips than a byte counts
    assert many[0].tolist() == [bed, -1, -1, -1]
