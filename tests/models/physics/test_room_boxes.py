"""A room as boxes: supports, columns, and the frame of whoever falls."""

import numpy as np
import pytest

from models.geometry.camera import Camera, intrinsics_from_focal, normal_from_angles, pose_over_floor
from models.geometry.transforms import invert, transform, yaw
from models.physics.humanoid import Box
from models.physics.room_boxes import in_frame, room_boxes
from models.types import Room, SupportSurface

CELL = 0.1


@pytest.fixture
def room() -> Room:
    """6 x 4 m with a bed (known as a support, and in the grid), a wardrobe and a wall along y = 2."""
    occupancy = np.zeros((60, 40, 25), dtype=int)
    occupancy[10:30, 5:15, :5] = 1
    occupancy[40:46, 20:26, :18] = 1
    occupancy[:, 38:, :22] = 1
    occupancy[50:, :5, :] = 2
    corners = np.array([[1.0, -1.5], [3.0, -1.5], [3.0, -0.5], [1.0, -0.5]])
    camera = Camera(
        intrinsics_from_focal(450, 640, 480), 640, 480, pose_over_floor(normal_from_angles(np.radians(25), 0.0), 2.2)
    )
    return Room(
        "r",
        camera,
        np.zeros((480, 640, 3), np.uint8),
        np.ones((480, 640)),
        np.full((480, 640), -1),
        1.0,
        0.0,
        np.ones((60, 40), bool),
        occupancy,
        np.full(occupancy.shape, 1.0),
        np.array([0.0, -2.0, 0.0]),
        CELL,
        (SupportSurface("bed", 0.5, corners),),
        0.0,
        True,
        "ok",
    )


def covered(boxes: tuple[Box, ...], x: float, y: float) -> float:
    """Height of the highest box at a place; 0 where there is none."""
    return max((box.top_m for box in boxes if box.is_under(np.array([x, y, 9.0]))), default=0.0)


def test_what_stands_in_the_room_is_solid_and_the_rest_is_free(room):
    boxes = room_boxes(room)
    assert boxes[0].label == "bed" and boxes[0].top_m == pytest.approx(0.5)
    assert covered(boxes, 2.0, -1.0) == pytest.approx(0.5), "the bed is there once, as high as its support"
    assert covered(boxes, 4.3, 0.3) == pytest.approx(1.8, abs=0.05)
    assert covered(boxes, 3.0, 1.9) > 1.9
    assert covered(boxes, 3.5, -1.0) == covered(boxes, 5.5, -1.8) == 0.0, "free floor, and what nobody ever saw"
    assert len(boxes) < 8, "cells of one piece of furniture are merged"


def test_boxes_follow_the_frame(room):
    T_world_scene = transform(yaw(0.7), np.array([1.5, -0.4, 0.0]))
    moved = in_frame(room_boxes(room), invert(T_world_scene))
    for place in ((2.0, -1.0), (4.3, 0.3), (3.5, -1.0)):
        inside = (np.array([*place, 0.0]) - T_world_scene[:3, 3]) @ T_world_scene[:3, :3]
        assert covered(moved, *inside[:2]) == pytest.approx(covered(room_boxes(room), *place))
