"""Bodies of people who fell in real footage, without truth: how they lie, on what, and whether that is what is known.

In: lifted clips and the table of falls. Out: a row a fall. Whose pelvis sank farthest by the time of rest is taken for
the one who fell; what a body lies on is as high as the room knows, or as other falls onto the same came to rest.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic import Field

from models.body.model import BodyModel, trunk_points
from models.body.tracks import track_parameters
from models.compare_falls.real_falls import Fall, LiftedClip
from models.config import Config, renamed
from models.types import SMPL_JOINTS, PersonTrack, Room, take

NECK = SMPL_JOINTS.index("neck")
MIN_LANDINGS = 3
"""Other falls that say how high a mattress is."""
LYING = ("supine", "prone", "left_side", "right_side")


class FallenConfig(Config):
    """What counts as fallen, and as lying as it is known that somebody lay."""

    rest_s: float = Field(1.0, gt=0.0)
    """Seconds after coming to rest in which a fallen body is measured."""
    min_drop_m: float = renamed("least_drop_m", "min_drop_m", 0.2, ge=0.0)
    """Whose pelvis came down by less, metres, and who is upright, did not fall."""
    max_pelvis_height_m: float = renamed("pelvis_over_support_m", "max_pelvis_height_m", 0.25, gt=0.0)
    """Height of the pelvis over what it fell on, metres, up to which a body lies there."""
    max_trunk_deg: float = renamed("lying_deg", "max_trunk_deg", 30.0, gt=0.0)
    """Angle of the trunk from the horizontal, degrees, up to which a body lies."""
    side_deg: float = Field(45.0, gt=0.0)
    """A body is supine or prone where its front rises or sinks by more than this, degrees; else it lies on a side."""


def describe_fallen(
    config: FallenConfig,
    joints: Float[np.ndarray, "time 24 3"],
    at: Bool[np.ndarray, "time"],
    fall: Fall,
    support_m: float,
) -> dict[str, float | bool | str]:
    """Describe how a fallen body lies in frames `at`, after it came to rest.

    `support_m` is the height of what it fell on. Pelvis height is of the joint over the support; the trunk is measured
    from the horizontal; the side is right where the body's front points the direction that the posture says. Postures
    that are not lying are not asked for trunk or side.
    """
    joints = joints[at]
    trunk = joints[:, NECK] - joints[:, 0]
    incline = np.degrees(np.arcsin(np.clip(np.abs(trunk[:, 2]) / np.linalg.norm(trunk, axis=-1), 0.0, 1.0)))
    across = joints[:, 1] - joints[:, 2]
    front = np.cross(across, trunk)  # left x up
    front = front / np.maximum(np.linalg.norm(front, axis=-1, keepdims=True), 1e-9)
    facing = float(np.degrees(np.arcsin(np.clip(np.median(front[:, 2]), -1.0, 1.0))))
    if facing > config.side_deg:
        posture = "supine"
    elif facing < -config.side_deg:
        posture = "prone"
    else:
        posture = "right_side" if np.median(across[:, 2]) > 0.0 else "left_side"
    pelvis = float(np.median(joints[:, 0, 2])) - support_m
    inclined = float(np.median(incline))
    lies = fall.final_posture in LYING
    return {
        "pelvis_over_support_m": pelvis,
        "pelvis_ok": pelvis <= config.max_pelvis_height_m,
        "trunk_deg": inclined,
        "trunk_ok": inclined <= config.max_trunk_deg or not lies,
        "posture": posture,
        "true_posture": fall.final_posture,
        "posture_ok": posture == fall.final_posture or not lies,
    }


def support_below(room: Room | None, place: Float[np.ndarray, "3"]) -> float:
    """Return the height of the highest support of the room whose outline holds the place, at most its height; the
    floor's 0."""
    heights = [0.0]
    for support in room.supports if room is not None else ():
        inside = (
            cv2.pointPolygonTest(support.outline.astype(np.float32), (float(place[0]), float(place[1])), False) >= 0
        )
        if inside and support.height_m < place[2] + 0.1:
            heights.append(support.height_m)
    return max(heights)


@dataclass(frozen=True)
class Landing:
    """The person whose pelvis sank farthest by the time of rest."""

    track: PersonTrack
    frames: Bool[np.ndarray, "time"]
    support: str
    """What it fell on, as the table of falls says."""
    camera: str
    underside_m: float
    """Height of the lowest point of the trunk at rest."""


def find_landing(config: FallenConfig, body: BodyModel, clip: LiftedClip, fall: Fall) -> Landing | None:
    """Find who fell and where; None where nobody is seen at rest: who neither sank nor lies is somebody else than
    the one who fell."""
    times = clip.footage.timestamps_s
    at = (times >= fall.at_rest_s) & (times <= fall.at_rest_s + config.rest_s)
    best, sunk = None, -np.inf
    for track in clip.tracks:
        if (track.visible & at).sum() < 2:
            continue
        height = clip.joints_world[track.person][:, 0, 2]
        drop = float(height[track.visible].max() - np.median(height[track.visible & at]))
        if drop > sunk:
            best, sunk = track, drop
    if best is None:
        return None
    frames = best.visible & at
    trunk = np.median(np.diff(clip.joints_world[best.person][frames][:, [0, NECK]], axis=1)[:, 0], axis=0)
    if sunk < config.min_drop_m and trunk[2] > np.linalg.norm(trunk[:2]):
        return None
    with torch.no_grad():
        points = body.posed(*track_parameters(take(best, frames))).surface_points
        underside = points[:, np.concatenate(trunk_points(body)), 2].amin(-1)
    return Landing(best, frames, fall.landing_support, clip.camera, float(underside.median()))


def fallen_row(
    config: FallenConfig, clip: LiftedClip, fall: Fall, landings: dict[str, Landing | None]
) -> dict[str, Any]:
    """Describe how the fallen body lies on what it fell on, or why it cannot be told.

    A bed or mattress that the room does not know is as high as other falls onto one before the same camera came to
    rest: the median of their trunks' undersides, the judged fall's own left out.
    """
    own = landings[clip.clip]
    if own is None:
        return {"reason": "nobody is seen at rest", "in_view": fall.in_view}
    joints = clip.joints_world[own.track.person]
    support = support_below(clip.room, np.median(joints[own.frames, 0], axis=0))
    if support == 0.0 and fall.landing_support != "floor":
        others = [
            landing.underside_m
            for name, landing in landings.items()
            if landing is not None
            and name != clip.clip
            and (landing.camera, landing.support) == (own.camera, own.support)
        ]
        support = max(0.0, float(np.median(others))) if len(others) >= MIN_LANDINGS else 0.0
    return {"support_m": support, "in_view": fall.in_view, **describe_fallen(config, joints, own.frames, fall, support)}
