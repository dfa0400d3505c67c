"""Files of one skeleton that moves: BVH, ASF/AMC, CMU's exponential maps, DeepMimic's json."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from models.body.model import BodyModel
from models.mocap import asf_amc, bvh, deepmimic
from models.mocap import exponential_maps as expmap
from models.mocap.retarget import retarget
from models.mocap.skeleton_motion import SkeletonMotion
from models.types import Motion

logger = logging.getLogger(__name__)

READERS: dict[str, Callable[[Path, float], SkeletonMotion]] = {
    "bvh": lambda path, hz: bvh.read_bvh(path),
    "amc": asf_amc.read_amc,
    "expmap": expmap.read_expmap,
    "deepmimic-json": lambda path, hz: deepmimic.read_deepmimic(path),
}
"""By what an `index.csv` calls the format.

The frames a second are for files that have no clock; BVH and DeepMimic have one.
"""
OWN_HZ = {"amc": asf_amc.CMU_HZ, "expmap": expmap.CMU_HZ}


def read(kind: str, path: Path, body: BodyModel, betas: Float[np.ndarray, "10"], fps: float = 20.0) -> list[Motion]:
    """Read the one motion of a file, on our body; raises InputError where the file or its skeleton is not understood.

    AMC and exponential maps have no clock: they are taken for CMU's 120 frames a second, and that is logged and told in
    `details["assumed_hz"]`. A folder's `index.csv` knows better (`models.mocap.importers.indexed_folder`).
    """
    assumed = OWN_HZ.get(kind)
    if assumed is not None:
        logger.warning("%s has no clock: %g frames a second are assumed", path, assumed)
    motion = retarget([READERS[kind](path, assumed or 0.0)], body, betas, fps)
    details = {"texts": ()} | ({} if assumed is None else {"assumed_hz": assumed})
    return [replace(motion, details=motion.details | details)]
