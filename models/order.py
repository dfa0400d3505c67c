"""The order form: what clips are wanted. YAML holds the values; one `ClipOrder` is drawn from it per attempt."""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, ValidationError, model_validator

from models.config import Config, first_fault
from models.errors import InputError
from models.text_files import read_yaml
from models.types import Role

Direction = Literal["forward", "backward", "left", "right", "down"]
Cause = Literal[
    "push",
    "slip",
    "faint",
    "trip",
    "misstep",
    "sit_to_stand",
    "stand_to_sit",
    "roll_out_of_bed",
    "slide_out_of_bed",
    "reach",
    "lean",
]
"""Why balance is lost: pushed, a foot slips, faints, a foot is caught, a step goes wrong in a turn, rising or sitting
down fails, rolls or slides out of bed, reaches too far, what was leaned on gives way."""
Source = Literal["physics", "model", "captured", "procedural"]
"""Where motion comes from: simulated (falls alone), sampled from the motion model, the BVH files of `run.mocap`, or
joint-angle curves (walking and standing alone)."""
SOURCE_EVENTS: dict[Source, tuple[str, ...]] = {
    "physics": ("fall",),
    "model": ("fall", "walk", "stand", "sit", "everyday"),
    "captured": ("walk", "stand", "everyday"),
    "procedural": ("walk", "stand", "everyday"),
}
"""What each source can perform."""
Preference = Literal["mixed", "model", "simulated"]
"""Where motion comes from that no order line names a source of: falls by physics and all else by the motion model, all
by the motion model, or nothing by it."""
_SIDES: tuple[Direction, ...] = ("left", "right")
CAUSE_DIRECTIONS: dict[Cause, tuple[Direction, ...]] = {
    "push": ("forward", "backward", *_SIDES),
    "slip": ("forward", "backward", *_SIDES),
    "faint": ("forward", "backward", *_SIDES, "down"),
    "trip": ("forward", *_SIDES),
    "misstep": ("backward", *_SIDES),
    "sit_to_stand": ("forward", "backward", *_SIDES),
    "stand_to_sit": ("backward",),
    "roll_out_of_bed": _SIDES,
    "slide_out_of_bed": ("forward",),
    "reach": ("forward", *_SIDES),
    "lean": ("forward", "backward", *_SIDES),
}
"""Ways that a cause can throw a person, by the person's own front and sides when balance is lost."""


