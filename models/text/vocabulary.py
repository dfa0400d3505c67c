"""The words of captions: who, what, how and where, in everyday English, third person, present tense.

{their} and {themself} become the person's own words, {side} left or right, {whom} the other person, {aid} what that
person walks with, {joiner} who comes later; nothing else is filled in. Words here must be true of every motion of their
kind: no wet floors, no pain. The first word of a verb phrase, and the word after an "and" in it, is a verb whose -ing
form `ING_FORMS` holds.
"""

from typing import Literal

from models.order import Cause, Direction

Event = Literal[
    "fall", "walk", "crawl", "sit_down", "lie_down", "stand_up", "kneel", "squat", "pick_up", "sitting", "lying",
    "standing", "bed_exercises", "approach_fallen", "walk_beside", "catch", "help_up",
    "steady_at_frame", "push_wheelchair", "help_from_bed", "help_from_floor",
    "converse", "pass_by", "hand_over", "comfort", "sit_down_beside", "push_away", "take_arm",
    "lift_by_two", "turn_in_bed", "talk_in_group",
]  # fmt: skip
Surface = Literal["floor", "bed", "mattress", "furniture_edge", "chair", "sofa", "bench"]
After = Literal["lies_still", "tries_to_get_up", "crawls", "gets_up"]
Pace = Literal["slow", "normal", "quick"]
Side = Literal["left", "right"]
Age = Literal["young", "middle_aged", "elderly"]
Sex = Literal["woman", "man"]

Aid = Literal["frame", "cane"]
Touch = Literal[
    "arm", "both_arms", "back", "shoulder", "both_hands", "back_and_arm", "chest", "both_sides", "shoulder_and_hip"
]
Outcome = Literal["refused", "sinks_back", "slips", "falls", "lowered"]
OtherIs = Literal["sits", "stands", "walks"]
Before = Literal["walks_up", "bends_down", "argues"]
Then = Literal["walks_off", "steps_back"]
Turned = Literal["towards", "away"]

SAYABLE: dict[Event, frozenset[str]] = {
    "fall": frozenset({"cause", "direction", "surface", "recovers", "after", "pace", "side"}),
    "walk": frozenset({"direction", "pace", "turns", "distance_m"}),
    "crawl": frozenset({"direction", "pace", "turns", "distance_m"}),
    "sit_down": frozenset({"pace", "surface"}),
    "lie_down": frozenset({"pace", "surface", "side"}),
    "stand_up": frozenset({"pace", "surface"}),
    "kneel": frozenset({"pace", "surface", "side"}),
    "squat": frozenset({"pace"}),
    "pick_up": frozenset({"pace", "surface", "side"}),
    "sitting": frozenset({"surface"}),
    "lying": frozenset({"surface", "side"}),
    "standing": frozenset(),
    "bed_exercises": frozenset({"pace", "side"}),
    "approach_fallen": frozenset({"other", "pace", "touch"}),
    "walk_beside": frozenset({"other", "pace", "side", "turns", "touch", "outcome"}),
    "catch": frozenset({"other", "direction", "touch"}),
    "help_up": frozenset({"other", "pace", "side", "touch", "outcome"}),
    "steady_at_frame": frozenset({"other", "touch", "side", "aid", "turns"}),
    "push_wheelchair": frozenset({"other", "turns"}),
    "help_from_bed": frozenset({"other", "touch", "side", "outcome"}),
    "help_from_floor": frozenset({"other", "touch", "side"}),
    "converse": frozenset({"other", "other_is", "before", "then"}),
    "pass_by": frozenset({"other", "other_is", "side"}),
    "hand_over": frozenset({"other", "other_is", "side", "before", "then"}),
    "comfort": frozenset({"other", "other_is", "side", "touch", "before", "then"}),
    "sit_down_beside": frozenset({"other", "side", "surface", "touch", "before"}),
    "push_away": frozenset({"other", "touch", "before", "then"}),
    "take_arm": frozenset({"other", "side", "outcome", "before"}),
    "lift_by_two": frozenset({"other", "together", "touch"}),
    "turn_in_bed": frozenset({"other", "side", "turned", "touch", "before", "then"}),
    "talk_in_group": frozenset({"together", "joined_by"}),
}
"""Which facts, besides who, a caption of the event can state."""

ROLE_WORDS: dict[str, tuple[str, ...]] = {
    "resident": ("resident", "care home resident"),
    "carer": ("carer", "care worker", "caregiver"),
    "visitor": ("visitor",),
    "person": ("person",),
}
AGE_WORDS: dict[Age, tuple[str, ...]] = {
    "young": ("young",),
    "middle_aged": ("middle-aged",),
    "elderly": ("elderly", "old", "older"),
}
SEX_WORDS: dict[Sex, str] = {"woman": "female", "man": "male"}
OWN_WORDS: dict[Sex | None, dict[str, str]] = {
    "woman": {"their": "her", "themself": "herself"},
    "man": {"their": "his", "themself": "himself"},
    None: {"their": "their", "themself": "themselves"},
}

