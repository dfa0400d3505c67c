"""Soft shadows of moving bodies on a room that is only a plate and its depth.

In: the room's depth through its camera, the bodies' meshes, the direction of a distant light. Out: how much of the
light each pixel of the room loses, in [0, 1]. The bodies' depth is drawn from the light (orthographic); room pixels
behind it are in shadow, the softer the further behind (percentage-closer soft shadows, Fernando 2005, with blurred maps
for the average).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pyrender
from jaxtyping import Float, Float32, Int

from models.geometry.camera import Camera
from models.geometry.transforms import transform
from models.rendering.gl_scene import FLAT_MASK, OffscreenScene

NEAR = 1.0
"""Where the light's near plane stands from the nearest vertex, metres."""

BLUR_M = (0.008, 0.03, 0.08, 0.2)
"""Standard deviations of the blurred maps, metres; penumbras between them are interpolated."""

SHRINK = (1, 1, 2, 4)
"""How much coarser the more blurred maps are kept."""


@dataclass(frozen=True)
class ShadowMap:
    """What stands between a light and the room, seen from the light, blurred by several amounts."""

    low: Float[np.ndarray, "2"]
    """Light coordinates (a, b) of the map's corner, metres."""
    cell: float
    """Side of the map's cells, metres."""
    first: float
    """Where along the light the first vertex lies, metres."""
    last: float
    """Where the last one does."""
    blurred: tuple[Float32[np.ndarray, "_ _ 3"], ...]
    """For each of BLUR_M, first axis b, second a: coverage, coverage times distance along the light, and for contact
    coverage times exp((distance - last) / contact_m)."""
    spread: float
    """Of `DirectionalLight`, as are those below."""
    reach_m: float
    bias_m: float
    contact_m: float | None

    def on(self, points: Float32[np.ndarray, "point 3"]) -> Float32[np.ndarray, "point"]:
        """Return the share of light that points, given in light coordinates, lose; 0 for points that are not finite."""
        shade = np.zeros(len(points), dtype=np.float32)
        a, b, along = points.T
        high = self.low + self.cell * self.blurred[0].shape[0]
        reached = np.flatnonzero(
            (a > self.low[0]) & (a < high[0]) & (b > self.low[1]) & (b < high[1]) & (along > self.first)
        )
        if reached.size:
            u, v = (a[reached] - self.low[0]) / self.cell, (b[reached] - self.low[1]) / self.cell
            shade[reached] = self._look_up(u, v, along[reached])
        return shade

    def _look_up(self, u: np.ndarray, v: np.ndarray, along: np.ndarray) -> np.ndarray:
        # remap takes at most 32767 rows: lay the pixels out in rows of 512.
        padding = (0, -len(u) % 512)
        rows = [np.pad(c.astype(np.float32), padding).reshape(-1, 512) for c in (u, v)]

        def sample(index: int) -> np.ndarray:
            k = SHRINK[index]
            found = cv2.remap(self.blurred[index], rows[0] / k - 0.5, rows[1] / k - 0.5, cv2.INTER_LINEAR)
            return found.reshape(-1, 3)[: len(u)]

        wide = sample(2)
        gap = np.where(wide[:, 0] > 1e-4, along - wide[:, 1] / np.maximum(wide[:, 0], 1e-4), 0.0)
        if self.contact_m is not None:
            # Each cell darkens by exp(-distance / contact_m), whatever else of the body is above it.
            near = wide[:, 2] * np.exp(np.minimum((self.last - along) / self.contact_m, 20.0))
            # Nothing that is nearer the light than the body's underside, and no more than the body covers.
            return np.clip(near, 0.0, wide[:, 0]) * np.clip(1.0 + gap / 0.03, 0.0, 1.0)
        sigma = np.clip(self.spread * gap, BLUR_M[0], BLUR_M[-1])
        level = np.interp(np.log(sigma), np.log(BLUR_M), np.arange(len(BLUR_M))).astype(np.float32)
        shadow = np.zeros(len(u), dtype=np.float32)
        for index in range(len(BLUR_M)):
            value = wide if index == 2 else sample(index)
            weight = np.clip(1.0 - np.abs(level - index), 0.0, 1.0)
            behind = along - value[:, 1] / np.maximum(value[:, 0], 1e-4)
            shadow += weight * value[:, 0] * np.clip(behind / self.bias_m - 1.0, 0.0, 1.0)
        return shadow * np.clip(1.0 - gap / self.reach_m, 0.0, 1.0)


