"""Where a fit of people to keypoints starts: a library of postures, and the likeliest path through it.

Gradient descent on reprojection cannot turn a person round, nor lay one down who was started upright (FACTS, "First
tries"). So every frame is compared with a few hundred whole-body candidates (posture x tilt x heading): for each, the best
place is a small linear problem, since a keypoint's ray is linear in the body's translation. The path of least total cost
through the frames (Viterbi) then settles front or back, left or right and lying or standing for the whole clip at once.
"""

import functools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from models.body import REGIONS, BodyModel, relaxed_pose
from pipeline.camera import Camera
from pipeline.frames import R_ZUP_YUP, invert, matrix_from_axis_angle, yaw
from pipeline.types import SMPL_JOINTS

HEADINGS = 16
KEPT = 32
"""Candidates per frame that the path may use."""
LYING = Path(__file__).parent / "starter" / "lying_postures.json"
"""Postures of simulated falls, made by models/lying_postures.py; nobody thinks of them by hand."""


def _posture(
    hips: tuple[float, float] = (0.0, 0.0),
    knees: tuple[float, float] = (0.0, 0.0),
    spine: float = 0.0,
    neck: float = 0.0,
    arms: str = "down",
    apart: float = 0.05,
) -> Float[np.ndarray, "69"]:
    """Body pose from flexions in radians (left, right); SMPL axes: +x turns up to forward, so hips flex by -x."""
    pose = relaxed_pose().reshape(23, 3).copy()
    for side, sign, hip, knee in (("left", 1.0, hips[0], knees[0]), ("right", -1.0, hips[1], knees[1])):
        pose[_row(f"{side}_hip")] = (-hip, 0.0, apart * sign)
        pose[_row(f"{side}_knee")] = (knee, 0.0, 0.0)
        if arms == "front":
            pose[_row(f"{side}_shoulder")] = (0.0, -1.2 * sign, -0.5 * sign)
            pose[_row(f"{side}_elbow")] = (0.0, -0.4 * sign, 0.0)
        elif arms == "bent":
            pose[_row(f"{side}_shoulder")] = (0.2, -0.3 * sign, -1.1 * sign)
            pose[_row(f"{side}_elbow")] = (0.0, -1.6 * sign, 0.0)
        elif arms == "out":
            pose[_row(f"{side}_shoulder")] = (0.0, 0.0, -0.2 * sign)
        elif arms == "up":
            pose[_row(f"{side}_shoulder")] = (0.0, 0.0, 1.0 * sign)
    for joint in ("spine1", "spine2", "spine3"):
        pose[_row(joint)] = (spine / 3.0, 0.0, 0.0)
    pose[_row("neck")] = pose[_row("head")] = (neck / 2.0, 0.0, 0.0)
    return pose.reshape(69)


def _row(joint: str) -> int:
    return SMPL_JOINTS.index(joint) - 1


def _tilt(forward: float = 0.0, left: float = 0.0, roll: float = 0.0) -> Float[np.ndarray, "3 3"]:
    """Turn of the body about its own long axis, then a lean forward and to the left (SMPL axes)."""
    lean = matrix_from_axis_angle(np.array([forward, 0.0, -left]))
    return lean @ matrix_from_axis_angle(np.array([0.0, roll, 0.0]))


