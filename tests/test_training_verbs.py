"""`careclips train` and `careclips measure`: what the commands gather, write and refuse.

The trainings are tiny; what they learn is tested beside their code.
"""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from models.body.model import load_body, relaxed_pose
from models.body.rest_skeleton import save_skeleton, skeleton_of
from models.corpus.writer import split_of, write_corpus
from models.errors import InputError
from models.text.encoder import TextCache
from models.training.hmr.dataset import Views, save_views
from models.training.keypoint_lifter.motions import read_motions
from models.training.pose_prior.poses import read_poses
from pipeline.cli.main import app


def careclips(*arguments):
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def corpus(items, tmp_path_factory):
    """The small corpus with items of every split, and its skeleton."""
    folder = tmp_path_factory.mktemp("training_verbs")
    placed = []
    for split in ("train", "val", "test"):
        takes = [f"t{number}" for number in range(99) if split_of(f"t{number}") == split]
        placed += [
            replace(item, name=f"{item.name}_{split}", take=takes[number % 4]) for number, item in enumerate(items)
        ]
    write_corpus(folder / "corpus.bin", placed, load_body().name, {})
    save_skeleton(skeleton_of(load_body()), folder / "skeleton.safetensors")
    return folder / "corpus.bin"


def test_a_lifter_is_trained_from_what_was_gathered_once(corpus, tmp_path):
    kept, short = tmp_path / "motions.npz", ("--steps", 2, "--batch-size", 4, "--windows", 50)
    gather = ("--corpus", corpus, "--motions", kept, "--acted", 2, "--postures", 2, "--without", "physics")
    told = json.loads(careclips("train", "lifter", *gather, *short, "--out", tmp_path / "a"))
    assert {"faulty", "believed", "perfect"} == set(told) and "PA-MPJPE" in (tmp_path / "a" / "README.md").read_text()
    counts = read_motions(kept).counts()
    assert counts["acted"]["takes"] == 2 and counts["fall"]["takes"] == 0 < counts["look_alike"]["takes"]
    careclips("train", "lifter", "--motions", kept, *short, "--out", tmp_path / "b")
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in "ab"]
    assert weights[0] == weights[1]
    facts = json.loads((tmp_path / "a" / "training.json").read_text())
    assert (facts["steps"], facts["batch_size"], facts["learning_rate"]) == (2, 4, 7e-4)
    card = (tmp_path / "a" / "README.md").read_text()
    again = careclips("measure", "lifter", "--folder", tmp_path / "a", "--motions", kept, "--windows", 50)
    assert json.loads(again) == told and (tmp_path / "a" / "README.md").read_text() == card


def test_a_pose_prior_and_lying_postures_come_of_the_same_poses(corpus, tmp_path):
    kept = tmp_path / "poses.npz"
    given = ("--poses", kept, "--steps", 2, "--batch-size", 16, "--samples", 20)
    told = json.loads(careclips("train", "pose-prior", "--corpus", corpus, *given, "--out", tmp_path / "prior"))
    assert told["errors"]["all"]["poses"] == int(read_poses(kept).held_out.sum()) > 0
    careclips("train", "lying-postures", "--poses", kept, "--count", 2, "--out", tmp_path / "lying.json")
    assert np.array(json.loads((tmp_path / "lying.json").read_text())).shape == (2, 63)
    measured = ("--folder", tmp_path / "prior", "--poses", kept, "--samples", 20)
    again = json.loads(careclips("measure", "pose-prior", *measured, "--before", tmp_path / "prior"))
    assert again["errors"] == told["errors"] == again["before"]
    with pytest.raises(InputError, match="--corpus: is not given, nor a file of poses that is there; name one of them"):
        careclips("train", "pose-prior", "--poses", tmp_path / "none.npz", "--out", tmp_path / "no")


