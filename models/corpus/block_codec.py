"""One corpus item's arrays as compressed bytes and back: quantised, predicted, entropy-coded (numpy and lzma alone).

Axis-angle components and translations are rounded to whole steps; a frame is foretold from the two before it, moving on
as it did; what is left is small, and is stored channel by channel, byte by byte of its significance, in raw LZMA2.
"""

import lzma
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int8, Int32, UInt8

ROTATION_STEP = 0.0004
"""Radians per component.

Errors add along the limbs: with this, wrists and feet stay within 1 mm and 0.1 degrees of the world.
"""
TRANSL_STEP_M = 0.00025
CONFIDENCE_STEPS = 255
# Bytes of motion have no alignment and no words: contexts of neighbouring bytes only dilute the statistics.
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "lc": 0, "lp": 0, "pb": 0}]
_CHANNELS = 75


@dataclass(frozen=True)
class Tracks:
    """The people of one item at the same timestamps."""

    betas: Float32[np.ndarray, "person 10"]
    rotations: Float32[np.ndarray, "person time 24 3"]
    """Axis-angle, radians: the root to the world, joints 1 to 23 to their parents."""
    transl: Float32[np.ndarray, "person time 3"]
    """SMPL's, world, metres: the pelvis lies at transl + J0(betas)."""
    actions: Int8[np.ndarray, "person time"]
    """Index into the corpus's actions, -1 unknown."""
    visible: Bool[np.ndarray, "person time"]
    confidence: Float32[np.ndarray, "person time"]
    """In [0, 1]."""


def compress(tracks: Tracks) -> bytes:
    """Return the tracks' bytes; betas, actions and visibility come back exactly, the rest to half a step."""
    people, frames = tracks.actions.shape
    steps = np.empty((people, _CHANNELS, frames), dtype=np.int32)
    steps[:, :72] = np.rint(tracks.rotations.reshape(people, frames, 72).swapaxes(1, 2) / ROTATION_STEP)
    steps[:, 72:] = np.rint(tracks.transl.swapaxes(1, 2) / TRANSL_STEP_M)
    left = np.diff(np.diff(steps, axis=-1, prepend=0), axis=-1, prepend=0)
    # Zigzag: small numbers of either sign have zeros in their high bytes.
    unsigned = ((left << 1) ^ (left >> 31)).astype("<u4")
    planes = unsigned.view(np.uint8).reshape(people, _CHANNELS, frames, 4)
    parts = (
        tracks.betas.astype("<f4"),
        np.moveaxis(planes, -1, 0),
        tracks.actions,
        tracks.visible,
        np.rint(tracks.confidence * CONFIDENCE_STEPS).astype(np.uint8),
    )
    return lzma.compress(b"".join(part.tobytes() for part in parts), format=lzma.FORMAT_RAW, filters=_FILTERS)


def decompress(block: bytes, people: int, frames: int) -> Tracks:
    """Return what `compress` was given, rounded; ValueError or lzma.LZMAError where the bytes are not that many
    tracks."""
    raw = np.frombuffer(lzma.decompress(block, format=lzma.FORMAT_RAW, filters=_FILTERS), dtype=np.uint8)
    sizes = (people * 40, people * frames * _CHANNELS * 4, *[people * frames] * 3)
    if len(raw) != sum(sizes):
        raise ValueError(f"{len(raw)} bytes for {people} people and {frames} frames, {sum(sizes)} expected")
    betas, planes, actions, visible, confidence = np.split(raw, np.cumsum(sizes)[:-1])
    steps = _added_up(planes.reshape(4, people, _CHANNELS, frames))
    return Tracks(
        betas.view("<f4").reshape(people, 10),
        (steps[:, :72].astype(np.float32) * np.float32(ROTATION_STEP)).swapaxes(1, 2).reshape(people, frames, 24, 3),
        (steps[:, 72:].astype(np.float32) * np.float32(TRANSL_STEP_M)).swapaxes(1, 2),
        actions.view(np.int8).reshape(people, frames),
        visible.reshape(people, frames).astype(bool),
        confidence.reshape(people, frames) / np.float32(CONFIDENCE_STEPS),
    )


def _added_up(planes: UInt8[np.ndarray, "4 person channel time"]) -> Int32[np.ndarray, "person channel time"]:
    """Whole steps of each channel from the bytes of what the prediction left."""
    unsigned = np.ascontiguousarray(np.moveaxis(planes, 0, -1)).view("<u4")[..., 0]
    left = (unsigned >> 1).astype(np.int32) ^ -(unsigned & 1).astype(np.int32)
    return np.cumsum(np.cumsum(left, axis=-1, dtype=np.int32), axis=-1, dtype=np.int32)
