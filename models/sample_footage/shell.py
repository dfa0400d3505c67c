"""The shell of a sample room: floor, walls, ceiling, window, door, pictures, rug, with soft shading painted in.

Walls are numbered counter-clockwise from the one along y = 0; a stretch of wall is told by distances along it, metres.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from models.geometry.transforms import transform
from models.rendering.gl_scene import Surface
from models.rendering.primitives import box, cylinder
from models.sample_footage.furniture import Piece, moved, picture
from models.sample_footage.textures import (
    FLOORS,
    WALLS,
    cloth,
    floor,
    pastel,
    to_image,
    view_outside,
    wall,
    wood_colour,
)

PIXELS_PER_M = 80.0
"""Of floor and wall textures: finer than a 640-pixel camera sees them beyond 2 m or so."""


@dataclass(frozen=True)
class Opening:
    """A door or window: which wall, from where to where along it."""

    wall: int
    start: float
    stop: float


def walls_of(size: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, float]]:
    """Start, direction along, inward normal and length of each wall; inward is to the left of the direction."""
    corners = np.array([[0.0, 0.0], [size[0], 0.0], [size[0], size[1]], [0.0, size[1]]])
    walls = []
    for i in range(4):
        along = corners[(i + 1) % 4] - corners[i]
        length = float(np.linalg.norm(along))
        along = along / length
        walls.append((corners[i], along, np.array([-along[1], along[0]]), length))
    return walls


def wall_rectangle(wall: tuple, start: float, stop: float, near: float, far: float) -> np.ndarray:
    """Return the floor outline in front of a stretch of wall, counter-clockwise from above."""
    origin, along, inward, _ = wall
    pairs = [(start, near), (stop, near), (stop, far), (start, far)]
    return np.stack([origin + a * along + b * inward for a, b in pairs])


def wall_frame(wall: tuple, at: float, z: float = 0.0) -> np.ndarray:
    """Transform from a piece's frame (x out of the wall) to the room, at a distance along the wall."""
    origin, along, inward, _ = wall
    R = np.eye(3)
    R[:2, 0], R[:2, 1] = inward, [-inward[1], inward[0]]
    return transform(R, np.array([*(origin + at * along), z]))


def overlap(a: np.ndarray, b: np.ndarray, gap: float) -> bool:
    """Say whether two upright rectangles along the axes come nearer than a gap."""
    return bool(np.all(a.min(axis=0) < b.max(axis=0) + gap) and np.all(b.min(axis=0) < a.max(axis=0) + gap))


def _plane(label: str, corners: np.ndarray, texture: np.ndarray | None = None, **more) -> Surface:
    """A quadrilateral, corners counter-clockwise as seen from where it shows; texture rows run along the last edge."""
    return Surface(
        vertices=corners,
        faces=np.array([[0, 1, 2], [0, 2, 3]]),
        label=label,
        uv=np.array([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 0.0]]) if texture is not None else None,
        texture=texture,
        **more,
    )


