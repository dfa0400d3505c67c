"""Fits of motions of any length: short ones in one go, long ones coarse to fine in windows that overlap
(models/people3d/fitting/fitter.py).

A long motion is first fitted on every n-th frame, for its one shape and its overall motion, then finely in windows. All
people's windows are optimised together, as many at a time as there is room for.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field, model_validator
from scipy.spatial.transform import Rotation, Slerp

from models.body.model import BodyModel
from models.config import Config, renamed
from models.people3d.fitting.fit import Fit, rest_pelvis
from models.people3d.fitting.fitter import Fitter
from models.people3d.fitting.initialisation import Initialisation, initialise
from models.people3d.fitting.objective import FitConfig
from models.people3d.fitting.observations import Observation
from models.people3d.pose_prior import PosePrior
from models.people3d.regressor import Regression


class PiecewiseConfig(Config):
    """How motions are fitted."""

    fit: FitConfig = FitConfig()
    """Weights and steps of the objective."""
    coarse_frames: int = Field(240, ge=8)
    """People seen in more frames are first fitted on every n-th of them."""
    coarse_stride: int = Field(4, ge=1)
    """The largest such n, because between frames farther apart nothing says how somebody moved; longer clips are fitted
    window by window."""
    fine_steps: int = Field(90, ge=1)
    """Steps of Adam on each window of a long motion, which starts from the coarse fit."""
    window_frames: int = Field(360, ge=16)
    """Frames of a window of a long motion."""
    overlap_frames: int = Field(24, ge=2)
    """Frames that neighbouring windows share, where they are cross-faded."""
    stature_m: float = Field(1.68, gt=0.0)
    """Mean stature of the prior over shapes, metres."""
    stature_std_m: float = renamed("stature_spread_m", "stature_std_m", 0.09, gt=0.0)
    """Standard deviation of stature in that prior, metres."""

    @model_validator(mode="after")
    def _windows_advance(self) -> "PiecewiseConfig":
        shortest = min(self.coarse_frames, self.window_frames)
        if self.overlap_frames >= shortest:
            raise ValueError(
                f"overlap_frames ({self.overlap_frames}) must be less than coarse_frames and window_frames ({shortest})"
            )
        return self

    def coarse(self, count: int) -> Int[np.ndarray, "coarse"]:
        """Return every n-th frame of a long motion and the last; of a short one all."""
        stride = self.stride(count)
        return np.unique(np.append(np.arange(0, count, stride), count - 1))

    def stride(self, count: int) -> int:
        """Return the steps between coarse frames."""
        return min(-(-count // self.coarse_frames), self.coarse_stride)


@dataclass(frozen=True)
class FitWindow:
    """A window of somebody's motion that is to be fitted."""

    person: int
    frames: slice
    observation: Observation
    start: Initialisation


def fit_motions(
    config: PiecewiseConfig,
    people: Sequence[Observation],
    regressions: Sequence[Regression | None],
    body: BodyModel,
    prior: PosePrior | None,
) -> list[Fit]:
    """Fit the motion of everyone, in one clip or in many, in the frames in which they are seen."""

    def fitter(fit_config: FitConfig) -> Fitter:
        return Fitter(fit_config, body, config.stature_m, config.stature_std_m, prior)

    fits, starts = _coarsely(config, fitter(config.fit), people, regressions, body)
    fit_windows = []
    for person, (observation, fit, start) in enumerate(zip(people, fits, starts, strict=True)):
        count = len(observation.timestamps_s)
        if count > config.coarse_frames:
            known_s = observation.timestamps_s[config.coarse(count)]
            between = fit_at(fit, known_s, observation.timestamps_s)
            trust = np.interp(observation.timestamps_s, known_s, start.trust)
            pelvis = between.transl + rest_pelvis(body, fit.betas)
            begin = Initialisation(between.global_orient, between.body_pose, pelvis, 0.0, trust)
            spans = windows(count, config.window_frames, config.overlap_frames)
            fit_windows += [FitWindow(person, rows, observation.at(rows), begin.at(rows)) for rows in spans]
    if not fit_windows:
        return fits
    fine = fitter(config.fit.model_copy(update={"steps": config.fine_steps, "robust_from": config.fit.robust_to}))
    latents = np.stack([fits[window.person].latent for window in fit_windows])
    parts = fine.fit([window.observation for window in fit_windows], [window.start for window in fit_windows], latents)
    for person in sorted({window.person for window in fit_windows}):
        own = [
            (window.frames.start, part)
            for window, part in zip(fit_windows, parts, strict=True)
            if window.person == person
        ]
        fits[person] = crossfade(own, len(people[person].timestamps_s))
    return fits


