"""Which samples of a fixed camera say what the empty room looks like, pixel by pixel.

Of the rooms that the samples show (furniture is moved, the camera is nudged, the light changes) one is kept: the one
that most samples agree on. Samples vote where nobody covers the pixel, first those in which nobody is near it: limbs
that no mask knows of, and shadows, are near people. What is darker beside a person is their shadow, what differs from
the others in a patch moved: neither votes while others do. All but the votes themselves is found in small images.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from models.footage.gradient_blend import masked_median

SMALL_PX = 160
"""Width of the images in which samples are compared."""
NEAR = 0.5
"""Pixels within this share of a person's longer side are near them."""
AGREE = 0.04
"""Clips of which less than this share of the picture differs show the same arrangement."""
UNEXPLAINED = 0.03
"""An arrangement counts 1/e where masks explain what moves but for this share of the picture."""
DIFFERENT = 25.0
"""Grey levels from which a patch counts as different, of 255."""
MOSTLY, MANY_CLIPS = 0.7, 4
"""Where people cover a pixel in more than this share of the samples of so many clips, and are near it in all others,
what those show is not believed: it is an arm or a leg, that no mask knows of, of somebody who never leaves."""
FEW_CLIPS = 3
"""What fewer clips than this show beside people is held against what more others show."""
FEWEST = 3
"""Votes that a pixel should have before doubtful ones are asked."""


@dataclass(frozen=True)
class Votes:
    """What samples say, pixel by pixel."""

    voters: Bool[np.ndarray, "sample height width"]
    """Which samples vote on the pixel's colour."""
    shown: Bool[np.ndarray, "sample height width"]
    """Which show the room there, be it in somebody's shadow."""
    shadowed: Bool[np.ndarray, "height width"]
    """Where somebody's shadow lies in some sample that votes, for too few are without."""


def votes(
    frames: UInt8[np.ndarray, "sample height width 3"],
    gains: Float[np.ndarray, "sample 3"],
    hidden: Bool[np.ndarray, "sample height width"],
    clips: Int[np.ndarray, "sample"],
) -> Votes:
    """Return which samples vote on each pixel, and which show the room there, in the light it has or in a shadow.

    `clips` numbers the recording that each sample is of.
    """
    small, covered = _small(frames, gains, hidden)
    near = near_people(covered, clips)
    kept = arrangement(small, covered, clips)
    never_free = (covered | near).all(axis=0) & (covered[kept].mean(axis=0) > MOSTLY)
    never_free &= covered.mean(axis=0) > MOSTLY
    never_free &= len(np.unique(clips)) >= MANY_CLIPS
    covered |= never_free
    alone = _contradicted(small, covered, near, clips, kept)
    covered |= alone & kept[:, None, None]
    dark = shadows(small, covered, near, kept)
    doubtful = _spared(dark, covered, kept)
    first = _tiers(covered | doubtful, near, kept)
    room = masked_median(small, np.broadcast_to(~first[..., None], small.shape))
    strange = _spared(moved(small, covered | doubtful, room) & kept[:, None, None], covered | doubtful, kept)
    shape = hidden.shape[1:]
    shown = ~(hidden | _enlarged(strange | never_free | (alone & kept[:, None, None]), shape))
    shown &= ~_islands(~np.any(shown, axis=0))
    voters = _tiers(~shown | _enlarged(doubtful, shape), _enlarged(near, shape), kept)
    return Votes(
        voters,
        shown & (kept[:, None, None] | ~np.any(voters, axis=0)),
        np.any(_enlarged((dark & ~doubtful)[kept], shape), axis=0),
    )


def near_people(
    covered: Bool[np.ndarray, "sample rows columns"], clips: Int[np.ndarray, "sample"]
) -> Bool[np.ndarray, "sample rows columns"]:
    """Mark what is near somebody: within `NEAR` of their longer side, and of somewhat less than the largest that the
    clip shows, for of who lies with their feet to the camera only the head may have been found."""
    parts = [cv2.connectedComponentsWithStats(mask.astype(np.uint8)) for mask in covered]
    sides = [np.maximum(boxes[1:, 2], boxes[1:, 3]) for _, _, boxes, _ in parts]
    largest = {clip: max((s.max(initial=0) for s, c in zip(sides, clips, strict=True) if c == clip)) for clip in clips}
    near = np.zeros_like(covered)
    for sample, (count, labels, _, _) in enumerate(parts):
        for part in range(1, count):
            reach = NEAR * max(float(sides[sample][part - 1]), 0.5 * float(largest[clips[sample]]))
            near[sample] |= cv2.distanceTransform((labels != part).astype(np.uint8), cv2.DIST_L2, 3) <= reach
    return near


