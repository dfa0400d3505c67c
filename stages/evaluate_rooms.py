"""Rebuilt rooms against rooms drawn by hand.

In: a room of a store and what somebody drew over a frame of its camera. Out: how far the two floors agree, and a
picture of both. DESIGN §4, room.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, UInt8
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.config import first_fault
from models.errors import InputError
from models.text_files import read_json
from models.types import SURFACE_LABELS, Room

FLOOR = [SURFACE_LABELS.index("floor"), SURFACE_LABELS.index("rug")]


class DrawnRoom(BaseModel):
    """What somebody drew of one camera's room."""

    model_config = ConfigDict(frozen=True)
    room: str = ""
    camera: str
    floor: list[tuple[float, float]] = Field(min_length=3)
    """Outline of the floor that is seen, with what stands on it, pixels."""


class DrawnRooms(BaseModel):
    """Rooms as they were drawn, in images of one size, pixels."""

    model_config = ConfigDict(frozen=True)
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    cameras: list[DrawnRoom]


def read_drawn_rooms(path: Path) -> DrawnRooms:
    """Read a JSON file of drawn rooms; InputError names the key that is wrong."""
    try:
        return DrawnRooms.model_validate(read_json(path))
    except ValidationError as error:
        raise InputError(path, first_fault(error, ""), "see docs/formats.md, rooms drawn by hand") from error


def drawn_floor(drawn: DrawnRooms, camera: DrawnRoom, room: Room) -> Bool[np.ndarray, "height width"]:
    """Return the drawn floor as a mask of the room's plate, undistorted as that is."""
    height, width = room.plate.shape[:2]
    outline = np.array(camera.floor) * (width / drawn.width, height / drawn.height)
    mask = np.zeros((height, width), dtype=np.uint8)
    cv2.fillPoly(mask, [outline.round().astype(np.int32)], 1)
    if (lens := room.camera.lens) is not None:
        mask = lens.undistort_image(mask, exact=True)
    return mask > 0


def run(room: Room, floor: Bool[np.ndarray, "height width"]) -> dict[str, Any]:
    """Compare a room's floor with a drawn one: intersection over union, precision and recall; all None where the room
    knows no floor."""
    found = np.isin(room.surfaces, FLOOR)
    if not found.any():
        return {"iou": None, "precision": None, "recall": None}
    common = float((found & floor).sum())
    return {
        "iou": common / float((found | floor).sum()),
        "precision": common / float(found.sum()),
        "recall": common / float(floor.sum()),
    }


def picture(room: Room, floor: Bool[np.ndarray, "height width"]) -> UInt8[np.ndarray, "height width 3"]:
    """Draw the room's floor in green and the drawn one's outline in yellow over its plate."""
    found = np.isin(room.surfaces, FLOOR)
    image = room.plate.copy()
    image[found] = image[found] // 2 + np.array([0, 127, 0], dtype=np.uint8)
    outlines, _ = cv2.findContours(floor.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(image, outlines, -1, (255, 255, 0), max(1, image.shape[1] // 320)).astype(np.uint8)
