"""A fixed camera's height, tilt and focal length from the people it saw and the straight lines of the room.

In: the 2D tracks of all clips of one camera, and its background plate. Out: a `Calibration` with the world of DESIGN §2
and a 95 % interval of the camera's height. Each standing person is a vertical stick of known proportions: the floor
point under the ankles, raised to the height of nose, shoulders and hips, must project onto them. The room's lines run
along three axes, one of them upright (`models.calibration.room_lines`): they fix tilt and focal length, the people the
height. Solved together and robustly for focal length, pitch, roll, height, the room's yaw and one stature per person,
with priors on all but height and yaw; the scale of the whole comes from the stature assumed.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, UInt8

from models.calibration.standing_people import CalibrateConfig, Solver, find_upright_people, room_lines
from models.cluster_bootstrap import clusters_of, resample
from models.types import Calibration, Person2D

VERSION = 6


def run(
    config: CalibrateConfig,
    tracks: Sequence[Sequence[Person2D]],
    timestamps_s: Sequence[Float[np.ndarray, "time"]],
    width_px: int,
    height_px: int,
    intrinsics: Float[np.ndarray, "3 3"] | None = None,
    plate: UInt8[np.ndarray, "height width 3"] | None = None,
    plate_valid: Bool[np.ndarray, "height width"] | None = None,
) -> Calibration:
    """Calibrate one camera from the people of all its clips and the lines of its plate; `intrinsics`, if given, are
    fixed.

    `plate_valid` marks what of the plate was seen, not painted in.

    Every person of every clip has a stature of their own, but people of the same name in different clips may be one
    human being, so the interval lets statures differ between names only. Where nobody stood up straight the height is
    the prior's, `method` says so, and the interval is wide.
    """
    sticks = find_upright_people(config, tracks, timestamps_s, height_px)
    lines = room_lines(config, plate, plate_valid)
    solver = Solver(config, sticks, lines, width_px, height_px, intrinsics)
    everyone, every_line = np.arange(len(sticks.person)), np.arange(len(lines))
    best = solver.solve(solver.prior_mean, everyone, every_line, solver.initial_parameters(everyone))
    rng = np.random.default_rng(config.seed)
    blocks, heights = clusters_of(sticks.block, np.unique(sticks.block)), []
    for _ in range(config.bootstrap_replicates):
        # Randomise, then optimise: blocks are drawn anew and so are the prior's means, so that what the data does not
        # determine spreads as far as the prior allows.
        rows = resample([blocks], rng)
        mean = solver.prior_mean + solver.prior_std * solver.draw(rng)
        drawn_lines = resample([clusters_of(every_line)], rng)
        heights.append(float(np.exp(solver.solve(mean, rows, drawn_lines, [best], brief=True)[3])))
    camera = solver.camera(best)
    low, high = (float(v) for v in np.quantile(heights, [0.025, 0.975]))
    low, high = min(low, camera.height_m), max(high, camera.height_m)
    residual, condition = solver.quality(best)
    used = len(sticks.person) // 2
    followed = int((solver.line_deviations(best) < 2.0).sum())
    method = "people" if used >= 3 else "prior"
    return Calibration(camera, method, (low, high), residual, used, condition, followed)


def heights_by_clip(
    config: CalibrateConfig,
    tracks: Sequence[Sequence[Person2D]],
    timestamps_s: Sequence[Float[np.ndarray, "time"]],
    width_px: int,
    height_px: int,
    intrinsics: Float[np.ndarray, "3 3"] | None = None,
    plate: UInt8[np.ndarray, "height width 3"] | None = None,
    plate_valid: Bool[np.ndarray, "height width"] | None = None,
) -> list[float | None]:
    """Estimate the camera's height by each clip's people alone, metres; None for clips with too few standing frames."""
    lines = room_lines(config, plate, plate_valid)
    heights: list[float | None] = []
    for people, times_s in zip(tracks, timestamps_s, strict=True):
        sticks = find_upright_people(config, [people], [times_s], height_px)
        if len(sticks.person) // 2 < config.min_frames_per_clip:
            heights.append(None)
            continue
        solver = Solver(config, sticks, lines, width_px, height_px, intrinsics)
        everyone = np.arange(len(sticks.person))
        best = solver.solve(solver.prior_mean, everyone, np.arange(len(lines)), solver.initial_parameters(everyone))
        heights.append(float(np.exp(best[3])))
    return heights
