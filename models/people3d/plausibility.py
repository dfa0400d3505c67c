"""Does a lifted person obey the world: feet that carry stay put, nothing sinks into the floor, nobody rests on air.

In: a track in the room's world (z up, floor at z = 0), its true timestamps, the body; where the person rests on
furniture, the height of what is below them. Out: metrics per track, and the reasons for which a track fails.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic import Field

from models.body.model import BodyModel
from models.body.tracks import standing_pelvis_height, track_joints, track_parameters
from models.config import Config, renamed
from models.errors import InputError
from models.types import SMPL_JOINTS, PersonTrack

FEET = tuple(tuple(SMPL_JOINTS.index(f"{side}_{joint}") for joint in ("ankle", "foot")) for side in ("left", "right"))


class PlausibilityConfig(Config):
    """What counts as contact and rest, and what a track may do before it fails."""

    contact_m: float = Field(default=0.05, gt=0.0)
    """A point of a foot that is lower than this over its support in two frames was in contact between them, metres."""
    rest_m_s: float = Field(default=0.1, gt=0.0)
    """A pelvis slower than this, over half a second, is at rest, metres per second."""
    gap_s: float = Field(default=0.6, gt=0.0)
    """Frames farther apart in time say nothing of what happened between them, seconds."""
    penetration_m: float = renamed("sunk_m", "penetration_m", 0.03, ge=0.0)
    """Frames that reach deeper into the floor count as sunk, metres: skin gives way a little."""
    max_foot_skate_cm_s: float = renamed("most_skate_cm_s", "max_foot_skate_cm_s", 40.0, gt=0.0)
    """Mean speed of feet in contact above which a track fails, centimetres per second."""
    max_penetration_m: float = renamed("most_sunk_m", "max_penetration_m", 0.15, gt=0.0)
    """Depth below the floor above which a track fails, metres; a twentieth of its frames may be deeper."""
    max_penetration_share: float = renamed("most_sunk_share", "max_penetration_share", 0.5, gt=0.0, le=1.0)
    """Share of frames that are sunk above which a track fails."""
    max_float_m: float = renamed("most_float_m", "max_float_m", 0.3, gt=0.0)
    """Height over its support at rest above which a track fails, metres."""


@dataclass(frozen=True)
class PlausibilityMetrics:
    """Of one track, over its observed frames."""

    skate_cm_s: float | None
    """Mean horizontal speed of the foot that carries the person; None where feet never do."""
    contact_s: float
    """How long a foot carried the person."""
    sunk_m: float
    """Depth below the floor that only a twentieth of the frames exceed."""
    sunk_share: float
    """Share of frames that reach deeper than `PlausibilityConfig.penetration_m`."""
    float_m: float | None
    """Median height of the lowest point over its support while at rest; None where never at rest."""
    rest_s: float
    """How long the person was at rest."""


def measure_plausibility(
    body: BodyModel,
    track: PersonTrack,
    timestamps_s: Float[np.ndarray, "time"],
    config: PlausibilityConfig,
    support_m: Float[np.ndarray, "time"] | None = None,
) -> PlausibilityMetrics:
    """Measure one track; `support_m` is the height of what is below the person, the floor where not given.

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
    contact_s = float(dt[carried].sum())
    span = np.zeros(len(timestamps_s))
    span[1:] += np.where(both, dt, 0.0) / 2.0
    span[:-1] += np.where(both, dt, 0.0) / 2.0
    rests = _at_rest(pelvis, timestamps_s, config) & track.visible
    sunk = np.maximum(-lowest[track.visible], 0.0)
    over = np.maximum(lowest - support, 0.0)[rests]
    return PlausibilityMetrics(
        skate_cm_s=100.0 * float(slide[carried].sum()) / contact_s if contact_s > 0.0 else None,
        contact_s=contact_s,
        sunk_m=float(np.percentile(sunk, 95)),
        sunk_share=float((sunk > config.penetration_m).mean()),
        float_m=float(np.median(over)) if rests.any() else None,
        rest_s=float(span[rests].sum()),
    )


def failure_reasons(metrics: PlausibilityMetrics, config: PlausibilityConfig) -> list[str]:
    """Say why a track fails, in words; empty where it does not."""
    found = []
    if metrics.skate_cm_s is not None and metrics.skate_cm_s > config.max_foot_skate_cm_s:
        found.append(f"feet in contact slide at {metrics.skate_cm_s:.0f} cm/s (at most {config.max_foot_skate_cm_s:g})")
    if metrics.sunk_m > config.max_penetration_m:
        found.append(f"sinks {metrics.sunk_m:.2f} m into the floor (at most {config.max_penetration_m:g})")
    if metrics.sunk_share > config.max_penetration_share:
        found.append(
            f"is below the floor in {metrics.sunk_share:.0%} of the frames (at most {config.max_penetration_share:.0%})"
        )
    if metrics.float_m is not None and metrics.float_m > config.max_float_m:
        found.append(f"rests {metrics.float_m:.2f} m above its support (at most {config.max_float_m:g})")
    return found


def _surface(body: BodyModel, track: PersonTrack) -> Float[np.ndarray, "time point 3"]:
    """Contact points of the skin; 128 frames at a time stay in the processor's cache."""
    parts = [torch.split(values, 128) for values in track_parameters(track)]
    with torch.no_grad():
        return torch.cat([body.posed(*part).surface_points for part in zip(*parts, strict=True)]).double().numpy()


def _at_rest(
    pelvis: Float[np.ndarray, "time 3"], timestamps_s: Float[np.ndarray, "time"], config: PlausibilityConfig
) -> Bool[np.ndarray, "time"]:
    """Frames about which the pelvis moves slowly, from a quarter of a second before to a quarter after."""
    before = np.searchsorted(timestamps_s, timestamps_s - 0.25)
    after = np.searchsorted(timestamps_s, timestamps_s + 0.25, side="right") - 1
    elapsed = timestamps_s[after] - timestamps_s[before]
    speed = np.linalg.norm(pelvis[after] - pelvis[before], axis=-1) / np.maximum(elapsed, 1e-9)
    return (elapsed > 0.0) & (elapsed <= 0.5 + config.gap_s) & (speed < config.rest_m_s)
