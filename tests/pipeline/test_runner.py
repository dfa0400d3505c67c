"""What became of each item, in order; what is done already is found again, also that it was rejected."""

import logging
import multiprocessing
import os
import time

import numpy as np
import pytest

from models.errors import InputError, Rejected
from pipeline.cli.options import run_verb
from pipeline.outcomes import Outcome
from pipeline.runner import cached, find_made, load_value, plain_runner
from pipeline.store import Store


def halve(number: int) -> int:
    """A step that some items are wrong for."""
    if number < 0:
        raise InputError(f"folder/{number}.mp4", "is negative", "give a positive one")
    if number % 2:
        raise Rejected("odd", f"{number}")
    return number // 2


@pytest.mark.parametrize("workers", [1, 2])
def test_outcomes_come_in_the_order_of_the_work(workers):
    outcomes = plain_runner(workers)("halving", halve, [(str(n), (n,)) for n in (4, 3, -1, 2)])
    assert outcomes == [
        Outcome("4", 2),
        Outcome("3", reason="odd: 3", kind="rejected"),
        Outcome("-1", reason="-1.mp4 is negative; give a positive one", kind="input"),
        Outcome("2", 1),
    ]


def note(number: int) -> None:
    """A step that logs."""
    logging.getLogger("pipeline.step").info("note %d", number)


def test_a_verb_ends_its_processes_and_has_all_that_they_logged(caplog):
    logging.getLogger("pipeline").setLevel(logging.INFO)
    run_verb("x", False, lambda runner: runner("noting", note, [(str(n), (n,)) for n in range(6)]), workers=2)
    assert multiprocessing.active_children() == []
    noted = [record.message for record in caplog.records if record.name == "pipeline.step"]
    assert sorted(noted) == [f"note {number}" for number in range(6)]


def test_a_value_is_computed_once_and_loaded_after(tmp_path):
    store, calls = Store(tmp_path), []

    def compute():
        calls.append(1)
        return {"array": np.arange(3)}, {"count": 3}

    first, artefact, new = cached(store, "stage", 1, None, {"a": 1}, compute)
    again, found, new_again = cached(store, "stage", 1, None, {"a": 1}, compute)
    assert (new, new_again, len(calls)) == (True, False, 1)
    np.testing.assert_array_equal(first["array"], again["array"])
    assert found.folder == artefact.folder and found.meta["figures"] == artefact.meta["figures"] == {"count": 3}
    np.testing.assert_array_equal(load_value(store, "stage", artefact.key)["array"], [0, 1, 2])
    assert cached(store, "stage", 2, None, {"a": 1}, compute)[2]  # another version is another artefact
    (artefact.folder / "value.npz").unlink()
    with pytest.raises(InputError, match=f"{tmp_path}/stage/{artefact.key}: is missing or damaged; run the verb"):
        find_made(store, "stage", artefact.key)
    assert cached(store, "stage", 1, None, {"a": 1}, compute)[2]


def test_a_rejection_is_remembered(tmp_path):
    store, calls = Store(tmp_path), []

    def compute():
        calls.append(1)
        raise Rejected("nobody in view", "for long enough")

    for _ in range(2):
        with pytest.raises(Rejected, match="nobody in view: for long enough"):
            cached(store, "stage", 1, None, {}, compute)
    assert len(calls) == 1


def process(number: int) -> int:
    """A step that tells where it runs."""
    time.sleep(0.2)
    return os.getpid()


def test_workers_serve_the_next_step_too():
    runner = plain_runner(2)
    work = [(f"{number}", (number,)) for number in (1, 2, 3)]
    first, second = ({outcome.value for outcome in runner("telling", process, work)} for _ in range(2))
    assert os.getpid() not in first and first & second and len(first | second) <= 2
