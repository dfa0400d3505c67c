"""What retargeting does to motion capture: what feet slide and sink more than in the source, and where hands and feet
go.

Every figure is of the source's frames brought to the motion's timestamps. A foot is in contact between two frames where
the source's ball of the foot (its ankle, where it has no toes) is within 5 cm of the floor of the take, the 5th
percentile of heights, and moves by less than 0.4 m/s. Ankles are compared from the middle of the hips after the
person's one scale, wrists from the shoulder after that of the arm: trunks and arms are as long as the target's are.
Takes with the same subject and take number in two formats are compared.
"""

import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from models.body.floor_contact import lowest_surface
from models.body.model import BodyModel, BodyShape, load_body
from models.body.tracks import rest_joints_of, track_joints
from models.errors import InputError
from models.geometry.transforms import R_ZUP_YUP, yaw
from models.mocap.importers.indexed_folder import index_takes
from models.mocap.joint_names import SIDES, match_joints
from models.mocap.retarget import retarget
from models.mocap.skeleton_motion import SkeletonMotion
from models.types import SMPL_JOINTS, Motion

NEAR_FLOOR_M, SLOW_M_S = 0.05, 0.4
LIMBS = tuple((f"{side}_{a}", f"{side}_{b}") for side in SIDES for a, b in (
    ("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"),
))  # fmt: skip
AT = {name: index for index, name in enumerate(SMPL_JOINTS)}


def source_joints(source: SkeletonMotion, motion: Motion, person: int) -> dict[str, Float[np.ndarray, "time 3"]]:
    """Return the own joints of a person's source at the motion's timestamps, z up, metres, by our names."""
    joint_of = match_joints(source)
    first = motion.details["calibration_frames_dropped"]
    positions = source.forward(joint_of.values())[1][first:] * motion.details["metres_per_unit"][person]
    timestamps = source.timestamps_s[first:] - source.timestamps_s[first]
    return {
        name: np.stack([np.interp(motion.timestamps_s, timestamps, axis) for axis in positions[:, joint].T], axis=-1)
        @ R_ZUP_YUP.T
        for name, joint in joint_of.items()
    }


def _mean(values: Float[np.ndarray, "n"]) -> float:
    return float(values.mean()) if len(values) else 0.0


def retargeting_metrics(source: SkeletonMotion, motion: Motion, person: int, body: BodyModel) -> dict[str, float]:
    """Return metrics of one person of a motion that was retargeted from the source."""
    track, theirs = motion.people[person], source_joints(source, motion, person)
    ours = track_joints(body, track)
    lowest = lowest_surface(body, track.betas, track.global_orient, track.body_pose, track.transl)
    fps = 1.0 / float(motion.timestamps_s[1] - motion.timestamps_s[0])
    ball = "foot" if "left_foot" in theirs else "ankle"
    heights = np.concatenate([theirs[f"{side}_{ball}"][:, 2] for side in SIDES])
    floor = np.percentile(heights, 5.0)
    skates: list[list[np.ndarray]] = [[], []]
    standing = np.zeros(len(ours), dtype=bool)
    for side in SIDES:
        near = theirs[f"{side}_{ball}"][:, 2] < floor + NEAR_FLOOR_M
        speeds = [
            np.linalg.norm(np.diff(path[:, :2], axis=0), axis=-1) * fps
            for path in (theirs[f"{side}_{ball}"], ours[:, AT[f"{side}_{ball}"]])
        ]
        contact = near[1:] & near[:-1] & (speeds[0] < SLOW_M_S)
        standing[1:] |= contact
        for kept, speed in zip(skates, speeds, strict=True):
            kept.append(speed[contact])
    before, after = (_mean(np.concatenate(kept)) for kept in skates)
    directions, ankles, wrists = [], [], []
    heading = _heading(theirs, ours)
    for a, b in LIMBS:
        bones = (theirs[b] - theirs[a]) @ heading.T, ours[:, AT[b]] - ours[:, AT[a]]
        units = [bone / np.linalg.norm(bone, axis=-1, keepdims=True) for bone in bones]
        directions.append(np.degrees(np.arccos(np.clip(np.sum(units[0] * units[1], axis=-1), -1.0, 1.0))))
    rest = rest_joints_of(body, track.betas)
    for side in SIDES:
        pelvis = (
            (theirs["left_hip"] + theirs["right_hip"]) / 2.0,
            (ours[:, AT["left_hip"]] + ours[:, AT["right_hip"]]) / 2.0,
        )
        ankle = (theirs[f"{side}_ankle"] - pelvis[0]) @ heading.T - (ours[:, AT[f"{side}_ankle"]] - pelvis[1])
        ankles.append(np.linalg.norm(ankle, axis=-1))
        arm = [f"{side}_{name}" for name in ("shoulder", "elbow", "wrist")]
        lengths = [
            sum(float(np.linalg.norm(place[b] - place[a])) for a, b in pairwise(arm))
            for place in ({name: theirs[name][0] for name in arm}, {name: rest[AT[name]] for name in arm})
        ]
        reach = (theirs[arm[2]] - theirs[arm[0]]) @ heading.T * (lengths[1] / lengths[0])
        wrists.append(np.linalg.norm(ours[:, AT[arm[2]]] - ours[:, AT[arm[0]]] - reach, axis=-1))
    return {
        "seconds": float(motion.timestamps_s[-1]),
        "skate_source_cm_s": before * 100.0,
        "skate_added_cm_s": (after - before) * 100.0,
        "contact_share": float(standing.mean()),
        "penetration_cm": max(0.0, -float(lowest.min())) * 100.0,
        "float_in_contact_cm": float(np.percentile(np.abs(lowest[standing]), 95)) * 100.0 if standing.any() else 0.0,
        "limb_direction_deg": float(np.mean(directions)),
        "limb_direction_p95_deg": float(np.percentile(directions, 95)),
        "ankle_cm": float(np.mean(ankles)) * 100.0,
        "ankle_p95_cm": float(np.percentile(ankles, 95)) * 100.0,
        "wrist_cm": float(np.mean(wrists)) * 100.0,
        "wrist_p95_cm": float(np.percentile(wrists, 95)) * 100.0,
    }


