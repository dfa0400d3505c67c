"""What somebody does before a fall, and the furniture around: the source motion of each cause, until balance is lost
and on.

The source goes on after the onset with what the muscles go on aiming at. Furniture is solid and does not move.
"""

from dataclasses import dataclass, replace

import numpy as np

from models.animation.actor import Actor, actor_of
from models.animation.gait_curves import procedural_standing, procedural_walking
from models.animation.props import bed_behind, chair_behind, lowered
from models.body.subject import Subject
from models.falls.causes import CAUSES, DIRECTION_ANGLES
from models.order import Cause, Direction
from models.physics.humanoid import Box
from models.types import Motion, take


@dataclass(frozen=True)
class FallScene:
    """One person about to fall: pelvis of the onset's surroundings near the origin, floor at z = 0."""

    source: Motion
    onset_s: float
    boxes: tuple[Box, ...]


def fall_scene(
    subject: Subject,
    cause: Cause,
    direction: Direction,
    start: str,
    seconds: float,
    fps: float,
    rng: np.random.Generator,
) -> FallScene:
    """Return the source motion of a fall, `seconds` long at `fps`, and when balance is lost.

    `start` is standing or walking where the cause leaves a choice. Rejected where the cause does not throw people that
    way.
    """
    posture = CAUSES[cause].from_posture
    if posture == "upright" and cause not in ("misstep", "reach", "lean"):
        walks = start == "walking" or cause == "trip"
        act = procedural_walking if walks else procedural_standing
        onset_s = float(rng.uniform(0.8, 2.2))
        return FallScene(
            act(subject.body, subject.betas, seconds, fps, rng, subject.age_years, role=subject.role), onset_s, ()
        )
    actor = actor_of(subject, fps, rng)
    if cause == "misstep":
        onset_s, boxes = _turning(actor, direction, rng), ()
    elif cause in ("reach", "lean"):
        onset_s, boxes = _tipping(actor, cause, direction, rng), ()
    elif cause == "sit_to_stand":
        onset_s, boxes = _rising(actor, direction, rng)
    elif cause == "stand_to_sit":
        onset_s, boxes = _missing(actor, rng)
    elif cause == "slide_out_of_bed":
        onset_s, boxes = _sliding(actor, rng)
    else:
        onset_s, boxes = _rolling(actor, direction, rng)
    track, actions = actor.track(subject, actor.frames)
    # What was acted to get there is left out, up to two seconds before the onset.
    first = max(0, round((onset_s - rng.uniform(1.0, 2.0)) * fps)) if posture != "upright" else 0
    index = np.minimum(first + np.arange(round(seconds * fps)), actor.frames - 1)
    onset_s -= first / fps
    track, actions = take(track, index), actions[index]
    if boxes and boxes[0].label == "bed":
        boxes = (lowered(subject.body, track, boxes[0], round(onset_s * fps)), *boxes[1:])
    motion = Motion(np.arange(len(index)) / fps, (track,), actions[None], "procedural")
    return FallScene(motion, onset_s, boxes)


def _turning(actor: Actor, direction: Direction, rng: np.random.Generator) -> float:
    """A few steps and a sharp turn; the onset lies in the turn. Who falls to the left turns right."""
    side = {"left": -1.0, "right": 1.0}.get(direction, float(rng.choice([-1.0, 1.0])))
    ahead, angle = float(rng.uniform(0.8, 1.4)), side * float(rng.uniform(1.0, 1.9))
    corner = np.array([ahead, 0.0])
    actor.stand(0.3)
    begin = actor.frames
    actor.walk(np.stack([np.zeros(2), corner, corner + 1.5 * np.array([np.cos(angle), np.sin(angle)])]))
    walked = (actor.frames - begin) / actor.fps
    share = ahead / (ahead + 1.5)
    return begin / actor.fps + walked * float(np.clip(share + rng.uniform(-0.05, 0.1), 0.2, 0.8))


def _tipping(actor: Actor, cause: Cause, direction: Direction, rng: np.random.Generator) -> float:
    """Leaning over further and further: arms out after something, or weight on something that is about to give way."""
    actor.stand(float(rng.uniform(0.6, 1.6)))
    reaching = cause == "reach"
    metres = float(rng.uniform(0.16, 0.24) if reaching else rng.uniform(0.14, 0.22))
    actor.tip(DIRECTION_ANGLES[direction], metres, reaching, float(rng.uniform(0.8, 1.4)))
    return (actor.frames - 1) / actor.fps


def _rising(actor: Actor, direction: Direction, rng: np.random.Generator) -> tuple[float, tuple[Box, ...]]:
    """Who sinks back finds the chair rolled away; else nobody would fall."""
    away = np.array([-rng.uniform(0.45, 0.6), 0.0]) if direction == "backward" else np.zeros(2)
    support, boxes = chair_behind(actor, float(rng.uniform(0.40, 0.50)), away)
    actor.sit_down(support, 1.5)
    actor.sit(support, 2.0)
    seconds = float(rng.uniform(1.6, 2.6))
    begin = actor.frames / actor.fps
    actor.stand_up(support, seconds)
    actor.stand(1.0)
    return begin + seconds * float(rng.uniform(0.35, 0.8)), boxes


def _missing(actor: Actor, rng: np.random.Generator) -> tuple[float, tuple[Box, ...]]:
    """The chair is further back, to the side, or not there at all."""
    kind = rng.choice(["gone", "back", "side"], p=[0.5, 0.3, 0.2])
    away = np.array([-rng.uniform(0.45, 0.7), 0.0])
    if kind == "side":
        away = np.array([0.0, rng.choice([-1.0, 1.0]) * rng.uniform(0.42, 0.55)])
    support, boxes = chair_behind(actor, float(rng.uniform(0.40, 0.50)), away)
    actor.stand(float(rng.uniform(0.5, 1.2)))
    begin, seconds = actor.frames / actor.fps, float(rng.uniform(1.3, 2.2))
    actor.sit_down(support, seconds)
    actor.sit(support, 0.5)
    return begin + seconds * float(rng.uniform(0.45, 0.75)), () if kind == "gone" else boxes


def _sliding(actor: Actor, rng: np.random.Generator) -> tuple[float, tuple[Box, ...]]:
    support, bed = bed_behind(actor, float(rng.uniform(0.42, 0.58)), float(rng.uniform(-0.02, 0.05)))
    actor.sit_down(support, 1.5)
    actor.sit(support, float(rng.uniform(1.5, 2.5)))
    return actor.frames / actor.fps - 0.05, (bed,)


def _rolling(actor: Actor, direction: Direction, rng: np.random.Generator) -> tuple[float, tuple[Box, ...]]:
    """Lying on the back near the edge that is on the side of the fall: the head at +y puts +x at the left hand."""
    height, edge = float(rng.uniform(0.42, 0.6)), float(rng.uniform(0.12, 0.2))
    support, bed = bed_behind(actor, height, 0.3)
    seat = support.centre[0]
    half = bed.half_sizes
    to_edge = seat + edge - half[0] if direction == "left" else seat - edge + half[0]
    bed = replace(bed, centre=np.array([to_edge, bed.centre[1], bed.centre[2]]))
    actor.sit_down(support, 1.2)
    actor.lie_down(support, 2.0, float(rng.uniform(2.0, 3.0)))
    return actor.frames / actor.fps - 0.3, (bed,)
