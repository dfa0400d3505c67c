"""Motion from posed key frames: minimum-jerk movements from pose to pose, carried by the body's own contact with the
floor.

Each movement adds its rotation, eased by the minimum-jerk course (Flash and Hogan 1985), to those before; movements
between which nothing is held overlap and flow into one another (Flash and Henis 1991). Where the body is follows from
its skin: the lowest of it is at the floor, and what carries it does not slide. Hands and feet that a key says stay are
kept where they are by inverse kinematics, and whoever is said to balance has the centre of mass over the feet.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from models.animation.gait_curves import slow_noise
from models.body.kinematics import forward_kinematics_numpy
from models.body.mirror import mirrored
from models.body.model import BodyModel
from models.body.tracks import rest_joints_of
from models.body.two_bone_ik import LIMBS, reach
from models.geometry.easing import minimum_jerk
from models.geometry.transforms import R_ZUP_YUP, axis_angle_from_matrix, matrix_from_axis_angle, yaw
from models.physics.humanoid import Humanoid
from models.types import ACTIONS, SMPL_JOINTS, Action

OVERLAP = 0.35
"""Share of the shorter of two movements by which the later begins early where nothing is held between."""
CONTACT_M = 0.006
"""Height over the lowest skin at which a point carries a third of what the lowest carries."""
SETTLE_S = 0.05
"""Deviation of the smoothing of the body's path: a trunk does not jerk."""
ANCHORS = {
    f"{side}_{name}": [SMPL_JOINTS.index(f"{side}_{joint}") for joint in joints]
    for side in ("left", "right")
    for name, joints in (("foot", ("ankle", "foot")), ("hand", ("wrist",)), ("knee", ("knee",)))
}
"""Joints of what can stay where it is on the floor; hands and feet are kept there by their limbs."""
RELEASE_S = 0.4
"""How long a hand or foot takes from where it was kept to where the poses have it."""


@dataclass(frozen=True)
class Key:
    """One pose, how it is reached, and how long it is held."""

    pose: Float[np.ndarray, "69"]
    """Body pose, axis-angle."""
    tilt: Float[np.ndarray, "3 3"]
    """Of the pelvis, in SMPL axes, before the heading (`models.body.posture_library.tilt`)."""
    heading: float
    """World angle of the front of who stands upright."""
    seconds: float
    """How long the movement to it takes; of the first key without meaning."""
    hold_s: float
    action_to: Action
    """Label of the movement to it."""
    action_held: Action
    planted: tuple[str, ...] = ()
    """Of ANCHORS: what stays where it is during the movement to it and while it is held, and carries the body; empty is
    whatever skin is lowest."""
    balanced: bool = False
    """Whether the feet alone carry the body."""


def mirrored_key(key: Key) -> Key:
    """Return the key with left and right exchanged."""
    pose, tilt = (
        mirrored(torch.as_tensor(matrices), first).numpy()
        for matrices, first in ((matrix_from_axis_angle(key.pose.reshape(23, 3)), 1), (key.tilt[None], 0))
    )
    swap = {"left": "right", "right": "left"}
    planted = tuple(f"{swap[side]}_{part}" for side, _, part in (name.partition("_") for name in key.planted))
    return replace(
        key, pose=axis_angle_from_matrix(pose).reshape(69), tilt=tilt[0], heading=-key.heading, planted=planted
    )


@dataclass(frozen=True)
class Performance:
    """What came of a series of keys, at regular timestamps."""

    global_orient: Float[np.ndarray, "time 3"]
    body_pose: Float[np.ndarray, "time 69"]
    transl: Float[np.ndarray, "time 3"]
    actions: Int[np.ndarray, "time"]
    """Index into ACTIONS."""