def shell(
    rng: np.random.Generator,
    size: np.ndarray,
    height: float,
    walls: list,
    door: Opening,
    window: Opening,
    footprints: list,
) -> list[Surface]:
    """Floor, walls, ceiling, skirting, with the darkening of corners and under furniture painted in."""
    x, y = size
    picture = floor(str(rng.choice(FLOORS)), (y, x), PIXELS_PER_M, rng)
    rows, columns = picture.shape[:2]
    covered = np.zeros((rows, columns), dtype=np.float32)
    for outline in footprints:
        cv2.fillConvexPoly(covered, np.round(outline * PIXELS_PER_M).astype(np.int32), 1.0)
    blur = cv2.GaussianBlur(covered, (0, 0), 0.10 * PIXELS_PER_M)
    v, u = np.mgrid[0:rows, 0:columns].astype(np.float32) / PIXELS_PER_M
    edge = np.minimum(np.minimum(u, x - u), np.minimum(v, y - v))
    shade = (1.0 - 0.3 * np.exp(-edge / 0.2)) * (1.0 - 0.5 * blur)
    # Daylight pools before the window and falls off into the room.
    middle = wall_rectangle(walls[window.wall], window.start, window.stop, 0.2, 1.4).mean(axis=0)
    near = np.hypot(u - middle[0], v - middle[1])
    shade = shade * (0.88 + 0.24 * np.exp(-((near / rng.uniform(1.0, 2.2)) ** 2)))
    ground = to_image(picture * shade[..., None])[::-1]
    surfaces = [_plane("floor", np.array([[0, 0, 0], [x, 0, 0], [x, y, 0], [0, y, 0]]), ground)]
    colour = pastel(rng, (0.72, 0.97), (0.0, 0.25))
    kind, seed = str(rng.choice(WALLS, p=[0.5, 0.15, 0.15, 0.2])), int(rng.integers(2**31))
    board = tuple(np.clip(colour * rng.uniform(0.8, 1.2), 0.0, 1.0))
    for index, (origin, along, _, length) in enumerate(walls):
        paper = wall(kind, (height, length), PIXELS_PER_M, colour, seed)
        z, a = np.mgrid[0 : paper.shape[0], 0 : paper.shape[1]].astype(np.float32) / PIXELS_PER_M
        corner = np.minimum(np.minimum(a, length - a), np.minimum(z, height - z))
        shade = 1.0 - 0.22 * np.exp(-corner / 0.25)
        shade *= 1.03 - 0.1 * (z / height)
        if index == window.wall:
            shade *= 0.88
        end = origin + along * length
        corners = [[*origin, 0.0], [*end, 0.0], [*end, height], [*origin, height]]
        # Seen from inside, the wall's direction runs to the left of the inward normal: wind the other way round.
        surfaces.append(_plane("wall", np.array(corners)[[1, 0, 3, 2]], to_image(paper * shade[..., None])))
        spans = [(0.0, length)] if index != door.wall else [(0.0, door.start - 0.06), (door.stop + 0.06, length)]
        for start, stop in spans:
            if stop - start > 0.02:
                ends = wall_rectangle(walls[index], start, stop, 0.0, 0.015)
                surfaces.append(box("wall", (*ends.min(axis=0), 0.0), (*ends.max(axis=0), 0.09), colour=board))
    white = float(rng.uniform(0.85, 1.0))
    v, u = np.mgrid[0:48, 0:48].astype(np.float32) / 47.0
    edge = np.minimum(np.minimum(u, 1.0 - u) * x, np.minimum(v, 1.0 - v) * y)
    ceiling = to_image(np.repeat((white * (1.0 - 0.2 * np.exp(-edge / 0.3)))[..., None], 3, axis=2))
    surfaces.append(
        _plane("other", np.array([[0, y, height], [x, y, height], [x, 0, height], [0, 0, height]]), ceiling, glow=0.35)
    )
    lamp = size * rng.uniform(0.4, 0.6, 2)
    surfaces.append(
        cylinder(
            "other",
            tuple(lamp),
            rng.uniform(0.15, 0.28),
            height - 0.1,
            height,
            0.8,
            colour=(1.0, 0.98, 0.92),
            glow=rng.uniform(0.3, 1.0),
        )
    )
    return surfaces


def _in_wall(wall: tuple, at: float, z: float, surfaces: list[Surface]) -> list[Surface]:
    return list(moved(Piece("", tuple(surfaces), (0.0, 0.0)), wall_frame(wall, at, z)).surfaces)


def window_parts(rng: np.random.Generator, wall: tuple, opening: Opening, height: float) -> list[Surface]:
    """Frame, bright panes, sill, curtains, radiator."""
    half, sill = (opening.stop - opening.start) / 2.0, rng.uniform(0.75, 1.0)
    top = min(sill + rng.uniform(1.0, 1.3), height - 0.15)
    frame = (0.93, 0.93, 0.92)
    parts = [box("window", (0.0, -half, sill), (0.03, half, top), view_outside(rng), glow=rng.uniform(0.7, 1.0))]
    bars = int(rng.integers(1, 3))
    for y in np.linspace(-half, half, bars + 2):
        parts.append(box("window", (0.0, y - 0.03, sill), (0.06, y + 0.03, top), colour=frame))
    for z in (sill, top):
        parts.append(box("window", (0.0, -half - 0.03, z - 0.03), (0.06, half + 0.03, z + 0.03), colour=frame))
    parts.append(box("window", (0.0, -half - 0.08, sill - 0.06), (0.16, half + 0.08, sill - 0.03), colour=frame))
    if rng.uniform() < 0.8:
        drape = cloth("plain", rng)
        bottom = rng.uniform(0.1, sill - 0.1)
        for side in (-1.0, 1.0):
            parts += [_curtain(side * half, side, bottom, top + 0.1, rng.uniform(0.2, 0.4), drape)]
        parts.append(
            box("window", (0.05, -half - 0.35, top + 0.1), (0.07, half + 0.35, top + 0.13), colour=(0.4, 0.35, 0.3))
        )
    if rng.uniform() < 0.6:
        parts.append(box("other", (0.02, -half * 0.8, 0.12), (0.1, half * 0.8, sill - 0.15), colour=(0.9, 0.9, 0.88)))
    return _in_wall(wall, (opening.start + opening.stop) / 2.0, 0.0, parts)


