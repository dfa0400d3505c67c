"""One fixed camera's room in metres: what is free, what is solid, where one can stand, sit and lie.

In: the background plate, the depth of the empty room, the camera over its floor, labels of surfaces if there are any.
Out: a `Room`. The depth's floor pixels are laid onto the floor exactly. Every cell of a grid is compared with the depth
of the pixel it projects to: nearer is free, equal is occupied, farther is unseen. The floor itself is the plane z = 0,
not a cell. Where depth and floor disagree too much, the depth hides nobody, no cell is occupied, and one can stand only
where the floor mask says, or where people were seen to stand. DESIGN §4, room.
"""

import logging
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from pydantic import Field, model_validator
from scipy import ndimage

from models.errors import Rejected
from models.geometry.camera import Camera
from models.room.supports import SupportsConfig, support_surfaces
from models.types import SURFACE_LABELS, Room

log = logging.getLogger(__name__)

FREE, OCCUPIED, UNSEEN = 0, 1, 2
NOWHERE = "nowhere to stand"

VERSION = 1
_RETIRED = {"stature_m": [1.45, 2.0]}
"""Keys that no longer say anything, and the defaults that they had."""


class RoomConfig(SupportsConfig):
    """How finely the room is cut up, and when its depth is believed."""

    cell_m: float = Field(0.08, ge=0.03, le=0.3)
    """Side of a cell of the grid, metres."""
    ceiling_m: float = Field(2.4, gt=0.5)
    """Height of the grid, metres."""
    reach_m: float = Field(9.0, gt=1.0)
    """The grid ends at this distance, metres, from the camera's foot, or where the room does."""
    floor_clearance_m: float = Field(0.1, gt=0.0)
    """What rises no higher than this above the floor, metres, is floor."""
    body_height_m: float = Field(1.8, gt=0.0)
    """A walkable cell is clear up to this height, metres."""
    body_radius_m: float = Field(0.2, ge=0.0)
    """Walkable cells keep this distance, metres, from everything else."""
    footprint_m: float = Field(0.35, gt=0.0)
    """Without a trusted depth, one can stand this close, metres, to where people stood."""
    max_scale_disagreement: float = Field(0.15, gt=0.0)
    """Relative difference of the depth's own scale from the people's or the file's beyond which occlusion is off."""
    max_shape_disagreement: float = Field(0.15, gt=0.0)
    """Relative difference of the scaled depth from the floor beyond which occlusion is off."""
    min_inlier_ratio: float = Field(0.3, ge=0.0, le=1.0)
    """Share of floor inliers below which the verdict says so."""

    @model_validator(mode="before")
    @classmethod
    def _drop_retired(cls, values: Any) -> Any:
        if isinstance(values, dict):
            for name in _RETIRED.keys() & values.keys():
                log.warning("RoomConfig: the key %s says nothing any more", name)
            return {name: value for name, value in values.items() if name not in _RETIRED}
        return values

    def key_values(self) -> dict[str, Any]:
        """Say what artefact keys have always held, retired keys among it: no room is made anew."""
        return super().key_values() | _RETIRED


@runtime_checkable
class Floor(Protocol):
    """What `stages.floor.FloorFit` says that matters here."""

    @property
    def floor_pixels(self) -> Bool[np.ndarray, "height width"]:
        """Mark the pixels that show the floor."""
        ...

    @property
    def found(self) -> bool:
        """Say whether enough of the depth is a floor."""
        ...

    @property
    def inlier_ratio(self) -> float:
        """Return the share of inliers."""
        ...

    @property
    def residual_m(self) -> float:
        """Return the median distance of the inliers to the plane, metres."""
        ...

    @property
    def scale_disagreement(self) -> float:
        """Return the relative difference of the depth's scale."""
        ...

    @property
    def shape_disagreement(self) -> float:
        """Return the relative difference of the scaled depth from the floor."""
        ...


