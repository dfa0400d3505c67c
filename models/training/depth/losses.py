"""What the starter depth networks are held to: canonical depth, or disparity up to scale and offset."""

import torch
from jaxtyping import Bool, Float

MAX_DEPTH_M = 20
"""Of the metric head's sigmoid, at the canonical focal length."""


def gradient_loss(
    error: Float[torch.Tensor, "n h w"], mask: Bool[torch.Tensor, "n h w"], scales: int = 3
) -> Float[torch.Tensor, ""]:
    """Return the mean absolute difference of neighbouring errors, at several resolutions (MiDaS eq. 11)."""
    total = error.new_zeros(())
    for scale in range(scales):
        e, m = error[:, :: 2**scale, :: 2**scale], mask[:, :: 2**scale, :: 2**scale]
        across, down = m[:, :, 1:] & m[:, :, :-1], m[:, 1:] & m[:, :-1]
        total = total + ((e[:, :, 1:] - e[:, :, :-1]).abs() * across).sum() / across.sum().clamp(min=1)
        total = total + ((e[:, 1:] - e[:, :-1]).abs() * down).sum() / down.sum().clamp(min=1)
    return total


def metric_loss(
    predicted: Float[torch.Tensor, "n h w"], depth: Float[torch.Tensor, "n h w"]
) -> Float[torch.Tensor, ""]:
    """Return the scale-invariant log error (Eigen 2014, lambda 0.5, per picture) and gradient matching of log depth."""
    mask = (depth > 0.1) & (depth < MAX_DEPTH_M)
    error = torch.where(mask, predicted.clamp(min=0.05).log() - depth.clamp(min=0.05).log(), 0.0)
    count = mask.sum(dim=(1, 2)).clamp(min=1)
    mean, square = error.sum(dim=(1, 2)) / count, (error**2).sum(dim=(1, 2)) / count
    return (square - 0.5 * mean**2).clamp(min=1e-6).sqrt().mean() + 0.5 * gradient_loss(error, mask)


def relative_loss(
    predicted: Float[torch.Tensor, "n h w"], depth: Float[torch.Tensor, "n h w"]
) -> Float[torch.Tensor, ""]:
    """Return the error of disparity, both sides brought to median 0 and mean deviation 1, and gradient matching
    (MiDaS eq. 4-7, 11)."""
    mask = (depth > 0.1) & (depth < MAX_DEPTH_M)
    true = torch.where(mask, 1.0 / depth.clamp(min=0.1), 0.0)

    def aligned(disparity: torch.Tensor) -> torch.Tensor:
        flat = torch.where(mask, disparity, torch.nan).flatten(1)
        centre = flat.nanmedian(dim=1).values[:, None, None]
        deviation = ((disparity - centre).abs() * mask).sum(dim=(1, 2)) / mask.sum(dim=(1, 2)).clamp(min=1)
        return (disparity - centre) / deviation.clamp(min=1e-3)[:, None, None]

    error = torch.where(mask, aligned(predicted) - aligned(true), 0.0)
    return error.abs().sum() / mask.sum().clamp(min=1) + 0.5 * gradient_loss(error, mask)
