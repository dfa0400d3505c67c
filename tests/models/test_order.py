from pathlib import Path

import numpy as np
import pytest

from models.errors import InputError
from models.order import OrderForm, draw_clip_order, read_order_form

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
        ("events: [", "is not a readable YAML file"),
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


def test_a_line_names_its_source_and_one_that_names_none_keeps_its_digest(tmp_path):
    (tmp_path / "o.yaml").write_text("events: [{event: fall, source: model}, {event: fall, weight: 2}]")
    form = read_order_form(tmp_path / "o.yaml")
    drawn = {draw_clip_order(form, np.random.default_rng(seed)).source for seed in range(20)}
    assert drawn == {"model", None}
    assert '"source"' not in form.events[1].model_dump_json() and '"source":"model"' in form.events[0].model_dump_json()
    assert OrderForm.model_validate_json(form.model_dump_json()) == form
