"""Models that several steps of a process use: loaded once a process."""

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from models.body.model import load_body
from models.depth import DepthModels, DepthModelsConfig
from models.motion_sources.sampled import SampledMotion
from models.people2d.movenet import TflitePose
from models.people2d.pose2d import Pose2D
from models.people2d.still_search import Search, search_crops
from pipeline.settings import Settings
from stages import find_people_left, people2d
from stages.find_people_left import FindPeopleLeftConfig
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


@dataclass(frozen=True)
class PeopleSearch:
    """How pictures that are to be shown are searched for people of the footage."""

    config: FindPeopleLeftConfig
    in_plate: Search
    in_clip: Search
    """Faster, for many frames of a place that was searched before."""
    key: list
    """What an artefact's key says of it."""


def people_search(settings: Settings) -> PeopleSearch | None:
    """Return the search that the settings ask for; None where they want none, or configure no detector."""
    config, backend = settings.find_people_left, settings.people2d.backend
    if not config.enabled or backend.kind == "sidecar":
        return None
    kind = backend.model_dump(mode="json", exclude={"path", "threads", "device"})
    key = [find_people_left.VERSION, config.key_values(), kind, people2d.weight_digests(settings.people2d)]
    in_plate, in_clip = _people_finder(settings.people2d.model_dump_json())
    return PeopleSearch(config, in_plate, in_clip, key)


@functools.cache
def _people_finder(values: str) -> tuple[Search, Search]:
    """Load what finds people in still images, of a config of `people2d` (as JSON), once a process."""
    backend = people2d.People2DConfig.model_validate_json(values).backend
    if backend.kind == "tflite":
        network = TflitePose(backend.path, backend.threads)
        return search_crops(network), search_crops(network, sizes=(0.6, 1.1), turns=(0,))
    assert backend.kind == "transformers"
    from models.people2d.vitpose import TransformersPose  # torch is loaded by whoever needs it

    finder = TransformersPose(
        backend.detector, backend.detector_revision, backend.pose, backend.pose_revision, backend.device
    )

    def find(rgb: UInt8[np.ndarray, "height width 3"]) -> list[Pose2D]:
        return finder.keypoints(rgb, finder.detect(rgb, backend.min_detection_score))

    return find, find
