"""One picture from many samples of a still room: medians of colours, joined across their seams by medians of gradients.

Where neighbouring pixels are told by different samples, their colours jump with the light that each sample had (a
camera exposes anew when somebody comes near); the differences within each sample do not. So across such seams the
median of the differences counts (Weiss, "Deriving intrinsic images from image sequences", 2001), and the picture is
what has these differences: a Poisson equation, solved by cosine transforms, held to the colours at large.
"""

import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy import fft, ndimage

AT_ONCE = 2_000_000
"""Values of one channel that are sorted at a time: sorting all samples at once would take several times their memory.
"""
HELD_WIDTHS = 0.5
"""Over more than this share of the picture's width the colours count, over less the differences."""


def masked_median(
    values: Float[np.ndarray, "sample *cell"], hidden: Bool[np.ndarray, "sample *cell"]
) -> Float[np.ndarray, "*cell"]:
    """Take the median over the samples that are not hidden; 0 where all are."""
    ordered = np.sort(np.where(hidden, np.float32(np.inf), values), axis=0)
    count = (~hidden).sum(axis=0)
    low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, len(values) - 1)
    middle = (
        np.take_along_axis(ordered, low[None], axis=0)[0] / 2 + np.take_along_axis(ordered, high[None], axis=0)[0] / 2
    )
    return np.where(count > 0, middle, np.float32(0.0))


def colour_median(
    frames: UInt8[np.ndarray, "sample height width 3"],
    gains: Float[np.ndarray, "sample 3"],
    votes: Bool[np.ndarray, "sample height width"],
) -> Float[np.ndarray, "height width 3"]:
    """Take each pixel's median colour over the samples that vote on it, each at its gain; 0 where none does."""
    median = np.zeros(frames.shape[1:], dtype=np.float32)
    for rows in np.array_split(np.arange(frames.shape[1]), max(1, frames[..., 0].size // AT_ONCE)):
        scaled = frames[:, rows].astype(np.float32) * gains[:, None, None].astype(np.float32)
        median[rows] = masked_median(scaled, np.broadcast_to(~votes[:, rows, :, None], scaled.shape))
    return median


def blend(
    frames: UInt8[np.ndarray, "sample height width 3"],
    gains: Float[np.ndarray, "sample 3"],
    votes: Bool[np.ndarray, "sample height width"],
    shown: Bool[np.ndarray, "sample height width"],
    shadowed: Bool[np.ndarray, "height width"],
) -> Float[np.ndarray, "height width 3"]:
    """Join the colours' medians over the samples that vote, without seams where other samples vote.

    `shown` says where a sample shows the room, lit or not: across a seam that no sample votes on both sides of, and
    where it is `shadowed` in some, these count: a shadow that moves has its edge in each place but a short while.
    """
    median = colour_median(frames, gains, votes)
    if (hole := ~votes.any(axis=0)).any() and not hole.all():
        # What nothing is known of must not darken what lies around it.
        nearest = np.asarray(ndimage.distance_transform_edt(hole, return_distances=False, return_indices=True))
        median = median[tuple(nearest)]
    right, down = np.diff(median, axis=1), np.diff(median, axis=0)
    seams = 0
    for differences, (dy, dx) in ((right, (0, 1)), (down, (1, 0))):
        here, there = _shifted(votes, dy, dx)
        dark = np.logical_or(*_shifted(shadowed[None], dy, dx))[0]
        rows, columns = np.nonzero((here != there).any(axis=0) | dark)
        seams += len(rows)
        for part in np.array_split(np.arange(len(rows)), max(1, len(rows) * len(frames) // AT_ONCE)):
            y, x = rows[part], columns[part]
            both = votes[:, y, x] & votes[:, y + dy, x + dx]
            all_shown = shown[:, y, x] & shown[:, y + dy, x + dx]
            both = np.where(both.any(axis=0) & ~dark[y, x], both, all_shown)
            steps = frames[:, y + dy, x + dx].astype(np.float32) - frames[:, y, x]
            steps *= gains[:, None].astype(np.float32)
            differences[y, x] = masked_median(steps, np.broadcast_to(~both[..., None], steps.shape))
    return integrate(median, right, down) if seams else median


def _shifted(
    votes: Bool[np.ndarray, "sample height width"], dy: int, dx: int
) -> tuple[Bool[np.ndarray, "sample rows columns"], Bool[np.ndarray, "sample rows columns"]]:
    height, width = votes.shape[1:]
    return votes[:, : height - dy, : width - dx], votes[:, dy:, dx:]


def integrate(
    colours: Float[np.ndarray, "height width 3"],
    right: Float[np.ndarray, "height columns 3"],
    down: Float[np.ndarray, "rows width 3"],
) -> Float[np.ndarray, "height width 3"]:
    """Return the picture whose differences to the right and down are those given, at large as bright as `colours`.

    It minimises |du - differences|^2 + held |u - colours|^2 with free borders (screened Poisson equation).
    """
    height, width = colours.shape[:2]
    held = (HELD_WIDTHS * width) ** -2.0
    target = held * colours.astype(np.float64)
    target[:, :-1] -= right
    target[:, 1:] += right
    target[:-1] -= down
    target[1:] += down
    laplacian = (2 - 2 * np.cos(np.pi * np.arange(height) / height))[:, None] + (
        2 - 2 * np.cos(np.pi * np.arange(width) / width)
    )
    spectrum = np.asarray(fft.dctn(target, axes=(0, 1))) / (laplacian + held)[..., None]
    return np.asarray(fft.idctn(spectrum, axes=(0, 1))).astype(np.float32)
