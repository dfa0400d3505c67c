"""Files of one skeleton that moves: BVH, ASF/AMC, CMU's exponential maps, DeepMimic's json, positions of joints; and
episodes of skin markers."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from models.body.model import BodyModel
from models.mocap import asf_amc, bvh, deepmimic, joint_positions, marker_files
from models.mocap import exponential_maps as expmap
from models.mocap.retarget import retarget
from models.mocap.skeleton_motion import SkeletonMotion
from models.types import Motion

logger = logging.getLogger(__name__)

READERS: dict[str, Callable[[Path, float, str], SkeletonMotion]] = {
    "bvh": lambda path, hz, episode: bvh.read_bvh(path),
    "amc": lambda path, hz, episode: asf_amc.read_amc(path, hz),
    "expmap": lambda path, hz, episode: expmap.read_expmap(path, hz),
    "deepmimic-json": lambda path, hz, episode: deepmimic.read_deepmimic(path),
    "npy": lambda path, hz, episode: joint_positions.read_joint_positions(path, hz),
    "json": lambda path, hz, episode: joint_positions.read_json_positions(path, hz),
    "npz": marker_files.read_markers,
}
"""By what an `index.csv` calls the format: (path, frames a second, episode).

The frames a second are for files that have no clock; BVH and DeepMimic have one. Only an npz of markers has episodes.
"""
OWN_HZ = {"amc": asf_amc.CMU_HZ, "expmap": expmap.CMU_HZ, "npy": 120.0, "json": 30.0, "npz": 30.0}
"""Of files that have no clock, what is taken where nobody says."""


def read(kind: str, path: Path, body: BodyModel, betas: Float[np.ndarray, "10"], fps: float = 20.0) -> list[Motion]:
    """Read the one motion of a file, or each episode of it, on our body; raises InputError where the file or its
    skeleton is not understood.

    AMC, exponential maps, positions and markers have no clock: they are taken for as many frames a second as `OWN_HZ`
    says, and that is logged and told in `details["assumed_hz"]`. A folder's `index.csv` knows better
    (`models.mocap.importers.indexed_folder`).
    """
    assumed = OWN_HZ.get(kind)
    if assumed is not None:
        logger.warning("%s has no clock: %g frames a second are assumed", path, assumed)
    details = {"texts": ()} | ({} if assumed is None else {"assumed_hz": assumed})
    motions = []
    for episode in marker_files.episodes(path) if kind == "npz" else ("",):
        motion = retarget([READERS[kind](path, assumed or 0.0, episode)], body, betas, fps)
        motions.append(replace(motion, details=motion.details | details))
    return motions