class DirectionalLight:
    """A distant light, seen from which moving meshes cast shadow maps. A context manager.

    `spread` is the light's size: the standard deviation of the penumbra per metre between body and room. `reach_m`
    limits how far behind a body its shadow goes, fading out; `bias_m` is how far behind it begins. With `contact_m` the
    bodies are seen from the room instead, and darken what lies within about that distance of them: under a light
    overhead, the dark under feet and under whoever lies.
    """

    def __init__(
        self,
        light_direction: Float[np.ndarray, "3"],
        faces: Sequence[Int[np.ndarray, "face 3"]],
        vertex_counts: Sequence[int],
        spread: float = 0.06,
        reach_m: float = 1e3,
        bias_m: float = 0.015,
        side_px: int = 256,
        contact_m: float | None = None,
    ):
        forward = np.asarray(light_direction, dtype=np.float64)
        forward = forward / np.linalg.norm(forward)
        right = np.cross(forward, [0.0, 0.0, 1.0] if abs(forward[2]) < 0.9 else [1.0, 0.0, 0.0])
        right /= np.linalg.norm(right)
        self.R_light_world = np.stack([right, np.cross(forward, right), forward])
        """World to light coordinates: a, b across the light, and along it."""
        self._character = (spread, reach_m, bias_m, contact_m)
        self._margin_m = min(7.5 * spread, 3.0 * BLUR_M[-1]) if contact_m is None else 3.0 * BLUR_M[2]
        self._side_px = side_px
        self._scene = OffscreenScene(side_px, side_px)
        self._eye = pyrender.OrthographicCamera(xmag=1.0, ymag=1.0, znear=NEAR, zfar=NEAR + 1.0)
        self._node = self._scene.set_camera(self._eye, np.eye(4))
        self._bodies = [self._scene.add_dynamic(f, n) for f, n in zip(faces, vertex_counts, strict=True)]

    def __enter__(self) -> "DirectionalLight":  # noqa: PYI034, beartype rejects Self here
        return self

    def __exit__(self, *_: object) -> None:
        self._scene.close()

    def cast(self, vertices_world: Sequence[Float[np.ndarray, "vertex 3"]]) -> ShadowMap:
        """Draw the shadow map of at least one body."""
        light = [(v @ self.R_light_world.T).astype(np.float32) for v in vertices_world]
        low = np.min([v.min(axis=0) for v in light], axis=0)
        high = np.max([v.max(axis=0) for v in light], axis=0)
        half = float((high - low)[:2].max()) / 2.0 + self._margin_m
        middle = (low + high)[:2] / 2.0
        depth, covered = self._draw(light, low, high, middle, half)
        cell = 2.0 * half / self._side_px
        contact = self._character[3]
        close = covered * np.exp((depth - high[2]) / contact) if contact is not None else np.zeros_like(covered)
        layers = np.dstack([covered, depth * covered, close])
        blurred = []
        for sigma, shrink in zip(BLUR_M, SHRINK, strict=True):
            size = (self._side_px // shrink, self._side_px // shrink)
            small = cv2.resize(layers, size, interpolation=cv2.INTER_AREA) if shrink > 1 else layers
            kernel = max(sigma / cell / shrink, 0.3)
            blurred.append(cv2.GaussianBlur(small, (0, 0), kernel, borderType=cv2.BORDER_CONSTANT))
        return ShadowMap(middle - half, cell, float(low[2]), float(high[2]), tuple(blurred), *self._character)

    def _draw(self, light: list, low: np.ndarray, high: np.ndarray, middle: np.ndarray, half: float) -> tuple:
        """Distance along the light and coverage, on a grid whose first axis is b and second a."""
        self._eye.xmag = self._eye.ymag = half
        self._eye.zfar = NEAR + float(high[2] - low[2]) + 0.1
        # The scene is drawn in light coordinates; OpenGL's camera looks along -z with y up: b downwards, as in images.
        # From the room it looks back the same way, rows upside down.
        from_room = self._character[3] is not None
        turn = np.eye(3) if from_room else np.diag([1.0, -1.0, -1.0])
        start = high[2] + NEAR if from_room else low[2] - NEAR
        self._scene.set_pose(self._node, transform(turn, np.array([middle[0], middle[1], start])))
        ids = {body.node: 255 for body in self._bodies}
        mask, buffer = self._scene.draw(FLAT_MASK, dict(zip(self._bodies, light, strict=True)), ids)
        covered = (mask > 0).astype(np.float32)
        distance = buffer * np.float32(self._eye.zfar - NEAR)
        if from_room:
            return np.float32(high[2]) - distance[::-1], covered[::-1]
        return distance + np.float32(low[2]), covered


class ShadowCaster:
    """Shadows of the same bodies on the same room through one camera, frame after frame. A context manager."""

    def __init__(
        self, camera: Camera, room_depth: Float[np.ndarray, "height width"], light: DirectionalLight, stride: int = 2
    ):
        """`stride`: shadows are worked out for every so many pixels each way, and enlarged: they are soft."""
        depth = np.asarray(room_depth, dtype=np.float64)[stride // 2 :: stride, stride // 2 :: stride]
        points = camera.unproject(camera.pixel_grid()[stride // 2 :: stride, stride // 2 :: stride], depth)
        self._light = light
        self._points = (points.reshape(-1, 3) @ light.R_light_world.T).astype(np.float32)
        self._points[(depth <= 0).ravel()] = np.nan
        self._shape, self._full = depth.shape, room_depth.shape

    def __enter__(self) -> "ShadowCaster":  # noqa: PYI034, beartype rejects Self here
        return self

    def __exit__(self, *_: object) -> None:
        self._light.__exit__()

    def mask(self, vertices_world: Sequence[Float[np.ndarray, "vertex 3"]]) -> Float32[np.ndarray, "height width"]:
        """Return the share of the light that bodies take from each pixel of the room; 0 where there is no room
        depth."""
        mask = self._light.cast(vertices_world).on(self._points).reshape(self._shape)
        return mask if self._shape == self._full else cv2.resize(mask, self._full[::-1], interpolation=cv2.INTER_LINEAR)
