"""A fixed camera's height, tilt and focal length from the people it saw standing and walking. FACTS, "Calibrating a room".

In: the 2D tracks of all clips of one camera. Out: a `Calibration` with the world of DESIGN §2 and a 95 % interval of the
camera's height. Each standing person is a vertical stick of known proportions: the floor point under the ankles, raised to
the height of nose, shoulders and hips, must project onto them. Solved robustly for focal length, pitch, roll, height and
one stature per person, with priors on all but pitch and height; the scale of the whole comes from the stature assumed.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from pydantic import BaseModel, ConfigDict, Field
from scipy.optimize import least_squares

from pipeline.camera import Camera, intrinsics_from_focal, normal_from_angles, pose_over_floor
from pipeline.types import Calibration, Person2D

VERSION = 2
LEVELS = ("nose", "shoulders", "hips")
LEFT, RIGHT = np.array([0, 5, 11]), np.array([0, 6, 12])
"""Keypoints whose midpoint is the stick's mark at each level."""
ACROSS = np.array([0.25, 1.0])
"""Weights of image x and y."""

VERSION = 2


class CalibrateConfig(BaseModel):
    """What is assumed of people and lenses before anyone is seen."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    nose_m: float = Field(1.58, gt=0.0)
    """Height of a standing adult's nose above the floor: the mean of grown people."""
    shoulder_share: float = 0.87
    """Height of the shoulder keypoints as a share of the nose's."""
    hip_share: float = 0.567
    ankle_m: float = Field(0.08, gt=0.0)
    stature_spread: float = Field(0.065, gt=0.0)
    """Standard deviation of grown people's stature, as a share of the mean."""
    focal_spread: float = Field(0.25, gt=0.0)
    """Of the focal length about the image's width, as a share."""
    pitch_deg: float = 12.0
    pitch_spread_deg: float = Field(20.0, gt=0.0)
    roll_spread_deg: float = Field(1.5, gt=0.0)
    least_score: float = Field(0.3, ge=0.0, le=1.0)
    """Keypoints scoring less are not used."""
    thin_s: float = Field(0.15, ge=0.0)
    """Frames of one person closer than this in time tell nothing new."""
    replicates: int = Field(40, ge=10)
    """Of the bootstrap."""
    most_frames: int = Field(400, ge=10)
    """Standing frames used, evenly chosen where there are more: neighbours hardly add."""
    seed: int = 0


