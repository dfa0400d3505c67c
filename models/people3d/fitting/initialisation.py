"""Where a fit of people to keypoints starts: a library of postures, and the likeliest path through it.

Gradient descent on reprojection cannot turn a person round, nor lay one down who was started upright. So every frame is
compared with a few hundred whole-body candidates (posture x tilt x heading): for each, the best place is a small linear
problem, since a keypoint's ray is linear in the body's translation. The path of least total cost through the frames
(Viterbi) then settles front or back, left or right and lying or standing for the whole clip at once.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from models.body.model import REGIONS, BodyModel
from models.body.posture_library import posture_library
from models.geometry.camera import Camera
from models.geometry.transforms import R_ZUP_YUP, invert, matrix_from_axis_angle, yaw
from models.people3d.regressor import Regression

HEADINGS = 16
CANDIDATES = 32
"""Candidates kept per frame, which the path may use."""
BLOCK = 256
"""Frames compared with the candidates at a time, which bounds the memory."""
REGRESSED_STD_M = 0.1
"""How far from where a regressor puts a body its place may be drawn by the keypoints."""


@dataclass(frozen=True)
class Initialisation:
    """Where a fit starts: one posture, heading and place per frame."""

    global_orient: Float[np.ndarray, "time 3 3"]
    """Body axes to world."""
    body_pose: Float[np.ndarray, "time 69"]
    pelvis: Float[np.ndarray, "time 3"]
    """World, metres."""
    cost: float
    trust: Float[np.ndarray, "time"]
    """Confidence of a regression that the posture is from, in [0, 1]; 0 where it is from the library."""

    def at(self, rows: slice) -> "Initialisation":
        """Return some of the frames."""
        return Initialisation(
            self.global_orient[rows], self.body_pose[rows], self.pelvis[rows], self.cost, self.trust[rows]
        )


def initialise(
    body: BodyModel,
    betas: Float[np.ndarray, "10"],
    camera: Camera,
    keypoints_px: Float[np.ndarray, "time 17 2"],
    weights: Float[np.ndarray, "time 17"],
    timestamps_s: Float[np.ndarray, "time"],
    regression: Regression | None = None,
    floor_std_m: float = 0.12,
) -> Initialisation:
    """Find the path of least cost through the library: reprojection, distance from the floor, motion between frames.

    What a regressor says of each frame, where there is one, is a candidate like the others, from its own place.
    """
    entries, costs = posture_library()
    entry_cost = np.array(costs)
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
        posed = body.posed(shape.expand(count, 10), rotation, pose, offset)
        points, surface = posed.keypoints.double().numpy(), posed.surface_points
    # Arms hang where the library put them: trunk, head and legs decide where the floor is.
    arm = [REGIONS.index(region) for region in ("upper_arm", "forearm", "hand")]
    carries = ~np.isin(body.regions[body.surface_vertices], arm)
    lowest = surface[:, torch.as_tensor(carries)][..., 2].amin(-1).double().numpy()
    system = _system(camera, keypoints_px, weights)
    down = np.zeros((3, 3))
    down[2, 2] = 1.0 / floor_std_m**2
    target = np.zeros((count, 3))
    target[:, 2] = -lowest
    blocks = [slice(first, first + BLOCK) for first in range(0, len(keypoints_px), BLOCK)]
    best = [
        _likeliest((system[0][block], system[1][block], system[2][block]), points, target, down, entry_cost[entry])
        for block in blocks
    ]
    kept, cost, pelvis = (np.concatenate(part) for part in zip(*best, strict=True))
    shown = points[kept]
    if regression is not None:
        own = _regressed_keypoints(body, regression)
        pull = np.eye(3) / REGRESSED_STD_M**2
        # Each frame has a candidate of its own: the diagonal of frames against candidates would be wasteful.
        single = [
            _unary(
                (system[0][t : t + 1], system[1][t : t + 1], system[2][t : t + 1]),
                own[t : t + 1],
                regression.pelvis[t : t + 1],
                pull,
            )
            for t in range(len(cost))
        ]
        cost = np.concatenate([cost, np.stack([c[0] for c, _ in single])], axis=1)
        pelvis = np.concatenate([pelvis, np.stack([p[0] for _, p in single])], axis=1)
        shown = np.concatenate([shown, own[:, None]], axis=1)
    path, least = _viterbi(cost, shown + pelvis[:, :, None], timestamps_s)
    frames = np.arange(len(path))
    library = path < CANDIDATES if regression is not None else np.ones(len(path), dtype=bool)
    index = kept[frames, np.minimum(path, kept.shape[1] - 1)]
    chosen_orient, chosen_pose, trust = orient[index], poses[entry[index]], np.zeros(len(path))
    if regression is not None:
        chosen_orient = np.where(library[:, None, None], chosen_orient, regression.global_orient)
        chosen_pose = np.where(library[:, None], chosen_pose, regression.body_pose)
        trust = np.where(library, 0.0, regression.confidence)
    return Initialisation(chosen_orient, chosen_pose, pelvis[frames, path], least, trust)


def _regressed_keypoints(body: BodyModel, regression: Regression) -> Float[np.ndarray, "time 17 3"]:
    """COCO-17 of the regressed bodies, seen from their pelves."""
    count = len(regression.pelvis)
    betas = torch.as_tensor(regression.betas, dtype=torch.float32)
    pose = torch.as_tensor(matrix_from_axis_angle(regression.body_pose.reshape(-1, 23, 3)), dtype=torch.float32)
    orient = torch.as_tensor(regression.global_orient, dtype=torch.float32)
    with torch.no_grad():
        offset = -body.rest_joints(betas)[0].expand(count, 3)
        return body.posed(betas.expand(count, 10), orient, pose, offset).keypoints.double().numpy()


def _system(
    camera: Camera, keypoints_px: Float[np.ndarray, "time 17 2"], weights: Float[np.ndarray, "time 17"]
) -> tuple[Float[np.ndarray, "time 34 3"], Float[np.ndarray, "time 34"], Float[np.ndarray, "time 4"]]:
    """What the keypoints say of any body's place p: rows and shifts of the equations, and the camera's z of p.

    A keypoint's ray (a, b, 1) in the camera frame gives two equations (r_x - a r_z) . (X + p) + (t_x - a t_z) = 0,
    linear in the place p of a body whose keypoint is X away from it.
    """
    T = invert(camera.T_world_camera)
    R, t = T[:3, :3], T[:3, 3]
    rays = camera.rays_camera(keypoints_px)[..., :2]
    rows = R[:2] - rays[..., None] * R[2]
    shift = t[:2] - rays * t[2]
    # An error of the ray of one unit is focal pixels at depth 1: in units of 3 % of the person's extent. The extent
    # stands for the depth, which is not known yet.
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
    return flat_rows, flat_shift, np.tile(np.append(R[2], t[2]), (len(rows), 1))


def _unary(
    system: tuple[Float[np.ndarray, "time 34 3"], Float[np.ndarray, "time 34"], Float[np.ndarray, "time 4"]],
    points: Float[np.ndarray, "candidate 17 3"],
    target: Float[np.ndarray, "candidate 3"],
    pull: Float[np.ndarray, "3 3"],
) -> tuple[Float[np.ndarray, "time candidate"], Float[np.ndarray, "time candidate 3"]]:
    """Cost of each candidate in each frame at its best place, and that place (of the pelvis, world).

    `pull` weighs how far the place is from `target`: of the height alone where a candidate should touch the floor.
    """
    rows, shift, depth_row = system
    # Without a clear floor point (feet out of view), the pull still decides the depth.
    normal = np.einsum("tki,tkj->tij", rows, rows) + 1e-6 * np.eye(3) + pull
    projected = np.einsum("tki,cki->tck", rows, points.repeat(2, axis=1), optimize=True)
    base = projected + shift[:, None]
    right = -np.einsum("tki,tck->tci", rows, base, optimize=True) + target @ pull
    place = np.einsum("tij,tcj->tci", np.linalg.inv(normal), right)
    residual = base + np.einsum("tki,tci->tck", rows, place, optimize=True)
    squared = (residual.reshape(*residual.shape[:2], 17, 2) ** 2).sum(-1)
    away = place - target
    off = np.einsum("tci,ij,tcj->tc", away, pull, away, optimize=True)
    # A body may rest on a bed, so far off the floor costs no more than a bound.
    cost = (9.0 * squared / (9.0 + squared)).sum(-1) + 6.0 * off / (6.0 + off)
    depth_found = np.einsum("tci,ti->tc", place, depth_row[:, :3]) + depth_row[:, 3:]
    return cost + np.where(depth_found < 0.3, 1e3, 0.0), place


def _likeliest(
    system: tuple[Float[np.ndarray, "time 34 3"], Float[np.ndarray, "time 34"], Float[np.ndarray, "time 4"]],
    points: Float[np.ndarray, "candidate 17 3"],
    target: Float[np.ndarray, "candidate 3"],
    pull: Float[np.ndarray, "3 3"],
    entry_cost: Float[np.ndarray, "candidate"],
) -> tuple[Int[np.ndarray, "time kept"], Float[np.ndarray, "time kept"], Float[np.ndarray, "time kept 3"]]:
    """The CANDIDATES cheapest candidates of each frame, their costs and places; see `_unary`."""
    unary, place = _unary(system, points, target, pull)
    unary = unary + entry_cost
    kept = np.argsort(unary, axis=1, kind="stable")[:, :CANDIDATES]
    rows = np.arange(len(unary))[:, None]
    return kept, unary[rows, kept], place[rows, kept]


def _viterbi(
    unary: Float[np.ndarray, "time candidate"],
    keypoints: Float[np.ndarray, "time candidate 17 3"],
    timestamps_s: Float[np.ndarray, "time"],
) -> tuple[Int[np.ndarray, "time"], float]:
    """Path of least unary plus motion cost through each frame's candidates, and that cost."""
    total = unary[0]
    back = np.zeros(unary.shape, dtype=np.int64)
    for t in range(1, len(unary)):
        step = np.linalg.norm(keypoints[t][:, None] - keypoints[t - 1][None], axis=-1).mean(-1)
        # 25 cm is what a step between neighbouring postures of the library costs anyway; longer gaps forgive more.
        gap = max(float(timestamps_s[t] - timestamps_s[t - 1]), 0.03)
        moved = step / (0.15 + 1.5 * gap)
        through = total[None] + 8.0 * moved**2 / (1.0 + moved)
        back[t] = through.argmin(1)
        total = through.min(1) + unary[t]
    path = [int(total.argmin())]
    for t in range(len(unary) - 1, 0, -1):
        path.append(int(back[t, path[-1]]))
    path.reverse()
    return np.array(path), float(total.min())


def usable(scores: Float[np.ndarray, "time 17"], min_score: float = 0.1) -> Bool[np.ndarray, "time"]:
    """Find frames with enough keypoints to place a body."""
    return (scores >= min_score).sum(1) >= 5
