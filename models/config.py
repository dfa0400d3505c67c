"""What every section of a config file is: frozen values with a sentence each, strict about names, forgiving about old
ones."""

import functools
import logging
import os
from typing import Any, get_args, get_origin

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

log = logging.getLogger(__name__)


class Config(BaseModel):
    """Values of a config file: frozen, no unknown keys; what stands below a field is its description."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    def key_values(self) -> dict[str, Any]:
        """Return JSON-like values by the names they were first known by, so that a renamed key makes no artefact
        anew."""
        return self.model_dump(mode="json", by_alias=True)

    @model_validator(mode="before")
    @classmethod
    def _read_old_names_and_home(cls, values: Any) -> Any:
        if isinstance(values, dict):
            # `~/` at the beginning of a path is the user's home, as it is in a shell.
            values = {key: _at_home(value) for key, value in values.items()}
            for name, field in cls.model_fields.items():
                for old in old_names(field):
                    if old in values and old != name:
                        _warn_once(cls.__name__, old, name)
        return values

    @model_validator(mode="after")
    def _ranges_begin_low(self) -> Any:
        """Two numbers are a range, everywhere."""
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if _is_range(field) and value[0] > value[1]:
                raise ValueError(f"{name}: is {list(value)}, expected the lower number first")
        return self


def _is_range(field: FieldInfo) -> bool:
    arguments = get_args(field.annotation)
    return get_origin(field.annotation) is tuple and len(arguments) == 2 and arguments[1] is not Ellipsis


def _at_home(value: Any) -> Any:
    return os.path.expanduser(value) if isinstance(value, str) and value.startswith("~/") else value


@functools.cache
def _warn_once(config: str, old: str, name: str) -> None:
    """A file is checked more than once: one line in a process is enough."""
    log.warning("%s: the key %s is now called %s", config, old, name)


def renamed(old: str, new: str, default: Any = ..., **constraints: Any) -> Any:
    """Return a field now called `new` that files written before call `old`; stored keys go on saying `old`."""
    return Field(default, validation_alias=AliasChoices(new, old), serialization_alias=old, **constraints)


def first_fault(error: ValidationError, whole: str) -> str:
    """Return the first thing that is wrong with a file's values, in one line; `whole` names the file's own level."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"]) or whole
    words = " ".join(first["msg"].removeprefix("Value error, ").split())
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{key}: {words}{more}"


def old_names(field: FieldInfo) -> tuple[str, ...]:
    """Return what a field was called before; empty where it always had its name."""
    alias = field.validation_alias
    return tuple(str(choice) for choice in alias.choices[1:]) if isinstance(alias, AliasChoices) else ()
