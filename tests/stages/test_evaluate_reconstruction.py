import numpy as np
import pytest

from models.geometry.camera import Camera, intrinsics_from_focal, normal_from_angles, pose_over_floor
from models.geometry.camera_file import write_camera
from models.types import Room
from stages.evaluate_reconstruction import run


def camera_with(pitch_deg=20.0, height_m=2.0, focal=60.0):
    pose = pose_over_floor(normal_from_angles(np.radians(pitch_deg), 0.0), height_m)
    return Camera(intrinsics_from_focal(focal, 64, 48), 64, 48, pose)


def room_with(camera, depth):
    grid = np.zeros((2, 2, 2))
    return Room(
        "r",
        camera,
        np.zeros((48, 64, 3), np.uint8),
        depth,
        np.full((48, 64), -1),
        1.0,
        0.0,
        np.ones((2, 2), bool),
        grid.astype(int),
        grid,
        np.zeros(3),
        0.1,
        (),
        0.0,
        True,
        "ok",
    )


def test_known_errors_are_reported(tmp_path):
    write_camera(camera_with(), tmp_path / "camera.json")
    depth = np.full((48, 64), 3.0)
    depth[0] = 0.0  # unknown in the truth: not scored
    np.savez(tmp_path / "room.npz", depth=depth)
    joints = np.random.default_rng(0).normal(size=(1, 5, 24, 3))
    np.savez(
        tmp_path / "people.npz",
        person=np.array(["person_1"]),
        joints_world=joints,
        visibility=np.array([[1, 1, 1, 1, 0.0]]),
    )
    found = joints[0] + [0.1, 0.0, 0.0]
    found[4] += 100.0  # the truth says the person is hidden there
    metrics = run(
        tmp_path,
        room_with(camera_with(23.0, 2.2), np.full((48, 64), 3.3)),
        {"person_1": found},
        {"person_1": np.ones(5, bool)},
    )
    assert metrics["floor_normal_deg"] == pytest.approx(3.0, abs=1e-6)
    assert metrics["camera_height_rel"] == pytest.approx(0.1)
    assert metrics["depth_absrel"] == pytest.approx(0.1)
    assert metrics["depth_absrel_aligned"] == pytest.approx(0.0, abs=1e-9)
    assert metrics["joints_world_mm"] == pytest.approx(100.0)
    assert metrics["joints_aligned_mm"] == pytest.approx(0.0, abs=1e-6)


def test_nobody_found_is_none_not_zero(tmp_path):
    write_camera(camera_with(), tmp_path / "camera.json")
    np.savez(tmp_path / "room.npz", depth=np.full((48, 64), 3.0))
    np.savez(
        tmp_path / "people.npz",
        person=np.array(["person_1"]),
        joints_world=np.zeros((1, 5, 24, 3)),
        visibility=np.ones((1, 5)),
    )
    assert run(tmp_path, room_with(camera_with(), np.full((48, 64), 3.0)), {}, {})["joints_world_mm"] is None
