"""AMASS: one npz a take with `poses`, `trans` and the frame rate, of SMPL (72), SMPL-H (156) or SMPL-X (165 numbers).

All three begin with the root and the 21 joints of the body; hands and face are left out. World: z up, metres. The
skeleton is SMPL's of mean shape, for betas do not carry over: a taller person's path comes out too long by that much.
Source: N. Mahmood et al. (2019), amass.is.tue.mpg.de.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from models.body.model import BodyModel
from models.errors import InputError
from models.files import finite, read_arrays
from models.geometry.transforms import R_ZUP_YUP, matrix_from_axis_angle
from models.mocap.retarget import retarget
from models.mocap.skeleton_motion import FASTEST_HZ, SLOWEST_HZ
from models.mocap.smpl_skeleton import smpl_motion
from models.types import Motion

WIDTHS = {72: "SMPL", 156: "SMPL-H", 165: "SMPL-X"}
RATES = ("mocap_framerate", "mocap_frame_rate")


def read(path: Path, body: BodyModel, betas: Float[np.ndarray, "10"], fps: float = 20.0) -> list[Motion]:
    """Read the one motion of a take; raises InputError for an npz of another layout. AMASS has no captions: `texts` is
    empty."""
    remedy = "give a take of AMASS: an npz with poses, trans and mocap_framerate"
    data = read_arrays(path, remedy)
    missing = [name for name in ("poses", "trans") if name not in data]
    missing += [] if data.keys() & set(RATES) else [RATES[0]]
    if missing:
        raise InputError(path, f"has no {', '.join(missing)} (it has {', '.join(sorted(data)) or 'nothing'})", remedy)
    poses, trans = (finite(path, name, data[name], remedy) for name in ("poses", "trans"))
    rate = finite(path, RATES[0], data[next(name for name in RATES if name in data)], remedy)
    if poses.ndim != 2 or poses.shape[1] not in WIDTHS or trans.shape != (len(poses), 3) or len(poses) < 2:
        known = ", ".join(f"{width} ({name})" for width, name in WIDTHS.items())
        shapes = f"poses is {poses.shape} and trans {trans.shape}"
        raise InputError(
            path, f"{shapes}; poses are (frames, {known}), trans (frames, 3), of two frames or more", remedy
        )
    if rate.size != 1 or not SLOWEST_HZ <= rate.item() <= FASTEST_HZ:
        raise InputError(path, f"has the frame rate {np.array2string(rate):.40}, expected 1 to 1000 a second", remedy)
    hz = rate.item()
    rotations = np.tile(np.eye(3), (len(poses), 24, 1, 1))
    rotations[:, :22] = matrix_from_axis_angle(poses[:, :66].reshape(-1, 22, 3))
    rotations[:, 0] = R_ZUP_YUP.T @ rotations[:, 0]
    # SMPL's pelvis lies at a fixed offset from trans; where the world's origin is does not matter.
    motion = retarget([smpl_motion(path, rotations, trans @ R_ZUP_YUP, hz)], body, betas, fps)
    return [replace(motion, details=motion.details | {"texts": (), "model": WIDTHS[poses.shape[1]]})]
