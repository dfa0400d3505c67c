"""Captions from facts: varied everyday English that says who, what, how and where (DESIGN §4, corpus).

The first caption of an item states every fact. The others leave some out, but never the event, whether the person
recovers, or a direction; what they say is true. The words are in `models/text/vocabulary.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from models.order import Cause, Direction
from models.text.vocabulary import (
    AFTER_VERBS,
    AGE_WORDS,
    AID_WORDS,
    BEFORE_VERBS,
    CAUSES,
    CAUSES_OF_A_SIDE,
    COUNTS,
    DIRECTION_WORDS,
    FALL_PACE_WORDS,
    FALL_VERBS,
    ING_FORMS,
    JOIN_WORDS,
    NEAR_FALLS,
    OTHER_IS_WORDS,
    OUTCOME_WORDS,
    OWN_WORDS,
    PACE_WORDS,
    PLURALS,
    RECOVERIES,
    ROLE_WORDS,
    SAYABLE,
    SEX_WORDS,
    SIDE_WORDS,
    SINK_VERBS,
    SURFACE_PREPOSITIONS,
    SURFACE_WORDS,
    THEN_WORDS,
    TOUCH_WORDS,
    TRIED_VERBS,
    TURN_VERBS,
    TURNED_WORDS,
    USUAL_S,
    VERBS,
    After,
    Age,
    Aid,
    Before,
    Event,
    OtherIs,
    Outcome,
    Pace,
    Sex,
    Side,
    Surface,
    Then,
    Touch,
    Turned,
)
from models.types import Role

_WHO = ("event", "role", "sex", "age")
_OTHER_SIDE: dict[str, str] = {"left": "right", "right": "left"}


@dataclass(frozen=True)
class Facts:
    """What is known of a motion; None is unknown and is not spoken of."""

    event: Event
    role: Role = "person"
    """Who acts; in events of two, who helps."""
    sex: Sex | None = None
    age: Age | None = None
    cause: Cause | None = None
    """Why balance is lost."""
    direction: Direction | None = None
    """Where to, as the person sees it: of a fall, of walking or crawling, of the other's stumbling."""
    surface: Surface | None = None
    """What is landed on, sat or lain on, risen from, or picked up from."""
    recovers: bool = False
    """Balance is lost and found again: no fall."""
    after: After | None = None
    """What comes after a fall."""
    pace: Pace | None = None
    side: Side | None = None
    """Of the foot or hand that fails, the knee, the side lain on, the hand that picks up, where the other is walked
    beside or passed, where of the other who acts is, the hand that gives."""
    turns: Side | None = None
    """To which side somebody who walks or crawls turns."""
    distance_m: float | None = None
    """How far somebody walks or crawls."""
    other: Role | None = None
    """The second person."""
    touch: Touch | None = None
    """How that person is held."""
    aid: Aid | None = None
    """What that person walks with."""
    outcome: Outcome | None = None
    """How it ended where it was tried in vain."""
    other_is: OtherIs | None = None
    """What the second person does meanwhile."""
    before: Before | None = None
    """What who acts does first."""
    then: Then | None = None
    """What who acts does afterwards."""
    together: tuple[Role, ...] = ()
    """Who else does the same, with who acts."""
    joined_by: Role | None = None
    """Who comes to them later."""
    turned: Turned | None = None
    """Which way the other is turned over in bed, as who acts sees it."""

    def __post_init__(self) -> None:
        """ValueError for facts that no caption of the event could state."""
        given = {f.name for f in fields(self) if f.name not in _WHO and getattr(self, f.name) not in (None, False, ())}
        if strange := sorted(given - SAYABLE[self.event]):
            raise ValueError(f"a caption of {self.event!r} cannot state {', '.join(strange)}")
        if "other" in SAYABLE[self.event] and self.other is None:
            raise ValueError(f"{self.event!r} is an event of two: `other` is missing")
        if "together" in SAYABLE[self.event] and not self.together:
            raise ValueError(f"{self.event!r} is done by several: `together` is missing")
        if self.together and (self.sex or self.age):
            raise ValueError("several who act together have no one sex or age")
        if self.recovers and (self.after or self.surface):
            raise ValueError("who recovers lands on nothing, and nothing comes after")
        if self.event == "fall" and self.side and self.cause not in CAUSES_OF_A_SIDE:
            raise ValueError(f"a fall by {self.cause} has no side")
        if self.event == "fall" and self.pace == "normal":
            raise ValueError("a fall at its usual pace has no word for it: leave the pace out")
        if self.event == "catch" and self.direction == "down":
            raise ValueError("nobody stumbles straight down")


def mirrored(facts: Facts) -> Facts:
    """Return the facts of the motion seen in a mirror: left and right change places, nothing else."""
    return replace(
        facts,
        direction=_OTHER_SIDE.get(facts.direction or "", facts.direction),
        side=_OTHER_SIDE.get(facts.side or ""),
        turns=_OTHER_SIDE.get(facts.turns or ""),
    )


