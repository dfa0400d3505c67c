"""Draws textured rooms and dressed bodies off-screen through a room's own camera.

In: a `Camera` in OpenCV axes with pixel centres at whole numbers; meshes in world metres. Out: RGB, depth along the
optical axis, instance masks. The change to OpenGL's axes and to its pixel centres at halves happens here and nowhere
else.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pyrender
from jaxtyping import Float, Float32, Int, UInt8

from models.geometry.camera import Camera
from models.geometry.transforms import R_OPENGL_OPENCV, invert, transform
from models.rendering.gl_scene import (
    FLAT_COLOUR,
    FLAT_MASK,
    Z_FAR,
    Z_NEAR,
    DynamicMesh,
    Light,
    OffscreenScene,
    Region,
    Surface,
    metres_from_buffer,
    normals_operator,
    vertex_normals,
)


@dataclass(frozen=True)
class BodyMesh:
    """What stays the same of a body from frame to frame."""

    faces: Int[np.ndarray, "face 3"]
    colours: UInt8[np.ndarray, "vertex 3"]
    """sRGB."""


@dataclass(frozen=True)
class Rendering:
    """One frame."""

    rgb: UInt8[np.ndarray, "height width 3"]
    """Smoothed at edges against black: where `coverage` is below 1 the colour is already weighted by it."""
    coverage: Float32[np.ndarray, "height width"]
    """Share of the pixel that anything covers."""
    depth: Float32[np.ndarray, "height width"]
    """Along the optical axis at the pixel's centre, metres; 0 is nothing."""
    instances: UInt8[np.ndarray, "height width"]
    """0 nothing or a static surface, i + 1 body i where it is nearest."""
    region: Region
    """Outside of it there is nothing."""


class Renderer:
    """Draws static surfaces and moving bodies through one camera. A context manager: leave it to free the GPU's memory.

    `surfaces` may be empty: then bodies alone are drawn, over nothing, ready for `composite` onto a background plate.
    Shadows are not drawn: `models.rendering.shadow_map` gives them for a plate and its depth.
    """

    def __init__(
        self,
        camera: Camera,
        surfaces: Sequence[Surface] = (),
        bodies: Sequence[BodyMesh] = (),
        light: Light | None = None,
    ):
        if len(bodies) > 254:
            raise ValueError(f"{len(bodies)} bodies: instance masks have room for 254")
        self.camera = camera
        self.light = light or Light()
        self._scene = OffscreenScene(camera.width_px, camera.height_px)
        self._eye = pyrender.IntrinsicsCamera(1.0, 1.0, 0.0, 0.0, znear=Z_NEAR, zfar=Z_FAR)
        self._eye_node = self._scene.set_camera(self._eye, np.eye(4))
        self.look_through(camera)
        self._static = self._scene.add_static(surfaces, self.light)
        self._bodies = list(bodies)
        self._operators = [normals_operator(body.faces, len(body.colours)) for body in bodies]
        self._meshes = [self._scene.add_dynamic(body.faces, len(body.colours)) for body in bodies]

    def __enter__(self) -> "Renderer":  # noqa: PYI034, beartype rejects Self here
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the buffers."""
        self._scene.close()

    def look_through(self, camera: Camera) -> None:
        """Change to another camera of the same image size."""
        if (camera.width_px, camera.height_px) != (self.camera.width_px, self.camera.height_px):
            raise ValueError(
                f"{camera.width_px}x{camera.height_px} pixels for a renderer of "
                f"{self.camera.width_px}x{self.camera.height_px}"
            )
        self.camera = camera
        K = camera.intrinsics
        self._eye.fx, self._eye.fy = K[0, 0], K[1, 1]
        # OpenGL counts from the pixel's corner, K from its centre.
        self._eye.cx, self._eye.cy = K[0, 2] + 0.5, K[1, 2] + 0.5
        self._scene.set_pose(self._eye_node, camera.T_world_camera @ transform(R_OPENGL_OPENCV, np.zeros(3)))

    def render_room(self) -> UInt8[np.ndarray, "height width 3"]:
        """Render colour alone, of the surfaces alone."""
        return np.ascontiguousarray(self._scene.draw(FLAT_COLOUR, {})[0][..., :3])

    def region_of(self, vertices_world: Sequence[Float[np.ndarray, "vertex 3"]]) -> Region:
        """Return a box of the image, with some margin, that holds bodies; empty (all 0) where they are out of view."""
        width, height = self.camera.width_px, self.camera.height_px
        if self._static:
            return 0, 0, width, height
        T_camera_world = invert(self.camera.T_world_camera)
        low, high = np.array([np.inf, np.inf]), np.array([-np.inf, -np.inf])
        for vertices in vertices_world:
            points = vertices @ T_camera_world[:3, :3].T + T_camera_world[:3, 3]
            if points[:, 2].min() < Z_NEAR:
                return 0, 0, width, height
            pixels = (points @ self.camera.intrinsics.T)[:, :2] / points[:, 2:]
            low, high = np.minimum(low, pixels.min(axis=0)), np.maximum(high, pixels.max(axis=0))
        left, top = np.clip(np.floor(low) - 1, 0, [width, height]).astype(int)
        right, bottom = np.clip(np.ceil(high) + 2, 0, [width, height]).astype(int)
        return (int(left), int(top), int(right), int(bottom)) if right > left and bottom > top else (0, 0, 0, 0)

    def _moved(self, vertices_world: Sequence[Float[np.ndarray, "vertex 3"]]) -> dict[DynamicMesh, np.ndarray]:
        if len(vertices_world) != len(self._bodies):
            raise ValueError(f"{len(vertices_world)} bodies' vertices for a renderer of {len(self._bodies)} bodies")
        return dict(zip(self._meshes, vertices_world, strict=True))

    def render(self, vertices_world: Sequence[Float[np.ndarray, "vertex 3"]] = ()) -> Rendering:
        """Draw one frame; `vertices_world` holds one [vertex, 3] array a body, metres."""
        moved = self._moved(vertices_world)
        size = (self.camera.height_px, self.camera.width_px)
        rgb, coverage = np.zeros((*size, 3), dtype=np.uint8), np.zeros(size, dtype=np.float32)
        depth, instances = np.zeros(size, dtype=np.float32), np.zeros(size, dtype=np.uint8)
        region = self.region_of(vertices_world)
        if region[2] == 0:
            return Rendering(rgb, coverage, depth, instances, region)
        lit = {}
        for mesh, body, operator in zip(self._meshes, self._bodies, self._operators, strict=True):
            shade = self.light.shade(vertex_normals(moved[mesh], body.faces, operator))
            lit[mesh] = body.colours.astype(np.float32) / 255.0 * shade
        colour, _ = self._scene.draw(FLAT_COLOUR, moved, colours=lit, region=region)
        ids = dict.fromkeys(self._static, 0) | {mesh.node: i + 1 for i, mesh in enumerate(self._meshes)}
        mask, buffer = self._scene.draw(FLAT_MASK, {}, ids, region=region)
        inside = np.s_[region[1] : region[3], region[0] : region[2]]
        rgb[inside], coverage[inside] = colour[..., :3], colour[..., 3] / np.float32(255.0)
        depth[inside], instances[inside] = metres_from_buffer(buffer), mask
        return Rendering(rgb, coverage, depth, instances, region)

    def silhouettes(
        self, vertices_world: Sequence[Float[np.ndarray, "vertex 3"]]
    ) -> UInt8[np.ndarray, "body height width"]:
        """Return each body's own outline, 1 inside, as if nothing stood in front of it."""
        moved = self._moved(vertices_world)
        masks = np.zeros((len(self._meshes), self.camera.height_px, self.camera.width_px), dtype=np.uint8)
        for mask, (mesh, vertices) in zip(masks, moved.items(), strict=True):
            left, top, right, bottom = region = self.region_of([vertices])
            if right:
                mask[top:bottom, left:right], _ = self._scene.draw(FLAT_MASK, moved, {mesh.node: 1}, region=region)
        return masks

    def labels(
        self, values: dict[str, int]
    ) -> tuple[UInt8[np.ndarray, "height width"], Float32[np.ndarray, "height width"]]:
        """Return the value (0 to 255) of the nearest surface's label, 0 where there is none, and the depth, without
        bodies."""
        mask, buffer = self._scene.draw(FLAT_MASK, {}, {node: values[label] for node, label in self._static.items()})
        return np.ascontiguousarray(mask), metres_from_buffer(buffer)


