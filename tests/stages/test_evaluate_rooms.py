"""Rooms against drawn ones: what agrees, what is too much or too little, files that are wrong."""

import json
from pathlib import Path

import numpy as np
import pytest

from models.errors import InputError
from models.geometry.camera import Camera, intrinsics_from_focal, normal_from_angles, pose_over_floor
from stages.evaluate_rooms import drawn_floor, picture, read_drawn_rooms, run

CAMERA = Camera(intrinsics_from_focal(50.0, 64, 48), 64, 48, pose_over_floor(normal_from_angles(0.4, 0.0), 2.0))


@pytest.fixture
def room(bare_room):
    plate, depth = np.full((48, 64, 3), 100, dtype=np.uint8), np.full((48, 64), 3.0)
    return lambda floor: bare_room(CAMERA, plate, depth, np.where(floor, 0, -1))


def written(path: Path, **changes) -> Path:
    camera = {"room": "ward", "camera": "cam", "floor": [[0, 24], [127, 24], [127, 95], [0, 95]], "tops": []}
    path.write_text(json.dumps({"width": 128, "height": 96, "cameras": [camera | changes]}))
    return path


def test_a_floor_is_compared_in_the_plates_own_size(room, tmp_path):
    drawn = read_drawn_rooms(written(tmp_path / "rooms.json"))
    below = np.zeros((48, 64), dtype=bool)
    below[12:] = True
    floor = drawn_floor(drawn, drawn.cameras[0], room(below))
    np.testing.assert_array_equal(floor, below)
    assert run(room(below), floor) == {"iou": 1.0, "precision": 1.0, "recall": 1.0}
    half = below & (np.arange(64) < 32)
    assert run(room(half), floor) == {"iou": 0.5, "precision": 1.0, "recall": 0.5}
    everything = run(room(np.ones_like(below)), floor)
    assert everything["recall"] == 1.0 and everything["precision"] == pytest.approx(0.75)
    assert run(room(np.zeros_like(below)), floor) == {"iou": None, "precision": None, "recall": None}
    image = picture(room(half), floor)
    assert image[30, 10].tolist() == [50, 177, 50] and image[30, 40].tolist() == [100, 100, 100]
    assert image[47, 40].tolist() == [255, 255, 0]


def test_a_file_that_is_wrong_is_told(tmp_path):
    with pytest.raises(InputError, match="cameras.0.floor: List should have at least 3 items"):
        read_drawn_rooms(written(tmp_path / "a.json", floor=[[0, 0], [1, 1]]))
    (tmp_path / "b.json").write_text('{"width": 0, "height": 9, "cameras": []}')
    with pytest.raises(InputError, match="width: Input should be greater than 0"):
        read_drawn_rooms(tmp_path / "b.json")
