"""Composites clothed bodies over a room's background plate: images as the room's camera would give them, and their
truth.

In: plate and depth of an empty room through its camera, SMPL tracks, clothing, a light. Out, frame by frame: the
image, instance masks, COCO keypoint flags and the share of each body that is seen. Bodies are hidden where the room
is nearer, throw a soft shadow of a directional light and a contact shadow under them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int, UInt8

from models.body.model import BodyModel
from models.body.tracks import track_parameters
from models.geometry.camera import Camera
from models.rendering.appearance import Clothing
from models.rendering.gl_scene import Light
from models.rendering.renderer import BodyMesh, Renderer, Rendering, composite, hidden_by_room
from models.rendering.shadow_map import DirectionalLight, ShadowCaster
from models.types import PersonTrack

CAST_SHADE, CONTACT_SHADE = 0.4, 0.8
"""Share of the plate's brightness that the full shadow of the light, and of the body close above, takes away."""


@dataclass(frozen=True)
class BackgroundPlate:
    """An empty room through its camera."""

    camera: Camera
    plate: UInt8[np.ndarray, "height width 3"]
    depth: Float[np.ndarray, "height width"]
    """Metres along the optical axis; 0 is unknown."""
    occlusion: bool = True
    """Whether the depth may hide bodies; where it cannot be trusted they are drawn in front of everything."""
    tolerance: float = 0.0
    """Relative error of the depth: only what is nearer than a body by more than this hides it."""


@dataclass(frozen=True)
class Frame:
    """One composited frame."""

    image: UInt8[np.ndarray, "height width 3"]
    mask: UInt8[np.ndarray, "height width"]
    """0 background, i + 1 body i where visible."""
    keypoint_flags: Int[np.ndarray, "person 17"]
    """COCO's v: 0 outside the image, 1 hidden, 2 seen."""
    visibility: Float[np.ndarray, "person"]
    """Share of each silhouette that is seen."""


def composite_frames(
    background: BackgroundPlate,
    body: BodyModel,
    tracks: Sequence[PersonTrack],
    clothing: Sequence[Clothing],
    light: Light,
    noise: float,
    vignette: float,
    rng: np.random.Generator,
) -> Iterator[Frame]:
    """Composite every frame of the tracks (world frame, shared timestamps).

    `noise` is the sensor's deviation in 0..255; `vignette` the share of light the lens loses at the image's edges, 0
    for a plate of real footage, which has its own.
    """
    camera = background.camera
    meshes = [BodyMesh(worn.faces, worn.colours) for worn in clothing]
    faces, counts = [mesh.faces for mesh in meshes], [len(mesh.colours) for mesh in meshes]
    finish = _CameraFinish(noise, vignette, (camera.height_px, camera.width_px), rng)
    with (
        Renderer(camera, (), meshes, light) as renderer,
        DirectionalLight(np.asarray(light.direction_world), faces, counts, spread=0.09) as light_map,
        DirectionalLight(np.array([0.0, 0.0, -1.0]), faces, counts, side_px=128, contact_m=0.12) as overhead,
        ShadowCaster(camera, background.depth, light_map) as cast,
        ShadowCaster(camera, background.depth, overhead) as contact,
    ):
        for vertices, keypoints in _posed(body, tracks, clothing):
            rendering = renderer.render(vertices)
            if background.occlusion:
                hidden = hidden_by_room(rendering, background.depth * (1.0 + background.tolerance))
            else:
                hidden = np.zeros(rendering.depth.shape, dtype=np.float32)
            shade = (1.0 - CAST_SHADE * cast.mask(vertices)) * (1.0 - CONTACT_SHADE * contact.mask(vertices))
            mask = np.where(hidden > 0.5, 0, rendering.instances).astype(np.uint8)
            yield Frame(
                finish.apply(composite(background.plate, rendering, hidden, shade)),
                mask,
                _flags(camera, keypoints, mask, rendering),
                _visibility(camera, renderer, vertices, mask, rendering),
            )


