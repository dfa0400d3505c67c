"""What a run would find, skip and miss is said beforehand, by the reader that the run has."""

import json
from pathlib import Path

import numpy as np
import pytest

from models.errors import InputError
from models.footage.video_writer import write_video
from pipeline.check import check
from pipeline.evaluate import LabelTable
from pipeline.runner import plain_runner
from pipeline.settings import Settings
from pipeline.store import Store


@pytest.fixture
def footage(tmp_path):
    """Two clips of one camera, one with a sidecar, one that is too short, one with a camera file of zeros."""
    folder = tmp_path / "footage"
    picture = np.random.default_rng(0).integers(0, 255, (24, 32, 3), dtype=np.uint8).repeat(5, 0).repeat(5, 1)
    for name, frames in (("a", 20), ("b", 20), ("short", 3), ("odd/c", 20)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_video(folder / f"{name}.mp4", [picture] * frames, 10.0)
    (folder / "notes.docx").write_text("")
    (folder / "odd" / "camera.json").write_text(json.dumps({"intrinsics": np.zeros((3, 3)).tolist()}))
    keypoints = [v for k in range(17) for v in (60 + k, 20 + 4 * k, 2)]
    person = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [50, 10, 40, 90], "keypoints": keypoints}
    sidecar = {
        "images": [{"id": 1, "file_name": "a.mp4", "frame": 0}],
        "annotations": [person],
        "categories": [{"id": 1, "name": "person"}],
    }
    (folder / "annotations.json").write_text(json.dumps(sidecar))
    return folder


def test_clips_skips_and_what_is_missing_are_said(footage, tmp_path):
    summary = check(footage, Settings({}), plain_runner(1))
    rows = {row["clip"]: row for row in summary["clips"]}
    assert set(rows) == {"a", "b"} and summary["cameras"] == 1 and summary["passed_over"] == {".docx": 1}
    assert rows["a"]["frames"] == 20 and rows["a"]["frames_per_s"] == 10.0 and rows["a"]["annotated_frames"] == 1
    assert rows["b"]["poses"] == "none" and not rows["b"]["done"]
    assert [one["clips"] for one in summary["missing"]] == [["b"]] and "--pose-file" in summary["missing"][0]["reason"]
    skipped = {one["item"]: one["reason"] for one in summary["skipped"]}
    assert "too short" in skipped["short"] or "3 frame" in skipped["short"]
    assert "camera.json" in skipped["odd__c"] and summary["defects"] == []
    assert summary["expected_minutes"] > 0.0


def test_labels_are_compared_with_the_clips(footage, tmp_path):
    (tmp_path / "labels.csv").write_text("path,label,start,end\na.mp4,fall,0,1\nnone.mp4,fall,0,1\n")
    summary = check(footage, Settings({}), plain_runner(1), labels=LabelTable(tmp_path / "labels.csv"))
    reasons = {one["reason"]: one["clips"] for one in summary["missing"]}
    assert reasons["no label in labels.csv"] == ["b"]
    assert any("none.mp4" in reason or "1 of" in reason for reason in reasons)


def test_what_is_read_stays_in_the_store_that_is_named(footage, tmp_path):
    check(footage, Settings({}), plain_runner(1), tmp_path / "store")
    first = {one.key for one in Store(tmp_path / "store").artefacts() if one.stage == "ingest"}
    check(footage, Settings({}), plain_runner(1), tmp_path / "store")
    assert len(first) == 4 and {one.stage for one in Store(tmp_path / "store").artefacts()} == {"ingest", "cameras"}
    assert not (Path(tmp_path) / "store" / "summary.json").exists()


def test_where_nothing_can_be_used_it_is_an_error(tmp_path):
    (tmp_path / "footage").mkdir()
    (tmp_path / "footage" / "x.mp4").write_bytes(b"no video")
    with pytest.raises(InputError, match=r"holds no clip that can be used: x: x\.mp4"):
        check(tmp_path / "footage", Settings({}), plain_runner(1))
