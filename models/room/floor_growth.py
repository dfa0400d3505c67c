"""The floor of a plate, grown from the part on which people were seen.

Three cues vote, each wrong where the others are not. Appearance: a random forest tells floor that people were on from
what lies above the horizon, pixel by pixel; it is precise, and blind to a second floor covering. Regions: GrabCut
(Rother et al. 2004) from the same floor outwards, to three distances; it takes other coverings in, and low walls with
them. Slope: the inverse depth of a level plane falls along image columns as the camera's tilt says, that of upright
things does not; a depth network that knows no distances still shows that. What is far beyond where anybody was is less
likely floor.
"""

from typing import cast

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8
from scipy import ndimage
from sklearn.ensemble import RandomForestClassifier

from models.errors import Rejected
from models.geometry.camera import Camera

FAR_M = 12.0
"""Beyond this, metres, nothing counts as floor; with what lies above the horizon it shows what floor is not."""
TREES, EXAMPLES, MIN_LEAF = 60, 3000, 10
MIN_ELSEWHERE_PX = 100
BLURS_PX = (2.0, 5.0)
REGIONS_REACH = (1.2, 1.5, 2.0)
"""How far the regions start out, as multiples of the distance up to which people were."""
GRABCUT_ROUNDS = 5
THRESHOLD = 0.5
"""Of the mean of the cues. Chosen with BEYOND on eight cameras of two public data sets."""
BEYOND = (1.8, 0.3)
"""At so many times the distance up to which people were, the mean counts half; and how fast it comes to nothing."""
SLOPES = (0.15, 0.65)
"""Slopes, of the floor's own, at which a pixel is upright and at which it is level."""


def grow(
    plate: UInt8[np.ndarray, "height width 3"],
    depth: Float[np.ndarray, "height width"],
    camera: Camera,
    known: Bool[np.ndarray, "height width"],
    rng: np.random.Generator,
) -> Bool[np.ndarray, "height width"]:
    """Return the floor about a known part of it, of any covering; `depth` is the plate's, at any scale.

    Rejected("floor_mask") where the image shows nothing that is surely no floor, as from a camera that looks down.
    """
    distance = np.linalg.norm(camera.floor_points(camera.pixel_grid())[..., :2], axis=-1)
    distance = np.where(np.isfinite(distance), distance, np.inf)
    elsewhere = distance > FAR_M
    if elsewhere.sum() < MIN_ELSEWHERE_PX:
        raise Rejected("floor_mask", "the camera sees no horizon: nothing shows what floor does not look like")
    reach = float(np.quantile(distance[known], 0.98))
    regions = [region(plate, known, elsewhere, distance < far * reach) for far in REGIONS_REACH]
    cues = [appearance(plate, known, elsewhere, rng), np.mean(regions, axis=0)]
    if (level := slope(depth, camera, known)) is not None:
        cues.append(level)
    share, width = BEYOND
    believed = 1.0 / (1.0 + np.exp(np.clip((distance / reach - share) / width, -30.0, 30.0)))
    return _whole((np.mean(cues, axis=0) * believed > THRESHOLD) & ~elsewhere, known)


def appearance(
    plate: UInt8[np.ndarray, "height width 3"],
    known: Bool[np.ndarray, "height width"],
    elsewhere: Bool[np.ndarray, "height width"],
    rng: np.random.Generator,
) -> Float[np.ndarray, "height width"]:
    """Return how likely each pixel is of the known floor, by its colour and texture, against what is elsewhere."""
    features = _features(plate)
    drawn = [features[mask][rng.integers(int(mask.sum()), size=EXAMPLES)] for mask in (known, elsewhere)]
    forest = RandomForestClassifier(TREES, min_samples_leaf=MIN_LEAF, random_state=int(rng.integers(2**31)))
    forest.fit(np.concatenate(drawn), np.repeat([1, 0], EXAMPLES))
    likely = np.asarray(forest.predict_proba(features.reshape(-1, features.shape[-1])))
    return likely[:, 1].reshape(known.shape)


def _features(plate: UInt8[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "height width feature"]:
    """Lab; the same blurred, its deviation nearby, and the size of its gradient."""
    lab = cv2.cvtColor(plate, cv2.COLOR_RGB2LAB).astype(np.float32)
    blurred = [cv2.GaussianBlur(lab, (0, 0), sigma) for sigma in BLURS_PX]
    mean = blurred[0]
    deviation = np.sqrt(np.maximum(cv2.GaussianBlur(lab * lab, (0, 0), BLURS_PX[0]) - mean * mean, 0.0))
    gradients = [np.abs(cv2.Sobel(mean[..., 0], cv2.CV_32F, *axis)) for axis in ((1, 0), (0, 1))]
    smooth = np.stack([cv2.GaussianBlur(one, (0, 0), BLURS_PX[0]) for one in gradients], axis=-1)
    return np.concatenate([lab, *blurred, deviation, smooth], axis=-1)


def region(
    plate: UInt8[np.ndarray, "height width 3"],
    known: Bool[np.ndarray, "height width"],
    elsewhere: Bool[np.ndarray, "height width"],
    near: Bool[np.ndarray, "height width"],
) -> Bool[np.ndarray, "height width"]:
    """Return the region of the known floor by GrabCut, which starts from all that is near."""
    labels = np.where(near & ~elsewhere, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
    labels[known] = cv2.GC_FGD
    cv2.setRNGSeed(0)
    backwards = np.ascontiguousarray(plate[..., ::-1])
    colours = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(backwards, labels, (0, 0, 0, 0), *colours, GRABCUT_ROUNDS, cv2.GC_INIT_WITH_MASK)
    return (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)


def slope(
    depth: Float[np.ndarray, "height width"], camera: Camera, known: Bool[np.ndarray, "height width"]
) -> Float[np.ndarray, "height width"] | None:
    """Return how level each pixel is, 0 to 1, by how fast inverse depth falls upwards along its column, against the
    known floor; None where the depth is not that of a floor even there."""
    down = -camera.rays_camera(camera.pixel_grid()) @ camera.T_world_camera[2, :3]
    inverse = 1.0 / np.maximum(depth, 0.1)
    falls = np.gradient(np.asarray(ndimage.gaussian_filter(inverse, BLURS_PX[0] + 1.0)), axis=0)
    falls[-4:] = falls[-5]
    floors = float(np.median(falls[known]))
    if floors <= 0.0:
        return None
    low, high = SLOPES
    return np.where(down > 0.0, np.clip((falls / floors - low) / (high - low), 0.0, 1.0), 0.0)


def _whole(mask: Bool[np.ndarray, "height width"], known: Bool[np.ndarray, "height width"]) -> np.ndarray:
    """Without specks and pinholes; the parts that hold some of the known floor."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    opened = cv2.morphologyEx(closed, cv2.MORPH_OPEN, kernel) > 0
    labels, _ = cast(tuple[np.ndarray, int], ndimage.label(opened))
    kept = np.unique(labels[known & opened])
    return np.isin(labels, kept[kept > 0]) | known
