"""A trained motion model: a denoiser, the normaliser of its features, and what it was trained to understand."""

from pathlib import Path
from typing import ClassVar

from pydantic import model_validator
from torch import nn

from models.config import Config, renamed
from models.errors import InputError
from models.motion.denoisers import DenoiserConfig, build_denoiser
from models.motion.features import LAYOUT, Normaliser
from models.motion.plan import PLAN_FEATURES, PLAN_LAYOUT
from models.networks import STARTERS, device_of, load_network, network_digest

STARTER = STARTERS / "motion"
_KIND = ("motion model", "name a folder made by careclips train motion, or starter")


class MotionModelConfig(Config):
    """What a checkpoint is."""

    denoiser: DenoiserConfig
    """Of bodies."""
    plan: DenoiserConfig | None = None
    """Of what plans where everybody goes before bodies are sampled; None samples bodies in the world at once."""
    plan_layout: str = PLAN_LAYOUT
    """Of a plan's numbers; another layout's weights mean nothing here."""
    layout: str = LAYOUT
    """Of the features; another layout's weights mean nothing here."""
    text_encoder_digest: str = renamed("text_encoder", "text_encoder_digest", "")
    """Of what embedded the captions in training."""
    max_frames: int = renamed("most_frames", "max_frames", 200, ge=1)
    """Longest motion seen in training."""
    people: tuple[int, ...] = (1, 2)
    """Numbers of people in a scene seen in training."""

    @model_validator(mode="after")
    def _plan_or_pose(self) -> "MotionModelConfig":
        if self.plan is not None and (self.denoiser.told_pose or self.plan.told_pose):
            raise ValueError(f"plan must be null where {self.denoiser.name} or the plan makes motion around a pose")
        return self


class MotionModel(nn.Module):
    """Networks of plan and bodies and the normaliser under one name, so that one file holds them all."""

    renamed_keys: ClassVar[dict[str, str]] = {
        "normaliser.spread": "normaliser.std",
        "patches.into": "patches.proj_in",
        "patches.out_norm": "patches.norm_out",
        "patches.out": "patches.proj_out",
        "told.asked": "told.caption",
        "told.none": "told.null_caption",
        "told": "condition_embedding",
        "oneself": "self_attention",
        "other": "cross_attention",
        "attention.out": "attention.proj_out",
        "self_attention.out": "self_attention.proj_out",
        "cross_attention.out": "cross_attention.proj_out",
        "perceptron": "mlp",
        "own": "offset",
    }
    """As `models.networks.current_keys` reads them."""

    def __init__(self, config: MotionModelConfig):
        super().__init__()
        self.config = config
        self.denoiser = build_denoiser(config.denoiser, planned=config.plan is not None)
        self.planner = build_denoiser(config.plan, PLAN_FEATURES) if config.plan is not None else None
        self.normaliser = Normaliser()
        """Of bodies' features: in the world, or where there is a plan, in the frames that it gives."""


def _build(settings: dict) -> MotionModel:
    config = MotionModelConfig.model_validate(settings)
    if config.layout != LAYOUT:
        raise InputError(
            "motion model", f"its features are laid out as {config.layout!r}, ours as {LAYOUT!r}", "train it again"
        )
    if config.plan_layout != PLAN_LAYOUT:
        raise InputError(
            "motion model",
            f"its plans are laid out as {config.plan_layout!r}, ours as {PLAN_LAYOUT!r}",
            "train it again",
        )
    return MotionModel(config)


def folder_of(name: Path | str) -> Path:
    """Find where a model lies; `starter` is the shipped one."""
    return STARTER if str(name) == "starter" else Path(name)


def load_motion_model(name: Path | str = "starter", device: str = "cpu") -> MotionModel:
    """Load the model of a folder with config.json and model.safetensors, float32, frozen.

    InputError where it is none, is damaged, or its features are laid out in another way, and for a device that is not
    there.
    """
    return load_network(folder_of(name), *_KIND, _build).to(device_of("sample_motion.device", device))


def check_text_encoder(model: MotionModel, digest: str) -> None:
    """Raise InputError where a model learned its captions from another text encoder than the one of this digest."""
    if model.config.text_encoder_digest != digest:
        known = model.config.text_encoder_digest[:12]
        raise InputError(
            "text encoder",
            f"is {digest[:12]}, the motion model learned its captions from {known}",
            "name the one of its card as sample_motion.text",
        )


def motion_model_digest(name: Path | str = "starter") -> str:
    """Return what a model is known by, from its files alone."""
    return network_digest(folder_of(name), *_KIND)
