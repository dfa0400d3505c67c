"""Somebody who is helped to walk or to rise goes down: slips and falls, for the hold breaks, or the knees give way and
the carer holds on and lowers them to the floor."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d

from models.animation.actor import Actor, actor_of
from models.animation.floor_transitions import key, upright
from models.animation.gestures import bend_down, draw_arm, share_of
from models.animation.keyframes import mirrored_key, perform
from models.animation.postures import kneeling, on_side, varied
from models.animation.props import lowered
from models.animation.stepping import step_to
from models.body.subject import Subject
from models.body.tracks import rest_root, track_joints
from models.falls.look_alikes import HULL_M
from models.interactions.acts.help_up import seated
from models.interactions.hand_holds import Hold, Side, held_share, offer_arms
from models.interactions.interaction import (
    CHANGE_S,
    IN_FRONT,
    OFFERED,
    OTHER,
    Acted,
    Interaction,
    followed_by,
    rising_holds,
)
from models.interactions.meeting import boxes_in, wait
from models.interactions.simulated_fall import held_at_end, simulated_resident_fall
from models.physics.humanoid import build_humanoid
from models.text.captions import Facts
from models.types import ACTIONS, SMPL_JOINTS, PersonTrack, take

AWAY: dict[str, Side] = {"left": "right", "right": "left"}
"""Side of the carer, by the direction of a fall: nobody falls onto who helps."""
CLEAR_M = 0.42
"""From the feet of who stands by to the joints of who lies."""
EASE_S = 0.7
"""In which `Actor.walk` comes to its pace, and to a halt."""
RUN_UP_S = 1.0
"""Of walking that is not shown."""


def slip_while_helped(resident: Subject, carer: Subject, fps: float, rng: np.random.Generator) -> Interaction:
    """Return how the resident slips or stumbles while walked beside, and falls out of the carer's hand; or how the
    knees give way, walking or risen from a chair, and the carer holds on and lowers them."""
    manner = float(rng.random())
    if manner < 0.45:
        return _falls_walking(resident, carer, fps, rng)
    side: Side = "left" if rng.random() < 0.5 else "right"
    return (_sinks_walking if manner < 0.75 else _sinks_risen)(resident, carer, side, fps, rng)


def _falls_walking(resident: Subject, carer: Subject, fps: float, rng: np.random.Generator) -> Interaction:
    motion = simulated_resident_fall(resident, False, rng)
    track, labels = held_at_end(motion, fps, float(rng.uniform(2.0, 3.0)))
    onset = float(motion.details["onset_s"])
    direction = motion.details["direction"]
    side = AWAY.get(direction, "left" if rng.random() < 0.5 else "right")
    sign = 1.0 if side == "left" else -1.0
    way = gaussian_filter1d((track.transl + rest_root(resident.body, resident.betas))[:, :2], 0.4 * fps, axis=0)
    walked = way[: round(onset * fps) + 1]
    ahead = _directions(walked)
    on_back = rng.random() < 0.5
    beside = walked + sign * float(rng.uniform(0.5, 0.56)) * np.stack([-ahead[:, 1], ahead[:, 0]], axis=1)
    beside -= float(rng.uniform(0.06, 0.16)) * ahead
    pace = float(np.linalg.norm(np.diff(walked, axis=0), axis=1).sum() / onset)
    stops = onset + float(rng.uniform(0.5, 0.9))
    before = beside[0] - pace * (RUN_UP_S - EASE_S / 2.0) * ahead[0]
    after = beside[-1] + max(pace * (stops - onset - EASE_S / 2.0), 0.02) * ahead[-1]
    actor = actor_of(carer, fps, rng, before, float(np.arctan2(ahead[0, 1], ahead[0, 0])))
    actor.walk(np.concatenate([before[None], beside[:: max(1, len(beside) // 12)], after[None]]), RUN_UP_S + stops)
    first = round(RUN_UP_S * fps)
    ends = (len(labels) + first) / fps
    wait(actor, float(rng.uniform(0.1, 0.4)))
    last = take(track, np.array([len(labels) - 1]))
    spot = _out_of_the_way(actor.xy + sign * 0.1 * np.array([-ahead[-1, 1], ahead[-1, 0]]), resident, last)
    lies = way[-1] - spot
    step_to(actor, spot, float(np.arctan2(lies[1], lies[0])), float(rng.uniform(0.3, 0.42)))
    wait(actor, max(0.3, ends - actor.frames / fps))
    bend_down(actor, float(rng.uniform(0.05, 0.4)) * share_of(actor, RUN_UP_S + stops + 0.5, ends + 5.0, 1.0))
    following, actions = actor.track(carer, first + len(labels))
    kept = np.arange(first, len(actions))
    until = onset + float(rng.uniform(0.15, 0.4))
    part = "back" if on_back else f"{side}_upper_arm"
    hold = Hold(OTHER[side], part, -2.0, -1.1, until, until + 0.5, (0.0, 0.0, 0.3), shortest_s=0.6)
    still = held_share(replace(hold, until_s=onset - 0.3, back_s=onset + 0.1), len(labels), fps)
    track = offer_arms(track, IN_FRONT, (side,), still)
    facts = Facts(
        "walk_beside",
        role="carer",
        other="resident",
        side=side,
        touch="back" if on_back else "arm",
        outcome="slips" if motion.details["cause"] == "slip" else "falls",
    )
    keep = ("cause", "direction", "onset_s", "impact_s", "rest_s")
    details = {name: motion.details[name] for name in keep} | {"outcome": facts.outcome}
    people = ((track, labels), (take(following, kept), actions[kept]))
    return Interaction(people, facts, (hold,), (), motion.details["rest_s"] + 0.3, details)


def _out_of_the_way(spot: Float[np.ndarray, "2"], resident: Subject, lying: PersonTrack) -> Float[np.ndarray, "2"]:
    """The nearest place, or nearly, at which nobody stands on who lies."""
    joints = track_joints(resident.body, lying)[0, :, :2]
    for _ in range(10):
        off = spot - joints
        away = np.linalg.norm(off, axis=1)
        nearest = int(away.argmin())
        spot = spot + max(0.0, CLEAR_M - away[nearest]) * off[nearest] / max(away[nearest], 1e-6)
    return spot


def _directions(way: Float[np.ndarray, "time 2"]) -> Float[np.ndarray, "time 2"]:
    """Where somebody on a way walks to."""
    steps = np.gradient(way, axis=0)
    return steps / np.maximum(np.linalg.norm(steps, axis=1, keepdims=True), 1e-9)


def _sinks_walking(resident: Subject, carer: Subject, side: Side, fps: float, rng: np.random.Generator) -> Interaction:
    sign = 1.0 if side == "left" else -1.0
    gap, length = float(rng.uniform(0.5, 0.56)), float(rng.uniform(1.2, 2.4))
    # Both begin with the same draw of the pace and the same foot, as old as the one who is helped.
    seed, before = int(rng.integers(2**31)), float(rng.uniform(0.6, 1.1))
    actors, seconds = [], None
    for person, place in ((resident, np.zeros(2)), (carer, np.array([-0.12, sign * gap]))):
        aged = replace(person, age_years=resident.age_years)
        actor = actor_of(aged, fps, np.random.default_rng(seed), place)
        actor.stand(before)
        first = actor.frames
        actor.walk(np.stack([place, place + np.array([length, 0.0])]), seconds)
        seconds = (actor.frames - first) / fps
        actors.append(actor)
    walker, follower = actors
    onset = walker.frames / fps
    sinks, knelt = _sinks(resident, side, fps, rng)
    track, labels = followed_by(resident, walker.track(resident, walker.frames), sinks, 0.0, fps)
    knelt += onset
    wait(follower, 0.25)
    _goes_along(follower, resident, track, knelt, sign, rng)
    until = knelt + float(rng.uniform(0.3, 0.6))
    _steps_back(follower, until + 0.8, len(labels) / fps, sign, rng)
    _stoop(follower, onset + CHANGE_S - 0.2, until + 0.9, rng)
    back = Hold(OTHER[side], "back", -2.0, -1.1, until, until + 0.8)
    arm = Hold(side, f"{side}_upper_arm", onset, onset + 0.7, until - 0.1, until + 0.7, (0.4, 0.0, 0.2), shortest_s=0.5)
    track = offer_arms(track, IN_FRONT, (side,), held_share(replace(back, until_s=knelt), len(labels), fps))
    actions_of = follower.track(carer, len(labels))
    facts = Facts("walk_beside", role="carer", other="resident", side=side, touch="back", outcome="lowered")
    details = _fallen(onset, knelt, labels, fps)
    return Interaction(((track, labels), _helping(actions_of, onset, until, fps)), facts, (back, arm), details=details)


def _sinks_risen(resident: Subject, carer: Subject, side: Side, fps: float, rng: np.random.Generator) -> Interaction:
    sign = 1.0 if side == "left" else -1.0
    sitter, support, boxes, first = seated(resident, fps, rng)
    begins = (sitter.frames - first) / fps
    sitter.stand_up(support, float(rng.uniform(2.2, 3.2)))
    sitter.stand(float(rng.uniform(0.2, 0.8)))
    kept = np.arange(first, sitter.frames)
    rises, actions = sitter.track(resident, sitter.frames)
    rises, actions = take(rises, kept), actions[kept]
    boxes = (lowered(resident.body, rises, boxes[0], int(np.argmin(rises.transl[:, 2])), HULL_M), *boxes[1:])
    onset = len(kept) / fps
    sinks, knelt = _sinks(resident, side, fps, rng)
    track, labels = followed_by(resident, (rises, actions), sinks, 0.0, fps)
    knelt += onset
    until = knelt + float(rng.uniform(0.2, 0.5))
    holds, offered = rising_holds(side, begins - 1.3, until)
    share = held_share(replace(holds[-1], begin_s=begins - 1.5, until_s=knelt - 0.4), len(labels), fps)
    track = offer_arms(track, OFFERED, offered, share)
    spot = np.array([rng.uniform(-0.06, 0.04), sign * rng.uniform(0.52, 0.58)])
    helper = actor_of(carer, fps, rng, spot, -sign * np.pi / 2.0)
    wait(helper, onset + 0.25)
    _goes_along(helper, resident, track, knelt, sign, rng)
    _steps_back(helper, until + 0.8, len(labels) / fps, sign, rng)
    _stoop(helper, onset + CHANGE_S - 0.2, until + 0.9, rng)
    facts = Facts("help_up", role="carer", other="resident", side=side, touch="back_and_arm", outcome="lowered")
    details = _fallen(onset, knelt, labels, fps) | boxes_in(boxes)
    helping = _helping(helper.track(carer, len(labels)), begins - 1.3, until, fps)
    return Interaction(((track, labels), helping), facts, holds, boxes, 0.0, details)


def _sinks(resident: Subject, side: Side, fps: float, rng: np.random.Generator) -> tuple[Acted, float]:
    """From standing, facing +x, onto the knees, and down onto the side that turns the back to who stands on `side`; and
    when the knees are down."""
    _, stands = upright(resident.old, CHANGE_S, rng)
    down, over = float(rng.uniform(1.4, 2.2)), float(rng.uniform(1.5, 2.2))
    keys = [
        stands,
        key(varied(kneeling(float(rng.uniform(0.5, 1.0))), rng), down, float(rng.uniform(0.1, 0.5)), "fall"),
        key(varied(on_side(), rng), over, float(rng.uniform(2.0, 3.2)), "fall", "fallen", np.pi),
    ]
    if side == "right":
        keys = [mirrored_key(one) for one in keys]
    humanoid = build_humanoid(resident.body, resident.betas, resident.known_mass_kg, 0.004)
    done = perform(resident.body, humanoid, resident.betas, keys, fps, 0.5, rng)
    return (resident.track(done.global_orient, done.body_pose, done.transl), done.actions), CHANGE_S + down


def _goes_along(
    actor: Actor, resident: Subject, track: PersonTrack, knelt_s: float, sign: float, rng: np.random.Generator
) -> None:
    """Step to beside where the resident will kneel, and face them."""
    at = take(track, np.array([round(knelt_s * actor.fps)]))
    ahead = float(track_joints(resident.body, at)[0, SMPL_JOINTS.index("spine2"), 0])
    spot = np.array([ahead + float(rng.uniform(-0.12, 0.04)), actor.xy[1]])
    step_to(actor, spot, -sign * float(rng.uniform(0.9, 1.3)), float(rng.uniform(0.42, 0.52)))


def _steps_back(actor: Actor, begin_s: float, end_s: float, sign: float, rng: np.random.Generator) -> None:
    """Give room to who has been let down, and stand by."""
    wait(actor, begin_s - actor.frames / actor.fps)
    spot = actor.xy + np.array([0.0, sign * float(rng.uniform(0.12, 0.3))])
    step_to(actor, spot, actor.heading, float(rng.uniform(0.45, 0.6)))
    wait(actor, max(0.3, end_s - actor.frames / actor.fps))


def _stoop(actor: Actor, begin_s: float, end_s: float, rng: np.random.Generator) -> None:
    """Bend down to who sinks, the arms out in front."""
    share = share_of(actor, begin_s, end_s, 0.9)
    bend_down(actor, float(rng.uniform(0.15, 0.3)) * share)
    for arm in ("l", "r"):
        draw_arm(actor, arm, 1.0, 0.8, share)


def _helping(acted: Acted, begin_s: float, until_s: float, fps: float) -> Acted:
    acted[1][round(begin_s * fps) : round((until_s + 0.4) * fps)] = ACTIONS.index("other")
    return acted


def _fallen(onset_s: float, knelt_s: float, labels: np.ndarray, fps: float) -> dict:
    """What details say of who has been lowered."""
    rest = int(np.argmax(labels == ACTIONS.index("fallen"))) / fps
    return {"outcome": "lowered", "onset_s": onset_s + CHANGE_S, "impact_s": knelt_s, "rest_s": rest}