@functools.cache
def _library() -> tuple[list[tuple[Float[np.ndarray, "69"], Float[np.ndarray, "3 3"]]], list[float]]:
    """Postures with the tilt of the pelvis and what each costs before anything is seen (likely ones less)."""
    quarter = np.pi / 2.0
    entries = [
        (_posture(), _tilt(), 0.0),
        (_posture(arms="bent"), _tilt(), 0.2),
        (_posture(arms="front"), _tilt(), 0.4),
        (_posture(hips=(0.4, -0.25), knees=(0.15, 0.3)), _tilt(0.05), 0.0),
        (_posture(hips=(-0.25, 0.4), knees=(0.3, 0.15)), _tilt(0.05), 0.0),
        (_posture(hips=(0.5, 0.5), spine=0.6), _tilt(0.5), 0.4),
        (_posture(hips=(1.0, 1.0), spine=0.7, arms="front"), _tilt(1.0), 0.5),
        (_posture(hips=(0.9, 0.9), knees=(0.9, 0.9), spine=0.4), _tilt(0.4), 0.5),
        (_posture(hips=(1.7, 1.7), knees=(2.1, 2.1), spine=0.5, arms="front", apart=0.25), _tilt(0.35), 0.5),
        (_posture(hips=(1.5, 1.5), knees=(1.5, 1.5), apart=0.12), _tilt(-0.05), 0.3),
        (_posture(hips=(1.4, 1.4), knees=(1.5, 1.5), spine=0.5, apart=0.15), _tilt(0.25), 0.4),
        (_posture(hips=(1.5, 1.5), knees=(0.15, 0.15)), _tilt(-0.1), 0.5),
        (_posture(hips=(2.0, 2.0), knees=(1.8, 1.8), apart=0.15), _tilt(-0.2), 0.5),
        (_posture(hips=(0.1, 0.1), knees=(1.6, 1.6), spine=0.2), _tilt(0.1), 0.6),
        (_posture(hips=(1.5, 0.1), knees=(1.5, 1.6), spine=0.2), _tilt(0.1), 0.6),
        (_posture(hips=(0.1, 1.5), knees=(1.6, 1.5), spine=0.2), _tilt(0.1), 0.6),
        (_posture(hips=(1.5, 1.5), knees=(1.5, 1.5), arms="front"), _tilt(1.4), 0.6),
    ]
    for lean in (0.45, 0.95):
        entries += [
            (_posture(arms="front", knees=(0.3, 0.3)), _tilt(lean), 0.6),
            (_posture(hips=(0.5, 0.5), knees=(0.5, 0.5), arms="out"), _tilt(-lean), 0.6),
            (_posture(hips=(0.3, 0.3), knees=(0.4, 0.4), arms="out"), _tilt(0.0, lean), 0.6),
            (_posture(hips=(0.3, 0.3), knees=(0.4, 0.4), arms="out"), _tilt(0.0, -lean), 0.6),
        ]
    shapes = (
        _posture(),
        _posture(hips=(0.9, 0.9), knees=(1.5, 1.5)),
        _posture(hips=(0.2, 0.7), knees=(0.2, 0.9), arms="bent"),
    )
    shapes += tuple(np.array([*posture, *[0.0] * 6]) for posture in json.loads(LYING.read_text()))
    for roll in np.arange(8) * np.pi / 4.0:
        entries += [(shape, _tilt(-quarter, 0.0, float(roll)), 0.5) for shape in shapes]
    entries += [(_posture(arms="up"), _tilt(quarter), 0.5), (_posture(arms="out"), _tilt(quarter), 0.5)]
    return [(pose, tilt) for pose, tilt, _ in entries], [cost for _, _, cost in entries]


@dataclass(frozen=True)
class Start:
    """One posture, heading and place per frame."""

    global_orient: Float[np.ndarray, "time 3 3"]
    """Body axes to world."""
    body_pose: Float[np.ndarray, "time 69"]
    pelvis: Float[np.ndarray, "time 3"]
    """World, metres."""
    cost: float


def find_start(
    body: BodyModel,
    betas: Float[np.ndarray, "10"],
    camera: Camera,
    keypoints_px: Float[np.ndarray, "time 17 2"],
    weights: Float[np.ndarray, "time 17"],
    timestamps_s: Float[np.ndarray, "time"],
    floor_spread_m: float = 0.12,
) -> Start:
    """The path of least cost through the library: reprojection, distance from the floor, motion between frames."""
    entries, entry_cost = _library()
    poses = np.stack([pose for pose, _ in entries])
    yaws = np.stack([yaw(2.0 * np.pi * i / HEADINGS) for i in range(HEADINGS)])
    orient = np.einsum("hij,jk,ekl->ehil", yaws, R_ZUP_YUP, np.stack([tilt for _, tilt in entries]))
    count = len(entries) * HEADINGS
    orient, entry = orient.reshape(count, 3, 3), np.repeat(np.arange(len(entries)), HEADINGS)
    with torch.no_grad():
        shape = torch.as_tensor(betas)
        pelvis0 = body.rest_joints(shape)[0]
        rotation = torch.as_tensor(orient, dtype=torch.float32)
        pose = torch.as_tensor(matrix_from_axis_angle(poses.reshape(-1, 23, 3))[entry], dtype=torch.float32)
        offset = -pelvis0.expand(count, 3)
        points = body.keypoints(shape.expand(count, 10), rotation, pose, offset).double().numpy()
        surface = body.surface_points(shape.expand(count, 10), rotation, pose, offset)
    # Arms hang where the library put them: trunk, head and legs decide where the floor is.
    arm = [REGIONS.index(region) for region in ("upper_arm", "forearm", "hand")]
    carries = ~np.isin(body.regions[body.surface_vertices], arm)
    lowest = surface[:, torch.as_tensor(carries)][..., 2].amin(-1).double().numpy()
    unary, place = _unary(camera, keypoints_px, weights, points, -lowest, floor_spread_m)
    unary = unary + np.array(entry_cost)[entry]
    chosen, cost = _viterbi(unary, place, points, timestamps_s)
    rows = np.arange(len(chosen))
    return Start(orient[chosen], poses[entry[chosen]], place[rows, chosen], cost)


