"""People in 3D: one SMPL motion per person in the room's world, from 2D keypoints. Thesis §5.3, DESIGN §4 people3d.

In: the people of each clip, true timestamps, the room's calibrated camera, the body. Out: one `PersonTrack` per person
who could be lifted, and metrics of quality. A regressor says where and how everyone is; that, or whichever posture of a
library (models/people3d/fitting/initialisation.py) explains the keypoints better, is where all frames are optimised
from at once (models/people3d/fitting/windows.py). The choice of postures is made for the whole clip at once, however
long it is.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float, Int, UInt8
from pydantic import Field
from scipy.spatial.transform import Rotation

from models.body.model import BodyModel
from models.config import Config, renamed
from models.geometry.camera import Camera
from models.geometry.transforms import invert
from models.people3d.fitting.fit import Fit, fit_feet, fit_keypoints, rest_pelvis, upright_frames
from models.people3d.fitting.initialisation import usable
from models.people3d.fitting.observations import Observation
from models.people3d.fitting.windows import PiecewiseConfig, fit_at, fit_motions
from models.people3d.interpenetration import InterpenetrationConfig, resolve_interpenetration
from models.people3d.keypoint_lifter import KeypointRegressor, load_pose_lift, pose_lift_digest
from models.people3d.plausibility import PlausibilityConfig, failure_reasons, measure_plausibility
from models.people3d.pose_prior import load_pose_prior, pose_prior_digest
from models.people3d.regressor import Regression, Regressor
from models.types import Person2D, PersonTrack, SupportSurface

VERSION = 10

Frames = Callable[[Int[np.ndarray, "wanted"]], Iterable[UInt8[np.ndarray, "height width 3"]]]
"""Undistorted images of the frames with these numbers."""


class Keypoints(Config):
    """Regression from 2D keypoints over time (models/people3d/keypoint_lifter.py)."""

    kind: Literal["keypoints"] = "keypoints"
    path: str = "starter"
    """Folder of a network, or `starter`."""


class Crops(Config):
    """Regression from crops of the frames, each alone (models/people3d/hmr.py)."""

    kind: Literal["hmr"] = "hmr"
    path: str
    """Folder of a network that `careclips train hmr` or `careclips train convert-hmr` made."""
    device: str = "cpu"
    """Where the network runs, as torch names it."""
    flip: bool = True
    """Average with the answer to the mirrored crop: more exact at twice the cost."""


class People3DConfig(PiecewiseConfig):
    """How people are lifted."""

    variant: Literal["regress", "optimise", "hybrid"] = "hybrid"
    """What a regressor says as it is; a fit that starts from a library of postures; or one that starts from the
    regressor."""
    regressor: Annotated[Keypoints | Crops, Field(discriminator="kind")] = Keypoints()
    """What says where and how everyone is; not read by `optimise`."""
    pose_prior: str = "starter"
    """Folder of a pose prior, or `starter`; read only where `fit.pose_prior` gives it a weight."""
    min_score: float = renamed("least_score", "min_score", 0.15, ge=0.0, le=1.0)
    """Keypoints scoring less do not pull."""
    min_metric_score: float = renamed("judged_score", "min_metric_score", 0.3, ge=0.0, le=1.0)
    """Keypoints scoring at least this count in the metrics of quality; chosen before fitting."""
    min_frames: int = renamed("least_frames", "min_frames", 5, ge=1)
    """People placed in fewer frames are dropped, and counted."""
    plausibility: PlausibilityConfig = renamed(
        "world", "plausibility", PlausibilityConfig(max_float_m=1.0, max_foot_skate_cm_s=50.0)
    )
    """What a track may do before it is dropped. Beds and chairs may not be known, so resting above the floor is
    allowed. On 63 real clips far walkers slid up to 45 cm/s, and what was nobody from 52 on."""
    max_depth_ratio: float = renamed("most_behind", "max_depth_ratio", 1.35, gt=1.0)
    """Who is so many times as far away as the room's depth (and 0.3 m more) is no person in the room."""
    separation: InterpenetrationConfig = InterpenetrationConfig()
    """How people who share space are moved apart."""
    clips_at_once: int = Field(1, ge=1)
    """Clips whose people are optimised together: worth it on a GPU (`fit.device`), together with `fit.frames_at_once`.
    """


@dataclass(frozen=True)
class Clip:
    """What is known of one clip."""

    people: Sequence[Person2D]
    timestamps_s: Float[np.ndarray, "time"]
    camera: Camera
    frames: Frames | None = None
    """Gives the undistorted images of frame numbers, in order; only a regressor that looks at crops asks for them."""
    supports: Sequence[SupportSurface] = ()
    """Tops of furniture that people sit, lie and land on, and do not pass through."""
    depth: Float[np.ndarray, "height width"] | None = None
    """The empty room's, beyond which nobody is."""


