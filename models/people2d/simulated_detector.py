"""Keypoints as a detector would give them: noise, misses, outliers and swapped sides on exact ones."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from models.body.sides import SWAPPED_KEYPOINTS

LEGS, ARMS = list(range(11, 17)), list(range(5, 11))


@dataclass(frozen=True)
class DetectorNoiseConfig:
    """How a detector errs; standard deviations are shares of the person's extent in the image (corner to corner)."""

    noise: float = 0.018
    """Standard deviation of a keypoint from frame to frame."""
    bias: float = 0.012
    """Standard deviation of a keypoint throughout a window: where this detector thinks the joint is."""
    scale: float = 1.0
    """Factor of all errors: 0 is a perfect detector."""
    calibration: float = 1.0
    """Factor of the errors of the believed camera, times `scale`."""


def simulate_detections(
    image: Float[Tensor, "batch time 17 2"],
    before: Bool[Tensor, "batch time 17"],
    aspect: Float[Tensor, "batch"],
    upright: Float[Tensor, "batch time"],
    seconds: Float[Tensor, "batch time"],
    detector_noise: DetectorNoiseConfig,
    rng: np.random.Generator,
) -> tuple[Float[Tensor, "batch time 17 2"], Float[Tensor, "batch time 17"]]:
    """Return what a detector makes of true keypoints: places and scores; 0 where it sees nothing.

    Places are in image widths from the centre; `upright` is the cosine of the trunk's inclination.
    """
    batch, time = seconds.shape
    extent = (image.amax(2) - image.amin(2)).norm(dim=-1).clamp(min=1e-3)[..., None]

    def normal(*size: int) -> Tensor:
        return torch.as_tensor(rng.standard_normal(size), dtype=torch.float32)

    def chance(*size: int) -> Tensor:
        return torch.as_tensor(rng.random(size), dtype=torch.float32)

    dt = (seconds[:, 1:] - seconds[:, :-1]).clamp(min=1e-2)[..., None]
    speed = (image[:, 1:] - image[:, :-1]).norm(dim=-1) / extent[:, 1:] / dt
    speed = torch.cat([speed[:, :1], speed], dim=1)
    grade = torch.exp(0.5 * normal(batch, 1, 1)) * detector_noise.scale
    spread = (
        detector_noise.noise
        * grade
        * (1.0 + 0.6 * speed.clamp(max=3.0) + 1.2 * (1.0 - upright.clamp(min=0.0))[..., None])
    )
    # Wrists, ankles and the face's far side are harder than shoulders; errors last for some frames.
    hard = torch.tensor([1.0, 1.0, 1.0, 1.2, 1.2, 0.8, 0.8, 1.1, 1.1, 1.4, 1.4, 0.9, 0.9, 1.0, 1.0, 1.3, 1.3])
    white, error = normal(batch, time, 17, 2), []
    for t in range(time):
        keep = torch.exp(-dt[:, t - 1] / 0.15)[..., None] if t else torch.zeros(batch, 1, 1)
        error.append(keep * error[-1] + (1.0 - keep.square()).sqrt() * white[:, t] if t else white[:, t])
    error = torch.stack(error, dim=1) * (spread * hard)[..., None]
    noisy = image + extent[..., None] * (error + detector_noise.bias * detector_noise.scale * normal(batch, 1, 17, 2))
    quality = (0.95 - 5.0 * spread * hard - 2.0 * error.norm(dim=-1) + 0.08 * normal(batch, time, 17)).clamp(0.12, 0.98)
    scores = quality * torch.where(chance(batch, 1, 1) < 0.3, 0.75, 1.0)

    def stretch(share: float, length: tuple[int, int]) -> Tensor:
        """For some windows, a run of frames."""
        begin = rng.integers(-length[1] // 2, time, batch)
        end = begin + rng.integers(*length, batch)
        frames = np.arange(time)[None]
        inside = (frames >= begin[:, None]) & (frames < end[:, None])
        return torch.as_tensor(inside & (rng.random((batch, 1)) < share * detector_noise.scale))

    def swap(parts: list[int], share: float, length: tuple[int, int]) -> None:
        nonlocal noisy
        index = list(range(17))
        for part in parts:
            index[part] = SWAPPED_KEYPOINTS[part]
        noisy = torch.where(stretch(share, length)[..., None, None], noisy[:, :, index], noisy)

    swap(list(range(17)), 0.1, (1, 6))
    swap(LEGS, 0.12, (1, 8))
    swap(ARMS, 0.08, (1, 6))
    # Someone else's keypoints, not far away.
    other = image.roll(1, 0) - image.roll(1, 0).mean(2, keepdim=True)
    shift = extent[..., None] * (0.5 * normal(batch, 1, 1, 2))
    other = image.mean(2, keepdim=True) + other + shift
    taken = stretch(0.08, (1, 8))[..., None] & (chance(batch, 1, 17) < 0.5)
    noisy = torch.where(taken[..., None], other, noisy)
    scores = torch.where(taken, scores * 0.8, scores)
    wild = chance(batch, time, 17) < 0.012 * detector_noise.scale
    noisy = torch.where(
        wild[..., None], image.mean(2, keepdim=True) + 0.5 * extent[..., None] * normal(batch, time, 17, 2), noisy
    )
    # Not seen: single keypoints, limbs for a while, everything below a line, whole bodies.
    gone = chance(batch, time, 17) < (0.12 * detector_noise.scale * chance(batch, 1, 1).square())
    for share, parts in ((0.12, LEGS), (0.06, [9, 7]), (0.06, [10, 8]), (0.08, [13, 15]), (0.08, [14, 16])):
        run = stretch(share, (4, 2 * time))
        gone[:, :, parts] |= run[..., None]
    low = chance(batch, 1, 1) < 0.08 * detector_noise.scale
    gone |= low & (image[..., 1] > image[..., 1].mean(2, keepdim=True) + 0.3 * extent * normal(batch, 1, 1))
    gone |= (stretch(0.15, (1, 10)) | (chance(batch, time) < 0.02 * detector_noise.scale))[..., None]
    scores = torch.where(gone, 0.0, scores)
    # At the edge a detector stops, with little to say for itself, or guesses.
    half = torch.stack([torch.full_like(aspect, 0.5), 0.5 * aspect], dim=-1)[:, None, None]
    outside = (image.abs() > half).any(-1) | ~before
    guesses = chance(batch, 1, 1) < 0.5
    noisy = torch.where(outside[..., None], noisy.clamp(-half, half), noisy)
    scores = torch.where(outside, torch.where(guesses, (0.35 * scores).clamp(max=0.3), 0.0), scores)
    return noisy, scores
