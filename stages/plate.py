"""The room without people: what samples of a fixed camera say of it in which no person covers a pixel.

In: frames sampled over all clips of one camera and the masks of the people in them. Out: the clean background plate and
which of its pixels were ever seen. Each sample's exposure is first brought to the others' by a gain per channel, so
that clips taken by day and by lamp mix, and the masks are grown to the people's outlines. Which samples vote where is
`models.footage.room_votes`'s matter, how their votes are joined without seams `models.footage.gradient_blend`'s.
DESIGN §4, depth.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from pydantic import Field

from models.config import Config
from models.errors import InputError
from models.footage.gradient_blend import blend, colour_median
from models.footage.room_votes import votes

VERSION = 4

OUTLINE_PX = 160
"""Outlines are looked for in images of at most this size."""


class PlateConfig(Config):
    """How the background plate is made."""

    align_exposure: bool = True
    """Whether samples are brought to one exposure, so that clips taken by day and by lamp mix."""
    max_gain: float = Field(3.0, gt=1.0)
    """A sample's exposure is changed by no more than this factor either way."""
    mask_margin_px: int = Field(3, ge=0)
    """The masks are widened by so many pixels (at 640 px image width): their edge, and the person's contact shadow."""
    outline_reach: float = Field(0.6, ge=0.0)
    """Somebody's outline is looked for this far around their mask, as a share of the mask's longer side; 0 leaves it.
    """


def run(
    config: PlateConfig,
    frames: UInt8[np.ndarray, "sample height width 3"],
    person_masks: Bool[np.ndarray, "sample height width"],
    clips: Int[np.ndarray, "sample"] | None = None,
) -> tuple[UInt8[np.ndarray, "height width 3"], Bool[np.ndarray, "height width"]]:
    """Return the plate (RGB) and the pixels that at least one sample shows; the others are black (`fill` them).

    `clips` numbers the recording that each sample is of; None is all of one. Raises InputError without samples, or
    where people cover every pixel of every sample.
    """
    if len(frames) == 0:
        raise InputError("plate", "no frame to make a background from", "give at least one frame of the camera")
    masks = _widened(person_masks, round(config.mask_margin_px * frames.shape[2] / 640))
    if config.outline_reach > 0 and (~masks).any():
        masks = masks | np.stack([outline(f, m, config.outline_reach) for f, m in zip(frames, masks, strict=True)])
    if masks.all():
        raise InputError("plate", "people cover the whole picture in every frame", "give frames that show the room")
    gains = exposure_gains(frames, masks, config.max_gain) if config.align_exposure else np.ones((len(frames), 3))
    if masks.any():
        said = votes(frames, gains, masks, np.zeros(len(frames), int) if clips is None else clips)
        voters = said.voters
        plate = blend(frames, gains, voters, said.shown, said.shadowed)
    else:
        voters = ~masks
        plate = colour_median(frames, gains, voters)
    valid = np.any(voters, axis=0)
    return np.where(valid[..., None], np.clip(plate + 0.5, 0.0, 255.0), 0.0).astype(np.uint8), valid


def outline(
    frame: UInt8[np.ndarray, "height width 3"], mask: Bool[np.ndarray, "height width"], reach: float
) -> Bool[np.ndarray, "height width"]:
    """Find where people are in the image, by colour (GrabCut, Rother et al. 2004), given roughly where they are.

    Each connected part of the mask for itself: its core is a person, what lies farther from it than `reach` times its
    longer side is not; colours decide on the rest.
    """
    found = np.zeros_like(mask)
    count, parts, boxes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    for part in range(1, count):
        left, top, width, height = (int(v) for v in boxes[part, :4])
        margin = max(4, round(reach * max(width, height)))
        # The colours of the surroundings are learnt from a frame as wide again as what is searched.
        window = (
            slice(max(0, top - 2 * margin), top + height + 2 * margin),
            slice(max(0, left - 2 * margin), left + width + 2 * margin),
        )
        here = (parts[window] == part).astype(np.uint8)
        scale = min(1.0, OUTLINE_PX / max(here.shape))
        small = cv2.resize(here, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) > 0
        colours = cv2.resize(np.ascontiguousarray(frame[window]), small.shape[::-1], interpolation=cv2.INTER_AREA)
        inward = cv2.distanceTransform(np.pad(small, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
        outward = cv2.distanceTransform((~small).astype(np.uint8), cv2.DIST_L2, 3)
        guess = np.where(small, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
        guess[inward > 0.6 * inward.max()] = cv2.GC_FGD
        guess[outward > margin * scale] = cv2.GC_BGD
        if not (guess == cv2.GC_BGD).any():
            continue
        cv2.setRNGSeed(0)
        cv2.grabCut(colours, guess, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
        person = np.isin(guess, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
        person = cv2.dilate(person, np.ones((3, 3), np.uint8))
        found[window] |= cv2.resize(person, here.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    return found


def exposure_gains(
    frames: UInt8[np.ndarray, "sample height width 3"], masks: Bool[np.ndarray, "sample height width"], max_gain: float
) -> Float[np.ndarray, "sample 3"]:
    """Return the factor per sample and channel that brings its background to the brightness of the sample that is in
    the middle.

    On a coarse grid, from the median ratio of neither dark nor saturated pixels that people cover in neither sample.
    """
    step = max(1, frames.shape[2] // 160)
    colours = frames[:, ::step, ::step].astype(np.float32)
    hidden = masks[:, ::step, ::step]
    brightness = np.array([np.median(c[~m]) if (~m).any() else np.nan for c, m in zip(colours, hidden, strict=True)])
    seen = np.flatnonzero(np.isfinite(brightness))
    middle = seen[np.argsort(brightness[seen], kind="stable")[(len(seen) - 1) // 2]]
    usable = (colours > 15) & (colours < 240) & ~hidden[..., None]
    gains = np.ones((len(frames), 3))
    for sample in seen:
        both = usable[sample] & usable[middle]
        for channel in range(3):
            ratios = (
                colours[middle, ..., channel][both[..., channel]] / colours[sample, ..., channel][both[..., channel]]
            )
            # Too little background in common says nothing: such a sample keeps its exposure.
            if ratios.size >= 50:
                gains[sample, channel] = np.clip(np.median(ratios), 1.0 / max_gain, max_gain)
    return gains


def _widened(masks: Bool[np.ndarray, "sample height width"], margin_px: int) -> Bool[np.ndarray, "sample height width"]:
    if margin_px == 0 or len(masks) == 0:
        return masks
    kernel: Int[np.ndarray, "side side"] = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * margin_px + 1,) * 2)
    return np.stack([cv2.dilate(mask.astype(np.uint8), kernel) > 0 for mask in masks])