def _posed(
    body: BodyModel, tracks: Sequence[PersonTrack], clothing: Sequence[Clothing]
) -> Iterator[tuple[list[np.ndarray], Float[np.ndarray, "person 17 3"]]]:
    """Dressed vertices and keypoints frame by frame, posed a few frames at a time."""
    values = [track_parameters(track) for track in tracks]
    for first in range(0, len(tracks[0].transl), 16):
        with torch.no_grad():
            parts = [tuple(v[first : first + 16] for v in parameters) for parameters in values]
            posed = [body.posed(*part) for part in parts]
            vertices = [person.vertices.numpy() for person in posed]
            keypoints = np.stack([person.keypoints.double().numpy() for person in posed])
        for i in range(len(vertices[0])):
            yield [worn.apply(v[i]) for worn, v in zip(clothing, vertices, strict=True)], keypoints[:, i]


def _flags(
    camera: Camera,
    keypoints: Float[np.ndarray, "person 17 3"],
    mask: UInt8[np.ndarray, "height width"],
    rendering: Rendering,
) -> Int[np.ndarray, "person 17"]:
    """COCO's v: 2 where the pixel shows that person's skin near the keypoint, 1 hidden, 0 outside the image."""
    pixels = camera.project(keypoints)
    inside = _in_image(pixels, camera)
    columns, rows = np.moveaxis(np.where(inside[..., None], pixels.round(), 0).astype(int), -1, 0)
    depth = (keypoints - camera.T_world_camera[:3, 3]) @ camera.T_world_camera[:3, 2]
    # Landmarks of the face lie on the skin; those of joints in the middle of the limb.
    slack = np.where(np.arange(17) < 5, 0.08, 0.18)
    person = np.arange(1, len(keypoints) + 1)[:, None]
    seen = (mask[rows, columns] == person) & (rendering.depth[rows, columns] > depth - slack)
    return np.where(inside, np.where(seen, 2, 1), 0)


def _in_image(pixels: Float[np.ndarray, "*batch 2"], camera: Camera) -> np.ndarray:
    return np.all((pixels >= -0.5) & (pixels < [camera.width_px - 0.5, camera.height_px - 0.5]), axis=-1)


def _visibility(
    camera: Camera,
    renderer: Renderer,
    vertices: list[np.ndarray],
    mask: UInt8[np.ndarray, "height width"],
    rendering: Rendering,
) -> Float[np.ndarray, "person"]:
    """Share of each silhouette that is seen; what lies outside the image counts by its vertices."""
    boxes = [renderer.region_of([v]) for v in vertices]
    apart = all(
        a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1] for i, a in enumerate(boxes) for b in boxes[:i]
    )
    whole = [int((rendering.instances == i + 1).sum()) for i in range(len(vertices))]
    if not apart:
        whole = [int(outline.sum()) for outline in renderer.silhouettes(vertices)]
    shares = np.zeros(len(vertices))
    for index, total in enumerate(whole):
        if total:
            inside = _in_image(camera.project(vertices[index].astype(np.float64)), camera).mean()
            shares[index] = float(inside) * float((mask == index + 1).sum()) / total
    return shares


class _CameraFinish:
    """A lens' softness and darker corners, and the sensor's noise.

    A few noise images, shifted at random: fresh ones cost more than drawing.
    """

    def __init__(self, deviation: float, vignette: float, shape: tuple[int, int], rng: np.random.Generator):
        self._rng = rng
        grain = rng.standard_normal((4, *shape), dtype=np.float32)
        self._bank = [
            np.round(cv2.GaussianBlur(noise, (0, 0), 0.7) * 2.4 * deviation).astype(np.int16) for noise in grain
        ]
        v, u = np.mgrid[-1.0 : 1.0 : shape[0] * 1j, -1.0 : 1.0 : shape[1] * 1j].astype(np.float32)
        corners = (1.0 - vignette * (u * u + v * v)).astype(np.float32)
        self._corners = cv2.merge([corners, corners, corners])

    def apply(self, image: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
        """Return one frame as the camera gives it."""
        noise = self._bank[int(self._rng.integers(len(self._bank)))]
        shift = tuple(int(s) for s in self._rng.integers(0, noise.shape))
        grain = np.roll(noise, shift, axis=(0, 1))
        soft = cv2.multiply(cv2.GaussianBlur(image, (0, 0), 0.45), self._corners, dtype=cv2.CV_16S)
        return cv2.add(soft, cv2.merge([grain, grain, grain]), dtype=cv2.CV_8U)
