"""People together where nothing was captured: composed by time and place, performed by physics where one bears the
other's weight, and marked as composed.

The acts (`models/interactions/acts`) say who does what and whose hand holds what; arms reach for it
(`models.interactions.hand_holds`). Then all are humanoids in one simulation: they follow their motions by their own
joints, cannot pass through each other, and hands that hold on are drawn to where they hold. Kinds that need none of
that (`kinds.KINEMATIC`) stay as they were planned; they, too, are refused where two share space.
"""

import itertools
from collections.abc import Sequence

import numpy as np

from models.body.collision_spheres import CollisionSpheres, depths
from models.body.model import BodyModel
from models.body.subject import Subject
from models.errors import Rejected
from models.falls.causes import SIMULATED_HZ
from models.interactions.hand_holds import Hold, hold_on
from models.interactions.interaction import Interaction, draw_subject
from models.interactions.kinds import ACTS, CASTS, KINEMATIC, RESIDENT_AND_CARER, InteractionKind
from models.interactions.palm_contact import palm_distance
from models.physics.humanoid import Grip, build_humanoids
from models.physics.tracking import TrackingConfig, substeps_of, track_together
from models.text.captions import Facts
from models.types import Motion, PersonTrack, Role, take

INSIDE_M = 0.03
"""Deepest that one person may be in another."""
TOUCH_M = 0.03
PLACE_M = 0.07
"""Furthest that a palm which holds may be from the skin of what it holds, and from the very place."""
AGES: dict[Role, tuple[float, float]] = {
    "resident": (68.0, 95.0),
    "carer": (22.0, 62.0),
    "visitor": (20.0, 80.0),
    "person": (20.0, 90.0),
}
"""Years."""
LATE_S = 1.0
"""How much later than planned a hand may come to hold."""


def compose_interaction(
    body: BodyModel, kind: InteractionKind, fps: float, rng: np.random.Generator
) -> tuple[Motion, Facts]:
    """Return two people or more (who acts comes after who is acted on: a resident and a carer, or others of
    `kinds.CASTS`) at `fps`, and what a caption may say.

    Details: composition, composed, `touches` (hand and part of whom, from_s, until_s), and of some kinds cause,
    direction, onset, side, boxes, and `handles`, the same as touches of what moves with the resident. Rejected where
    physics will not have it, or they share space, or a hand does not get there.
    """
    casts = CASTS.get(kind, RESIDENT_AND_CARER)
    # One cast needs no draw: what was made of these kinds before stays as it was.
    roles = casts[int(rng.integers(len(casts))) if len(casts) > 1 else 0]
    people = [draw_subject(body, f"person_{place}", role, AGES[role], rng) for place, role in enumerate(roles)]
    every = 1 if kind in KINEMATIC else int(np.ceil(SIMULATED_HZ / fps))
    rate = fps * every
    act = ACTS[kind](*people, fps=rate, rng=rng)
    frames = min(len(labels) for _, labels in act.people) // every * every
    kept = np.arange(frames)
    tracks, grips = hold_on(body, [take(track, kept) for track, _ in act.people], act.holds, rate)
    if kind not in KINEMATIC:
        tracks = _performed(body, people, tracks, act, grips, rate)
    shown = np.arange(0, frames, every)
    tracks = tuple(take(track, shown) for track in tracks)
    inside = max(deepest_between(body, one, other) for one, other in itertools.combinations(tracks, 2))
    if inside > INSIDE_M:
        raise Rejected("composed_people_share_space", f"{100.0 * inside:.1f} cm")
    held = [_touch(hold, grip, tracks, body, fps) for hold, grip in zip(act.holds, grips, strict=True)]
    touches = [one for one, hold in zip(held, act.holds, strict=True) if hold.handle is None]
    handles = [one for one, hold in zip(held, act.holds, strict=True) if hold.handle is not None]
    actions = np.stack([labels[:frames][::every] for _, labels in act.people])
    details = {"composition": kind, "composed": True, "touches": touches} | act.details
    if handles:
        details["handles"] = handles
    return Motion(np.arange(len(shown)) / fps, tracks, actions, "composed", details), act.facts


def _performed(
    body: BodyModel,
    people: Sequence[Subject],
    tracks: Sequence[PersonTrack],
    act: Interaction,
    hands: tuple[Grip, ...],
    fps: float,
) -> tuple[PersonTrack, ...]:
    """The tracks as humanoids perform them in one world."""
    masses = [(person.betas, person.known_mass_kg) for person in people]
    humanoids = build_humanoids(body, masses, 1.0 / fps / substeps_of(fps), act.boxes, hands)
    # A simulated fall needs nothing but to be left alone until somebody comes.
    config = TrackingConfig(settle_s=0.0) if act.given_s > 0.0 else TrackingConfig()
    grips = [(hold.from_s, hold.until_s) for hold in act.holds]
    return track_together(humanoids, tracks, fps, config, grips, (act.given_s, *[0.0] * (len(people) - 1)))


def deepest_between(body: BodyModel, one: PersonTrack, other: PersonTrack) -> float:
    """Return how deep two people are in each other at the worst moment, metres; negative where they never meet."""
    spheres = [CollisionSpheres(body, track.betas) for track in (one, other)]
    centres = [s.centres(t.global_orient, t.body_pose, t.transl) for s, t in zip(spheres, (one, other), strict=True)]
    return float(depths(centres[0], spheres[0].radii, centres[1], spheres[1].radii).max())


def _touch(
    hold: Hold, grip: Grip, tracks: tuple[PersonTrack, ...], body: BodyModel, fps: float
) -> dict[str, str | float]:
    """What the details say of a hold: from when until when the palm was on the skin without a break, as it happened.

    Rejected where that is short, or not until the hand lets go.
    """
    skin, place = palm_distance(body, tracks[grip.holder], tracks[grip.held], grip)
    away = np.maximum(skin, place - (PLACE_M - TOUCH_M)) if hold.handle is None else place
    first = max(0, int(np.ceil(hold.from_s * fps)))
    last = min(len(away) - 1, int(hold.until_s * fps))
    off = np.flatnonzero(away[first : last + 1] > TOUCH_M)
    # It comes near for a moment before it is said to hold, and is drawn the last bit of the way.
    begins = first + (int(off[-1]) + 1 if len(off) else 0)
    if begins - first > LATE_S * fps or last - begins < hold.shortest_s * fps:
        worst = 100.0 * float(away[first : last + 1].max())
        raise Rejected("composed_hand_off", f"{hold.hand} hand up to {worst:.1f} cm from {hold.part}")
    return {
        "person": tracks[grip.holder].person,
        "hand": f"{hold.hand} hand",
        "other": tracks[grip.held].person,
        "part": hold.part.replace("_", " "),
        "from_s": begins / fps,
        "until_s": last / fps,
    }
