"""Video out: H.264 yuv420p that plays anywhere, and masks written losslessly (FFV1 in Matroska)."""

import platform
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from jaxtyping import UInt8


def write_video(
    path: Path, frames: Iterable[UInt8[np.ndarray, "height width 3"]], fps: float, quality: int = 20
) -> None:
    """Write H.264 (yuv420p, plays in a browser), one thread, so that the same frames give the same bytes.

    `quality` is x264's constant rate factor: 0 is lossless, 51 is worst.
    """
    options = {"crf": str(quality), "preset": "veryfast", "threads": "1"}
    if platform.machine() in ("x86_64", "AMD64"):
        # x264's code for AVX-512 gives other bytes from process to process.
        options["x264-params"] = "asm=avx2"
    _write(path, frames, fps, "libx264", "yuv420p", options, "rgb24")


def write_masks(path: Path, masks: Iterable[UInt8[np.ndarray, "height width"]], fps: float) -> None:
    """Write instance masks losslessly: FFV1, one 8-bit channel."""
    _write(path, masks, fps, "ffv1", "gray", {"threads": "1"}, "gray")


def read_masks(path: Path) -> UInt8[np.ndarray, "time height width"]:
    """Read instance masks as `write_masks` wrote them."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="gray") for frame in container.decode(video=0)])


def _write(path: Path, frames: Iterable[np.ndarray], fps: float, codec: str, pixels: str, options: dict, source: str):
    rate = Fraction(fps).limit_denominator(1001)
    with av.open(str(path), "w") as container:
        container.flags |= 0x400  # AVFMT_FLAG_BITEXACT: no encoder version or time stamp in the header
        stream = None
        for image in frames:
            if stream is None:
                stream = container.add_stream(codec, rate=rate, options={**options, "flags": "+bitexact"})
                assert isinstance(stream, av.VideoStream)
                stream.height, stream.width = image.shape[:2]
                stream.pix_fmt = pixels
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format=source)
            for packet in stream.encode(frame):
                container.mux(packet)
        if stream is None:
            raise ValueError(f"no frames to write to {path}")
        for packet in stream.encode():
            container.mux(packet)
