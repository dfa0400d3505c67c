"""Two carers help somebody up from the floor, one on either side."""

from dataclasses import replace

import numpy as np

from models.body.subject import Subject
from models.interactions.acts.help_from_floor import helps_from_side, rises_from_floor
from models.interactions.hand_holds import Side
from models.interactions.interaction import Interaction
from models.text.captions import Facts


def lift_by_two(
    resident: Subject, first: Subject, second: Subject, fps: float, rng: np.random.Generator
) -> Interaction:
    """Return how the resident gets up from the floor in stages; the carers come, take hold of back and arm from either
    side when the resident kneels, and let go of who stands."""
    rise = rises_from_floor(resident, fps, rng)
    sides: tuple[Side, Side] = ("left", "right") if rng.random() < 0.5 else ("right", "left")
    helping, holds = [], []
    for holder, (carer, side) in enumerate(zip((first, second), sides, strict=True), 1):
        acted, (back, arm) = helps_from_side(resident, carer, rise, side, fps, rng)
        # Two hands find no room side by side where the shoulder blades are.
        back = replace(back, part="back" if holder == 1 else "lower_back")
        helping.append(acted)
        holds += [replace(back, holder=holder), replace(arm, holder=holder)]
    facts = Facts("lift_by_two", role="carer", other="resident", together=("carer",), touch="both_sides")
    return Interaction((rise, *helping), facts, tuple(holds))
