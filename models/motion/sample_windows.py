"""Sample motion from a trained model: a plan first, where the model has one, then bodies along it; long motion is made
of windows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from models.body.kinematics import bone_lengths
from models.motion import plan as plans
from models.motion.condition import Condition, Embed
from models.motion.dataset import ROLES
from models.motion.denoising import Denoiser, denoise
from models.motion.features import (
    FEATURES,
    POSITIONS,
    ROTATIONS,
    VECTORS,
    canonicalise,
    from_frames,
    inverse_transformed,
    to_frames,
    transformed,
)
from models.motion.interactive_pose import still
from models.motion.known_frames import (
    KnownFrames,
    at_frame,
    continued,
    fade_from_known,
    known_run_of,
    moved,
    place_of,
    poses_known,
)
from models.motion.model import MotionModel
from models.motion.plan import HOLDS, PLAN_FEATURES, PLAN_STRIDE, moments_of, plan_at_frames, plan_of
from models.motion.request import MotionRequest, check_request
from models.motion.schedulers import SamplingConfig
from models.networks import half_precision
from models.types import FPS


@dataclass(frozen=True)
class MotionSample:
    """One motion, as it was sampled; on the CPU."""

    features: Float[Tensor, "person time 268"]
    """In the canonical frame, not normalised."""
    holding: Bool[Tensor, "person time 2"]
    """When the plan has the left and the right hand on somebody else; never, of a model without one."""


def sample(
    model: MotionModel, embed: Embed, requests: Sequence[MotionRequest], config: SamplingConfig
) -> list[Float[Tensor, "person time 268"]]:
    """Sample one motion a request, as `sample_motions`; features alone."""
    return [motion.features for motion in sample_motions(model, embed, requests, config)]


def sample_motions(
    model: MotionModel, embed: Embed, requests: Sequence[MotionRequest], config: SamplingConfig
) -> list[MotionSample]:
    """Sample one motion a request.

    What is longer than the model's longest motion is made of windows that keep the end of the one before. Raises
    InputError as `check_request`.
    """
    for request in requests:
        check_request(request, model)
    bodies: Denoiser = torch.compile(model.denoiser) if config.compile else model.denoiser
    longest = model.config.max_frames
    found = _windows(model, bodies, embed, [_first_window(request, longest) for request in requests], config)
    window_number = 1
    while unfinished := [at for at, request in enumerate(requests) if found[at].features.shape[1] < request.frames]:
        overlap = min(config.overlap_frames, longest // 2)
        poses, following = [], []
        for at in unfinished:
            tail, pose = canonicalise(found[at].features[None, :, -overlap:])
            frames = min(longest, requests[at].frames - found[at].features.shape[1] + overlap)
            following.append(_next_window(requests[at], tail[0], frames, window_number))
            poses.append(pose)
        windows = _windows(model, bodies, embed, following, config)
        for at, pose, window in zip(unfinished, poses, windows, strict=True):
            following_features = transformed(window.features[None], pose)[0, :, overlap:]
            found[at] = MotionSample(
                torch.cat([found[at].features, following_features], dim=1),
                torch.cat([found[at].holding, window.holding[:, overlap:]], dim=1),
            )
        window_number += 1
    return found


def _first_window(request: MotionRequest, longest: int) -> MotionRequest:
    frames = min(request.frames, longest)
    known = request.known and replace(
        request.known, features=request.known.features[:, :frames], where=request.known.where[:, :frames]
    )
    return replace(request, frames=frames, known=known)


def _next_window(
    request: MotionRequest, tail: Float[Tensor, "person overlap 268"], frames: int, number: int
) -> MotionRequest:
    """The next window: its first frames are the last ones there are."""
    features = torch.zeros(len(request.roles), frames, FEATURES)
    features[:, : tail.shape[1]] = tail
    where = torch.zeros_like(features, dtype=torch.bool)
    where[:, : tail.shape[1]] = True
    # Seeds of windows must not meet those of other requests.
    draw = torch.Generator().manual_seed(request.seed ^ (number << 40))
    seed = int(torch.randint(0, 2**62, (), generator=draw))
    return replace(request, frames=frames, seed=seed, known=KnownFrames(features, where))


@dataclass(frozen=True)
class _Window:
    """Requests of at most the model's longest motion, padded to equally many people and frames."""

    condition: Condition
    mask: Bool[Tensor, "batch person time"]
    known: Float[Tensor, "batch person time 268"]
    where: Bool[Tensor, "batch person time 268"]
    floats: Bool[Tensor, "batch"]
    """Scenes whose known frames stand in a frame of their own."""
    known_plan: Float[Tensor, "batch person moment 10"]
    where_plan: Bool[Tensor, "batch person moment 10"]
    generators: list[torch.Generator]


