"""What a fall looks like in figures: how the pelvis sinks, the trunk tips, joints move and limbs spread, against time."""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d

from pipeline.types import SMPL_JOINTS

BEFORE_S, AFTER_S = 0.6, 2.4
"""The stretch around the onset that is looked at."""
HZ = 20.0
AT_S = (-0.4, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.4, 1.8, 2.2)
SMOOTH_S = 0.1
"""Of all curves: liftings from video scatter from frame to frame."""
BODY = slice(0, 22)
_NECK = SMPL_JOINTS.index("neck")
_ENDS = [SMPL_JOINTS.index(f"{side}_{name}") for side in ("left", "right") for name in ("wrist", "ankle")]
_LEGS = [
    (SMPL_JOINTS.index(f"{side}_{a}"), SMPL_JOINTS.index(f"{side}_{b}"))
    for side in ("left", "right")
    for a, b in (("hip", "knee"), ("knee", "ankle"))
]


def fall_features(
    joints: Float[np.ndarray, "time 24 3"], times: Float[np.ndarray, "time"], onset_s: float
) -> dict[str, float]:
    """Figures of one fall (or of any motion from a moment on), in leg lengths, seconds and cosines; world z is up.

    Before the first and after the last frame the body is taken to be as it was then.
    """
    clock = onset_s + np.arange(-round(BEFORE_S * HZ), round(AFTER_S * HZ) + 1) / HZ
    flat = joints[:, BODY].reshape(len(joints), -1)
    path = np.stack([np.interp(clock, times, column) for column in flat.T], axis=1).reshape(len(clock), -1, 3)
    path = gaussian_filter1d(path, SMOOTH_S * HZ, axis=0, mode="nearest")
    leg = sum(np.linalg.norm(path[:, a] - path[:, b], axis=-1).mean() for a, b in _LEGS) / 2.0
    pelvis, trunk = path[:, 0], path[:, _NECK] - path[:, 0]
    up = trunk[:, 2] / np.linalg.norm(trunk, axis=-1)
    height = pelvis[:, 2] / leg
    sinking = -np.gradient(height, 1.0 / HZ)
    speed = np.linalg.norm(np.gradient(path, 1.0 / HZ, axis=0), axis=-1).mean(axis=1) / leg
    spread = np.linalg.norm(path[:, _ENDS] - pelvis[:, None], axis=-1).mean(axis=1) / leg
    hands = path[:, _ENDS[::2], 2].mean(axis=1) / leg - height
    since = clock - onset_s
    after = since >= 0.0
    found = {}
    for name, curve in (("height", height), ("trunk_up", up), ("speed", speed), ("spread", spread), ("hands", hands)):
        found |= {f"{name}@{at:+.1f}s": float(np.interp(at, since, curve)) for at in AT_S}
    low, high = float(height[after].min()), float(height[: int(after.argmax()) + 1].max())
    fell = np.flatnonzero(after & (height < (low + high) / 2.0))
    still = np.flatnonzero(after & (speed > 0.15))
    return found | {
        "sinks_fastest": float(sinking[after].max()),
        "sinks_fastest_at_s": float(since[after][sinking[after].argmax()]),
        "half_way_down_s": float(since[fell[0]]) if len(fell) else AFTER_S,
        "sinks_by": high - low,
        "moves_until_s": float(since[still[-1]]) if len(still) else 0.0,
        "joints_fastest": float(speed.max()),
        "goes_m": float(np.linalg.norm(pelvis[-1, :2] - pelvis[0, :2])),
    }
