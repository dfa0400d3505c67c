"""What a fit of bodies to 2D keypoints is given of each frame, and which frames are of whom
(models/people3d/fitting/fitter.py)."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.geometry.camera import Camera
from models.people3d.fitting.support_surfaces import FurnitureTops, concatenate_tops
from models.types import SupportSurface

FAR_S = 1e6
"""Stands for the time since the frame before where there is none of the same person: nothing is smooth across it."""


@dataclass(frozen=True)
class Observation:
    """What is observed of one person: keypoints, what each weighs, and when; by which camera, among which furniture."""

    keypoints_px: Float[np.ndarray, "time 17 2"]
    weights: Float[np.ndarray, "time 17"]
    timestamps_s: Float[np.ndarray, "time"]
    camera: Camera
    supports: Sequence[SupportSurface] = ()
    """Tops that they may sit, lie and land on, and do not pass through."""

    def at(self, rows: slice | Int[np.ndarray, "chosen"]) -> "Observation":
        """Return some of the frames."""
        return replace(
            self,
            keypoints_px=self.keypoints_px[rows],
            weights=self.weights[rows],
            timestamps_s=self.timestamps_s[rows],
        )


@dataclass(frozen=True)
class FitFrames:
    """Frames of all people, one person after the other; every field has a row a frame."""

    person: Int[Tensor, "frame"]
    keypoints: Float[Tensor, "frame 17 2"]
    weights: Float[Tensor, "frame 17"]
    spread: Float[Tensor, "frame"]
    """Of a keypoint, pixels."""
    since: Float[Tensor, "frame"]
    """Seconds since the person's frame before, FAR_S at the first."""
    still: Float[Tensor, "frame"]
    anchor: Float[Tensor, "frame 23 3"]
    """The pose that the start, or a regression, gives."""
    root_anchor: Float[Tensor, "frame 3 3"]
    trust: Float[Tensor, "frame"]
    """In that being a regression."""
    ground: Float[Tensor, "frame"]
    """Height of what carries the body where no support is known."""
    R_camera_world: Float[Tensor, "frame 3 3"]
    t_camera_world: Float[Tensor, "frame 3"]
    K: Float[Tensor, "frame 3 3"]
    tops: FurnitureTops
    """A row a frame, too."""

    def rows(self, rows: slice) -> "FitFrames":
        """Return some of the frames, those of the first of them being of person 0."""
        part = {field.name: getattr(self, field.name)[rows] for field in fields(self) if field.name != "tops"}
        part["tops"] = self.tops.of(rows)
        return FitFrames(**part | {"person": part["person"] - part["person"][0]})

    @cached_property
    def counts(self) -> Int[Tensor, "person"]:
        """Count the frames of each person."""
        return self.person.bincount()

    @cached_property
    def spans(self) -> list[slice]:
        """Return each person's rows."""
        return [slice(a, b) for a, b in itertools.pairwise([0, *self.counts.cumsum(0).tolist()])]

    def per_person(self, values: Float[Tensor, "frame"]) -> Float[Tensor, "person"]:
        """Return means over each person's frames."""
        return values.new_zeros(len(self.counts)).index_add(0, self.person, values) / self.counts


def concatenate_frames(people: Sequence[FitFrames]) -> FitFrames:
    """Concatenate everyone's frames, one person after the other."""
    plain = [field.name for field in fields(FitFrames) if field.name != "tops"]
    values = {name: torch.cat([getattr(frames, name) for frames in people]) for name in plain}
    return FitFrames(**values, tops=concatenate_tops([frames.tops for frames in people]))


def stillness(
    keypoints_px: Float[np.ndarray, "time 17 2"],
    weights: Float[np.ndarray, "time 17"],
    timestamps_s: Float[np.ndarray, "time"],
) -> Float[np.ndarray, "time"]:
    """Return 1 where the person does not move in the image, 0 above a quarter of their extent per second.

    Motion is measured between averages of the 0.3 s before and after, so that the scatter of keypoints is no motion.
    """
    count = len(timestamps_s)
    speed = np.zeros(count)
    for t in range(count):
        before = (timestamps_s > timestamps_s[t] - 0.35) & (timestamps_s <= timestamps_s[t])
        after = (timestamps_s >= timestamps_s[t]) & (timestamps_s < timestamps_s[t] + 0.35)
        means = []
        for side in (before, after):
            weight = weights[side] + 1e-9
            means.append((keypoints_px[side] * weight[..., None]).sum(0) / weight.sum(0)[:, None])
        seen = (weights[before].sum(0) > 0) & (weights[after].sum(0) > 0)
        if not seen.any() or before.sum() + after.sum() < 3:
            continue
        extent = max(float(np.linalg.norm(np.ptp(keypoints_px[t][weights[t] > 0], axis=0))), 20.0)
        elapsed = max(float(timestamps_s[after].mean() - timestamps_s[before].mean()), 1e-3)
        speed[t] = np.median(np.linalg.norm(means[1] - means[0], axis=-1)[seen]) / extent / elapsed
    return np.clip(2.0 - speed / 0.12, 0.0, 1.0)