def _window_of(requests: Sequence[MotionRequest], embed: Embed, device: torch.device) -> _Window:
    people, frames = max(len(request.roles) for request in requests), max(request.frames for request in requests)
    mask = torch.zeros(len(requests), people, frames, dtype=torch.bool)
    roles = torch.full((len(requests), people), -1)
    bones = torch.zeros(len(requests), people, 21)
    known = torch.zeros(len(requests), people, frames, FEATURES)
    where = torch.zeros_like(known, dtype=torch.bool)
    floats = torch.tensor([request.known is not None and request.known.floats for request in requests])
    known_plan = torch.zeros(len(requests), people, moments_of(frames), PLAN_FEATURES)
    where_plan = torch.zeros_like(known_plan, dtype=torch.bool)
    for at, request in enumerate(requests):
        count = len(request.roles)
        mask[at, :count, : request.frames] = True
        roles[at, :count] = torch.tensor([ROLES.index(role) for role in request.roles])
        bones[at, :count] = bone_lengths(request.rest)
        if request.known is not None:
            known[at, :count, : request.frames] = request.known.features
            where[at, :count, : request.frames] = request.known.where
        if request.plan is not None:
            moments = moments_of(request.frames)
            known_plan[at, :count, :moments] = request.plan.plan
            where_plan[at, :count, :moments] = request.plan.where
    dropped = torch.tensor([not request.text.strip() for request in requests])
    identity_ids = torch.arange(people).expand(len(requests), -1)
    # A caption that is left out is not heard, whatever stands in for it.
    text = embed([request.text if request.text.strip() else "nothing" for request in requests])
    condition = Condition(text, dropped, roles, bones, identity_ids)
    condition = condition.map(lambda value: value.to(device))
    return _Window(
        condition,
        mask.to(device),
        known.to(device),
        where.to(device),
        floats.to(device),
        known_plan.to(device),
        where_plan.to(device),
        [torch.Generator().manual_seed(request.seed) for request in requests],
    )


@torch.no_grad()
def _windows(
    model: MotionModel, bodies: Denoiser, embed: Embed, requests: Sequence[MotionRequest], config: SamplingConfig
) -> list[MotionSample]:
    """One window a request, all in one batch."""
    device = model.normaliser.mean.device
    window = _window_of(requests, embed, device)
    holding = torch.zeros(*window.mask.shape, 2, dtype=torch.bool)
    with torch.autocast(device.type, torch.bfloat16, enabled=half_precision(config.precision, device)):
        if model.config.denoiser.told_pose:
            found = _bodies_around(model, bodies, window, config)
        elif model.planner is None:
            found = _bodies_in_the_world(model, bodies, window, config)
        else:
            plan = _plans(model.planner, window, config)
            plan = plan_at_frames(plan, window.mask[:, :, ::PLAN_STRIDE], window.mask.shape[2])
            found = _bodies_along(model, bodies, window, plan, config)
            holding = (plan[..., HOLDS] > 0.5).cpu()
    found = found.cpu()
    parts = [(at, slice(len(request.roles)), slice(request.frames)) for at, request in enumerate(requests)]
    return [MotionSample(found[part], holding[part]) for part in parts]


def _plans(planner: Denoiser, window: _Window, config: SamplingConfig) -> Float[Tensor, "batch person moment 10"]:
    """Plans, of which known frames and known plans say a part."""
    moments = window.mask[:, :, ::PLAN_STRIDE]
    seen, told = window.known[:, :, ::PLAN_STRIDE], window.where[:, :, ::PLAN_STRIDE]
    root, turn = told[..., :3].all(-1), told[..., ROTATIONS][..., :6].all(-1)
    # Hands are on somebody only as far as everybody's are known.
    everybody = (told[..., POSITIONS].all(-1) | ~moments).all(1, keepdim=True) & moments
    shown = torch.stack([*3 * [root], *5 * [turn], *2 * [everybody]], dim=-1)
    known = torch.where(shown, plan_of(seen, moments), window.known_plan)
    where = shown | window.where_plan
    poses = where[..., : HOLDS.start].all(-1)
    run = known_run_of(poses)
    values, last = plans.normalise(known), run.last[:, :1]

    def mend(predicted: Tensor, left: float) -> tuple[Tensor, Tensor]:
        if not run.there.any():
            return predicted, values
        found = plans.denormalise(predicted)
        put = plans.moved(known, at_frame(known[:, :1], last), at_frame(found[:, :1], last))
        told = torch.where(window.floats[:, None, None, None], put, known)
        found = plans.normalise(plans.continued(found, told, run))
        told = plans.normalise(told)
        return fade_from_known(found, told, where, poses, FPS / PLAN_STRIDE, left, spread=True), told

    found = denoise(config.plan, planner, window.condition, moments, window.generators, (values, where), mend)
    return plans.denormalise(found)


