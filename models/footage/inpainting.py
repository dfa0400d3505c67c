"""Fill what no frame shows: patches of the same image that fit what lies around the hole."""

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

MOST_PX = 50_000
"""Holes of more pixels are not sharpened at full resolution."""


def fill(
    plate: UInt8[np.ndarray, "height width 3"], valid: Bool[np.ndarray, "height width"], patch_px: int = 7
) -> UInt8[np.ndarray, "height width 3"]:
    """Inpaint the pixels that are not valid with patches from elsewhere in the image (Wexler et al. 2007).

    From coarse to fine: every patch that touches the hole looks for the most similar one outside (PatchMatch, Barnes et
    al. 2009), and the hole takes the mean of what the found ones say.
    """
    hole = ~valid
    if not hole.any():
        return plate
    levels = max(
        0, int(np.ceil(np.log2(max(1.0, cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 3).max() / 4.0))))
    )
    images: list[np.ndarray] = [plate.astype(np.float32)]
    holes = [hole]
    for _ in range(levels):
        size = holes[-1].shape[1] // 2, holes[-1].shape[0] // 2
        seen = cv2.resize((~holes[-1]).astype(np.float32), size, interpolation=cv2.INTER_AREA)
        colour = cv2.resize(images[-1] * ~holes[-1][..., None], size, interpolation=cv2.INTER_AREA)
        images.append(colour / np.maximum(seen, 1e-6)[..., None])
        holes.append(seen < 0.5)
    coarsest = np.clip(images[-1], 0, 255).astype(np.uint8)
    current = cv2.inpaint(coarsest, holes[-1].astype(np.uint8), 3, cv2.INPAINT_TELEA).astype(np.float32)
    rng = np.random.default_rng(0)  # of the search alone: the same plate in, the same plate out
    found = None
    for level in range(levels, -1, -1):
        image, hole = images[level], holes[level]
        height, width = hole.shape
        enlarged = cv2.resize(current, (width, height), interpolation=cv2.INTER_LINEAR)
        current = np.where(hole[..., None], enlarged, image)
        found = None if found is None else _enlarged_match(found, (height, width))
        # At full resolution two rounds sharpen; a hole of very many pixels keeps the enlarged image instead.
        for _ in range(6 if level > 0 or levels == 0 else 2 if hole.sum() < MOST_PX else 0):
            current, found = _patch_vote(current, hole, found, patch_px, rng)
        if level == 0 and found is not None and hole.sum() < MOST_PX:
            # Means of patches blur: at last every pixel is the one that fits best, in the light of the mean.
            best = current[found[..., 0], found[..., 1]]
            light = cv2.GaussianBlur(current, (0, 0), 4.0) - cv2.GaussianBlur(best, (0, 0), 4.0)
            current = np.where(hole[..., None], best + light, current)
    return np.where(valid[..., None], plate, np.clip(current + 0.5, 0, 255).astype(np.uint8))


def _enlarged_match(
    found: Int[np.ndarray, "height width 2"], shape: tuple[int, int]
) -> Int[np.ndarray, "rows columns 2"]:
    """A field of matches at twice the size: offsets double."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    half = np.minimum(rows // 2, found.shape[0] - 1), np.minimum(columns // 2, found.shape[1] - 1)
    return found[half] * 2 + np.stack([rows % 2, columns % 2], axis=-1)


def _patch_vote(
    image: Float[np.ndarray, "height width 3"],
    hole: Bool[np.ndarray, "height width"],
    found: Int[np.ndarray, "height width 2"] | None,
    patch_px: int,
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, "height width 3"], Int[np.ndarray, "height width 2"]]:
    """One round of search and vote; `found` holds the row and column of each patch's match, and is returned better."""
    height, width = hole.shape
    r = patch_px // 2
    offsets = np.moveaxis(np.mgrid[-r : r + 1, -r : r + 1], 0, -1).reshape(-1, 2)
    box = np.ones((patch_px, patch_px), dtype=np.uint8)
    # Sources lie wholly in what was seen and in the image; targets touch the hole.
    source = cv2.dilate(hole.astype(np.uint8), box) == 0
    source[:r], source[-r:], source[:, :r], source[:, -r:] = False, False, False, False
    sources = np.argwhere(source)
    if len(sources) == 0:
        return image, np.zeros((height, width, 2), dtype=np.int64)
    targets = np.argwhere(cv2.dilate(hole.astype(np.uint8), box) > 0)
    padded = np.pad(image, ((r, r), (r, r), (0, 0)), mode="edge")

    def patches(centres: Int[np.ndarray, "patch 2"]) -> Float[np.ndarray, "patch pixel 3"]:
        at = centres[:, None] + offsets + r
        return padded[at[..., 0], at[..., 1]]

    wanted = patches(targets)

    def distance(candidates: Int[np.ndarray, "patch 2"]) -> Float[np.ndarray, "patch"]:
        inside = np.clip(candidates, 0, [height - 1, width - 1])
        usable = source[inside[:, 0], inside[:, 1]] & (inside == candidates).all(axis=1)
        cost = ((patches(inside) - wanted) ** 2).mean(axis=(1, 2))
        # A small price on distance: of equal patches the near one has the right light and perspective.
        cost = cost + 0.02 * np.abs(inside - targets).sum(axis=1)
        return np.where(usable, cost, np.inf)

    if found is None:
        found = np.zeros((height, width, 2), dtype=np.int64)
        found[tuple(targets.T)] = sources[rng.integers(len(sources), size=len(targets))]
    best = found[tuple(targets.T)]
    cost = distance(best)
    lost = ~np.isfinite(cost)
    best[lost] = sources[rng.integers(len(sources), size=int(lost.sum()))]
    cost = distance(best)
    reach = max(height, width) / 2.0
    field = found.copy()
    for step in range(4):
        for move in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            field[tuple(targets.T)] = best
            beside = np.clip(targets + np.array(move), 0, [height - 1, width - 1])
            best, cost = _better(best, cost, field[tuple(beside.T)] - np.array(move), distance)
        radius = max(1.0, reach / 4.0**step)
        jump = np.round(rng.uniform(-radius, radius, size=best.shape)).astype(np.int64)
        best, cost = _better(best, cost, best + jump, distance)
    field[tuple(targets.T)] = best
    weights = np.exp(-cost / max(1.0, 2.0 * float(np.percentile(cost, 75)))).astype(np.float32)
    total, weight = np.zeros_like(padded), np.zeros(padded.shape[:2], dtype=np.float32)
    colours = patches(best)
    for index, offset in enumerate(offsets):
        at = tuple((targets + offset + r).T)
        total[at] += weights[:, None] * colours[:, index]
        weight[at] += weights
    mean = (total / np.maximum(weight, 1e-12)[..., None])[r:-r, r:-r]
    return np.where(hole[..., None], mean, image), field


def _better(best, cost, candidates, distance):
    """Take the candidates that are better."""
    new = distance(candidates)
    improved = new < cost
    return np.where(improved[:, None], candidates, best), np.where(improved, new, cost)
