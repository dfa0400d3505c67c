"""Figures of a corpus."""

from dataclasses import replace
from pathlib import Path

import pytest

from models.corpus.reader import read_index
from models.corpus.statistics import summary
from models.corpus.writer import Item, write_corpus


def test_the_summary_counts_what_the_index_says(items: tuple[Item, ...], tmp_path: Path) -> None:
    path = tmp_path / "corpus.bin"
    write_corpus(path, items, "body", {"no joints": 2, "fall_without_rest": 1})
    figures = summary(read_index(path))
    assert figures["items"] == 11 and figures["look_alikes"] == 8 and figures["two_person"] == 1
    assert figures["falls"] == {"push": {"forward": 2}}
    assert figures["dropped"] == {"fall_without_rest": 1, "no joints": 2}
    assert figures["file_mib"] == path.stat().st_size / 2**20
    # 7 takes of 3 s and 4 of 5 s; the pair's two people count once in hours and by source, each in actions.
    assert figures["hours"] == pytest.approx(41.0 / 3600.0)
    assert figures["by_source"] == {"physics": pytest.approx(10.0 / 3600.0), "procedural": pytest.approx(31.0 / 3600.0)}
    assert sum(figures["by_action_hours"].values()) == pytest.approx(44.0 / 3600.0)
    assert list(figures["by_action_hours"]) == ["walk", "fall", "fallen", "standing"]
    assert figures["by_action_hours"]["standing"] == pytest.approx(10.0 / 3600.0)


def test_falls_of_unknown_cause_are_counted_as_such(items: tuple[Item, ...], tmp_path: Path) -> None:
    fall = next(item for item in items if item.name == "fall_0")
    vague = [
        replace(fall, name=f"{n}", motion=replace(fall.motion, details=d)) for n, d in enumerate(({}, {"cause": None}))
    ]
    other = replace(fall, motion=replace(fall.motion, details={"cause": "push", "direction": "down"}))
    assert summary(write_corpus(tmp_path / "c.bin", [*vague, other], "body", {}))["falls"] == {
        "push": {"down": 1},
        "unknown": {"unknown": 2},
    }


def test_descents_are_of_falls_that_begin_on_the_feet(items: tuple[Item, ...], tmp_path: Path) -> None:
    fall = next(item for item in items if item.name == "fall_0")
    told = (
        ("standing", 1.5, 1.0, []),
        ("walking", 2.0, 2.0, []),
        ("walking", 2.5, 3.0, ["bed"]),
        ("bed", 9.0, 9.0, []),
    )
    made = [
        replace(
            fall,
            name=start + str(n),
            motion=replace(
                fall.motion,
                details={
                    "start": start,
                    "onset_s": 1.0,
                    "impact_s": impact,
                    "impact_speed_m_s": speed,
                    "struck": struck,
                },
            ),
        )
        for n, (start, impact, speed, struck) in enumerate(told)
    ]
    unhurt = replace(fall, name="r", motion=replace(fall.motion, details={"start": "walking", "onset_s": 1.0}))
    figures = summary(write_corpus(tmp_path / "c.bin", [*made, unhurt], "body", {}))["falls_from_standing"]
    assert figures["all"]["falls"] == 3 and figures["clear"]["falls"] == 2
    assert figures["all"]["impact_time_s"] == pytest.approx([0.55, 1.0, 1.45, 1.0, (0.5 / 3.0) ** 0.5], abs=1e-3)
    assert figures["clear"]["hip_speed_m_s"] == pytest.approx([1.05, 1.5, 1.95, 1.5, 0.5], abs=1e-3)
