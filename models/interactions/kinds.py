"""Every kind of interaction that is composed: the act that makes it, who takes part, and whether by physics."""

from collections.abc import Callable
from typing import Literal, get_args

from models.interactions.acts.approach_fallen import approach_fallen
from models.interactions.acts.catch import catch
from models.interactions.acts.comfort import comfort
from models.interactions.acts.converse import converse
from models.interactions.acts.hand_over import hand_over
from models.interactions.acts.help_from_bed import help_from_bed
from models.interactions.acts.help_from_floor import help_from_floor
from models.interactions.acts.help_up import help_up
from models.interactions.acts.lift_by_two import lift_by_two
from models.interactions.acts.pass_by import pass_by
from models.interactions.acts.push_away import push_away
from models.interactions.acts.push_wheelchair import push_wheelchair
from models.interactions.acts.refuse_help import refuse_help
from models.interactions.acts.sit_down_beside import sit_down_beside
from models.interactions.acts.slip_while_helped import slip_while_helped
from models.interactions.acts.steady_at_frame import steady_at_frame
from models.interactions.acts.talk_in_group import talk_in_group
from models.interactions.acts.turn_in_bed import turn_in_bed
from models.interactions.acts.walk_beside import walk_beside
from models.interactions.interaction import Interaction
from models.types import Role

InteractionKind = Literal[
    "walk_beside",
    "approach_fallen",
    "catch",
    "help_up",
    "steady_at_frame",
    "push_wheelchair",
    "help_from_bed",
    "help_from_floor",
    "converse",
    "pass_by",
    "hand_over",
    "comfort",
    "sit_down_beside",
    "push_away",
    "refuse_help",
    "lift_by_two",
    "talk_in_group",
    "turn_in_bed",
    "slip_while_helped",
]
INTERACTION_KINDS: tuple[InteractionKind, ...] = get_args(InteractionKind)
ACTS: dict[InteractionKind, Callable[..., Interaction]] = {
    "walk_beside": walk_beside,
    "approach_fallen": approach_fallen,
    "catch": catch,
    "help_up": help_up,
    "steady_at_frame": steady_at_frame,
    "push_wheelchair": push_wheelchair,
    "help_from_bed": help_from_bed,
    "help_from_floor": help_from_floor,
    "converse": converse,
    "pass_by": pass_by,
    "hand_over": hand_over,
    "comfort": comfort,
    "sit_down_beside": sit_down_beside,
    "push_away": push_away,
    "refuse_help": refuse_help,
    "lift_by_two": lift_by_two,
    "talk_in_group": talk_in_group,
    "turn_in_bed": turn_in_bed,
    "slip_while_helped": slip_while_helped,
}
"""Called with the people (`Subject`), who is helped, met or talked to first, and `fps` and `rng`."""
RESIDENT_AND_CARER: tuple[tuple[Role, ...], ...] = (("resident", "carer"),)
ANY_TWO: tuple[tuple[Role, ...], ...] = (
    ("resident", "carer"),
    ("resident", "carer"),
    ("resident", "resident"),
    ("resident", "visitor"),
    ("carer", "resident"),
    ("visitor", "resident"),
)
CASTS: dict[InteractionKind, tuple[tuple[Role, ...], ...]] = {
    "converse": ANY_TWO,
    "pass_by": ANY_TWO,
    "hand_over": ANY_TWO,
    "comfort": (("resident", "carer"), ("resident", "carer"), ("resident", "visitor"), ("resident", "resident")),
    "sit_down_beside": ANY_TWO[:4],
    "push_away": (("carer", "resident"), ("carer", "resident"), ("resident", "resident"), ("visitor", "resident")),
    "lift_by_two": (("resident", "carer", "carer"),),
    "talk_in_group": (
        ("resident", "resident", "carer"),
        ("resident", "carer", "visitor"),
        ("resident", "resident", "resident"),
        ("resident", "carer", "carer"),
        ("resident", "visitor", "visitor"),
        ("resident", "resident", "resident", "carer"),
        ("resident", "resident", "visitor", "carer"),
        ("resident", "visitor", "visitor", "carer"),
        ("resident", "resident", "resident", "visitor", "carer"),
        ("resident", "resident", "resident", "resident", "carer"),
    ),
}
"""Roles of everybody, of who acts last, each about as often; where there are none, a resident and a carer."""
KINEMATIC: frozenset[InteractionKind] = frozenset(
    {
        "steady_at_frame",
        "push_wheelchair",
        "converse",
        "pass_by",
        "hand_over",
        "comfort",
        "sit_down_beside",
        "push_away",
        "refuse_help",
        "talk_in_group",
    }
)
"""Where nobody's weight is borne by another: motion as it was planned, contact by inverse kinematics, no physics."""
