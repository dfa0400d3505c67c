import numpy as np
import pytest

from models.errors import Rejected
from models.geometry.camera import Camera, intrinsics_from_focal, normal_from_angles, pose_over_floor
from models.geometry.transforms import apply
from models.types import Room
from stages.place_motion import GenerateConfig, run

CELL = 0.1


def room_with(walkable_x, furniture_x=None):
    """A 6 x 4 m room seen from 2.2 m; walkable where x lies in a range, a cupboard over another."""
    camera = Camera(
        intrinsics_from_focal(450, 640, 480), 640, 480, pose_over_floor(normal_from_angles(np.radians(25), 0.0), 2.2)
    )
    shape = (60, 40, 22)
    x = (np.arange(60) + 0.5) * CELL
    walkable = np.repeat(((x >= walkable_x[0]) & (x < walkable_x[1]))[:, None], 40, axis=1)
    distance = np.full(shape, 1.0)
    occupancy = np.zeros(shape, dtype=int)
    if furniture_x:
        inside = (x >= furniture_x[0]) & (x < furniture_x[1])
        occupancy[inside] = 1
        distance[inside] = -0.1
    plate = np.zeros((480, 640, 3), np.uint8)
    return Room(
        "r",
        camera,
        plate,
        np.ones((480, 640)),
        np.full((480, 640), -1),
        1.0,
        0.0,
        walkable,
        occupancy,
        distance,
        np.array([0.0, -2.0, 0.0]),
        CELL,
        (),
        0.0,
        True,
        "ok",
    )


def standing_joints(frames=5, step=0.0):
    joints = np.zeros((1, frames, 24, 3))
    joints[..., 2] = np.linspace(0.05, 1.6, 24)[::-1]
    joints[..., [7, 8, 10, 11], 2] = 0.05
    joints[..., 0] += step * np.arange(frames)[None, :, None]
    return joints


def test_the_place_is_walkable_in_view_and_clear():
    room = room_with((2.5, 4.5), (4.2, 4.5))
    for seed in range(8):
        T = run(GenerateConfig(), room, standing_joints(), np.random.default_rng(seed))
        where = apply(T, standing_joints()[0, 0])
        assert 2.5 <= where[0, 0] < 4.2 and abs(where[0, 1]) <= 2.0
        pixels = room.camera.project(where)
        assert ((pixels >= 0) & (pixels < [640, 480])).all()
        assert T[2, 3] == 0.0 and np.allclose(T[2, :3], [0, 0, 1])  # stays on the floor, stays upright


def test_same_generator_same_place():
    room = room_with((2.5, 4.5))
    a = run(GenerateConfig(), room, standing_joints(), np.random.default_rng(3))
    b = run(GenerateConfig(), room, standing_joints(), np.random.default_rng(3))
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("room", "joints", "problem"),
    [
        (room_with((9.0, 9.5)), standing_joints(), "the room has no walkable floor"),
        (room_with((0.0, 0.4)), standing_joints(), "no place for it: out of view"),
        (room_with((3.0, 3.6)), standing_joints(8, 0.7), "no place for it: off the walkable floor"),
        (room_with((3.0, 4.0), (2.0, 5.0)), standing_joints(), "no place for it: in furniture or a wall"),
    ],
)
def test_reasons(room, joints, problem):
    with pytest.raises(Rejected, match=problem):
        run(GenerateConfig(places=40), room, joints, np.random.default_rng(0))