def _coarsely(
    config: PiecewiseConfig,
    fitter: Fitter,
    people: Sequence[Observation],
    regressions: Sequence[Regression | None],
    body: BodyModel,
) -> tuple[list[Fit], list[Initialisation]]:
    """Everyone's coarse frames fitted, and what that began with."""
    starts, fit_windows = [], []
    for person, (whole, regression) in enumerate(zip(people, regressions, strict=True)):
        count = len(whole.timestamps_s)
        rows = config.coarse(count)
        observation = whole.at(rows)
        # One path through the whole clip, so that windows agree where they meet on which way somebody faces.
        start = initialise(
            body,
            fitter.shape.mean.cpu().numpy(),
            observation.camera,
            observation.keypoints_px,
            observation.weights,
            observation.timestamps_s,
            None if regression is None else regression.at(rows),
        )
        starts.append(start)
        spans = [slice(0, count)]
        if count > config.coarse_frames:
            spans = windows(len(rows), config.coarse_frames + 1, config.overlap_frames // config.stride(count) + 1)
        fit_windows += [FitWindow(person, span, observation.at(span), start.at(span)) for span in spans]
    parts = fitter.fit([window.observation for window in fit_windows], [window.start for window in fit_windows])
    fits = []
    for person, whole in enumerate(people):
        own = [
            (window.frames.start, part)
            for window, part in zip(fit_windows, parts, strict=True)
            if window.person == person
        ]
        if len(own) > 1:
            latent = np.average([fit.latent for _, fit in own], axis=0, weights=[len(fit.transl) for _, fit in own])
            own = [(first, fitter.reshaped(fit, latent)) for first, fit in own]
        fits.append(crossfade(own, len(config.coarse(len(whole.timestamps_s)))))
    return fits, starts


def windows(count: int, size: int, overlap: int) -> list[slice]:
    """Return even windows of at most `size` frames that overlap by `overlap`."""
    number = max(1, -(-(count - overlap) // (size - overlap)))
    edges = np.linspace(0, count - overlap, number + 1).round().astype(int)
    return [slice(int(a), int(b) + overlap) for a, b in itertools.pairwise(edges)]


def crossfade(parts: list[tuple[int, Fit]], count: int) -> Fit:
    """Crossfade windows of one shape, each with its first frame, where they overlap."""
    if len(parts) == 1:
        return parts[0][1]
    total = np.zeros(count)
    orient, pose, transl = np.zeros((count, 3, 3)), np.zeros((count, 69)), np.zeros((count, 3))
    for first, part in parts:
        length = len(part.transl)
        share = np.minimum(np.arange(1, length + 1), np.arange(length, 0, -1)).astype(np.float64)
        rows = slice(first, first + length)
        total[rows] += share
        orient[rows] += share[:, None, None] * part.global_orient
        pose[rows] += share[:, None] * part.body_pose
        transl[rows] += share[:, None] * part.transl
    # The nearest rotation to a mean of rotations.
    u, _, vt = np.linalg.svd(orient)
    sign = np.linalg.det(u @ vt)
    u[:, :, 2] *= sign[:, None]
    loss = float(np.mean([part.loss for _, part in parts]))
    return replace(
        parts[0][1],
        global_orient=u @ vt,
        body_pose=pose / total[:, None],
        transl=transl / total[:, None],
        loss=loss,
    )


def fit_at(fit: Fit, known_s: Float[np.ndarray, "known"], wanted_s: Float[np.ndarray, "wanted"]) -> Fit:
    """Return the motion at other times: interpolated between known ones, held before the first and after the last."""
    clipped = np.clip(wanted_s, known_s[0], known_s[-1])

    def linear(values: Float[np.ndarray, "known n"]) -> Float[np.ndarray, "wanted n"]:
        return np.stack([np.interp(clipped, known_s, column) for column in values.T], axis=-1)

    if len(known_s) > 1:
        rotated = Slerp(known_s, Rotation.from_matrix(fit.global_orient))(clipped).as_matrix()
    else:
        rotated = np.repeat(fit.global_orient, len(clipped), axis=0)
    return Fit(fit.betas, fit.latent, rotated, linear(fit.body_pose), linear(fit.transl), fit.loss)
