"""Sample rooms: closed, furnished, consistent with their cameras, the same for the same seed."""

import numpy as np
import pytest

from models.sample_footage.room import (
    CELL_M,
    RoomRenderer,
    in_camera_world,
    random_camera,
    render_empty_room,
    sample_room,
    walkable,
    watching_camera,
)
from models.types import SURFACE_LABELS

SEEDS = range(6)


@pytest.fixture(scope="module")
def rooms():
    return [sample_room(np.random.default_rng(seed)) for seed in SEEDS]


def test_a_room_has_what_a_care_home_room_has(rooms):
    for room in rooms:
        labels = {surface.label for surface in room.surfaces}
        assert {"floor", "wall", "bed", "window", "door"} <= labels <= set(SURFACE_LABELS)
        size = np.ptp(room.outline, axis=0)
        assert np.all((size >= 3.0) & (size <= 5.5)) and 2.4 <= room.height_m <= 2.8
        for surface in room.surfaces:
            low, high = surface.vertices.min(axis=0), surface.vertices.max(axis=0)
            assert (
                np.all(low[:2] > -0.2)
                and np.all(high[:2] < size + 0.2)
                and low[2] > -1e-6
                and high[2] <= room.height_m + 1e-6
            )
    heights = [support.height_m for room in rooms for support in room.supports]
    assert len(heights) >= len(rooms) and min(heights) > 0.35 and max(heights) < 0.7


def test_the_same_seed_gives_the_same_room_and_picture_and_another_another():
    pictures = []
    for seed in (3, 3, 4):
        room = sample_room(np.random.default_rng(seed))
        camera = random_camera(room, np.random.default_rng(0), 80, 60)
        pictures.append(b"".join(part.tobytes() for part in render_empty_room(room, camera)))
    assert pictures[0] == pictures[1] != pictures[2]


def test_every_pixel_has_a_depth_and_a_label_and_floor_pixels_lie_on_the_floor(rooms):
    for seed, room in zip(SEEDS, rooms, strict=True):
        camera = random_camera(room, np.random.default_rng(seed), 112, 84)
        rgb, depth, labels = render_empty_room(room, camera)
        assert rgb.shape == (84, 112, 3) and 20 < rgb.mean() < 245
        assert depth.min() > 0 and labels.min() >= 0
        points = camera.unproject(camera.pixel_grid(), depth.astype(float))
        floor = labels == SURFACE_LABELS.index("floor")
        if floor.any():
            assert np.abs(points[floor][:, 2]).max() < 2e-3
        assert points[..., 2].max() < room.height_m + 2e-3


def test_the_world_of_footage_has_its_origin_under_the_camera_and_shows_the_same(rooms):
    room = rooms[0]
    camera = watching_camera(room, np.random.default_rng(1), 160, 120)
    moved, placed = in_camera_world(room, camera)
    assert np.allclose(placed.T_world_camera[:2, 3], 0.0, atol=1e-9)
    assert placed.T_world_camera[1, 2] == pytest.approx(0.0, abs=1e-9) and placed.T_world_camera[0, 2] > 0
    assert placed.height_m == pytest.approx(camera.height_m) and 1.8 <= placed.height_m <= 2.5
    assert 15.0 <= placed.pitch_deg <= 40.0
    before, after = render_empty_room(room, camera), render_empty_room(moved, placed)
    assert np.abs(before[1] - after[1]).mean() < 1e-3
    assert (before[2] == after[2]).mean() > 0.995
    assert np.abs(before[0].astype(int) - after[0]).mean() < 1.5


def test_several_cameras_share_one_upload(rooms):
    cameras = [random_camera(rooms[1], np.random.default_rng(seed), 80, 60) for seed in (5, 6)]
    with RoomRenderer(rooms[1], 80, 60) as renderer:
        views = [renderer.view(camera) for camera in cameras]
    for camera, view in zip(cameras, views, strict=True):
        for a, b in zip(view, render_empty_room(rooms[1], camera), strict=True):
            assert np.array_equal(a, b)


def test_walkable_cells_keep_their_distance_from_furniture_and_walls(rooms):
    for room in rooms:
        cells, low = walkable(room, 0.35)
        assert cells.sum() * CELL_M**2 > 0.5, "a clear area in the middle"
        points = low + (np.argwhere(cells) + 0.5) * CELL_M
        size = np.ptp(room.outline, axis=0)
        assert points.min() > 0.3 and np.all(points < size - 0.3)
        for outline in room.footprints:
            nearest = np.clip(points, outline.min(axis=0), outline.max(axis=0))
            assert np.linalg.norm(points - nearest, axis=1).min() > 0.3