def _curtain(at: float, side: float, bottom: float, top: float, width: float, drape: np.ndarray) -> Surface:
    """A drawn-back curtain: a wavy sheet, closed at the back by the wall."""
    t = np.linspace(0.0, 1.0, 25)
    y = at + side * (t - 0.25) * width * 1.2
    x = 0.09 + 0.03 * np.sin(t * np.pi * 9.0)
    if side > 0:
        y, x = y[::-1], x[::-1]
    low, high = np.stack([x, y, np.full(25, bottom)], axis=1), np.stack([x, y, np.full(25, top)], axis=1)
    i = np.arange(24)
    # y falls along i on either side: seen from the room that is to the left.
    faces = np.concatenate([np.stack([i + 1, i, 25 + i], axis=1), np.stack([i + 1, 25 + i, 26 + i], axis=1)])
    uv = np.concatenate([np.stack([t * 1.5, np.full(25, 4.0)], axis=1), np.stack([t * 1.5, np.zeros(25)], axis=1)])
    return Surface(np.concatenate([low, high]), faces, "window", uv=uv, texture=drape, smooth=True)


def door_parts(rng: np.random.Generator, wall: tuple, opening: Opening) -> list[Surface]:
    """Build a door in its frame, with panels and a handle."""
    half, top = (opening.stop - opening.start) / 2.0, rng.uniform(1.98, 2.1)
    colour = wood_colour(rng) if rng.uniform() < 0.5 else pastel(rng, (0.75, 0.98), (0.0, 0.25))
    frame = tuple(np.clip(colour * rng.uniform(0.7, 1.1), 0.0, 1.0))
    parts = [box("door", (0.0, -half, 0.0), (0.03, half, top), colour=tuple(colour))]
    parts += [
        box("door", (0.03, -half + 0.12, z), (0.036, half - 0.12, z + 0.7), colour=tuple(colour * 0.93))
        for z in (0.2, 1.1)
    ]
    parts += [
        box("door", (0.0, y - 0.03, 0.0), (0.05, y + 0.03, top + 0.05), colour=frame)
        for y in (-half - 0.03, half + 0.03)
    ]
    parts.append(box("door", (0.0, -half, top), (0.05, half, top + 0.05), colour=frame))
    parts.append(box("door", (0.03, half - 0.14, 1.0), (0.08, half - 0.04, 1.02), colour=(0.6, 0.6, 0.6)))
    return _in_wall(wall, (opening.start + opening.stop) / 2.0, 0.0, parts)


def hung_pictures(
    rng: np.random.Generator, walls: list, openings: tuple, pieces: list, footprints: list
) -> list[Surface]:
    """Hang one to four pictures on the walls, clear of openings and of tall furniture."""
    surfaces = []
    for _ in range(int(rng.integers(1, 5))):
        piece = picture(rng)
        index, z = int(rng.integers(4)), rng.uniform(1.2, 1.5)
        at = rng.uniform(0.5, walls[index][3] - 0.5)
        start, stop = at - piece.size_m[1] / 2 - 0.1, at + piece.size_m[1] / 2 + 0.1
        if any(o.wall == index and start < o.stop + 0.4 and stop > o.start - 0.4 for o in openings):
            continue
        before = wall_rectangle(walls[index], start, stop, 0.0, 0.3)
        if any(p.height_m > z and overlap(before, outline, 0.0) for p, outline in zip(pieces, footprints, strict=True)):
            continue
        surfaces += _in_wall(walls[index], at, z, list(piece.surfaces))
    return surfaces


def rug(rng: np.random.Generator, size: np.ndarray) -> list[Surface]:
    """Lay a rug near the middle of a room, or none."""
    if rng.uniform() < 0.4:
        return []
    half = rng.uniform([0.4, 0.3], [0.9, 0.6])[:: 1 if rng.uniform() < 0.5 else -1]
    centre = size * rng.uniform(0.42, 0.58, 2)
    pattern = cloth(str(rng.choice(["plain", "stripes", "checks", "dots"])), rng)
    return [box("rug", (*(centre - half), 0.0), (*(centre + half), 0.008), pattern, uv_m=rng.uniform(0.5, 1.5))]
