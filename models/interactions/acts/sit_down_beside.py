"""One sits on a bench, a sofa or the edge of a bed; another comes and sits down beside."""

import numpy as np

from models.animation.rig import rig_of
from models.animation.support import Support
from models.body.subject import Subject
from models.body.tracks import rest_joints_of
from models.interactions.hand_holds import Hold, Side
from models.interactions.interaction import OTHER, Interaction, facts_of
from models.interactions.meeting import boxes_in, comes, seated, see_each_other, talk_together, wait, wait_for
from models.physics.humanoid import Box
from models.text.vocabulary import Surface, Touch
from models.types import SMPL_JOINTS


def sit_down_beside(one: Subject, other: Subject, fps: float, rng: np.random.Generator) -> Interaction:
    """Return how the second person comes, turns round and sits down beside the first, on one side; perhaps with a hand
    on the arm or the back."""
    surfaces: tuple[Surface, ...] = ("bench", "sofa", "bed")
    surface = surfaces[int(rng.integers(3))]
    side: Side = "left" if rng.random() < 0.5 else "right"
    sign = 1.0 if side == "left" else -1.0
    # Elbows need room, of the broad more.
    gap = float(np.mean([_shoulders_m(one), _shoulders_m(other)]) + rng.uniform(0.24, 0.38))
    height = float(rng.uniform(0.4, 0.5))
    seat, boxes = _seat(surface, height, sign * gap / 2.0, rng)
    first, support, _ = seated(one, fps, rng, seat)
    begins = float(rng.uniform(0.3, 1.0))
    rig = rig_of(other.body, other.betas)
    # Both sit as far back: whose thighs are longer stands further in front of the seat.
    spot = np.array([rig.leg[0] - first.rig.leg[0], sign * gap])
    bearing = float(sign * rng.uniform(0.1, 1.5))
    second = comes(other, fps, rng, spot, bearing, begins)
    second.turn_to(float(rng.uniform(-0.08, 0.08)))
    wait(second, float(rng.uniform(0.1, 0.4)))
    goes_down = second.frames / fps
    second.sit_down(support, float(rng.uniform(1.6, 2.5)))
    sat = second.frames / fps
    second.sit(support, float(rng.uniform(2.8, 4.5)))
    ends = second.frames / fps
    wait_for(first, second, support)
    see_each_other((first, second), goes_down - 1.5, ends + 1.0, rng)
    if rng.random() < 0.7:
        talk_together((first, second), sat - 0.2, ends, rng, 0.7)
    holds: tuple[Hold, ...] = ()
    touch: Touch | None = None
    if rng.random() < 0.5:
        from_s = sat + float(rng.uniform(1.0, 1.6))
        touch = "arm" if rng.random() < 0.6 else "back"
        part = "back" if touch == "back" else f"{side}_forearm"
        holds = (Hold(OTHER[side], part, from_s - 0.8, from_s, 99.0, 99.0, (0.1, 0.0, 0.6)),)
    facts = facts_of(
        "sit_down_beside",
        one,
        other,
        side=side,
        surface=surface,
        touch=touch,
        before="walks_up",
    )
    details = {"side": side, "sits_s": sat} | boxes_in(boxes)
    frames = second.frames
    return Interaction((first.track(one, frames), second.track(other, frames)), facts, holds, details=details)


def _shoulders_m(person: Subject) -> float:
    """From one shoulder to the other."""
    rest = rest_joints_of(person.body, person.betas)
    shoulders = [rest[SMPL_JOINTS.index(f"{side}_shoulder")] for side in ("left", "right")]
    return float(np.linalg.norm(shoulders[0] - shoulders[1]))


def _seat(surface: Surface, height: float, middle: float, rng: np.random.Generator) -> tuple[Support, tuple[Box, ...]]:
    """A seat for two along y, whose front edge is before the hips of who sits at the origin."""
    deep, half = {"bench": (0.2, 0.7), "sofa": (0.33, 0.85), "bed": (0.45, 1.0)}[surface]
    half += float(rng.uniform(0.0, 0.15))
    centre = np.array([-0.24 - deep, middle])
    corners = centre + np.array([deep, half]) * np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
    support = Support(surface, height, corners, centre, np.array([1.0, 0.0]), np.zeros(2))
    boxes = [Box(surface, np.array([*centre, height / 2.0]), np.array([deep, half, height / 2.0]))]
    if surface == "sofa":
        back = np.array([centre[0] - deep - 0.06, middle, height + 0.1])
        boxes.append(Box(surface, back, np.array([0.06, half, 0.3])))
    return support, tuple(boxes)
