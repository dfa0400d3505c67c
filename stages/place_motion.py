"""Generate: put a motion where the room allows it.

Inputs: a motion in its own frame (first root at x = y = 0, facing +x), its joints, a `Room`. Output: the rigid
transform into the room's world, or Rejected with a reason. A place is good when the feet walk on walkable cells, no
part of the body is inside furniture or where the camera has never seen, and the person is in view. DESIGN §6.
"""

import numpy as np
from jaxtyping import Bool, Float, Int
from pydantic import Field

from models.config import Config, renamed
from models.errors import Rejected
from models.geometry.transforms import apply, transform, yaw
from models.types import SMPL_JOINTS, Room

VERSION = 2
_FEET = [SMPL_JOINTS.index(name) for name in ("left_foot", "right_foot", "left_ankle", "right_ankle")]


class GenerateConfig(Config):
    """What makes a place good."""

    headings: int = Field(16, ge=1)
    """Turns tried at each place, evenly spread."""
    places: int = Field(150, ge=1)
    """Walkable cells tried, drawn without repetition."""
    frames: int = Field(24, ge=2)
    """Frames of the motion that are checked, evenly spread."""
    clearance_m: float = Field(0.06, ge=0)
    """Least distance of joints to furniture and walls."""
    in_view: float = Field(0.9, gt=0, le=1)
    """Share of joints that must lie inside the image, over all frames."""
    min_person_px: float = renamed("smallest_person_px", "min_person_px", 60.0, ge=0)
    """Least height of the standing person in the image."""
    max_share_off_walkable: float = renamed("off_floor", "max_share_off_walkable", 0.04, ge=0, le=1)
    """Share of feet that may lie on cells that are not walkable (the map has a grain of its own)."""


def run(
    config: GenerateConfig,
    room: Room,
    joints: Float[np.ndarray, "person time 24 3"],
    rng: np.random.Generator,
) -> Float[np.ndarray, "4 4"]:
    """Return `T_world_motion` of a good place for these joints, drawn at random; Rejected where there is none."""
    if not room.walkable.any():
        raise Rejected("the room has no walkable floor", room.verdict)
    frames = np.linspace(0, joints.shape[1] - 1, min(config.frames, joints.shape[1])).round().astype(int)
    some = joints[:, frames].reshape(-1, 24, 3)
    feet = some[:, _FEET].reshape(-1, 3)
    cells = np.argwhere(room.walkable)
    cells = cells[rng.permutation(len(cells))[: config.places]]
    headings = rng.permutation(config.headings) * (2 * np.pi / config.headings) + rng.uniform(0, 2 * np.pi)
    failures: dict[str, int] = {}
    for cell in cells:
        centre = room.grid_origin[:2] + (cell + rng.uniform(0, 1, 2)) * room.grid_cell_m
        for heading in headings:
            T = transform(yaw(float(heading)), np.array([*centre, 0.0]))
            problem = _problem(config, room, apply(T, some), apply(T, feet))
            if problem is None:
                return T
            failures[problem] = failures.get(problem, 0) + 1
    worst = max(failures, key=lambda name: failures[name])
    raise Rejected(f"no place for it: {worst}", f"{len(cells)} places, {len(headings)} headings")


def _problem(
    config: GenerateConfig,
    room: Room,
    joints_world: Float[np.ndarray, "pose 24 3"],
    feet_world: Float[np.ndarray, "foot 3"],
) -> str | None:
    """Why the place is bad; None where it is good. Cheapest checks first."""
    on_floor = feet_world[feet_world[:, 2] < 0.25]
    walkable = _look_up(room.walkable, _cells(room, on_floor)[:, :2], False)
    if len(walkable) and 1.0 - walkable.mean() > config.max_share_off_walkable:
        return "off the walkable floor"
    pixels = room.camera.project(joints_world)
    if _in_image(pixels, room.camera.width_px, room.camera.height_px).mean() < config.in_view:
        return "out of view"
    first = pixels[0, :, 1]
    if np.ptp(first[np.isfinite(first)]) < config.min_person_px:
        return "too small in the image"
    cells = _cells(room, joints_world.reshape(-1, 3))
    above = joints_world.reshape(-1, 3)[:, 2] > 0.1
    if (_look_up(room.occupancy, cells, 2)[above] == 2).mean() > 0.1:
        return "in unseen space"
    if (_look_up(room.signed_distance, cells, 0.0)[above] < config.clearance_m).any():
        return "in furniture or a wall"
    return None


def _cells(room: Room, points_world: Float[np.ndarray, "point 3"]) -> Int[np.ndarray, "point 3"]:
    return np.floor((points_world - room.grid_origin) / room.grid_cell_m).astype(int)


def _look_up(grid: np.ndarray, cells: np.ndarray, outside: float | bool) -> np.ndarray:
    """Values of grid cells; `outside` where the index leaves the grid."""
    inside = ((cells >= 0) & (cells < np.array(grid.shape))).all(axis=-1)
    values = np.full(len(cells), outside, dtype=grid.dtype)
    values[inside] = grid[tuple(cells[inside].T)]
    return values


def _in_image(pixels: Float[np.ndarray, "*batch 2"], width_px: int, height_px: int) -> Bool[np.ndarray, "*batch"]:
    """Whether pixels lie inside the image; NaN does not."""
    return (pixels[..., 0] >= 0) & (pixels[..., 0] < width_px) & (pixels[..., 1] >= 0) & (pixels[..., 1] < height_px)
