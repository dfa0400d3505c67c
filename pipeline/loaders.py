"""Models that several steps of a process use: loaded once a process."""

import functools
from pathlib import Path

from models.body.model import load_body
from models.depth import DepthModels, DepthModelsConfig
from models.motion_sources.sampled import SampledMotion
from stages.sample_motion import SampleMotionConfig


@functools.cache
def body_model(path: Path | None):
    """Load the body model, once a process."""
    return load_body(path)


@functools.cache
def sampled_motion(body: Path | None, values: str):
    """Load the motion model of a config (as JSON) as a source of ordered motion, once a process."""
    config = SampleMotionConfig.model_validate_json(values)
    return SampledMotion(body_model(body), config.model, config.text, config.sampling, config.cleanup, config.device)


@functools.cache
def depth_models(values: str):
    """Load the depth networks of a config (as JSON), once a process."""
    return DepthModels(DepthModelsConfig.model_validate_json(values))