def run(config: People3DConfig, clips: Sequence[Clip], body: BodyModel) -> list[tuple[list[PersonTrack], dict]]:
    """Lift everyone of some clips, all in one optimisation in which nobody sees the others, and then move those of
    each clip apart who share space (models/people3d/interpenetration.py). Clip by clip or all at once, the motion is
    the same up to rounding.

    The metrics of a clip hold, over all its people: median reprojection (pixels, and as a share of the box's longer
    side) of keypoints scoring at least `min_metric_score`, the share of frames in view whose median is at most 10 px,
    each person's stature, the median distance of the lower foot from the floor in standing frames (None where nobody
    stands), each person's foot skate, sinking and floating (`models.people3d.plausibility`), who overlapped whom, and
    who was dropped and why.
    """
    regressor = None if config.variant == "optimise" else load_regressor(config, body)
    found = [_candidates(config, clip, regressor) for clip in clips]
    fits = iter(_fits(config, [candidate for own, _ in found for candidate in own], body))
    return [
        _placed(config, clip, [(candidate, next(fits)) for candidate in own], dropped, body)
        for clip, (own, dropped) in zip(clips, found, strict=True)
    ]


@dataclass(frozen=True)
class _Candidate:
    """One person in the frames in which enough of them is seen."""

    person: Person2D
    frames: Int[np.ndarray, "observed"]
    observation: Observation
    """In those frames."""
    regression: Regression | None


def _placed(
    config: People3DConfig, clip: Clip, fitted: Sequence[tuple[_Candidate, Fit]], dropped: list[dict], body: BodyModel
) -> tuple[list[PersonTrack], dict]:
    """The tracks of one clip and its metrics, from what was found of everyone."""
    times, camera = clip.timestamps_s, clip.camera
    tracks, lifted = [], []
    for candidate, fit in fitted:
        track = _track(candidate.person, fit, candidate.frames, times)
        world = measure_plausibility(body, track, times, config.plausibility)
        failed = failure_reasons(world, config.plausibility) + _elsewhere(
            config, candidate, fit, camera, body, clip.depth
        )
        if failed:
            dropped.append({"person": candidate.person.person, "reason": "; ".join(failed)})
            continue
        tracks.append(track)
        lifted.append((candidate, fit))
    overlaps = []
    if config.variant != "regress":
        tracks, overlaps = resolve_interpenetration(
            config.separation, body, tracks, times, camera.T_world_camera[:2, 3]
        )
    judged = []
    for track, (candidate, fit) in zip(tracks, lifted, strict=True):
        world = measure_plausibility(body, track, times, config.plausibility)
        placed = replace(fit, transl=track.transl[candidate.frames])
        judged.append(_judge(config, candidate, placed, camera, body) | {"world": asdict(world)})
    return tracks, _metrics(judged, dropped) | {"overlaps": [asdict(overlap) for overlap in overlaps]}


def load_regressor(config: People3DConfig, body: BodyModel) -> Regressor:
    """Load the regressor that a config names; InputError where it cannot be loaded."""
    named = config.regressor
    if isinstance(named, Keypoints):
        return KeypointRegressor(load_pose_lift(named.path), body)
    from models.people3d.hmr import HmrRegressor
    from models.people3d.hmr_network import load_hmr

    return HmrRegressor(load_hmr(named.path, named.device), body, flip=named.flip)


def weight_digests(config: People3DConfig) -> dict[str, str]:
    """Return the digest of each network that `run` reads, by its role; InputError where a file is missing."""
    digests = {}
    if config.variant != "regress" and config.fit.pose_prior > 0.0:
        digests["pose_prior"] = pose_prior_digest(config.pose_prior)
    if config.variant != "optimise":
        if isinstance(config.regressor, Keypoints):
            digests["regressor"] = pose_lift_digest(config.regressor.path)
        else:
            from models.people3d.hmr_network import hmr_digest

            digests["regressor"] = hmr_digest(config.regressor.path)
    return digests


def _candidates(config: People3DConfig, clip: Clip, regressor: Regressor | None) -> tuple[list[_Candidate], list[dict]]:
    """Who can be lifted, with what the regressor says of them; and who cannot, and why."""
    found, dropped = [], []
    for person in clip.people:
        weights = np.where(person.scores >= config.min_score, person.scores, 0.0) * person.visible[:, None]
        rows = np.flatnonzero(usable(weights, config.min_score))
        if len(rows) < config.min_frames:
            dropped.append({"person": person.person, "reason": f"placed in {len(rows)} frames only"})
            continue
        observation = Observation(
            person.keypoints_px[rows], weights[rows], clip.timestamps_s[rows], clip.camera, clip.supports
        )
        regression = None
        if regressor is not None:
            images = clip.frames(rows) if regressor.reads_frames and clip.frames is not None else ()
            regression = regressor.regress(
                observation.keypoints_px,
                observation.weights,
                person.boxes_px[rows],
                observation.timestamps_s,
                clip.camera,
                images,
            )
        found.append(_Candidate(person, rows, observation, regression))
    return found, dropped