def arrangement(
    small: Float[np.ndarray, "sample rows columns 3"],
    covered: Bool[np.ndarray, "sample rows columns"],
    clips: Int[np.ndarray, "sample"],
) -> Bool[np.ndarray, "sample"]:
    """Return the samples of the clips that show the room in one arrangement; of several, in what most show most of."""
    names = np.unique(clips)
    if len(names) == 1:
        return np.ones(len(clips), dtype=bool)
    chosen = [np.flatnonzero(clips == name) for name in names]
    chosen = [one[np.linspace(0, len(one) - 1, min(3, len(one))).round().astype(int)] for one in chosen]
    apart = np.zeros((len(names), len(names)))
    for i in range(len(names)):
        for j in range(i):
            pairs = [_disagreement(small[[a, b]], covered[[a, b]]) for a in chosen[i] for b in chosen[j]]
            known = [value for value in pairs if value is not None]
            apart[i, j] = apart[j, i] = np.median(known) if known else 1.0
    best, kept = -1.0, np.ones(len(clips), dtype=bool)
    for row in apart:
        members = np.isin(clips, names[row < AGREE])
        seen = np.minimum((~covered[members]).sum(axis=0), 5).mean() / 5.0
        # Where masks explain little of what moves, somebody was overlooked.
        own = masked_median(small[members], np.broadcast_to(covered[members][..., None], small[members].shape))
        unexplained = moved(small[members], covered[members], own).mean()
        agreeing = np.exp(-((row / AGREE) ** 2) / 2.0).sum()
        score = float(seen**2 * (1.0 + 0.5 * np.log2(agreeing)) * np.exp(-unexplained / UNEXPLAINED))
        if score > best + 1e-9:
            best, kept = score, members
    return kept


def shadows(
    small: Float[np.ndarray, "sample rows columns 3"],
    covered: Bool[np.ndarray, "sample rows columns"],
    near: Bool[np.ndarray, "sample rows columns"],
    kept: Bool[np.ndarray, "sample"],
) -> Bool[np.ndarray, "sample rows columns"]:
    """Mark shadows of people: near them, darker than the pixel can be, of the same colour."""
    ordered = np.sort(np.where(covered[kept][..., None], np.float32(np.inf), small[kept]), axis=0)
    last = np.maximum(np.isfinite(ordered[..., 0]).sum(axis=0) - 1, 0)
    bright = np.take_along_axis(ordered, np.round(0.92 * last).astype(int)[None, ..., None], axis=0)[0]
    bright = np.where(np.isfinite(bright), bright, np.float32(0.0))
    found = np.zeros_like(covered)
    for sample in range(len(small)):
        ratio = small[sample] / np.maximum(bright, 1.0)
        mean = ratio.mean(axis=-1)
        dark = (mean > 0.35) & (mean < 0.93) & (np.ptp(ratio, axis=-1) < 0.15) & near[sample] & ~covered[sample]
        found[sample] = _patches(cv2.medianBlur(dark.astype(np.uint8), 5) > 0, 30)
    return found


def moved(
    small: Float[np.ndarray, "sample rows columns 3"],
    covered: Bool[np.ndarray, "sample rows columns"],
    room: Float[np.ndarray, "rows columns 3"],
) -> Bool[np.ndarray, "sample rows columns"]:
    """Mark what is not the room in a sample though nobody was found there: patches that differ from it."""
    found = np.zeros_like(covered)
    for sample in range(len(small)):
        apart = cv2.blur(np.abs(small[sample] - room).max(axis=-1), (3, 3))
        found[sample] = _patches((apart > DIFFERENT) & ~covered[sample], 25)
    return found


