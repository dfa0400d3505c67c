"""Somebody frail walks with a walking frame or a cane; a carer goes along, half a step behind."""

from typing import get_args

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d

from models.animation.actor import actor_of
from models.body.subject import Subject
from models.body.tracks import rest_root, track_joints
from models.geometry.easing import smoothstep
from models.geometry.transforms import matrix_from_axis_angle
from models.interactions.hand_holds import Hold, Side, reach_for
from models.interactions.interaction import OTHER, Acted, Interaction
from models.text.captions import Facts
from models.types import SMPL_JOINTS, take

GRIP_SHARE = 0.485
"""Height of handles and crooks over stature: that of the wrist of who stands upright."""
TURNS = 0.4
"""Radians from which on a caption says that they turn."""


def steady_at_frame(resident: Subject, carer: Subject, fps: float, rng: np.random.Generator) -> Interaction:
    """Return how the resident shuffles, both hands on a frame that rolls or is set forward step by step, or one on a
    cane; the carer follows on one side, a hand on the back or near it."""
    side: Side = "left" if rng.random() < 0.5 else "right"
    sign = 1.0 if side == "left" else -1.0
    aid = "frame" if rng.random() < 0.65 else "cane"
    frailty = float(rng.uniform(0.5, 1.0) if aid == "frame" else rng.uniform(0.2, 0.7))
    length, turn = float(rng.uniform(1.6, 2.8)), float(rng.choice([0.0, 1.0])) * float(rng.uniform(-0.8, 0.8))
    touching = rng.random() < 0.65
    gap, behind = rng.uniform(*(((0.5, 0.18), (0.56, 0.28)) if touching else ((0.55, 0.25), (0.7, 0.4))))
    bend = np.array([np.cos(turn), np.sin(turn)])
    middle = np.array([0.5 * length, 0.0])
    end = middle + 0.5 * length * bend
    across = sign * gap * np.array([0.0, 1.0]) - behind * np.array([1.0, 0.0])
    shifted = sign * gap * np.array([-bend[1], bend[0]]) - behind * bend
    actor = actor_of(resident, fps, rng, np.zeros(2), 0.0, frailty)
    before = float(rng.uniform(0.7, 1.3))
    actor.stand(before)
    first = actor.frames
    actor.walk(np.stack([np.zeros(2), middle, end]))
    seconds, stops = (actor.frames - first) / fps, actor.frames / fps
    actor.stand(float(rng.uniform(0.8, 1.6)))
    walked = actor.track(resident, actor.frames)
    hand = OTHER[side] if aid == "cane" else None
    walked = _with_frame(resident, walked, fps, rng) if hand is None else _with_cane(resident, walked, hand, fps, rng)
    follower = actor_of(carer, fps, rng, across, 0.0)
    follower.stand(before + float(rng.uniform(0.0, 0.25)))
    way = np.stack([across, middle + 0.5 * (across + shifted), end + shifted])
    follower.walk(way, seconds, float(rng.uniform(0.3, 0.42)))
    while follower.frames < len(walked[1]):
        follower.stand(1.0)
    following = follower.track(carer, follower.frames)
    always = rng.random() < 0.5
    begin, until = (-2.0, 99.0) if always else (0.1, stops + 0.1)
    holds = (Hold(OTHER[side], "back", begin, begin + 0.8, until, until + 0.7),) if touching else ()
    turns = None if abs(turn) < TURNS else "left" if turn > 0.0 else "right"
    touch = "back" if touching else None
    facts = Facts("steady_at_frame", role="carer", other="resident", side=side, touch=touch, aid=aid, turns=turns)
    details = {"aid": aid, "side": side} | ({} if hand is None else {"aid_hand": f"{hand} hand"})
    return Interaction((walked, following), facts, holds, (), 0.0, details)


