"""Motion capture on our body: any skeleton of a person to the SMPL tree of a given shape.

A source joint's rotation since a reference pose (the file's rest pose where that stands upright, else its most upright
frame) is applied to the target's rotation in that same pose, found by turning the target's limbs, with no twist, onto
the source's. So limbs keep the source's directions, twists are the source's own, and bone lengths are the target's.
Arms and legs then bend the little it takes (`two_bone_ik`) for the wrists to follow the source's paths from the
shoulders, scaled by the length of the arm, and for the ankles to follow the source's paths, so that feet slide as
little as there; and for planted feet to stand on the floor (`floor_contact`).
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation

from models.body.floor_contact import stand_on_floor
from models.body.kinematics import relative_rotations
from models.body.model import BodyModel
from models.body.resample import resample
from models.body.tracks import canonicalise, rest_joints_of
from models.body.two_bone_ik import reach_wrists
from models.errors import InputError
from models.geometry.easing import smoothstep
from models.geometry.transforms import R_ZUP_YUP, axis_angle_from_matrix, matrix_from_axis_angle, rotation_between, unit
from models.mocap.joint_names import SIDES, match_joints, spine_between
from models.mocap.skeleton_motion import SkeletonMotion
from models.types import SMPL_JOINTS, SMPL_PARENTS, Motion, PersonTrack, Role

logger = logging.getLogger(__name__)

UPRIGHT = 0.85
"""Least cosine with the vertical of trunk and leg bones for a pose to count as standing."""
WRIST_LEEWAY_M = 0.02
"""How far wrists may stay from the source's paths: closing the last of it would turn forearms of other proportions too
far."""
FARTHEST_M = 1000.0
"""Nobody is captured further from where they began."""
SLOW_M_S = 0.3
"""A planted foot hardly moves."""


@dataclass(frozen=True)
class _Source:
    """What is taken from a skeleton: turns for the target, and paths in the source's unit, world axes z up."""

    local: Float[np.ndarray, "time 24 3 3"]
    hips: Float[np.ndarray, "time 3"]
    """The middle between the hip joints."""
    ankles: Float[np.ndarray, "time 2 3"]
    """Left, right."""
    wrists_m: Float[np.ndarray, "time 2 3"]
    """From the shoulder, left and right, in metres of the target, whose arm is as much stretched as the source's."""
    lean_m: Float[np.ndarray, "time 2 3"]
    """What the ankles give way to feet longer or shorter than the source's, so that planted balls do not slide, metres.
    """
    planted: Bool[np.ndarray, "time 2"]
    """Whether the ball of the foot stands on the floor."""
    scale: float
    """Metres of the target in the source's unit, by the length of the legs."""


