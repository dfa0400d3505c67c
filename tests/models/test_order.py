from pathlib import Path

import numpy as np
import pytest
import yaml

from models.errors import InputError
from models.order import OrderForm, check_order, draw_clip_order, read_order_form

FORM = """
events:
  - {event: fall, weight: 3, causes: [slip], directions: [left], start: walking, people: [{age_years: [80, 90]}]}
  - {event: walk, weight: 1}
"""


def test_draws_follow_weights_and_limits(tmp_path):
    (tmp_path / "o.yaml").write_text(FORM)
    form = read_order_form(tmp_path / "o.yaml")
    draws = [draw_clip_order(form, np.random.default_rng(seed)) for seed in range(400)]
    falls = [one for one in draws if one.event == "fall"]
    assert 0.68 < len(falls) / 400 < 0.82
    assert {(one.cause, one.direction, one.start) for one in falls} == {("slip", "left", "walking")}
    assert all(80 <= one.age_years <= 90 for one in falls)
    assert all(one.cause is None for one in draws if one.event == "walk")
    assert draw_clip_order(form, np.random.default_rng(5)) == draws[5]


def test_a_cause_is_drawn_with_a_way_it_throws_people(tmp_path):
    (tmp_path / "o.yaml").write_text(
        "events: [{event: fall, causes: [trip, misstep], directions: [forward, backward]}]"
    )
    form = read_order_form(tmp_path / "o.yaml")
    draws = [draw_clip_order(form, np.random.default_rng(seed)) for seed in range(60)]
    assert {(one.cause, one.direction) for one in draws} == {("trip", "forward"), ("misstep", "backward")}


def test_the_shipped_order_form_is_read():
    assert read_order_form(Path(__file__).parents[2] / "configs" / "falls.yaml").events[0].event == "fall"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("events: [", "is not readable YAML"),
        ("events: [{event: walk, people: []}]", "events.0.people: Tuple should have at least 1 item"),
        (
            "events: [{event: walk, people: [{}, {}]}]",
            "events.0: people: 2 are ordered, and a clip shows one",
        ),
        (
            "events: [{event: walk, people: [{age_years: [95, 65]}]}]",
            r"people.0: age_years: is \[95.0, 65.0\], expected the lower number first",
        ),
        ("events: [{event: walk, people: [{stature_m: [0.2, 0.3]}]}]", "people.0.stature_m.0: Input should be greater"),
        ("events: [{event: walk, seconds: .nan}]", "events.0.seconds: Input should be a finite number"),
        ("events: [{event: walk, weight: 0}]", "events: every weight is 0"),
        ("events: [{event: fall, causes: []}]", "events.0.causes: Tuple should have at least 1 item"),
        ("events: [{event: sit}]", "events.0: event: nobody can sit down on a bare floor"),
        ("events: [{event: walk, start: walking}]", "events.0: start: belongs to event: fall, and this is walk"),
        ("events: [{event: stand, causes: [slip]}]", "events.0: causes: belongs to event: fall, and this is stand"),
        (
            "events: [{event: fall, causes: [push, misstep], start: walking}]",
            "events.0: start: misstep has its own beginning",
        ),
        (
            "events: [{event: fall, causes: [roll_out_of_bed], directions: [left]}]",
            "roll_out_of_bed begins on furn",
        ),
        ("events: [{event: walk, 3: 4}]", "events.0.3: Keys should be strings"),
        ("events: [{event: walk, event: fall}]", "the key 'event' stands twice"),
        ("events: []", "events: Tuple should have at least 1 item"),
        ("events: [{event: dance}]", "events.0.event: Input should be"),
        ("events: [{event: fall, colour: red}]", "events.0.colour: Extra inputs are not permitted"),
        (
            "events: [{event: fall, causes: [trip], directions: [backward]}]",
            "trip throws nobody backward; directions: name one of forward, left, right",
        ),
        ("events: [{event: fall, source: procedural}]", "procedural performs no fall; name one of physics, model"),
        ("events: [{event: sit, source: physics}]", "events.0: .*physics performs no sit; name one of model"),
        ("events: [{event: fall, seconds: -1}]", "events.0.seconds: Input should be greater than or equal to 1"),
    ],
)
def test_bad_forms_name_the_key(tmp_path, text, problem):
    (tmp_path / "o.yaml").write_text(text)
    with pytest.raises(InputError, match=problem):
        read_order_form(tmp_path / "o.yaml")


@pytest.mark.parametrize(
    ("text", "preference", "problem"),
    [
        ("{event: walk, seconds: 12}", "mixed", "events.0.seconds: is 12, and the motion model makes up to 11.95"),
        ("{event: fall, seconds: 12}", "model", "events.0.seconds: is 12, and the motion model makes up to 11.95"),
        ("{event: fall, start: walking}", "model", "events.0.start: falls by the motion model have no such choice"),
        ("{event: fall, start: walking, source: model}", "mixed", "remove it, or set source: physics"),
        ("{event: fall, seconds: 2}", "mixed", "events.0.seconds: is 2, and a fall by physics takes 3"),
        ("{event: walk, text: slowly}", "simulated", "events.0.text: words are heeded by the motion model alone"),
        ("{event: walk, source: captured}", "mixed", "asks for captured motion, and there is none"),
    ],
)
def test_what_a_source_cannot_give_is_said_before_any_work(text, preference, problem):
    form = OrderForm.model_validate(yaml.safe_load(f"events: [{text}]"))
    with pytest.raises(InputError, match=problem):
        check_order(form, Path("o.yaml"), preference, 11.95, captures=False)


@pytest.mark.parametrize("text", ["{event: fall, seconds: 12, start: walking}", "{event: walk, seconds: 11.9}"])
def test_what_a_source_can_give_is_let_through(text):
    check_order(OrderForm.model_validate(yaml.safe_load(f"events: [{text}]")), Path("o.yaml"), "mixed", 11.95, False)


def test_a_line_names_its_source_and_one_that_names_none_keeps_its_digest(tmp_path):
    (tmp_path / "o.yaml").write_text("events: [{event: fall, source: model}, {event: fall, weight: 2}]")
    form = read_order_form(tmp_path / "o.yaml")
    drawn = {draw_clip_order(form, np.random.default_rng(seed)).source for seed in range(20)}
    assert drawn == {"model", None}
    assert '"source"' not in form.events[1].model_dump_json() and '"source":"model"' in form.events[0].model_dump_json()
    assert OrderForm.model_validate_json(form.model_dump_json()) == form