def perform(
    body: BodyModel,
    humanoid: Humanoid,
    betas: Float[np.ndarray, "10"],
    keys: Sequence[Key],
    fps: float,
    sway: float,
    rng: np.random.Generator,
) -> Performance:
    """Perform keys on the floor z = 0; the first frame's pelvis is over the origin. The floor is all there is.

    `humanoid` tells where the body's mass is. `sway` scales what nobody can keep from doing: breathing, small
    corrections.
    """
    begins, ends, total = _times(keys)
    times = np.arange(max(2, round(total * fps))) / fps
    local = _rotations(keys, begins, ends, times, sway * slow_noise(rng, len(times), 6, fps, 2.0))
    rest, betas_t = rest_joints_of(body, betas), torch.as_tensor(betas, dtype=torch.float32)
    pelvis = np.zeros((len(times), 3))
    points = _surface(body, betas_t, local, pelvis, rest)
    pelvis[:, :2] = _carried(keys, begins, times, points, forward_kinematics_numpy(rest, local, pelvis)[1], fps)
    pelvis[:, 2] = -gaussian_filter1d(points[..., 2].min(axis=1), SETTLE_S * fps, mode="nearest")
    balance = _blend([float(key.balanced) for key in keys], begins, ends, times)
    free = local.copy()
    for _ in range(2):
        local[:] = free
        _keep(keys, begins, ends, times, rest, local, pelvis)
        pelvis[:, :2] += balance[:, None] * _off_balance(humanoid, rest, local, pelvis)
        local[:] = free
        _keep(keys, begins, ends, times, rest, local, pelvis)
        pelvis[:, 2] -= gaussian_filter1d(_lowest(body, betas_t, local, pelvis, rest), 0.02 * fps, mode="nearest")
    local[:] = free
    _keep(keys, begins, ends, times, rest, local, pelvis)
    starts = np.searchsorted(times, begins[1:], side="right")
    actions = np.full(len(times), ACTIONS.index(keys[0].action_held))
    for key, start, end in zip(keys[1:], starts, ends[1:], strict=True):
        actions[start:] = ACTIONS.index(key.action_to)
        actions[np.searchsorted(times, end) :] = ACTIONS.index(key.action_held)
    vectors = axis_angle_from_matrix(local)
    return Performance(vectors[:, 0], vectors[:, 1:].reshape(len(times), 69), pelvis - rest[0], actions)


def _times(keys: Sequence[Key]) -> tuple[Float[np.ndarray, "key"], Float[np.ndarray, "key"], float]:
    """When the movement to each key begins and ends, and when all is over."""
    begins, ends, now = [0.0], [0.0], keys[0].hold_s
    for before, key in itertools.pairwise(keys):
        early = OVERLAP * min(before.seconds, key.seconds) if before.hold_s == 0.0 and before is not keys[0] else 0.0
        begins.append(now - early)
        ends.append(now + key.seconds)
        now += key.seconds + key.hold_s
    return np.array(begins), np.array(ends), now


def _eased(begin: float, end: float, times: Float[np.ndarray, "time"]) -> Float[np.ndarray, "time"]:
    return minimum_jerk((times - begin) / max(end - begin, 1e-9))


def _blend(
    values: list[float],
    begins: Float[np.ndarray, "key"],
    ends: Float[np.ndarray, "key"],
    times: Float[np.ndarray, "time"],
) -> Float[np.ndarray, "time"]:
    """A number that each key has, eased from key to key."""
    steps = np.diff(values)
    eased = [step * _eased(b, e, times) for step, b, e in zip(steps, begins[1:], ends[1:], strict=True)]
    return values[0] + np.sum([np.zeros(len(times)), *eased], axis=0)


def _rotations(
    keys: Sequence[Key],
    begins: Float[np.ndarray, "key"],
    ends: Float[np.ndarray, "key"],
    times: Float[np.ndarray, "time"],
    noise: Float[np.ndarray, "time 6"],
) -> Float[np.ndarray, "time 24 3 3"]:
    """Rotations of the root (to world) and of every joint: each movement's own, one after the other, and some life."""
    poses = np.stack([matrix_from_axis_angle(key.pose.reshape(23, 3)) for key in keys])
    roots = np.stack([yaw(key.heading) @ R_ZUP_YUP @ key.tilt for key in keys])
    wanted = np.concatenate([roots[:, None], poses], axis=1)
    local = np.tile(wanted[0], (len(times), 1, 1, 1))
    for (before, after), begin, end in zip(pairwise(wanted), begins[1:], ends[1:], strict=True):
        turn = Rotation.from_matrix(np.swapaxes(before, -1, -2) @ after).as_rotvec()
        eased = _eased(begin, end, times)
        local = local @ matrix_from_axis_angle(eased[:, None, None] * turn)
    breath = 0.012 * np.sin(2.0 * np.pi * 0.25 * times) + 0.008 * noise[:, 0]
    for name, x, y in (
        ("spine2", breath, 0.006 * noise[:, 1]),
        ("spine3", -breath, 0.006 * noise[:, 2]),
        ("neck", 0.02 * noise[:, 3], 0.03 * noise[:, 4]),
        ("head", -0.01 * noise[:, 3], 0.03 * noise[:, 5]),
    ):
        alive = np.stack([x, y, np.zeros(len(times))], axis=-1)
        local[:, SMPL_JOINTS.index(name)] = local[:, SMPL_JOINTS.index(name)] @ matrix_from_axis_angle(alive)
    return local


