"""The floor of a room in its plate, grown from where people stood and lay.

In: the plate, its depth at any scale, the camera over its floor, everybody's 2D tracks and lifted joints in that
camera. Out: a mask of the plate's pixels that show the floor, and what it was grown from. Where nobody stood, or all
in one spot, there is nothing to grow from: Rejected says which. DESIGN §4, room.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from pydantic import Field

from models.config import Config
from models.errors import Rejected
from models.geometry.camera import Camera
from models.room.floor_growth import grow
from models.room.known_floor import area_m2, lying_places, seen_floor, standing_places
from models.types import Person2D

VERSION = 1


class FloorMaskConfig(Config):
    """How finely the floor is looked for, and how much of it people must have been on."""

    width_px: int = Field(default=320, ge=64)
    """The plate is looked at in this width, pixels: floors are large, and noise is small."""
    min_known_px: int = Field(default=20, ge=1)
    """Pixels, of that width, that people must have been on."""
    min_area_m2: float = Field(default=0.3, ge=0.0)
    """Area, square metres, that people must have gone about: of who stood in one spot, the plate shows too little."""


@dataclass(frozen=True)
class FloorMask:
    """The floor of a plate."""

    floor: Bool[np.ndarray, "height width"]
    known_share: float
    """Share of it that people were seen on."""
    area_m2: float
    """Of the convex hull of the places where people were, square metres."""


def run(
    config: FloorMaskConfig,
    plate: UInt8[np.ndarray, "height width 3"],
    depth: Float[np.ndarray, "height width"],
    camera: Camera,
    people: Sequence[Person2D],
    lifted: Sequence[tuple[Float[np.ndarray, "time 24 3"], Bool[np.ndarray, "time 24"]]],
    rng: np.random.Generator,
) -> FloorMask:
    """Find the floor; `lifted` are people's joints in the world, metres, and which of them were seen (`seen_joints`).

    Raises Rejected("floor_mask") where people show too little of it.
    """
    lay = [lying_places(joints, seen) for joints, seen in lifted]
    places = np.concatenate([standing_places(camera, people), *lay])
    if len(places) == 0:
        raise Rejected("floor_mask", "nobody was seen to stand upright or to lie on the floor")
    small = camera.resized(config.width_px, round(config.width_px * camera.height_px / camera.width_px))
    size = small.width_px, small.height_px
    floor_xy = small.floor_points(small.pixel_grid())[..., :2]
    known = seen_floor(places, floor_xy)
    if known.sum() < config.min_known_px:
        raise Rejected("floor_mask", f"people were seen on {known.sum()} pixels of floor, too few to tell it by")
    area = area_m2(floor_xy[known])
    if area < config.min_area_m2:
        raise Rejected("floor_mask", f"people were seen on {area:.2f} m² of floor, {config.min_area_m2:g} are needed")
    image = cv2.resize(plate, size, interpolation=cv2.INTER_AREA)
    shrunk = cv2.resize(depth.astype(np.float32), size, interpolation=cv2.INTER_AREA).astype(np.float64)
    floor = grow(image, shrunk, small, known, rng)
    whole = cv2.resize(floor.astype(np.float32), (camera.width_px, camera.height_px), interpolation=cv2.INTER_LINEAR)
    return FloorMask(whole > 0.5, float(known.sum() / floor.sum()), area)
