"""Render: bodies over the room's own clean plate, through the room's own camera, with what is then true of each frame.

Inputs: a `Scene`, a body model, a generator for the camera's noise. Outputs: RGB frames, instance masks, and per person
and frame the box, COCO keypoints with their visibility, joints and the share of the body that is seen. Bodies are hidden
where the room is nearer (soft at edges), throw a soft shadow on floor and furniture, and are lit like the plate.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float, Float32, Int, UInt8
from pydantic import BaseModel, ConfigDict, Field

from models.appearance import dress
from models.body import BodyModel
from models.renderer import BodyMesh, Light, Renderer, composite, hidden_by_room
from models.shadow import shadow_mask
from pipeline.types import PersonTrack, Room, Scene

VERSION = 1


class RenderConfig(BaseModel):
    """How the pictures are finished."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    shadow: bool = True
    edge_softness_m: float = Field(0.03, gt=0)
    """Depth within which a body fades behind a nearer surface."""
    blur_px: float = Field(0.6, ge=0)
    """Gaussian blur of the bodies before they are laid over the plate, at 640 wide: lens and sensor."""
    noise: float = Field(2.0, ge=0)
    """Standard deviation of the sensor's noise, in 0..255; the median plate has none left."""
    keypoint_slack_m: float = Field(0.15, ge=0)
    """A keypoint counts as visible unless something lies nearer than this in front of it."""


@dataclass(frozen=True)
class Rendered:
    """Pictures of a scene and their truth."""

    frames: UInt8[np.ndarray, "time height width 3"]
    masks: UInt8[np.ndarray, "time height width"]
    """0 background, i + 1 person i where visible."""
    boxes_px: Float[np.ndarray, "person time 4"]
    keypoints_px: Float[np.ndarray, "person time 17 2"]
    keypoints_visible: Int[np.ndarray, "person time 17"]
    joints_world: Float[np.ndarray, "person time 24 3"]
    visibility: Float[np.ndarray, "person time"]


