"""A room of exact geometry: four walls, a bed, a camera high on one wall."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from models.errors import Rejected
from models.geometry.camera import Camera, intrinsics_from_focal, normal_from_angles, pose_over_floor
from models.types import SURFACE_LABELS
from stages.room import FREE, OCCUPIED, UNSEEN, RoomConfig, lay_floor, run, with_floor

WIDTH, HEIGHT = 320, 240
BED = ((1.6, -1.9, 0.0), (3.6, -0.9, 0.5))
CAMERA = Camera(
    intrinsics_from_focal(240.0, WIDTH, HEIGHT), WIDTH, HEIGHT, pose_over_floor(normal_from_angles(0.5, 0.0), 2.2)
)


@dataclass(frozen=True)
class Fit:
    """What the floor stage says, by hand."""

    floor_pixels: np.ndarray
    found: bool = True
    inlier_ratio: float = 1.0
    residual_m: float = 0.0
    scale_disagreement: float = 0.0
    shape_disagreement: float = 0.0


def scene() -> tuple[np.ndarray, np.ndarray]:
    """Depth and labels: floor, walls at x = 5, y = -2, y = 2, the bed."""
    rays = CAMERA.rays_camera(CAMERA.pixel_grid()) @ CAMERA.T_world_camera[:3, :3].T
    start = CAMERA.T_world_camera[:3, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        planes = [(2, 0.0), (0, 5.0), (1, -2.0), (1, 2.0)]
        hits = np.stack([(at - start[axis]) / rays[..., axis] for axis, at in planes])
        hits = np.where(hits > 1e-9, hits, np.inf)
        enter, leave = (np.asarray(BED[0]) - start) / rays, (np.asarray(BED[1]) - start) / rays
    near, far = np.minimum(enter, leave).max(axis=-1), np.maximum(enter, leave).min(axis=-1)
    depth, labels = hits.min(axis=0), np.array([0, 1, 1, 1])[hits.argmin(axis=0)]
    bed = (near < far) & (near > 0) & (near < depth)
    return np.where(bed, near, depth), np.where(bed, SURFACE_LABELS.index("bed"), labels).astype(np.int64)


DEPTH, LABELS = scene()
PLATE = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
FIT = Fit(floor_pixels=LABELS == 0)


def build(fit=FIT, depth=DEPTH, surfaces=LABELS, **more):
    return run(RoomConfig(), "room", PLATE, depth, CAMERA, surfaces, fit, **more)


@pytest.fixture(scope="module")
def room():
    return build()


def cell(room, *point: float) -> tuple[int, ...]:
    return tuple(np.floor((np.array(point) - room.grid_origin[: len(point)]) / room.grid_cell_m).astype(int))


def test_cells_are_free_occupied_or_unseen(room):
    assert room.occupancy[cell(room, 2.0, 0.5, 1.0)] == FREE
    assert room.occupancy[cell(room, 2.5, -1.4, 0.8)] == FREE
    assert room.occupancy[cell(room, 2.5, -1.2, 0.49)] == OCCUPIED
    assert room.occupancy[cell(room, 4.98, 0.0, 1.0)] == OCCUPIED
    # Inside the bed, behind it, and behind the wall.
    assert room.occupancy[cell(room, 2.5, -1.4, 0.2)] == UNSEEN
    assert room.occupancy[cell(room, 3.75, -1.5, 0.1)] == UNSEEN
    # Floor is a plane, not a cell: nothing low and far from furniture is occupied.
    assert room.occupancy[cell(room, 3.0, 0.5, 0.03)] != OCCUPIED


def test_signed_distance_is_the_way_to_the_nearest_thing(room):
    # From 1.0 m above the floor straight over the bed, whose top is at 0.5 m.
    assert abs(room.signed_distance[cell(room, 2.5, -1.2, 1.0)] - 0.5) < 1.5 * room.grid_cell_m
    assert room.signed_distance[cell(room, 2.5, -1.2, 0.49)] < 0
    assert (room.signed_distance[room.occupancy != OCCUPIED] >= 0).all()


def test_walkable_is_the_seen_floor_away_from_bed_and_walls(room):
    x, y = np.meshgrid(
        *(room.grid_origin[i] + (np.arange(n) + 0.5) * room.grid_cell_m for i, n in enumerate(room.walkable.shape)),
        indexing="ij",
    )
    outside_bed = np.maximum.reduce([BED[0][0] - x, x - BED[1][0], BED[0][1] - y, y - BED[1][1]])
    clear = np.minimum.reduce([5.0 - x, 2.0 - np.abs(y), outside_bed])
    assert not (room.walkable & (clear < 0.2 - room.grid_cell_m)).any()
    u = CAMERA.project(np.stack([x, y, np.zeros_like(x)], axis=-1))
    seen = np.isfinite(u).all(-1) & (u > 2).all(-1) & (u[..., 0] < WIDTH - 3) & (u[..., 1] < HEIGHT - 3)
    lit = seen & (clear > 0.2 + 2 * room.grid_cell_m) & ((y > -0.6) | (x < 1.2))
    assert room.walkable[lit].mean() > 0.99 and lit.sum() > 500


def test_the_bed_is_a_support(room):
    (bed,) = room.supports
    assert bed.label == "bed" and abs(bed.height_m - 0.5) < 0.01
    low, high = bed.outline.min(axis=0), bed.outline.max(axis=0)
    np.testing.assert_allclose(np.concatenate([low, high]), [1.6, -1.9, 3.6, -0.9], atol=0.12)


def test_without_labels_the_bed_is_found_by_its_shape():
    room = build(surfaces=None)
    assert [support.label for support in room.supports] == ["other"]
    assert abs(room.supports[0].height_m - 0.5) < 0.01
    assert (room.surfaces == 0).sum() == FIT.floor_pixels.sum()


def test_floor_pixels_are_laid_onto_the_floor():
    room = build(depth=DEPTH * np.where(LABELS == 0, 1.04, 1.0))
    np.testing.assert_allclose(room.depth, DEPTH, rtol=1e-6)
    assert room.occlusion and room.verdict == "ok"


def test_what_lies_below_the_floor_is_raised_to_it():
    floor_z = np.array([[2.0, 2.0, np.nan]])
    laid = lay_floor(np.array([[3.0, 1.0, 9.0]]), floor_z, np.zeros((1, 3), dtype=bool))
    np.testing.assert_array_equal(laid, [[2.0, 1.0, 9.0]])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scale_disagreement": 0.31}, "depth and calibration disagree on the scale by 31 %: occlusion is off"),
        ({"shape_disagreement": 0.2}, "the depth departs from the floor by 20 %: occlusion is off"),
        ({"found": False}, "no floor in the depth: occlusion is off"),
    ],
)
def test_a_depth_that_is_not_trusted_hides_nobody(change, words):
    room = build(fit=replace(FIT, **change))
    assert not room.occlusion and room.verdict == words
    assert not (room.occupancy == OCCUPIED).any() and room.supports == ()
    assert (room.signed_distance > 1.0).all()
    # The floor mask still says where one can stand.
    assert room.walkable[cell(room, 3.0, 0.5)] and not room.walkable[cell(room, 2.5, -1.2)]


def test_without_mask_or_trust_one_stands_where_people_stood():
    bad = replace(FIT, shape_disagreement=0.5)
    feet = np.array([[2.0, 0.5, 0.0], [3.0, 0.6, 0.0], [99.0, 0.0, 0.0]])
    room = build(fit=bad, surfaces=None, feet_world=feet)
    stood = room.walkable
    assert stood[cell(room, 2.0, 0.5)] and stood[cell(room, 3.25, 0.6)] and not stood[cell(room, 2.0, -1.0)]
    assert abs(stood.sum() * room.grid_cell_m**2 - 2 * np.pi * 0.35**2) < 0.15
    nowhere = build(fit=bad, surfaces=None)
    assert not nowhere.walkable.any() and nowhere.verdict.endswith("nowhere to stand")


def test_a_floor_that_is_found_later_is_stood_on_away_from_all_else():
    bad = replace(FIT, found=False)
    nowhere = build(fit=bad, surfaces=None, depth=DEPTH * 1.4)
    room = with_floor(RoomConfig(), nowhere, LABELS == 0)
    assert room.verdict == "no floor in the depth: occlusion is off" and not room.occlusion
    assert room.walkable[cell(room, 3.0, 0.5)] and room.occupancy[cell(room, 3.0, 0.5, 0.3)] == FREE
    assert not room.walkable[cell(room, 2.5, -1.2)] and not room.walkable[cell(room, 3.0, 1.95)]
    np.testing.assert_allclose(room.depth[LABELS == 0], DEPTH[LABELS == 0], rtol=1e-6)
    np.testing.assert_array_equal(room.surfaces == 0, LABELS == 0)
    labelled = build(fit=bad)
    assert abs(int(room.walkable.sum()) - int(labelled.walkable.sum())) / labelled.walkable.sum() < 0.02
    nothing = with_floor(RoomConfig(), nowhere, np.zeros_like(LABELS, dtype=bool))
    assert nothing.verdict == nowhere.verdict and not nothing.walkable.any()
    feet = np.array([[2.0, 0.5, 0.0], [3.0, 0.6, 0.0]])
    stood = build(fit=bad, surfaces=None, feet_world=feet)
    with pytest.raises(Rejected, match="one can stand on less of it than near where people stood"):
        with_floor(RoomConfig(), stood, np.zeros_like(LABELS, dtype=bool))


def test_a_retired_key_is_passed_over_and_stays_in_artefact_keys(caplog):
    """No room is made anew because a key that did nothing is gone."""
    assert RoomConfig.model_validate({"stature_m": [1.4, 2.1], "cell_m": 0.1}) == RoomConfig(cell_m=0.1)
    assert caplog.messages == ["RoomConfig: the key stature_m says nothing any more"]
    assert RoomConfig().key_values()["stature_m"] == [1.45, 2.0]


def test_the_same_input_gives_the_same_room(room):
    again = build()
    for name in ("depth", "occupancy", "signed_distance", "walkable"):
        assert getattr(room, name).tobytes() == getattr(again, name).tobytes()


def test_a_mirrored_scene_gives_a_mirrored_room():
    flipped = build(depth=DEPTH[:, ::-1].copy(), surfaces=LABELS[:, ::-1].copy(), fit=Fit(LABELS[:, ::-1] == 0))
    (bed,) = flipped.supports
    assert abs((bed.outline[:, 1].min() + bed.outline[:, 1].max()) / 2 - 1.4) < 0.1


def test_a_bed_that_the_depth_missed_is_not_walked_on_where_people_labelled_it():
    """The bed's pixels get the floor's own depth: geometry sees bare floor there, the label knows better."""
    rays = CAMERA.rays_camera(CAMERA.pixel_grid()) @ CAMERA.T_world_camera[:3, :3].T
    bed = LABELS == SURFACE_LABELS.index("bed")
    flat = np.where(bed, -CAMERA.height_m / np.minimum(rays[..., 2], -1e-9), DEPTH)
    unlabelled = build(depth=flat, surfaces=None, fit=Fit(floor_pixels=(LABELS == 0) | bed))
    labelled = build(depth=flat)
    # A cell of floor whose pixel is labelled bed.
    pixel = np.argwhere(bed)[len(np.argwhere(bed)) // 2]
    place = CAMERA.floor_points(pixel[::-1].astype(np.float64))
    assert unlabelled.walkable[cell(unlabelled, place[0], place[1])]
    assert not labelled.walkable[cell(labelled, place[0], place[1])]
