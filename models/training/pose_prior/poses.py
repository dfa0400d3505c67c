"""Body poses of a motion corpus, for what learns single poses: thinned, with the corpus's own held-out takes.

Captured takes, falls with what follows them, look-alikes and composed people are all there. Neighbours in time that
hardly differ are thinned out.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from models.body.model import BodyModel
from models.body.tracks import body_joints
from models.errors import InputError
from models.people3d.pose_prior import PRIOR_JOINTS
from models.training.corpus_tracks import KINDS, CorpusTrack
from models.types import SMPL_JOINTS

APART_M = 0.015
"""Mean distance of joints from those of the pose kept before, below which a pose is a near duplicate."""


@dataclass(frozen=True)
class Poses:
    """What was collected."""

    body_pose: Float[np.ndarray, "pose 63"]
    """Axis-angle of SMPL joints 1 to 21, radians."""
    kind: Int[np.ndarray, "pose"]
    """Index into KINDS (`models/training/corpus_tracks.py`)."""
    take: Int[np.ndarray, "pose"]
    """Number of the take; all items of a take have the same."""
    trunk: Float[np.ndarray, "pose"]
    """Sine of the elevation of the line from pelvis to neck: 1 is upright, 0 lies."""
    held_out: Bool[np.ndarray, "pose"]


def thinned(joints: Float[np.ndarray, "time 24 3"], apart_m: float = APART_M) -> Int[np.ndarray, "kept"]:
    """Return frames that differ from the one kept before by `apart_m`, the first one included."""
    kept = [0]
    for frame in range(1, len(joints)):
        if np.linalg.norm(joints[frame] - joints[kept[-1]], axis=-1).mean() >= apart_m:
            kept.append(frame)
    return np.array(kept)


def collect(body: BodyModel, tracks: Iterable[CorpusTrack]) -> Poses:
    """Collect everybody's poses, thinned."""
    takes: dict[str, int] = {}
    poses, trunks, rows = [], [], []
    for found in tracks:
        track, still = found.track, np.zeros_like(found.track.transl)
        kept = thinned(body_joints(body, track.betas, still, track.body_pose, still))
        joints = body_joints(body, track.betas, track.global_orient[kept], track.body_pose[kept], still[kept])
        line = joints[:, SMPL_JOINTS.index("neck")] - joints[:, 0]
        poses.append(track.body_pose[kept, : 3 * PRIOR_JOINTS])
        trunks.append(line[:, 2] / np.linalg.norm(line, axis=-1))
        rows.append((KINDS.index(found.kind), takes.setdefault(found.take, len(takes)), found.held_out, len(kept)))
    kind, take, held_out, counts = (np.array(values) for values in zip(*rows, strict=True))
    return Poses(
        np.concatenate(poses),
        np.repeat(kind, counts),
        np.repeat(take, counts),
        np.concatenate(trunks),
        np.repeat(held_out, counts),
    )


def save_poses(poses: Poses, path: Path) -> None:
    """Write as npz, angles in float16."""
    np.savez_compressed(
        path,
        body_pose=poses.body_pose.astype(np.float16),
        kind=poses.kind.astype(np.int8),
        take=poses.take.astype(np.int32),
        trunk=poses.trunk.astype(np.float16),
        held_out=poses.held_out,
    )


def read_poses(path: Path) -> Poses:
    """Read what `save_poses` wrote; InputError for anything else."""
    try:
        with np.load(path) as data:
            return Poses(
                data["body_pose"].astype(np.float64),
                data["kind"].astype(np.int64),
                data["take"].astype(np.int64),
                data["trunk"].astype(np.float64),
                data["held_out"],
            )
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            path, f"holds no collected poses ({error})", "make it with careclips train pose-prior --poses"
        ) from error
