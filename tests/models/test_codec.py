"""Values to files and back; what is damaged, or of another version, is one line."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import codec
from models.errors import InputError
from models.types import Motion, PersonTrack


def motion() -> Motion:
    count = 4
    person = PersonTrack(
        "person_0",
        "resident",
        np.zeros(10),
        np.zeros((count, 3)),
        np.zeros((count, 69)),
        np.zeros((count, 3)),
        np.ones(count, dtype=bool),
        np.ones(count),
    )
    details = {"texts": ("walks",), "onset_s": float("nan"), 3: [1, None]}
    return Motion(np.arange(count) / 20.0, (person,), np.full((1, count), -1), "test", details)


def test_there_and_back_and_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        codec.save(motion(), tmp_path, name)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    found = codec.load(tmp_path, "a")
    assert isinstance(found, Motion) and found.people[0].role == "resident" and np.isnan(found.details["onset_s"])
    assert found.details[3] == [1, None] and found.details["texts"] == ("walks",)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda tree: tree.update({"#class": "Dance"}), "holds a Dance that this version does not know"),
        (lambda tree: tree["fields"].update(tempo=1), "holds a Motion that this version does not know"),
        (lambda tree: tree["fields"].pop("people"), "holds a Motion without people"),
        (lambda tree: tree["fields"].update(actions={"#array": "a99"}), "is damaged: it is not what careclips writes"),
        (lambda tree: tree.update({"fields": 3}), "is damaged: it is not what careclips writes"),
    ],
)
def test_what_is_not_ours_is_one_line(tmp_path, change, problem):
    codec.save(motion(), tmp_path, "a")
    tree = json.loads((tmp_path / "a.json").read_text())
    change(tree)
    (tmp_path / "a.json").write_text(json.dumps(tree))
    with pytest.raises(InputError, match=f"a.json: {problem}; run the verb that made it again"):
        codec.load(tmp_path, "a")


@given(st.integers(0, 800), st.binary(min_size=1, max_size=4), st.booleans())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_bytes_are_refused_or_change_a_value_alone(tmp_path, at, noise, arrays):
    codec.save({"a": np.arange(5.0), "b": ("x", 1.5)}, tmp_path, "a")
    path = tmp_path / ("a.npz" if arrays else "a.json")
    content = path.read_bytes()
    path.write_bytes(content[:at] + noise + content[at + len(noise) :])
    try:
        codec.load(tmp_path, "a")
    except InputError as error:
        assert "\n" not in str(error)
