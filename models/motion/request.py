"""What a sample is asked to be: caption, roles, bodies, length, and frames or joints to keep."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from models.body.rest_skeleton import PARENTS
from models.errors import InputError
from models.motion.features import smpl_parameters
from models.motion.model import MotionModel
from models.types import FPS, Motion, PersonTrack, Role

FEWEST_FRAMES, MOST_FRAMES = 4, 1200
"""From a fifth of a second to a minute."""


@dataclass(frozen=True)
class Kept:
    """Values that sampled motion must have, in the canonical frame of the first person's first frame."""

    features: Float[Tensor, "person time 268"]
    where: Bool[Tensor, "person time 268"]


@dataclass(frozen=True)
class Ask:
    """One motion that is wanted."""

    text: str
    roles: tuple[Role, ...]
    """One a person, one to as many as the model knows identities."""
    rest: Float[Tensor, "person 22 3"]
    """Joints at rest of each person's body."""
    frames: int
    """At 20 Hz."""
    seed: int
    kept: Kept | None = field(default=None)


def check_ask(ask: Ask, model: MotionModel) -> None:
    """InputError for what no model can answer, before anything is computed."""
    can = model.config.denoiser.people
    if not ask.text.strip():
        raise InputError("text", "is empty", "say what happens, in a sentence")
    if len(ask.roles) not in can:
        known = " to ".join(str(number) for number in sorted({min(can), max(can)}))
        raise InputError("people", f"must be {known}, got {len(ask.roles)}", "ask for as many as the model can do")
    if not FEWEST_FRAMES <= ask.frames <= MOST_FRAMES:
        raise InputError(
            "frames", f"must be {FEWEST_FRAMES} to {MOST_FRAMES} (20 a second), got {ask.frames}", "ask again"
        )
    if ask.kept is not None and ask.frames > model.config.most_frames:
        raise InputError(
            "kept", f"needs a motion of at most {model.config.most_frames} frames, got {ask.frames}", "ask for less"
        )


def chain(joint: int) -> list[int]:
    return [joint] if joint == 0 else [joint, *chain(PARENTS[joint])]


def motion_of(ask: Ask, betas: Float[np.ndarray, "person 10"], features: Float[Tensor, "person time 268"]) -> Motion:
    """Features as a motion of these bodies at 20 Hz, hands at rest; actions are unknown (-1) until kinematics tell
    them."""
    orient, pose, transl = smpl_parameters(features, ask.rest)
    frames = features.shape[1]
    people = [
        PersonTrack(
            f"person_{number}",
            role,
            betas[number],
            orient[number],
            pose[number],
            transl[number],
            np.ones(frames, dtype=bool),
            np.ones(frames),
        )
        for number, role in enumerate(ask.roles)
    ]
    details = {"caption": ask.text, "seed": ask.seed}
    return Motion(np.arange(frames) / FPS, tuple(people), np.full((len(people), frames), -1), "motion model", details)
