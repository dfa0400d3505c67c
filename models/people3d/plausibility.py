"""Does a lifted person obey the world: feet that carry stay put, nothing sinks into the floor, nobody rests on air.

In: a track in the room's world (z up, floor at z = 0), its true timestamps, the body; where the person rests on
furniture, the height of what is below them. Out: figures per track, and the reasons for which a track fails.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic import Field

from models.body.model import BodyModel
from models.body.tracks import standing_pelvis_height, track_joints, track_parameters
from models.config import Config
from models.errors import InputError
from models.types import SMPL_JOINTS, PersonTrack

FEET = tuple(tuple(SMPL_JOINTS.index(f"{side}_{joint}") for joint in ("ankle", "foot")) for side in ("left", "right"))


class WorldConfig(Config):
    """What counts as contact and rest, and what a track may do before it fails."""

    contact_m: float = Field(default=0.05, gt=0.0)
    """A point of a foot that is lower than this over its support in two frames was in contact between them."""
    rest_m_s: float = Field(default=0.1, gt=0.0)
    """A pelvis slower than this, over half a second, is at rest."""
    gap_s: float = Field(default=0.6, gt=0.0)
    """Frames farther apart say nothing of what happened between them."""
    sunk_m: float = Field(default=0.03, ge=0.0)
    """Frames that reach deeper into the floor count as sunk: skin gives way a little."""
    most_skate_cm_s: float = Field(default=40.0, gt=0.0)
    most_sunk_m: float = Field(default=0.15, gt=0.0)
    """In a twentieth of the frames."""
    most_sunk_share: float = Field(default=0.5, gt=0.0, le=1.0)
    most_float_m: float = Field(default=0.3, gt=0.0)


@dataclass(frozen=True)
class WorldFigures:
    """Of one track, over its observed frames."""

    skate_cm_s: float | None
    """Mean horizontal speed of the foot that carries the person; None where feet never do."""
    contact_s: float
    """How long a foot carried the person."""
    sunk_m: float
    """Depth below the floor that only a twentieth of the frames exceed."""
    sunk_share: float
    """Share of frames that reach deeper than `WorldConfig.sunk_m`."""
    float_m: float | None
    """Median height of the lowest point over its support while at rest; None where never at rest."""
    rest_s: float
    """How long the person was at rest."""


def measure(
    body: BodyModel,
    track: PersonTrack,
    timestamps_s: Float[np.ndarray, "time"],
    config: WorldConfig,
    support_m: Float[np.ndarray, "time"] | None = None,
) -> WorldFigures:
    """Figures of one track; `support_m` is the height of what is below the person, the floor where not given.

    Sinking is measured against the floor alone: a limb may hang beside a bed. Raises InputError where nothing was
    observed.
    """
    if not track.visible.any():
        raise InputError(track.person, "was observed in no frame", "measure tracks that were observed")
    support = np.zeros(len(timestamps_s)) if support_m is None else support_m
    points = _surface(body, track)
    lowest = points[..., 2].min(axis=1)
    pelvis = track_joints(body, track)[:, 0]
    dt = np.diff(timestamps_s)
    both = track.visible[1:] & track.visible[:-1] & (dt <= config.gap_s)
    upright = pelvis[:, 2] - support > 0.6 * standing_pelvis_height(body, track.betas)
    owner = body.weights[body.surface_vertices].numpy().argmax(axis=-1)
    slides = np.full((2, len(dt)), np.inf)
    for slide, joints in zip(slides, FEET, strict=True):
        foot = points[:, np.isin(owner, joints)]
        over = foot[..., 2] - support[:, None]
        higher = np.maximum(over[1:], over[:-1])
        step = np.linalg.norm(np.diff(foot[..., :2], axis=0), axis=-1)
        slide[:] = np.where(higher < config.contact_m, step, np.inf).min(axis=1)
    # A foot rolls over a still point, and a swinging one clears the floor by a centimetre, less than a lifted track
    # knows: the stillest point in contact carries.
    slide = slides.min(axis=0)
    carried = both & upright[1:] & upright[:-1] & np.isfinite(slide)
    held = float(dt[carried].sum())
    span = np.zeros(len(timestamps_s))
    span[1:] += np.where(both, dt, 0.0) / 2.0
    span[:-1] += np.where(both, dt, 0.0) / 2.0
    rests = _at_rest(pelvis, timestamps_s, config) & track.visible
    sunk = np.maximum(-lowest[track.visible], 0.0)
    over = np.maximum(lowest - support, 0.0)[rests]
    return WorldFigures(
        skate_cm_s=100.0 * float(slide[carried].sum()) / held if held > 0.0 else None,
        contact_s=held,
        sunk_m=float(np.percentile(sunk, 95)),
        sunk_share=float((sunk > config.sunk_m).mean()),
        float_m=float(np.median(over)) if rests.any() else None,
        rest_s=float(span[rests].sum()),
    )


def reasons(figures: WorldFigures, config: WorldConfig) -> list[str]:
    """Why a track fails, in words; empty where it does not."""
    found = []
    if figures.skate_cm_s is not None and figures.skate_cm_s > config.most_skate_cm_s:
        found.append(f"feet in contact slide at {figures.skate_cm_s:.0f} cm/s (at most {config.most_skate_cm_s:g})")
    if figures.sunk_m > config.most_sunk_m:
        found.append(f"sinks {figures.sunk_m:.2f} m into the floor (at most {config.most_sunk_m:g})")
    if figures.sunk_share > config.most_sunk_share:
        found.append(
            f"is below the floor in {figures.sunk_share:.0%} of the frames (at most {config.most_sunk_share:.0%})"
        )
    if figures.float_m is not None and figures.float_m > config.most_float_m:
        found.append(f"rests {figures.float_m:.2f} m above its support (at most {config.most_float_m:g})")
    return found


def _surface(body: BodyModel, track: PersonTrack) -> Float[np.ndarray, "time point 3"]:
    """Contact points of the skin; 128 frames at a time stay in the processor's cache."""
    parts = [torch.split(values, 128) for values in track_parameters(track)]
    with torch.no_grad():
        return torch.cat([body.surface_points(*part) for part in zip(*parts, strict=True)]).double().numpy()


def _at_rest(
    pelvis: Float[np.ndarray, "time 3"], timestamps_s: Float[np.ndarray, "time"], config: WorldConfig
) -> Bool[np.ndarray, "time"]:
    """Frames about which the pelvis moves slowly, from a quarter of a second before to a quarter after."""
    before = np.searchsorted(timestamps_s, timestamps_s - 0.25)
    after = np.searchsorted(timestamps_s, timestamps_s + 0.25, side="right") - 1
    elapsed = timestamps_s[after] - timestamps_s[before]
    speed = np.linalg.norm(pelvis[after] - pelvis[before], axis=-1) / np.maximum(elapsed, 1e-9)
    return (elapsed > 0.0) & (elapsed <= 0.5 + config.gap_s) & (speed < config.rest_m_s)
