"""Furnished care-home rooms from a random generator, and cameras in them: the test bench's world, truth included.

A room is built in its own frame: floor at z = 0, one corner at the origin, x and y along its walls, metres. Cameras for
training may stay in it (`random_camera`); for footage `in_camera_world` brings both to the world of DESIGN §2.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8

from models.animation.support import Support
from models.geometry.camera import Camera, intrinsics_from_focal, normal_from_angles, pose_over_floor
from models.geometry.transforms import apply, invert, transform, yaw
from models.rendering.gl_scene import Light, Surface
from models.rendering.renderer import Renderer
from models.rendering.shadow_map import DirectionalLight
from models.sample_footage.furniture import FURNITURE, Piece, moved, moved_support
from models.sample_footage.shell import (
    Opening,
    door_parts,
    hung_pictures,
    overlap,
    rug,
    shell,
    wall_frame,
    wall_rectangle,
    walls_of,
    window_parts,
)
from models.sample_footage.textures import to_image
from models.types import SURFACE_LABELS


@dataclass(frozen=True)
class SampleRoom:
    """A furnished room, in whatever frame it was last moved to (see `in_camera_world`)."""

    surfaces: tuple[Surface, ...]
    outline: Float[np.ndarray, "4 2"]
    """Corners of the floor, counter-clockwise from above."""
    height_m: float
    """Of the ceiling."""
    footprints: tuple[Float[np.ndarray, "4 2"], ...]
    """What furniture covers of the floor, one convex outline a piece; rugs are walked on and are not among them."""
    door: Float[np.ndarray, "4 2"]
    """The floor before the door, kept clear."""
    supports: tuple[Support, ...]
    light: Light
    tint: tuple[float, float, float]
    """White balance and exposure of the camera's image: factors on sRGB."""


def sample_room(rng: np.random.Generator) -> SampleRoom:
    """Draw a room: sides of 3.0 to 5.5 m; bed, wardrobe, table, chairs, window, door and more along its walls."""
    size = rng.uniform(3.0, 5.5, 2)
    height = float(rng.uniform(2.4, 2.8))
    walls = walls_of(size)
    door, window = _openings(rng, walls)
    door_floor = wall_rectangle(walls[door.wall], door.start, door.stop, 0.0, 0.9)
    pieces, footprints = _furnish(rng, walls, door_floor, window, size)
    surfaces = [surface for piece in pieces for surface in piece.surfaces]
    surfaces += shell(rng, size, height, walls, door, window, footprints)
    surfaces += window_parts(rng, walls[window.wall], window, height)
    surfaces += door_parts(rng, walls[door.wall], door)
    surfaces += hung_pictures(rng, walls, (door, window), pieces, footprints)
    surfaces += rug(rng, size)
    # Daylight comes in through the window and down; its inward normal is the wall's.
    inward = walls[window.wall][2]
    elevation, turn = rng.uniform(np.radians(50), np.radians(80)), rng.uniform(-0.6, 0.6)
    across = yaw(turn)[:2, :2] @ inward * np.cos(elevation)
    warm = float(rng.uniform(-1.0, 1.0))
    light = Light(
        direction_world=(float(across[0]), float(across[1]), float(-np.sin(elevation))),
        intensity=float(rng.uniform(0.25, 0.6)),
        ambient=float(rng.uniform(0.55, 0.8)),
    )
    exposure = float(rng.uniform(0.82, 1.12))
    return SampleRoom(
        surfaces=tuple(surfaces),
        outline=np.array([[0.0, 0.0], [size[0], 0.0], [size[0], size[1]], [0.0, size[1]]]),
        height_m=height,
        footprints=tuple(footprints),
        door=door_floor,
        supports=tuple(support for piece in pieces for support in piece.supports),
        light=light,
        tint=(exposure * (1.0 + 0.06 * warm), exposure * (1.0 + 0.006 * warm), exposure * (1.0 - 0.06 * warm)),
    )


def _openings(rng: np.random.Generator, walls: list) -> tuple[Opening, Opening]:
    door_wall, window_wall = (int(i) for i in rng.permutation(4)[:2])
    length = walls[door_wall][3]
    start = rng.uniform(0.15, length - 1.1)
    if rng.uniform() < 0.6:
        start = 0.15 if rng.uniform() < 0.5 else length - 1.1
    width = rng.uniform(1.0, 1.8)
    middle = rng.uniform(0.45, 0.55) * walls[window_wall][3]
    return Opening(door_wall, start, start + 0.95), Opening(window_wall, middle - width / 2, middle + width / 2)