def retarget(
    sources: Sequence[SkeletonMotion],
    body: BodyModel,
    betas: Float[np.ndarray, "10"],
    fps: float,
    role: Role = "person",
    window_s: tuple[float, float] | None = None,
) -> Motion:
    """Return the motion of one or more people in one world on our body, sampled at `fps`; feet on the floor z = 0.

    z is up; the first person's pelvis begins at x = y = 0 facing +x, the others keep their places to it. Ways on the
    floor are scaled alike for all, heights by each one's legs. `window_s` keeps a part (start, end) of the files.
    Actions are unknown (-1). `details` tells the metres that a unit of each file was taken for, by the length of the
    legs. Raises InputError when joints cannot be matched by name, people's clocks differ, or the part is not there.
    """
    lengths = {len(source.timestamps_s) for source in sources}
    if len(lengths) > 1 or any(
        not np.allclose(source.timestamps_s, sources[0].timestamps_s, atol=0.01) for source in sources[1:]
    ):
        shown = ", ".join(
            f"{source.path.parent.name}/{source.path.name}: {len(source.timestamps_s)} frames, "
            f"{source.timestamps_s[-1]:.2f} s"
            for source in sources
        )
        raise InputError(
            sources[0].path, f"is not on one clock with the others ({shown})", "give takes of equal length"
        )
    sources = [_y_up(source, match_joints(source)) for source in sources]
    timestamps = sources[0].timestamps_s
    # Many files begin with one frame of calibration pose; it serves as reference and is no part of the motion.
    first = int(any(_begins_apart(source, match_joints(source)) for source in sources))
    start, end = window_s or (0.0, np.inf)
    kept = slice(max(first, np.searchsorted(timestamps, start)), np.searchsorted(timestamps, end, "right") + 1)
    if len(timestamps[kept]) < 2:
        shown = f"has no two frames from {start:g} s on: it lasts {timestamps[-1]:.2f} s"
        raise InputError(sources[0].path, shown, "ask for a part that is there")
    timestamps = timestamps[kept] - timestamps[kept][0]
    times = np.arange(int(np.floor(timestamps[-1] * fps + 1e-6)) + 1) / fps
    rest = rest_joints_of(body, betas)
    taken = [_take_over(source, rest, kept) for source in sources]
    across = float(np.mean([one.scale for one in taken]))
    tracks = []
    for number, one in enumerate(taken):
        metres = np.array([across, across, one.scale])
        local = resample(timestamps, one.local, times)
        paths = (
            one.hips * metres,
            *np.moveaxis(one.ankles * metres + one.lean_m, 1, 0),
            *np.moveaxis(one.wrists_m, 1, 0),
        )
        hips, left, right, *wrists = (
            np.stack([np.interp(times, timestamps, axis) for axis in path.T], axis=-1) for path in paths
        )
        local = reach_wrists(rest, local, wrists, WRIST_LEEWAY_M)
        pelvis = hips - local[:, 0] @ ((rest[1] + rest[2]) / 2.0 - rest[0])
        planted = one.planted[np.searchsorted(timestamps, times - 1e-6).clip(max=len(timestamps) - 1)]
        local, transl = stand_on_floor(body, betas, local, pelvis, (left, right), planted, fps)
        vectors = axis_angle_from_matrix(local)
        if not (np.isfinite(vectors).all() and np.ptp(transl, axis=0).max() < FARTHEST_M):
            problem = "holds a number that cannot be meant: its body is bent to nothing, or moves for kilometres"
            raise InputError(sources[number].path, problem, "export it again")
        tracks.append(
            PersonTrack(
                f"person_{number}",
                role,
                np.asarray(betas),
                vectors[:, 0],
                vectors[:, 1:].reshape(-1, 69),
                transl,
                np.ones(len(times), dtype=bool),
                np.ones(len(times)),
            )
        )
    return Motion(
        times,
        canonicalise(body, tracks),
        np.full((len(tracks), len(times)), -1),
        " + ".join(source.path.name for source in sources),
        {"calibration_frames_dropped": first, "metres_per_unit": [one.scale for one in taken]},
    )


