"""Hands that hold on to somebody else: an arm reaches out, its palm lies on the other's skin, stays there, and lets go.

A hold names a place on another's body; the arm of who holds follows that place by inverse kinematics, the trunk leans
where the arm is too short, and hand and forearm turn as far as a wrist can. Reaching out and letting go are minimum
jerk.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d

from models.animation.postures import Posture
from models.body.kinematics import forward_kinematics_numpy
from models.body.model import BodyModel
from models.body.two_bone_ik import LEGS, LIMBS, reach_ankles
from models.errors import InputError
from models.geometry.easing import minimum_jerk
from models.geometry.transforms import axis_angle_from_matrix, matrix_from_axis_angle, yaw
from models.interactions.palm_reach import PRESSED_M, Side, between, reach_palm
from models.physics.humanoid import Grip, segment_points
from models.types import SMPL_JOINTS, SMPL_PARENTS, PersonTrack

SPINE = tuple(SMPL_JOINTS.index(name) for name in ("spine1", "spine2", "spine3"))
LEAN_M = 0.45
"""Height of the shoulders over the joints that lean."""
MAX_LEAN = 0.6
"""How much further a trunk leans at a time for the sake of a hold, radians."""
MAX_DROP_M = 0.12
HIPS_BACK_M = 0.25
"""How far the hips of who leans go back, per radian."""
STRETCH = 0.94
"""Share of an arm's length that a reach uses: nobody holds on with a locked elbow."""

