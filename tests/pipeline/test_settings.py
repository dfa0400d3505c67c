"""A section is checked by its own class, loaded when it is asked for; what is wrong is named by its key."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import models.config
from models.errors import InputError
from pipeline.settings import RunConfig, Settings, read_settings


def test_values_defaults_and_overrides(tmp_path):
    (tmp_path / "c.yaml").write_text(
        "run: {workers: 3, plate_samples: 5}\nserve:\npeople2d: {backend: {kind: sidecar}}\n"
    )
    settings = read_settings(tmp_path / "c.yaml", 7, tmp_path / "pose.tflite", tmp_path / "mocap")
    assert settings.run == RunConfig(workers=3, plate_samples=5) and settings.seed == 7
    assert settings.serve.count == 100
    assert settings.people2d.backend.path == tmp_path / "pose.tflite" and settings.corpus.mocap == tmp_path / "mocap"
    assert read_settings(None, 0).run == RunConfig()
    assert pickle.loads(pickle.dumps(settings)).run.workers == 3


def test_settings_are_read_without_torch(tmp_path):
    """Sections load their classes when they are asked for."""
    (tmp_path / "c.yaml").write_text("run: {workers: 3}\n")
    program = """
import sys
from pathlib import Path
from pipeline.settings import SECTIONS, read_settings
settings = read_settings(Path(sys.argv[1]), 0)
assert settings.run.workers == 3 and len(SECTIONS) > 20 and "torch" not in sys.modules
settings.people3d
assert "torch" in sys.modules
"""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "c.yaml"], capture_output=True, text=True, cwd=root
    )
    assert done.returncode == 0, done.stderr


def test_every_section_has_a_class_whose_defaults_are_valid():
    for name, section in vars(Settings).items():
        if hasattr(section, "config_class"):
            assert getattr(Settings({}), name) == section.config_class()()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("runn: {}", "has an unknown section 'runn'; use run, serve, sample_footage"),
        ("run: {workers: 0}", "run.workers: Input should be greater than or equal to 1"),
        ("run: {motion: model, mocap: captures}", "set motion: simulated or mixed, or remove mocap"),
        ("run: {worker: 1}", "run.worker: Extra inputs are not permitted"),
        ("room: {bed_heights_m: [1.0, 0.2]}", "room: bed_heights_m: is [1.0, 0.2], expected the lower number first"),
        ("corpus: {fall: {age_years: [97, 60]}}", "corpus.fall: age_years: is [97.0, 60.0], expected the lower"),
        ("train_motion: {people: []}", "train_motion.people: Tuple should have at least 1 item"),
        ("serve: {cron: not a cron}", "serve.cron: is 'not a cron', expected five fields"),
        ("run: {}\n1: {}", "has an unknown section 1"),
        ("render: {noise: .inf}", "render.noise: Input should be a finite number"),
        ("- run", "is not a mapping of sections"),
        ("[", "is not readable YAML (line 1: "),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, problem):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(InputError, match=str(tmp_path / "c.yaml")) as error:
        read_settings(tmp_path / "c.yaml", 0)
    assert problem in str(error.value)


def test_a_section_s_old_name_still_works(tmp_path, caplog):
    (tmp_path / "c.yaml").write_text("own_motion: {least_seconds: 3.0}\ncorpus: {composed: 7}\n")
    settings = read_settings(tmp_path / "c.yaml", 0)
    assert settings.finetuning_corpus.min_seconds == 3.0 and settings.corpus.interactions == 7
    assert "the section own_motion is now called finetuning_corpus" in caplog.text
    assert settings.finetuning_corpus.key_values()["least_seconds"] == 3.0


def test_an_old_key_is_said_once(tmp_path, caplog):
    """However often a section is asked for, and in however many settings."""
    models.config._warn_once.cache_clear()
    (tmp_path / "c.yaml").write_text("compare_falls: {giveaways: 3}\n")
    for _ in range(2):
        settings = read_settings(tmp_path / "c.yaml", 0)
        assert settings.compare_falls.max_listed_features == 3 and settings.compare_falls is settings.compare_falls
    assert len([message for message in caplog.messages if "giveaways" in message]) == 1