def composite(
    plate: UInt8[np.ndarray, "height width 3"],
    rendering: Rendering,
    hidden: Float32[np.ndarray, "height width"],
    shade: Float32[np.ndarray, "height width"],
) -> UInt8[np.ndarray, "height width 3"]:
    """Lay bodies over a plate.

    `hidden` is the share of the bodies' pixel that the room covers (see `hidden_by_room`), `shade` the factor in [0, 1]
    by which the plate is dimmed (1 is no shadow).
    """
    result = cv2.multiply(plate, cv2.merge([shade, shade, shade]), dtype=cv2.CV_8U)
    left, top, right, bottom = rendering.region
    inside = np.s_[top:bottom, left:right]
    seen = (1.0 - hidden[inside])[..., None]
    background = plate[inside].astype(np.float32) * shade[inside][..., None]
    mixed = rendering.rgb[inside] * seen + background * (1.0 - rendering.coverage[inside][..., None] * seen)
    result[inside] = np.clip(mixed + 0.5, 0.0, 255.0).astype(np.uint8)
    return result


def hidden_by_room(
    rendering: Rendering, room_depth: Float[np.ndarray, "height width"], softness_m: float = 0.02
) -> Float32[np.ndarray, "height width"]:
    """Return the share in [0, 1] of each pixel's body that the room hides: 0.5 at equal depth, 0 or 1 by
    `softness_m` off.

    Pixels without room depth (0 or less) hide nothing; neither do pixels without a body.
    """
    hidden = np.zeros(room_depth.shape, dtype=np.float32)
    left, top, right, bottom = rendering.region
    if right == left:
        return hidden
    body, room = rendering.depth[top:bottom, left:right], room_depth[top:bottom, left:right].astype(np.float32)
    # Along its edge a body covers part of pixels whose centre it misses: they lie as deep as their neighbours.
    body = np.where(body > 0, body, cv2.dilate(body, np.ones((3, 3), dtype=np.uint8)))
    behind = np.clip((body - room) / np.float32(2.0 * softness_m) + np.float32(0.5), 0.0, 1.0)
    behind[(room <= 0) | (rendering.coverage[top:bottom, left:right] <= 0)] = 0.0
    hidden[top:bottom, left:right] = behind
    return hidden
