"""A motion as a row of images: clothed people on a tiled floor, with whatever furniture they fell from or onto."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int, UInt8

from models.body.model import BodyModel
from models.body.tracks import track_joints
from models.geometry.camera import Camera, intrinsics_from_focal
from models.geometry.transforms import transform, yaw
from models.rendering.appearance import dress_body
from models.rendering.compositor import BackgroundPlate, composite_frames
from models.rendering.gl_scene import Light, Surface
from models.rendering.primitives import box
from models.rendering.renderer import Renderer
from models.seeds import generator
from models.types import BodyLook, Motion, take

Box = tuple[Sequence[float], Sequence[float], float]
"""Furniture as centre and half sizes (metres, world) and yaw, as `models.falls.simulation` takes it."""

TILE_M = 0.5
AZIMUTH, ELEVATION = np.radians(-62.0), np.radians(17.0)
"""Where the camera stands, seen from the people, who at first face along x: at their right, a little before them."""
MARGIN_M = 0.28
FOCAL = 1.5
"""In image heights."""
_AIR = (238, 240, 243)
_LIGHT = Light(direction_world=(0.35, 0.45, -0.82))


def motion_strip(
    body: BodyModel,
    motion: Motion,
    frames: Int[np.ndarray, "image"],
    width_px: int,
    height_px: int,
    looks: Sequence[BodyLook],
    boxes: Sequence[Box] = (),
) -> UInt8[np.ndarray, "height width 3"]:
    """Render the frames side by side through one camera that has them all in view, `width_px` each."""
    tracks = [take(track, frames) for track in motion.people]
    camera = camera_on(np.concatenate([track_joints(body, track) for track in tracks]), width_px, height_px)
    surfaces = [_floor(camera), *(_furniture(piece) for piece in boxes)]
    with Renderer(camera, surfaces, light=_LIGHT) as renderer:
        plate, (things, depth) = renderer.render_room(), renderer.labels({"floor": 1, "bed": 2})
    # Far floor fades into the air: no horizon distracts, and its edge does not flicker.
    haze = np.where(things == 0, 1.0, np.clip((depth / np.median(depth[things > 0]) - 1.2) / 1.5, 0.0, 1.0))[..., None]
    plate = (plate * (1.0 - haze) + np.array(_AIR) * haze + 0.5).astype(np.uint8)
    background = BackgroundPlate(camera, plate, depth.astype(np.float64))
    clothing = [dress_body(body, look, track.role) for look, track in zip(looks, tracks, strict=True)]
    composited = composite_frames(
        background, body, tracks, clothing, _LIGHT, 0.0, 0.0, generator(0, "motion_strip", motion.source)
    )
    return np.concatenate([frame.image for frame in composited], axis=1)


def camera_on(joints_world: Float[np.ndarray, "pose 24 3"], width_px: int, height_px: int) -> Camera:
    """Place a camera at the people's right front, a little above, far enough to see all joints with a margin."""
    joints = joints_world.reshape(-1, 3)
    middle = (joints.min(axis=0) + joints.max(axis=0)) / 2.0
    away = np.array([np.cos(AZIMUTH) * np.cos(ELEVATION), np.sin(AZIMUTH) * np.cos(ELEVATION), np.sin(ELEVATION)])
    right = np.cross(-away, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(-away, right), -away], axis=1)
    seen = (joints - middle) @ axes
    focal_px = FOCAL * height_px
    # Each joint's own distance at which it, and the flesh around it, is just in view; the farthest counts.
    near = (np.abs(seen[:, :2]) + MARGIN_M) * focal_px / (np.array([width_px, height_px]) / 2.0) - seen[:, 2:]
    T_world_camera = transform(axes, middle + away * max(float(near.max()), 2.0))
    return Camera(intrinsics_from_focal(focal_px, width_px, height_px), width_px, height_px, T_world_camera)


def _floor(camera: Camera) -> Surface:
    """Pale tiles, far beyond the image."""
    tiles = np.full((64, 64, 3), (226, 224, 219), dtype=np.uint8)
    tiles[:32, :32] = tiles[32:, 32:] = (212, 210, 206)
    reach = 15.0
    x, y = np.round(camera.T_world_camera[:2, 3])
    corners = np.array(
        [[x - reach, y - reach, 0], [x + reach, y - reach, 0], [x + reach, y + reach, 0], [x - reach, y + reach, 0]]
    )
    return Surface(
        corners, np.array([[0, 1, 2], [0, 2, 3]]), "floor", uv=corners[:, :2] / (2.0 * TILE_M), texture=tiles, glow=1.0
    )


def _furniture(piece: Box) -> Surface:
    centre, half, angle = np.asarray(piece[0], dtype=np.float64), np.asarray(piece[1], dtype=np.float64), piece[2]
    block = box("bed", tuple(-half), tuple(half), colour=(0.72, 0.78, 0.84))
    return replace(block, vertices=block.vertices @ yaw(angle).T + centre)
