"""Sample footage: the files, the sidecar against the truth, the same seed's bytes, bad input."""

import csv
import hashlib
import json

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pydantic import ValidationError

from models.errors import InputError
from models.footage.coco_file import clip_entries
from models.footage.coco_sidecar import read_annotations
from models.footage.video import read_frames
from models.footage.video_writer import read_masks
from models.geometry.camera_file import read_camera
from models.geometry.lens import read_lens
from models.types import ACTIONS, SURFACE_LABELS, Footage
from stages.sample_footage import SampleFootageConfig, run

TINY = SampleFootageConfig(
    rooms=1,
    clips_per_room=2,
    seconds=2.0,
    fps=6.0,
    width_px=160,
    height_px=120,
    two_people=1.0,
    scenarios=("stroll", "rise"),
)


@pytest.fixture(scope="module")
def footage(tmp_path_factory):
    out = tmp_path_factory.mktemp("sample") / "footage"
    return out, run(TINY, out, 0)


def test_the_files_are_those_that_ingest_reads(footage):
    out, figures = footage
    assert figures["clips"] == 2 and figures["frames"] == 24 and figures["people"] >= 2
    rows = list(csv.DictReader((out / "footage.csv").open()))
    assert list(rows[0]) == ["path", "site", "room", "camera", "start", "labels"]
    for row in rows:
        frames = list(read_frames(out / row["path"]))
        assert len(frames) == 12 and frames[0][1].shape == (120, 160, 3)
        assert frames[1][0] == pytest.approx(1 / 6.0, abs=1e-3)
        assert set(row["labels"].split(";")) <= set(ACTIONS)
        truth = out / "truth" / row["path"].removesuffix(".mp4").replace("/", "__")
        assert {p.name for p in truth.iterdir()} == {"camera.json", "room.npz", "masks.mkv", "people.npz", "meta.json"}


def test_the_sidecar_agrees_with_the_truth(footage):
    out, _ = footage
    folder = out / "home_a" / "room_01"
    sidecar = json.loads((folder / "annotations.json").read_text())
    names = {category["id"]: category["name"] for category in sidecar["categories"]}
    assert [names[i] for i in (1, 2, 3)] == ["person", "staff", "patient"]
    assert [names[11 + i] for i in range(len(SURFACE_LABELS))] == list(SURFACE_LABELS)
    truth = out / "truth" / "home_a__room_01__clip_01"
    people, masks = np.load(truth / "people.npz"), read_masks(truth / "masks.mkv")
    camera = read_camera(truth / "camera.json", 160, 120)
    images = {image["id"]: image for image in sidecar["images"] if image["file_name"] == "clip_01.mp4"}
    assert sorted(image["frame"] for image in images.values()) == list(range(12))
    seen = 0
    for annotation in sidecar["annotations"]:
        if annotation["image_id"] not in images:
            continue
        image = images[annotation["image_id"]]
        frame, x, y, w, h = image["frame"], *annotation["bbox"]
        if annotation["category_id"] >= 11:
            assert image["key_frame"]
            continue
        index = annotation["person_id"] - 1
        mask = masks[frame] == index + 1
        assert mask[y : y + h, x : x + w].sum() == mask.sum() == annotation["area"]
        assert annotation["action"] == ACTIONS[people["actions"][index, frame]]
        points = np.array(annotation["keypoints"], dtype=float).reshape(17, 3)
        exact = camera.project(people["keypoints_world"][index, frame])
        given = points[:, 2] > 0
        assert np.abs(points[given, :2] - exact[given]).max() <= 0.26
        assert np.all(points[points[:, 2] == 0] == 0)
        assert (points[:, 2] == 2).sum() >= 3 or people["visibility"][index, frame] < 0.6
        if image["key_frame"]:
            encoded = annotation["segmentation"]
            decoded = coco_mask.decode({"size": encoded["size"], "counts": encoded["counts"].encode()})
            assert np.array_equal(decoded.astype(bool), mask)
        seen += 1
    assert seen >= 12


