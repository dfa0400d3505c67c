"""Datasets: whole, their parts agree, earlier clips are kept, memory does not grow with them; and their report."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from models.body.model import load_body
from models.dataset import skeletons
from models.errors import InputError
from models.footage.video_writer import read_masks
from models.mocap.importers import IMPORTERS
from models.types import ACTIONS
from stages import dataset as stage
from stages import dataset_report as report

CAMERAS = {"room_1/camera_1": 1, "room_1/camera_2": 2, "room_2/camera_3": 3}


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def write(labelled_clip, clip_files, body):
    """A function that writes a dataset of clips by their numbers, those in it `earlier` kept."""

    def write(
        folder: Path, numbers: list[int], earlier: Path | None = None, facts: dict | None = None, images: bool = False
    ) -> Path:
        folder.mkdir()
        config = stage.DatasetConfig(images=images)
        ids = {f"clip_{number:05d}": f"key_{number}" for number in numbers}
        kept = stage.kept(config, earlier, list(ids.items()), CAMERAS) if earlier else 0
        rooms = list(CAMERAS)
        added = [(labelled_clip(name, rooms[int(name[-1]) % 3]), clip_files) for name in list(ids)[kept:]]
        facts = (facts or {}) | {"cameras": CAMERAS, "clips": list(ids.values())}
        stage.run(config, iter(added), folder, facts, body, earlier if kept else None)
        return folder

    return write


@pytest.fixture
def dataset(write, labelled_clip, tmp_path):
    room = {
        "room": "room_1/camera_1",
        "camera_height_m": 2.0,
        "camera_height_interval_m": [1.9, 2.1],
        "pitch_deg": 20.0,
        "focal_px": 60.0,
        "floor_inlier_ratio": 0.9,
        "verdict": "ok",
        "calibration": "people",
    }
    facts = {
        "seed": 0,
        "stand_ins": ["starter"],
        "licences": ["Apache-2.0 <b>"],
        "timings_s": {"generation": 1.0},
        "reconstruction": {"rooms": [room], "clips": [], "rejected": [{"item": "source_4"}]},
    }
    folder = write(tmp_path / "dataset", [0], facts=facts)
    (folder / "rooms").mkdir()
    np.savez(
        folder / "rooms" / "room_1_camera_1.npz",
        walkable=np.ones((20, 20), bool),
        occupied=np.eye(20, dtype=bool),
        name="room_1/camera_1",
        grid_origin=np.zeros(3),
        grid_cell_m=0.1,
        T_world_camera=labelled_clip().camera.T_world_camera,
    )
    summary = {
        "requested": 1,
        "accepted": 1,
        "rejected": {"no fall happened": 2},
        "seconds_per_clip": 1.0,
        "peak_memory_mib": 9.0,
        "sources": {"physics": 1},
    }
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def test_the_layout_is_complete_and_its_parts_agree(dataset, body):
    rows, segments = pd.read_parquet(dataset / "frames.parquet"), pd.read_csv(dataset / "clips.csv")
    facts = json.loads((dataset / "dataset.json").read_text())
    assert len(rows) == 12 and rows["action"][3:5].tolist() == ["walk", "fall"]
    said = [facts["classes"][str(label)] for label in segments["label"]]
    assert said == list(dict.fromkeys(rows["action"])) == ["walk", "fall", "fallen"]
    assert list(facts["classes"].values()) == list(ACTIONS)
    assert {facts["cameras"][name] for name in rows["room"]} == set(segments["cam"]) == {1}
    coco = json.loads((dataset / "coco_keypoints.json").read_text())
    assert len(coco["images"]) == 12 and len(coco["annotations"]) == 11
    for names in (segments["path"] + ".mp4", [image["file_name"] for image in coco["images"]]):
        assert all((dataset / name).is_file() for name in names)
    found = skeletons.read(dataset / "skeletons.pkl")
    assert found["annotations"][0]["frame_dir"] == "clip_00000" and found["split"]["train"] == ["clip_00000"]
    assert facts["split"].startswith("by clip")
    (motion,) = IMPORTERS["clip"](dataset / "clips", body, np.zeros(10), 15.0)
    (take,) = IMPORTERS["amass"](dataset / "clips" / "clip_00000.npz", body, np.zeros(10), 15.0)
    assert len(motion.timestamps_s) == len(take.timestamps_s) == 12 and motion.people[0].role == "resident"
    assert (read_masks(dataset / "masks" / "clip_00000.mkv") == 1).any()


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_a_night_that_adds_clips_writes_the_new_ones_alone(write, tmp_path):
    first = write(tmp_path / "first", [0, 1, 2])
    both = write(tmp_path / "both", [0, 1, 2, 3, 4], first)
    for name in (
        "clips/clip_00001.mp4",
        "clips/clip_00001.npz",
        "masks/clip_00002.mkv",
        "frames.parquet/part-00000.parquet",
    ):
        assert (both / name).stat().st_ino == (first / name).stat().st_ino, name  # the same file on disk
    at_once = write(tmp_path / "at_once", [0, 1, 2, 3, 4])
    differ = {name for name, content in files(at_once).items() if files(both).get(name) != content}
    assert differ <= {"frames.parquet/part-00000.parquet", "dataset.json", "skeletons.pkl"}
    pd.testing.assert_frame_equal(*(pd.read_parquet(one / "frames.parquet") for one in (both, at_once)))
    assert json.loads((both / "dataset.json").read_text())["parts"] == [
        ["clip_00000", "clip_00001", "clip_00002"],
        ["clip_00003", "clip_00004"],
    ]
    one, other = (skeletons.read(folder / "skeletons.pkl") for folder in (both, at_once))
    assert one["split"] == other["split"] and len(one["annotations"]) == 5
    assert one["split"]["val"] == ["clip_00002"]  # of room_2, which no other clip is in


@pytest.mark.parametrize(
    "change", ["other clips", "fewer clips", "a table", "a clip", "a format", "images", "no dataset"]
)
def test_what_would_be_written_otherwise_is_not_kept(write, tmp_path, change):
    first = write(tmp_path / "first", [0, 1, 2])
    clips = [(f"clip_{number:05d}", f"key_{number}") for number in range(4)]
    config = stage.DatasetConfig()
    assert stage.kept(config, first, clips, CAMERAS) == 3
    if change == "other clips":
        clips[1] = ("clip_00001", "key_of_another_order")
    elif change == "fewer clips":
        clips = clips[:2]
    elif change == "a table":
        (first / "clips.csv").write_text("path\n")
    elif change == "a clip":
        (first / "masks" / "clip_00001.mkv").unlink()
    elif change == "a format":
        facts = json.loads((first / "dataset.json").read_text())
        (first / "dataset.json").write_text(json.dumps(facts | {"format": 1}))
    elif change == "images":
        config = stage.DatasetConfig(images=True)
    else:
        shutil.rmtree(first)
    assert stage.kept(config, first, clips, CAMERAS) == 0


PROGRAM = """
import resource, sys
from dataclasses import replace
from pathlib import Path
from models import codec
from models.body.model import load_body
from stages import dataset, dataset_report
source, out, count, clips = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), None
body, clip = load_body(), codec.load(source, "value")
def clips(number):
    for index in range(number):
        yield replace(codec.load(source, "value"), clip=f"clip_{index:05d}"), source
