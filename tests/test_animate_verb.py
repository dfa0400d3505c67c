"""`careclips animate`: motion before and after a frame of a store, whoever is in it, and what cannot be animated."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from models.animation.gait_curves import procedural_standing, procedural_walking
from models.body.model import load_body
from models.body.tracks import track_joints
from models.errors import InputError
from models.geometry.transforms import axis_angle_from_matrix, matrix_from_axis_angle, yaw
from models.mocap import clip_file
from models.motion.denoisers.identity import IdentityConfig
from models.motion.denoisers.ponimator import PonimatorConfig
from models.motion.model import MotionModel, MotionModelConfig
from models.text.encoder import SentenceConfig, TextEncoder
from models.training.state import write_starter
from models.types import Motion, PersonTrack, take
from pipeline.cli.main import app
from pipeline.runner import cached
from pipeline.store import Store

BARE = "{sample_motion: {model: MODEL, sampling: {steps: 2}, cleanup: null}}"


def careclips(*arguments) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def placed(track: PersonTrack, name: str, role: str, x: float, y: float, angle: float) -> PersonTrack:
    """A track rotated about the vertical through its first pelvis, and moved there."""
    turned = axis_angle_from_matrix(yaw(angle) @ matrix_from_axis_angle(track.global_orient))
    return replace(track, person=name, role=role, global_orient=turned, transl=track.transl + np.array([x, y, 0.0]))


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    """Clips: `pair`, two who stand 40 cm apart, later one, later nobody; `five`; `empty`, where nobody was lifted."""
    store, body = Store(tmp_path_factory.mktemp("animate") / "store"), load_body()
    rng = np.random.default_rng(0)
    walk = procedural_walking(body, np.zeros(10), 4.0, 20.0, rng).people[0]
    stand = procedural_standing(body, np.full(10, 0.3), 4.0, 20.0, rng).people[0]
    time = np.arange(80) / 20.0

    def seen(track: PersonTrack, until: int) -> PersonTrack:
        return replace(track, visible=np.arange(80) < until)

    anna = seen(placed(stand, "anna", "resident", 2.0, 3.0, 0.7), 40)
    bert = seen(placed(stand, "bert", "carer", 2.4, 3.0, -2.0), 60)
    crowd = [placed(walk, f"person_{n}", "person", float(n), 0.0, 0.0) for n in range(5)]
    entries = {"empty": {}}
    for clip, people in (("pair", [anna, bert]), ("five", crowd)):
        motion = Motion(time, tuple(people), np.full((len(people), 80), -1), "people3d")
        inputs = {"body": body.digest, "clip": clip}
        _, artefact, _ = cached(store, "people3d", 1, None, inputs, lambda lifted=motion: (lifted, {}))
        entries[clip] = {"people3d": artefact.key}
    store.write_text("index.json", json.dumps({"rooms": {}, "clips": entries, "footage": "home"}))
    return store


@pytest.fixture(scope="module", params=["at once", "planned", "around"])
def config(request, tmp_path_factory):
    """Of an untrained model: in the world at once, along a plan, or around the pose."""
    folder, encoder = tmp_path_factory.mktemp("model"), TextEncoder(SentenceConfig())
    torch.manual_seed(0)
    small = IdentityConfig(width=32, layers=1, heads=2, text=encoder.dim)
    plan = small if request.param == "planned" else None
    around = PonimatorConfig(width=32, layers=1, heads=2, text=encoder.dim, max_people=4)
    denoiser = around if request.param == "around" else small
    model = MotionModel(
        MotionModelConfig(denoiser=denoiser, plan=plan, text_encoder_digest=encoder.digest, max_frames=100)
    )
    for value in model.parameters():
        torch.nn.init.normal_(value, std=0.1)
    write_starter(folder / "model", model.state_dict(), model.config, {})
    (folder / "c.yaml").write_text(BARE.replace("MODEL", str(folder / "model")))
    return folder / "c.yaml"


@pytest.mark.parametrize(("clip", "time_s", "names"), [("pair", 1.02, ["anna", "bert"]), ("pair", 2.5, ["bert"])])
def test_the_pose_is_in_the_motion_as_it_was_in_the_clip_s_world(store, config, tmp_path, clip, time_s, names):
    """Before and after it everything else happens; without clean-up, the pose is what it was to a hair."""
    body = load_body()
    ask = ("animate", store.root, "--clip", clip, "--time", time_s, "--before", 1.0, "--after", 1.5, "--config", config)
    summary = json.loads(careclips(*ask, "--count", 2, "--out", tmp_path / "a"))
    assert summary["people"] == names and summary["pose_frame"] == 20 and summary["frames"] == 51
    assert summary["time_s"] == round(time_s * 20.0) / 20.0 and summary["cleanup_moved_pose_cm"] < 0.1
    whole = json.loads((store.folder / "index.json").read_text())["clips"][clip]["people3d"]
    real = {track.person: track for track in cached_motion(store, whole).people}
    for number in range(2):
        motion = clip_file.read_motion(tmp_path / "a" / f"motion_{number:04d}.npz")
        for track, name in zip(motion.people, names, strict=True):
            wanted = track_joints(body, take(real[name], np.array([round(time_s * 20.0)])))[0, :22]
            joints = track_joints(body, track)[:, :22]
            np.testing.assert_allclose(joints[20], wanted, atol=2e-3)
            assert np.abs(joints[[0, 50]] - wanted).max() > 0.05, "it moves before and after"
            assert track.role == real[name].role and np.allclose(track.betas, real[name].betas, atol=1e-6)
    picture = np.asarray(Image.open(tmp_path / "a" / "motion_0000.jpg")).astype(int)
    assert picture.shape == (320, 9 * 240, 3)
    framed = [bool(np.abs(picture[2, 240 * n + 20 : 240 * n + 220] - (214, 39, 140)).max() < 40) for n in range(9)]
    assert framed == [n == 3 for n in range(9)]
    careclips(*ask, "--count", 2, "--out", tmp_path / "b")
    for name in ("motion_0000.npz", "motion_0001.npz"):
        one, other = (clip_file.read_motion(tmp_path / folder / name).people[0] for folder in ("a", "b"))
        assert np.array_equal(one.body_pose, other.body_pose) and np.array_equal(one.transl, other.transl)


def test_cleaning_up_moves_the_pose_and_it_is_put_back(store, config, tmp_path):
    (tmp_path / "c.yaml").write_text(config.read_text().replace(", cleanup: null", ""))
    ask = ("animate", store.root, "--clip", "pair", "--time", 1, "--before", 1, "--after", 1)
    summary = json.loads(careclips(*ask, "--config", tmp_path / "c.yaml", "--out", tmp_path / "out"))
    assert summary["cleanup_moved_pose_cm"] > 0.5
    key = json.loads((store.folder / "index.json").read_text())["clips"]["pair"]["people3d"]
    motion = clip_file.read_motion(tmp_path / "out" / "motion_0000.npz")
    for track, real in zip(motion.people, cached_motion(store, key).people, strict=True):
        wanted = track_joints(load_body(), take(real, np.array([20])))[0, :22]
        np.testing.assert_allclose(track_joints(load_body(), track)[20, :22], wanted, atol=2e-3)


@pytest.fixture(scope="module")
def poses(tmp_path_factory):
    """An untrained model of interactive poses."""
    folder, encoder = tmp_path_factory.mktemp("poses"), TextEncoder(SentenceConfig())
    torch.manual_seed(1)
    small = IdentityConfig(width=32, layers=1, heads=2, patch=1, text=encoder.dim)
    model = MotionModel(MotionModelConfig(denoiser=small, text_encoder_digest=encoder.digest, max_frames=1))
    for value in model.parameters():
        torch.nn.init.normal_(value, std=0.1)
    write_starter(folder, model.state_dict(), model.config, {})
    return folder


def test_somebody_joins_who_is_in_the_frame(store, config, poses, tmp_path):
    """In each motion in another pose and body; who was there is as in the clip."""
    ask = ("animate", store.root, "--clip", "pair", "--time", 2.5, "--before", 0.4, "--after", 0.4, "--config", config)
    add = ("--add", "resident", "--poses", poses)
    summary = json.loads(careclips(*ask, *add, "--count", 2, "--out", tmp_path / "out"))
    assert summary["people"] == ["bert", "added_0"] and summary["roles"] == ["carer", "resident"]
    assert summary["touch"] is (summary["apart_m"] <= 0.013)
    key = json.loads((store.folder / "index.json").read_text())["clips"]["pair"]["people3d"]
    real = take(cached_motion(store, key).people[1], np.array([50]))
    one, other = (clip_file.read_motion(tmp_path / "out" / f"motion_000{n}.npz").people for n in (0, 1))
    for there, added in (one, other):
        wanted = track_joints(load_body(), real)[0, :22]
        np.testing.assert_allclose(track_joints(load_body(), there)[8, :22], wanted, atol=2e-3)
        assert added.role == "resident"
    assert not np.allclose(one[1].betas, other[1].betas) and not np.allclose(one[1].transl[8], other[1].transl[8])
    said = json.loads(careclips(*ask, *add, "--text", "A hug.", "--out", tmp_path / "said"))
    assert said["apart_m"] != summary["apart_m"], "a pose is sampled from a pose, or from a pose and a sentence"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--add", "nurse"), "--add: is nurse; use resident, carer, visitor, person"),
        (("--add", "carer"), "--add: needs a model of interactive poses; name one with --poses"),
        (("--add", "carer", "--poses", "starter"), "--poses: is a model of motion, not of poses; train one with"),
        (("--add", "carer", "--add", "carer", "--add", "carer", "--poses", "POSES"), "people: must be 1 to 4, got 5"),
    ],
)
def test_who_cannot_be_added_is_said(store, config, poses, tmp_path, more, told):
    more = [str(poses) if value == "POSES" else value for value in more]
    with pytest.raises(InputError, match=told):
        careclips(
            "animate", store.root, "--clip", "pair", "--time", 1, *more, "--out", tmp_path / "out", "--config", config
        )
    assert not (tmp_path / "out").exists()


def cached_motion(store: Store, key: str) -> Motion:
    from models import codec

    found = store.find("people3d", key)
    assert found is not None
    return codec.load(found.folder, "value")


def test_two_who_do_not_touch_are_animated_and_it_is_said(store, config, tmp_path):
    ask = ("animate", store.root, "--clip", "five", "--time", 0, "--before", 0.4, "--after", 0.4, "--config", config)
    far = json.loads(careclips(*ask, "--person", "person_1", "--person", "person_2", "--out", tmp_path / "far"))
    assert far["people"] == ["person_1", "person_2"] and far["touch"] is False and 0.4 < far["apart_m"] < 0.9
    assert far["notes"] == [f"nobody touches another: the nearest two are {100 * far['apart_m']:.0f} cm apart"]
    one = json.loads(careclips(*ask, "--person", "person_4", "--out", tmp_path / "one"))
    assert one["touch"] is one["apart_m"] is None and one["notes"] == []
    near = json.loads(careclips(*ask, "--text", "They meet.", "--person", "person_4", "--out", tmp_path / "said"))
    assert near["text"] == "They meet."
    said, unsaid = (clip_file.read_motion(tmp_path / n / "motion_0000.npz").people[0].transl for n in ("said", "one"))
    assert not np.array_equal(said, unsaid), "a caption is heard"
    assert str(tmp_path / "one") in json.loads((store.folder / "derived.json").read_text()), "`forget` finds it"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--clip", "pears", "--time", 1), "--clip: 'pears' is not in the store; choose from empty, five, pair"),
        (("--clip", "empty", "--time", 1), "clip empty: shows nobody who was lifted to 3D; name another --clip"),
        (("--clip", "pair", "--time", 9), "--time: must be 0 to 3.95 s, got 9; name a time of the clip"),
        (("--clip", "pair", "--time", -1), "--time: must be 0 to 3.95 s, got -1"),
        (("--clip", "pair", "--time", "nan"), "--time: must be 0 to 3.95 s, got nan"),
        (
            ("--clip", "pair", "--time", 3.5),
            "--time: shows nobody at 3.5 s; the nearest frame with somebody is at 2.95 s",
        ),
        (
            ("--clip", "pair", "--time", 1, "--person", "cleo"),
            "--person: 'cleo' is not in the frame; choose from anna, bert",
        ),
        (("--clip", "five", "--time", 1), "people: are 5, the model does up to 4; choose with --person"),
        (
            ("--clip", "pair", "--time", 1, "--before", 6),
            "known frames: must be among the first 100, end at 121; ask for less before",
        ),
        (
            ("--clip", "pair", "--time", 1, "--before", 0, "--after", 0.1),
            "frames: must be 4 to 1200 .20 a second., got 3",
        ),
    ],
)
def test_what_cannot_be_animated_is_said_and_nothing_is_written(store, config, tmp_path, more, told):
    with pytest.raises(InputError, match=told):
        careclips("animate", store.root, *more, "--out", tmp_path / "out", "--config", config)
    assert not (tmp_path / "out").exists()


def test_what_is_no_store_has_no_frames(config, tmp_path):
    with pytest.raises(InputError, match="is no store of rebuilt rooms"):
        careclips("animate", tmp_path, "--clip", "a", "--time", 1, "--out", tmp_path / "out", "--config", config)
