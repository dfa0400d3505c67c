"""The order form: what clips are wanted. YAML holds the values; one `ClipOrder` is drawn from it per attempt."""

from pathlib import Path
from typing import Literal

import numpy as np
import yaml
from pydantic import Field, ValidationError, model_validator

from models.config import Config
from models.errors import InputError
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


class PersonOrder(Config):
    """Who acts."""

    role: Role = "resident"
    age_years: tuple[float, float] = (70.0, 95.0)
    """Drawn uniformly between the two."""
    stature_m: tuple[float, float] = (1.5, 1.85)
    build: tuple[float, float] = (0.2, 0.8)
    """0 is slight, 1 is heavy."""
    sex: tuple[float, float] = (0.0, 1.0)
    """0 is female, 1 is male."""


class EventOrder(Config):
    """One kind of event and how often it is wanted."""

    event: Literal["fall", "walk", "stand", "sit", "everyday"]
    """`everyday` is one of what people do upright, by chance."""
    weight: float = Field(1.0, ge=0.0)
    causes: tuple[Cause, ...] = ("push", "slip", "faint")
    directions: tuple[Direction, ...] = ("forward", "backward", "left", "right")
    start: Literal["standing", "walking", "any"] = "any"
    seconds: float = Field(5.0, ge=1.0, le=60.0)
    people: tuple[PersonOrder, ...] = (PersonOrder(),)
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
        raw = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(path, f"is not a readable YAML file ({error})", "see configs/falls.yaml") from error
    try:
        return OrderForm.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InputError(path, f"{key}: {first['msg']}", "see configs/falls.yaml") from error


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
