"""Floor that is known because people were on it: where they stood in the image, and where they lay.

A foot counts only where the body over it has a person's height before the calibrated camera: feet on a bed have not.
Of who lies, only what was seen counts, and only of somebody who was upright before: who lies all night lies in bed.
"""

from collections.abc import Iterable
from typing import cast

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from models.geometry.camera import Camera
from models.types import COCO_KEYPOINTS, SMPL_JOINTS, Person2D

ANKLE_M = 0.09
"""Height of an ankle over the floor it stands on, metres."""
SHOULDERS_M = (1.1, 1.7)
"""Heights between which the shoulders of who stands are, metres: from bent old people to tall ones."""
UPRIGHT_PELVIS_M = 0.6
"""Who has been upright had the pelvis above this, metres."""
LYING_PELVIS_M, LYING_NECK_M, ON_FLOOR_M = 0.35, 0.45, 0.25
"""Who has pelvis and neck no higher lies on the floor, with the joints that are no higher than the last, metres."""
CELL_M = 0.05
FOOTPRINT_M = 0.1
"""About a place is floor, too, metres."""
MIN_SIGHTINGS = 3
"""Of a place, more than both feet in one frame: that may be keypoints gone astray."""
MIN_ISLAND = 0.1
"""Of the largest island; smaller ones are images in mirrors and windows."""
_SHOULDERS, _LEGS = [5, 6], ((11, 13, 15), (12, 14, 16))
_PELVIS, _NECK = SMPL_JOINTS.index("pelvis"), SMPL_JOINTS.index("neck")
_KEYPOINTS = {name: COCO_KEYPOINTS.index(name) for name in SMPL_JOINTS if name in COCO_KEYPOINTS} | {
    "head": COCO_KEYPOINTS.index("nose")
}


def standing_places(camera: Camera, people: Iterable[Person2D], min_score: float = 0.3) -> Float[np.ndarray, "place 2"]:
    """Return where feet of upright people stood, x and y on the floor, metres."""
    places = [np.zeros((0, 2))]
    for person in people:
        points, scores = person.keypoints_px, person.scores
        shoulders = points[:, _SHOULDERS].mean(axis=1)
        for leg in _LEGS:
            hip, knee, ankle = (points[:, joint, 1] for joint in leg)
            fine = person.visible & (scores[:, [*_SHOULDERS, *leg]] >= min_score).all(axis=1)
            fine &= (hip < knee) & (knee < ankle)
            rays = camera.rays_camera(points[:, leg[2]]) @ camera.T_world_camera[:3, :3].T
            down = np.where(rays[:, 2:] < -1e-6, rays[:, 2:], np.nan)
            feet = camera.T_world_camera[:3, 3] - rays * (camera.height_m - ANKLE_M) / down
            feet[:, 2] = 0.0
            low, high = (camera.project(feet + (0.0, 0.0, height))[:, 1] for height in SHOULDERS_M)
            fine &= np.isfinite(feet).all(axis=1) & (shoulders[:, 1] < low) & (shoulders[:, 1] > high)
            places.append(feet[fine, :2])
    return np.concatenate(places)


def seen_joints(person: Person2D, min_score: float = 0.3) -> Bool[np.ndarray, "time 24"]:
    """Tell which of SMPL's joints were seen in each frame: those that are keypoints, too."""
    seen = np.zeros((len(person.visible), len(SMPL_JOINTS)), dtype=bool)
    for name, keypoint in _KEYPOINTS.items():
        seen[:, SMPL_JOINTS.index(name)] = person.visible & (person.scores[:, keypoint] >= min_score)
    return seen


def lying_places(
    joints_world: Float[np.ndarray, "time 24 3"], seen: Bool[np.ndarray, "time 24"]
) -> Float[np.ndarray, "place 2"]:
    """Return what was seen on the floor of somebody who came to lie there, x and y, metres; joints in SMPL's order."""
    upright = seen.any(axis=1) & (joints_world[:, _PELVIS, 2] > UPRIGHT_PELVIS_M)
    lies = (joints_world[:, _PELVIS, 2] < LYING_PELVIS_M) & (joints_world[:, _NECK, 2] < LYING_NECK_M)
    lies &= np.logical_or.accumulate(upright)
    joints = joints_world[lies[:, None] & seen]
    return joints[joints[:, 2] < ON_FLOOR_M, :2]


def area_m2(places: Float[np.ndarray, "place 2"]) -> float:
    """Compute the area of the convex hull of places, square metres: how far about people went."""
    try:
        return float(ConvexHull(places).volume) if len(places) > 2 else 0.0
    except QhullError:
        return 0.0


def seen_floor(
    places: Float[np.ndarray, "place 2"], floor_xy: Float[np.ndarray, "height width 2"]
) -> Bool[np.ndarray, "height width"]:
    """Mark the pixels whose floor point (NaN above the horizon) is within FOOTPRINT_M of at least MIN_SIGHTINGS
    places."""
    if len(places) == 0:
        return np.zeros(floor_xy.shape[:2], dtype=bool)
    margin = FOOTPRINT_M + CELL_M
    corner = places.min(axis=0) - margin
    shape = tuple(int(size) for size in np.ceil((places.max(axis=0) + margin - corner) / CELL_M) + 1)
    counts = np.zeros(shape)
    np.add.at(counts, tuple(np.floor((places - corner) / CELL_M).astype(int).T), 1.0)
    reach = round(FOOTPRINT_M / CELL_M)
    x, y = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    near = np.asarray(ndimage.convolve(counts, (x**2 + y**2 <= reach**2).astype(float), mode="constant"))
    cells: Float[np.ndarray, "height width 2"] = np.floor((floor_xy - corner) / CELL_M)
    inside: Bool[np.ndarray, "height width 1"] = np.all(
        np.isfinite(cells) & (cells >= 0) & (cells < shape), axis=-1, keepdims=True
    )
    index: Int[np.ndarray, "height width 2"] = np.where(inside, cells, 0.0).astype(int)
    found = inside[..., 0] & (near[index[..., 0], index[..., 1]] > MIN_SIGHTINGS - 0.5)
    return without_small_islands(found)


def without_small_islands(mask: Bool[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    """Keep the connected parts of at least MIN_ISLAND of the largest one's area."""
    labels, count = cast(tuple[np.ndarray, int], ndimage.label(mask))
    if count == 0:
        return mask
    sizes = np.bincount(labels.ravel())[1:]
    return np.isin(labels, 1 + np.flatnonzero(sizes >= MIN_ISLAND * sizes.max()))
