"""A small corpus of real motion: walks, standing, falls, and two people at once."""

from dataclasses import replace

import numpy as np
import pytest

from models.body import BodyModel, load_body
from models.motion_source import PhysicsFalls, ProceduralEveryday
from pipeline.corpus_write import Item
from pipeline.order import ClipOrder
from pipeline.types import Motion


@pytest.fixture(scope="session")
def body() -> BodyModel:
    return load_body()


def _order(event: str, seconds: float, role: str = "resident") -> ClipOrder:
    fall = {"cause": "push", "direction": "forward"} if event == "fall" else {"cause": None, "direction": None}
    return ClipOrder.model_validate({
        "event": event, "start": "walking", "seconds": seconds, "fps": 20.0, "role": role, "age_years": 80.0,
        "stature_m": 1.62, "build": 0.5, "sex": 0.0, "text": "", **fall,
    })  # fmt: skip


def _beside(one: Motion, other: Motion) -> Motion:
    """Both on one clock, the second a metre to the left."""
    moved = replace(other.people[0], person="person_1", transl=other.people[0].transl + np.array([0.0, 1.0, 0.0]))
    return replace(one, people=(one.people[0], moved), actions=np.concatenate([one.actions, other.actions]))


@pytest.fixture(scope="session")
def items(body: BodyModel) -> tuple[Item, ...]:
    """walk_0 to walk_5 (3 s), stand_0 and stand_1 (5 s), fall_0 and fall_1 (5 s), pair (two walkers)."""
    everyday, falls = ProceduralEveryday(body), PhysicsFalls(body)
    made = []
    for event, count in (("walk", 6), ("stand", 2)):
        for number in range(count):
            order = _order(event, 3.0 if event == "walk" else 5.0, "carer" if number == 1 else "resident")
            motion = everyday.sample(order, None, np.random.default_rng(number))
            made.append(
                Item(f"{event}_{number}", motion, (f"a person {event}s",), "procedural", "CC0", event, "look_alike")
            )
    for number in range(2):
        motion = falls.sample(_order("fall", 5.0), None, np.random.default_rng(number))
        texts = ("an old woman falls forward", "she is pushed and falls on her face")
        made.append(Item(f"fall_{number}", motion, texts, "physics", "Apache-2.0", f"fall_{number}", "fall"))
    pair = _beside(made[0].motion, made[1].motion)
    made.append(Item("pair", pair, ("two people walk",), "procedural", "CC0", "walk", "composed"))
    return tuple(made)