def room_light(room: Room, direction_world: Float[np.ndarray, "3"]) -> Light:
    """A light that leaves bodies as bright and as tinted as the plate is.

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


def body_vertices(body: BodyModel, person: PersonTrack) -> Float32[np.ndarray, "time vertex 3"]:
    """Mesh of every frame in the frame of the track, metres."""
    with torch.no_grad():
        return body.vertices(*_parameters(person)).numpy().astype(np.float32)


def _parameters(person: PersonTrack) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """betas, global_orient, body_pose, transl as the body model takes them, float32."""
    time = len(person.transl)
    betas = torch.as_tensor(person.betas, dtype=torch.float32).expand(time, -1)
    rest = (person.global_orient, person.body_pose, person.transl)
    orient, pose, transl = (torch.as_tensor(value, dtype=torch.float32) for value in rest)
    return betas, orient, pose, transl


def run(config: RenderConfig, scene: Scene, body: BodyModel, rng: np.random.Generator) -> Rendered:
    """Render every frame of the scene."""
    room, camera = scene.room, scene.room.camera
    width, height = camera.width_px, camera.height_px
    people = scene.motion.people
    dresses = [dress(body, look, person.role) for look, person in zip(scene.looks, people, strict=True)]
    shapes = [
        [one.apply(vertices) for vertices in body_vertices(body, person)]
        for one, person in zip(dresses, people, strict=True)
    ]
    with torch.no_grad():
        joints = np.stack([body.joints(*_parameters(person)).numpy() for person in people]).astype(np.float64)
        landmarks = np.stack([body.keypoints(*_parameters(person)).numpy() for person in people]).astype(np.float64)
    count, times = len(people), len(scene.motion.timestamps_s)
    frames = np.empty((times, height, width, 3), dtype=np.uint8)
    masks = np.zeros((times, height, width), dtype=np.uint8)
    boxes = np.zeros((count, times, 4))
    visible = np.zeros((count, times, 17), dtype=np.int64)
    visibility = np.zeros((count, times))
    keypoints = camera.project(landmarks)
    meshes = [BodyMesh(one.faces, one.colours) for one in dresses]
    light = room_light(room, scene.light_direction_world)
    with Renderer(camera, (), meshes, light) as renderer:
        for time in range(times):
            vertices = [shape[time] for shape in shapes]
            rendering = renderer.render(vertices)
            hidden = (
                hidden_by_room(rendering, room.depth, config.edge_softness_m)
                if room.occlusion
                else np.zeros((height, width), dtype=np.float32)
            )
            shade = np.ones((height, width), dtype=np.float32)
            if config.shadow:
                shade -= shadow_mask(
                    camera, room.depth, vertices, [m.faces for m in meshes], scene.light_direction_world
                )
            frames[time] = _finish(config, composite(room.plate, rendering, hidden, shade), rendering.coverage, rng)
            masks[time] = np.where(hidden > 0.5, 0, rendering.instances)
            outlines = renderer.silhouettes(vertices)
            for person in range(count):
                mine = masks[time] == person + 1
                boxes[person, time] = _box(mine)
                inside = _inside(camera.project(vertices[person].astype(np.float64)), width, height).mean()
                whole = int(outlines[person].sum())
                visibility[person, time] = inside * mine.sum() / whole if whole else 0.0
                visible[person, time] = _keypoint_flags(
                    config,
                    room,
                    keypoints[person, time],
                    landmarks[person, time],
                    rendering.depth,
                    hidden,
                    width,
                    height,
                )
    return Rendered(frames, masks, boxes, np.nan_to_num(keypoints), visible, joints, visibility)


def _finish(
    config: RenderConfig,
    picture: UInt8[np.ndarray, "height width 3"],
    coverage: Float32[np.ndarray, "height width"],
    rng: np.random.Generator,
) -> UInt8[np.ndarray, "height width 3"]:
    """Soften the bodies' edges like the lens does, and add the sensor's noise."""
    sigma = config.blur_px * picture.shape[1] / 640.0
    result = picture.astype(np.float32)
    if sigma > 0:
        near = cv2.GaussianBlur((coverage > 0).astype(np.float32), (0, 0), 2.0 * sigma)[..., None]
        result = result + np.clip(near, 0, 1) * (cv2.GaussianBlur(result, (0, 0), sigma) - result)
    if config.noise > 0:
        # Luma noise with some grain: video codecs keep little of what varies from pixel to pixel.
        grain = rng.standard_normal(picture.shape[:2], dtype=np.float32)
        result = result + config.noise * cv2.GaussianBlur(grain, (0, 0), 0.7)[..., None] * 1.8
    return np.clip(result + 0.5, 0, 255).astype(np.uint8)


def _box(mask: np.ndarray) -> Float[np.ndarray, "4"]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return np.zeros(4)
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], dtype=np.float64)


def _inside(pixels: Float[np.ndarray, "*batch 2"], width: int, height: int) -> np.ndarray:
    u, v = pixels[..., 0], pixels[..., 1]
    return (u >= -0.5) & (u < width - 0.5) & (v >= -0.5) & (v < height - 0.5)


def _keypoint_flags(
    config: RenderConfig,
    room: Room,
    pixels: Float[np.ndarray, "17 2"],
    points_world: Float[np.ndarray, "17 3"],
    bodies_depth: Float32[np.ndarray, "height width"],
    hidden: Float32[np.ndarray, "height width"],
    width: int,
    height: int,
) -> Int[np.ndarray, "17"]:
    """COCO flags: 0 outside the image, 1 behind a body (one's own too) or the room, 2 seen."""
    flags = np.zeros(17, dtype=np.int64)
    inside = _inside(pixels, width, height)
    columns, rows = pixels[inside].round().astype(int).T
    to_camera = room.camera.T_world_camera
    depth = (points_world[inside] - to_camera[:3, 3]) @ to_camera[:3, 2]
    body = bodies_depth[rows, columns]
    behind_body = (body > 0) & (body < depth - config.keypoint_slack_m)
    behind_room = hidden[rows, columns] > 0.5
    flags[inside] = np.where(behind_body | behind_room, 1, 2)
    return flags
