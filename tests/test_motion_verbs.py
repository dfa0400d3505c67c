"""`careclips train motion` and `careclips sample`: what they write, that a stopped training goes on, what they
refuse."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from models.animation.gait_curves import procedural_walking
from models.body.model import load_body
from models.body.rest_skeleton import save_skeleton, skeleton_of
from models.corpus.reader import read_index
from models.corpus.writer import split_of, write_corpus
from models.errors import InputError
from models.mocap import clip_file
from models.motion.evaluation.interaction_strips import HEIGHT_PX, PICTURES, WIDTH_PX
from models.motion.model import motion_model_digest
from pipeline.cli.main import app
from pipeline.evaluate_motion import evaluate_motion
from pipeline.runner import cached
from pipeline.settings import read_settings
from pipeline.store import Store
from stages.finetuning_corpus import FinetuningCorpusConfig

ROOT = Path(__file__).parents[1]
CONFIG = """
train_motion:
  denoiser: {name: identity, width: 32, layers: 1, heads: 2}
  sampling_weights: {fall: 0.5, look_alike: 0.3, composed: 0.2, own: 0.4}
  steps: 4
  batch_size: 4
  max_frames: 60
  validate_every: 2
  validation: 2
  save_every_s: 0
sample_motion:
  model: MODEL
  sampling: {steps: 2}
"""


def careclips(*arguments):
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def trained(items, tmp_path_factory):
    """A corpus, what lies beside it, and a model of four steps."""
    folder = tmp_path_factory.mktemp("motion_verbs")
    takes = {split: next(f"t{n}" for n in range(999) if split_of(f"t{n}") == split) for split in ("train", "val")}
    held = ("walk_5", "fall_1")
    body = load_body()
    placed = [replace(item, take=takes["val" if item.name in held else "train"]) for item in items]
    pair = placed[-1].motion
    placed[-1] = replace(placed[-1], motion=replace(pair, details=pair.details | {"composition": "walk_beside"}))
    write_corpus(folder / "corpus.bin", placed, body.name, {})
    save_skeleton(skeleton_of(body), folder / "skeleton.safetensors")
    (folder / "c.yaml").write_text(CONFIG.replace("MODEL", str(folder / "model")))
    careclips(
        "train", "motion", "--corpus", folder / "corpus.bin", "--out", folder / "model", "--config", folder / "c.yaml"
    )
    return folder


def test_training_leaves_a_model_its_curve_and_pictures(trained):
    model = trained / "model"
    assert {"config.json", "model.safetensors", "training.json", "curve.png", "summary.json"} <= {
        p.name for p in model.iterdir()
    }
    assert json.loads((model / "summary.json").read_text())["validation"]["step"] == 4
    for name in ("samples_000002.png", "samples_000004.png", "curve.png"):
        picture = np.asarray(Image.open(model / name).convert("RGB"))
        assert picture.shape[0] > 100 and picture.std() > 5.0
    assert (trained / "texts.safetensors").exists()


def test_a_finished_training_is_not_done_again(trained, tmp_path):
    before = (trained / "model" / "model.safetensors").read_bytes()
    careclips(
        "train",
        "motion",
        "--corpus",
        trained / "corpus.bin",
        "--out",
        trained / "model",
        "--config",
        trained / "c.yaml",
    )
    assert (trained / "model" / "model.safetensors").read_bytes() == before
    assert json.loads((trained / "model" / "summary.json").read_text())["validation"]["step"] == 4


def test_samples_are_motions_and_film_strips_and_the_same_again(trained, tmp_path):
    ask = (
        "sample",
        "--text",
        "A carer walks beside a resident.",
        "--people",
        2,
        "--frames",
        40,
        "--count",
        2,
        "--seed",
        7,
    )
    for name in ("a", "b"):
        careclips(*ask, "--out", tmp_path / name, "--config", trained / "c.yaml")
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == ["motion_0000.jpg", "motion_0000.npz", "motion_0001.jpg", "motion_0001.npz", "summary.json"]
    one, other = (clip_file.read_motion(tmp_path / "a" / f"motion_000{n}.npz") for n in (0, 1))
    assert len(one.timestamps_s) == 40 and [track.role for track in one.people] == ["carer", "resident"]
    assert not np.array_equal(one.people[0].transl, other.people[0].transl)
    again = clip_file.read_motion(tmp_path / "b" / "motion_0001.npz")
    assert np.array_equal(again.people[1].body_pose, other.people[1].body_pose)
    assert np.asarray(Image.open(tmp_path / "a" / "motion_0000.jpg")).shape == (320, 8 * 240, 3)
    summary = json.loads((tmp_path / "a" / "summary.json").read_text())
    assert summary["roles"] == ["carer", "resident"] and summary["frames"] == 40 and len(summary["model_digest"]) == 64


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--text", " "), "text: is empty"),
        (("--text", "a fall", "--people", 0), "people: must be 1 to 4, got 0"),
        (("--text", "a fall", "--people", 5), "people: must be 1 to 4, got 5"),
        (("--text", "a fall", "--frames", 0), "frames: must be 4 to 1200"),
        (("--text", "a fall", "--frames", 10000), "frames: must be 4 to 1200"),
        (("--text", "a fall", "--role", "nurse"), "role: is nurse; use resident, carer"),
        (("--text", "a fall", "--role", "carer", "--role", "carer"), "role: is given 2 times for 1 people"),
    ],
)
def test_what_cannot_be_sampled_is_said_and_nothing_is_written(trained, tmp_path, more, told):
    with pytest.raises(InputError, match=told):
        careclips("sample", *more, "--out", tmp_path / "out", "--config", trained / "c.yaml")
    assert not (tmp_path / "out").exists()


def test_a_folder_of_somebody_else_is_not_written_over(trained, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    for verb in (("sample", "--text", "a fall"), ("falls", "simulate", "--count", 1)):
        with pytest.raises(InputError, match="is there already and holds no summary.json"):
            careclips(*verb, "--out", tmp_path / "out", "--config", trained / "c.yaml")
    assert (tmp_path / "out" / "thesis.txt").read_text() == "mine"


BARE = """
import sys
for name in ("scipy", "cv2", "pandas", "fsspec", "threadpoolctl", "anny", "diffusers", "matplotlib", "prefect", "PIL",
             "av", "mujoco", "trimesh", "open3d", "sklearn", "pyrender", "shapely", "transformers", "accelerate"):
    sys.modules[name] = None