def _take_over(source: SkeletonMotion, rest: Float[np.ndarray, "24 3"], kept: slice) -> _Source:
    """Turns of the target whose T-pose has joints at `rest`, and the paths of hips and ankles, on some frames."""
    joint_of = match_joints(source)
    spine = spine_between(source, joint_of["pelvis"], joint_of["neck"])
    rotations, positions = source.forward({*joint_of.values(), *spine})
    reference, places = _reference(source, joint_of, rotations, positions)
    rotations, positions, timestamps = rotations[kept], positions[kept], source.timestamps_s[kept]
    target = _target_reference(rest, places)
    since = {joint: rotations[:, joint] @ reference[joint].T for joint in {*joint_of.values(), *spine}}
    rotated = np.empty((len(rotations), 24, 3, 3))
    for index, name in enumerate(SMPL_JOINTS):
        if name.startswith("spine"):
            along = int(name[-1]) / 3.0 * (len(spine) - 1)
            low = min(int(along), max(len(spine) - 2, 0))
            high = min(low + 1, len(spine) - 1)
            between = Rotation.from_matrix(np.swapaxes(since[spine[low]], -1, -2) @ since[spine[high]]).as_rotvec()
            turn = since[spine[low]] @ matrix_from_axis_angle(between * (along - low))
        else:
            joint = joint_of.get(name)
            if joint is None or source.names[joint].endswith("_end"):
                joint = spine[-1] if name.endswith("collar") else joint_of.get(SMPL_JOINTS[SMPL_PARENTS[index]])
            if joint is None or source.names[joint].endswith("_end"):
                # Fingers (and toes beyond an unnamed end) move with the hand or forearm above them.
                rotated[:, index] = rotated[:, SMPL_PARENTS[index]]
                continue
            turn = since[joint]
        rotated[:, index] = turn @ target[index]
    local = relative_rotations(rotated)
    _unbend_knees(local)
    local[:, 0] = R_ZUP_YUP @ local[:, 0]
    at = {name: rest[index] for index, name in enumerate(SMPL_JOINTS)}
    scale = _leg_length(at) / _leg_length(places)
    ankles = [positions[:, joint_of[f"{side}_ankle"]] for side in SIDES]
    balls = [positions[:, joint_of.get(f"{side}_foot", joint_of[f"{side}_ankle"])] for side in SIDES]
    near = _nearness([ball * scale for ball in balls])
    speed = [np.linalg.norm(np.gradient(ball * scale, timestamps, axis=0), axis=-1) for ball in balls]
    lean = np.zeros((2, len(rotations), 3))
    for number, side in enumerate(SIDES):
        if f"{side}_foot" in places:
            ours = target[SMPL_JOINTS.index(f"{side}_ankle")] @ (at[f"{side}_foot"] - at[f"{side}_ankle"])
            theirs = scale * (places[f"{side}_foot"] - places[f"{side}_ankle"])
            lean[number] = _lean(since[joint_of[f"{side}_ankle"]], ours - theirs, near[:, number])
    hips = (positions[:, joint_of["left_hip"]] + positions[:, joint_of["right_hip"]]) / 2.0
    wrists = [
        (positions[:, joint_of[f"{side}_wrist"]] - positions[:, joint_of[f"{side}_shoulder"]])
        * (_arm_length(at, side) / _arm_length(places, side))
        for side in SIDES
    ]
    upright = R_ZUP_YUP.T
    return _Source(
        local,
        hips @ upright,
        np.stack(ankles, axis=1) @ upright,
        np.stack(wrists, axis=1) @ upright,
        np.moveaxis(lean, 0, 1) @ upright,
        (near > 0.9) & (np.stack(speed, axis=1) < SLOW_M_S),
        scale,
    )


def _nearness(balls: Sequence[Float[np.ndarray, "time 3"]]) -> Float[np.ndarray, "time 2"]:
    """How much the balls of the feet are at the floor: 1 up to 4 cm above it, 0 from 10 cm. y up, metres.

    The floor is the 5th percentile of their heights.
    """
    heights = np.stack([ball[:, 1] for ball in balls], axis=1)
    return smoothstep((0.10 - (heights - np.percentile(heights, 5.0))) / 0.06)


def _lean(
    turn: Float[np.ndarray, "time 3 3"], longer: Float[np.ndarray, "3"], near: Float[np.ndarray, "time"]
) -> Float[np.ndarray, "time 3"]:
    """What an ankle gives way to a foot that is `longer` than the source's, where its ball is near the floor; y up,
    metres.

    While the ball stands, it follows the source's path at a constant distance, the one at which the flat foot has its
    ankle where the source has it: the mean of yaw @ longer over the contact.
    """
    angle = np.arctan2(turn[:, 0, 2] - turn[:, 2, 0], turn[:, 0, 0] + turn[:, 2, 2])
    apart = matrix_from_axis_angle(angle[:, None] * np.array([0.0, 1.0, 0.0])) @ longer
    planted = near > 0.5
    if not planted.any():
        return np.zeros_like(apart)
    contact = np.cumsum(np.diff(planted, prepend=False) & planted)[planted]
    means = np.stack([np.bincount(contact, weights=axis)[contact] for axis in apart[planted].T], axis=-1)
    means /= np.bincount(contact)[contact, None]
    index = np.arange(len(planted))
    constant = np.stack([np.interp(index, index[planted], axis) for axis in means.T], axis=-1)
    return near[:, None] * (constant - turn @ longer)


