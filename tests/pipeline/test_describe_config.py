"""`careclips config`: what it prints is the defaults, every key has its meaning, and the page in docs/ is today's."""

import json
from pathlib import Path

import pytest
import yaml
from pydantic import Field
from typer.testing import CliRunner

from models.config import Config, renamed
from pipeline.cli.main import app
from pipeline.describe_config import describe_markdown, describe_schema, describe_yaml
from pipeline.settings import SECTIONS, Settings, read_settings

ROOT = Path(__file__).parents[2]


def classes(config_class: type[Config]) -> set[type[Config]]:
    """A config class and all that its fields may hold."""
    from pipeline.describe_config import _config_classes

    inner = {one for field in config_class.model_fields.values() for one in _config_classes(field.annotation)}
    return {config_class}.union(*(classes(one) for one in inner))


def test_the_printed_config_is_the_defaults(tmp_path):
    (tmp_path / "c.yaml").write_text(CliRunner().invoke(app, ["config"]).stdout)
    read, plain = read_settings(tmp_path / "c.yaml", 0), Settings({})
    assert set(read.values) == set(SECTIONS)
    for name in SECTIONS:
        assert getattr(read, name) == getattr(plain, name), name


def test_every_key_has_a_meaning():
    every = set().union(*(classes(section.config_class()) for section in SECTIONS.values()))
    missing = [
        f"{one.__name__}.{name}"
        for one in every
        for name, field in one.model_fields.items()
        if not field.description and name not in ("kind", "name")
    ]
    assert not sorted(missing)


def test_the_page_in_docs_is_todays():
    printed = CliRunner().invoke(app, ["config", "--docs"]).stdout
    assert printed == describe_markdown()
    assert (ROOT / "docs" / "configuration.md").read_text() == printed, (
        "careclips config --docs > docs/configuration.md"
    )
    for name in SECTIONS:
        assert f"\n## {name}\n" in printed
    assert "`people2d.`" not in printed and "| `backend.path` | needed |" in printed


def test_the_schema_knows_every_section_and_refuses_what_the_classes_refuse():
    schema = json.loads(describe_schema())
    assert set(schema["properties"]) == set(SECTIONS) and schema["additionalProperties"] is False
    run = schema["properties"]["run"]
    assert run["additionalProperties"] is False and run["properties"]["workers"]["minimum"] == 1
    assert run["properties"]["workers"]["description"].startswith("Processes")


def test_a_renamed_key_works_under_both_names_and_keeps_artefact_keys(caplog):
    class Before(Config):
        rate: float = Field(3e-4, gt=0)

    class Now(Config):
        learning_rate: float = renamed("rate", "learning_rate", 3e-4, gt=0)
        """Step size."""

    assert Now.model_validate({"rate": 0.5}) == Now(learning_rate=0.5)
    assert caplog.messages == ["Now: the key rate is now called learning_rate"]
    assert Now(learning_rate=0.5).key_values() == Before(rate=0.5).key_values()
    assert Now().model_dump() == {"learning_rate": 3e-4}
    with pytest.raises(ValueError, match="greater than 0"):
        Now.model_validate({"learning_rate": 0})


def test_the_yaml_is_commented():
    text = describe_yaml()
    assert yaml.safe_load(text)["run"]["workers"] == 2
    assert "  # Processes; each computes on one thread. (≥ 1)\n  workers: 2\n" in text
