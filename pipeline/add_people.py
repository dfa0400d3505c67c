"""People who join those of a reconstructed frame: interactive poses, sampled by a model of such poses (Liu et al. 2025,
Ponimator's pose generator) from the poses that are there, a sentence, both, or neither."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from jaxtyping import Float

from models import types
from models.body.model import BodyModel
from models.errors import InputError
from models.motion.interactive_pose import in_world_of, known_pose
from models.motion.known_frames import KnownFrames
from models.motion.model import load_motion_model
from models.motion.request import MotionRequest, check_request, motion_of
from models.motion.sampler import MotionSampler, request_for
from models.text.encoder import TextEncoder
from models.types import PersonTrack, smpl_poses
from pipeline.settings import Settings
from stages import sample_motion


@dataclass(frozen=True)
class Added:
    """Who joins the people of a frame."""

    roles: tuple[str, ...] = ()
    """One for each of them."""
    poses: Path | None = None
    """Model of interactive poses: trained with `train_motion.max_frames` 1."""


def add_people(
    people: list[PersonTrack], added: Added, text: str, count: int, settings: Settings, body: BodyModel
) -> list[list[PersonTrack]]:
    """Return so many casts: the people, and, each time in other bodies and poses, who joins them; tracks of one frame.

    InputError for roles that there are not, without a model of poses, and for more people than it does.
    """
    if not added.roles:
        return count * [people]
    if unknown := sorted(set(added.roles) - set(types.Role.__args__)):
        raise InputError("--add", f"is {unknown[0]}", f"use {', '.join(types.Role.__args__)}")
    if added.poses is None:
        raise InputError("--add", "needs a model of interactive poses", "name one with --poses")
    config = settings.sample_motion
    model = load_motion_model(added.poses, config.device)
    if model.config.max_frames != 1:
        raise InputError("--poses", "is a model of motion, not of poses", "train one with train_motion.max_frames 1")
    roles = cast(tuple[types.Role, ...], added.roles)
    drawn = sample_motion.draw_requests(body, f"add {text}", roles, 1, count, settings.seed)
    requests = [_request(body, people, one, text) for one in drawn]
    check_request(requests[0], model)
    sampler = MotionSampler(model, TextEncoder(config.text), body, config.sampling, None, config.batch_size)
    casts = []
    for request, pose in zip(requests, sampler.features(requests), strict=True):
        assert request.known is not None
        tracks = motion_of(request, in_world_of(request.known, 0, pose)).people[len(people) :]
        casts.append([*people, *(replace(track, person=f"added_{n}") for n, track in enumerate(tracks))])
    return casts


def _request(body: BodyModel, people: list[PersonTrack], drawn: MotionRequest, text: str) -> MotionRequest:
    """A pose of people, who are known, and of those of a request, who are not."""
    assert drawn.betas is not None
    betas = np.concatenate([np.stack([track.betas for track in people]), drawn.betas])
    request = request_for(body, text, [*(track.role for track in people), *drawn.roles], betas, 1, drawn.seed)
    rotations, transl = (torch.as_tensor(values, dtype=torch.float32) for values in smpl_parameters(people))
    known = known_pose(request.rest[: len(people)], rotations, transl, 1, 0)
    unknown = (0, 0, 0, 0, 0, len(drawn.roles))
    features, where = (torch.nn.functional.pad(values, unknown) for values in (known.features, known.where))
    return replace(request, known=KnownFrames(features, where, floats=True))


def smpl_parameters(
    people: list[PersonTrack],
) -> tuple[Float[np.ndarray, "person 24 3"], Float[np.ndarray, "person 3"]]:
    """Rotations and `transl` of tracks of one frame."""
    rotations = np.stack([smpl_poses(track)[0].reshape(24, 3) for track in people])
    return rotations, np.stack([track.transl[0] for track in people])