def test_an_evaluator_is_trained_and_its_captions_are_encoded_beside_the_corpus(corpus, tmp_path):
    short = ("--steps", 2, "--batch-size", 4, "--checkpoint", tmp_path / "state")
    told = json.loads(careclips("train", "evaluator", "--corpus", corpus, *short, "--out", tmp_path / "judge"))
    assert "r_precision_1" in told and "own captions" in (tmp_path / "judge" / "README.md").read_text()
    assert (tmp_path / "state" / "state.json").exists()
    again = careclips("measure", "evaluator", "--folder", tmp_path / "judge", "--corpus", corpus)
    assert json.loads(again) == told
    said = json.loads(careclips("corpus", "encode", "--corpus", corpus, "--out", tmp_path / "texts.safetensors"))
    cache, beside = TextCache(tmp_path / "texts.safetensors"), TextCache(corpus.parent / "texts.safetensors")
    assert said["texts"] == 5 and said["numbers"] == cache.dim and cache.digest == beside.digest == said["encoder"]


def test_a_regressor_of_crops_is_trained_on_views_and_measured(tmp_path):
    rng, count = np.random.default_rng(0), 12
    crops = rng.integers(0, 256, (count, 128, 96, 3), dtype=np.uint8)
    files = [cv2.imencode(".jpg", crop)[1].ravel() for crop in crops]
    pose = np.concatenate([np.tile([np.pi, 0.0, 0.0], (count, 1)), np.tile(relaxed_pose(), (count, 1))], axis=1)
    transl, focal = np.tile([0.0, -0.1, 4.0], (count, 1)), np.full(count, 256.0)
    ends = np.cumsum([len(file) for file in files])
    truth = (pose, np.zeros((count, 10)), transl, focal, np.ones(count), np.ones(count), np.arange(count) % 3 == 0)
    save_views(Views(np.concatenate(files), ends, *truth), tmp_path / "views.npz")
    given = ("--views", tmp_path / "views.npz", "--steps", 1, "--batch-size", 2)
    told = json.loads(careclips("train", "hmr", *given, "--out", tmp_path / "hmr"))
    assert told["all"]["views"] == 4 and told["all"]["pa_mm"] > 0.0
    again = careclips("measure", "hmr", "--folder", tmp_path / "hmr", "--views", tmp_path / "views.npz")
    assert json.loads(again) == told


def test_depth_networks_are_trained_on_views_that_are_rendered_once(tmp_path):
    given = ("--views", tmp_path / "views.npz", "--count", 10, "--steps", 1, "--batch-size", 2)
    facts = json.loads(careclips("train", "depth", "--kind", "metric", *given, "--out", tmp_path / "metric"))
    rendered = (tmp_path / "views.npz").stat().st_mtime_ns
    start = ("--start", tmp_path / "metric")
    careclips("train", "depth", "--kind", "relative", *given, *start, "--out", tmp_path / "relative")
    assert (tmp_path / "views.npz").stat().st_mtime_ns == rendered and facts["kind"] == "metric"
    ours = ("--metric", tmp_path / "metric", "--relative", tmp_path / "relative")
    told = json.loads(careclips("measure", "depth", "--views", tmp_path / "views.npz", *ours))
    assert all("absrel" in row for rows in told.values() for row in rows.values())
    card = (tmp_path / "relative" / "README.md").read_text()
    assert "1 steps of 2 views, from 1 steps of 2 views as metric of 84 px" in " ".join(card.split())


def test_what_is_out_of_range_is_refused(tmp_path):
    done = CliRunner().invoke(app, ["train", "lifter", "--steps", "0", "--out", str(tmp_path)])
    assert done.exit_code == 2 and "--steps" in done.output


def test_every_command_of_the_training_page_is_one():
    """Groups, commands and options that docs/training.md names exist, and so do the configs."""
    root = Path(__file__).parents[1]
    page = (root / "docs" / "training.md").read_text()
    lines = [line for line in page.splitlines() if line.startswith("careclips ")]
    assert len(lines) > 12
    for line in lines:
        words = line.split()
        command = typer.main.get_command(app)
        for word in words[1:]:
            if word not in getattr(command, "commands", {}):
                break
            command = command.commands[word]
        assert not hasattr(command, "commands"), line
        known = {option for given in command.params for option in given.opts}
        assert {word for word in words if word.startswith("--")} <= known, line
        assert all((root / word).exists() for word in words if word.startswith("configs/")), line
