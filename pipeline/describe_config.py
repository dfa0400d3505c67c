"""`careclips config`: every key of a config file with its meaning and its default, as YAML, Markdown or JSON schema.

All of it is read off the classes that check a config file: `pipeline.settings.Settings` and what its sections hold.
"""

import json
import textwrap
from collections.abc import Iterator
from typing import Any, get_args

import yaml
from pydantic.fields import FieldInfo

from models.config import Config, old_names
from pipeline.settings import SECTIONS

INTRODUCTION = """\
# Configuration

Verbs that run stages take `--config FILE`: YAML with a section a stage, of which each key may be left out.
`careclips config` prints the whole file with its defaults, `careclips config --schema` a JSON schema for editors, and
`careclips config --docs` this page. Unknown keys are refused; keys that were renamed still work under their old names,
with a warning.

"""

TAGS = ("kind", "name")
"""Fields that tell variants apart."""


def describe_yaml() -> str:
    """Return the default config, a comment above each key; read back, it gives the defaults."""
    lines = ["# The defaults of every key; leave out what you do not change."]
    for name, section in SECTIONS.items():
        lines += ["", *_comment(_summary(section.config_class()), ""), f"{name}:"]
        lines += _yaml_lines(section.config_class()(), "  ")
    return "\n".join(lines) + "\n"


def describe_schema() -> str:
    """Return the JSON schema of a config file, indented."""
    properties, definitions = {}, {}
    for name, section in SECTIONS.items():
        schema = section.config_class().model_json_schema(ref_template="#/$defs/{model}")
        definitions |= schema.pop("$defs", {})
        properties[name] = schema
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "careclips config",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "$defs": definitions,
    }
    return json.dumps(whole, indent=1) + "\n"


def describe_markdown() -> str:
    """Return docs/configuration.md: a table a section, nested keys with dots, variants by their `kind`."""
    parts = [INTRODUCTION]
    for name, section in SECTIONS.items():
        parts.append(
            f"## {name}\n\n{_summary(section.config_class())}\n\n| key | default | meaning |\n| --- | --- | --- |\n"
        )
        for row in _rows(section.config_class()(), ""):
            key, default, meaning = (cell.replace("|", "\\|") for cell in row)
            parts.append(f"| `{key}` | {default} | {meaning} |\n")
        parts.append("\n")
    return "".join(parts).rstrip() + "\n"


def _summary(config_class: type[Config]) -> str:
    return " ".join((config_class.__doc__ or "").split())


def _comment(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, 118, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")


def _yaml_lines(config: Config, indent: str) -> Iterator[str]:
    for name, field in type(config).model_fields.items():
        yield from _comment(_meaning(field), indent)
        value = getattr(config, name)
        if isinstance(value, Config):
            yield f"{indent}{name}:"
            yield from _yaml_lines(value, indent + "  ")
        else:
            yield f"{indent}{name}: {_flow(config, name)}"


def _flow(config: Config, name: str) -> str:
    """A field's value on one line of YAML."""
    value = config.model_dump(mode="json", include={name})[name]
    return yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False).replace("\n...\n", "").strip()


def _rows(config: Config, prefix: str) -> Iterator[tuple[str, str, str]]:
    """Key, default and meaning of every field of a config, of what it nests, and of the variants it could nest
    instead."""
    for name, field in type(config).model_fields.items():
        value, key = getattr(config, name), f"{prefix}{name}"
        variants = [variant for variant in _config_classes(field.annotation) if variant is not type(value)]
        if isinstance(value, Config):
            yield key, _choice(value), _meaning(field) or _summary(type(value))
            yield from _rows(value, f"{key}.")
        else:
            yield key, f"`{_flow(config, name)}`", _meaning(field)
        for variant in variants:
            yield from _variant_rows(variant, key)


def _variant_rows(variant: type[Config], key: str) -> Iterator[tuple[str, str, str]]:
    tags = (f"{name}: {get_args(field.annotation)[0]}" for name, field in variant.model_fields.items() if name in TAGS)
    tag = next(tags, "")
    yield key, f"or `{tag}`" if tag else f"or a {variant.__name__}", _summary(variant)
    for name, field in variant.model_fields.items():
        if name in TAGS:
            continue
        default = "needed" if field.is_required() else f"`{_plain(field.get_default(call_default_factory=True))}`"
        yield f"{key}.{name}", default, _meaning(field)


def _choice(value: Config) -> str:
    tag = getattr(value, "kind", getattr(value, "name", None))
    return f"`{tag}`" if isinstance(tag, str) else "as below"


def _plain(value: Any) -> str:
    return json.dumps(value.model_dump(mode="json") if isinstance(value, Config) else value, default=str)


def _meaning(field: FieldInfo) -> str:
    """What stands below the field, what its values may be, and what it was called before."""
    limits = [
        f"{sign} {getattr(rule, name):g}" for rule in field.metadata for name, sign in _LIMITS if hasattr(rule, name)
    ]
    choices = [choice for choice in get_args(field.annotation) if isinstance(choice, str)]
    parts = [" ".join((field.description or "").split())]
    if limits:
        parts.append(f"({', '.join(limits)})")
    if choices:
        parts.append(f"(one of {', '.join(choices)})")
    if old_names(field):
        parts.append(f"(before: {', '.join(old_names(field))})")
    return " ".join(part for part in parts if part)


_LIMITS = (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤"))


def _config_classes(annotation: Any) -> list[type[Config]]:
    if isinstance(annotation, type) and issubclass(annotation, Config):
        return [annotation]
    return [found for argument in get_args(annotation) for found in _config_classes(argument)]
