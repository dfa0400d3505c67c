"""Every kind of interaction that is composed, and the act that makes it."""

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

from models.body.subject import Subject
from models.interactions.acts.approach_fallen import approach_fallen
from models.interactions.acts.catch import catch
from models.interactions.acts.help_up import help_up
from models.interactions.acts.walk_beside import walk_beside
from models.interactions.interaction import Interaction

InteractionKind = Literal["walk_beside", "approach_fallen", "catch", "help_up"]
INTERACTION_KINDS: tuple[InteractionKind, ...] = get_args(InteractionKind)
ACTS: dict[InteractionKind, Callable[[Subject, Subject, float, np.random.Generator], Interaction]] = {
    "walk_beside": walk_beside,
    "approach_fallen": approach_fallen,
    "catch": catch,
    "help_up": help_up,
}
