"""One holds something out, the other takes it."""

import itertools

import numpy as np

from models.animation.actor import actor_of
from models.animation.gestures import bend_down, draw_arm
from models.body.subject import Subject
from models.body.tracks import rest_joints_of, track_joints
from models.errors import Rejected
from models.geometry.easing import minimum_jerk
from models.interactions.hand_holds import Side
from models.interactions.interaction import Interaction, facts_of
from models.interactions.meeting import (
    boxes_in,
    comes_or_stands,
    direction,
    leaves,
    seated,
    see_each_other,
    talk_together,
    wait,
    wait_for,
)
from models.interactions.reaching import reach_out
from models.types import SMPL_JOINTS

APART_M = 0.1
"""From the middle of one hand to that of the other: what is handed over is between."""
REACH = 0.97
"""Share of arm and hand that is stretched out at most."""


def hand_over(one: Subject, other: Subject, fps: float, rng: np.random.Generator) -> Interaction:
    """Return how the second person holds something out and the first takes it; both hands go back."""
    sits = rng.random() < 0.4
    gives: Side = "left" if rng.random() < 0.5 else "right"
    takes: Side = "left" if rng.random() < 0.5 else "right"
    bearing = float(rng.uniform(-0.4, 0.4))
    spot = (float(rng.uniform(0.3, 0.42)) if sits else float(rng.uniform(0.78, 0.98))) * direction(bearing)
    facing = bearing + np.pi + float(rng.uniform(-0.2, 0.2))
    walks_up, walks_off, both_walk = rng.random() < 0.65, rng.random() < 0.35, not sits and rng.random() < 0.3
    support, boxes = None, ()
    if sits:
        first, support, boxes = seated(one, fps, rng)
        facing = bearing + np.pi
    elif both_walk:
        comes_from = np.pi + float(rng.uniform(-0.4, 0.4)), float(rng.uniform(0.2, 0.6))
        first = comes_or_stands(one, fps, rng, np.zeros(2), 0.0, comes_from)
    else:
        first = actor_of(one, fps, rng)
    comes_from = (bearing + float(rng.uniform(-1.0, 1.0)), float(rng.uniform(0.2, 0.8))) if walks_up else None
    second = comes_or_stands(other, fps, rng, spot, facing, comes_from)
    if not walks_up:
        wait(second, float(rng.uniform(0.5, 1.2)))
    for actor, behind, place in ((first, second, support), (second, first, None)):
        if actor.frames < behind.frames:
            wait_for(actor, behind, place)
    met = second.frames / fps
    gives_at = met + float(rng.uniform(0.0, 0.9))
    takes_at = gives_at + float(rng.uniform(0.3, 1.0))
    lets_go = max(gives_at + 0.8, takes_at + 0.7) + float(rng.uniform(0.35, 0.7))
    wait(second, lets_go + float(rng.uniform(0.8, 1.2)) - met)
    ends = second.frames / fps
    if walks_off:
        leaves(second, bearing + float(rng.uniform(-1.2, 1.2)))
    wait(second, float(rng.uniform(0.4, 0.9)))
    wait_for(first, second, support)
    times = np.arange(second.frames) / fps
    giving = minimum_jerk((times - gives_at) / 0.8) * (1.0 - minimum_jerk((times - lets_go) / 0.8))
    taking = minimum_jerk((times - takes_at) / 0.7) * (1.0 - minimum_jerk((times - lets_go - 0.05) / 0.9))
    see_each_other((first, second), met - 0.8, ends, rng)
    if gives_at - met > 0.5 or lets_go + 1.5 < ends:
        talk_together((first, second), met - 0.3, gives_at, rng)
    bend_down(second, giving * float(rng.uniform(0.22, 0.36) if sits else rng.uniform(0.0, 0.12)))
    bend_down(first, taking * float(rng.uniform(0.0, 0.1)))
    # What was taken is held before the body.
    draw_arm(first, takes[0], 0.2, 1.5, minimum_jerk((times - lets_go) / 0.9))
    tracks = [first.track(one, second.frames), second.track(other, second.frames)]
    middle = round(lets_go * fps)
    points = _places([track_joints(one.body, track)[middle] for track, _ in tracks], (takes, gives), rng)
    performed = []
    for (track, labels), hand, point, share in zip(tracks, (takes, gives), points, (taking, giving), strict=True):
        rest = rest_joints_of(one.body, track.betas)
        chain = [rest[SMPL_JOINTS.index(f"{hand}_{name}")] for name in ("shoulder", "elbow", "wrist", "hand")]
        arm = sum(float(np.linalg.norm(b - a)) for a, b in itertools.pairwise(chain))
        shoulder = track_joints(one.body, track)[middle, SMPL_JOINTS.index(f"{hand}_shoulder")]
        if float(np.linalg.norm(point - shoulder)) > REACH * arm:
            raise Rejected("composed_hand_off", f"{hand} hand too far from what is handed over")
        performed.append((reach_out(one.body, track, hand, point, share), labels))
    facts = facts_of(
        "hand_over",
        one,
        other,
        side=gives,
        other_is="sits" if sits else None if both_walk else "stands",
        before="walks_up" if walks_up else None,
        then="walks_off" if walks_off else None,
    )
    details = {"side": gives, "handed_s": lets_go} | boxes_in(boxes)
    return Interaction((performed[0], performed[1]), facts, details=details)


def _places(
    joints: list[np.ndarray], hands: tuple[Side, Side], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Where the two hands are when they meet: between the shoulders, lower than they are."""
    shoulders = [at[SMPL_JOINTS.index(f"{hand}_shoulder")] for at, hand in zip(joints, hands, strict=True)]
    line = (shoulders[1] - shoulders[0])[:2]
    along = np.array([*(line / np.linalg.norm(line)), 0.0])
    middle = (shoulders[0] + shoulders[1]) / 2.0 - np.array([0.0, 0.0, rng.uniform(0.22, 0.34)])
    return middle - 0.5 * APART_M * along, middle + 0.5 * APART_M * along
