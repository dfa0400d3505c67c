"""What a fall looks like in features: how the pelvis sinks, the trunk tips, joints move and limbs spread, against
time."""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d

from models.types import SMPL_JOINTS

EARLY_S = 0.3
"""How long before the onset the pelvis may begin to sink."""
MIN_SINK = 0.25
"""Leg lengths."""
HZ = 20.0
AT_S = (-0.8, -0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.8, 1.2, 1.6)
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
    """Return features of one fall, or of any motion about a moment; in leg lengths, seconds and cosines; world z is up.

    Curves are read against the moment at which the pelvis is half-way down, which motion itself tells: eyes and a
    simulation put the onset at different moments of one fall. Of what hardly sinks it is the onset itself. Before the
    first and after the last frame the body is taken to be as it was then.
    """
    sample_times = times[0] + np.arange(round((times[-1] - times[0]) * HZ) + 1) / HZ
    flat = joints[:, BODY].reshape(len(joints), -1)
    path = np.stack([np.interp(sample_times, times, column) for column in flat.T], axis=1).reshape(
        len(sample_times), -1, 3
    )
    path = gaussian_filter1d(path, SMOOTH_S * HZ, axis=0, mode="nearest")
    leg = sum(np.linalg.norm(path[:, a] - path[:, b], axis=-1).mean() for a, b in _LEGS) / 2.0
    pelvis, trunk = path[:, 0], path[:, _NECK] - path[:, 0]
    up = trunk[:, 2] / np.linalg.norm(trunk, axis=-1)
    height = pelvis[:, 2] / leg
    sinking = -np.gradient(height, 1.0 / HZ)
    speed = np.linalg.norm(np.gradient(path, 1.0 / HZ, axis=0), axis=-1).mean(axis=1) / leg
    spread = np.linalg.norm(path[:, _ENDS] - pelvis[:, None], axis=-1).mean(axis=1) / leg
    hands = path[:, _ENDS[::2], 2].mean(axis=1) / leg - height
    first = int(np.searchsorted(sample_times, onset_s - EARLY_S))
    high, low = float(height[first : first + round(HZ)].max()), float(height[first:].min())
    middle = (high + low) / 2.0
    crossed = np.flatnonzero((height[first:-1] >= middle) & (height[first + 1 :] < middle)) + first
    moment = onset_s
    if len(crossed) and high - low > MIN_SINK:
        before, after = height[crossed[0]], height[crossed[0] + 1]
        moment = float(sample_times[crossed[0]] + (before - middle) / (before - after) / HZ)
    since = sample_times - moment
    found = {}
    for name, curve in (("height", height), ("trunk_up", up), ("speed", speed), ("spread", spread), ("hands", hands)):
        found |= {f"{name}@{at:+.1f}s": float(np.interp(at, since, curve)) for at in AT_S}
    still = np.flatnonzero((since >= 0.0) & (speed > 0.15))
    ends = np.interp([AT_S[0], AT_S[-1]], since, np.arange(len(sample_times))).astype(int)
    return found | {
        "sinks_fastest": float(sinking[first:].max()),
        "sinks_for_s": _between(height[first:], high, low),
        "sinks_by": high - low,
        "moves_until_s": float(since[still[-1]]) if len(still) else 0.0,
        "joints_fastest": float(speed[first:].max()),
        "goes": float(np.linalg.norm(pelvis[ends[1], :2] - pelvis[ends[0], :2]) / leg),
    }


def _between(height: Float[np.ndarray, "time"], high: float, low: float) -> float:
    """Seconds from a fifth to four fifths of the way down."""
    upper = np.flatnonzero(height < high - 0.2 * (high - low))
    lower = np.flatnonzero(height < high - 0.8 * (high - low))
    return float(lower[0] - upper[0]) / HZ if len(lower) else 0.0