def _contradicted(
    small: Float[np.ndarray, "sample rows columns 3"],
    covered: Bool[np.ndarray, "sample rows columns"],
    near: Bool[np.ndarray, "sample rows columns"],
    clips: Int[np.ndarray, "sample"],
    kept: Bool[np.ndarray, "sample"],
) -> Bool[np.ndarray, "rows columns"]:
    """Mark patches beside people in which few clips that were kept show something else than more others do.

    Two clips can agree by chance on somebody who lies there and was not found; of three that is not supposed.
    """
    never_far = ~(kept[:, None, None] & ~near & ~covered).any(axis=0)
    free = ~(covered | near) & ~kept[:, None, None]
    free &= free.sum(axis=0) >= FEWEST
    of_these, of_others = len(np.unique(clips[kept])), len(np.unique(clips[~kept]))
    if of_these >= FEW_CLIPS or of_these >= of_others or not free.any():
        return np.zeros(covered.shape[1:], dtype=bool)
    ours = masked_median(small, np.broadcast_to((covered | ~kept[:, None, None])[..., None], small.shape))
    theirs = masked_median(small, np.broadcast_to(~free[..., None], small.shape))
    apart = cv2.blur(np.abs(ours - theirs).max(axis=-1), (3, 3)) > DIFFERENT
    apart &= free.any(axis=0) & ~covered[kept].all(axis=0)
    patches = _patches(apart & never_far, 12)
    return cv2.dilate(patches.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0


def _small(
    frames: UInt8[np.ndarray, "sample height width 3"],
    gains: Float[np.ndarray, "sample 3"],
    hidden: Bool[np.ndarray, "sample height width"],
) -> tuple[Float[np.ndarray, "sample rows columns 3"], Bool[np.ndarray, "sample rows columns"]]:
    height, width = frames.shape[1:3]
    scale = min(1.0, SMALL_PX / width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    colours = np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames])
    touched = [cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.02 for mask in hidden]
    return colours.astype(np.float32) * gains[:, None, None].astype(np.float32), np.stack(touched)


def _enlarged(
    marked: Bool[np.ndarray, "sample rows columns"], shape: tuple[int, int]
) -> Bool[np.ndarray, "sample height width"]:
    return np.stack(
        [cv2.resize(one.astype(np.uint8), shape[::-1], interpolation=cv2.INTER_NEAREST) > 0 for one in marked]
    )


def _tiers(
    hidden: Bool[np.ndarray, "sample rows columns"],
    near: Bool[np.ndarray, "sample rows columns"],
    kept: Bool[np.ndarray, "sample"],
) -> Bool[np.ndarray, "sample rows columns"]:
    """The samples that vote: far from people before near them, of the kept arrangement before another, until a pixel
    has the fewest votes that it should have."""
    chosen = np.zeros_like(hidden)
    count = np.zeros(hidden.shape[1:], dtype=np.int32)
    for far, mine in ((True, True), (False, True), (True, False), (False, False)):
        # Another arrangement is asked only where this one says nothing.
        lacking = count < FEWEST if mine else count == 0
        who = (kept if mine else ~kept)[:, None, None]
        more = ~hidden & who & (~near if far else True) & lacking
        chosen |= more
        count = chosen.sum(axis=0)
    return chosen


def _spared(
    doubtful: Bool[np.ndarray, "sample rows columns"],
    hidden: Bool[np.ndarray, "sample rows columns"],
    kept: Bool[np.ndarray, "sample"],
) -> Bool[np.ndarray, "sample rows columns"]:
    """What is doubtful, where enough samples are left without it; else those vote, doubtful or not."""
    grown = np.stack([cv2.dilate(one.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0 for one in doubtful])
    left = (~(hidden | grown) & kept[:, None, None]).sum(axis=0)
    return grown & (left >= FEWEST)


def _islands(hole: Bool[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    """Small parts of the picture that lie wholly within a hole: rather what the masks miss of people than the room."""
    count, parts, boxes, _ = cv2.connectedComponentsWithStats((~hole).astype(np.uint8), connectivity=4)
    most = 0.5 * hole.sum()
    within = [part for part in range(1, count) if boxes[part, 4] < most and _inner(boxes[part], hole.shape)]
    return np.isin(parts, within)


def _inner(box: Int[np.ndarray, "5"], shape: tuple[int, int]) -> bool:
    left, top, width, height = (int(value) for value in box[:4])
    return left > 0 and top > 0 and left + width < shape[1] and top + height < shape[0]


def _patches(marked: Bool[np.ndarray, "rows columns"], fewest: int) -> Bool[np.ndarray, "rows columns"]:
    """The connected parts that have at least so many pixels, without specks."""
    opened = cv2.morphologyEx(marked.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    count, parts, sizes, _ = cv2.connectedComponentsWithStats(opened)
    large = [part for part in range(1, count) if sizes[part, cv2.CC_STAT_AREA] >= fewest]
    return np.isin(parts, large)


def _disagreement(
    pair: Float[np.ndarray, "2 rows columns 3"], covered: Bool[np.ndarray, "2 rows columns"]
) -> float | None:
    """Share of what both samples show that differs; None where they show too little in common."""
    both = ~covered.any(axis=0)
    if both.mean() < 0.2:
        return None
    apart = cv2.blur(np.abs(pair[0] - pair[1]).max(axis=-1), (3, 3)) > DIFFERENT
    return float(_patches(apart & both, 12).sum() / both.sum())