def test_people_are_where_the_truth_says_and_stand_on_the_floor(footage):
    out, _ = footage
    truth = out / "truth" / "home_a__room_01__clip_01"
    people, masks, room = np.load(truth / "people.npz"), read_masks(truth / "masks.mkv"), np.load(truth / "room.npz")
    camera = read_camera(truth / "camera.json", 160, 120)
    assert people["visibility"].max() > 0.8
    for index in range(len(people["person"])):
        for frame in np.flatnonzero(people["visibility"][index] > 0.9):
            pelvis = camera.project(people["joints_world"][index, frame, 0])
            rows, columns = np.nonzero(masks[frame] == index + 1)
            assert columns.min() <= pelvis[0] <= columns.max() and rows.min() <= pelvis[1] <= rows.max()
    ankles = people["joints_world"][:, :, [7, 8], 2].min(axis=-1)
    assert 0.02 < np.median(ankles) < 0.15
    floor = room["labels"] == SURFACE_LABELS.index("floor")
    points = camera.unproject(camera.pixel_grid(), room["depth"].astype(float))
    assert np.abs(points[floor][:, 2]).max() < 2e-3
    # The video shows the plate where nobody is, up to noise, lens and compression; and people where the masks say.
    for frame, (_, picture) in enumerate(read_frames(out / "home_a" / "room_01" / "clip_01.mp4")):
        difference = np.abs(picture.astype(float) - room["plate"]).mean(axis=-1)
        assert np.median(difference[masks[frame] == 0]) < 12 < difference[masks[frame] > 0].mean()


def test_the_same_seed_gives_the_same_bytes_and_another_another(tmp_path):
    config = TINY.model_copy(update={"clips_per_room": 1, "width_px": 96, "height_px": 72, "two_people": 0.0})
    digests = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        run(config, tmp_path / name, seed)
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        digests.append({str(p.relative_to(tmp_path / name)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files})
    assert digests[0] == digests[1]
    assert digests[0].keys() == digests[2].keys()
    video = "home_a/room_01/clip_01.mp4"
    assert digests[0][video] != digests[2][video]


def test_bad_input_is_refused_in_one_line(tmp_path):
    (tmp_path / "something").write_text("x")
    with pytest.raises(InputError, match=r"is not an empty folder; name a new one$"):
        run(TINY, tmp_path, 0)
    with pytest.raises(InputError, match="seconds is 2 and scenarios asks for a fall; give it 3 s or more"):
        run(TINY.model_copy(update={"scenarios": ("fall",)}), tmp_path / "new", 0)
    with pytest.raises(ValidationError):
        SampleFootageConfig(rooms=0)
    with pytest.raises(ValidationError):
        SampleFootageConfig(colour="green")


def test_a_lens_bends_the_files_and_not_the_truth_of_the_room(footage, tmp_path):
    out, _ = footage
    bent = tmp_path / "bent"
    run(TINY.model_copy(update={"lens": (-0.3, 0.1, 0.0, 0.0), "clips_per_room": 1}), bent, 0)
    folder, truth = bent / "home_a" / "room_01", bent / "truth" / "home_a__room_01__clip_01"
    camera = read_camera(truth / "camera.json", 160, 120)
    assert camera.lens is not None and camera.height_m > 1.5
    beside = read_camera(folder / "camera.json", 160, 120)
    assert np.array_equal(beside.T_world_camera, np.eye(4)), "its pose is for the calibration to find"
    people = np.load(truth / "people.npz")
    pixels = camera.lens.distort(camera.project(people["keypoints_world"]))
    seen = people["keypoints_v"] > 0
    np.testing.assert_allclose(people["keypoints_px"][seen], pixels[seen], atol=1e-6)
    lens = read_lens(folder / "camera.json", 160, 120)
    straight = Footage("c", "c", "s", "r", "c", np.arange(12) / 6.0, 160, 120, "", lens)
    entries = clip_entries(folder / "annotations.json", folder / "clip_01.mp4")
    annotations, _ = read_annotations(folder / "annotations.json", entries, straight)
    true_px = camera.project(people["keypoints_world"])
    for person in annotations.people:
        index = list(people["person"]).index(person.person)
        clicked = (person.scores >= 1.0) & person.visible[:, None]
        assert np.median(np.linalg.norm(person.keypoints_px - true_px[index], axis=-1)[clicked]) < 2.0
    floor = annotations.surfaces["floor"] | annotations.surfaces.get("rug", False)
    labels = np.load(truth / "room.npz")["labels"]
    exact = np.isin(labels, [SURFACE_LABELS.index("floor"), SURFACE_LABELS.index("rug")])
    inside = np.zeros_like(exact)
    inside[5:-5, 5:-5] = True
    assert (floor == exact)[inside].mean() > 0.93
    plain = next(iter(read_frames(out / "home_a/room_01/clip_01.mp4")))[1]
    assert not np.array_equal(plain, next(iter(read_frames(folder / "clip_01.mp4")))[1])