from pipeline.cli.main import app
app(sys.argv[1:])
"""


def test_a_machine_with_next_to_nothing_trains_the_same_model(trained, tmp_path):
    """Pictures apart, torch, numpy, safetensors and pydantic are enough once captions are encoded."""
    (tmp_path / "c.yaml").write_text(CONFIG.split("sample_motion")[0])
    subprocess.run(
        [
            sys.executable,
            "-c",
            BARE,
            "train",
            "motion",
            "--corpus",
            trained / "corpus.bin",
            "--out",
            tmp_path / "out",
            "--config",
            tmp_path / "c.yaml",
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    there, here = (path / "model.safetensors" for path in (tmp_path / "out", trained / "model"))
    assert there.read_bytes() == here.read_bytes()


def test_a_corpus_without_its_skeleton_is_refused(trained, tmp_path):
    (tmp_path / "corpus.bin").write_bytes((trained / "corpus.bin").read_bytes())
    with pytest.raises(InputError, match="is no skeleton of a body"):
        careclips("train", "motion", "--corpus", tmp_path / "corpus.bin", "--out", tmp_path / "model")


def test_a_home_s_own_people_join_the_corpus(trained, tmp_path):
    """The people of a store are learned beside the corpus, beginning with a model; its card says that it stays at
    home."""
    body = load_body()
    walk = procedural_walking(body, np.zeros(10), 5.0, 15.0, np.random.default_rng(3))
    store = Store(tmp_path / "store")
    _, artefact, _ = cached(store, "people3d", 1, FinetuningCorpusConfig(), {"clip": "a"}, lambda: (walk, {}))
    record = {"people3d": artefact.key, "figures": {"reprojection_box_share_median": 0.01}}
    store.write_text(
        "index.json", json.dumps({"rooms": {}, "clips": {"home__c": record, "home__b": {}}, "footage": ""})
    )
    careclips(
        "train",
        "motion",
        "--corpus",
        trained / "corpus.bin",
        "--out",
        tmp_path / "own",
        "--config",
        trained / "c.yaml",
        "--start",
        trained / "model",
        "--finetune",
        tmp_path / "store",
    )
    rows = read_index(tmp_path / "own" / "corpus.bin").rows
    assert len(rows) == 12 and [row.name for row in rows if row.kind == "own"] == ["own/home__c/person_0@0.0s"]
    (tmp_path / "none.yaml").write_text((trained / "c.yaml").read_text().replace(", own: 0.4", ""))
    with pytest.raises(
        InputError, match="own footage: has no weight; give `own` a weight in train_motion.sampling_weights"
    ):
        careclips(
            "train",
            "motion",
            "--corpus",
            trained / "corpus.bin",
            "--out",
            tmp_path / "none",
            "--config",
            tmp_path / "none.yaml",
            "--start",
            trained / "model",
            "--finetune",
            tmp_path / "store",
        )
    facts = json.loads((tmp_path / "own" / "training.json").read_text())
    assert "stays where that is" in facts["note"]
    assert facts["start"] == motion_model_digest(trained / "model") != motion_model_digest(tmp_path / "own")


def test_a_store_without_people_teaches_nothing(trained, tmp_path):
    (tmp_path / "empty").mkdir()
    Store(tmp_path / "empty").write_text("index.json", json.dumps({"rooms": {}, "clips": {}, "footage": ""}))
    with pytest.raises(InputError, match="shows nobody well enough to learn from"):
        careclips(
            "train",
            "motion",
            "--corpus",
            trained / "corpus.bin",
            "--out",
            tmp_path / "own",
            "--config",
            trained / "c.yaml",
            "--start",
            trained / "model",
            "--finetune",
            tmp_path / "empty",
        )


def test_motion_is_judged_by_windows_of_scenes_of_the_people_asked_for(trained, tmp_path):
    def judged(**settings):
        told = {
            "repeats": 2,
            "min_scenes": 4,
            "min_pool": 2,
            "physical_scenes": 2,
            "splits": ["train", "val"],
        } | settings
        (tmp_path / "e.yaml").write_text(
            json.dumps({"evaluate_motion": told, "sample_motion": {"sampling": {"steps": 2}}})
        )
        careclips(
            "evaluate",
            "motion",
            "--corpus",
            trained / "corpus.bin",
            "--texts",
            trained / "texts.safetensors",
            "--arm",
            f"own={trained / 'model'}",
            "--config",
            tmp_path / "e.yaml",
            "--out",
            tmp_path / "out",
        )
        return json.loads((tmp_path / "out" / "summary.json").read_text())

    whole, windows = judged(people=[1]), judged(people=[1], frames=20, stride=10)
    rows = [row for row in read_index(trained / "corpus.bin").rows if len(row.people) == 1]
    assert whole["real"]["scenes"] == whole["own"]["scenes"] == len(rows)
    assert windows["real"]["scenes"] == windows["own"]["scenes"]
    assert windows["own"]["scenes"] == sum(len(range(0, row.frames - min(row.frames, 20) + 1, 10)) for row in rows)
    assert not (tmp_path / "out" / "interactions_own.json").exists(), "of single people there are no interactions"
    assert "inbetween" not in whole["own"]
    between = judged(people=[1, 2], inbetween=2)["own"]["inbetween"]
    assert between["scenes"] == 1 and between["known_off_cm"][0] < 0.01 < between["between_off_cm"][0]
    row = {"kind": "walk_beside", "caption": "two people walk", "seen": ""}
    for name in ("interactions_own", "inbetween_own"):
        picture = np.asarray(Image.open(tmp_path / "out" / f"{name}.jpg"))
        assert picture.shape == (HEIGHT_PX, PICTURES * WIDTH_PX, 3) and picture.std() > 5.0
        assert json.loads((tmp_path / "out" / f"{name}.json").read_text()) == [row]
    for asked, wrong in (
        ("people: [3]", r"people: names 3; the evaluator knows up to 2"),
        ("frames: 900", r"frames: names 900; the evaluator knows up to 160"),
        ("splits: [train], people: [1], inbetween: 2", r"inbetween: .* holds out no scene of two people of 16 frames"),
        ("splits: [train], assisted_rises: 2", r"assisted_rises: .* holds out no rise with help; ask for 0"),
    ):
        (tmp_path / "e.yaml").write_text(f"evaluate_motion: {{{asked}}}")
        with pytest.raises(InputError, match=wrong):
            evaluate_motion(
                trained / "corpus.bin", tmp_path / "no", [], read_settings(tmp_path / "e.yaml", 0), None, None
            )
        assert not (tmp_path / "no").exists()
