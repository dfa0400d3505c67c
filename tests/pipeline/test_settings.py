"""A section is checked by its own class, loaded when it is asked for; what is wrong is named by its key."""

import pickle

import pytest
from pydantic import ValidationError

from models.errors import InputError
from pipeline.settings import RunConfig, Settings, read_settings

SECTIONS = {"run": "pipeline.settings:RunConfig", "serve": "pipeline.settings:ServeConfig", "later": "no.such:Module"}


def test_values_defaults_and_overrides(tmp_path):
    (tmp_path / "c.yaml").write_text("run: {workers: 3, plate_samples: 5}\nserve:\n")
    settings = read_settings(tmp_path / "c.yaml", 7, SECTIONS, run={"workers": 1})
    assert settings.section("run") == RunConfig(workers=1, plate_samples=5) and settings.seed == 7
    assert settings.section("serve").count == 100
    assert read_settings(None, 0, SECTIONS).section("run") == RunConfig()
    assert pickle.loads(pickle.dumps(settings)).section("run").workers == 1


def test_a_section_that_is_not_named_is_not_loaded():
    settings = Settings({}, SECTIONS)
    assert settings.section("run") == RunConfig()
    with pytest.raises(ModuleNotFoundError):
        settings.section("later")
    with pytest.raises(ValidationError):
        Settings({"run": {"workers": 0}}, SECTIONS).section("run")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("runn: {}", "has an unknown section 'runn'; use run, serve, later"),
        ("run: {workers: 0}", "run.workers: Input should be greater than or equal to 1"),
        ("run: {mocap: captures}", "set motion: simulated, or remove mocap"),
        ("- run", "is not a mapping of sections"),
        ("[", "is not a readable YAML file"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, problem):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(InputError, match=str(tmp_path / "c.yaml")) as error:
        read_settings(tmp_path / "c.yaml", 0, SECTIONS)
    assert problem in str(error.value)


def test_a_wrong_override_is_the_command_lines():
    with pytest.raises(InputError, match="the command line: run.worker: Extra inputs are not permitted"):
        read_settings(None, 0, SECTIONS, run={"worker": 1})