def sex_of(sex: float | None) -> Sex | None:
    """Return the word for a body's sex (0 female, 1 male); none for bodies in between, or where it is not known."""
    if sex is None:
        return None
    return "man" if sex > 0.7 else "woman" if sex < 0.3 else None


def age_of(years: float) -> Age:
    """Return the word for an age."""
    return "elderly" if years > 68.0 else "middle_aged" if years > 45.0 else "young"


def captions(facts: Facts, rng: np.random.Generator, count: int = 4) -> tuple[str, ...]:
    """Write different captions of one motion, the first with every fact in it; fewer than `count` where words run
    out."""
    made = [_caption(facts, rng)]
    for _ in range(20 * count):
        if len(made) == count:
            break
        text = _caption(_fewer(facts, rng), rng)
        if text not in made:
            made.append(text)
    return tuple(made)


def with_article(noun: str) -> str:
    """Put a or an before a noun."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def ing_form(phrase: str) -> str:
    """Turn a verb phrase in the third person into a participle: 'slips and loses it' is 'slipping and losing it'."""
    return _with_verbs(phrase, ING_FORMS)


def distance_words(metres: float) -> str:
    """Say a distance: 'about three metres'."""
    whole = round(metres)
    if whole < 1:
        return "less than a metre"
    if whole > len(COUNTS):
        return f"more than {COUNTS[-1]} metres"
    return f"about {COUNTS[whole - 1]} metre{'' if whole == 1 else 's'}"


def pace_of(event: Event, seconds: float) -> Pace | None:
    """Return the pace of an event that took so long; None where there is no word for it."""
    if event not in USUAL_S:
        return None
    quick, slow = USUAL_S[event]
    usual = None if event == "fall" else "normal"
    return "quick" if seconds < quick else "slow" if seconds > slow else usual


def _fewer(facts: Facts, rng: np.random.Generator) -> Facts:
    """The facts without some that need not be told."""
    left_out = {
        name: None
        for name in ("sex", "age", "surface", "after", "pace", "distance_m", "touch", "other_is", "before", "then")
        if rng.random() < 0.35
    }
    if facts.event == "fall" and not facts.recovers and rng.random() < 0.3:
        left_out |= {"cause": None, "side": None}
    return replace(facts, **left_out)


def _pick(rng: np.random.Generator, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]


def _caption(facts: Facts, rng: np.random.Generator) -> str:
    text = _fall(facts, rng) if facts.event == "fall" else _action(facts, rng)
    whom = _whom(facts, rng)
    aid = _pick(rng, AID_WORDS[facts.aid]) if "aid" in SAYABLE[facts.event] else ""
    joiner = _joiner(facts, rng) if facts.joined_by else ""
    filled = text.format(whom=whom, aid=aid, joiner=joiner, **OWN_WORDS[facts.sex])
    return filled[0].upper() + filled[1:] + "."


def _who(facts: Facts, rng: np.random.Generator) -> str:
    """'an elderly female resident', 'a young man', 'somebody'; of several 'two carers', 'a carer and two residents'."""
    if facts.together:
        return _several((facts.role, *facts.together), rng)
    if facts.role == "person" and facts.sex:
        noun = facts.sex
    else:
        plain = _pick(rng, ROLE_WORDS[facts.role])
        if facts.role == "person" and facts.age is None:
            return _pick(rng, (with_article(plain), "somebody", "someone"))
        noun = f"{SEX_WORDS[facts.sex]} {plain}" if facts.sex else plain
    return with_article(f"{_pick(rng, AGE_WORDS[facts.age])} {noun}" if facts.age else noun)


def _several(roles: tuple[Role, ...], rng: np.random.Generator) -> str:
    counted = {role: roles.count(role) for role in roles}
    names = []
    for role, count in counted.items():
        noun = _pick(rng, ROLE_WORDS[role])
        names.append(with_article(noun) if count == 1 else f"{COUNTS[count - 1]} {noun}s")
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _joiner(facts: Facts, rng: np.random.Generator) -> str:
    assert facts.joined_by is not None
    noun = _pick(rng, ROLE_WORDS[facts.joined_by])
    return f"another {noun}" if facts.joined_by in (facts.role, *facts.together) else with_article(noun)


def _plural(phrase: str) -> str:
    """Turn a verb phrase in the third person into what several do: 'gathers and talks' is 'gather and talk'."""
    return _with_verbs(phrase, PLURALS)


def _with_verbs(phrase: str, forms: dict[str, str]) -> str:
    """The phrase with its first word, and each after an "and", in the form that there is of it."""
    words = phrase.split(" ")
    verbs = [0, *(k + 1 for k, word in enumerate(words) if word == "and")]
    return " ".join(forms.get(word, word) if k in verbs else word for k, word in enumerate(words))


def _whom(facts: Facts, rng: np.random.Generator) -> str:
    if facts.other is None:
        return ""
    noun = _pick(rng, ROLE_WORDS[facts.other])
    whom = f"another {noun}" if facts.other == facts.role else with_article(noun)
    return f"{whom} {_pick(rng, OTHER_IS_WORDS[facts.other_is])}" if facts.other_is else whom


def _cause(facts: Facts, rng: np.random.Generator) -> str:
    assert facts.cause is not None
    phrase = _pick(rng, CAUSES_OF_A_SIDE[facts.cause] if facts.side else CAUSES[facts.cause])
    return phrase.replace("{side}", facts.side or "")


def _fall(facts: Facts, rng: np.random.Generator) -> str:
    """A fall, or one that is caught."""
    who = _who(facts, rng)
    direction = f" {_pick(rng, DIRECTION_WORDS[facts.direction])}" if facts.direction else ""
    pace = f" {_pick(rng, FALL_PACE_WORDS[facts.pace])}" if facts.pace else ""
    where = f" {SURFACE_PREPOSITIONS['fall']} {_pick(rng, SURFACE_WORDS[facts.surface])}" if facts.surface else ""
    if facts.recovers:
        near = f"{_pick(rng, NEAR_FALLS)}{direction}{pace} but {_pick(rng, RECOVERIES)}"
        return f"{who} {_cause(facts, rng)}, {near}" if facts.cause else f"{who} {near}"
    verb = _pick(rng, SINK_VERBS if facts.direction == "down" else FALL_VERBS)
    falls = f"{verb}{pace}{direction}{where}"
    then = _pick(rng, AFTER_VERBS[facts.after]) if facts.after else ""
    ending = f"{_pick(rng, (' and', ', then', ' and then'))} {then}" if then else ""
    if facts.cause is None:
        return _pick(rng, (f"{who} {falls}{ending}", f"here {who} {falls}{ending}"))
    cause = _cause(facts, rng)
    return _pick(
        rng,
        (
            f"{who} {cause}, {falls}{ending}" if then else f"{who} {cause} and {falls}",
            f"after {ing_form(cause)}, {who} {falls}{ending}",
            f"{who} {falls} after {ing_form(cause)}{', then ' + then if then else ''}",
            f"{ing_form(cause)}, {who} {falls}{ending}",
        ),
    )


def _action(facts: Facts, rng: np.random.Generator) -> str:
    """Everything but falls."""
    verb = _pick(rng, (TRIED_VERBS if facts.outcome else VERBS)[facts.event])
    if facts.before:
        verb = f"{_pick(rng, BEFORE_VERBS[facts.before])} {verb}"
    pace = _pick(rng, PACE_WORDS[facts.pace]) if facts.pace else ""
    direction = f" {_pick(rng, DIRECTION_WORDS[facts.direction])}" if facts.direction else ""
    where = ""
    if facts.surface:
        where = f" {SURFACE_PREPOSITIONS[facts.event]} {_pick(rng, SURFACE_WORDS[facts.surface])}"
    # A comma, lest it be thought of the other's doing.
    comma = "," if facts.other_is else ""
    side = f"{comma} {_pick(rng, SIDE_WORDS[facts.event])}".replace("{side}", facts.side) if facts.side else ""
    turned = f" {_pick(rng, TURNED_WORDS[facts.turned])}" if facts.turned else ""
    far = f" for {distance_words(facts.distance_m)}" if facts.distance_m is not None else ""
    turn = _pick(rng, TURN_VERBS).replace("{side}", facts.turns) if facts.turns else ""
    touch = f", {_pick(rng, TOUCH_WORDS[facts.touch])}" if facts.touch else ""
    ending = f"{touch}, {_pick(rng, OUTCOME_WORDS[facts.outcome])}" if facts.outcome else touch
    ending += f", {_pick(rng, THEN_WORDS[facts.then])}" if facts.then else ""
    ending += f", {_pick(rng, JOIN_WORDS)}" if facts.joined_by else ""
    who, rest = _who(facts, rng), f"{direction}{where}{side}{turned}{far}"
    # An adverb follows a short verb and goes before a long one.
    short = pace and " " not in verb
    before, behind = ("" if short or not pace else f"{pace} "), (f" {pace}" if short else "")
    does, are = (_plural(verb), "are") if facts.together else (verb, "is")
    present = f"{before}{does}{behind}{rest}" + (f" and {turn}" if turn else "") + ending
    participle = f"{before}{ing_form(verb)}{behind}{rest}" + (f", {ing_form(turn)}" if turn else "") + ending
    return _pick(
        rng,
        (
            f"{who} {present}",
            f"{who} {present}",
            f"{who} {are} {participle}",
            f"{who} can be seen {participle}",
            f"we see {who} {participle}",
            f"here {who} {are} {participle}",
        ),
    )