def _furnish(
    rng: np.random.Generator, walls: list, door: np.ndarray, window: Opening, size: np.ndarray
) -> tuple[list[Piece], list[np.ndarray]]:
    """Set pieces along the walls, first come first served; what finds no place in 30 tries is left out."""
    wanted = ["bed", str(rng.choice(["chair", "armchair"])), "wardrobe", "table", "bedside"]
    extra = ["chair", "armchair", "sofa", "drawers", "plant", "floor_lamp", "walker"]
    area = size[0] * size[1]
    wanted += [str(name) for name in rng.permutation(extra)[: int(rng.integers(1, 3) + (area > 14) + (area > 20))]]
    pieces: list[Piece] = []
    footprints: list[np.ndarray] = []
    for name in wanted:
        piece = FURNITURE[name](rng)
        for _ in range(30):
            T, outline = _place(rng, piece, walls)
            if not _fits(outline, piece, T, size, door, window, walls, footprints):
                continue
            pieces.append(moved(piece, T))
            footprints.append(outline)
            break
    return pieces, footprints


def _place(rng: np.random.Generator, piece: Piece, walls: list) -> tuple[np.ndarray, np.ndarray]:
    depth, width = piece.size_m
    wall = walls[int(rng.integers(4))]
    gap = rng.uniform(0.01, 0.05)
    sideways = piece.label == "bed" and rng.uniform() < 0.5
    span = depth if sideways else width
    if piece.label == "bed" or rng.uniform() < 0.5:
        at = span / 2 + 0.04 if rng.uniform() < 0.5 else wall[3] - span / 2 - 0.04
    else:
        at = rng.uniform(span / 2 + 0.03, max(wall[3] - span / 2 - 0.03, span / 2 + 0.04))
    if sideways:
        # Lengthwise along the wall: turn a quarter so that the long side is at the wall.
        sign = 1.0 if rng.uniform() < 0.5 else -1.0
        T = wall_frame(wall, at) @ transform(yaw(sign * np.pi / 2), np.array([width / 2 + gap, -sign * depth / 2, 0.0]))
    elif piece.label == "chair" and rng.uniform() < 0.5:
        # Drawn out from the wall.
        T = wall_frame(wall, at) @ transform(np.eye(3), np.array([rng.uniform(0.1, 0.4), 0.0, 0.0]))
    else:
        T = wall_frame(wall, at) @ transform(np.eye(3), np.array([gap, 0.0, 0.0]))
    corners = np.array([[0, -width / 2, 0], [depth, -width / 2, 0], [depth, width / 2, 0], [0, width / 2, 0]])
    return T, apply(T, corners)[:, :2]


def _fits(
    outline: np.ndarray,
    piece: Piece,
    T: np.ndarray,
    size: np.ndarray,
    door: np.ndarray,
    window: Opening,
    walls: list,
    footprints: list,
) -> bool:
    if np.any(outline < 0.0) or np.any(outline > size) or overlap(outline, door, 0.02):
        return False
    if any(overlap(outline, other, 0.06) for other in footprints):
        return False
    before_window = wall_rectangle(walls[window.wall], window.start, window.stop, 0.0, 0.6)
    if piece.height_m > 1.1 and overlap(outline, before_window, 0.0):
        return False
    # Whoever sits needs room for the legs; that stretch must stay free, and inside.
    for support in piece.supports:
        feet = moved_support(support, T)
        spot = feet.centre + feet.facing * (0.75 if piece.label != "bed" else piece.size_m[1] / 2 + 0.35)
        if piece.label != "bed" and (np.any(spot < 0.25) or np.any(spot > size - 0.25)):
            return False
        square = spot + np.array([[-0.22, -0.22], [0.22, 0.22]])
        if piece.label != "bed" and any(overlap(square, other, 0.0) for other in footprints):
            return False
    return True


