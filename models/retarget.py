"""Motion capture on our body: any BVH skeleton of a person to the SMPL tree of a given shape.

A source joint's rotation since a reference pose (the file's rest pose where that stands upright, else its most upright
frame) is applied to the target's rotation in that same pose, found by turning the target's limbs, with no twist, onto
the source's. So limbs keep the source's directions, twists are the source's own, and bone lengths are the target's.
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.ndimage import gaussian_filter1d, maximum_filter1d
from scipy.spatial.transform import Rotation, Slerp

from models.body import BodyModel
from pipeline.bvh import Bvh
from pipeline.errors import InputError
from pipeline.frames import R_ZUP_YUP, axis_angle_from_matrix, matrix_from_axis_angle, rotation_between, yaw
from pipeline.types import SMPL_JOINTS, SMPL_PARENTS, Motion, PersonTrack, Role

_SIDED = {
    "hip": ("{Side}upleg", "{s}thigh", "thigh{s}", "{Side}thigh", "{Side}hip"),
    "knee": ("{Side}leg", "{s}shin", "shin{s}", "{s}calf", "{Side}shin", "{Side}knee"),
    "ankle": ("{Side}foot", "{s}foot", "foot{s}", "{Side}ankle"),
    "foot": ("{Side}toebase", "{s}toebase", "toe{s}", "{Side}toe"),
    "shoulder": ("{Side}arm", "{s}shldr", "upperarm{s}", "{s}upperarm", "{Side}uparm", "{Side}shoulder"),
    "collar": ("{Side}collar", "{s}collar", "{s}clavicle", "shoulder{s}", "{Side}shoulder"),
    "elbow": ("{Side}forearm", "{s}forearm", "forearm{s}", "{Side}lowarm", "{Side}elbow"),
    "wrist": ("{Side}hand", "{s}hand", "hand{s}", "{Side}wrist"),
}
NAMES: dict[str, tuple[str, ...]] = {
    "pelvis": ("hips", "hip", "pelvis"),
    "neck": ("neck", "necktwist01"),
    "head": ("head", "face"),
} | {
    f"{side}_{joint}": tuple(name.format(Side=side, s=side[0]) for name in names)
    for joint, names in _SIDED.items()
    for side in ("left", "right")
}
"""What files call our joints, in lower case without prefix and punctuation; the spine is the path from pelvis to neck."""
OPTIONAL = tuple(f"{side}_{joint}" for side in ("left", "right") for joint in ("foot", "collar", "wrist"))
SIDES = ("left", "right")


def match_joints(bvh: Bvh) -> dict[str, int]:
    """Source joint of each SMPL joint but the spine's; InputError lists what has no partner."""
    plain = {}
    for index, name in enumerate(bvh.names):
        short = name.lower().removeprefix("cc_base_").rpartition(":")[2]
        plain.setdefault("".join(letter for letter in short if letter.isalnum()), index)
    found: dict[str, int] = {}
    for joint, names in NAMES.items():
        candidates = [plain[name] for name in names if name in plain and plain[name] not in found.values()]
        if candidates:
            found[joint] = candidates[0]
    for side in SIDES:
        # A file without hand or toe may still say where the limb ends.
        for joint, above in (("wrist", "elbow"), ("foot", "ankle")):
            ends = [c for c, parent in enumerate(bvh.parents) if parent == found.get(f"{side}_{above}")]
            if f"{side}_{joint}" not in found and ends:
                found[f"{side}_{joint}"] = ends[0]
    missing = [joint for joint in NAMES if joint not in found and joint not in OPTIONAL]
    missing += [f"{side}_wrist" for side in SIDES if f"{side}_wrist" not in found and f"{side}_elbow" in found]
    if missing:
        shown = ", ".join(bvh.names[:12]) + (", ..." if len(bvh.names) > 12 else "")
        raise InputError(
            bvh.path,
            f"has no joint that is {', '.join(missing)} (its joints: {shown})",
            "rename them to Hips, LeftUpLeg, LeftLeg, LeftFoot, Neck, Head, LeftArm, LeftForeArm, LeftHand, ...",
        )
    return found