def _surface(
    body: BodyModel,
    betas: torch.Tensor,
    local: Float[np.ndarray, "time 24 3 3"],
    pelvis: Float[np.ndarray, "time 3"],
    rest: Float[np.ndarray, "24 3"],
) -> Float[np.ndarray, "time point 3"]:
    matrices = torch.as_tensor(local, dtype=torch.float32)
    transl = torch.as_tensor(pelvis - rest[0], dtype=torch.float32)
    with torch.no_grad():
        return body.posed(betas[None], matrices[:, 0], matrices[:, 1:], transl).surface_points.double().numpy()


def _lowest(
    body: BodyModel,
    betas: torch.Tensor,
    local: Float[np.ndarray, "time 24 3 3"],
    pelvis: Float[np.ndarray, "time 3"],
    rest: Float[np.ndarray, "24 3"],
) -> Float[np.ndarray, "time"]:
    return _surface(body, betas, local, pelvis, rest)[..., 2].min(axis=1)


def _carried(
    keys: Sequence[Key],
    begins: Float[np.ndarray, "key"],
    times: Float[np.ndarray, "time"],
    points: Float[np.ndarray, "time point 3"],
    joints: Float[np.ndarray, "time 24 3"],
    fps: float,
) -> Float[np.ndarray, "time 2"]:
    """Path of the pelvis over the floor along which what carries does not slide; skin and joints seen from the
    pelvis."""
    share = np.exp(-(points[..., 2] - points[..., 2].min(axis=1, keepdims=True)) / CONTACT_M)
    share /= share.sum(axis=1, keepdims=True)
    weights = (share[1:] + share[:-1]) / 2.0
    steps = -(weights[..., None] * np.diff(points[..., :2], axis=0)).sum(axis=1)
    under_way = np.searchsorted(begins, times[1:], side="left") - 1
    for index, key in enumerate(keys):
        if key.planted:
            anchors = [joint for name in key.planted for joint in ANCHORS[name]]
            moved = -np.diff(joints[:, anchors, :2].mean(axis=1), axis=0)
            steps[under_way == index] = moved[under_way == index]
    path = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])
    return gaussian_filter1d(path, SETTLE_S * fps, axis=0, mode="nearest")


def _keep(
    keys: Sequence[Key],
    begins: Float[np.ndarray, "key"],
    ends: Float[np.ndarray, "key"],
    times: Float[np.ndarray, "time"],
    rest: Float[np.ndarray, "24 3"],
    local: Float[np.ndarray, "time 24 3 3"],
    pelvis: Float[np.ndarray, "time 3"],
) -> None:
    """Keep planted hands and feet where they were when the first movement began that plants them, in place.

    Afterwards each goes back to where the poses have it.
    """
    rotations, positions = forward_kinematics_numpy(rest, local, pelvis)
    for name, limb in LIMBS.items():
        place, rotated = positions[:, limb.end].copy(), rotations[:, limb.end].copy()
        kept = [name in key.planted for key in keys]
        if not any(kept):
            continue
        index = 0
        while index < len(keys):
            if not kept[index]:
                index += 1
                continue
            last = index
            while last + 1 < len(keys) and kept[last + 1]:
                last += 1
            start = int(np.searchsorted(times, begins[index]))
            until = begins[last + 1] if last + 1 < len(keys) else times[-1]
            stop = int(np.searchsorted(times, until, side="right"))
            fade = 1.0 - minimum_jerk((times[stop:] - until) / RELEASE_S)
            away, twist = place[start] - place[stop - 1], rotated[stop - 1].T @ rotated[start]
            place[start:stop], rotated[start:stop] = place[start], rotated[start]
            place[stop:] += fade[:, None] * away
            rotated[stop:] = rotated[stop:] @ matrix_from_axis_angle(
                fade[:, None] * Rotation.from_matrix(twist).as_rotvec()
            )
            index = last + 1
        reach(rest, local, (rotations, positions), limb, place, rotated)


def _off_balance(
    humanoid: Humanoid,
    rest: Float[np.ndarray, "24 3"],
    local: Float[np.ndarray, "time 24 3 3"],
    pelvis: Float[np.ndarray, "time 3"],
) -> Float[np.ndarray, "time 2"]:
    """From the centre of mass to the middle of the feet, over the floor."""
    rotations, positions = forward_kinematics_numpy(rest, local, pelvis)
    model = humanoid.model
    joints = [0, *humanoid.dof_start]
    bodies = [model.body(SMPL_JOINTS[joint]).id for joint in joints]
    centres = positions[:, joints] + np.einsum("tjik,jk->tji", rotations[:, joints], model.body_ipos[bodies])
    mass = model.body_mass[bodies] / model.body_mass[bodies].sum()
    feet = positions[:, [SMPL_JOINTS.index(f"{s}_{j}") for s in ("left", "right") for j in ("ankle", "foot")]]
    return feet.mean(axis=1)[:, :2] - np.einsum("j,tji->ti", mass, centres)[:, :2]
