"""What a sample is asked to be: caption, roles, bodies, length, and frames that are known already."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from models.errors import InputError
from models.motion.features import smpl_parameters
from models.motion.known_frames import KnownFrames, poses_known
from models.motion.model import MotionModel
from models.motion.plan import MEAN, PLAN_FEATURES, PLAN_STRIDE, moments_of
from models.types import FPS, Motion, PersonTrack, Role

MIN_FRAMES, MAX_FRAMES = 4, 1200
"""From a fifth of a second to a minute."""
REACH = torch.tensor((8.0, 8.0, 0.85, 1.01, 1.01, 1.01, 1.01, 1.71, 1.0, 1.0))
"""How far from `models.motion.plan.MEAN` the numbers of a plan may be: metres from where the first person begins and
from the height of a pelvis, unit vectors, hands."""
FASTEST_M_S = 6.0
"""Nobody in a care home moves faster over the floor."""


@dataclass(frozen=True)
class KnownPlan:
    """Numbers that the plan of sampled motion must have (`models.motion.plan`), in the canonical frame."""

    plan: Float[Tensor, "person moment 10"]
    """A moment every `PLAN_STRIDE` frames, the first at frame 0."""
    where: Bool[Tensor, "person moment 10"]
    """Which of them are known; x and y together, and the two of the heading."""


@dataclass(frozen=True)
class MotionRequest:
    """One motion that is wanted."""

    text: str
    """Empty where nothing is said; then frames are known."""
    roles: tuple[Role, ...]
    """One a person, one to as many as the model knows identities."""
    rest: Float[Tensor, "person 22 3"]
    """Joints at rest of each person's body, metres."""
    frames: int
    """At 20 Hz."""
    seed: int
    known: KnownFrames | None = None
    plan: KnownPlan | None = None
    """What everybody is to do, as far as it is known; for models that plan."""
    betas: Float[np.ndarray, "person 10"] | None = None
    """Shapes of the bodies that a `Motion` is made of; features alone can be sampled without."""


def check_request(request: MotionRequest, model: MotionModel) -> None:
    """Raise InputError for what no model can answer, before anything is computed."""
    can = model.config.denoiser.people
    if not request.text.strip() and request.known is None:
        raise InputError("text", "is empty", "say what happens, in a sentence")
    if len(request.roles) not in can:
        known = " to ".join(str(number) for number in sorted({min(can), max(can)}))
        raise InputError("people", f"must be {known}, got {len(request.roles)}", "ask for as many as the model can do")
    if model.config.max_frames == 1 and request.frames != 1:
        raise InputError("motion model", "makes single poses, not motion", "name it as --poses of careclips animate")
    if model.config.max_frames > 1 and not MIN_FRAMES <= request.frames <= MAX_FRAMES:
        raise InputError(
            "frames", f"must be {MIN_FRAMES} to {MAX_FRAMES} (20 a second), got {request.frames}", "ask again"
        )
    _check_known(request, model)
    _check_plan(request, model)


def _check_known(request: MotionRequest, model: MotionModel) -> None:
    """Raise InputError for known frames that no motion of the model can have."""
    longest = model.config.max_frames
    if request.known is None:
        if model.config.denoiser.told_pose:
            raise InputError(
                "motion model",
                "makes motion around a pose, and none is given",
                "use careclips animate, or name another as sample_motion.model",
            )
        return
    if request.known.where[:, longest:].any():
        last = int(request.known.where.any(-1).any(0).nonzero().max()) + 1
        raise InputError("known frames", f"must be among the first {longest}, end at {last}", "ask for less before")
    if model.config.denoiser.told_pose and not poses_known(request.known.where[None])[0].all(0).any():
        raise InputError("known frames", "hold no pose of everybody at once", "give one, to make motion around")
    if request.known.floats:
        if not poses_known(request.known.where[None])[0, 0].any():
            raise InputError("known frames", "say nowhere where the first person is", "give a pose of everybody")
        if request.plan is not None:
            raise InputError(
                "plan", "is told in the canonical frame, the known frames in one of their own", "give one of the two"
            )


def _check_plan(request: MotionRequest, model: MotionModel) -> None:
    """Raise InputError for a plan that no model can follow."""
    if request.plan is None:
        return
    if model.planner is None:
        raise InputError("plan", "is given to a motion model without one", "name a model that was trained with a plan")
    people, moments = len(request.roles), moments_of(request.frames)
    plan, where = request.plan.plan, request.plan.where
    if plan.shape != (people, moments, PLAN_FEATURES) or where.shape != plan.shape:
        raise InputError(
            "plan",
            f"must be {people} people x {moments} moments x {PLAN_FEATURES} numbers, got {tuple(plan.shape)}",
            f"give a moment every {PLAN_STRIDE} frames",
        )
    longest = model.config.max_frames
    if request.frames > longest:
        raise InputError("plan", f"needs a motion of at most {longest} frames, got {request.frames}", "ask for less")
    numbers = plan.where(where, torch.tensor(MEAN))
    if not torch.isfinite(numbers).all():
        raise InputError("plan", "holds numbers that are not finite", "leave unknown what is not known")
    beyond = (numbers - torch.tensor(MEAN)).abs() > REACH
    if beyond.any():
        person, moment, number = (int(value) for value in beyond.nonzero()[0])
        low, high = MEAN[number] - REACH[number].item(), MEAN[number] + REACH[number].item()
        raise InputError(
            "plan",
            f"person {person} at moment {moment}: number {number} must be {low:g} to {high:g}, "
            f"got {numbers[person, moment, number]:g}",
            "plan what the model has seen: a room, and people on its floor",
        )
    both = where[:, 1:, :2].all(-1) & where[:, :-1, :2].all(-1)
    speed = (plan[:, 1:, :2] - plan[:, :-1, :2]).norm(dim=-1) * FPS / PLAN_STRIDE
    if (both & (speed > FASTEST_M_S)).any():
        fastest = speed.where(both, torch.zeros(())).max()
        raise InputError(
            "plan", f"moves at up to {fastest:.1f} m/s, people in it at most at {FASTEST_M_S:g}", "give it more time"
        )


def motion_of(request: MotionRequest, features: Float[Tensor, "person time 268"]) -> Motion:
    """Read features as a motion of the request's bodies at 20 Hz, hands at rest.

    Actions are unknown (-1) until kinematics tell them.
    """
    assert request.betas is not None, "a motion needs the shapes of its bodies"
    people = tracks_of(features, request.rest, request.betas, request.roles)
    frames = features.shape[1]
    details = {"caption": request.text, "seed": request.seed}
    return Motion(np.arange(frames) / FPS, people, np.full((len(people), frames), -1), "motion model", details)


def tracks_of(
    features: Float[Tensor, "person time 268"],
    rest: Float[Tensor, "person 22 3"],
    betas: Float[np.ndarray, "person 10"],
    roles: Sequence[Role],
) -> tuple[PersonTrack, ...]:
    """Read features as people in SMPL's parameters, 20 Hz, hands at rest, seen throughout."""
    orient, pose, transl = smpl_parameters(features, rest)
    frames = features.shape[1]
    return tuple(
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
        for number, role in enumerate(roles)
    )