def _swing(
    rotation: Float[np.ndarray, "3 3"], bone: Float[np.ndarray, "3"], direction: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "3 3"]:
    """The rotation turned on by the smallest amount that points its bone in a direction."""
    return rotation_between(rotation @ unit(bone), unit(direction)) @ rotation


def _uprightness(
    joint_of: dict[str, int], places: Float[np.ndarray, "pose joint 3"], axis: int
) -> Float[np.ndarray, "pose"]:
    """Least cosine with a world axis over trunk and leg bones: 1 is a soldier."""
    pairs = [("pelvis", "neck")]
    pairs += [pair for s in SIDES for pair in ((f"{s}_knee", f"{s}_hip"), (f"{s}_ankle", f"{s}_knee"))]
    bones = [places[..., joint_of[top], :] - places[..., joint_of[low], :] for low, top in pairs]
    return np.min([unit(bone)[..., axis] for bone in bones], axis=0)


def _y_up(source: SkeletonMotion, joint_of: dict[str, int]) -> SkeletonMotion:
    """The source with y up: turned where its rest pose stands along z, as some programs export it, and logged."""
    rest = source.rest_positions()[None]
    if _uprightness(joint_of, rest, 1)[0] > UPRIGHT or _uprightness(joint_of, rest, 2)[0] < UPRIGHT:
        return source
    logger.info("%s: stands along z at rest; z is taken for up", source.path)
    return source.rotated(R_ZUP_YUP.T)


def _reference(
    source: SkeletonMotion,
    joint_of: dict[str, int],
    rotations: Float[np.ndarray, "time joint 3 3"],
    positions: Float[np.ndarray, "time joint 3"],
) -> tuple[Float[np.ndarray, "joint 3 3"], dict[str, Float[np.ndarray, "3"]]]:
    """Rotations and positions in the pose from which rotations are counted: standing upright."""
    rest = source.rest_positions()
    if _uprightness(joint_of, rest[None], 1)[0] > UPRIGHT:
        rotated, places = np.tile(np.eye(3), (len(source.names), 1, 1)), rest
    else:
        best = int(np.argmax(_uprightness(joint_of, positions, 1)))
        rotated, places = rotations[best].copy(), positions[best].copy()
        across = positions[:, joint_of["left_hip"]] - positions[:, joint_of["right_hip"]]
        for side in SIDES:
            if f"{side}_foot" in joint_of:
                # A dancer may be most upright on tiptoe: feet are taken from where they stand flat, and turned by as
                # much as the hips have turned until then.
                ankle, ball = joint_of[f"{side}_ankle"], joint_of[f"{side}_foot"]
                flat = _flat(positions[:, ankle], positions[:, ball], across)
                angle = np.arctan2(across[best, 0], across[best, 2]) - np.arctan2(across[flat, 0], across[flat, 2])
                heading = matrix_from_axis_angle(np.array([0.0, angle, 0.0]))
                rotated[[ankle, ball]] = heading @ rotations[flat, [ankle, ball]]
                places[ball] = places[ankle] + heading @ (positions[flat, ball] - positions[flat, ankle])
    return rotated, {name: places[index] for name, index in joint_of.items()}


def _flat(
    ankle: Float[np.ndarray, "time 3"], ball: Float[np.ndarray, "time 3"], across: Float[np.ndarray, "time 3"]
) -> int:
    """The frame in which a foot stands flat.

    Ankle and ball are as low as they usually get, the toes ahead of the hips' line, the ball a little below the ankle.
    """
    score = sum(np.abs(joint[:, 1] - np.percentile(joint[:, 1], 10.0)) for joint in (ankle, ball))
    toes = unit(ball - ankle)
    ahead = np.sum(unit(np.cross(across, [0.0, 1.0, 0.0])) * toes, axis=-1) > 0.5
    fits = ahead & (np.abs(toes[:, 1] + 0.25) < 0.15)
    return int(np.argmin(np.where(fits | ~fits.any(), score, np.inf)))


