"""A reconstructed room as solid boxes that physics can collide with: tops of furniture, and whatever else stands
there."""

import cv2
import numpy as np
from jaxtyping import Bool, Float

from models.geometry.transforms import apply
from models.physics.humanoid import Box
from models.types import Room

CELL_M = 0.2
"""Side of the columns that occupied space is gathered into."""
LOWEST_M = 0.12
"""What is lower is floor, as far as one camera can tell."""
TALLEST_M = 2.0


def room_boxes(room: Room) -> tuple[Box, ...]:
    """Return boxes in the room's world: one a support surface, and merged columns of occupied cells outside those."""
    supports = tuple(_support(one.label, one.height_m, one.outline) for one in room.supports)
    return (*supports, *_columns(room, supports))


def in_frame(boxes: tuple[Box, ...], T_frame_world: Float[np.ndarray, "4 4"]) -> tuple[Box, ...]:
    """Return the boxes seen from a frame that is turned about the vertical and moved."""
    rotated = float(np.arctan2(T_frame_world[1, 0], T_frame_world[0, 0]))
    return tuple(Box(b.label, apply(T_frame_world, b.centre), b.half_sizes, b.yaw + rotated) for b in boxes)


def _support(label: str, height_m: float, outline: Float[np.ndarray, "corner 2"]) -> Box:
    """The rectangle of least area around an outline, solid down to the floor."""
    (x, y), (width, depth), degrees = cv2.minAreaRect(outline.astype(np.float32))
    half = np.array([width / 2.0, depth / 2.0, height_m / 2.0])
    return Box(label, np.array([x, y, height_m / 2.0]), np.maximum(half, 0.02), float(np.radians(degrees)))


def _columns(room: Room, supports: tuple[Box, ...]) -> list[Box]:
    """Occupied space as columns from the floor to the highest occupied cell, merged to rectangles of like height."""
    step = max(1, round(CELL_M / room.grid_cell_m))
    count = np.array(room.occupancy.shape[:2]) // step
    levels = room.grid_origin[2] + (np.arange(room.occupancy.shape[2]) + 1) * room.grid_cell_m
    solid = (room.occupancy == 1) & (levels > LOWEST_M) & (levels < TALLEST_M)
    blocks = solid[: count[0] * step, : count[1] * step].reshape(count[0], step, count[1], step, -1).any(axis=(1, 3))
    tops = np.where(blocks, levels, 0.0).max(axis=-1)
    size = step * room.grid_cell_m
    for i, j in np.argwhere(tops > 0.0):
        middle = room.grid_origin[:2] + (np.array([i, j]) + 0.5) * size
        if any(one.is_under(np.array([*middle, one.top_m])) for one in supports):
            tops[i, j] = 0.0
    # Heights in steps of 20 cm, so that neighbours of one piece of furniture merge.
    grade = np.ceil(tops / 0.2).astype(int)
    boxes, left = [], grade > 0
    for i, j in np.argwhere(left):
        if not left[i, j]:
            continue
        rows, columns = _rectangle(left & (grade == grade[i, j]), int(i), int(j))
        left[i : i + rows, j : j + columns] = False
        top = float(tops[i : i + rows, j : j + columns].max())
        centre = room.grid_origin[:2] + (np.array([i, j]) + np.array([rows, columns]) / 2.0) * size
        boxes.append(
            Box("other", np.array([*centre, top / 2.0]), np.array([rows * size / 2.0, columns * size / 2.0, top / 2.0]))
        )
    return boxes


def _rectangle(free: Bool[np.ndarray, "x y"], i: int, j: int) -> tuple[int, int]:
    """Rows and columns of a rectangle of true cells that begins at (i, j), grown greedily."""
    columns = 1
    while j + columns < free.shape[1] and free[i, j + columns]:
        columns += 1
    rows = 1
    while i + rows < free.shape[0] and free[i + rows, j : j + columns].all():
        rows += 1
    return rows, columns
