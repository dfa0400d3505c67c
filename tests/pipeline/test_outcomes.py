"""Whatever goes wrong with an item becomes its reason; a full disk alone ends the run."""

import errno

import pytest

from models.errors import InputError, Rejected
from pipeline.outcomes import TRACEBACKS, DefectsMet, Outcome, SetAside, attempt, check_defects, died, require_all


def fail(error):
    raise error


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (InputError("folder/a.mp4", "is empty", "copy it"), "input", "a.mp4 is empty; copy it"),
        (Rejected("too dark", "12 of 255"), "rejected", "too dark: 12 of 255"),
        (
            PermissionError(errno.EACCES, "Permission denied", "/x/a.mp4"),
            "input",
            "a.mp4 cannot be used (Permission denied)",
        ),
        (MemoryError("9 GiB"), "resources", "needs more memory than there is (9 GiB)"),
        (KeyError("id"), "defect", "met a defect of careclips (KeyError: 'id')"),
        (EOFError(), "defect", "met a defect of careclips (EOFError:)"),
        (ValueError("two\nlines"), "defect", "met a defect of careclips (ValueError: two lines)"),
    ],
)
def test_every_error_is_the_reason_of_its_item(error, kind, reason):
    outcome = attempt(fail, "a", (error,))
    assert (outcome.item, outcome.value, outcome.kind, outcome.reason) == ("a", None, kind, reason)
    assert bool(outcome.traceback) == (kind in ("defect", "resources") or isinstance(error, OSError))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_ends_the_run(code):
    with pytest.raises(OSError):
        attempt(fail, "a", (OSError(code, "full", "/x"),))


def test_a_value_that_is_nothing_is_a_value():
    set_aside = SetAside()
    assert set_aside.values("step", [attempt(lambda: None, "a", ())]) == {"a": None}
    assert set_aside.summary() == {"skipped": [], "defects": []}


def test_what_was_set_aside_is_in_the_summary_and_its_traceback_beside_it(tmp_path):
    set_aside = SetAside()
    outcomes = [Outcome("a", 1), attempt(fail, "b", (Rejected("odd"),)), attempt(fail, "c", (TypeError("what"),))]
    assert set_aside.values("halving", outcomes) == {"a": 1}
    set_aside.add("a", "annotation", "annotation 3 has no box")
    reason = "met a defect of careclips (TypeError: what)"
    assert set_aside.summary() == {
        "skipped": [
            {"item": "b", "kind": "rejected", "reason": "odd"},
            {"item": "c", "kind": "defect", "reason": reason},
            {"item": "a", "kind": "annotation", "reason": "annotation 3 has no box"},
        ],
        "defects": [{"step": "halving", "item": "c", "reason": reason}],
    }
    set_aside.write_tracebacks(tmp_path)
    text = (tmp_path / TRACEBACKS).read_text()
    assert text.startswith("halving: c: ") and "in fail" in text and "TypeError: what" in text and "odd" not in text
    SetAside().write_tracebacks(tmp_path)
    assert not (tmp_path / TRACEBACKS).exists()


def test_a_finished_run_with_defects_says_so():
    assert check_defects({"clips": 2, "defects": []}) == {"clips": 2, "defects": []}
    with pytest.raises(DefectsMet, match=r"^1 item\(s\) met a defect of careclips, the first in 's': c r; all others"):
        check_defects({"defects": [{"step": "s", "item": "c", "reason": "r"}]})


def test_where_all_parts_are_needed_one_missing_is_an_error():
    assert require_all("out", "step", [Outcome("a", 1), Outcome("b", 2)]) == [1, 2]
    with pytest.raises(InputError, match=r"out: 1 part\(s\) could not be made \(b: odd\); mend that, start again"):
        require_all("out", "step", [Outcome("a", 1), attempt(fail, "b", (Rejected("odd"),))])
    with pytest.raises(DefectsMet) as caught:
        require_all("out", "step", [attempt(fail, "b", (TypeError("what"),))])
    assert "TypeError: what" in caught.value.tracebacks


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (-9, "resources", "was killed (SIGKILL)"),
        (-11, "defect", "ended with SIGSEGV"),
        (7, "defect", "with exit code 7"),
    ],
)
def test_a_dead_process_says_how_it_died(code, kind, words):
    outcome = died("a", code)
    assert outcome.kind == kind and words in outcome.reason


def test_the_reason_that_is_quoted_is_of_the_items_in_question():
    set_aside = SetAside()
    assert set_aside.first_reason({"camera_1"}) == ""
    set_aside.add("a.mp4", "link", "is a link to nothing")
    assert set_aside.first_reason({"camera_1"}) == "a.mp4: is a link to nothing"
    set_aside.add("camera_1", "rejected", "no floor")
    assert set_aside.first_reason({"camera_1"}) == "camera_1: no floor"
    assert set_aside.first_reason() == "a.mp4: is a link to nothing"