BONES: dict[str, tuple[str, str, float]] = {
    "upper_arm": ("shoulder", "elbow", 0.62),
    "forearm": ("elbow", "wrist", 0.68),
    "shoulder": ("shoulder", "elbow", 0.12),
    "hip": ("hip", "knee", 0.05),
}
"""Of a part that has a side: the joint that moves it, the next one, and how far along from the one to the other."""
TRUNK_PLACES: dict[str, tuple[str, tuple[float, float, float], tuple[float, float, float]]] = {
    "back": ("spine3", (0.0, -0.02, 0.0), (0.0, 0.0, -1.0)),
    "lower_back": ("spine1", (0.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
    "chest": ("spine3", (0.0, 0.05, 0.0), (0.0, 0.0, 1.0)),
}
"""Of a part without: the joint, the place from it in a body of rest pose, and the direction out to the skin."""
HANDS_ON_TRUNK = 2
"""That find room on one part of the trunk, one on either side of the middle; on a limb there is room for one."""


@dataclass(frozen=True)
class Handle:
    """A place off the skin that moves with somebody's pelvis, such as that of the chair somebody is wheeled in."""

    point: Float[np.ndarray, "3"]
    """World, seen from the pelvis while it faces +x."""
    normal: Float[np.ndarray, "3"]
    """Out of the handle, to the palm."""


@dataclass(frozen=True)
class Hold:
    """One hand on one place, seconds."""

    hand: Side
    part: str
    """Of TRUNK_PLACES: back; or of BONES with a side: left_forearm; of a handle, what it belongs to."""
    begin_s: float
    """When the hand leaves what it does else."""
    from_s: float
    """When it touches."""
    until_s: float
    """When it lets go; at or after the end of the motion it never does."""
    back_s: float
    """When it does again what it would."""
    outwards: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """World direction in which the place lies on the limb, added to that of the shoulder of who holds."""
    handle: Handle | None = None
    """What moves with the other and is held instead of the other's skin."""
    shortest_s: float = 1.0
    """How long it must last to have been a hold."""
    holder: int = 1
    """Which of the people; the first of them, 0, holds nobody."""
    held: int = 0


@dataclass(frozen=True)
class Place:
    """On the skin of somebody."""

    joint: int
    point: Float[np.ndarray, "3"]
    """From the joint, in axes of the rest pose."""
    normal: Float[np.ndarray, "3"]


def check_holds(holds: Sequence[Hold], people: int) -> None:
    """InputError where a hand is to hold two things at once, a place is to be held by more hands than there is room
    for, or somebody holds or is held who is not there."""
    for place, one in enumerate(holds):
        if not 0 < one.holder < people or not 0 <= one.held < people or one.holder == one.held:
            raise InputError(
                "holds",
                f"person {one.holder} cannot hold person {one.held}: there are {people}, and the first holds nobody",
                "name two who are there",
            )
        others = [*holds[:place], *holds[place + 1 :]]
        own = [other for other in others if (other.holder, other.hand) == (one.holder, one.hand)]
        # It sets out for the next when it has let go.
        if any(one.begin_s < other.until_s and other.begin_s < one.until_s for other in own):
            raise InputError(
                "holds",
                f"the {one.hand} hand of person {one.holder} is to hold two things at once",
                "give it one after the other, or use the other hand",
            )
        # Most hands are there at once when one of them comes.
        there = [other for other in others if other.from_s <= one.from_s < other.until_s]
        hands = 1 + sum(_same_place(one, other) for other in there)
        room = HANDS_ON_TRUNK if one.part in TRUNK_PLACES else 1
        if hands > room:
            raise InputError(
                "holds",
                f"{hands} hands are to hold person {one.held} at one place, {one.part.replace('_', ' ')}, at once",
                f"let {'one hand' if room == 1 else f'{room} hands'} hold there, and the others another part",
            )


def _same_place(one: Hold, other: Hold) -> bool:
    if (one.held, one.part) != (other.held, other.part):
        return False
    if one.handle is None or other.handle is None:
        return one.handle is other.handle
    return bool(np.allclose(one.handle.point, other.handle.point))


def offer_arms(
    track: PersonTrack, posture: Posture, sides: Sequence[Side], share: Float[np.ndarray, "time"]
) -> PersonTrack:
    """Return the track with arms of those sides drawn to how a posture has them, by a share from 0 to 1.

    However far the trunk leans, the arms are held out as of somebody upright.
    """
    local, wanted = local_rotations_of(track), posture.body_pose.reshape(23, 3)
    above = local[:, 0]
    for joint in SPINE:
        above = above @ local[:, joint]
    lean = np.arctan2(-above[:, 2, 2], above[:, 2, 1])
    for side in sides:
        for name in ("collar", "shoulder", "elbow", "wrist"):
            joint = SMPL_JOINTS.index(f"{side}_{name}")
            goal = matrix_from_axis_angle(wanted[joint - 1])
            if name == "shoulder":
                goal = matrix_from_axis_angle(-lean[:, None] * np.array([1.0, 0.0, 0.0])) @ goal
            local[:, joint] = between(local[:, joint], np.broadcast_to(goal, (len(local), 3, 3)), share)
    return replace(track, body_pose=axis_angle_from_matrix(local[:, 1:]).reshape(-1, 69))


def held_share(hold: Hold, count: int, fps: float) -> Float[np.ndarray, "time"]:
    """Return how far the hand is from where it would be to where it holds, 0 to 1."""
    times = np.arange(count) / fps
    there = minimum_jerk((times - hold.begin_s) / max(hold.from_s - hold.begin_s, 1e-6))
    gone = minimum_jerk((times - hold.until_s) / max(hold.back_s - hold.until_s, 1e-6))
    return there * (1.0 - gone)


def hold_on(
    body: BodyModel, tracks: Sequence[PersonTrack], holds: Sequence[Hold], fps: float
) -> tuple[tuple[PersonTrack, ...], tuple[Grip, ...]]:
    """Return the tracks with the holds reached for, and where palms meet skin, of each hold; that of the first person,
    who is held, stays."""
    reached, grips = list(tracks), dict[int, Grip]()
    for holder in range(1, len(tracks)):
        mine = [place for place, hold in enumerate(holds) if hold.holder == holder]
        reached[holder], own = _reaching(body, tracks, holder, [holds[place] for place in mine], fps)
        grips |= dict(zip(mine, own, strict=True))
    return tuple(reached), tuple(grips[place] for place in range(len(holds)))


def _reaching(
    body: BodyModel, tracks: Sequence[PersonTrack], holder: int, holds: Sequence[Hold], fps: float
) -> tuple[PersonTrack, list[Grip]]:
    """The track of one who holds, and where the palms meet skin."""
    carer = tracks[holder]
    rest, skins = segment_points(body, carer.betas)
    local, pelvis = local_rotations_of(carer), carer.transl + rest[0]
    grips, goals, others = [], [], {}
    for hold in holds:
        if hold.held not in others:
            other = tracks[hold.held]
            held_rest, held_skins = segment_points(body, other.betas)
            world = forward_kinematics_numpy(held_rest, local_rotations_of(other), other.transl + held_rest[0])
            others[hold.held] = held_rest, held_skins, *world
        held_rest, held_skins, other_rotations, other_positions = others[hold.held]
        _, positions = forward_kinematics_numpy(rest, local, pelvis)
        middle = round((max(0.0, hold.from_s) + min(hold.until_s, len(local) / fps)) / 2.0 * fps)
        middle = min(middle, len(local) - 1)
        shoulder = positions[middle, LIMBS[f"{hold.hand}_hand"].upper]
        place = _place(held_rest, held_skins, hold, shoulder, other_rotations[middle], other_positions[middle])
        rotated = other_rotations[:, place.joint]
        points, until = other_positions[:, place.joint] + rotated @ place.point, round(hold.until_s * fps)
        normals = _let_go(rotated @ place.normal, local[:, 0], np.zeros_like(pelvis), until)
        goals.append((_let_go(points, local[:, 0], pelvis, until), normals))
        palm = _palm(rest, skins, hold.hand)
        wrist = LIMBS[f"{hold.hand}_hand"].end
        grips.append(Grip(holder, wrist, palm, hold.held, place.joint, place.point - PRESSED_M * place.normal))
    shares = [held_share(hold, len(local), fps) for hold in holds]
    local, pelvis = _lean(rest, local, pelvis, holds, goals, shares, fps)
    for hold, grip, (points, normals), share in zip(holds, grips, goals, shares, strict=True):
        reach_palm(rest, local, pelvis, hold.hand, grip.palm, points, normals, share)
    vectors = axis_angle_from_matrix(local)
    pose = vectors[:, 1:].reshape(-1, 69)
    return replace(carer, global_orient=vectors[:, 0], body_pose=pose, transl=pelvis - rest[0]), grips


def _let_go(
    points: Float[np.ndarray, "time 3"],
    root: Float[np.ndarray, "time 3 3"],
    pelvis: Float[np.ndarray, "time 3"],
    until: int,
) -> Float[np.ndarray, "time 3"]:
    """Return points from a frame on as they are in it to the body of who lets go: nobody who draws back is followed."""
    if until >= len(points):
        return points
    own = root[until].T @ (points[until] - pelvis[until])
    return np.concatenate([points[:until], pelvis[until:] + root[until:] @ own])


def _place(
    rest: Float[np.ndarray, "24 3"],
    skins: dict[int, Float[np.ndarray, "point 3"]],
    hold: Hold,
    shoulder: Float[np.ndarray, "3"],
    rotations: Float[np.ndarray, "24 3 3"],
    positions: Float[np.ndarray, "24 3"],
) -> Place:
    """The place of a hold on the skin; on a limb it is on the side of the shoulder of who holds."""
    if hold.handle is not None:
        front = rotations[0] @ np.array([0.0, 0.0, 1.0])
        turned = rotations[0].T @ yaw(float(np.arctan2(front[1], front[0])))
        return Place(0, turned @ hold.handle.point, turned @ hold.handle.normal)
    if hold.part in TRUNK_PLACES:
        name, at, out = TRUNK_PLACES[hold.part]
        joint = SMPL_JOINTS.index(name)
        point, along, away = rest[joint] + np.array(at), np.array([0.0, 1.0, 0.0]), np.array(out)
        # Upright or bent, a hand from the left lies left of the middle.
        aside = rotations[joint].T @ (shoulder - positions[joint])
        point = point + np.array([0.05 * np.sign(aside[0]), 0.0, 0.0])
        skin = np.concatenate([skins[SMPL_JOINTS.index(one)] for one in ("spine1", "spine2", "spine3")])
    else:
        side, _, part = hold.part.partition("_")
        upper, lower, share = BONES[part]
        joint, following = (SMPL_JOINTS.index(f"{side}_{one}") for one in (upper, lower))
        along = (rest[following] - rest[joint]) / np.linalg.norm(rest[following] - rest[joint])
        point = rest[joint] + share * (rest[following] - rest[joint])
        toward = shoulder - positions[joint] - rotations[joint] @ (point - rest[joint])
        away = rotations[joint].T @ (toward / np.linalg.norm(toward) + np.array(hold.outwards))
        at_trunk = part in ("shoulder", "hip")
        skin = np.concatenate([skins[joint], skins[SMPL_PARENTS[joint]]]) if at_trunk else skins[joint]
    away = away - (away @ along) * along
    away /= np.linalg.norm(away)
    return Place(joint, point + _thickness(skin, point, along, away) * away - rest[joint], away)


def _thickness(
    skin: Float[np.ndarray, "point 3"],
    point: Float[np.ndarray, "3"],
    along: Float[np.ndarray, "3"],
    away: Float[np.ndarray, "3"],
) -> float:
    """From a point on a bone out to the skin."""
    off = skin - point
    across = off - (off @ along)[:, None] * along
    ahead = across @ away
    size = np.linalg.norm(across, axis=-1)
    near = np.abs(off @ along) < 0.03
    for narrow in (0.9, 0.75, 0.5):
        seen = near & (ahead > narrow * size)
        if seen.any():
            return float(np.median(ahead[seen]))
    raise AssertionError("a bone has skin around it")


def _palm(
    rest: Float[np.ndarray, "24 3"], skins: dict[int, Float[np.ndarray, "point 3"]], side: Side
) -> Float[np.ndarray, "3"]:
    """The middle of the palm from the wrist, in the rest pose, where palms face down."""
    wrist, hand = SMPL_JOINTS.index(f"{side}_wrist"), SMPL_JOINTS.index(f"{side}_hand")
    along = (rest[hand] - rest[wrist]) / np.linalg.norm(rest[hand] - rest[wrist])
    down = np.array([0.0, -1.0, 0.0]) + along[1] * along
    down /= np.linalg.norm(down)
    return rest[hand] + _thickness(skins[wrist], rest[hand], along, down) * down - rest[wrist]


def _lean(
    rest: Float[np.ndarray, "24 3"],
    local: Float[np.ndarray, "time 24 3 3"],
    pelvis: Float[np.ndarray, "time 3"],
    holds: Sequence[Hold],
    goals: Sequence[tuple[Float[np.ndarray, "time 3"], Float[np.ndarray, "time 3"]]],
    shares: Sequence[Float[np.ndarray, "time"]],
    fps: float,
) -> tuple[Float[np.ndarray, "time 24 3 3"], Float[np.ndarray, "time 3"]]:
    """Rotations and pelvis of who bends towards what arms are too short for, at hips, spine and knees; feet stay."""
    local, pelvis = local.copy(), pelvis.copy()
    stood, start = forward_kinematics_numpy(rest, local, pelvis)
    ankles = [start[:, leg.end] for leg in LEGS]
    upright = np.clip((start[:, 0, 2] - 0.6) / 0.2, 0.0, 1.0)
    # A knee on the floor cannot bend further.
    free = np.clip((start[:, [leg.middle for leg in LEGS], 2].min(axis=1) - 0.2) / 0.1, 0.0, 1.0)
    for _ in range(5):
        _, positions = forward_kinematics_numpy(rest, local, pelvis)
        turn, drop = np.zeros((len(local), 3)), np.zeros(len(local))
        for hold, (points, normals), share in zip(holds, goals, shares, strict=True):
            limb = LIMBS[f"{hold.hand}_hand"]
            arm = np.linalg.norm(rest[limb.middle] - rest[limb.upper]) + np.linalg.norm(
                rest[limb.end] - rest[limb.middle]
            )
            away = points + 0.03 * normals - positions[:, limb.upper]
            far = np.linalg.norm(away, axis=-1)
            # The hand adds to the arm where it does not lie across.
            short = np.maximum(0.0, far - STRETCH * arm - 0.02) * share
            line = away / far[:, None]
            drop = np.maximum(drop, short * np.maximum(0.0, -line[:, 2]) * free)
            axis = np.cross(np.array([0.0, 0.0, 1.0]), line)
            turn += axis * (short / LEAN_M / len(holds))[:, None]
        turn = gaussian_filter1d(turn, 0.08 * fps, axis=0, mode="nearest")
        size = np.linalg.norm(turn, axis=-1, keepdims=True)
        turn *= np.minimum(1.0, MAX_LEAN / np.maximum(size, 1e-9))
        drop = np.minimum(gaussian_filter1d(drop, 0.08 * fps, mode="nearest"), MAX_DROP_M)
        # Half at the hips, which go back as far as keeps the weight over the feet; half along the spine.
        hips, each = 0.5 * turn, 0.5 * turn / len(SPINE)
        back = np.cross(hips, np.array([0.0, 0.0, HIPS_BACK_M])) * upright[:, None]
        pelvis[:, :2] -= back[:, :2]
        pelvis[:, 2] -= 0.5 * drop
        local[:, 0] = matrix_from_axis_angle(hips) @ local[:, 0]
        above = local[:, 0]
        for joint in SPINE:
            own = np.einsum("tji,tj->ti", above, each)
            local[:, joint] = matrix_from_axis_angle(own) @ local[:, joint]
            above = above @ local[:, joint]
        local = reach_ankles(rest, local, pelvis, ankles)
    # Soles stay on the floor.
    rotations, _ = forward_kinematics_numpy(rest, local, pelvis)
    for leg in LEGS:
        local[:, leg.end] = np.swapaxes(rotations[:, leg.middle], -1, -2) @ stood[:, leg.end]
    return local, pelvis


def local_rotations_of(track: PersonTrack) -> Float[np.ndarray, "time 24 3 3"]:
    """Return rotations of the root to the world and of the other joints to their parents."""
    vectors = np.concatenate([track.global_orient[:, None], track.body_pose.reshape(-1, 23, 3)], axis=1)
    return matrix_from_axis_angle(vectors)


def reach_for(
    body: BodyModel,
    track: PersonTrack,
    hand: Side,
    points: Float[np.ndarray, "time 3"],
    normals: Float[np.ndarray, "time 3"],
    share: Float[np.ndarray, "time"],
) -> PersonTrack:
    """Return the track with one palm on places of the world whose skin faces along the normals, as far as `share`
    says."""
    rest, skins = segment_points(body, track.betas)
    local = local_rotations_of(track)
    reach_palm(rest, local, track.transl + rest[0], hand, _palm(rest, skins, hand), points, normals, share)
    return replace(track, body_pose=axis_angle_from_matrix(local[:, 1:]).reshape(-1, 69))
