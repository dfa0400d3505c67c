"""`clips.csv` as OmniFall's package reads it: by the package itself where it is installed, and after its README."""

import csv

import numpy as np
import pytest

from models.dataset.omnifall import SegmentsWriter, segments
from models.types import ACTIONS


@pytest.fixture
def table(labelled_clip, tmp_path):
    """Two clips, the second added to a table that holds the first."""
    for number in (0, 1):
        writer = SegmentsWriter(tmp_path / "clips.csv")
        writer.add(labelled_clip(f"clip_{number:05d}"), number + 3)
        writer.close()
    return tmp_path / "clips.csv"


def test_rows_are_segments_of_omnifall(table):
    """github.com/simplexsigil/omnifall-package, README, section 3: a path relative to the component without extension,
    a class id from 0 to 15, seconds, integer subject and camera."""
    with table.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert list(rows[0]) == ["path", "label", "start", "end", "subject", "cam", "dataset"]
    assert list(rows[1].values()) == ["clips/clip_00000", "1", "0.267", "0.467", "1", "3", "careclips"]
    assert [(row["path"], int(row["subject"]), int(row["cam"])) for row in rows[::3]] == [
        ("clips/clip_00000", 1, 3),
        ("clips/clip_00001", 2, 4),
    ]
    assert all(0 <= int(row["label"]) < 16 and float(row["start"]) < float(row["end"]) for row in rows)


def test_omnifalls_package_reads_it_and_finds_the_clips(table, clip_files):
    omnifall = pytest.importorskip("omnifall")
    datasets = pytest.importorskip("datasets")
    (table.parent / "clips").mkdir()
    for number in (0, 1):
        (table.parent / "clips" / f"clip_{number:05d}.mp4").write_bytes((clip_files / "clip.mp4").read_bytes())
    rows = datasets.load_dataset("csv", data_files=str(table), split="train", cache_dir=str(table.parent / "cache"))
    # Its own search for videos knows the ten datasets of OmniFall alone.
    rows = rows.add_column("video", [f"{table.parent / path}.mp4" for path in rows["path"]])
    assert [omnifall.IDX2LABEL[label] for label in rows["label"][:3]] == ["walk", "fall", "fallen"]
    assert tuple(omnifall.IDX2LABEL[number] for number in range(16)) == ACTIONS
    sample = omnifall.OmniFallVideoDataset(rows, num_frames=3, output_format="THWC")[1]
    assert sample["label_str"] == "fall" and tuple(sample["pixel_values"].shape) == (3, 48, 64, 3)


def test_segments_are_runs():
    assert segments(np.array([1, 1, 3, 3, 3])) == [(1, 0, 2), (3, 2, 5)]
