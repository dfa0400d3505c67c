"""Views of our own sample rooms that the starter depth networks learn from: rendering, files, batches."""

import logging
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from models.depth import IMAGENET_MEAN, IMAGENET_STD
from models.sample_footage.room import RoomRenderer, random_camera, sample_room, watching_camera
from models.types import SURFACE_LABELS

logger = logging.getLogger(__name__)

CANONICAL_FOCAL_RATIO = 1.0
VIEW_HEIGHT_PX, VIEW_WIDTH_PX = 168, 224
HELD_OUT = 0.05
"""Share of the views, whole rooms from the end, on which errors are measured."""
VIEWS_PER_ROOM = 4
DRAWS = 4
"""Of a camera, until one watches the room."""
FLOOR_LABELS = [SURFACE_LABELS.index("floor"), SURFACE_LABELS.index("rug")]


def render_views(count: int, rng: np.random.Generator, out: Path) -> None:
    """Render empty sample rooms from random cameras; save images, depth, focal lengths and floor masks."""
    images = np.zeros((count, VIEW_HEIGHT_PX, VIEW_WIDTH_PX, 3), dtype=np.uint8)
    depth = np.zeros((count, VIEW_HEIGHT_PX, VIEW_WIDTH_PX), dtype=np.float16)
    floor = np.zeros((count, VIEW_HEIGHT_PX, VIEW_WIDTH_PX), dtype=bool)
    focal_px, room_of = np.zeros(count), np.arange(count) // VIEWS_PER_ROOM
    for start in range(0, count, VIEWS_PER_ROOM):
        room = sample_room(rng)
        with RoomRenderer(room, VIEW_WIDTH_PX, VIEW_HEIGHT_PX) as renderer:
            for view in range(start, min(start + VIEWS_PER_ROOM, count)):
                # Half of the views are like those of footage: high on a wall, over most of the floor.
                draw = watching_camera if rng.random() < 0.5 else random_camera
                for _ in range(DRAWS):
                    camera = draw(room, rng, VIEW_WIDTH_PX, VIEW_HEIGHT_PX)
                    images[view], drawn, labels = renderer.view(camera)
                    depth[view], focal_px[view] = drawn, camera.focal_px
                    floor[view] = np.isin(labels, FLOOR_LABELS)
                    if watches(floor[view], depth[view] * VIEW_WIDTH_PX / camera.focal_px):
                        break
        if start % 300 == 0:
            logger.info("%d of %d views", start, count)
    np.savez(out, images=images, depth=depth, floor=floor, focal_px=focal_px, room_of=room_of)


class Views:
    """Rendered views in memory, as training batches."""

    def __init__(self, path: Path, short_px: int):
        """Read and resize to the network's input."""
        with np.load(path) as data:
            images, depth, self.room_of = data["images"], data["depth"].astype(np.float32), data["room_of"]
            focal = data["focal_px"] / images.shape[2] / CANONICAL_FOCAL_RATIO
            watching = watches(data["floor"], depth / focal[:, None, None])
        size = round(short_px * images.shape[2] / images.shape[1]), short_px
        self.images = np.stack([cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images])
        # The depth at which the canonical camera would see the same picture.
        self.depth = (
            np.stack([cv2.resize(d, size, interpolation=cv2.INTER_NEAREST) for d in depth]) / focal[:, None, None]
        )
        self.depth = self.depth.astype(np.float32)
        rooms = np.unique(self.room_of)
        held = rooms[len(rooms) - max(1, round(HELD_OUT * len(rooms))) :]
        self.train = np.flatnonzero(watching & ~np.isin(self.room_of, held))
        self.test = np.flatnonzero(watching & np.isin(self.room_of, held))

    def batch(self, rng: np.random.Generator, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw augmented pixels [n, 3, h, w], normalised, and canonical depth [n, h, w]."""
        pixels, depths = [], []
        for index in rng.choice(self.train, size=size):
            image, depth = self.images[index], self.depth[index]
            if rng.random() < 0.5:
                image, depth = image[:, ::-1], depth[:, ::-1]
            if rng.random() < 0.6:
                image, depth = zoomed(image, depth, rng)
            pixels.append(recoloured(np.ascontiguousarray(image), rng))
            depths.append(np.ascontiguousarray(depth))
        return normalised(np.stack(pixels)), torch.from_numpy(np.stack(depths))


def watches(
    floor: Bool[np.ndarray, "*n height width"], depth: Float[np.ndarray, "*n height width"]
) -> Bool[np.ndarray, "*n"]:
    """Tell which views a camera that watches a room could have: some floor in sight, nothing right before the lens.

    The others (the side of a wardrobe, the ceiling) cost such small networks much and teach them little.
    """
    near = np.percentile(depth[..., ::8, ::8], 10, axis=(-2, -1))
    return np.asarray((floor[..., ::4, ::4].mean(axis=(-2, -1)) > 0.12) & (near > 0.9))


def zoomed(
    image: UInt8[np.ndarray, "height width 3"], depth: Float[np.ndarray, "height width"], rng: np.random.Generator
) -> tuple[UInt8[np.ndarray, "height width 3"], Float[np.ndarray, "height width"]]:
    """Return a crop at the image's size: a longer focal length, so the canonical depth shrinks by the zoom."""
    height, width = depth.shape
    zoom = rng.uniform(1.0, 1.35)
    rows, columns = round(height / zoom), round(width / zoom)
    top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
    part = slice(top, top + rows), slice(left, left + columns)
    image = cv2.resize(image[part], (width, height), interpolation=cv2.INTER_LINEAR)
    return image, cv2.resize(depth[part], (width, height), interpolation=cv2.INTER_NEAREST) * np.float32(
        columns / width
    )


def recoloured(
    image: UInt8[np.ndarray, "height width 3"], rng: np.random.Generator
) -> UInt8[np.ndarray, "height width 3"]:
    """Return it with another exposure, white balance, sharpness and noise: what differs between cameras."""
    colours = image.astype(np.float32) / 255.0
    if rng.random() < 0.3:
        colours = cv2.GaussianBlur(colours, (0, 0), rng.uniform(0.4, 1.2))
    colours = colours ** rng.uniform(0.7, 1.4) * rng.uniform(0.7, 1.25) * rng.uniform(0.88, 1.12, size=3)
    if rng.random() < 0.1:
        colours[:] = colours.mean(axis=2, keepdims=True)
    colours = colours + rng.normal(0.0, rng.uniform(0.0, 0.04), size=colours.shape[:2] + (1,))
    return (np.clip(colours, 0.0, 1.0) * 255.0).astype(np.uint8)


def normalised(images: UInt8[np.ndarray, "n height width 3"]) -> Float[torch.Tensor, "n 3 height width"]:
    """Return pixels as the network takes them."""
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255.0
    return (pixels - torch.tensor(IMAGENET_MEAN).view(3, 1, 1)) / torch.tensor(IMAGENET_STD).view(3, 1, 1)