VERBS: dict[Event, tuple[str, ...]] = {
    "walk": ("walks", "walks along", "goes on foot"),
    "crawl": ("crawls", "moves along on all fours"),
    "sit_down": ("sits down", "takes a seat", "lowers {themself} into a sitting position"),
    "lie_down": ("lies down", "goes to lie down", "settles into a lying position"),
    "stand_up": ("stands up", "gets up", "rises to {their} feet"),
    "kneel": ("kneels down", "goes down to kneel"),
    "squat": ("squats down", "crouches down"),
    "pick_up": ("picks something up", "bends down to pick something up"),
    "sitting": ("sits", "sits there", "sits resting"),
    "lying": ("lies", "lies there", "lies resting"),
    "standing": ("stands", "stands there", "stands around"),
    "bed_exercises": ("does exercises in bed", "exercises in bed", "does gymnastics lying in bed"),
    "approach_fallen": (
        "walks up to {whom} who has fallen",
        "comes to {whom} who has fallen",
        "approaches {whom} after a fall",
    ),
    "walk_beside": ("walks beside {whom}", "accompanies {whom} on foot", "walks along with {whom}"),
    "catch": ("catches {whom} who stumbles", "holds on to {whom} who stumbles", "steadies {whom} who stumbles"),
    "help_up": (
        "helps {whom} up from a chair",
        "helps {whom} to stand up from a chair",
        "supports {whom} in getting up from a chair",
    ),
    "steady_at_frame": (
        "accompanies {whom} who walks with {aid}",
        "walks close by {whom} who walks with {aid}",
        "walks slowly along with {whom} who has {aid}",
    ),
    "push_wheelchair": (
        "pushes {whom} in a wheelchair",
        "pushes a wheelchair with {whom} in it",
        "takes {whom} along in a wheelchair",
    ),
    "help_from_bed": (
        "helps {whom} up from bed",
        "helps {whom} to get up from a bed",
        "supports {whom} in getting up from the bed",
    ),
    "help_from_floor": (
        "helps {whom} up from the floor",
        "helps {whom} to get up from the floor",
        "supports {whom} in getting up from the ground",
    ),
    "converse": ("talks with {whom}", "chats with {whom}", "has a conversation with {whom}", "speaks with {whom}"),
    "pass_by": ("walks past {whom}", "passes {whom} on foot", "goes past {whom}"),
    "hand_over": ("hands something to {whom}", "gives something to {whom}", "passes something over to {whom}"),
    "comfort": ("comforts {whom}", "consoles {whom}", "reassures {whom}"),
    "sit_down_beside": ("sits down beside {whom}", "takes a seat next to {whom}", "sits down next to {whom}"),
    "push_away": ("pushes {whom} away", "shoves {whom} away"),
    "take_arm": ("takes {whom} by the arm", "takes hold of {whom} by the arm"),
    "lift_by_two": (
        "helps {whom} up from the floor",
        "lifts {whom} up from the floor",
        "gets {whom} up from the ground",
        "helps {whom} to get up from the floor",
    ),
    "turn_in_bed": ("turns {whom} over in bed", "rolls {whom} over in bed", "repositions {whom} in bed"),
    "talk_in_group": (
        "talks with each other",
        "chats with one another",
        "has a conversation together",
    ),
}

TRIED_VERBS: dict[Event, tuple[str, ...]] = {
    "help_from_bed": ("tries to help {whom} up from bed", "tries to get {whom} up from the bed"),
    "take_arm": ("tries to take {whom} by the arm", "tries to take hold of {whom} by the arm"),
    "walk_beside": ("walks beside {whom}", "supports {whom} in walking", "helps {whom} to walk"),
    "help_up": ("helps {whom} up from a chair", "supports {whom} in getting up from a chair"),
}
"""Of events that did not come to their end."""
OUTCOME_WORDS: dict[Outcome, tuple[str, ...]] = {
    "sinks_back": ("but the other sinks back", "but the other sinks down again", "but has to let the other down again"),
    "slips": ("but the other slips and falls", "but the other slips and falls to the floor"),
    "falls": ("but the other falls", "but the other falls to the floor", "but cannot hold the other, who falls down"),
    "lowered": (
        "but the other's knees give way and the other is lowered to the floor",
        "but has to lower the other, whose knees give way, to the floor",
        "but the other's knees give way, and holds on while the other sinks to the floor",
    ),
    "refused": ("but the other pulls away", "but the other pulls the arm away and steps back"),
}
"""How it ended instead."""

