"""What the network of bodies is told of a batch beside noise and captions, and the frames in which it sees it: none
else, a plan, or a pose."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.motion.condition import Condition
from models.motion.dataset import MotionBatch
from models.motion.features import POSITIONS, ROTATIONS, from_frames, to_frames
from models.motion.interactive_pose import still
from models.motion.known_frames import at_frame, place_of
from models.motion.model import MotionModel
from models.motion.plan import PLAN_STRIDE, frames_of_bodies, plan_at_frames, plan_of, shaken

POSE_NOISE = 0.02
"""Standard deviation of what is added to the interactive pose in training, metres and of unit vectors: reconstructed
poses are as imperfect (Ponimator's supplement, A)."""


@dataclass(frozen=True)
class Told:
    """A batch as the network of bodies sees it."""

    features: Float[Tensor, "batch person time 268"]
    """Not normalised, in `frames`."""
    frames: Float[Tensor, "batch #person #time 3"] | None = None
    """x, y and yaw of those in the batch's own world; None: it is the world."""
    plan: Float[Tensor, "batch person time 10"] | None = None
    pose: Float[Tensor, "batch person 268"] | None = None
    """The interactive pose, standing still, in `frames`; not normalised."""
    pose_frame: Int[Tensor, "batch"] | None = None

    def world(self, features: Float[Tensor, "batch person time 268"]) -> Float[Tensor, "batch person time 268"]:
        """Tell features that are told in `frames` in the batch's world."""
        return features if self.frames is None else from_frames(features, self.frames)

    def added_to(self, condition: Condition, model: MotionModel, batch: MotionBatch) -> Condition:
        """Return a condition with the plan and the pose as networks see them."""
        if self.pose is None:
            return replace(condition, plan=self.plan)
        pose = model.normaliser(self.pose) * batch.mask.any(-1)[..., None]
        return replace(condition, plan=self.plan, pose=pose, pose_frame=self.pose_frame)


def tell(batch: MotionBatch, model: MotionModel, generator: torch.Generator, training: bool) -> Told:
    """Return what a batch is told as. The generator draws which of its frames the pose is of, and in training makes
    plans and poses as imperfect as sampled and reconstructed ones are."""
    if model.planner is not None:
        moments = batch.mask[:, :, ::PLAN_STRIDE]
        plan = plan_of(batch.features[:, :, ::PLAN_STRIDE], moments)
        if training:
            plan = shaken(plan, moments, generator)
        plan = plan_at_frames(plan, moments, batch.features.shape[2])
        frames = frames_of_bodies(plan)
        return Told(to_frames(batch.features, frames), frames, plan)
    if not model.config.denoiser.told_pose:
        return Told(batch.features)
    frame = draw_pose_frames(batch, generator)
    frames = place_of(batch.features, frame)[:, None, None]
    features = to_frames(batch.features, frames)
    pose = still(at_frame(features, frame[:, None])[:, :, 0])
    if training:
        noise = torch.randn(pose.shape, generator=generator)
        noise[..., POSITIONS.stop : ROTATIONS.start] = noise[..., ROTATIONS.stop :] = 0.0
        pose = pose + POSE_NOISE * noise.to(pose)
    return Told(features, frames, pose=pose, pose_frame=frame)


def draw_pose_frames(batch: MotionBatch, generator: torch.Generator) -> Int[Tensor, "batch"]:
    """Draw one of the frames of each scene that can be its interactive pose."""
    assert batch.interactive is not None, "batches of models that are told a pose say where one can be"
    drawn = torch.rand(batch.interactive.shape, generator=generator).to(batch.features.device)
    return drawn.where(batch.interactive, torch.tensor(-1.0).to(drawn)).argmax(-1)
