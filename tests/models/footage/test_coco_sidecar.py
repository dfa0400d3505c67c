import json

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from models.errors import InputError
from models.footage.coco_sidecar import clip_entries, find_sidecar, merged_surfaces, read_annotations
from models.types import ACTIONS, SURFACE_LABELS, Annotations, Footage


def footage(path, frames=5):
    return Footage("a", str(path), "", "", "", np.arange(frames) / 15, 64, 48, "00")


def content(frame=2, **entry):
    square = np.zeros((48, 64), np.uint8, order="F")
    square[30:, :] = 1
    floor = coco_mask.encode(square)
    person = {
        "id": 1,
        "image_id": 1,
        "category_id": 3,
        "person_id": 4,
        "bbox": [10, 5, 20, 30],
        "keypoints": [12, 8, 2] + [0, 0, 0] * 15 + [20, 33, 1],
        "action": "fall",
        "segmentation": [[10, 5, 29, 5, 29, 34, 10, 34]],
    } | entry
    surface = {
        "id": 2,
        "image_id": 1,
        "category_id": 11,
        "segmentation": {"size": [48, 64], "counts": floor["counts"].decode()},
    }
    return {
        "images": [
            {"id": 1, "file_name": "room/a.mp4", "frame": frame},
            {"id": 9, "file_name": "room/b.mp4", "frame": 0},
        ],
        "annotations": [person, surface],
        "categories": [{"id": 3, "name": "patient"}, {"id": 11, "name": "floor"}],
    }


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "a.mp4").touch()

    def write(value):
        (tmp_path / "annotations.json").write_text(value if isinstance(value, str) else json.dumps(value))
        return tmp_path / "annotations.json", tmp_path / "room" / "a.mp4"

    return write


def test_a_known_sidecar(tree, tmp_path):
    sidecar, clip = tree(content())
    assert find_sidecar(clip, tmp_path) == sidecar
    entries = clip_entries(sidecar, clip)
    assert len(entries["images"]) == 1  # the other clip's are not ours
    annotations, set_aside = read_annotations(sidecar, entries, footage(clip))
    person = annotations.people[0]
    assert (person.person, person.role, set_aside) == ("person_4", "resident", [])
    assert np.flatnonzero(annotations.listed).tolist() == [2]
    assert person.visible.tolist() == [False, False, True, False, False]
    np.testing.assert_array_equal(person.boxes_px[2], [10, 5, 30, 35])
    assert person.scores[2, [0, 1, 16]].tolist() == [1.0, 0.0, 0.5]
    assert ACTIONS[annotations.actions[0, 2]] == "fall" and annotations.actions[0, 0] == -1
    assert annotations.surfaces["floor"][30:].all() and not annotations.surfaces["floor"][:30].any()
    assert annotations.person_masks[2][6:34, 11:29].all() and not annotations.person_masks[2][:, 32:].any()


def test_frames_that_are_missing_are_set_aside_and_said(tree):
    sidecar, clip = tree(content(frame=99))
    annotations, set_aside = read_annotations(sidecar, clip_entries(sidecar, clip), footage(clip))
    assert set_aside == ["annotation of frame 99: the clip has frames 0 to 4"]
    assert annotations.people == ()


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("{", "is not a readable COCO file"),
        ({"images": []}, "is not a readable COCO file"),
        (content(keypoints=[1, 2, 3]), "annotation 1: bbox or keypoints have the wrong shape"),
        (content(bbox=[1, 2, 3]), "annotation 1: bbox or keypoints have the wrong shape"),
        (content(keypoints=[float("nan")] * 51), "annotation 1 holds a number that is not finite"),
        (content(segmentation={"size": [24, 32], "counts": [768]}), "annotation 1: the mask is|cannot be decoded"),
    ],
)
def test_bad_sidecars(tree, value, problem):
    sidecar, clip = tree(value)
    with pytest.raises(InputError, match=problem):
        entries = clip_entries(sidecar, clip)
        read_annotations(sidecar, entries, footage(clip))


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