def run(
    config: RoomConfig,
    room: str,
    plate: UInt8[np.ndarray, "height width 3"],
    depth: Float[np.ndarray, "height width"],
    camera: Camera,
    surfaces: Int[np.ndarray, "height width"] | None,
    floor: Floor,
    feet_world: Float[np.ndarray, "foot 3"] | None = None,
) -> Room:
    """Build the room.

    `depth` is already brought to the camera's scale (`stages.floor.corrected`). `surfaces` holds indices into
    SURFACE_LABELS, -1 unknown; None where nothing labels the image. `feet_world` are places where people stood.
    """
    trusted = floor.found and floor.scale_disagreement <= config.max_scale_disagreement
    trusted &= floor.shape_disagreement <= config.max_shape_disagreement
    labelled = surfaces is not None
    if surfaces is None:
        surfaces = np.full(depth.shape, -1, dtype=np.int64)
        if trusted:
            surfaces[floor.floor_pixels] = SURFACE_LABELS.index("floor")
    flat = np.isin(surfaces, [SURFACE_LABELS.index("floor"), SURFACE_LABELS.index("rug")])
    floor_z = _floor_depth(camera)
    depth = lay_floor(depth, floor_z, flat)
    points = camera.unproject(camera.pixel_grid(), depth)
    origin, shape = _grid_extent(config, points, depth)
    if trusted:
        occupancy = carve(config, depth, points, camera, origin, shape)
        walkable = _walkable_seen(config, depth, floor_z, camera, occupancy, origin, flat if labelled else None)
        supports = support_surfaces(config, points, surfaces)
        signed = signed_distance(occupancy, config.cell_m)
    else:
        walkable = _walkable_believed(config, flat, floor_z, camera, feet_world, origin, shape)
        occupancy, signed = _nothing_solid(config, walkable, shape)
        supports = ()
    return Room(
        room=room,
        camera=camera,
        plate=plate,
        depth=depth,
        surfaces=surfaces,
        floor_inlier_ratio=floor.inlier_ratio,
        floor_residual_m=floor.residual_m,
        walkable=walkable,
        occupancy=occupancy,
        signed_distance=signed,
        grid_origin=origin,
        grid_cell_m=config.cell_m,
        supports=supports,
        scale_disagreement=floor.scale_disagreement,
        occlusion=trusted,
        verdict=verdict(config, floor, walkable),
    )


def with_floor(config: RoomConfig, room: Room, floor: Bool[np.ndarray, "height width"]) -> Room:
    """Return a room whose depth is not believed with a mask of its floor: one can stand there, away from all else.

    Raises Rejected("floor_mask") where that is less than near where people stood.
    """
    assert not room.occlusion
    camera, label = room.camera, SURFACE_LABELS.index("floor")
    floor_z = _floor_depth(camera)
    depth = lay_floor(room.depth, floor_z, floor)
    origin, shape = _grid_extent(config, camera.unproject(camera.pixel_grid(), depth), depth)
    walkable = _walkable_believed(config, floor, floor_z, camera, None, origin, shape)
    if walkable.sum() * config.cell_m**2 < room.walkable.sum() * room.grid_cell_m**2:
        raise Rejected("floor_mask", "one can stand on less of it than near where people stood")
    occupancy, signed = _nothing_solid(config, walkable, shape)
    problems = [problem for problem in room.verdict.split("; ") if problem != NOWHERE]
    return replace(
        room,
        depth=depth,
        surfaces=np.where(floor, label, room.surfaces),
        walkable=walkable,
        occupancy=occupancy,
        signed_distance=signed,
        grid_origin=origin,
        grid_cell_m=config.cell_m,
        verdict="; ".join(problems if walkable.any() else [*problems, NOWHERE]),
    )


def _nothing_solid(
    config: RoomConfig, walkable: Bool[np.ndarray, "x y"], shape: tuple[int, int, int]
) -> tuple[Int[np.ndarray, "x y z"], Float[np.ndarray, "x y z"]]:
    """Occupancy and signed distance of a room of which only the floor is known."""
    occupancy = np.full(shape, UNSEEN, dtype=np.int64)
    occupancy[walkable] = FREE
    return occupancy, np.full(shape, float(np.linalg.norm(shape)) * config.cell_m)


def lay_floor(
    depth: Float[np.ndarray, "height width"],
    floor_z: Float[np.ndarray, "height width"],
    flat: Bool[np.ndarray, "height width"],
) -> Float[np.ndarray, "height width"]:
    """Put floor pixels onto the floor, and raise whatever lies beneath it."""
    below = np.isfinite(floor_z) & (flat | (depth > floor_z))
    return np.where(below, floor_z, depth)