Age = Annotated[float, Field(ge=8.0, le=110.0)]
Stature = Annotated[float, Field(ge=0.9, le=2.2)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
"""What bodies can be made of (`models.body.model.BodyShape`)."""
START_CAUSES: tuple[Cause, ...] = ("push", "slip", "faint")
"""Causes that meet who stands as well as who walks; every other has a beginning of its own."""
FURNITURE_CAUSES: tuple[Cause, ...] = ("sit_to_stand", "roll_out_of_bed", "slide_out_of_bed")
"""Causes that begin on a chair or a bed, of which a motion that is made on a bare floor has none. (`stand_to_sit`
remains: the chair has gone.)"""


class PersonOrder(Config):
    """Who acts."""

    role: Role = "resident"
    age_years: tuple[Age, Age] = (70.0, 95.0)
    """Drawn uniformly between the two."""
    stature_m: tuple[Stature, Stature] = (1.5, 1.85)
    build: tuple[Share, Share] = (0.2, 0.8)
    """0 is slight, 1 is heavy."""
    sex: tuple[Share, Share] = (0.0, 1.0)
    """0 is female, 1 is male."""


class EventOrder(Config):
    """One kind of event and how often it is wanted."""

    event: Literal["fall", "walk", "stand", "sit", "everyday"]
    """`everyday` is one of what people do upright, by chance."""
    weight: float = Field(1.0, ge=0.0)
    causes: tuple[Cause, ...] = Field(("push", "slip", "faint"), min_length=1)
    directions: tuple[Direction, ...] = Field(("forward", "backward", "left", "right"), min_length=1)
    start: Literal["standing", "walking", "any"] = "any"
    """What is done before a fall by physics that is pushed, slips or faints; every other event has its own beginning.
    """
    seconds: float = Field(5.0, ge=1.0, le=60.0)
    people: tuple[PersonOrder, ...] = Field((PersonOrder(),), min_length=1)
    """Who acts: one person a clip."""
    text: str = ""
    """Words for the motion model; None of the other sources heeds them."""
    source: Source | None = Field(None, exclude_if=lambda source: source is None)
    """Where the motion comes from; None leaves it to `run.motion` of the config."""

    @model_validator(mode="after")
    def _source_has_the_event(self) -> "EventOrder":
        if self.source is not None and self.event not in SOURCE_EVENTS[self.source]:
            able = [name for name, events in SOURCE_EVENTS.items() if self.event in events]
            raise ValueError(f"source: {self.source} performs no {self.event}; name one of {', '.join(able)}")
        return self

    @model_validator(mode="after")
    def _nothing_is_passed_over(self) -> "EventOrder":
        """What no clip would heed is refused."""
        if len(self.people) > 1:
            raise ValueError(f"people: {len(self.people)} are ordered, and a clip shows one; order one")
        if self.event == "sit" and not self.text:
            raise ValueError("event: nobody can sit down on a bare floor; give text, or order another event")
        fields = EventOrder.model_fields
        if self.event != "fall":
            for name in ("causes", "directions", "start"):
                if getattr(self, name) != fields[name].default:
                    raise ValueError(f"{name}: belongs to event: fall, and this is {self.event}; remove it")
        elif not self.text and (furnished := sorted(set(self.causes) & set(FURNITURE_CAUSES))):
            raise ValueError(f"causes: {furnished[0]} begins on furniture, which no clip has yet; remove it")
        if self.start != "any" and (others := sorted(set(self.causes) - set(START_CAUSES))):
            raise ValueError(f"start: {others[0]} has its own beginning; order it in a line without start")
        return self

    @model_validator(mode="after")
    def _causes_have_directions(self) -> "EventOrder":
        for cause in self.causes:
            if self.event == "fall" and not set(self.directions) & set(CAUSE_DIRECTIONS[cause]):
                raise ValueError(
                    f"causes: {cause} throws nobody {' or '.join(self.directions)}; "
                    f"directions: name one of {', '.join(CAUSE_DIRECTIONS[cause])}"
                )
        return self


class OrderForm(Config):
    """What a user orders: `configs/falls.yaml`."""

    events: tuple[EventOrder, ...] = Field(min_length=1)
    rooms: tuple[str, ...] = ()
    """Names of rooms to use; empty is every room of the store that can be used."""
    fps: float = Field(15.0, ge=5.0, le=60.0)
    attempts_per_clip: int = Field(8, ge=1)
    """How often a clip may be rejected and drawn again before it is given up."""

    @model_validator(mode="after")
    def _something_is_wanted(self) -> "OrderForm":
        if not any(event.weight > 0.0 for event in self.events):
            raise ValueError("events: every weight is 0, so nothing is wanted; give one that is not")
        return self


class ClipOrder(Config):
    """One clip, every choice drawn."""

    event: Literal["fall", "walk", "stand", "sit", "everyday"]
    cause: Cause | None
    direction: Direction | None
    start: Literal["standing", "walking"]
    seconds: float
    fps: float
    role: Role
    age_years: float
    stature_m: float
    build: float
    sex: float
    text: str
    source: Source | None = None


def wants_model(order: ClipOrder | EventOrder, preference: Preference) -> bool:
    """Tell whether the motion model performs an order: where its line says so, or, where it says nothing, by the
    preference. Words that an order brings are for the model, but where nothing is."""
    if order.source is not None:
        return order.source == "model"
    return preference == "model" or (preference == "mixed" and (order.event != "fall" or order.text != ""))


def read_order_form(path: Path) -> OrderForm:
    """Read and check an order form; InputError names the key that is wrong."""
    try:
        return OrderForm.model_validate(read_yaml(path))
    except ValidationError as error:
        raise InputError(path, first_fault(error, "the file"), "see configs/falls.yaml") from error


def check_order(form: OrderForm, path: Path, preference: Preference, longest_s: float, captures: bool) -> None:
    """Raise InputError where a line asks for what the source that performs it cannot give.

    `longest_s` is what the motion model has learned; `captures` says whether there are any.
    """
    for number, event in enumerate(form.events):
        line = f"events.{number}"
        if event.source == "captured" and not captures:
            remedy = "name a folder of BVH files in run.mocap of --config"
            raise InputError(path, f"{line}.source: asks for captured motion, and there is none", remedy)
        by_model = wants_model(event, preference)
        if by_model and event.seconds > longest_s:
            problem = f"{line}.seconds: is {event.seconds:g}, and the motion model makes up to {longest_s:g}"
            raise InputError(path, problem, "order shorter clips")
        if by_model and event.start != "any":
            problem = f"{line}.start: falls by the motion model have no such choice"
            raise InputError(path, problem, "remove it, or set source: physics")
        if event.event == "fall" and not by_model and event.seconds < 3.0:
            problem = f"{line}.seconds: is {event.seconds:g}, and a fall by physics takes 3"
            raise InputError(path, problem, "order 3 or more")
        if not by_model and event.text:
            problem = f"{line}.text: words are heeded by the motion model alone, which does not make this line"
            raise InputError(path, problem, "remove them, or set source: model")


def draw_clip_order(form: OrderForm, rng: np.random.Generator) -> ClipOrder:
    """Draw one clip: event by weight, everything else uniformly from what the event allows."""
    weights = np.array([event.weight for event in form.events])
    event = form.events[int(rng.choice(len(form.events), p=weights / weights.sum()))]
    person = event.people[0]
    fall = event.event == "fall"
    start = event.start if event.start != "any" else str(rng.choice(["standing", "walking"]))
    cause: Cause | None = event.causes[int(rng.integers(len(event.causes)))] if fall else None
    ways = [way for way in event.directions if cause and way in CAUSE_DIRECTIONS[cause]]
    return ClipOrder.model_validate(
        {
            "event": event.event,
            "cause": cause,
            "direction": ways[int(rng.integers(len(ways)))] if fall else None,
            "start": start,
            "seconds": event.seconds,
            "fps": form.fps,
            "role": person.role,
            "age_years": float(rng.uniform(*person.age_years)),
            "stature_m": float(rng.uniform(*person.stature_m)),
            "build": float(rng.uniform(*person.build)),
            "sex": float(rng.uniform(*person.sex)),
            "text": event.text,
            "source": event.source,
        }
    )