class RoomRenderer:
    """Draws one room without people through any cameras of one image size: the room is uploaded once.

    A context manager.
    """

    def __init__(self, room: SampleRoom, width: int, height: int):
        self._tint = np.asarray(room.tint, dtype=np.float32)
        anywhere = Camera(intrinsics_from_focal(float(width), width, height), width, height, np.eye(4))
        self._renderer = Renderer(anywhere, room.surfaces, light=room.light)
        solid = [s for s in room.surfaces if s.label in SOLID]
        counts = np.cumsum([0] + [len(s.vertices) for s in solid])
        vertices = np.concatenate([s.vertices for s in solid])
        # Backs are drawn as seen from the light, so that fronts do not shade themselves.
        faces = np.concatenate([s.faces + start for s, start in zip(solid, counts, strict=False)])[:, ::-1]
        direction = np.asarray(room.light.direction_world)
        with DirectionalLight(direction, [faces], [len(vertices)], spread=0.2, reach_m=2.5, bias_m=0.08) as light:
            self._R_light_world = light.R_light_world.astype(np.float32)
            self._shadow = light.cast([vertices])

    def __enter__(self) -> "RoomRenderer":  # noqa: PYI034, beartype rejects Self here
        return self

    def __exit__(self, *_: object) -> None:
        self._renderer.close()

    def view(
        self, camera: Camera
    ) -> tuple[
        UInt8[np.ndarray, "height width 3"], Float32[np.ndarray, "height width"], Int[np.ndarray, "height width"]
    ]:
        """Return RGB, depth in metres (0 is nothing), and index into SURFACE_LABELS (-1 is nothing)."""
        self._renderer.look_through(camera)
        rgb = self._renderer.render_room()
        labels, depth = self._renderer.labels({label: i + 1 for i, label in enumerate(SURFACE_LABELS)})
        points = camera.unproject(camera.pixel_grid(), depth.astype(np.float64)).reshape(-1, 3).astype(np.float32)
        shade = 1.0 - 0.35 * self._shadow.on(points @ self._R_light_world.T).reshape(depth.shape)
        return (
            to_image(rgb.astype(np.float32) / 255.0 * shade[..., None] * self._tint),
            depth,
            labels.astype(np.int64) - 1,
        )


SOLID = ("bed", "chair", "sofa", "table", "wardrobe")
"""Labels of what throws shadows and stops a camera."""


def render_empty_room(
    room: SampleRoom, camera: Camera
) -> tuple[UInt8[np.ndarray, "height width 3"], Float32[np.ndarray, "height width"], Int[np.ndarray, "height width"]]:
    """Return `RoomRenderer.view` of one camera; for several of one size keep a `RoomRenderer`."""
    with RoomRenderer(room, camera.width_px, camera.height_px) as renderer:
        return renderer.view(camera)


def random_camera(room: SampleRoom, rng: np.random.Generator, width: int, height: int) -> Camera:
    """Draw any camera that someone might put up on a wall, a shelf or the ceiling, 0.8 to 2.8 m high, pitch 0 to 60
    degrees.

    Its world is the frame that the room is in, so its origin is the room's and not under the camera.
    """
    size = room.outline.max(axis=0) - room.outline.min(axis=0)
    for _ in range(100):
        side = rng.uniform(0.05, 0.95, 2)
        side[int(rng.integers(2))] = rng.choice([0.04, 0.96])
        spot = room.outline.min(axis=0) + size * side
        z = float(rng.uniform(0.8, min(2.8, room.height_m - 0.1)))
        if not _too_near_furniture(room, spot, z, 0.15):
            break
    target = room.outline.mean(axis=0) + size * rng.uniform(-0.3, 0.3, 2)
    pitch = np.radians(rng.uniform(0.0, 60.0)) if rng.uniform() < 0.5 else np.radians(rng.uniform(5.0, 35.0))
    focal = width * 0.95 * rng.uniform(0.7, 1.3)
    return _look(spot, z, target, pitch, np.radians(rng.uniform(-3.0, 3.0)), focal, width, height)


def _too_near_furniture(room: SampleRoom, spot: np.ndarray, z: float, apart_m: float) -> bool:
    """Whether any box around a piece of furniture is nearer than that; door and window never by more than 0.15 m."""
    place = np.array([*spot, z])
    for surface in room.surfaces:
        if surface.label in (*SOLID, "window", "door"):
            low, high = surface.vertices.min(axis=0), surface.vertices.max(axis=0)
            limit = apart_m if surface.label in SOLID else min(apart_m, 0.15)
            if np.linalg.norm(place - np.clip(place, low, high)) < limit:
                return True
    return False


def _look(
    spot: np.ndarray, z: float, target: np.ndarray, pitch: float, roll: float, focal: float, width: int, height: int
) -> Camera:
    toward = target - spot
    pose = transform(yaw(np.arctan2(toward[1], toward[0])), np.array([*spot, 0.0])) @ pose_over_floor(
        normal_from_angles(pitch, roll), z
    )
    return Camera(intrinsics_from_focal(focal, width, height), width, height, pose)