def _fits(config: People3DConfig, found: Sequence[_Candidate], body: BodyModel) -> list[Fit]:
    """Take the regressions, fit, or both."""
    if config.variant == "regress":
        return [_as_regressed(body, candidate.regression) for candidate in found if candidate.regression is not None]
    prior = load_pose_prior(config.pose_prior) if config.fit.pose_prior > 0.0 else None
    return fit_motions(
        config,
        [candidate.observation for candidate in found],
        [candidate.regression for candidate in found],
        body,
        prior,
    )


def _as_regressed(body: BodyModel, regression: Regression) -> Fit:
    transl = regression.pelvis - rest_pelvis(body, regression.betas)
    return Fit(regression.betas, np.zeros(3), regression.global_orient, regression.body_pose, transl, float("nan"))


def _track(
    person: Person2D, fit: Fit, frames: Int[np.ndarray, "observed"], timestamps_s: Float[np.ndarray, "time"]
) -> PersonTrack:
    """The motion on all frames of the clip: unobserved ones bridged, and trusted less the farther from an observed
    one."""
    whole = fit_at(fit, timestamps_s[frames], timestamps_s)
    visible = np.zeros(len(timestamps_s), dtype=bool)
    visible[frames] = True
    after = np.searchsorted(frames, np.arange(len(timestamps_s)))
    sides = np.stack([frames[np.maximum(after - 1, 0)], frames[np.minimum(after, len(frames) - 1)]])
    distances = np.abs(timestamps_s[sides] - timestamps_s)
    away, nearest = distances.min(axis=0), np.where(distances[0] <= distances[1], *sides)
    score = person.scores.mean(axis=1)[nearest]
    confidence = np.where(visible, score, 0.5 * score * np.exp(-away / 0.5))
    return PersonTrack(
        person=person.person,
        role=person.role,
        betas=fit.betas.astype(np.float64),
        global_orient=Rotation.from_matrix(whole.global_orient).as_rotvec(),
        body_pose=whole.body_pose,
        transl=whole.transl,
        visible=visible,
        confidence=np.clip(confidence, 0.0, 1.0),
    )


def _elsewhere(
    config: People3DConfig,
    found: _Candidate,
    fit: Fit,
    camera: Camera,
    body: BodyModel,
    depth: Float[np.ndarray, "height width"] | None,
) -> list[str]:
    """Why somebody is not in the room, in words: a picture on a wall, of somebody smaller, is lifted far behind the
    wall."""
    if depth is None:
        return []
    T_camera_world = invert(camera.T_world_camera)
    inside = fit_keypoints(body, fit) @ T_camera_world[2, :3] + T_camera_world[2, 3]
    person, frames = found.person, found.frames
    pixels = np.rint(person.keypoints_px[frames]).astype(int)
    rows, columns = (np.clip(pixels[..., axis], 0, depth.shape[1 - axis] - 1) for axis in (1, 0))
    seen = person.scores[frames] >= config.min_metric_score
    if not seen.any():
        return []
    away, end = float(np.median(inside[seen])), float(np.median(depth[rows, columns][seen]))
    if np.isfinite(end) and away > config.max_depth_ratio * end + 0.3:
        return [f"would be {away:.1f} m away where the room ends at {end:.1f} m: a picture, a mirror or a window"]
    return []


def _judge(
    config: People3DConfig,
    found: _Candidate,
    fit: Fit,
    camera: Camera,
    body: BodyModel,
) -> dict:
    """Errors of one person, in arrays, for the metrics."""
    person, frames = found.person, found.frames
    projected = camera.project(fit_keypoints(body, fit))
    error = np.linalg.norm(projected - person.keypoints_px[frames], axis=-1)
    # A keypoint behind the camera is as wrong as can be, not unseen.
    error = np.where(np.isfinite(error), error, 1e4)
    use = person.scores[frames] >= config.min_metric_score
    box = person.boxes_px[frames]
    side = np.maximum((box[:, 2:] - box[:, :2]).max(axis=1), 1.0)
    feet = np.abs(fit_feet(body, fit).min(axis=1))[upright_frames(body, fit)]
    return {
        "errors": error[use],
        "shares": (error / side[:, None])[use],
        "frame_medians": np.array([np.median(e[u]) for e, u in zip(error, use, strict=True) if u.any()]),
        "feet": feet,
        "stature": body.stature(fit.betas),
    }


def _metrics(judged: list[dict], dropped: list[dict]) -> dict:
    """What the record and the summary keep of one clip."""

    def median(key: str) -> float | None:
        values = np.concatenate([person[key] for person in judged] or [np.zeros(0)])
        return float(np.median(values)) if len(values) else None

    medians = np.concatenate([person["frame_medians"] for person in judged] or [np.zeros(0)])
    return {
        "reprojection_px_median": median("errors"),
        "reprojection_box_share_median": median("shares"),
        "frames_within_10_px": float((medians <= 10.0).mean()) if len(medians) else None,
        "stature_m": [float(person["stature"]) for person in judged],
        "foot_floor_m_median": median("feet"),
        "standing_frames": int(sum(len(person["feet"]) for person in judged)),
        "world": [person["world"] for person in judged],
        "dropped": dropped,
    }