def _target_reference(
    rest: Float[np.ndarray, "24 3"], places: dict[str, Float[np.ndarray, "3"]]
) -> Float[np.ndarray, "24 3 3"]:
    """Rotations (in the source's world, y up) that put the target in the source's reference pose."""
    at = {name: rest[index] for index, name in enumerate(SMPL_JOINTS)}
    across = unit(places["left_hip"] - places["right_hip"]) + unit(places["left_shoulder"] - places["right_shoulder"])
    lateral = unit(across * np.array([1.0, 0.0, 1.0]))
    facing = np.stack([lateral, np.array([0.0, 1.0, 0.0]), np.cross(lateral, [0.0, 1.0, 0.0])], axis=-1)
    hips = (places["left_hip"] + places["right_hip"]) / 2.0
    trunk = _swing(facing, at["neck"] - (at["left_hip"] + at["right_hip"]) / 2.0, places["neck"] - hips)
    rotated = {name: facing for name in SMPL_JOINTS}
    rotated |= {name: trunk for name in ("spine1", "spine2", "spine3", "left_collar", "right_collar")}
    for side in SIDES:
        for chain in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")):
            before = facing if chain[0] == "hip" else trunk
            for joint, child in pairwise(chain):
                bone = at[f"{side}_{child}"] - at[f"{side}_{joint}"]
                before = _swing(before, bone, places[f"{side}_{child}"] - places[f"{side}_{joint}"])
                rotated[f"{side}_{joint}"] = before
        rotated[f"{side}_wrist"] = rotated[f"{side}_hand"] = rotated[f"{side}_elbow"]
        foot = places.get(f"{side}_foot")
        if foot is not None:
            # Who stands has flat feet: only their heading is taken over.
            source, target = facing.T @ (foot - places[f"{side}_ankle"]), at[f"{side}_foot"] - at[f"{side}_ankle"]
            angle = np.arctan2(source[0], source[2]) - np.arctan2(target[0], target[2])
            out = matrix_from_axis_angle(np.array([0.0, np.clip(angle, -1.2, 1.2), 0.0]))
            rotated[f"{side}_ankle"] = rotated[f"{side}_foot"] = facing @ out
    return np.stack([rotated[name] for name in SMPL_JOINTS])


def _unbend_knees(local: Float[np.ndarray, "time 24 3 3"]) -> None:
    """Straighten knees that a sloppy source skeleton bends forward, in place; foot and line of the leg stay."""
    for side in SIDES:
        hip, knee, ankle = (SMPL_JOINTS.index(f"{side}_{name}") for name in ("hip", "knee", "ankle"))
        bend = np.minimum(axis_angle_from_matrix(local[:, knee])[:, :1], 0.0) * np.array([1.0, 0.0, 0.0])
        half = matrix_from_axis_angle(bend / 2.0)
        local[:, hip] = local[:, hip] @ half
        local[:, knee] = matrix_from_axis_angle(-bend) @ local[:, knee]
        local[:, ankle] = half @ local[:, ankle]


def _begins_apart(source: SkeletonMotion, joint_of: dict[str, int]) -> bool:
    """Whether the first frame is a pose of its own: some limb's step away from it dwarfs all steps of the next
    frames."""
    begin = replace(
        source,
        translations=source.translations[:12],
        rotations=source.rotations[:12],
        timestamps_s=source.timestamps_s[:12],
    )
    positions = begin.forward(joint_of.values())[1]
    limbs = positions[:, list(joint_of.values())] - positions[:, [joint_of["pelvis"]]]
    steps = np.linalg.norm(np.diff(limbs, axis=0), axis=-1).max(axis=-1)
    return len(steps) > 2 and bool(steps[0] > 1.9 * steps[1:].max())


def _leg_length(places: dict[str, Float[np.ndarray, "3"]]) -> float:
    return sum(
        float(np.linalg.norm(places[f"{side}_{a}"] - places[f"{side}_{b}"]))
        for side in SIDES
        for a, b in (("hip", "knee"), ("knee", "ankle"))
    )


def _arm_length(places: dict[str, Float[np.ndarray, "3"]], side: str) -> float:
    arm = [places[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist")]
    return sum(float(np.linalg.norm(b - a)) for a, b in pairwise(arm))