def _heading(
    theirs: dict[str, Float[np.ndarray, "time 3"]], ours: Float[np.ndarray, "time 24 3"]
) -> Float[np.ndarray, "3 3"]:
    """The turn about z from the source's world to the motion's, from hips and shoulders of all frames."""
    across = [(f"left_{name}", f"right_{name}") for name in ("hip", "shoulder")]
    source = np.concatenate([theirs[a] - theirs[b] for a, b in across])[:, :2]
    target = np.concatenate([ours[:, AT[a]] - ours[:, AT[b]] for a, b in across])[:, :2]
    angle = np.arctan2(np.sum(source[:, 0] * target[:, 1] - source[:, 1] * target[:, 0]), np.sum(source * target))
    return yaw(float(angle))


def agreement(one: Float[np.ndarray, "time joint 3"], other: Float[np.ndarray, "time joint 3"]) -> tuple[float, float]:
    """Return the mean joint distance in millimetres after one similarity for the whole take, and mean angle of limbs in
    degrees."""
    count = min(len(one), len(other))
    a, b = one[:count].reshape(-1, 3), other[:count].reshape(-1, 3)
    from_a, from_b = a - a.mean(axis=0), b - b.mean(axis=0)
    turn = Rotation.align_vectors(from_b, from_a)[0]
    rotated = turn.apply(from_a)
    distance = np.linalg.norm(rotated * (np.sum(rotated * from_b) / np.sum(rotated**2)) - from_b, axis=-1).mean()
    angles = []
    for a_name, b_name in LIMBS:
        bones = [joints[:count, AT[b_name]] - joints[:count, AT[a_name]] for joints in (one, other)]
        units = [bone / np.linalg.norm(bone, axis=-1, keepdims=True) for bone in (turn.apply(bones[0]), bones[1])]
        angles.append(np.degrees(np.arccos(np.clip(np.sum(units[0] * units[1], axis=-1), -1.0, 1.0))))
    return float(distance) * 1000.0, float(np.mean(angles))


def summary(rows: dict[str, dict[str, float]]) -> dict[str, dict[str, float | str]]:
    """Return median, 95th percentile and worst row of each figure."""
    summaries: dict[str, dict[str, float | str]] = {}
    for name in next(iter(rows.values())):
        values = np.array([row[name] for row in rows.values()])
        worst = list(rows)[int(np.argmax(values))]
        summaries[name] = {
            "median": float(np.median(values)),
            "p95": float(np.percentile(values, 95)),
            "worst": float(values.max()),
            "worst_of": worst,
        }
    return summaries


def measure(mocap: Path, fps: float = 20.0, only: str = "") -> dict[str, Any]:
    """Measure every take of a folder with an index.csv, on one body, at so many frames a second.

    `only` leaves out takes whose first file does not hold this text; what cannot be read is listed in `failures`.
    """
    body = load_body()
    shape = BodyShape(age_years=40.0, sex=0.5, stature_m=1.7, build=0.4)
    betas = np.asarray(body.betas_from_shape(shape), dtype=np.float64)
    rows: dict[str, dict[str, float]] = {}
    failures: list[str] = []
    joints: dict[tuple[str, str], np.ndarray] = {}
    spent = 0.0
    for take in index_takes(mocap):
        files = [
            str(path.relative_to(mocap)) + (f"#{episode}" if episode else "")
            for path, episode in zip(take.paths, take.episodes, strict=True)
        ]
        if only not in files[0]:
            continue
        started = time.perf_counter()
        try:
            sources = take.sources()
            motion = retarget(sources, body, betas, fps)
        except InputError as error:
            failures.append(str(error))
            continue
        spent += time.perf_counter() - started
        for person, (file, source) in enumerate(zip(files, sources, strict=True)):
            rows[file] = retargeting_metrics(source, motion, person, body)
        numbers = [part.lstrip("0") for part in take.paths[0].stem.split("_")]
        joints[take.kind, "_".join(numbers)] = track_joints(body, motion.people[0])
    if not rows:
        raise InputError(mocap, "holds no take that could be read", "name a folder with an index.csv and its files")
    both = sorted({key for kind, key in joints if kind == "amc"} & {key for kind, key in joints if kind == "bvh"})
    pairs = [(key, agreement(joints["amc", key], joints["bvh", key])) for key in both]
    same = {key: {"joint_distance_mm": distance, "limb_direction_deg": angle} for key, (distance, angle) in pairs}
    return {
        "files": len(rows),
        "failures": failures,
        "realtime_factor": sum(row["seconds"] for row in rows.values()) / spent,
        "summary": summary(rows),
        "bvh_and_amc": {"takes": same, "summary": summary(same) if same else {}},
        "rows": rows,
    }
