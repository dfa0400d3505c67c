"""A motion made smooth: least change of velocity that what was observed allows. Thesis §5.2, eq. 5.6.

The thesis sums |j_hat_t - j_t| with j_hat_t = j_{t-1} + v_{t-1}, and the distance from what was first estimated. Here
both are integrals over true time, of

    c_t rho(|x_t - observed_t| / spread)   and   weight rho(|a_t| / acceleration),   rho(r) = 2 (sqrt(1 + r^2) - 1),

which is the thesis's plain norm for large r and smooth near zero: a single wrong frame hardly pulls, and an impact may
change the velocity at once. x is the root's place, and every joint's rotation times its lever, the distance of what the
joint carries, so that one weight serves all. A rotation's a_t is the change of its angular velocity, as the body itself
feels it: w_t = log(R_t^T R_{t+1}) / dt needs no chart that could wrap, is exactly zero change for a steady spin, and is
the same backwards in time. Solved by Gauss-Newton with reweighting; each step is one banded system, linear in time.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.linalg import solveh_banded

from models.geometry.transforms import axis_angle_from_matrix, matrix_from_axis_angle


@dataclass(frozen=True)
class SmoothnessWeights:
    """What the objective weighs against what was observed; symbols of the formula above."""

    weight: float
    """Of the change of velocity."""
    spread_m: float
    """Distance from what was observed at which a frame's pull stops growing, metres."""
    acceleration: float
    """Change of velocity at which its cost goes from squared to linear, metres per second squared."""


def smooth_curves(
    places: Float[np.ndarray, "curve time 3"],
    rotations: Float[np.ndarray, "joint time 3 3"],
    levers_m: Float[np.ndarray, "joint"],
    timestamps_s: Float[np.ndarray, "time"],
    trust: Float[np.ndarray, "time"],
    weights: SmoothnessWeights,
    iterations: int = 40,
) -> tuple[Float[np.ndarray, "curve time 3"], Float[np.ndarray, "joint time 3 3"]]:
    """Return places (metres) and rotations of least objective; each curve and joint for itself.

    `trust` is the confidence c_t; frames of trust 0 are bridged. At least two frames need trust, and three must be
    given.
    """
    count, still = len(places), np.eye(3)
    scale = np.concatenate([np.ones(count), levers_m])[:, None]
    dt = np.diff(timestamps_s)
    middle = (dt[1:] + dt[:-1]) / 2.0
    span = np.concatenate([dt[:1], middle * 2.0, dt[-1:]]) / 2.0
    x, smoothed = places.copy(), rotations.copy()
    for _ in range(iterations):
        step = np.concatenate([np.diff(x, axis=1), _steps(smoothed)])
        left = np.concatenate([np.broadcast_to(still, (count, len(dt), 3, 3)), _inverse_jacobian(step[count:])])
        right = np.concatenate([np.broadcast_to(still, (count, len(dt), 3, 3)), _inverse_jacobian(-step[count:])])
        away = np.concatenate([x - places, axis_angle_from_matrix(np.swapaxes(rotations, -1, -2) @ smoothed)])
        velocity = step / dt[:, None]
        change = np.diff(velocity, axis=1) / middle[:, None]
        # Iteratively reweighted least squares of rho: w = rho'(r) / 2r = 1 / sqrt(1 + r^2).
        near = _reweighted(away, scale / weights.spread_m) * trust * span
        even = _reweighted(change, scale / weights.acceleration) * weights.weight * middle
        delta = _solve(away, change, left, right, near, even, dt, middle)
        x = x + delta[:count]
        smoothed = smoothed @ matrix_from_axis_angle(delta[count:])
        if np.abs(delta * scale[..., None]).max() < 1e-6:
            break
    return x, smoothed


def _steps(rotations: Float[np.ndarray, "joint time 3 3"]) -> Float[np.ndarray, "joint step 3"]:
    """log(R_t^T R_{t+1})."""
    return axis_angle_from_matrix(np.swapaxes(rotations[:, :-1], -1, -2) @ rotations[:, 1:])


