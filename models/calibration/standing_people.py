"""Standing people as sticks between ankles and nose, and the camera that makes all of them upright on one floor."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from pydantic import BaseModel, ConfigDict, Field
from scipy.optimize import least_squares

from models.calibration.room_lines import angles_to_axes, line_segments
from models.config import Config, renamed
from models.geometry.camera import Camera, intrinsics_from_focal, normal_from_angles, pose_over_floor
from models.types import Person2D

"""Heights at which a stick is seen, besides the ankles."""
LEFT, RIGHT = np.array([0, 5, 11]), np.array([0, 6, 12])
"""Keypoints whose midpoint is the stick's mark at each level."""
ACROSS = np.array([0.25, 1.0])
"""Weights of image x and y: a body leans and its feet are apart, so across, a mark says little."""


class CalibrateConfig(Config):
    """What is assumed of people and lenses before anyone is seen."""

    nose_m: float = Field(1.51, gt=0.0)
    """Height of a standing adult's nose above the floor: 0.91 of the stature (between the chin's 0.87 and the eyes'
    0.936 of Drillis and Contini 1966) of a person of 1.66 m, between the world's women and men."""
    shoulder_share: float = 0.885
    """Height of the shoulder keypoints as a share of the nose's."""
    hip_share: float = 0.57
    """Height of the hip keypoints as a share of the nose's."""
    ankle_m: float = Field(0.10, gt=0.0)
    """Height of the ankle keypoints, metres: mean of a standing and a stepping foot."""
    stature_std: float = renamed("stature_spread", "stature_std", 0.065, gt=0.0)
    """Standard deviation of grown people's stature, as a share of the mean."""
    focal_std: float = renamed("focal_spread", "focal_std", 0.25, gt=0.0)
    """Standard deviation of the focal length about the image's width, as a share of it."""
    pitch_deg: float = 12.0
    """Mean of the prior over the camera's tilt below the horizon, degrees."""
    pitch_std_deg: float = renamed("pitch_spread_deg", "pitch_std_deg", 20.0, gt=0.0)
    """Standard deviation of that tilt, degrees."""
    roll_std_deg: float = renamed("roll_spread_deg", "roll_std_deg", 1.5, gt=0.0)
    """Standard deviation of the camera's roll about zero, degrees: cameras are mounted level."""
    line_std_deg: float = renamed("line_spread_deg", "line_std_deg", 0.5, gt=0.0)
    """Standard deviation, degrees, by which a line that runs along an axis of the room misses it: walls, lenses and
    carpenters are not exact."""
    min_line_length: float = renamed("shortest_line", "min_line_length", 0.045, gt=0.0, lt=1.0)
    """Length below which lines are not used, as a share of the image's width."""
    max_lines: int = renamed("most_lines", "max_lines", 150, ge=0)
    """Number of lines used, the longest ones; 0 leaves the room's lines out."""
    line_evidence: float = renamed("line_witnesses", "line_evidence", 30.0, gt=0.0)
    """All lines together count as no more than so many: a hundred parallels of one facade are one thing seen."""
    min_score: float = renamed("least_score", "min_score", 0.3, ge=0.0, le=1.0)
    """Keypoints scoring less are not used."""
    min_spacing_s: float = renamed("thin_s", "min_spacing_s", 0.15, ge=0.0)
    """Frames of one person closer than this in time, seconds, tell nothing new and are passed over."""
    bootstrap_replicates: int = renamed("replicates", "bootstrap_replicates", 40, ge=10)
    """Replicates of the bootstrap that the height's interval comes from."""
    max_frames: int = renamed("most_frames", "max_frames", 400, ge=10)
    """Standing frames used, evenly chosen where there are more: neighbours hardly add."""
    min_frames_per_clip: int = renamed("least_frames_alone", "min_frames_per_clip", 20, ge=3)
    """Standing frames from which one clip alone is asked for the height: how far clips agree is worth knowing."""
    seed: int = 0
    """Seed of the bootstrap."""