def _bodies_along(
    model: MotionModel,
    bodies: Denoiser,
    window: _Window,
    plan: Float[Tensor, "batch person time 10"],
    config: SamplingConfig,
) -> Float[Tensor, "batch person time 268"]:
    """Bodies, each in the frames that its plan gives, and from there into the world."""
    frames = plans.frames_of_bodies(plan)
    where = _turnable(window.where)
    poses = poses_known(where)
    last = known_run_of(poses).last[:, 0]
    known = _put(window, last, at_frame(frames[:, :1], last[:, None])[:, 0, 0])
    values = model.normaliser(to_frames(known, frames))
    condition = replace(window.condition, plan=plan)
    found = denoise(
        config,
        bodies,
        condition,
        window.mask,
        window.generators,
        (values, where),
        lambda predicted, left: (fade_from_known(predicted, values, where, poses, FPS, left), values),
    )
    found = from_frames(model.normaliser.denormalise(found), frames)
    # Into a moving frame and back again, what is known comes out rounded.
    return torch.where(where, known, found)


def _bodies_in_the_world(
    model: MotionModel, bodies: Denoiser, window: _Window, config: SamplingConfig
) -> Float[Tensor, "batch person time 268"]:
    values, poses = model.normaliser(window.known), poses_known(window.where)
    run = known_run_of(poses)
    last = run.last[:, 0]

    def mend(predicted: Tensor, left: float) -> tuple[Tensor, Tensor]:
        if not run.there.any():
            return predicted, values
        found = model.normaliser.denormalise(predicted)
        known = _put(window, last, place_of(found, last))
        found, told = model.normaliser(continued(found, known, run)), model.normaliser(known)
        return fade_from_known(found, told, window.where, poses, FPS, left), told

    found = denoise(config, bodies, window.condition, window.mask, window.generators, (values, window.where), mend)
    return model.normaliser.denormalise(found)


def _bodies_around(
    model: MotionModel, bodies: Denoiser, window: _Window, config: SamplingConfig
) -> Float[Tensor, "batch person time 268"]:
    """Bodies around the last pose of the first known ones of everybody, in the frame of the first person in it."""
    posed = (poses_known(window.where) | ~window.mask).all(1, keepdim=True) & window.mask.any(1, keepdim=True)
    frame = known_run_of(posed).last[:, 0]
    place = place_of(window.known, frame)
    known, where = inverse_transformed(window.known, place), _turnable(window.where)
    values, poses = model.normaliser(known), poses_known(where)
    pose = model.normaliser(still(at_frame(known, frame[:, None])[:, :, 0])) * window.mask.any(-1)[..., None]
    found = denoise(
        config,
        bodies,
        replace(window.condition, pose=pose, pose_frame=frame),
        window.mask,
        window.generators,
        (values, where),
        lambda predicted, _: (fade_from_known(predicted, values, where, poses, FPS, 0.0), values),
    )
    found = torch.where(where, known, model.normaliser.denormalise(found))
    in_place = torch.where(where, window.known, transformed(found, place))
    return torch.where(window.floats[:, None, None, None], canonicalise(found)[0], in_place)


def _put(
    window: _Window, frame: Int[Tensor, "batch"], places: Float[Tensor, "batch 3"]
) -> Float[Tensor, "batch person time 268"]:
    """Known frames; those that float where the first person is at these places in a frame."""
    put = moved(window.known, place_of(window.known, frame), places)
    return torch.where(window.floats[:, None, None, None], put, window.known)


def _turnable(where: Bool[Tensor, "batch person time 268"]) -> Bool[Tensor, "batch person time 268"]:
    """Of a vector whose x or y alone is known, neither is in a frame that is turned."""
    where = where.clone()
    vectors = where[..., VECTORS].unflatten(-1, (-1, 3))
    vectors[..., :2] &= vectors[..., :2].all(-1, keepdim=True)
    where[..., VECTORS] = vectors.flatten(-2)
    return where