def carve(
    config: RoomConfig,
    depth: Float[np.ndarray, "height width"],
    points: Float[np.ndarray, "height width 3"],
    camera: Camera,
    origin: Float[np.ndarray, "3"],
    shape: tuple[int, int, int],
) -> Int[np.ndarray, "x y z"]:
    """Return free, occupied or unseen per cell.

    Cells that hold a surface point are occupied, wherever their centre is.
    """
    centres = origin + (np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1) + 0.5) * config.cell_m
    pixels = camera.project(centres)
    z = (centres - camera.T_world_camera[:3, 3]) @ camera.T_world_camera[:3, 2]
    inside = np.all(np.isfinite(pixels), axis=-1)
    rounded = np.where(inside[..., None], pixels, -1.0).round()
    rounded = np.clip(rounded, -1, 1e6).astype(np.int64)
    inside &= (rounded >= 0).all(axis=-1) & (rounded[..., 0] < camera.width_px) & (rounded[..., 1] < camera.height_px)
    seen = depth[np.where(inside, rounded[..., 1], 0), np.where(inside, rounded[..., 0], 0)]
    # A cell in front of the surface by less than half of itself may still touch it.
    occupancy = np.where(inside & (z < seen - config.cell_m / 2), FREE, UNSEEN)
    solid = points[points[..., 2] > config.floor_clearance_m]
    cells = np.floor((solid - origin) / config.cell_m).astype(np.int64)
    cells = cells[((cells >= 0) & (cells < shape)).all(axis=1)]
    occupancy[tuple(cells.T)] = OCCUPIED
    return occupancy


def signed_distance(occupancy: Int[np.ndarray, "x y z"], cell_m: float) -> Float[np.ndarray, "x y z"]:
    """Return metres from each cell's centre to the nearest occupied cell's surface; negative inside occupied cells."""
    occupied = occupancy == OCCUPIED
    if not occupied.any():
        return np.full(occupancy.shape, float(np.linalg.norm(occupancy.shape)) * cell_m)
    outside = np.asarray(ndimage.distance_transform_edt(~occupied, sampling=cell_m))
    inside = np.asarray(ndimage.distance_transform_edt(np.pad(occupied, 1), sampling=cell_m))[1:-1, 1:-1, 1:-1]
    return np.where(occupied, cell_m / 2 - inside, outside - cell_m / 2)


def verdict(config: RoomConfig, floor: Floor, walkable: Bool[np.ndarray, "x y"]) -> str:
    """Say 'ok', or everything that is wrong with the room, in words."""
    problems = []
    if not floor.found:
        problems.append("no floor in the depth: occlusion is off")
    elif floor.scale_disagreement > config.max_scale_disagreement:
        problems.append(
            f"depth and calibration disagree on the scale by {100 * floor.scale_disagreement:.0f} %: occlusion is off"
        )
    elif floor.shape_disagreement > config.max_shape_disagreement:
        problems.append(f"the depth departs from the floor by {100 * floor.shape_disagreement:.0f} %: occlusion is off")
    if floor.found and floor.inlier_ratio < config.min_inlier_ratio:
        problems.append(f"only {100 * floor.inlier_ratio:.0f} % of the floor is flat")
    if not walkable.any():
        problems.append(NOWHERE)
    return "; ".join(problems) or "ok"


def _floor_depth(camera: Camera) -> Float[np.ndarray, "height width"]:
    """Depth at which each pixel sees the floor; NaN at and above the horizon."""
    down = -camera.rays_camera(camera.pixel_grid()) @ camera.T_world_camera[2, :3]
    return camera.height_m / np.where(down > 1e-6, down, np.nan)


def _grid_extent(
    config: RoomConfig, points: Float[np.ndarray, "height width 3"], depth: Float[np.ndarray, "height width"]
) -> tuple[Float[np.ndarray, "3"], tuple[int, int, int]]:
    """Corner and shape of the grid over the points, stray ones apart, within reach of the camera's foot."""
    flat = points[depth > 0][:, :2]
    low = np.maximum(np.percentile(flat, 0.5, axis=0) - 0.2, -config.reach_m)
    high = np.maximum(np.minimum(np.percentile(flat, 99.5, axis=0) + 0.2, config.reach_m), low + 1.0)
    low = np.floor(low / config.cell_m) * config.cell_m
    columns = np.ceil((high - low) / config.cell_m - 1e-9).astype(int)
    shape = (int(columns[0]), int(columns[1]), int(np.ceil(config.ceiling_m / config.cell_m)))
    return np.array([low[0], low[1], 0.0]), shape


