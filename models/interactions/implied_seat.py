"""What somebody must be sitting or lying on, told from the motion alone: sampled motion names no furniture.

A slab under the parts that rest over the floor before somebody rises: feet may be under it, and knees hang in front of
it. Who kneels is on the floor.
"""

import numpy as np
from jaxtyping import Float

from models.body.kinematics import forward_kinematics_numpy
from models.body.model import BodyModel
from models.body.tracks import HEAD, track_joints
from models.geometry.transforms import yaw
from models.interactions.hand_holds import local_rotations_of
from models.physics.humanoid import Box, segment_points
from models.types import FPS, SMPL_JOINTS, PersonTrack, take

LOWEST_TOP_M = 0.12
"""Who rests lower is on the floor."""
KNEELS_M = 0.2
"""A knee that is lower is on the floor, and so is whose it is."""
THICKNESS_M = 0.1
RESTS_M = 0.05
"""Legs so far below the top hang in front of it."""
EDGE_M = 0.03
"""How far a box reaches beyond what rests on it, and ends before what hangs."""
HALF_WIDTH_M = 0.2
"""A seat is no narrower, to each side of the pelvis."""
SHALLOWEST_M = 0.2
"""Of a seat, from its edge back to the last of the pelvis; who leaves less room for one squats."""
EVERY_S = 0.25
"""From a moment that is looked at to the next."""
TRUNK = tuple(SMPL_JOINTS.index(name) for name in ("pelvis", "spine1", "spine2", "spine3"))
THIGHS = tuple(SMPL_JOINTS.index(f"{side}_hip") for side in ("left", "right"))
KNEES = tuple(SMPL_JOINTS.index(f"{side}_knee") for side in ("left", "right"))
LEGS = tuple(SMPL_JOINTS.index(f"{side}_{name}") for side in ("left", "right") for name in ("hip", "knee", "ankle"))
Parts = dict[int, Float[np.ndarray, "time point 3"]]
"""Skin by the SMPL index of the joint that moves it."""


def seat_under(body: BodyModel, track: PersonTrack, leaves: int, risen: int) -> Box | None:
    """Return what carries somebody until the frame in which they leave it, who stands in frame `risen`; None where that
    is the floor. 20 Hz, floor at z = 0."""
    every = round(EVERY_S * FPS)
    if track_joints(body, take(track, np.array([leaves])))[0, KNEES, 2].min() < KNEELS_M:
        return None
    facing = local_rotations_of(take(track, np.array([leaves])))[0, 0]
    ahead = facing[:2, 2] - facing[2, 2] * facing[:2, 1]
    angle = float(np.arctan2(ahead[1], ahead[0]))
    resting = _parts(body, take(track, np.unique([*range(0, leaves, every), leaves])), angle)
    rising = _parts(body, take(track, np.unique([*range(leaves, risen, every), risen])), angle)
    thighs = [resting[joint][:, _upper_half(body, track, joint)] for joint in THIGHS]
    bears = np.concatenate([part.reshape(-1, 3) for part in (*thighs, *(resting[joint] for joint in TRUNK))])
    top = float(bears[:, 2].min())
    if top < LOWEST_TOP_M:
        return None
    # All that lies over it, arms apart: who lies is not on a bed of the size of a back.
    over = np.concatenate([resting[joint].reshape(-1, 3) for joint in (*TRUNK, *LEGS, HEAD)])
    over = over[over[:, 2] > top - RESTS_M, :2]
    pelvis = resting[0][..., :2].reshape(-1, 2)
    aside = np.array([0.0, HALF_WIDTH_M])
    low = np.minimum(over.min(axis=0) - EDGE_M, pelvis.mean(axis=0) - aside)
    high = np.maximum(over.max(axis=0) + EDGE_M, pelvis.mean(axis=0) + aside)
    legs = np.concatenate([parts[joint].reshape(-1, 3) for parts in (resting, rising) for joint in LEGS])
    hangs = legs[(legs[:, 2] < top - RESTS_M) & (legs[:, 2] > top - THICKNESS_M - RESTS_M)]
    if len(hangs):
        high[0] = min(high[0], hangs[:, 0].min() - EDGE_M)
    if high[0] - pelvis[:, 0].min() < SHALLOWEST_M:
        return None
    centre = yaw(angle) @ np.array([*(low + high) / 2.0, top - THICKNESS_M / 2.0])
    return Box("bed", centre, np.array([*(high - low) / 2.0, THICKNESS_M / 2.0]), angle)


def _parts(body: BodyModel, track: PersonTrack, angle: float) -> Parts:
    """The skin as the humanoid has it, which does not give way, seen from where somebody faces at an angle."""
    rest, skins = segment_points(body, track.betas)
    rotations, places = forward_kinematics_numpy(rest, local_rotations_of(track), track.transl + rest[0])
    return {
        joint: ((skin - rest[joint]) @ np.swapaxes(rotations[:, joint], -1, -2) + places[:, None, joint]) @ yaw(angle)
        for joint, skin in skins.items()
    }


def _upper_half(body: BodyModel, track: PersonTrack, hip: int) -> np.ndarray:
    """Which skin of a thigh is nearer to the hip: knees hang lower than who sits on something high."""
    rest, skins = segment_points(body, track.betas)
    return skins[hip][:, 1] > (rest[hip, 1] + rest[hip + 3, 1]) / 2.0
