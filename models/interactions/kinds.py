"""Every kind of interaction that is composed: the act that makes it, and whether by physics."""

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

from models.body.subject import Subject
from models.interactions.acts.approach_fallen import approach_fallen
from models.interactions.acts.catch import catch
from models.interactions.acts.help_from_bed import help_from_bed
from models.interactions.acts.help_from_floor import help_from_floor
from models.interactions.acts.help_up import help_up
from models.interactions.acts.push_wheelchair import push_wheelchair
from models.interactions.acts.steady_at_frame import steady_at_frame
from models.interactions.acts.walk_beside import walk_beside
from models.interactions.interaction import Interaction

InteractionKind = Literal[
    "walk_beside",
    "approach_fallen",
    "catch",
    "help_up",
    "steady_at_frame",
    "push_wheelchair",
    "help_from_bed",
    "help_from_floor",
]
INTERACTION_KINDS: tuple[InteractionKind, ...] = get_args(InteractionKind)
ACTS: dict[InteractionKind, Callable[[Subject, Subject, float, np.random.Generator], Interaction]] = {
    "walk_beside": walk_beside,
    "approach_fallen": approach_fallen,
    "catch": catch,
    "help_up": help_up,
    "steady_at_frame": steady_at_frame,
    "push_wheelchair": push_wheelchair,
    "help_from_bed": help_from_bed,
    "help_from_floor": help_from_floor,
}
KINEMATIC: frozenset[InteractionKind] = frozenset({"steady_at_frame", "push_wheelchair"})
"""Where nobody's weight is borne by another: motion as it was planned, contact by inverse kinematics, no physics."""
