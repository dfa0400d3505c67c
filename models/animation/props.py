"""Chairs and beds that stand behind an actor, and bodies lowered onto them."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float

from models.animation.actor import Actor
from models.animation.support import Support
from models.body.model import BodyModel
from models.body.tracks import track_parameters
from models.physics.humanoid import Box
from models.types import PersonTrack, take

SUNK_M = 0.12
"""How deep skin may be in a mattress, as procedural people lie and sit."""


def chair_behind(actor: Actor, height_m: float, away: Float[np.ndarray, "2"]) -> tuple[Support, tuple[Box, ...]]:
    """Return a chair with a back behind somebody who stands at the origin facing +x, moved away by x and y."""
    reach = actor.rig.leg[0] + 0.02
    seat = np.array([-reach - 0.02, 0.0])
    square = 0.22 * np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
    support = Support("chair", height_m, seat + square, seat, np.array([1.0, 0.0]), np.zeros(2))
    middle = seat + away
    boxes = (
        Box("chair", np.array([*middle, height_m / 2.0]), np.array([0.22, 0.22, height_m / 2.0])),
        Box("chair", np.array([middle[0] - 0.25, middle[1], height_m + 0.22]), np.array([0.025, 0.22, 0.22])),
    )
    return support, boxes


def bed_behind(actor: Actor, height_m: float, edge: float) -> tuple[Support, Box]:
    """Return a bed along y whose free side faces +x, its edge that far in front of the pelvis of who sits on it."""
    seat = np.array([-actor.rig.leg[0] - 0.02, 0.0])
    middle = np.array([seat[0] + edge - 0.45, 0.35])
    half = np.array([0.45, 1.0])
    corners = middle + half * np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
    support = Support("bed", height_m, corners, seat, np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    return support, Box("bed", np.array([*middle, height_m / 2.0]), np.array([*half, height_m / 2.0]))


def lowered(body: BodyModel, track: PersonTrack, box: Box, frame: int, more_m: float = 0.0) -> Box:
    """Return bed or seat lowered to the lowest skin over it, and by `more_m`: mattresses give way, boxes would throw
    people off."""
    at = take(track, np.array([frame]))
    with torch.no_grad():
        skin = body.posed(*track_parameters(at)).surface_points[0].double().numpy()
    reach = _topped(box, box.top_m - SUNK_M)
    over = [float(point[2]) for point in skin if reach.is_under(point)]
    return _topped(box, min([box.top_m, *over]) - more_m)


def _topped(box: Box, top_m: float) -> Box:
    """The box with its top at another height, its foot where it was."""
    foot = box.centre[2] - box.half_sizes[2]
    middle, half = (top_m + foot) / 2.0, (top_m - foot) / 2.0
    return replace(box, centre=np.array([*box.centre[:2], middle]), half_sizes=np.array([*box.half_sizes[:2], half]))