CAUSES: dict[Cause, tuple[str, ...]] = {
    "slip": ("slips", "slips and loses {their} footing"),
    "trip": ("trips", "catches a foot and trips"),
    "push": ("is pushed", "gets a push", "is shoved"),
    "faint": ("faints", "passes out", "loses consciousness"),
    "misstep": ("takes a wrong step", "missteps"),
    "sit_to_stand": ("tries to stand up from a seat", "loses balance getting up from a seat"),
    "stand_to_sit": ("misses the seat in sitting down", "loses balance sitting down"),
    "roll_out_of_bed": ("rolls out of bed", "rolls over the edge of the bed"),
    "slide_out_of_bed": ("slides out of bed", "slides off the edge of the bed"),
    "reach": ("reaches too far", "overreaches"),
    "lean": ("leans too far", "leans over too far"),
}

CAUSES_OF_A_SIDE: dict[Cause, tuple[str, ...]] = {
    "slip": ("slips with the {side} foot", "slips on {their} {side} foot"),
    "trip": ("trips with the {side} foot", "catches the {side} foot and trips"),
    "misstep": ("takes a wrong step with the {side} foot", "missteps with the {side} foot"),
    "reach": ("reaches too far with the {side} hand", "overreaches with the {side} hand"),
    "lean": ("leans too far to the {side}", "leans over too far to the {side}"),
}

FALL_VERBS = ("falls", "falls down", "topples", "tumbles")
SINK_VERBS = ("collapses", "drops", "crumples")
"""Of falls straight down."""
NEAR_FALLS = ("nearly falls", "almost falls", "is about to fall")
RECOVERIES = (
    "catches {themself}",
    "gets {their} balance back",
    "stays on {their} feet",
    "recovers {their} balance in time",
)