def _unary(
    camera: Camera,
    keypoints_px: Float[np.ndarray, "time 17 2"],
    weights: Float[np.ndarray, "time 17"],
    points: Float[np.ndarray, "candidate 17 3"],
    stands_at: Float[np.ndarray, "candidate"],
    floor_spread_m: float,
) -> tuple[Float[np.ndarray, "time candidate"], Float[np.ndarray, "time candidate 3"]]:
    """Cost of each candidate in each frame at its best place, and that place (of the pelvis, world).

    A keypoint's ray (a, b, 1) in the camera frame gives two equations (r_x - a r_z) . (X + p) + (t_x - a t_z) = 0, linear in
    the place p; a third pulls p_z to where the candidate's lowest point touches the floor.
    """
    T = invert(camera.T_world_camera)
    R, t = T[:3, :3], T[:3, 3]
    rays = camera.rays_camera(keypoints_px)[..., :2]
    rows = R[:2] - rays[..., None] * R[2]
    shift = t[:2] - rays * t[2]
    # An error of the ray of one unit is focal pixels at depth 1: in units of 3 % of the person's extent. The extent stands
    # for the depth, which is not known yet.
    extent = np.array(
        [
            max(np.linalg.norm(np.ptp(k[w > 0], axis=0)), 8.0) if (w > 0).any() else 8.0
            for k, w in zip(keypoints_px, weights, strict=True)
        ]
    )
    depth = np.clip(camera.focal_px * 1.3 / extent, 0.5, 20.0)
    scale = camera.focal_px / depth / (0.03 * extent + 1.0)
    flat_rows = (rows * (scale[:, None] * np.sqrt(weights))[..., None, None]).reshape(len(rows), 34, 3)
    flat_shift = (shift * (scale[:, None] * np.sqrt(weights))[..., None]).reshape(len(rows), 34)
    # Without a clear floor point (feet out of view), the floor equation still decides the depth.
    normal = np.einsum("tki,tkj->tij", flat_rows, flat_rows) + np.diag([1e-6, 1e-6, 1.0 / floor_spread_m**2])
    projected = np.einsum("tki,cki->tck", flat_rows, points.repeat(2, axis=1), optimize=True)
    base = projected + flat_shift[:, None]
    right = -np.einsum("tki,tck->tci", flat_rows, base, optimize=True)
    right[..., 2] += stands_at / floor_spread_m**2
    place = np.einsum("tij,tcj->tci", np.linalg.inv(normal), right)
    residual = base + np.einsum("tki,tci->tck", flat_rows, place, optimize=True)
    squared = (residual.reshape(*residual.shape[:2], 17, 2) ** 2).sum(-1)
    off_floor = ((place[..., 2] - stands_at) / floor_spread_m) ** 2
    # A body may rest on a bed, so far off the floor costs no more than a bound.
    cost = (9.0 * squared / (9.0 + squared)).sum(-1) + 6.0 * off_floor / (6.0 + off_floor)
    depth_found = place @ R[2] + t[2]
    return cost + np.where(depth_found < 0.3, 1e3, 0.0), place


def _viterbi(
    unary: Float[np.ndarray, "time candidate"],
    place: Float[np.ndarray, "time candidate 3"],
    points: Float[np.ndarray, "candidate 17 3"],
    timestamps_s: Float[np.ndarray, "time"],
) -> tuple[Int[np.ndarray, "time"], float]:
    """Path of least unary plus motion cost among each frame's best candidates."""
    kept = np.argsort(unary, axis=1, kind="stable")[:, :KEPT]
    total = unary[0, kept[0]]
    back = np.zeros(kept.shape, dtype=np.int64)
    before = points[kept[0]] + place[0, kept[0]][:, None]
    for t in range(1, len(unary)):
        now = points[kept[t]] + place[t, kept[t]][:, None]
        step = np.linalg.norm(now[:, None] - before[None], axis=-1).mean(-1)
        # 25 cm is what a step between neighbouring postures of the library costs anyway; longer gaps forgive more.
        gap = max(float(timestamps_s[t] - timestamps_s[t - 1]), 0.03)
        moved = step / (0.15 + 1.5 * gap)
        through = total[None] + 8.0 * moved**2 / (1.0 + moved)
        back[t] = through.argmin(1)
        total = through.min(1) + unary[t, kept[t]]
        before = now
    path = [int(total.argmin())]
    for t in range(len(unary) - 1, 0, -1):
        path.append(int(back[t, path[-1]]))
    path.reverse()
    return kept[np.arange(len(unary)), path], float(total.min())


def usable(scores: Float[np.ndarray, "time 17"], least: float = 0.1) -> Bool[np.ndarray, "time"]:
    """Frames with enough keypoints to place a body."""
    return (scores >= least).sum(1) >= 5
