"""Feet and floor: where the skin is lowest, and people brought to stand on z = 0 with the feet that the source has
planted.

Planted feet get their soles onto the floor, each by its own leg; between contacts the correction is interpolated, so
that jumps stay jumps. Feet that would sink are lifted by their legs, hands bend back, and whoever still sinks is lifted
as a whole.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.ndimage import distance_transform_edt, gaussian_filter1d, maximum_filter1d

from models.body.hand_contact import lay_hands
from models.body.model import REGIONS, BodyModel
from models.body.tracks import rest_joints_of
from models.body.two_bone_ik import reach_ankles
from models.geometry.easing import smoothstep

SMOOTH_S = 0.06
"""Spread of what smooths the corrections over time."""
FADE_S = 0.6
"""Time in which a foot that left the floor forgets by what its correction differed from the body's."""
FOOT_S, BODY_S = 0.06, 0.1
"""How long before they are needed feet and the whole body begin to rise: a runner's foot leaves the floor in an
instant."""
FAR_M = 0.08
"""A planted foot farther than this from the floor stands on something else."""


def stand_on_floor(
    body: BodyModel,
    betas: Float[np.ndarray, "10"],
    local: Float[np.ndarray, "time 24 3 3"],
    pelvis: Float[np.ndarray, "time 3"],
    ankles: Sequence[Float[np.ndarray, "time 3"]],
    planted: Bool[np.ndarray, "time 2"],
    fps: float,
    floor_m: float | None = None,
) -> tuple[Float[np.ndarray, "time 24 3 3"], Float[np.ndarray, "time 3"]]:
    """Return rotations and `transl` of a person whose ankles (left, right) follow given paths, brought onto the floor z
    = 0.

    `local` turns the root to the world (z up) and the others to their parents; `pelvis` and `ankles` are places,
    metres. Where the source's floor is not known (`floor_m`, a height), it is where soles of planted feet usually are;
    where none is planted, where the lowest skin usually is.
    """
    rest = rest_joints_of(body, betas)
    reached = reach_ankles(rest, local, pelvis, ankles)
    heights = surface_heights(body, betas, reached[:, 0], reached[:, 1:], pelvis - rest[0])
    soles = np.stack([heights[:, points].min(axis=1) for points in sole_points(body)], axis=1)
    if floor_m is None:
        floor_m = float(np.median(soles[planted]) if planted.any() else np.percentile(heights.min(axis=1), 10.0))
    soles = soles - floor_m
    planted = planted & (np.abs(soles) < FAR_M)
    # The body goes along with its planted feet, and a foot in the air with the body; what feet differ by, the legs take
    # up.
    both = np.where(planted, -soles, 0.0).sum(axis=1) / np.maximum(planted.sum(axis=1), 1)
    body_down = _bridged(both, planted[:, 0] | planted[:, 1], fps)
    apart = -soles - body_down[:, None]
    down = body_down[:, None] + np.stack([_passing(apart[:, foot], planted[:, foot], fps) for foot in (0, 1)], axis=1)
    up = np.stack([_lifted(soles[:, foot] + down[:, foot], FOOT_S, fps) for foot in (0, 1)], axis=1)
    vertical = np.array([0.0, 0.0, 1.0])
    pelvis = pelvis + (body_down - floor_m)[:, None] * vertical
    ankles = [path + (down[:, foot] + up[:, foot] - floor_m)[:, None] * vertical for foot, path in enumerate(ankles)]
    local = lay_hands(body, rest, reach_ankles(rest, local, pelvis, ankles), pelvis, fps)
    transl = pelvis - rest[0]
    lowest = lowest_surface(body, betas, local[:, 0], local[:, 1:], transl)
    return local, transl + _lifted(lowest, BODY_S, fps)[:, None] * vertical


def _bridged(
    wanted: Float[np.ndarray, "time"], where: Bool[np.ndarray, "time"], fps: float
) -> Float[np.ndarray, "time"]:
    """What is wanted at some frames, interpolated over the others and smoothed; zero where nothing is wanted."""
    if not where.any():
        return np.zeros(len(wanted))
    index = np.arange(len(wanted))
    return gaussian_filter1d(np.interp(index, index[where], wanted[where]), SMOOTH_S * fps, mode="nearest")


def _passing(
    wanted: Float[np.ndarray, "time"], where: Bool[np.ndarray, "time"], fps: float
) -> Float[np.ndarray, "time"]:
    """As `_bridged`, fading to nothing `FADE_S` away from where it is wanted."""
    away_s = np.asarray(distance_transform_edt(~where)) / fps if where.any() else np.full(len(where), np.inf)
    return smoothstep(1.0 - away_s / FADE_S, _bridged(wanted, where, fps))


def _lifted(heights: Float[np.ndarray, "time"], ahead_s: float, fps: float) -> Float[np.ndarray, "time"]:
    """A smooth rise, begun `ahead_s` before it is needed, that leaves nothing, or next to nothing, below zero."""
    size = max(1, round(ahead_s * fps)) * 2 + 1
    below = maximum_filter1d(np.maximum(0.0, -heights), size, mode="nearest")
    return gaussian_filter1d(below, 0.4 * ahead_s * fps, mode="nearest")


def sole_points(body: BodyModel) -> tuple[np.ndarray, np.ndarray]:
    """Return which of `surface_points` are the left and the right foot's."""
    vertices = body.surface_vertices
    foot = body.regions[vertices] == REGIONS.index("foot")
    left = body.v_template[vertices, 0].numpy() > 0.0
    return np.flatnonzero(foot & left), np.flatnonzero(foot & ~left)


def surface_heights(
    body: BodyModel,
    betas: Float[np.ndarray, "10"],
    global_orient: Float[np.ndarray, "time ..."],
    body_pose: Float[np.ndarray, "time ..."],
    transl: Float[np.ndarray, "time 3"],
) -> Float[np.ndarray, "time point"]:
    """Return heights of the contact points of the skin, metres; rotations as axis-angle or as matrices, as `BodyModel`
    takes them."""
    shape = torch.as_tensor(betas, dtype=torch.float32)[None]
    heights = np.empty((len(transl), len(body.surface_vertices)))
    # 128 frames at a time stay in the processor's cache: twice as fast as all at once.
    for part in (slice(first, first + 128) for first in range(0, len(transl), 128)):
        pose = (torch.as_tensor(array[part], dtype=torch.float32) for array in (global_orient, body_pose, transl))
        with torch.no_grad():
            heights[part] = body.posed(shape, *pose).surface_points[..., 2].numpy()
    return heights


def lowest_surface(
    body: BodyModel,
    betas: Float[np.ndarray, "10"],
    global_orient: Float[np.ndarray, "time ..."],
    body_pose: Float[np.ndarray, "time ..."],
    transl: Float[np.ndarray, "time 3"],
) -> Float[np.ndarray, "time"]:
    """Return the height of the lowest contact point of the skin per frame, metres."""
    return surface_heights(body, betas, global_orient, body_pose, transl).min(axis=1)