DIRECTION_WORDS: dict[Direction, tuple[str, ...]] = {
    "forward": ("forward", "forwards"),
    "backward": ("backward", "backwards"),
    "left": ("to the left", "sideways to the left", "to {their} left"),
    "right": ("to the right", "sideways to the right", "to {their} right"),
    "down": ("straight down", "on the spot"),
}
PACE_WORDS: dict[Pace, tuple[str, ...]] = {
    "slow": ("slowly", "unhurriedly"),
    "normal": ("steadily", "calmly"),
    "quick": ("quickly", "briskly"),
}
FALL_PACE_WORDS: dict[Pace, tuple[str, ...]] = {
    "slow": ("slowly", "gradually"),
    "quick": ("suddenly", "quickly", "fast"),
}
"""A fall at its usual pace is just a fall."""
USUAL_S: dict[Event, tuple[float, float]] = {
    "fall": (0.6, 1.1), "sit_down": (1.2, 2.5), "lie_down": (2.0, 5.0), "stand_up": (1.0, 2.5), "kneel": (1.0, 2.5),
    "squat": (0.8, 2.0), "pick_up": (1.5, 4.0),
}  # fmt: skip
"""Seconds that the event takes most people; of a fall, from the onset to the first impact."""
SURFACE_WORDS: dict[Surface, tuple[str, ...]] = {
    "floor": ("the floor", "the ground"),
    "bed": ("the bed", "a bed"),
    "mattress": ("the mattress", "a mattress"),
    "furniture_edge": ("the edge of a piece of furniture", "the edge of the furniture"),
    "chair": ("a chair", "the chair"),
    "sofa": ("a sofa", "the sofa"),
    "bench": ("a bench", "the bench"),
}
SURFACE_PREPOSITIONS: dict[Event, str] = {
    "fall": "onto", "sit_down": "on", "lie_down": "on", "stand_up": "from", "kneel": "on", "pick_up": "from",
    "sitting": "on",
    "lying": "on", "sit_down_beside": "on",
}  # fmt: skip
OF_OTHER = ("on the other's {side}", "at the other's {side} side")
"""Where who helps is, as who is helped sees it."""
SIDE_WORDS: dict[Event, tuple[str, ...]] = {
    "lie_down": ("on the {side} side", "on {their} {side} side"),
    "kneel": ("on the {side} knee", "on {their} {side} knee"),
    "pick_up": ("with the {side} hand", "with {their} {side} hand"),
    "lying": ("on the {side} side", "on {their} {side} side"),
    "bed_exercises": ("with the {side} leg", "with {their} {side} leg"),
    "walk_beside": ("on the {side}", "keeping to the {side}"),
    "steady_at_frame": OF_OTHER,
    "help_from_bed": OF_OTHER,
    "help_from_floor": OF_OTHER,
    "pass_by": ("with the other on the {side}", "with the other on {their} {side}"),
    "hand_over": ("with the {side} hand", "with {their} {side} hand"),
    "comfort": OF_OTHER,
    "sit_down_beside": OF_OTHER,
    "take_arm": OF_OTHER,
    "help_up": OF_OTHER,
    "turn_in_bed": ("onto the {side} side", "to lie on the {side} side"),
}
TOUCH_WORDS: dict[Touch, tuple[str, ...]] = {
    "arm": ("with a hand on the other's arm", "holding the other by the arm"),
    "both_arms": ("holding both of the other's arms", "with both hands on the other's forearms"),
    "back": ("with a hand on the other's back", "one hand on the other's back"),
    "shoulder": ("one hand on the other's shoulder", "with a hand on the other's shoulder"),
    "both_hands": ("with both hands", "using both hands"),
    "back_and_arm": ("holding the other's back and arm", "one hand on the other's back and one on the arm"),
    "chest": ("with both hands on the other's chest", "both hands on the other's chest"),
    "both_sides": ("one on either side", "holding the other from both sides", "one on each arm"),
    "shoulder_and_hip": ("one hand on the shoulder and one on the hip", "holding the other's shoulder and hip"),
}
"""Which hand of who acts is where on the other."""
AID_WORDS: dict[Aid | None, tuple[str, ...]] = {
    "frame": ("a walking frame", "a walker"),
    "cane": ("a cane", "a walking stick"),
    None: ("a walking aid",),
}
OTHER_IS_WORDS: dict[OtherIs, tuple[str, ...]] = {
    "sits": ("who sits", "who is sitting"),
    "stands": ("who stands", "who is standing there"),
    "walks": ("who comes the other way", "who walks the other way"),
}
"""What the other does meanwhile."""
BEFORE_VERBS: dict[Before, tuple[str, ...]] = {
    "walks_up": ("walks up and", "comes up and"),
    "bends_down": ("bends down and",),
    "argues": ("argues and",),
}
THEN_WORDS: dict[Then, tuple[str, ...]] = {
    "walks_off": ("then walks off", "then walks away"),
    "steps_back": ("then steps back", "then lets go and steps back"),
}
"""What who acts does before and afterwards."""
TURNED_WORDS: dict[Turned, tuple[str, ...]] = {
    "towards": ("towards {themself}", "towards where the helper stands"),
    "away": ("away from {themself}", "away from where the helper stands"),
}
"""Which way somebody is turned, as who turns them sees it."""
JOIN_WORDS = (
    "and {joiner} comes up and joins in",
    "until {joiner} walks up and joins them",
    "then {joiner} comes and joins them",
)
"""Somebody comes to who is talking already."""
TURN_VERBS = ("turns {side}", "turns to the {side}")
AFTER_VERBS: dict[After, tuple[str, ...]] = {
    "lies_still": ("lies still", "stays down without moving", "remains lying there"),
    "tries_to_get_up": ("tries to get up", "struggles to get back up", "makes an attempt to stand up"),
    "crawls": ("crawls away", "crawls on all fours", "crawls off"),
    "gets_up": ("gets up again", "gets back to {their} feet", "stands up again"),
}
PLURALS = {
    "chats": "chat",
    "gathers": "gather",
    "gets": "get",
    "has": "have",
    "helps": "help",
    "lifts": "lift",
    "talks": "talk",
}
"""Verbs of events in which several act together."""
COUNTS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
ING_FORMS = {
    "accompanies": "accompanying", "approaches": "approaching", "argues": "arguing", "bends": "bending",
    "catches": "catching", "chats": "chatting", "comes": "coming", "comforts": "comforting", "consoles": "consoling",
    "crawls": "crawling", "crouches": "crouching", "does": "doing", "exercises": "exercising", "faints": "fainting",
    "gathers": "gathering", "gets": "getting", "gives": "giving", "goes": "going", "hands": "handing", "has": "having",
    "helps": "helping", "holds": "holding", "is": "being", "kneels": "kneeling",
    "leans": "leaning", "lies": "lying", "lifts": "lifting", "loses": "losing", "lowers": "lowering",
    "misses": "missing",
    "missteps": "misstepping", "moves": "moving", "overreaches": "overreaching", "passes": "passing",
    "picks": "picking", "pushes": "pushing", "reassures": "reassuring",
    "shoves": "shoving", "speaks": "speaking", "talks": "talking",
    "reaches": "reaching", "repositions": "repositioning", "rises": "rising", "rolls": "rolling",
    "settles": "settling", "sits": "sitting", "slides": "sliding", "slips": "slipping", "squats": "squatting",
    "stands": "standing", "steadies": "steadying", "supports": "supporting", "takes": "taking",
    "tries": "trying", "trips": "tripping", "turns": "turning", "walks": "walking",
}  # fmt: skip
