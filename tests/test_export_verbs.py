"""`careclips export` and `careclips smooth` on a lifted artefact and on a dataset's clip."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from models.animation.gait_curves import procedural_standing, procedural_walking
from models.body.model import load_body
from models.body.tracks import track_joints
from models.errors import InputError
from models.geometry.transforms import R_ZUP_YUP
from models.mocap import clip_file
from models.mocap.bvh import read_bvh
from models.types import SMPL_JOINTS, Motion
from pipeline.cli.main import app
from pipeline.runner import cached
from pipeline.store import Store


@pytest.fixture(scope="module")
def motion() -> Motion:
    body, rng = load_body(), np.random.default_rng(0)
    walk = procedural_walking(body, np.zeros(10), 1.0, 20.0, rng, person="anna", role="resident")
    stand = procedural_standing(body, np.zeros(10), 1.0, 20.0, rng, person="bert", role="carer")
    people = (walk.people[0], stand.people[0])
    return Motion(walk.timestamps_s, people, np.concatenate([walk.actions, stand.actions]), "people3d")


@pytest.fixture(scope="module")
def lifted(motion, tmp_path_factory) -> str:
    """STORE/people3d/<key> as `reconstruct` leaves it."""
    store = Store(tmp_path_factory.mktemp("store"))
    inputs = {"body": load_body().digest}
    _, artefact, _ = cached(store, "people3d", 1, None, inputs, lambda: (motion, {}))
    return str(artefact.folder)


def careclips(*arguments) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_lifted_motion_in_three_formats(motion, lifted, tmp_path):
    assert careclips("export", lifted, "--out", tmp_path / "a.glb").strip() == str(tmp_path / "a.glb")
    assert (tmp_path / "a.glb").read_bytes()[:4] == b"glTF"
    careclips("export", lifted, "--out", tmp_path / "bare.glb", "--no-mesh")
    assert (tmp_path / "bare.glb").stat().st_size < 0.2 * (tmp_path / "a.glb").stat().st_size
    careclips("export", lifted, "--format", "bvh", "--person", "anna", "--out", tmp_path / "a.bvh")
    read = read_bvh(tmp_path / "a.bvh")
    places = read.forward()[1][:, [read.names.index(name) for name in SMPL_JOINTS]]
    assert np.abs(places - track_joints(load_body(), motion.people[0]) @ R_ZUP_YUP).max() < 1e-3
    careclips("export", lifted, "--format", "npz", "--out", tmp_path / "a.npz")
    again = clip_file.read_motion(tmp_path / "a.npz")
    assert [(p.person, p.role) for p in again.people] == [("anna", "resident"), ("bert", "carer")]
    assert np.abs(again.people[1].transl - motion.people[1].transl).max() < 1e-6
    assert np.array_equal(again.actions, motion.actions)
    # A clip's npz is as good an item as a lifted artefact.
    careclips("export", tmp_path / "a.npz", "--format", "npz", "--person", "bert", "--out", tmp_path / "b.npz")
    assert [p.person for p in clip_file.read_motion(tmp_path / "b.npz").people] == ["bert"]


def test_smooth_shows_what_it_does(lifted, tmp_path):
    printed = json.loads(careclips("smooth", lifted, "--out", tmp_path / "out"))
    assert printed == json.loads((tmp_path / "out" / "summary.json").read_text())
    rows = printed["ladder"]["anna"]
    assert len(rows) == 7 and rows[0]["weight"] == 0.0 and rows[-1]["jitter"] < rows[0]["jitter"]
    assert (tmp_path / "out" / "jitter_lag_bert.png").stat().st_size > 1000
    assert len(clip_file.read_motion(tmp_path / "out" / "motion.npz").people) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["LIFTED", "--format", "bvh"],
            "--format bvh: holds one person, and there are anna, bert; choose with --person",
        ),
        (["LIFTED", "--person", "cleo"], "--person: 'cleo' is not there; choose from anna, bert"),
        (["FOLDER"], "FOLDER: holds no motion; give STORE/people3d/<key>, STORE/clip/<key> or DATASET/clips/<id>.npz"),
        (["FOLDER/x.npz"], "FOLDER/x.npz: is no motion of a dataset ('people is not a file in the archive'); "),
        (["OTHER"], "OTHER: was made with another body than run.body; give the config that it was made with"),
    ],
)
def test_what_cannot_be_exported_says_why(lifted, motion, tmp_path, arguments, message):
    np.savez(tmp_path / "x.npz", poses=np.zeros(3))
    _, other, _ = cached(Store(tmp_path / "store"), "people3d", 1, None, {"body": "else"}, lambda: (motion, {}))
    places = {"LIFTED": lifted, "FOLDER": str(tmp_path), "OTHER": str(other.folder)}
    for name, place in places.items():
        arguments = [argument.replace(name, place) for argument in arguments]
        message = message.replace(name, place)
    with pytest.raises(InputError) as error:
        careclips("export", *arguments, "--out", tmp_path / "out")
    assert str(error.value).startswith(message)
    assert not (tmp_path / "out").exists()