class UprightPeople(BaseModel):
    """Standing people, one row a person, frame and ankle."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)
    ankles_px: Float[np.ndarray, "row 2"]
    marks_px: Float[np.ndarray, "row 3 2"]
    """By nose, shoulders and hips."""
    weights: Float[np.ndarray, "row 3"]
    person: Int[np.ndarray, "row"]
    """One number per person and clip: each has a stature."""
    names: Int[np.ndarray, "person"]
    """Persons of one name in different clips may be one human being: their statures are drawn together."""
    block: Int[np.ndarray, "row"]
    """Two seconds of one clip: frames of one block are no independent evidence."""


def room_lines(
    config: CalibrateConfig,
    plate: UInt8[np.ndarray, "height width 3"] | None,
    valid: Bool[np.ndarray, "height width"] | None,
) -> Float[np.ndarray, "line 2 2"]:
    """Return end points of the room's lines in its plate, pixels; none without a plate."""
    if plate is None or config.max_lines == 0:
        return np.zeros((0, 2, 2))
    sound = np.ones(plate.shape[:2], dtype=bool) if valid is None else valid
    return line_segments(plate, sound, config.max_lines, config.min_line_length)


def find_upright_people(
    config: CalibrateConfig,
    tracks: Sequence[Sequence[Person2D]],
    timestamps_s: Sequence[Float[np.ndarray, "time"]],
    height_px: int,
) -> UprightPeople:
    """Find frames in which a person stands or walks upright with feet in view, judged in the image alone."""
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
                if times_s[t] - last < config.min_spacing_s:
                    continue
                last = times_s[t]
                xy, scores = person.keypoints_px[t], person.scores[t]
                size = np.linalg.norm((xy[5] + xy[6] - xy[15] - xy[16]) / 2.0)
                seen = np.minimum(scores[LEFT], scores[RIGHT]) >= config.min_score
                # Keypoints scatter with the size of the person: 2 % of the height of the body, hips (clicked anywhere
                # between waist and crotch) and a nose that nods or is guessed from behind more.
                std_px = size * np.array([0.03, 0.025, 0.04]) + 1.0
                for ankle in (15, 16):
                    # Each ankle for itself: one foot may be in the air, and the robust loss passes it over.
                    rows["ankles"].append(xy[ankle])
                    rows["marks"].append((xy[LEFT] + xy[RIGHT]) / 2.0)
                    rows["weights"].append(seen / std_px)
                    rows["person"].append(len(persons) - 1)
                    rows["block"].append(clip * 100_000 + int(times_s[t] / 2.0))
    # Both ankles of a frame are neighbouring rows and stay together.
    pairs = np.arange(len(rows["person"])).reshape(-1, 2)
    kept = pairs[
        np.unique(np.linspace(0, len(pairs) - 1, min(len(pairs), config.max_frames)).round().astype(int))
    ].ravel()
    return UprightPeople(
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
    seen = person.visible & (scores[:, need] >= config.min_score).all(1)
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


class Solver:
    """Parameters: log focal / width, pitch, roll, log height, log stature (relative) per person, yaw of the room."""

    def __init__(
        self,
        config: CalibrateConfig,
        sticks: UprightPeople,
        lines_px: Float[np.ndarray, "line 2 2"],
        width_px: int,
        height_px: int,
        intrinsics: Float[np.ndarray, "3 3"] | None,
    ):
        self.sticks, self.size, self.fixed, self.lines = sticks, (width_px, height_px), intrinsics, lines_px
        self.people = len(sticks.names)
        self.levels_m = config.nose_m * np.array([1.0, config.shoulder_share, config.hip_share])
        self.ankle_m = config.ankle_m
        pitch, pitch_std = np.radians(config.pitch_deg), np.radians(config.pitch_std_deg)
        roll = np.radians(config.roll_std_deg)
        # The prior of height is there for when nobody is seen: a camera hangs between the knee and the ceiling.
        self.prior_mean = np.concatenate([[0.0, pitch, 0.0, np.log(1.8)], np.zeros(self.people), [0.0]])
        statures = np.full(self.people, config.stature_std)
        # A yaw means nothing beyond a quarter turn; its prior only keeps the problem determined without lines.
        self.prior_std = np.concatenate([[config.focal_std, pitch_std, roll, 0.45], statures, [10.0]])
        self.line_weight = min(1.0, config.line_evidence / max(1, len(lines_px)))
        # An end of a segment is off by a pixel of the image that it was found in.
        length = np.linalg.norm(lines_px[:, 1] - lines_px[:, 0], axis=1)
        self.line_std = np.hypot(np.radians(config.line_std_deg), 2.0 * max(1.0, width_px / 640.0) / length)

    def camera(self, x: Float[np.ndarray, "parameter"]) -> Camera:
        """Return the camera that parameters stand for."""
        up = normal_from_angles(x[1], x[2])
        return Camera(self._intrinsics(x), *self.size, pose_over_floor(up, float(np.exp(x[3]))))

    def _intrinsics(self, x: Float[np.ndarray, "parameter"]) -> Float[np.ndarray, "3 3"]:
        width, height = self.size
        return intrinsics_from_focal(width * float(np.exp(x[0])), width, height) if self.fixed is None else self.fixed

    def draw(self, rng: np.random.Generator) -> Float[np.ndarray, "parameter"]:
        """Draw standard normal numbers for a prior mean, one stature a name; the yaw stays."""
        camera = rng.standard_normal(4)
        by_name = rng.standard_normal(int(self.sticks.names.max()) + 1 if self.people else 0)
        return np.concatenate([camera, by_name[self.sticks.names], [0.0]])

    def initial_parameters(self, rows: Int[np.ndarray, "drawn"]) -> list[Float[np.ndarray, "parameter"]]:
        """Return parameters to start from: what people alone say, and the tilts that the lines alone like best."""
        mean = self.prior_mean
        none = np.zeros(0, dtype=np.int64)
        apart = [np.r_[mean[0], pitch, mean[2:]] for pitch in np.radians([3.0, 12.0, 30.0])]
        people = self.solve(mean, rows, none, apart)
        if not len(self.lines):
            return [people]
        focals = [0.0] if self.fixed is not None else np.log([0.75, 0.9, 1.1, 1.3])
        by_pitch = []
        for pitch in np.radians(np.arange(-5.0, 65.0, 5.0)):
            tries = [
                np.r_[focal, pitch, 0.0, people[3:-1], yaw]
                for focal in focals
                for yaw in np.radians(np.arange(0.0, 90.0, 3.0))
            ]
            costs = [float((self._line_residuals(x, np.arange(len(self.lines))) ** 2).sum()) for x in tries]
            by_pitch.append((min(costs), tries[int(np.argmin(costs))]))
        by_pitch.sort(key=lambda pair: pair[0])
        yaws = [np.r_[people[:-1], yaw] for yaw in np.radians(np.arange(0.0, 90.0, 3.0))]
        costs = [float((self._line_residuals(x, np.arange(len(self.lines))) ** 2).sum()) for x in yaws]
        return [yaws[int(np.argmin(costs))], *(x for _, x in by_pitch[:3])]

    def solve(
        self,
        mean: Float[np.ndarray, "parameter"],
        rows: Int[np.ndarray, "drawn"],
        lines: Int[np.ndarray, "drawn_line"],
        starts: Sequence[Float[np.ndarray, "parameter"]],
        brief: bool = False,
    ) -> Float[np.ndarray, "parameter"]:
        """Return the most probable parameters under a prior about `mean`; `brief` is for starts that are nearly
        right."""
        solutions = [
            least_squares(
                self._residuals,
                x0,
                self._jacobian,  # pyright: ignore[reportArgumentType]  (scipy's stubs know the names of schemes only)
                args=(mean, rows, lines),
                x_scale=self.prior_std,
                max_nfev=8 if brief else 40,
                ftol=1e-4 if brief else 1e-8,
            )
            for x0 in starts
        ]
        return min(solutions, key=lambda result: result.cost).x

    def line_deviations(self, x: Float[np.ndarray, "parameter"]) -> Float[np.ndarray, "line"]:
        """Return by how many standard deviations each line misses the nearest axis of the room."""
        up = normal_from_angles(x[1], x[2])
        return angles_to_axes(self.lines, self._intrinsics(x), up, float(x[-1])) / self.line_std

    def _line_residuals(
        self, x: Float[np.ndarray, "parameter"], lines: Int[np.ndarray, "drawn_line"]
    ) -> Float[np.ndarray, "drawn_line"]:
        return np.sqrt(self.line_weight * np.log1p(self.line_deviations(x)[lines] ** 2))  # Cauchy's loss

    def _reprojection_errors(
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

    def _people_residuals(
        self, x: Float[np.ndarray, "parameter"], rows: Int[np.ndarray, "drawn"]
    ) -> Float[np.ndarray, "residual"]:
        # The body leans and the feet are apart: across, a mark says little, along the body much.
        misses = self._reprojection_errors(x, rows) * self.sticks.weights[rows][..., None] * ACROSS
        norm = np.linalg.norm(misses, axis=-1, keepdims=True)
        # Cauchy's loss on the distance, as a factor on the residual; neighbouring frames share their errors, so one
        # row counts a fifth of one observation.
        factor = np.sqrt(np.log1p(norm**2) / np.maximum(norm**2, 1e-12) / 5.0)
        return (misses * factor).ravel()

    def _residuals(
        self,
        x: Float[np.ndarray, "parameter"],
        mean: Float[np.ndarray, "parameter"],
        rows: Int[np.ndarray, "drawn"],
        lines: Int[np.ndarray, "drawn_line"],
    ) -> Float[np.ndarray, "residual"]:
        prior = (x - mean) / self.prior_std
        people = self._people_residuals(x, rows) if len(rows) else np.zeros(0)
        return np.concatenate([people, self._line_residuals(x, lines), prior])

    def _jacobian(
        self,
        x: Float[np.ndarray, "parameter"],
        mean: Float[np.ndarray, "parameter"],
        rows: Int[np.ndarray, "drawn"],
        lines: Int[np.ndarray, "drawn_line"],
    ) -> Float[np.ndarray, "residual parameter"]:
        """Forward differences; all statures in one, since a row depends on its own person's alone."""
        step, seen = 1e-6, 6 * len(rows)
        here = self._residuals(x, mean, rows, lines)[: seen + len(lines)]
        J = np.zeros((len(here) + len(x), len(x)))
        J[len(here) :] = np.diag(1.0 / self.prior_std)
        for column in (0, 1, 2, 3, len(x) - 1):
            moved = x.copy()
            moved[column] += step
            J[: len(here), column] = (self._residuals(moved, mean, rows, lines)[: len(here)] - here) / step
        if seen:
            moved = x.copy()
            moved[4:-1] += step
            taller = (self._people_residuals(moved, rows) - here[:seen]) / step
            J[np.arange(seen), 4 + np.repeat(self.sticks.person[rows], 6)] = taller
        return J

    def quality(self, x: Float[np.ndarray, "parameter"]) -> tuple[float, float]:
        """Return the median vertical error of the heads, pixels, and the condition number of what people and lines
        say of pitch and height."""
        rows, lines = np.arange(len(self.sticks.person)), np.arange(len(self.lines))
        if not len(rows):
            return 0.0, float("inf")
        misses = np.abs(self._reprojection_errors(x, rows)[..., 1])
        weights = self.sticks.weights
        heads = misses[:, 0][weights[:, 0] > 0] if (weights[:, 0] > 0).any() else misses[weights > 0]

        def data(y: Float[np.ndarray, "2"]) -> Float[np.ndarray, "residual"]:
            moved = x.copy()
            moved[[1, 3]] = y
            people = (self._reprojection_errors(moved, rows) * weights[..., None] * ACROSS).ravel()
            return np.concatenate([people, self._line_residuals(moved, lines)])

        step = 1e-4
        here = x[[1, 3]]
        J = np.stack([(data(here + step * e) - data(here - step * e)) / (2 * step) for e in np.eye(2)], axis=-1)
        return float(np.median(heads)), float(np.linalg.cond(J))