def watching_camera(room: SampleRoom, rng: np.random.Generator, width: int = 640, height: int = 480) -> Camera:
    """Draw a camera for footage, high in a corner or on a wall, that sees most of the free floor; best of some tries.

    Its world is the frame that the room is in.
    """
    low, size = room.outline.min(axis=0), np.ptp(room.outline, axis=0)
    cells, _ = walkable(room, 0.0)
    spots = np.argwhere(cells)
    best, best_score = None, -1.0
    for _ in range(36):
        side = rng.choice([0.04, 0.96], 2) if rng.uniform() < 0.7 else rng.uniform(0.2, 0.8, 2)
        if 0.1 < side[0] < 0.9:
            side[int(rng.integers(2))] = rng.choice([0.03, 0.97])
        z = float(rng.uniform(1.8, min(2.5, room.height_m - 0.12)))
        spot = low + size * side
        # On a wardrobe's top, half the image would be that top.
        if _too_near_furniture(room, spot, z, 0.7):
            continue
        target = room.outline.mean(axis=0) + size * rng.uniform(-0.1, 0.1, 2)
        pitch, roll = np.radians(rng.uniform(15.0, 40.0)), np.radians(rng.uniform(-2.0, 2.0))
        camera = _look(spot, z, target, pitch, roll, rng.uniform(0.8, 1.0) * width, width, height)
        floor_points = np.concatenate([low + (spots + 0.5) * CELL_M, np.zeros((len(spots), 1))], axis=1)
        feet, heads = camera.project(floor_points), camera.project(floor_points + [0.0, 0.0, 1.7])
        with np.errstate(invalid="ignore"):
            score = np.mean(in_image(feet, camera)) + 0.5 * np.mean(in_image(heads, camera) & in_image(feet, camera))
            if room.supports:
                seats = np.array([[*support.centre, support.height_m] for support in room.supports])
                score += 0.4 * np.mean(in_image(camera.project(seats), camera))
        if score > best_score:
            best, best_score = camera, score
    if best is None:
        raise ValueError("no wall of this room is free for a camera")
    return best


def in_image(points_px: Float[np.ndarray, "*batch 2"], camera: Camera) -> Bool[np.ndarray, "*batch"]:
    """Say whether pixels lie inside the image; NaN does not."""
    return np.all((points_px > 0) & (points_px < [camera.width_px - 1, camera.height_px - 1]), axis=-1)


def in_camera_world(room: SampleRoom, camera: Camera) -> tuple[SampleRoom, Camera]:
    """Return room and camera in the world of DESIGN §2: origin on the floor under the camera, x along the view."""
    forward = camera.T_world_camera[:2, 2]
    T_room_world = transform(yaw(np.arctan2(forward[1], forward[0])), np.array([*camera.T_world_camera[:2, 3], 0.0]))
    T = invert(T_room_world)
    R = T[:2, :2]
    direction = np.asarray(room.light.direction_world)
    return (
        replace(
            room,
            surfaces=tuple(replace(s, vertices=apply(T, s.vertices)) for s in room.surfaces),
            outline=room.outline @ R.T + T[:2, 3],
            footprints=tuple(outline @ R.T + T[:2, 3] for outline in room.footprints),
            door=room.door @ R.T + T[:2, 3],
            supports=tuple(moved_support(support, T) for support in room.supports),
            light=replace(room.light, direction_world=tuple(float(c) for c in T[:3, :3] @ direction)),
        ),
        replace(camera, T_world_camera=T @ camera.T_world_camera),
    )


CELL_M = 0.05
"""Side of the walkable map's cells, metres."""


def walkable(room: SampleRoom, margin_m: float) -> tuple[Bool[np.ndarray, "x y"], Float[np.ndarray, "2"]]:
    """Mark cells whose centres lie inside the room and at least a margin from walls and furniture, and the map's
    corner."""
    low, high = room.outline.min(axis=0), room.outline.max(axis=0)
    shape = np.ceil((high - low) / CELL_M).astype(int)
    free = np.zeros((shape[0] + 2, shape[1] + 2), dtype=np.uint8)

    def fill(outline: np.ndarray, value: int) -> None:
        # OpenCV's first coordinate is the second axis; 4 bits of fraction.
        corners = np.round(((outline - low) / CELL_M + 0.5)[:, ::-1] * 16).astype(np.int32)
        cv2.fillConvexPoly(free, corners, value, shift=4)

    fill(room.outline, 1)
    for outline in room.footprints:
        fill(outline, 0)
    free[0], free[-1], free[:, 0], free[:, -1] = 0, 0, 0, 0
    distance = cv2.distanceTransform(free, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) * CELL_M
    return (distance > margin_m)[1:-1, 1:-1], low