for number in (1, count):
    (out / str(number)).mkdir(parents=True)
    facts = {"cameras": {clip.room: 1}, "clips": [str(index) for index in range(number)]}
    dataset.run(dataset.DatasetConfig(), clips(number), out / str(number), facts, body)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def test_memory_does_not_grow_with_the_clips(labelled_clip, clip_files, tmp_path):
    """150 clips, where all at once would take 150 times a clip of 4 s: 5 s at 15 Hz hold some 1 MB as rows of Python's
    own numbers."""
    from models import codec

    source = tmp_path / "source"
    shutil.copytree(clip_files, source)
    codec.save(labelled_clip(), source, "value")
    command = [sys.executable, "-c", PROGRAM, str(source), str(tmp_path / "out"), "150"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr[-2000:]
    one, many = map(float, done.stdout.split())
    assert many < one + 25.0, f"{one:.0f} MiB for one clip, {many:.0f} MiB for 150"
    assert pd.read_parquet(tmp_path / "out" / "150" / "frames.parquet", columns=["clip"])["clip"].nunique() == 150


def test_frames_are_images_where_these_are_asked_for(write, tmp_path):
    """COCO's `file_name` opens as an image, in clips that were kept, too."""
    first = write(tmp_path / "first", [0], images=True)
    both = write(tmp_path / "both", [0, 1], first, images=True)
    images = json.loads((both / "coco_keypoints.json").read_text())["images"]
    assert len({image["file_name"] for image in images}) == len(images) == 24
    for image in images:
        with Image.open(both / image["file_name"]) as opened:
            assert opened.size == (image["width"], image["height"])
    name = images[0]["file_name"]
    assert (both / name).stat().st_ino == (first / name).stat().st_ino
    assert not (write(tmp_path / "without", [0]) / "images").exists()


def test_the_report_is_self_contained_and_escapes(dataset):
    page = report.run(dataset)
    assert page == report.run(dataset)  # same dataset, same bytes
    for text in ("no fall happened", "room_1/camera_1", "clip_00000", "Apache-2.0", "starter", "source_4"):
        assert text in page
    assert "Apache-2.0 &lt;b&gt;" in page and "Apache-2.0 <b>" not in page
    assert page.count("data:image/") >= 3 and "http://" not in page and "https://" not in page


def test_the_report_counts_seconds_of_all_clips(write, dataset, tmp_path):
    page = report.run(dataset)
    assert '<td>walk</td><td class="n">0.3</td>' in page and '<td>fallen</td><td class="n">0.3</td>' in page
    more = write(tmp_path / "more", list(range(14)), facts=json.loads((dataset / "dataset.json").read_text()))
    shutil.copy(dataset / "summary.json", more)
    page = report.run(more)
    assert '<td>walk</td><td class="n">3.7</td>' in page and "and 2 more in clips/" in page


def test_a_folder_that_is_no_dataset(tmp_path):
    with pytest.raises(InputError, match="is not a dataset"):
        report.run(tmp_path)


def test_what_stood_in_is_said():
    rebuilt = {
        "clips": [{"pose_backend": "sidecar"}, {"pose_backend": None}, {"pose_backend": "sidecar"}],
        "rooms": [{"calibration": "file"}, {"calibration": "people"}],
    }
    depth = {"metric": "starter", "relative": "some/folder"}
    lines = report.stand_ins(depth, False, {"physics", "procedural"}, rebuilt)
    assert [line.split(":")[0] for line in lines] == ["Depth (metric)", "2D poses", "Camera", "Body", "Everyday motion"]
    nothing = {"clips": [], "rooms": []}
    assert report.stand_ins({"metric": "a", "relative": "b"}, True, {"physics", "mocap"}, nothing) == []
    assert report.stand_ins({"metric": "a", "relative": "b"}, True, {"some/folder"}, nothing) == []
    (line,) = report.stand_ins({"metric": "a", "relative": "b"}, True, {"physics", "starter"}, nothing)
    assert line.startswith("Motion: our small starter model")
    assert any("Anny" in line for line in report.licences(False))
    assert any("non-commercial" in line for line in report.licences(True))


def test_what_was_looked_at_is_said_and_what_was_not():
    """The report never says that rooms are shown without people whatever happened."""
    figures = {
        "plate_frames": 48, "frames_looked_at": 90, "frames": 300, "plate_other_view_share": 0.043,
        "plate_painted_share": 0.012, "plate_searched": 1, "people_left_in_plate": 0, "people_removed_from_plate": 0,
    }  # fmt: skip
    rooms = [
        {"room": "room_1/camera_1", **figures},
        {"room": "room_2/camera_2", **figures, "people_removed_from_plate": 2},
        {"room": "room_3/camera_3", **figures, "people_left_in_plate": 1},
        {"room": "room_4/camera_4", **figures, "plate_searched": 0},
        {"room": "room_5/camera_5"},
    ]
    rebuilt = {"clips": [{"pose_backend": "tflite:movenet"}, {"pose_backend": None}], "rooms": rooms}
    lines = report.vouching(rebuilt, "not searched: no detector is configured")
    assert lines[0] == (
        "room_1/camera_1: its picture is made of 48 frames out of 90 (of 300) in which people were looked for; 4.3 % "
        "of it is of another camera of the room and 1.2 % painted in; a search found nobody in it."
    )
    assert lines[1].endswith("a search found 2 person(s), painted over, in it.")
    assert lines[2].endswith("1 person(s) are still seen in it.")
    assert lines[3].endswith("it was not searched for people left in it: no detector is configured.")
    assert lines[4].startswith("room_5/camera_5: its picture is of an older version, which did not keep where people")
    assert lines[5] == (
        "People in the footage were looked for by tflite:movenet; clips: not searched: no detector is configured."
    )
    assert not any("without the people" in line for line in [*lines, *report.licences(False)])
