"""Masks of many frames as COCO's compressed run lengths: a ten-minute clip's take megabytes and not gigabytes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int, UInt8


@dataclass(frozen=True, eq=False)
class RunLengthMasks(Mapping[int, Bool[np.ndarray, "height width"]]):
    """One mask a frame by the frame's number, each decoded when it is asked for."""

    height_px: int
    width_px: int
    frames: Int[np.ndarray, "mask"]
    """Ascending."""
    ends: Int[np.ndarray, "mask"]
    """Where each mask's bytes end in `counts`."""
    counts: UInt8[np.ndarray, "byte"]
    """COCO's compressed run lengths of all masks, one after the other."""

    @classmethod
    def of(cls, encoded: Mapping[int, Any], height_px: int, width_px: int) -> "RunLengthMasks":
        """Return the masks that pycocotools' run lengths say, by frame."""
        frames = sorted(encoded)
        counts = [encoded[frame]["counts"] for frame in frames]
        ends = np.cumsum([len(one) for one in counts], dtype=np.int64)
        return cls(
            height_px, width_px, np.array(frames, dtype=np.int64), ends, np.frombuffer(b"".join(counts), dtype=np.uint8)
        )

    def __getitem__(self, frame: int) -> Bool[np.ndarray, "height width"]:
        """Decode the mask of a frame; KeyError where it has none."""
        # Here, not above: machines that only train motion have none.
        from pycocotools import mask as coco_mask

        place = int(np.searchsorted(self.frames, frame))
        if place == len(self.frames) or self.frames[place] != frame:
            raise KeyError(frame)
        start = int(self.ends[place - 1]) if place else 0
        counts = self.counts[start : int(self.ends[place])].tobytes()
        return coco_mask.decode({"size": [self.height_px, self.width_px], "counts": counts}).astype(bool)

    def __iter__(self) -> Iterator[int]:
        """Iterate over the numbers of the frames that have a mask."""
        return iter(self.frames.tolist())

    def __len__(self) -> int:
        """Count the frames that have a mask."""
        return len(self.frames)
