import json
import pickle

import numpy as np
import pandas as pd
import pytest

from models.errors import InputError
from models.footage.video_writer import read_masks, write_masks, write_video
from models.geometry.camera import Camera, intrinsics_from_focal, normal_from_angles, pose_over_floor
from models.types import ACTIONS, LabelledClip, Motion, PersonTrack
from stages import dataset_report as report
from stages.dataset import clip_label, run, segments

T = 12


def labelled(name="clip_00000"):
    camera = Camera(intrinsics_from_focal(60.0, 64, 48), 64, 48, pose_over_floor(normal_from_angles(0.4, 0.0), 2.0))
    track = PersonTrack(
        "person_0",
        "resident",
        np.arange(10.0),
        np.full((T, 3), 0.1),
        np.full((T, 69), 0.2),
        np.full((T, 3), 0.3),
        np.ones(T, bool),
        np.ones(T),
    )
    actions = np.array([[ACTIONS.index("walk")] * 4 + [ACTIONS.index("fall")] * 3 + [ACTIONS.index("fallen")] * 5])
    motion = Motion(np.arange(T) / 15, (track,), actions, "physics")
    flags = np.full((1, T, 17), 2)
    flags[:, :, 3] = 0
    visibility = np.ones((1, T))
    visibility[0, -1] = 0.0
    return LabelledClip(
        name,
        "home/room",
        camera,
        motion,
        {"fps": 15.0},
        (1.7,),
        np.tile([5.0, 6.0, 25.0, 40.0], (1, T, 1)),
        np.tile(np.array([20.0, 30.0]), (1, T, 17, 1)),
        flags,
        np.full((1, T, 24, 3), 0.5),
        visibility,
    )


@pytest.fixture
def dataset(tmp_path):
    source = tmp_path / "artefact"
    source.mkdir()
    write_video(source / "clip.mp4", np.full((T, 48, 64, 3), 90, np.uint8), 15.0)
    write_masks(source / "masks.mkv", np.ones((T, 48, 64), np.uint8), 15.0)
    folder = tmp_path / "dataset"
    folder.mkdir()
    room = {
        "room": "home/room",
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
        "licences": ["Apache-2.0"],
        "timings_s": {"generation": 1.0},
        "reconstruction": {"rooms": [room], "clips": [], "rejected": [{"item": "x.mp4", "reason": "is empty <b>"}]},
    }
    run([(labelled(), source)], folder, facts)
    (folder / "rooms").mkdir()
    np.savez(
        folder / "rooms" / "home_room.npz",
        walkable=np.ones((20, 20), bool),
        occupied=np.eye(20, dtype=bool),
        name="home/room",
        grid_origin=np.zeros(3),
        grid_cell_m=0.1,
        T_world_camera=labelled().camera.T_world_camera,
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


def test_the_layout_is_complete_and_its_parts_agree(dataset):
    lines = (dataset / "clips.csv").read_text().splitlines()
    assert lines[0] == "path,label,start,end,subject,cam,dataset"
    assert lines[2] == "clips/clip_00000.mp4,fall,0.267,0.467,clip_00000/person_0,home/room,careclips"
    rows = pd.read_parquet(dataset / "frames.parquet")
    assert len(rows) == T and list(rows["action"][3:5]) == ["walk", "fall"]
    assert (
        len(rows["smpl_poses"][0]) == 72 and len(rows["joints_world"][0]) == 72 and len(rows["keypoints_px"][0]) == 34
    )
    coco = json.loads((dataset / "coco_keypoints.json").read_text())
    assert len(coco["images"]) == T and len(coco["annotations"]) == T - 1  # the frame where nothing is visible has none
    first = coco["annotations"][0]
    assert first["bbox"] == [5.0, 6.0, 20.0, 34.0] and first["num_keypoints"] == 16
    assert first["keypoints"][9:12] == [0.0, 0.0, 0] and first["keypoints"][:3] == [20.0, 30.0, 2]
    with (dataset / "skeletons.pkl").open("rb") as handle:
        skeletons = pickle.load(handle)
    assert skeletons["annotations"][0]["keypoint"].shape == (1, T, 17, 2)
    assert skeletons["annotations"][0]["label"] == ACTIONS.index("fall") and skeletons["split"]["train"] == [
        "clip_00000"
    ]
    with np.load(dataset / "clips" / "clip_00000.npz") as motion:
        assert motion["poses_0"].shape == (T, 72) and motion["trans_0"].shape == (T, 3)
        assert float(motion["mocap_framerate"]) == pytest.approx(15.0)
        np.testing.assert_allclose(motion["poses_0"][0, :4], [0.1, 0.1, 0.1, 0.2], atol=1e-6)
    assert (read_masks(dataset / "masks" / "clip_00000.mkv") == 1).all()


def test_pycocotools_reads_the_keypoints(dataset):
    from pycocotools.coco import COCO

    coco = COCO(str(dataset / "coco_keypoints.json"))
    assert coco.getCatIds(catNms=["person"]) == [1] and len(coco.getAnnIds()) == T - 1


def test_segments_and_clip_label():
    assert segments(np.array([1, 1, 3, 3, 3])) == [(1, 0, 2), (3, 2, 5)]
    assert clip_label(labelled()) == "fall"


def test_the_report_is_self_contained_and_escapes(dataset):
    page = report.run(dataset)
    assert page == report.run(dataset)  # same dataset, same bytes
    for text in ("no fall happened", "home/room", "clip_00000", "Apache-2.0", "starter"):
        assert text in page
    assert "is empty &lt;b&gt;" in page and "is empty <b>" not in page
    assert page.count("data:image/") >= 3 and "http://" not in page and "https://" not in page


def test_a_folder_that_is_no_dataset(tmp_path):
    with pytest.raises(InputError, match="is not a dataset"):
        report.run(tmp_path)


def test_what_stood_in_is_said():
    rebuilt = {
        "clips": [{"pose_backend": "sidecar"}, {"pose_backend": None}, {"pose_backend": "sidecar"}],
        "rooms": [{"calibration": "file"}, {"calibration": "people"}],
    }
    lines = report.stand_ins(
        {"metric": "starter", "relative": "some/folder"}, False, {"physics", "procedural"}, rebuilt
    )
    assert [line.split(":")[0] for line in lines] == ["Depth (metric)", "2D poses", "Camera", "Body", "Everyday motion"]
    nothing = {"clips": [], "rooms": []}
    assert report.stand_ins({"metric": "a", "relative": "b"}, True, {"physics", "mocap"}, nothing) == []
    assert report.stand_ins({"metric": "a", "relative": "b"}, True, {"some/folder"}, nothing) == []
    (line,) = report.stand_ins({"metric": "a", "relative": "b"}, True, {"physics", "starter"}, nothing)
    assert line.startswith("Motion: our small starter model")
    assert any("Anny" in line for line in report.licences(False))
    assert any("non-commercial" in line for line in report.licences(True))
