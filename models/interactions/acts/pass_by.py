"""One walks past another who comes the other way, stands or sits."""

import numpy as np

from models.animation.actor import Actor, actor_of
from models.animation.gestures import head_places, look_at, nod, share_of, shift_weight, standing_still, wave
from models.body.subject import Subject
from models.interactions.hand_holds import Side
from models.interactions.interaction import Interaction, facts_of
from models.interactions.meeting import boxes_in, curve, direction, seated, wait, wait_for
from models.text.vocabulary import OtherIs


def pass_by(one: Subject, other: Subject, fps: float, rng: np.random.Generator) -> Interaction:
    """Return how the second person walks past the first, keeping clear, on one side."""
    drawn = float(rng.random())
    other_is: OtherIs = "walks" if drawn < 0.5 else "stands" if drawn < 0.8 else "sits"
    side: Side = "left" if rng.random() < 0.5 else "right"
    sign = 1.0 if side == "left" else -1.0
    gap = float(rng.uniform(0.75, 1.3))
    boxes: tuple = ()
    length = float(rng.uniform(3.4, 4.8))
    # The path of who walks past is along `way` through the place beside the first; on its left is where that one is.
    if other_is == "walks":
        way, middle = np.pi, np.zeros(2)
    else:
        # Who stands may face any way; nobody walks over the knees of who sits, or through the chair.
        way = float(rng.uniform(-np.pi, np.pi)) if other_is == "stands" else sign * np.pi / 2.0 + rng.uniform(-0.2, 0.2)
        middle = np.zeros(2) if other_is == "stands" else np.array([0.05, 0.0])
    beside = middle + gap * direction(way - sign * np.pi / 2.0)
    straight = direction(way)
    # Either both keep to their side all the way, or they make way when they meet.
    dodge = 0.0 if rng.random() < 0.5 else -sign * float(rng.uniform(0.15, 0.4))
    aside = -dodge * direction(way + np.pi / 2.0)
    second, meets = _walker(other, fps, rng, curve_through(beside, straight, length, aside, dodge), 0.5)
    if other_is == "walks":
        half = float(rng.uniform(3.4, 4.8))
        turned = float(rng.uniform(-0.25, 0.25))
        first, at = _walker(one, fps, rng, curve_through(np.zeros(2), direction(turned), half, np.zeros(2), 0.0), 0.4)
        late = meets - at + float(rng.uniform(-0.3, 0.3))
        # Who would be there too early sets out later.
        if late > 0.0:
            first, at = _walker(
                one, fps, rng, curve_through(np.zeros(2), direction(turned), half, np.zeros(2), 0.0), 0.4 + late
            )
        else:
            second, meets = _walker(other, fps, rng, curve_through(beside, straight, length, aside, dodge), 0.5 - late)
        wait(first, 0.4)
        support = None
    elif other_is == "stands":
        first, support = actor_of(one, fps, rng), None
    else:
        first, support, boxes = seated(one, fps, rng)
    wait(second, 0.5)
    longer = max(first.frames, second.frames)
    wait(second, (longer - second.frames) / fps)
    wait_for(first, second, support)
    greets = float(rng.random())
    for number, (actor, seen) in enumerate(((first, second), (second, first))):
        if greets < 0.7 or (number == 0 and other_is != "walks"):
            span = share_of(actor, meets - float(rng.uniform(1.2, 2.0)), meets + float(rng.uniform(0.1, 0.6)), 0.5)
            look_at(actor, head_places(seen), span)
            if greets < 0.25:
                wave(actor, meets - 1.3, meets - 0.1, rng)
            elif greets < 0.5:
                nod(actor, meets - 1.0, rng)
        shift_weight(actor, standing_still(actor), rng)
    facts = facts_of(
        "pass_by",
        one,
        other,
        other_is=other_is,
        side=side,
    )
    details = {"side": side, "meets_s": meets} | boxes_in(boxes)
    return Interaction((first.track(one, second.frames), second.track(other, second.frames)), facts, details=details)


def curve_through(middle: np.ndarray, way: np.ndarray, length: float, aside: np.ndarray, dodge: float) -> np.ndarray:
    """Return a path of so many metres along a direction whose middle is a place; its ends are off to the side by
    `aside`, which it makes up for by a bow."""
    start, end = middle - 0.5 * length * way + aside, middle + 0.5 * length * way + aside
    return curve(start, end, dodge)


def _walker(
    person: Subject, fps: float, rng: np.random.Generator, path: np.ndarray, wait_s: float
) -> tuple[Actor, float]:
    """Somebody who has waited and walked along a path, and when the middle of it was reached."""
    first = path[1] - path[0]
    actor = actor_of(person, fps, rng, path[0], float(np.arctan2(first[1], first[0])))
    wait(actor, wait_s)
    actor.walk(path)
    pelvis = np.array(actor.recording.pelvis)[:, :2]
    return actor, float(np.argmin(np.linalg.norm(pelvis - path[len(path) // 2], axis=1)) / fps)