def _way(person: Subject, walked: Acted, fps: float) -> tuple[Float[np.ndarray, "time 2"], Float[np.ndarray, "time 2"]]:
    """Where somebody is over the floor and where that faces, without the sway of single steps."""
    track = walked[0]
    places = (track.transl + rest_root(person.body, person.betas))[:, :2]
    fronts = gaussian_filter1d(matrix_from_axis_angle(track.global_orient)[:, :2, 2], 0.4 * fps, axis=0, mode="nearest")
    fronts /= np.linalg.norm(fronts, axis=1, keepdims=True)
    return gaussian_filter1d(places, 0.3 * fps, axis=0, mode="nearest"), fronts


def _with_frame(person: Subject, walked: Acted, fps: float, rng: np.random.Generator) -> Acted:
    """Both hands on the frame, all the time."""
    places, fronts = _way(person, walked, fps)
    ahead, wide = float(rng.uniform(0.24, 0.34)), float(rng.uniform(0.2, 0.25))
    height = GRIP_SHARE * person.body.stature(person.betas) + float(rng.uniform(-0.01, 0.03))
    travelled = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(places, axis=0), axis=1))])
    lift = np.zeros(len(places))
    if rng.random() < 0.4:
        # Set forward, then walked up to.
        stretch = travelled[-1] / max(1, round(travelled[-1] / float(rng.uniform(0.3, 0.42))))
        done, inside = np.divmod(travelled, stretch)
        moved = stretch * (done + smoothstep(inside / stretch / 0.45)) - 0.5 * stretch
        fade = np.clip(np.minimum(travelled, travelled[-1] - travelled) / (0.7 * stretch), 0.0, 1.0)
        ahead_by = (moved - travelled) * fade
        lift = 0.02 * np.sin(np.pi * np.clip(inside / stretch / 0.45, 0.0, 1.0)) * fade
        ahead_by, lift = (gaussian_filter1d(v, 0.08 * fps, mode="nearest") for v in (ahead_by, lift))
    else:
        ahead_by = np.zeros(len(places))
    track = walked[0]
    for hand in get_args(Side):
        sign = 1.0 if hand == "left" else -1.0
        aside = sign * wide * np.stack([-fronts[:, 1], fronts[:, 0]], axis=1)
        flat = places + (ahead + ahead_by)[:, None] * fronts + aside
        points = np.concatenate([flat, (height + lift)[:, None]], axis=1)
        track = reach_for(person.body, track, hand, points, _upwards(fronts), np.ones(len(points)))
    return track, walked[1]


def _with_cane(person: Subject, walked: Acted, hand: Side, fps: float, rng: np.random.Generator) -> Acted:
    """One hand on the crook of a cane, which goes forward with the other foot and stands still in between."""
    places, fronts = _way(person, walked, fps)
    joints = track_joints(person.body, take(walked[0], np.arange(len(places))))
    foot = joints[:, SMPL_JOINTS.index(f"{OTHER[hand]}_ankle"), :2] - places
    forward = gaussian_filter1d(np.sum(foot * fronts, axis=1), 0.06 * fps, mode="nearest")
    moving = np.clip(gaussian_filter1d(np.gradient(forward) * fps, 0.05 * fps, mode="nearest"), 0.0, 0.6)
    sign = 1.0 if hand == "left" else -1.0
    aside = sign * float(rng.uniform(0.25, 0.3)) * np.stack([-fronts[:, 1], fronts[:, 0]], axis=1)
    flat = places + (float(rng.uniform(0.26, 0.34)) + 0.6 * forward)[:, None] * fronts + aside
    height = GRIP_SHARE * person.body.stature(person.betas) + 0.04 * moving
    points = np.concatenate([flat, height[:, None]], axis=1)
    track = reach_for(person.body, walked[0], hand, points, _upwards(fronts), np.ones(len(points)))
    return track, walked[1]


def _upwards(fronts: Float[np.ndarray, "time 2"]) -> Float[np.ndarray, "time 3"]:
    """Out of a handle that is leant on from above: palms face down and a little back, as forearms that slope down to it
    have them."""
    normals = np.concatenate([0.35 * fronts, np.ones((len(fronts), 1))], axis=1)
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)