def _cell_floor(origin: Float[np.ndarray, "3"], shape: tuple[int, ...], cell_m: float) -> Float[np.ndarray, "x y 3"]:
    """Centre of each column of cells, on the floor."""
    x, y = (origin[axis] + (np.arange(shape[axis]) + 0.5) * cell_m for axis in range(2))
    return np.stack([*np.meshgrid(x, y, indexing="ij"), np.zeros((shape[0], shape[1]))], axis=-1)


def _at_floor(
    image: Bool[np.ndarray, "height width"], camera: Camera, cells: Float[np.ndarray, "x y 3"]
) -> Bool[np.ndarray, "x y"]:
    """What a mask in the image says of places on the floor; False out of view."""
    pixels = camera.project(cells)
    inside = np.all(np.isfinite(pixels), axis=-1)
    rounded = np.clip(np.where(inside[..., None], pixels, -1.0).round(), -1, 1e6).astype(np.int64)
    inside &= (rounded >= 0).all(axis=-1) & (rounded[..., 0] < camera.width_px) & (rounded[..., 1] < camera.height_px)
    return inside & image[np.where(inside, rounded[..., 1], 0), np.where(inside, rounded[..., 0], 0)]


def _walkable_seen(
    config: RoomConfig,
    depth: Float[np.ndarray, "height width"],
    floor_z: Float[np.ndarray, "height width"],
    camera: Camera,
    occupancy: Int[np.ndarray, "x y z"],
    origin: Float[np.ndarray, "3"],
    labelled_floor: Bool[np.ndarray, "height width"] | None,
) -> Bool[np.ndarray, "x y"]:
    """Columns whose floor the camera sees, with nothing solid in them up to a person's height, away from all else.

    Where people labelled the image, only what they call floor is: low furniture can hide from the depth.
    """
    # What rises from the floor by the clearance is nearer along its ray by clearance / camera height.
    tolerance = config.floor_clearance_m / max(camera.height_m, config.floor_clearance_m)
    seen_floor = np.isfinite(floor_z) & (depth >= floor_z * (1.0 - tolerance))
    if labelled_floor is not None:
        seen_floor &= labelled_floor
    floor = _at_floor(seen_floor, camera, _cell_floor(origin, occupancy.shape, config.cell_m))
    levels = int(np.ceil(config.body_height_m / config.cell_m))
    clear = floor & ~(occupancy[:, :, :levels] == OCCUPIED).any(axis=2)
    return _away_from_rest(clear, config.body_radius_m / config.cell_m, origin, config.cell_m, camera)


def _away_from_rest(
    clear: Bool[np.ndarray, "x y"], radius_cells: float, origin: Float[np.ndarray, "3"], cell_m: float, camera: Camera
) -> Bool[np.ndarray, "x y"]:
    """Cells at least so far from every cell that is not clear."""
    # Beyond the image's border nothing is known, but nothing blocks either: the border of view is no obstacle.
    in_view = _at_floor(
        np.ones((camera.height_px, camera.width_px), dtype=bool), camera, _cell_floor(origin, clear.shape, cell_m)
    )
    return clear & (np.asarray(ndimage.distance_transform_edt(clear | ~in_view)) > radius_cells)


def _walkable_believed(
    config: RoomConfig,
    flat: Bool[np.ndarray, "height width"],
    floor_z: Float[np.ndarray, "height width"],
    camera: Camera,
    feet_world: Float[np.ndarray, "foot 3"] | None,
    origin: Float[np.ndarray, "3"],
    shape: tuple[int, int, int],
) -> Bool[np.ndarray, "x y"]:
    """Without depth: the floor mask seen from above, else the places near which people stood."""
    cells = _cell_floor(origin, shape, config.cell_m)
    if flat.any():
        floor = _at_floor(flat & np.isfinite(floor_z), camera, cells)
        return _away_from_rest(floor, config.body_radius_m / config.cell_m, origin, config.cell_m, camera)
    if feet_world is None or len(feet_world) == 0:
        return np.zeros(shape[:2], dtype=bool)
    stood = np.floor((feet_world[:, :2] - origin[:2]) / config.cell_m).astype(np.int64)
    stood = stood[((stood >= 0) & (stood < shape[:2])).all(axis=1)]
    free = np.ones(shape[:2], dtype=bool)
    free[tuple(stood.T)] = False
    if free.all():
        return np.zeros(shape[:2], dtype=bool)
    return np.asarray(ndimage.distance_transform_edt(free, sampling=config.cell_m)) <= config.footprint_m
