"""The interactive pose: how people are at the moment at which they meet (Liu et al. 2025, Ponimator), which motion is
made before and after.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from models.motion.features import (
    CONTACT_HEIGHT_M,
    CONTACTS,
    FEATURES,
    FEET,
    POSITIONS,
    ROTATIONS,
    VELOCITIES,
    encode,
    from_matrices,
    matrices,
    positions,
)
from models.motion.holding import TOUCH_M, gap
from models.motion.known_frames import KnownFrames, fade_from_known, moved, poses_known
from models.types import FPS


def known_pose(
    rest: Float[Tensor, "person 22 3"],
    rotations: Float[Tensor, "person 24 3"],
    transl: Float[Tensor, "person 3"],
    frames: int,
    at: int,
) -> KnownFrames:
    """Make SMPL's parameters of people at one moment, in any world whose floor is z = 0, what is known of one frame of
    a motion; how fast they are is not known."""
    return known_pose_of(encode(rest, rotations[:, None], transl[:, None])[:, 0], frames, at)


def known_pose_of(pose: Float[Tensor, "person 268"], frames: int, at: int) -> KnownFrames:
    """Make the features of one moment, in any world, what is known of one frame of a motion."""
    features = torch.zeros(len(pose), frames, FEATURES)
    features[:, at] = pose
    where = torch.zeros_like(features, dtype=torch.bool)
    where[:, at, POSITIONS] = where[:, at, ROTATIONS] = True
    return KnownFrames(features, where, floats=True)


def kept_pose(
    known: KnownFrames, rest: Float[Tensor, "person 22 3"], features: Float[Tensor, "person time 268"]
) -> Float[Tensor, "person time 268"]:
    """Give a motion in the known pose's world that pose at its time again, which cleaning up has moved; by how much
    fades away before and after it. Contacts stay as stated."""
    poses = poses_known(known.where[None])
    faded = fade_from_known(features[None], known.features[None], known.where[None], poses, FPS, 0.0)[0]
    faded = torch.where(known.where, known.features, faded)
    found = from_matrices(rest, matrices(faded), faded[..., :3])
    return torch.cat([found[..., : CONTACTS.start], features[..., CONTACTS]], dim=-1)


def still(pose: Float[Tensor, "*batch 268"]) -> Float[Tensor, "*batch 268"]:
    """Return poses as motion that stands still in them has them: no velocity, feet on the floor where they are low."""
    low = positions(pose)[..., list(FEET), 2] < torch.tensor(CONTACT_HEIGHT_M).to(pose)
    velocity = torch.zeros_like(pose[..., VELOCITIES])
    return torch.cat([pose[..., POSITIONS], velocity, pose[..., ROTATIONS], low.to(pose)], dim=-1)


def interactive_frames(
    gaps: Float[Tensor, "batch time"], there: Bool[Tensor, "batch time"]
) -> Bool[Tensor, "batch time"]:
    """Tell which frames can be an interactive pose, by how near people are to each other: those in which they touch; of
    who nowhere do, the nearest; of one person, any."""
    nearest = gaps.where(there, torch.tensor(torch.inf).to(gaps)).amin(-1, keepdim=True)
    return there & (gaps <= nearest.clamp(min=TOUCH_M))


def in_world_of(
    known: KnownFrames, at: int, features: Float[Tensor, "person time 268"]
) -> Float[Tensor, "person time 268"]:
    """Rotate and move a motion over the floor so that in a frame the joints of everybody who is known come nearest to
    the known ones: least squares, closed form (Umeyama 1991)."""
    who = poses_known(known.where[None])[0, :, at]
    ours, theirs = (positions(values[who, at])[..., :2].flatten(0, 1) for values in (features, known.features))
    middle, aim = ours.mean(0), theirs.mean(0)
    a, b = ours - middle, theirs - aim
    yaw = torch.atan2((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum(), (a * b).sum())
    away = torch.cat([middle, torch.zeros(1)])
    return moved(features[None], away[None], torch.cat([aim, yaw[None]])[None])[0]


def middle_pose(features: Float[Tensor, "person time 268"]) -> KnownFrames:
    """Make the middle one of a motion's interactive poses what is known of it."""
    gaps = gap(positions(features))[None]
    frames = interactive_frames(gaps, torch.ones_like(gaps, dtype=torch.bool))[0].nonzero()[:, 0]
    frame = int(frames[len(frames) // 2])
    return known_pose_of(features[:, frame], features.shape[1], frame)
