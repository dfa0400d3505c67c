"""`careclips corpus build`, `careclips falls simulate`: what they write, what they do not do twice, what they
refuse."""

import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from models.corpus.reader import read_corpus
from models.errors import InputError
from models.mocap import clip_file
from pipeline.cli.main import app

CONFIG = "run: {workers: 1}\ncorpus: {falls: 4, look_alikes: 2, composed: 1, part: 2}\n"


def careclips(*arguments) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "c.yaml").write_text(CONFIG)
    careclips("corpus", "build", "--out", folder / "out", "--config", folder / "c.yaml")
    return folder


def test_a_corpus_has_its_figures_and_is_readable(built):
    summary = json.loads((built / "out" / "summary.json").read_text())
    corpus = read_corpus(built / "out" / "corpus.bin")
    assert summary["items"] == len(corpus.index.rows) and summary["items"] + sum(summary["dropped"].values()) == 7
    assert {"hours", "by_action_hours", "by_source", "falls", "look_alikes", "two_person", "file_mib"} <= set(summary)
    assert summary["recomputed"] == 4
    assert sum(sum(ways.values()) for ways in summary["falls"].values()) >= 2
    assert summary["dropped"] == {"leans_on_furniture": 2}
    assert len((built / "out" / "index.csv").read_text().splitlines()) == summary["items"] + 1
    assert "<html" in (built / "out" / "report.html").read_text()
    assert len(read_corpus(built / "out" / "pack.bin").index.rows) >= 1


def test_only_what_is_missing_is_made_again_and_to_the_same_bytes(built):
    before = (built / "out" / "corpus.bin").read_bytes()
    careclips("corpus", "build", "--out", built / "out", "--config", built / "c.yaml")
    assert json.loads((built / "out" / "summary.json").read_text())["recomputed"] == 0
    gone = sorted((built / "out" / "parts" / "corpus_part").iterdir())[0]
    shutil.rmtree(gone)
    careclips("corpus", "build", "--out", built / "out", "--config", built / "c.yaml")
    assert json.loads((built / "out" / "summary.json").read_text())["recomputed"] == 1
    assert (built / "out" / "corpus.bin").read_bytes() == before


def test_more_of_one_kind_leaves_the_others_alone(built, tmp_path):
    (tmp_path / "c.yaml").write_text(CONFIG.replace("falls: 4", "falls: 6"))
    shutil.copytree(built / "out", tmp_path / "out")
    careclips("corpus", "build", "--out", tmp_path / "out", "--config", tmp_path / "c.yaml")
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["recomputed"] == 1


def test_falls_are_simulated_to_files(tmp_path):
    printed = careclips(
        "falls", "simulate", "--out", tmp_path / "f", "--count", 3, "--cause", "slip", "--direction", "backward"
    )
    summary = json.loads((tmp_path / "f" / "summary.json").read_text())
    assert 2 <= len(summary["falls"]) <= 3 and '"impact_time_s"' in printed
    for item, facts in summary["falls"].items():
        motion = clip_file.read_motion(tmp_path / "f" / f"{item}.npz")
        assert facts["cause"] == "slip" and len(motion.people) == 1 and np.isfinite(motion.people[0].transl).all()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--cause", "dance"), "cause: is dance; name one of push"),
        (
            ("--cause", "trip", "--direction", "backward"),
            "trip throws nobody that way; name one of forward, left, right",
        ),
        (("--room", "r"), "no store is named; add --store STORE"),
    ],
)
def test_what_cannot_be_simulated_is_refused_before_any_work(tmp_path, arguments, problem):
    with pytest.raises(InputError) as caught:
        CliRunner().invoke(app, ["falls", "simulate", "--out", str(tmp_path / "f"), *arguments], catch_exceptions=False)
    assert problem in str(caught.value) and not (tmp_path / "f").exists()
