"""Whether a rise with somebody's help could be: both perform it as humanoids in one simulation, hands holding on.

Motion alone is asked (20 Hz, floor at z = 0, no furniture and no holds named), so that what was composed, captured or
sampled is judged alike. Who rises is who is lowest at first; what that one sits on is told from the motion
(`models.interactions.implied_seat`), and so is which hands hold what (`models.motion.kept_holds`). The simulation is
that which made the corpus' composed interactions.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from models.body.kinematics import forward_kinematics_numpy
from models.body.model import BodyModel
from models.body.resample import resample_track
from models.body.tracks import rest_joints_of, standing_pelvis_height
from models.body.two_bone_ik import ARMS
from models.errors import Rejected
from models.falls.causes import SIMULATED_HZ
from models.geometry.transforms import unit
from models.interactions.hand_holds import local_rotations_of
from models.interactions.implied_seat import seat_under
from models.interactions.palm_contact import carried_point
from models.motion.holding import PALM_M
from models.motion.kept_holds import HeldPlace, held_places
from models.physics.humanoid import Box, Grip, build_humanoids
from models.physics.tracking import TrackingConfig, substeps_of, track_together
from models.types import FPS, PersonTrack

UPRIGHT = 0.85
"""Share of the standing height over which the pelvis of who has risen is."""
CLIMB = 0.12
"""Share by which it is higher at the end than at the lowest: a short person on a high bed rises by 0.19."""
SEEN_S = 1.0
"""The beginning, by which is told who rises, and the end, by which whether they have."""
LEAVES_M = 0.05
"""Who rises has left what they sit on when the pelvis is so much higher than it was at its lowest."""
HELD_SHARE = 0.25
"""Of the time in which somebody rises, that some hand must hold them; of the corpus' composed rises 1 of 90 is held for
no longer, as far as can be told from the motion."""
LOST_M = 0.05
"""Furthest that a hand which holds may be from where it holds."""
SLIDES_M = 0.2
"""A hand that is further from where it mostly is does not hold yet, or no more."""
GRASPS_S = 0.3
"""In which a hand is drawn to where it holds."""
WATER_KG_M3 = 1000.0
"""People weigh about as much as water of their volume."""


@dataclass(frozen=True)
class Rise:
    """How somebody rises, as the motion has it."""

    who: int
    """Which of the two."""
    leaves: int
    """Last frame in which they rest on what they sit or lie on."""
    risen: int
    """First frame from which on they stand."""


@dataclass(frozen=True)
class PerformedRise:
    """A rise as the simulation performs it."""

    tracks: tuple[PersonTrack, ...]
    """At SIMULATED_HZ."""
    rise: Rise
    boxes: tuple[Box, ...]
    grips: tuple[tuple[Grip, float, float], ...]
    """Hands of who helps, and from when until when each holds, seconds."""


def perform_rise(body: BodyModel, tracks: Sequence[PersonTrack]) -> PerformedRise:
    """Return how two people (20 Hz) perform the rise of one of them, held by the other.

    Rejected, by the first reason that there is: `does_not_rise` (in the motion, or as performed), `no_hold` (no hand of
    the other is on who rises for HELD_SHARE of the time), those of `models.physics.tracking` (`simulation_strays`,
    `simulation_penetrates`, `simulation_unstable`), `hand_lost` (more than LOST_M from where it holds).
    """
    assert len(tracks) == 2, "two people"
    rise = rise_of(body, tracks)
    grips = _grips(body, tracks, 1 - rise.who)
    _check_hold(rise, grips)
    seat = seat_under(body, tracks[rise.who], rise.leaves, rise.risen)
    boxes = () if seat is None else (seat,)
    people = [(track.betas, WATER_KG_M3 * _volume_m3(body, track.betas)) for track in tracks]
    timestep_s = 1.0 / SIMULATED_HZ / substeps_of(SIMULATED_HZ)
    humanoids = build_humanoids(body, people, timestep_s, boxes, [grip for grip, _, _ in grips])
    times = np.arange(len(tracks[0].transl)) / FPS
    finer = np.arange(round(times[-1] * SIMULATED_HZ) + 1) / SIMULATED_HZ
    wanted = [resample_track(track, times, finer) for track in tracks]
    holding_s = [(first, until) for _, first, until in grips]
    done = track_together(humanoids, wanted, SIMULATED_HZ, TrackingConfig(), holding_s)
    performed = PerformedRise(done, rise, boxes, grips)
    _check_risen(body, done[rise.who], SIMULATED_HZ)
    check_held(body, performed)
    return performed


def rise_of(body: BodyModel, tracks: Sequence[PersonTrack]) -> Rise:
    """Find out who rises, and when (20 Hz); Rejected where nobody does."""
    heights = np.stack([_pelvis_share(body, track) for track in tracks])
    who = int(heights[:, : round(SEEN_S * FPS)].mean(axis=1).argmin())
    _check_risen(body, tracks[who], FPS)
    if heights[who, -1] - heights[who].min() < CLIMB:
        raise Rejected("does_not_rise", "stands from the beginning")
    upright = heights[who] >= UPRIGHT
    # From the end back: who sinks back and tries again has risen when they stay up.
    risen = int(np.flatnonzero(~upright)[-1]) + 1
    risen = min(risen, len(upright) - 1)
    lowest = heights[who, :risen].min()
    near = heights[who, :risen] < lowest + LEAVES_M / standing_pelvis_height(body, tracks[who].betas)
    return Rise(who, int(np.flatnonzero(near)[-1]), risen)


def count_outcomes(body: BodyModel, motions: Sequence[Sequence[PersonTrack]]) -> dict[str, int | dict[str, int]]:
    """Count how many rises are performed, and why the others are not: `tried`, `performed`, `reasons`."""
    reasons = Counter[str]()
    for tracks in motions:
        try:
            perform_rise(body, tracks)
        except Rejected as rejected:
            reasons[rejected.reason] += 1
    return {
        "tried": len(motions),
        "performed": len(motions) - reasons.total(),
        "reasons": dict(sorted(reasons.items())),
    }


def _pelvis_share(body: BodyModel, track: PersonTrack) -> Float[np.ndarray, "time"]:
    """Height of the pelvis over that of who stands straight."""
    height = track.transl[:, 2] + rest_joints_of(body, track.betas)[0, 2]
    return height / standing_pelvis_height(body, track.betas)


def _check_risen(body: BodyModel, track: PersonTrack, fps: float) -> None:
    end = float(np.median(_pelvis_share(body, track)[-round(SEEN_S * fps) :]))
    if end < UPRIGHT:
        raise Rejected("does_not_rise", f"the pelvis ends at {100.0 * end:.0f} % of its height")


def _check_hold(rise: Rise, grips: Sequence[tuple[Grip, float, float]]) -> None:
    held = np.zeros(rise.risen, dtype=bool)
    for _, first, until in grips:
        held[round(first * FPS) : round(until * FPS)] = True
    share = float(held[rise.leaves :].mean())
    if share < HELD_SHARE:
        raise Rejected("no_hold", f"held for {100.0 * share:.0f} % of the rise")


def check_held(body: BodyModel, performed: PerformedRise) -> None:
    """Raise Rejected, `hand_lost`, for a hand that is off where it holds while it does."""
    for grip, first, until in performed.grips:
        palm, place = (
            carried_point(body, performed.tracks[person], joint, offset)
            for person, joint, offset in ((grip.holder, grip.wrist, grip.palm), (grip.held, grip.joint, grip.place))
        )
        held = slice(round((first + GRASPS_S) * SIMULATED_HZ), round(until * SIMULATED_HZ))
        away = np.linalg.norm(palm - place, axis=-1)[held]
        if len(away) and away.max() > LOST_M:
            raise Rejected("hand_lost", f"{100.0 * away.max():.0f} cm from where it holds")


def _grips(body: BodyModel, tracks: Sequence[PersonTrack], holder: int) -> tuple[tuple[Grip, float, float], ...]:
    """Every hand of one person on the other, and from when until when it is there, seconds."""
    rest = np.stack([rest_joints_of(body, track.betas) for track in tracks])
    local = np.stack([local_rotations_of(track) for track in tracks])
    root = np.stack([track.transl for track in tracks]) + rest[:, None, 0]
    world = forward_kinematics_numpy(rest[holder], local[holder], root[holder])
    return tuple(
        (_grip(hold, world, span), span.start / FPS, span.stop / FPS)
        for hold in held_places(rest, local, root)
        if hold.holder == holder
        for span in _spans(hold)
    )


def _spans(hold: HeldPlace) -> list[slice]:
    """From when until when a hand holds at a time: it may be on somebody sooner, coming in by way of an elbow."""
    spans = []
    edges = np.flatnonzero(np.diff(hold.on, prepend=False, append=False))
    for first, last in edges.reshape(-1, 2):
        place = hold.place[first:last]
        away = np.linalg.norm(place - np.median(place, axis=0), axis=-1)
        near = np.flatnonzero(away <= max(SLIDES_M, away.min()))
        spans.append(slice(int(first + near[0]), int(first + near[-1] + 1)))
    return spans


def _grip(
    hold: HeldPlace, world: tuple[Float[np.ndarray, "time 24 3 3"], Float[np.ndarray, "time 24 3"]], span: slice
) -> Grip:
    """What the hand carries onto what it holds, both as they are in the median of the time: hands slip a little."""
    (rotations, places), arm = world, ARMS[hold.hand]
    along = PALM_M * unit(places[span, arm.end] - places[span, arm.middle])
    palm = np.median(np.einsum("tji,tj->ti", rotations[span, arm.end], along), axis=0)
    return Grip(hold.holder, arm.end, palm, hold.held, hold.joint, np.median(hold.place[span], axis=0))


def _volume_m3(body: BodyModel, betas: Float[np.ndarray, "10"]) -> float:
    """Of the body that the skin encloses: the sum of the tetrahedra from the origin to its faces."""
    with torch.no_grad():
        shape, zeros = torch.as_tensor(betas, dtype=torch.float32), torch.zeros(3)
        skin = body.posed(shape, zeros, torch.zeros(69), zeros).vertices.double().numpy()
    corners = skin[body.faces]
    return float(abs(np.linalg.det(corners).sum()) / 6.0)
