"""Render: a scene to images through the room's own camera, with what is then true of each frame.

Inputs: a `Scene`, a body model, a generator for the camera's noise. Outputs: RGB frames, instance masks, and per person
and frame the box, COCO keypoints with their visibility, joints and the share of the body that is seen.
`models/rendering/compositor.py` draws; here the light is matched to the plate.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from pydantic import Field

from models.body.model import BodyModel
from models.body.tracks import track_joints, track_parameters
from models.config import Config
from models.rendering.appearance import dress_body
from models.rendering.compositor import BackgroundPlate, composite_frames
from models.rendering.gl_scene import Light
from models.types import Room, Scene

VERSION = 1


class RenderConfig(Config):
    """How the images are finished."""

    noise: float = Field(2.0, ge=0)
    """Standard deviation of the sensor's noise, in 0..255; the median plate has none left."""
    depth_tolerance: float = Field(0.12, ge=0, lt=1)
    """Relative error that the room's depth is given: a wall that was guessed too near must not make bodies see-through.
    """


@dataclass(frozen=True)
class Rendered:
    """Images of a scene and their truth."""

    frames: UInt8[np.ndarray, "time height width 3"]
    masks: UInt8[np.ndarray, "time height width"]
    """0 background, i + 1 person i where visible."""
    boxes_px: Float[np.ndarray, "person time 4"]
    """x0, y0, x1, y1 of what is visible; zeros where nothing is."""
    keypoints_px: Float[np.ndarray, "person time 17 2"]
    keypoints_visible: Int[np.ndarray, "person time 17"]
    """COCO's v: 0 outside the image, 1 hidden, 2 seen."""
    joints_world: Float[np.ndarray, "person time 24 3"]
    visibility: Float[np.ndarray, "person time"]
    """Share of each silhouette that is seen."""


def light_direction(room: Room) -> Float[np.ndarray, "3"]:
    """Guess where light comes from: the ceiling, leaning away from the brightest part of the plate's upper half (a
    window or a lamp)."""
    grey = cv2.GaussianBlur(cv2.cvtColor(room.plate, cv2.COLOR_RGB2GRAY), (0, 0), room.plate.shape[1] / 30)
    upper = grey[: grey.shape[0] // 2]
    row, column = np.unravel_index(int(upper.argmax()), upper.shape)
    ray = room.camera.T_world_camera[:3, :3] @ room.camera.rays_camera(np.array([float(column), float(row)]))
    sideways = -ray[:2] / max(float(np.linalg.norm(ray[:2])), 1e-9)
    direction = np.array([0.45 * sideways[0], 0.45 * sideways[1], -1.0])
    return direction / np.linalg.norm(direction)


def room_light(room: Room, direction_world: Float[np.ndarray, "3"]) -> Light:
    """Return a light that leaves bodies as bright and as tinted as the plate is.

    White cloth should look as bright as the room's brightest matt surfaces (the 90th percentile of its luminance); the
    tint is the plate's mean colour, half way to grey, since walls are coloured too.
    """
    plate = cv2.resize(room.plate, (160, 120), interpolation=cv2.INTER_AREA).reshape(-1, 3).astype(np.float64) / 255.0
    luminance = plate @ [0.299, 0.587, 0.114]
    bright = float(np.clip(np.percentile(luminance, 90), 0.25, 0.95))
    mean = plate.mean(axis=0) / max(float(plate.mean()), 1e-6)
    tint = np.clip((mean + 1.0) / 2.0, 0.8, 1.2)
    default = Light()
    total = (bright / 0.9) ** 2.2 * (default.intensity + default.ambient)
    share = default.intensity / (default.intensity + default.ambient)
    return Light(
        direction_world=(float(direction_world[0]), float(direction_world[1]), float(direction_world[2])),
        intensity=total * share,
        ambient=total * (1.0 - share),
        colour=(float(tint[0]), float(tint[1]), float(tint[2])),
    )


def run(config: RenderConfig, scene: Scene, body: BodyModel, rng: np.random.Generator) -> Rendered:
    """Render every frame of the scene."""
    room, people = scene.room, scene.motion.people
    clothing = [dress_body(body, look, person.role) for look, person in zip(scene.looks, people, strict=True)]
    # Depth that cannot be trusted hides nobody, and shadows then fall on the bare floor.
    depth = room.depth if room.occlusion else floor_depth(room)
    background = BackgroundPlate(room.camera, room.plate, depth, room.occlusion, config.depth_tolerance)
    light = room_light(room, scene.light_direction_world)
    composited = list(composite_frames(background, body, people, clothing, light, config.noise, 0.0, rng))
    frames, masks = np.stack([frame.image for frame in composited]), np.stack([frame.mask for frame in composited])
    flags = np.stack([frame.keypoint_flags for frame in composited], axis=1)
    with torch.no_grad():
        landmarks = np.stack([body.posed(*track_parameters(person)).keypoints.double().numpy() for person in people])
    keypoints, lens = np.nan_to_num(room.camera.project(landmarks)), room.camera.lens
    if lens is not None:  # the clip looks as the room's footage does
        frames = np.stack([lens.distort_image(frame) for frame in frames])
        masks = np.stack([lens.distort_image(mask, exact=True) for mask in masks])
        keypoints = lens.distort(keypoints)
        inside = ((keypoints >= -0.5) & (keypoints < [lens.width_px - 0.5, lens.height_px - 0.5])).all(axis=-1)
        flags = np.where(inside, flags, 0)
    return Rendered(
        frames=frames,
        masks=masks,
        boxes_px=np.stack([[_box(mask == index + 1) for mask in masks] for index in range(len(people))]),
        keypoints_px=keypoints,
        keypoints_visible=flags,
        joints_world=np.stack([track_joints(body, person) for person in people]),
        visibility=np.stack([frame.visibility for frame in composited], axis=1),
    )


def floor_depth(room: Room) -> Float[np.ndarray, "height width"]:
    """Return the depth of the bare floor z = 0 along the optical axis, metres; 0 above the horizon."""
    camera = room.camera
    points = camera.floor_points(camera.pixel_grid())
    depth = (points - camera.T_world_camera[:3, 3]) @ camera.T_world_camera[:3, 2]
    return np.nan_to_num(np.where(depth < 30.0, depth, 0.0))


def _box(mask: np.ndarray) -> Float[np.ndarray, "4"]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return np.zeros(4)
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], dtype=np.float64)
