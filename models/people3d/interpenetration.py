"""Resolve interpenetration: people lifted from one camera may share space, because their distance is what a single view
knows least.

In: the tracks of one clip in the room's world and the camera's place. Out: the same tracks, those that overlap shifted
over the floor, mostly along the line of sight, as little and as smoothly as takes them apart. Nobody else changes by a
bit.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from models.body.collision_spheres import CollisionSpheres, depths
from models.body.model import BodyModel
from models.config import Config, renamed
from models.types import PersonTrack

CHUNK = 256
"""Frames that are compared at a time."""


class InterpenetrationConfig(Config):
    """How people who share space are moved apart; standard deviations say how far a shift goes before it costs."""

    tolerance_m: float = renamed("allowed_m", "tolerance_m", 0.01, ge=0.0)
    """Depth of overlap that is left, metres: people who hold each other press into the skin."""
    overlap_std_m: float = renamed("overlap_m", "overlap_std_m", 0.01, gt=0.0)
    """Standard deviation of the overlap that remains beyond that, metres."""
    along_std_m: float = renamed("along_m", "along_std_m", 0.3, gt=0.0)
    """Standard deviation of the shift towards the camera and away from it, metres: what one view knows least."""
    across_std_m: float = renamed("across_m", "across_std_m", 0.06, gt=0.0)
    """Standard deviation of the shift across the line of sight, metres."""
    speed_std_m_s: float = renamed("speed_m_s", "speed_std_m_s", 0.15, gt=0.0)
    """Standard deviation of how fast the shift changes, metres per second."""
    steps: int = Field(default=60, ge=0)
    """Iterations of L-BFGS; 0 leaves everybody where they are."""


@dataclass(frozen=True)
class Overlap:
    """How deep two people were in each other, and how far they were moved."""

    people: tuple[str, str]
    before_m: float
    """How deep they were in each other, at the worst moment."""
    after_m: float
    shift_m: float
    """How far one of them was moved, at most."""


def resolve_interpenetration(
    config: InterpenetrationConfig,
    body: BodyModel,
    tracks: Sequence[PersonTrack],
    timestamps_s: Float[np.ndarray, "time"],
    camera_xy: Float[np.ndarray, "2"],
) -> tuple[list[PersonTrack], list[Overlap]]:
    """Move people apart who overlap by more than `tolerance_m`; tracks share timestamps. Order does not matter."""
    if len(tracks) < 2:
        return list(tracks), []
    spheres = [CollisionSpheres(body, track.betas) for track in tracks]
    centres = [s.centres(t.global_orient, t.body_pose, t.transl) for s, t in zip(spheres, tracks, strict=True)]
    radii = [s.radii for s in spheres]
    before = {
        (a, b): _deepest(centres[a], radii[a], centres[b], radii[b])
        for a, b in itertools.combinations(range(len(tracks)), 2)
    }
    touching = [pair for pair, depth in before.items() if float(depth.max()) > config.tolerance_m]
    if not touching or config.steps == 0:
        return list(tracks), [_overlap(tracks, pair, before[pair], before[pair], 0.0) for pair in touching]
    movers = sorted({one for pair in touching for one in pair}, key=lambda one: tracks[one].person)
    shifts = _shifts(config, tracks, movers, touching, centres, radii, timestamps_s, camera_xy)
    result = list(tracks)
    for one, shift in shifts.items():
        transl = tracks[one].transl.copy()
        transl[:, :2] += shift
        result[one] = replace(tracks[one], transl=transl)
        centres[one] = (
            centres[one] + torch.nn.functional.pad(torch.as_tensor(shift, dtype=torch.float32), (0, 1))[:, None]
        )
    overlaps = []
    for a, b in touching:
        farthest = max(float(np.linalg.norm(shifts[one], axis=1).max()) for one in (a, b))
        after = _deepest(centres[a], radii[a], centres[b], radii[b])
        overlaps.append(_overlap(tracks, (a, b), before[a, b], after, farthest))
    return result, overlaps


def _overlap(
    tracks: Sequence[PersonTrack], pair: tuple[int, int], before: Tensor, after: Tensor, shift: float
) -> Overlap:
    names = sorted(tracks[one].person for one in pair)
    return Overlap((names[0], names[1]), max(0.0, float(before.max())), max(0.0, float(after.max())), shift)


@torch.no_grad()
def _deepest(a: Tensor, a_radii: Tensor, b: Tensor, b_radii: Tensor) -> Float[Tensor, "time"]:
    return torch.cat(
        [
            depths(a[first : first + CHUNK], a_radii, b[first : first + CHUNK], b_radii).amax((1, 2))
            for first in range(0, len(a), CHUNK)
        ]
    )


def _shifts(
    config: InterpenetrationConfig,
    tracks: Sequence[PersonTrack],
    movers: list[int],
    touching: list[tuple[int, int]],
    centres: list[Tensor],
    radii: list[Tensor],
    timestamps_s: Float[np.ndarray, "time"],
    camera_xy: Float[np.ndarray, "2"],
) -> dict[int, Float[np.ndarray, "time 2"]]:
    """Shift over the floor per mover and frame: least squares of overlap, distance and speed, by L-BFGS."""
    dt = torch.as_tensor(np.diff(timestamps_s), dtype=torch.float32).clamp(min=1e-3)
    axes, sure = [], []
    for one in movers:
        sight = torch.as_tensor(tracks[one].transl[:, :2] - camera_xy, dtype=torch.float32)
        along = torch.nn.functional.normalize(sight, dim=-1)
        axes.append(torch.stack([along, torch.stack([-along[:, 1], along[:, 0]], dim=-1)], dim=1))
        # Who was seen better is moved less.
        sure.append(0.25 + float(tracks[one].confidence.mean()))
    spread = torch.tensor([config.along_std_m, config.across_std_m])
    # Near frames decide: elsewhere a shift only fades, so distant frames need not be compared.
    near = torch.stack([_deepest(centres[a], radii[a] + 0.1, centres[b], radii[b] + 0.1) > 0.0 for a, b in touching])
    frames = [torch.nonzero(of)[:, 0] for of in near]
    # In units of the spreads, so that both directions are as stiff.
    moves = torch.zeros(len(movers), len(timestamps_s), 2, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [moves], max_iter=config.steps, max_eval=2 * config.steps, history_size=20, line_search_fn="strong_wolfe"
    )

    def shifts() -> list[Tensor]:
        return [((move * spread)[:, None] @ axis)[:, 0] for move, axis in zip(moves, axes, strict=True)]

    def closure() -> Tensor:
        optimiser.zero_grad()
        places = [torch.nn.functional.pad(shift, (0, 1))[:, None] for shift in shifts()]
        total = torch.zeros(())
        for (a, b), rows in zip(touching, frames, strict=True):
            i, k = movers.index(a), movers.index(b)
            deep = (
                depths(centres[a][rows] + places[i][rows], radii[a], centres[b][rows] + places[k][rows], radii[b])
                - config.tolerance_m
            )
            total = total + (deep.clamp(min=0.0) / config.overlap_std_m).square().sum()
        for move, weight in zip(moves, sure, strict=True):
            total = total + weight * move.square().sum()
        for shift, weight in zip(shifts(), sure, strict=True):
            speed = (shift[1:] - shift[:-1]) / dt[:, None] / config.speed_std_m_s
            total = total + weight * speed.square().sum()
        total.backward()
        return total

    optimiser.step(closure)
    with torch.no_grad():
        return {one: shift.double().numpy() for one, shift in zip(movers, shifts(), strict=True)}
