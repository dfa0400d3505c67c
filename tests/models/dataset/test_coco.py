"""COCO as pycocotools reads and judges it."""

import json

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from models.dataset.coco import CocoWriter
from models.footage.video_writer import read_masks


@pytest.fixture
def written(labelled_clip, clip_files, tmp_path):
    """Two clips, the second added to a file that holds the first."""
    masks = read_masks(clip_files / "masks.mkv")
    first = CocoWriter(tmp_path / "first.json")
    first.add(labelled_clip("clip_00000"), masks)
    first.close()
    both = CocoWriter(tmp_path / "both.json", tmp_path / "first.json")
    both.add(labelled_clip("clip_00001"), masks)
    both.close()
    return tmp_path


def test_pycocotools_reads_keypoints_and_masks(written, clip_files):
    coco = COCO(str(written / "both.json"))
    assert coco.getCatIds(catNms=["person"]) == [1]
    assert len(coco.getImgIds()) == 24 and len(coco.getAnnIds()) == 22  # who is not seen is not annotated
    masks = read_masks(clip_files / "masks.mkv")
    for one in coco.loadAnns(coco.getAnnIds()):
        image = coco.loadImgs([one["image_id"]])[0]
        np.testing.assert_array_equal(coco.annToMask(one), masks[image["frame"]] == 1)
        assert one["area"] == 20 * 34 and one["bbox"] == [5.0, 6.0, 20.0, 34.0] and one["num_keypoints"] == 16
    first = coco.loadAnns([1])[0]
    assert first["keypoints"][9:12] == [0.0, 0.0, 0] and first["keypoints"][:3] == [20.0, 30.0, 2]
    assert {image["file_name"] for image in coco.dataset["images"]} == {"clips/clip_00000.mp4", "clips/clip_00001.mp4"}


@pytest.mark.parametrize("kind", ["segm", "keypoints", "bbox"])
def test_pycocotools_judges_it(written, kind):
    """Against itself it is perfect."""
    truth = COCO(str(written / "both.json"))
    found = truth.loadRes([one | {"score": 0.9} for one in truth.loadAnns(truth.getAnnIds())])
    judge = COCOeval(truth, found, kind)
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    assert judge.stats[0] == pytest.approx(1.0)


def test_added_clips_are_as_if_written_at_once(written, labelled_clip, clip_files):
    at_once = CocoWriter(written / "at_once.json")
    for name in ("clip_00000", "clip_00001"):
        at_once.add(labelled_clip(name), read_masks(clip_files / "masks.mkv"))
    at_once.close()
    assert (written / "at_once.json").read_bytes() == (written / "both.json").read_bytes()
    assert sorted(file.name for file in written.iterdir()) == ["at_once.json", "both.json", "first.json"]


def test_an_action_that_nobody_knows_is_not_the_last_one(labelled_clip, clip_files, tmp_path):
    clip = labelled_clip()
    clip.motion.actions[0, 0] = -1
    writer = CocoWriter(tmp_path / "a.json")
    writer.add(clip, read_masks(clip_files / "masks.mkv"))
    writer.close()
    actions = [one["action"] for one in json.loads((tmp_path / "a.json").read_text())["annotations"]]
    assert actions[:2] == ["", "walk"]