def _unit(vectors: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _swing(
    rotation: Float[np.ndarray, "3 3"], bone: Float[np.ndarray, "3"], direction: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "3 3"]:
    """The rotation turned on by the smallest amount that points its bone in a direction."""
    return rotation_between(rotation @ _unit(bone), _unit(direction)) @ rotation


def _reference(
    bvh: Bvh,
    joint_of: dict[str, int],
    rotations: Float[np.ndarray, "time joint 3 3"],
    positions: Float[np.ndarray, "time joint 3"],
) -> tuple[Float[np.ndarray, "joint 3 3"], dict[str, Float[np.ndarray, "3"]]]:
    """Rotations and positions in the pose from which rotations are counted: standing upright."""

    def uprightness(places: Float[np.ndarray, "pose joint 3"]) -> Float[np.ndarray, "pose"]:
        """Least cosine with the vertical over trunk and leg bones: 1 is a soldier."""
        pairs = [("pelvis", "neck")]
        pairs += [pair for s in SIDES for pair in ((f"{s}_knee", f"{s}_hip"), (f"{s}_ankle", f"{s}_knee"))]
        bones = [places[..., joint_of[top], :] - places[..., joint_of[low], :] for low, top in pairs]
        return np.min([_unit(bone)[..., 1] for bone in bones], axis=0)

    rest = bvh.rest_positions()
    if uprightness(rest[None])[0] > 0.85:
        turned, places = np.tile(np.eye(3), (len(bvh.names), 1, 1)), rest
    else:
        best = int(np.argmax(uprightness(positions)))
        turned, places = rotations[best], positions[best]
    return turned, {name: places[index] for name, index in joint_of.items()}


def _target_reference(
    rest: Float[np.ndarray, "24 3"], places: dict[str, Float[np.ndarray, "3"]]
) -> Float[np.ndarray, "24 3 3"]:
    """Rotations (in the source's world, y up) that put the target in the source's reference pose."""
    at = {name: rest[index] for index, name in enumerate(SMPL_JOINTS)}
    across = _unit(places["left_hip"] - places["right_hip"]) + _unit(places["left_shoulder"] - places["right_shoulder"])
    lateral = _unit(across * np.array([1.0, 0.0, 1.0]))
    facing = np.stack([lateral, np.array([0.0, 1.0, 0.0]), np.cross(lateral, [0.0, 1.0, 0.0])], axis=-1)
    hips = (places["left_hip"] + places["right_hip"]) / 2.0
    trunk = _swing(facing, at["neck"] - (at["left_hip"] + at["right_hip"]) / 2.0, places["neck"] - hips)
    turned = {name: facing for name in SMPL_JOINTS}
    turned |= {name: trunk for name in ("spine1", "spine2", "spine3", "left_collar", "right_collar")}
    for side in SIDES:
        for chain in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")):
            before = facing if chain[0] == "hip" else trunk
            for joint, child in pairwise(chain):
                bone = at[f"{side}_{child}"] - at[f"{side}_{joint}"]
                before = _swing(before, bone, places[f"{side}_{child}"] - places[f"{side}_{joint}"])
                turned[f"{side}_{joint}"] = before
        turned[f"{side}_wrist"] = turned[f"{side}_hand"] = turned[f"{side}_elbow"]
        foot = places.get(f"{side}_foot")
        if foot is not None:
            # Who stands has flat feet: only their heading is taken over.
            source, target = facing.T @ (foot - places[f"{side}_ankle"]), at[f"{side}_foot"] - at[f"{side}_ankle"]
            angle = np.arctan2(source[0], source[2]) - np.arctan2(target[0], target[2])
            out = matrix_from_axis_angle(np.array([0.0, np.clip(angle, -0.5, 0.5), 0.0]))
            turned[f"{side}_ankle"] = turned[f"{side}_foot"] = facing @ out
    return np.stack([turned[name] for name in SMPL_JOINTS])


def _spine(bvh: Bvh, joint_of: dict[str, int]) -> list[int]:
    """Joints from the pelvis up to the neck's parent."""
    chain, joint = [], bvh.parents[joint_of["neck"]]
    while joint >= 0 and joint != joint_of["pelvis"]:
        chain.append(joint)
        joint = bvh.parents[joint]
    return [joint_of["pelvis"], *chain[::-1]]


def retarget_bvh(
    bvh: Bvh,
    body: BodyModel,
    betas: Float[np.ndarray, "10"],
    fps: float,
    person: str = "person_0",
    role: Role = "person",
    window_s: tuple[float, float] | None = None,
) -> Motion:
    """The motion on our body, sampled at `fps`: first frame at x = y = 0 facing +x, z up, feet on the floor z = 0.

    `window_s` keeps a part (start, end) of the file. Actions are unknown (-1). Raises InputError when joints cannot be
    matched by name.
    """
    joint_of = match_joints(bvh)
    spine = _spine(bvh, joint_of)
    rotations, positions = bvh.forward({*joint_of.values(), *spine})
    reference, places = _reference(bvh, joint_of, rotations, positions)
    # Many files begin with one frame of calibration pose; it serves as reference above and is no part of the motion.
    first = int(_begins_apart(positions[:, [joint_of[name] for name in NAMES if name in joint_of]]))
    start, end = window_s or (0.0, np.inf)
    kept = slice(
        max(first, np.searchsorted(bvh.timestamps_s, start)), np.searchsorted(bvh.timestamps_s, end, "right") + 1
    )
    rotations, positions, clock = rotations[kept], positions[kept], bvh.timestamps_s[kept]
    clock = clock - clock[0]
    with torch.no_grad():
        rest = body.rest_joints(torch.as_tensor(betas, dtype=torch.float32)).double().numpy()
    target = _target_reference(rest, places)
    since = {joint: rotations[:, joint] @ reference[joint].T for joint in {*joint_of.values(), *spine}}
    turned = np.empty((len(rotations), 24, 3, 3))
    for index, name in enumerate(SMPL_JOINTS):
        if name.startswith("spine"):
            along = int(name[-1]) / 3.0 * (len(spine) - 1)
            low = min(int(along), max(len(spine) - 2, 0))
            high = min(low + 1, len(spine) - 1)
            between = Rotation.from_matrix(np.swapaxes(since[spine[low]], -1, -2) @ since[spine[high]]).as_rotvec()
            turn = since[spine[low]] @ matrix_from_axis_angle(between * (along - low))
        else:
            source = joint_of.get(name)
            if source is None or bvh.names[source].endswith("_end"):
                source = spine[-1] if name.endswith("collar") else joint_of.get(SMPL_JOINTS[SMPL_PARENTS[index]])
            if source is None or bvh.names[source].endswith("_end"):
                # Fingers (and toes beyond an unnamed end) move with the hand or forearm above them.
                turned[:, index] = turned[:, SMPL_PARENTS[index]]
                continue
            turn = since[source]
        turned[:, index] = turn @ target[index]
    local = turned.copy()
    local[:, 1:] = np.swapaxes(turned[:, SMPL_PARENTS[1:]], -1, -2) @ turned[:, 1:]
    _unbend_knees(local)
    at = {name: rest[index] for index, name in enumerate(SMPL_JOINTS)}
    hips = (positions[:, joint_of["left_hip"]] + positions[:, joint_of["right_hip"]]) / 2.0
    middle = (at["left_hip"] + at["right_hip"]) / 2.0 - at["pelvis"]
    pelvis = hips * (_leg_length(at) / _leg_length(places)) - turned[:, 0] @ middle
    local[:, 0] = R_ZUP_YUP @ local[:, 0]
    times = np.arange(int(np.floor(clock[-1] * fps + 1e-6)) + 1) / fps
    vectors = np.stack([_resample(clock, local[:, joint], times) for joint in range(24)], axis=1)
    pelvis = np.stack([np.interp(times, clock, axis) for axis in (pelvis @ R_ZUP_YUP.T).T], axis=-1)
    seen = np.ones(len(times), dtype=bool)
    track = PersonTrack(
        person, role, np.asarray(betas), vectors[:, 0], vectors[:, 1:].reshape(-1, 69), pelvis - rest[0], seen,
        np.ones(len(times)),
    )  # fmt: skip
    track = canonicalise(body, settle_on_floor(body, track, fps))
    return Motion(times, (track,), np.full((1, len(times)), -1), bvh.path.name, {"calibration_frames_dropped": first})


def _unbend_knees(local: Float[np.ndarray, "time 24 3 3"]) -> None:
    """Straighten knees that a sloppy source skeleton bends forward, in place; foot and line of the leg stay."""
    for side in SIDES:
        hip, knee, ankle = (SMPL_JOINTS.index(f"{side}_{name}") for name in ("hip", "knee", "ankle"))
        bend = np.minimum(axis_angle_from_matrix(local[:, knee])[:, :1], 0.0) * np.array([1.0, 0.0, 0.0])
        half = matrix_from_axis_angle(bend / 2.0)
        local[:, hip] = local[:, hip] @ half
        local[:, knee] = matrix_from_axis_angle(-bend) @ local[:, knee]
        local[:, ankle] = half @ local[:, ankle]


def _begins_apart(positions: Float[np.ndarray, "time joint 3"]) -> bool:
    """Whether the first frame is a pose of its own: some limb's step away from it dwarfs all steps of the next frames.

    The first joint is the pelvis; limbs are seen from it.
    """
    limbs = positions[:12] - positions[:12, :1]
    steps = np.linalg.norm(np.diff(limbs, axis=0), axis=-1).max(axis=-1)
    return len(steps) > 2 and bool(steps[0] > 1.9 * steps[1:].max())


def _leg_length(places: dict[str, Float[np.ndarray, "3"]]) -> float:
    return sum(
        float(np.linalg.norm(places[f"{side}_{a}"] - places[f"{side}_{b}"]))
        for side in SIDES
        for a, b in (("hip", "knee"), ("knee", "ankle"))
    )


def _resample(
    timestamps_s: Float[np.ndarray, "time"], matrices: Float[np.ndarray, "time 3 3"], times: Float[np.ndarray, "sample"]
) -> Float[np.ndarray, "sample 3"]:
    """Rotation vectors at other times, by spherical interpolation."""
    return Slerp(timestamps_s, Rotation.from_matrix(matrices))(np.minimum(times, timestamps_s[-1])).as_rotvec()


def settle_on_floor(body: BodyModel, track: PersonTrack, fps: float) -> PersonTrack:
    """Move the track vertically so that the floor is z = 0 and feet in contact stand on it.

    The floor is where the lowest skin usually is; a contact is a foot that is low and hardly moves. Between contacts the
    correction is interpolated, so jumps stay jumps; nothing is left below the floor.
    """
    low = lowest_surface(body, track.betas, track.global_orient, track.body_pose, track.transl)
    floor = np.percentile(low, 10.0)
    low = low - floor
    contact = _contact(body, track, fps) & (np.abs(low) < 0.06)
    if contact.any():
        index = np.arange(len(low))
        correction = -np.interp(index, index[contact], low[contact])
        correction = gaussian_filter1d(correction, 0.06 * fps, mode="nearest")
    else:
        correction = np.zeros(len(low))
    below = np.maximum(0.0, -(low + correction))
    size = max(1, round(0.1 * fps)) * 2 + 1
    lift = gaussian_filter1d(maximum_filter1d(below, size, mode="nearest"), 0.04 * fps, mode="nearest")
    transl = track.transl.copy()
    transl[:, 2] += correction + lift - floor
    return replace(track, transl=transl)


def _contact(body: BodyModel, track: PersonTrack, fps: float) -> Bool[np.ndarray, "time"]:
    """Whether the lower foot hardly moves (under 0.35 m/s)."""
    joints = body_joints(body, track.betas, track.global_orient, track.body_pose, track.transl)
    feet = joints[:, [SMPL_JOINTS.index("left_foot"), SMPL_JOINTS.index("right_foot")]]
    speed = np.linalg.norm(np.gradient(feet, 1.0 / fps, axis=0), axis=-1)
    lower = np.argmin(feet[..., 2], axis=1)
    return speed[np.arange(len(speed)), lower] < 0.35


def body_joints(
    body: BodyModel,
    betas: Float[np.ndarray, "10"],
    global_orient: Float[np.ndarray, "time 3"],
    body_pose: Float[np.ndarray, "time 69"],
    transl: Float[np.ndarray, "time 3"],
) -> Float[np.ndarray, "time 24 3"]:
    """The body's joints over time, metres, float64."""
    arrays = (np.tile(betas, (len(transl), 1)), global_orient, body_pose, transl)
    with torch.no_grad():
        return body.joints(*(torch.as_tensor(array, dtype=torch.float32) for array in arrays)).double().numpy()


def lowest_surface(
    body: BodyModel,
    betas: Float[np.ndarray, "10"],
    global_orient: Float[np.ndarray, "time 3"],
    body_pose: Float[np.ndarray, "time 69"],
    transl: Float[np.ndarray, "time 3"],
) -> Float[np.ndarray, "time"]:
    """Height of the lowest contact point of the skin per frame, metres."""
    shape = torch.as_tensor(betas, dtype=torch.float32)[None]
    lowest = np.empty(len(transl))
    # 128 frames at a time stay in the processor's cache: twice as fast as all at once.
    for part in (slice(first, first + 128) for first in range(0, len(transl), 128)):
        pose = (torch.as_tensor(array[part], dtype=torch.float32) for array in (global_orient, body_pose, transl))
        with torch.no_grad():
            lowest[part] = body.surface_points(shape, *pose)[..., 2].amin(dim=-1).numpy()
    return lowest


def canonicalise(body: BodyModel, track: PersonTrack) -> PersonTrack:
    """The track turned and moved on the floor so that its first frame's pelvis is at x = y = 0 and faces +x."""
    with torch.no_grad():
        rest = body.rest_joints(torch.as_tensor(track.betas, dtype=torch.float32))[0].double().numpy()
    orient = matrix_from_axis_angle(track.global_orient)
    facing = orient[0, :, 2]
    turn = yaw(-float(np.arctan2(facing[1], facing[0])))
    pelvis = track.transl + rest
    moved = (pelvis - np.array([*pelvis[0, :2], 0.0])) @ turn.T
    return replace(track, global_orient=axis_angle_from_matrix(turn @ orient), transl=moved - rest)