def _reweighted(
    residual: Float[np.ndarray, "curve time 3"], per_spread: Float[np.ndarray, "curve 1"]
) -> Float[np.ndarray, "curve time"]:
    """Weight of each squared residual in the reweighted sum, residual in units of `1 / per_spread`."""
    return per_spread**2 / np.sqrt(1.0 + (np.linalg.norm(residual, axis=-1) * per_spread) ** 2)


def _inverse_jacobian(rotvec: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3 3"]:
    """J_l^{-1}(d), with log(Exp(a) Exp(d)) = d + J_l^{-1}(d) a + O(a^2); J_r^{-1}(d) = J_l^{-1}(-d)."""
    angle = np.linalg.norm(rotvec, axis=-1)
    small = angle < 1e-4
    safe = np.where(small, 1.0, angle)
    second = np.where(small, 1.0 / 12.0, 1.0 / safe**2 - 1.0 / (2.0 * safe * np.tan(safe / 2.0)))
    x, y, z = np.moveaxis(rotvec, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*rotvec.shape[:-1], 3, 3)
    return np.eye(3) - 0.5 * cross + second[..., None, None] * (cross @ cross)


def _solve(
    away: Float[np.ndarray, "curve time 3"],
    change: Float[np.ndarray, "curve inner 3"],
    left: Float[np.ndarray, "curve step 3 3"],
    right: Float[np.ndarray, "curve step 3 3"],
    near: Float[np.ndarray, "curve time"],
    even: Float[np.ndarray, "curve inner"],
    dt: Float[np.ndarray, "step"],
    middle: Float[np.ndarray, "inner"],
) -> Float[np.ndarray, "curve time 3"]:
    """One Gauss-Newton step: the normal equations couple each frame with the two before and after it."""
    curves, frames = near.shape
    per = (1.0 / dt)[:, None, None]
    inner = middle[:, None, None]
    # change_t moves by before_t delta_{t-1} + here_t delta_t + after_t delta_{t+1}.
    before = left[:, :-1] * per[:-1] / inner
    here = -(left[:, 1:] * per[1:] + right[:, :-1] * per[:-1]) / inner
    after = right[:, 1:] * per[1:] / inner
    blocks = np.zeros((3, curves, frames, 3, 3))
    """Blocks 0, 1 and 2 below the diagonal, by the column they stand in."""
    blocks[0] = near[..., None, None] * np.eye(3)
    gradient = near[..., None] * away
    neighbours = (before, here, after)
    for i, moved_by in enumerate(neighbours):
        weighted = np.swapaxes(moved_by, -1, -2) * even[..., None, None]
        gradient[:, i : i + frames - 2] += (weighted @ change[..., None])[..., 0]
        for j in range(i + 1):
            blocks[i - j][:, j : j + frames - 2] += weighted @ neighbours[j]
    size = curves * frames * 3
    banded = np.zeros((9, curves * frames, 3))
    for offset in range(3):
        # No block reaches from one curve into the next: the last columns' blocks below the diagonal are zero.
        block = blocks[offset].reshape(-1, 3, 3)
        for a in range(3):
            for b in range(3):
                if 3 * offset + a - b >= 0:
                    banded[3 * offset + a - b, :, b] += block[:, a, b]
    return -solveh_banded(banded.reshape(9, size), gradient.ravel(), lower=True).reshape(curves, frames, 3)


def stretches(
    observed: Bool[np.ndarray, "time"], timestamps_s: Float[np.ndarray, "time"], gap_s: float
) -> list[Int[np.ndarray, "frame"]]:
    """Return frames from the first to the last observed one of each stretch without a gap longer than `gap_s`."""
    seen = np.flatnonzero(observed)
    cuts = np.flatnonzero(np.diff(timestamps_s[seen]) > gap_s) + 1
    return [np.arange(part[0], part[-1] + 1) for part in np.split(seen, cuts) if len(part)]
