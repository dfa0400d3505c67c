"""What a sample is asked to be: caption, roles, bodies, length, and frames that are known already."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from models.errors import InputError
from models.motion.features import smpl_parameters
from models.motion.model import MotionModel
from models.types import FPS, Motion, PersonTrack, Role

MIN_FRAMES, MAX_FRAMES = 4, 1200
"""From a fifth of a second to a minute."""


@dataclass(frozen=True)
class KnownFrames:
    """Values that sampled motion must have, in the canonical frame of the first person's first frame."""

    features: Float[Tensor, "person time 268"]
    where: Bool[Tensor, "person time 268"]
    """Which of them are known."""


@dataclass(frozen=True)
class MotionRequest:
    """One motion that is wanted."""

    text: str
    roles: tuple[Role, ...]
    """One a person, one to as many as the model knows identities."""
    rest: Float[Tensor, "person 22 3"]
    """Joints at rest of each person's body, metres."""
    frames: int
    """At 20 Hz."""
    seed: int
    known: KnownFrames | None = None
    betas: Float[np.ndarray, "person 10"] | None = None
    """Shapes of the bodies that a `Motion` is made of; features alone can be sampled without."""


def check_request(request: MotionRequest, model: MotionModel) -> None:
    """Raise InputError for what no model can answer, before anything is computed."""
    can = model.config.denoiser.people
    if not request.text.strip():
        raise InputError("text", "is empty", "say what happens, in a sentence")
    if len(request.roles) not in can:
        known = " to ".join(str(number) for number in sorted({min(can), max(can)}))
        raise InputError("people", f"must be {known}, got {len(request.roles)}", "ask for as many as the model can do")
    if not MIN_FRAMES <= request.frames <= MAX_FRAMES:
        raise InputError(
            "frames", f"must be {MIN_FRAMES} to {MAX_FRAMES} (20 a second), got {request.frames}", "ask again"
        )
    longest = model.config.max_frames
    if request.known is not None and request.frames > longest:
        raise InputError(
            "known frames", f"need a motion of at most {longest} frames, got {request.frames}", "ask for less"
        )


def motion_of(request: MotionRequest, features: Float[Tensor, "person time 268"]) -> Motion:
    """Read features as a motion of the request's bodies at 20 Hz, hands at rest.

    Actions are unknown (-1) until kinematics tell them.
    """
    assert request.betas is not None, "a motion needs the shapes of its bodies"
    orient, pose, transl = smpl_parameters(features, request.rest)
    frames = features.shape[1]
    people = [
        PersonTrack(
            f"person_{number}",
            role,
            request.betas[number],
            orient[number],
            pose[number],
            transl[number],
            np.ones(frames, dtype=bool),
            np.ones(frames),
        )
        for number, role in enumerate(request.roles)
    ]
    details = {"caption": request.text, "seed": request.seed}
    return Motion(np.arange(frames) / FPS, tuple(people), np.full((len(people), frames), -1), "motion model", details)