class Sticks(BaseModel):
    """Standing people, one row a person, frame and ankle."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)
    ankles_px: Float[np.ndarray, "row 2"]
    marks_px: Float[np.ndarray, "row 3 2"]
    """By LEVELS."""
    weights: Float[np.ndarray, "row 3"]
    person: Int[np.ndarray, "row"]
    """One number per person and clip: each has a stature."""
    names: Int[np.ndarray, "person"]
    """Persons of one name in different clips may be one human being: their statures are drawn together."""
    block: Int[np.ndarray, "row"]
    """Two seconds of one clip: frames of one block are no independent witnesses."""


def run(
    config: CalibrateConfig,
    tracks: Sequence[Sequence[Person2D]],
    timestamps_s: Sequence[Float[np.ndarray, "time"]],
    width_px: int,
    height_px: int,
    intrinsics: Float[np.ndarray, "3 3"] | None = None,
) -> Calibration:
    """Calibrate one camera from the people of all its clips; `intrinsics`, where given, are held fixed.

    Every person of every clip has a stature of their own, but people of the same name in different clips may be one human
    being, so the interval lets statures differ between names only. Where nobody stood up straight the result is the prior, `method` says so, and the interval is wide.
    """
    sticks = standing_sticks(config, tracks, timestamps_s, height_px)
    solver = _Solver(config, sticks, width_px, height_px, intrinsics)
    best = solver.solve(solver.prior_mean, np.arange(len(sticks.person)))
    rng = np.random.default_rng(config.seed)
    heights = []
    for _ in range(config.replicates):
        # Randomise, then optimise: blocks are drawn anew and so are the prior's means, so that what the data does not
        # determine spreads as far as the prior allows.
        blocks = np.unique(sticks.block)
        drawn = rng.choice(blocks, size=len(blocks)) if len(blocks) else blocks
        rows = np.concatenate([np.flatnonzero(sticks.block == b) for b in drawn] or [np.zeros(0, dtype=int)])
        mean = solver.prior_mean + solver.prior_spread * solver.draw(rng)
        heights.append(float(np.exp(solver.solve(mean, rows, start=best)[3])))
    camera = solver.camera(best)
    low, high = (float(v) for v in np.quantile(heights, [0.025, 0.975]))
    low, high = min(low, camera.height_m), max(high, camera.height_m)
    residual, condition = solver.quality(best)
    used = len(sticks.person) // 2
    return Calibration(camera, "people" if used >= 3 else "prior", (low, high), residual, used, condition)


def standing_sticks(
    config: CalibrateConfig,
    tracks: Sequence[Sequence[Person2D]],
    timestamps_s: Sequence[Float[np.ndarray, "time"]],
    height_px: int,
) -> Sticks:
    """Frames in which a person stands or walks upright with feet in view, judged in the image alone."""
    names: dict[str, int] = {}
    persons: list[int] = []
    rows: dict[str, list] = {"ankles": [], "marks": [], "weights": [], "person": [], "block": []}
    for clip, (people, times_s) in enumerate(zip(tracks, timestamps_s, strict=True)):
        for person in people:
            upright = _upright(config, person, height_px)
            if not upright.any():
                continue
            persons.append(names.setdefault(person.person, len(names)))
            last = -np.inf
            for t in np.flatnonzero(upright):
                if times_s[t] - last < config.thin_s:
                    continue
                last = times_s[t]
                xy, scores = person.keypoints_px[t], person.scores[t]
                size = np.linalg.norm((xy[5] + xy[6] - xy[15] - xy[16]) / 2.0)
                seen = np.minimum(scores[LEFT], scores[RIGHT]) >= config.least_score
                # Keypoints scatter with the size of the person: 2 % of the height of the body, hips (clicked anywhere
                # between waist and crotch) and a nose that nods or is guessed from behind more.
                spread = size * np.array([0.03, 0.025, 0.04]) + 1.0
                for ankle in (15, 16):
                    # Each ankle for itself: one foot may be in the air, and the robust loss passes it over.
                    rows["ankles"].append(xy[ankle])
                    rows["marks"].append((xy[LEFT] + xy[RIGHT]) / 2.0)
                    rows["weights"].append(seen / spread)
                    rows["person"].append(len(persons) - 1)
                    rows["block"].append(clip * 100_000 + int(times_s[t] / 2.0))
    # Both ankles of a frame are neighbouring rows and stay together.
    pairs = np.arange(len(rows["person"])).reshape(-1, 2)
    kept = pairs[
        np.unique(np.linspace(0, len(pairs) - 1, min(len(pairs), config.most_frames)).round().astype(int))
    ].ravel()
    return Sticks(
        ankles_px=np.array(rows["ankles"]).reshape(-1, 2)[kept],
        marks_px=np.array(rows["marks"]).reshape(-1, 3, 2)[kept],
        weights=np.array(rows["weights"], dtype=np.float64).reshape(-1, 3)[kept],
        person=np.array(rows["person"], dtype=np.int64)[kept],
        names=np.array(persons, dtype=np.int64),
        block=np.array(rows["block"], dtype=np.int64)[kept],
    )


def _upright(config: CalibrateConfig, person: Person2D, height_px: int) -> np.ndarray:
    """Whether the person stands or walks upright, per frame."""
    xy, scores = person.keypoints_px, person.scores
    need = np.array([5, 6, 11, 12, 13, 14, 15, 16])
    seen = person.visible & (scores[:, need] >= config.least_score).all(1)
    shoulders, hips, ankles = ((xy[:, a] + xy[:, b]) / 2.0 for a, b in ((5, 6), (11, 12), (15, 16)))
    trunk, legs, whole = shoulders - hips, hips - ankles, shoulders - ankles
    length = [np.linalg.norm(v, axis=-1) + 1e-6 for v in (trunk, legs, whole)]
    # Hips to ankles is 1.5 to 1.7 trunks when standing, 1.2 seen from high above; less is sitting or squatting.
    proportion = length[1] / length[0]
    straight = np.einsum("ti,ti->t", trunk, legs) / (length[0] * length[1]) > np.cos(np.radians(15.0))
    vertical = -whole[:, 1] / length[2] > np.cos(np.radians(20.0))
    knees = np.ones(len(xy), dtype=bool)
    for hip, knee, ankle in ((11, 13, 15), (12, 14, 16)):
        thigh, shank = xy[:, hip] - xy[:, knee], xy[:, knee] - xy[:, ankle]
        long, short = np.linalg.norm(thigh, axis=-1) + 1e-6, np.linalg.norm(shank, axis=-1) + 1e-6
        knees &= np.einsum("ti,ti->t", thigh, shank) / (long * short) > np.cos(np.radians(35.0))
        # Somebody who sits facing the camera has straight legs in the image, but short thighs.
        knees &= long / short > 0.75
    # Wide steps lower the body and lift a heel.
    stride = np.linalg.norm(xy[:, 15] - xy[:, 16], axis=-1) < 0.35 * length[2]
    inside = np.maximum(xy[:, 15, 1], xy[:, 16, 1]) < height_px * 0.985
    return seen & straight & vertical & knees & stride & inside & (proportion > 1.05) & (proportion < 2.3)


class _Solver:
    """Parameters: log focal / width, pitch, roll, log height, log stature (relative) per person."""

    def __init__(
        self,
        config: CalibrateConfig,
        sticks: Sticks,
        width_px: int,
        height_px: int,
        intrinsics: Float[np.ndarray, "3 3"] | None,
    ):
        self.sticks, self.size, self.fixed = sticks, (width_px, height_px), intrinsics
        self.people = len(sticks.names)
        self.levels_m = config.nose_m * np.array([1.0, config.shoulder_share, config.hip_share])
        self.ankle_m = config.ankle_m
        pitch, spread = np.radians(config.pitch_deg), np.radians(config.pitch_spread_deg)
        roll = np.radians(config.roll_spread_deg)
        # The prior of height is there for when nobody is seen: a camera hangs between the knee and the ceiling.
        self.prior_mean = np.concatenate([[0.0, pitch, 0.0, np.log(1.8)], np.zeros(self.people)])
        statures = np.full(self.people, config.stature_spread)
        self.prior_spread = np.concatenate([[config.focal_spread, spread, roll, 0.45], statures])

    def camera(self, x: Float[np.ndarray, "parameter"]) -> Camera:
        width, height = self.size
        K = intrinsics_from_focal(width * float(np.exp(x[0])), width, height) if self.fixed is None else self.fixed
        return Camera(K, width, height, pose_over_floor(normal_from_angles(x[1], x[2]), float(np.exp(x[3]))))

    def draw(self, rng: np.random.Generator) -> Float[np.ndarray, "parameter"]:
        """Standard normal numbers for a prior mean, one stature a name."""
        camera = rng.standard_normal(4)
        by_name = rng.standard_normal(int(self.sticks.names.max()) + 1 if self.people else 0)
        return np.concatenate([camera, by_name[self.sticks.names]])

    def solve(
        self,
        mean: Float[np.ndarray, "parameter"],
        rows: Int[np.ndarray, "drawn"],
        start: Float[np.ndarray, "parameter"] | None = None,
    ) -> Float[np.ndarray, "parameter"]:
        """Most probable parameters under a prior about `mean`."""
        starts = [start] if start is not None else [np.r_[mean[0], p, mean[2:]] for p in np.radians([3.0, 12.0, 30.0])]
        evaluations, tolerance = (40, 1e-8) if start is None else (8, 1e-4)
        found = [
            least_squares(
                self._residuals,
                x0,
                self._jacobian,  # pyright: ignore[reportArgumentType]  (scipy's stubs know the names of schemes only)
                args=(mean, rows),
                x_scale=self.prior_spread,
                max_nfev=evaluations,
                ftol=tolerance,
            )
            for x0 in starts
        ]
        return min(found, key=lambda result: result.cost).x

    def _misses(
        self, x: Float[np.ndarray, "parameter"], rows: Int[np.ndarray, "drawn"]
    ) -> Float[np.ndarray, "drawn 3 2"]:
        """Seen minus predicted marks, pixels."""
        camera = self.camera(x)
        K, R, h = camera.intrinsics, camera.T_world_camera[:3, :3], camera.height_m
        sticks = self.sticks
        rays = np.column_stack([sticks.ankles_px[rows], np.ones(len(rows))]) @ np.linalg.inv(K).T @ R.T
        # The ankles' own height over the floor; rays at the horizon would send people to infinity.
        down = np.minimum(rays[:, 2], -1e-3)
        feet = -rays[:, :2] * ((h - self.ankle_m) / down)[:, None]
        levels = np.exp(x[4 + sticks.person[rows]])[:, None] * self.levels_m
        marks = np.concatenate([np.repeat(feet[:, None], 3, axis=1), levels[..., None] - h], axis=-1) @ R
        predicted = (marks @ K.T)[..., :2] / np.maximum(marks[..., 2:], 0.05)
        return sticks.marks_px[rows] - predicted

    def _residuals(
        self, x: Float[np.ndarray, "parameter"], mean: Float[np.ndarray, "parameter"], rows: Int[np.ndarray, "drawn"]
    ) -> Float[np.ndarray, "residual"]:
        prior = (x - mean) / self.prior_spread
        if not len(rows):
            return prior
        # The body leans and the feet are apart: across, a mark says little, along the body much.
        misses = self._misses(x, rows) * self.sticks.weights[rows][..., None] * ACROSS
        norm = np.linalg.norm(misses, axis=-1, keepdims=True)
        # Cauchy's loss on the distance, as a factor on the residual; neighbouring frames share their errors, so one
        # row counts a fifth of a witness.
        factor = np.sqrt(np.log1p(norm**2) / np.maximum(norm**2, 1e-12) / 5.0)
        return np.concatenate([(misses * factor).ravel(), prior])

    def _jacobian(
        self, x: Float[np.ndarray, "parameter"], mean: Float[np.ndarray, "parameter"], rows: Int[np.ndarray, "drawn"]
    ) -> Float[np.ndarray, "residual parameter"]:
        """Forward differences; all statures in one, since a row depends on its own person's alone."""
        step, seen = 1e-6, 6 * len(rows)
        here = self._residuals(x, mean, rows)[:seen]
        J = np.zeros((seen + len(x), len(x)))
        J[seen:] = np.diag(1.0 / self.prior_spread)
        if not seen:
            return J
        for column in range(4):
            moved = x.copy()
            moved[column] += step
            J[:seen, column] = (self._residuals(moved, mean, rows)[:seen] - here) / step
        moved = x.copy()
        moved[4:] += step
        taller = (self._residuals(moved, mean, rows)[:seen] - here) / step
        J[np.arange(seen), 4 + np.repeat(self.sticks.person[rows], 6)] = taller
        return J

    def quality(self, x: Float[np.ndarray, "parameter"]) -> tuple[float, float]:
        """Median vertical miss of the heads, pixels, and the condition number of what the data alone says of pitch and height."""
        rows = np.arange(len(self.sticks.person))
        if not len(rows):
            return 0.0, float("inf")
        misses = np.abs(self._misses(x, rows)[..., 1])
        weights = self.sticks.weights
        heads = misses[:, 0][weights[:, 0] > 0] if (weights[:, 0] > 0).any() else misses[weights > 0]

        def data(y: Float[np.ndarray, "2"]) -> Float[np.ndarray, "residual"]:
            moved = x.copy()
            moved[[1, 3]] = y
            return (self._misses(moved, rows) * weights[..., None] * ACROSS).ravel()

        step = 1e-4
        here = x[[1, 3]]
        J = np.stack([(data(here + step * e) - data(here - step * e)) / (2 * step) for e in np.eye(2)], axis=-1)
        return float(np.median(heads)), float(np.linalg.cond(J))
