"""Crops of sample people to train `models/people3d/hmr_network.py` on: dressed bodies in furnished rooms, rendered
through crop cameras.

In: collected poses (`models/training/pose_prior/poses.py`), a generator. Out: crops with the truth of our baked body in
the axes of each crop's camera. People of all ages and builds, any clothes and light; cameras from the floor's clutter
to the ceiling; furniture, panels and the picture's edge hide parts of them; poses whose trunk lies are drawn as often
as upright ones, turned supine, prone and sideways alike.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8

from models.body.model import BodyModel, BodyShape
from models.errors import InputError
from models.geometry.camera import Camera
from models.geometry.transforms import R_ZUP_YUP, apply, axis_angle_from_matrix, invert, matrix_from_axis_angle, yaw
from models.people3d.hmr_network import HmrConfig, crop, crop_camera
from models.people3d.pose_prior import PRIOR_JOINTS
from models.rendering.appearance import dress_body
from models.rendering.gl_scene import Light
from models.rendering.renderer import BodyMesh, Renderer, composite, hidden_by_room
from models.sample_footage.room import (
    in_camera_world,
    in_image,
    random_camera,
    render_empty_room,
    sample_room,
    watching_camera,
)
from models.seeds import generator
from models.training.hmr.dataset import Views
from models.training.pose_prior.kinematics import Kinematics, matrices
from models.training.pose_prior.poses import Poses
from models.types import SMPL_JOINTS, BodyLook, Role

logger = logging.getLogger(__name__)

PICTURE_PX = (640, 480)
PEOPLE_PER_SET = 8
HELD_OUT = 10
"""One group of people of so many is held out."""
SHOTS_PER_PERSON = 16
DRAWS = 12
"""Of a place, until enough of the person is seen from there."""
MIN_SEEN_SHARE = 0.45
"""Share of the body's pixels that nothing hides, and of its keypoints inside the picture."""
POSTURE_SHARES = ((0.5, 0.4), (0.87, 0.2), (1.01, 0.4))
"""Trunk's elevation (sine) below which, and how often: lying, leaning, upright."""
ROLES: tuple[Role, ...] = ("resident", "carer", "visitor", "person")


@dataclass(frozen=True)
class _Set:
    """An empty room through a camera, in the camera's world."""

    camera: Camera
    plate: UInt8[np.ndarray, "height width 3"]
    depth: Float[np.ndarray, "height width"]


def draw_views(body: BodyModel, poses: Poses, config: HmrConfig, people: int, seed: int) -> Views:
    """Render `people` people, `SHOTS_PER_PERSON` times each at the most. The same arguments give the same bytes.

    Every tenth group of people, in a room of their own, is held out and takes held-out poses; the others take the rest.
    """
    kinematics, shots = Kinematics(body), []
    for number in range(people):
        group = number // PEOPLE_PER_SET
        held = group % HELD_OUT == HELD_OUT // 2
        if number % PEOPLE_PER_SET == 0:
            stage = _draw_set(generator(seed, "hmr_views", f"room {group}"))
        usable = np.flatnonzero(poses.held_out == held)
        rng = generator(seed, "hmr_views", f"person {number}")
        chosen = usable[_draw_poses(poses.trunk[usable], SHOTS_PER_PERSON, rng)]
        shots += [
            (*shot, held)
            for shot in _shoot(body, kinematics, poses.body_pose[chosen], poses.trunk[chosen], config, stage, rng)
        ]
        if number % 50 == 49:
            logger.info("%d of %d people, %d views", number + 1, people, len(shots))
    if not shots:
        raise InputError("views", "nobody was seen", "ask for more people")
    jpeg, *truth = zip(*shots, strict=True)
    ends = np.cumsum([len(file) for file in jpeg])
    return Views(np.concatenate(jpeg), ends, *(np.array(values) for values in truth))


def _draw_set(rng: np.random.Generator) -> _Set:
    room = sample_room(rng)
    draw = watching_camera if rng.random() < 0.5 else random_camera
    room, camera = in_camera_world(room, draw(room, rng, *PICTURE_PX))
    plate, depth, _ = render_empty_room(room, camera)
    return _Set(camera, plate, depth.astype(np.float64))


def _draw_poses(trunk: Float[np.ndarray, "pose"], count: int, rng: np.random.Generator) -> Int[np.ndarray, "count"]:
    """Rows of poses, postures in the shares wanted as far as there are any."""
    posture = np.searchsorted([limit for limit, _ in POSTURE_SHARES], trunk, side="right")
    weight = np.zeros(len(trunk))
    for index, (_, share) in enumerate(POSTURE_SHARES):
        members = posture == index
        weight[members] = share / max(1, members.sum())
    return rng.choice(len(trunk), count, p=weight / weight.sum())


def draw_shape(rng: np.random.Generator) -> BodyShape:
    """Draw anybody: mostly the old, some children of school age."""
    group = rng.random()
    low, high = (8.0, 18.0) if group < 0.1 else (18.0, 65.0) if group < 0.5 else (65.0, 100.0)
    age, sex = float(rng.uniform(low, high)), float(rng.uniform())
    grown = 1.62 + 0.13 * sex - (0.04 if age > 67 else 0.0)
    stature = grown - 0.045 * max(0.0, 17.0 - age) + rng.normal(0.0, 0.07)
    return BodyShape(
        age_years=age, sex=sex, stature_m=float(np.clip(stature, 1.1, 2.05)), build=float(rng.uniform(0.05, 0.95))
    )


def draw_orientation(
    trunk_body: Float[np.ndarray, "3"], elevation: float, rng: np.random.Generator
) -> Float[np.ndarray, "3 3"]:
    """Draw a root orientation (body axes to world) that gives the trunk, a direction in body axes, its elevation
    (sine).

    The upright mostly lean forward; the lying are rolled about their trunk by any angle.
    """
    up = R_ZUP_YUP @ trunk_body
    up /= np.linalg.norm(up)
    axis = np.cross(up, [0.0, 0.0, 1.0])
    upright = matrix_from_axis_angle(axis / max(np.linalg.norm(axis), 1e-9) * np.arccos(np.clip(up[2], -1.0, 1.0)))
    roll = rng.uniform(-np.pi, np.pi) if elevation < 0.5 or rng.random() < 0.15 else rng.normal(0.0, 0.5)
    lean = matrix_from_axis_angle(np.array([0.0, np.arccos(np.clip(elevation, -1.0, 1.0)), 0.0]))
    return yaw(rng.uniform(-np.pi, np.pi)) @ lean @ yaw(roll) @ upright @ R_ZUP_YUP


def _draw_light(rng: np.random.Generator) -> Light:
    around, down = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(0.15, 1.5)
    colour = np.clip(1.0 + rng.normal(0.0, 0.08, 3), 0.7, 1.3)
    return Light(
        (float(np.cos(around)), float(np.sin(around)), -float(down)),
        float(rng.uniform(0.2, 0.8)),
        float(rng.uniform(0.15, 0.6)),
        (float(colour[0]), float(colour[1]), float(colour[2])),
    )


def _shoot(
    body: BodyModel,
    kinematics: Kinematics,
    body_pose: Float[np.ndarray, "shot 63"],
    trunk: Float[np.ndarray, "shot"],
    config: HmrConfig,
    stage: _Set,
    rng: np.random.Generator,
) -> Iterator[tuple]:
    """One person in each of some poses somewhere in the room: the fields of `Views` but the ends, view by view."""
    shape = draw_shape(rng)
    betas = body.betas_from_shape(shape)
    worn = dress_body(body, BodyLook(int(rng.integers(2**31)), shape.age_years), ROLES[rng.integers(len(ROLES))])
    joints = kinematics(matrices(body_pose)).double().numpy()
    lines = joints[:, SMPL_JOINTS.index("neck")]
    orient = np.stack([draw_orientation(line, float(up), rng) for line, up in zip(lines, trunk, strict=True)])
    pose = np.concatenate([body_pose, np.zeros((len(body_pose), 69 - 3 * PRIOR_JOINTS))], axis=1)
    with torch.no_grad():
        values = (
            torch.as_tensor(np.tile(betas, (len(pose), 1))),
            torch.as_tensor(axis_angle_from_matrix(orient)).float(),
            torch.as_tensor(pose).float(),
            torch.zeros(len(pose), 3),
        )
        posed = body.posed(*values)
        vertices, keypoints = posed.vertices.numpy(), posed.keypoints.double().numpy()
        root = body.rest_joints(torch.as_tensor(betas)).double().numpy()[0]
    blank = Camera(np.eye(3), config.rows_px, config.rows_px, np.eye(4))
    with Renderer(blank, (), [BodyMesh(worn.faces, worn.colours)], _draw_light(rng)) as renderer:
        for index in range(len(pose)):
            clothed = worn.apply(vertices[index]).astype(np.float64)
            low = clothed[:, 2].min()
            found = None
            for _ in range(DRAWS):
                place = _draw_place(stage.camera, low, rng)
                if found := _photograph(stage, config, renderer, clothed + place, keypoints[index] + place, rng):
                    break
            if found is None:
                continue
            picture, seen, view = found
            R_view_world = view.T_world_camera[:3, :3].T
            quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 96))]
            file = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), quality)[1]
            root_pose = axis_angle_from_matrix(R_view_world @ orient[index])
            # SMPL turns about J0, which transl does not move with: carry the pelvis, then take J0 off.
            pelvis = apply(invert(view.T_world_camera), root + place)
            yield (
                file.ravel(),
                np.concatenate([root_pose, pose[index]]).astype(np.float32),
                betas,
                (pelvis - root).astype(np.float32),
                np.float32(view.focal_px),
                np.float32(trunk[index]),
                np.float32(seen),
            )


def _draw_place(camera: Camera, lowest: float, rng: np.random.Generator) -> Float[np.ndarray, "3"]:
    """Somewhere before the camera on the floor, or now and then on something; `lowest` is the body's lowest height."""
    height = rng.uniform(0.3, 0.7) if rng.random() < 0.2 else 0.0
    pixel = rng.uniform(0.0, 1.0, 2) * [camera.width_px, camera.height_px]
    away = float(np.exp(rng.uniform(np.log(1.6), np.log(7.0))))
    ray = camera.T_world_camera[:3, :3] @ camera.rays_camera(pixel)
    ray = ray[:2] / max(np.linalg.norm(ray[:2]), 1e-9)
    return np.array([*(camera.T_world_camera[:2, 3] + away * ray), height - lowest])


def _photograph(
    stage: _Set,
    config: HmrConfig,
    renderer: Renderer,
    vertices: Float[np.ndarray, "vertex 3"],
    keypoints: Float[np.ndarray, "17 3"],
    rng: np.random.Generator,
) -> tuple[UInt8[np.ndarray, "rows columns 3"], float, Camera] | None:
    """The crop, the share of the person that it shows, and its camera; None where too little is seen."""
    camera = stage.camera
    T_camera_world = invert(camera.T_world_camera)
    if apply(T_camera_world, vertices)[:, 2].min() < 0.3:
        return None
    pixels = camera.project(keypoints)
    inside = in_image(pixels, camera)
    if inside.mean() < MIN_SEEN_SHARE:
        return None
    view = crop_camera(camera, _draw_box(pixels[inside], camera, rng), config)
    renderer.look_through(view)
    rendering = renderer.render([vertices])
    R_camera_view = T_camera_world[:3, :3] @ view.T_world_camera[:3, :3]
    H = view.intrinsics @ R_camera_view.T @ np.linalg.inv(camera.intrinsics)
    size = (config.rows_px, config.rows_px)
    depth = cv2.warpPerspective(stage.depth, H, size, flags=cv2.INTER_NEAREST)
    depth /= (view.rays_camera(view.pixel_grid()) @ R_camera_view.T)[..., 2]
    outside = cv2.warpPerspective(np.ones(stage.depth.shape, np.uint8), H, size, flags=cv2.INTER_NEAREST) == 0
    hidden = hidden_by_room(rendering, depth)
    panel = _draw_panel(rendering.instances > 0, rng)
    body = rendering.instances > 0
    shown = body & (hidden < 0.5) & ~panel & ~outside
    margin = (config.rows_px - config.columns_px) // 2
    columns = slice(margin, config.rows_px - margin)
    seen = shown[:, columns].sum() / max(1, body.sum())
    if body.sum() < 0.01 * body.size or seen < MIN_SEEN_SHARE:
        return None
    background = crop(stage.plate, camera, view, config.rows_px)
    picture = composite(background, rendering, hidden, np.ones(depth.shape, np.float32)).astype(np.float32)
    filling = crop(stage.plate[:, ::-1], camera, view, config.rows_px) * rng.uniform(0.4, 1.1)
    picture[panel] = np.clip(filling, 0.0, 255.0)[panel]
    if (blur := rng.uniform(-0.5, 1.0)) > 0.2:
        picture = cv2.GaussianBlur(picture, (0, 0), blur)
    picture += rng.normal(0.0, rng.uniform(0.0, 7.0), picture.shape)
    picture[outside] = 0.0
    return np.clip(picture + 0.5, 0.0, 255.0).astype(np.uint8)[:, columns], float(seen), view


def _draw_box(
    pixels: Float[np.ndarray, "keypoint 2"], camera: Camera, rng: np.random.Generator
) -> Float[np.ndarray, "4"]:
    """A detector's box: around the keypoints in the picture, padded, shifted and cut at the picture's edge."""
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    side = float(np.max(high - low)) + 4.0
    low = low - side * rng.uniform(0.0, 0.14, 2)
    high = high + side * rng.uniform(0.0, 0.14, 2)
    shift = side * rng.normal(0.0, 0.025, 2)
    limit = np.array([camera.width_px - 1.0, camera.height_px - 1.0])
    return np.concatenate([np.clip(low + shift, 0.0, limit - 2.0), np.clip(high + shift, 2.0, limit)])


def _draw_panel(body: Bool[np.ndarray, "rows columns"], rng: np.random.Generator) -> Bool[np.ndarray, "rows columns"]:
    """Where something stands in front, four times in ten: a bed's edge from below, a door from a side, or a box."""
    panel = np.zeros(body.shape, dtype=np.uint8)
    kind = rng.random()
    if kind > 0.4 or not body.any():
        return panel.astype(bool)
    rows, columns = np.nonzero(body)
    top, bottom, left, right = rows.min(), rows.max(), columns.min(), columns.max()
    n = len(body)
    if kind < 0.18:
        line = bottom - rng.uniform(0.05, 0.5) * (bottom - top)
        tilt = rng.normal(0.0, 0.12) * n
        corners = [[-n, line - tilt], [2 * n, line + tilt], [2 * n, 2 * n], [-n, 2 * n]]
    elif kind < 0.28:
        from_left = rng.random() < 0.5
        line = (left if from_left else right) + rng.uniform(0.05, 0.45) * (right - left) * (1 if from_left else -1)
        tilt, end = rng.normal(0.0, 0.04) * n, -n if from_left else 2 * n
        corners = [[end, -n], [line - tilt, -n], [line + tilt, 2 * n], [end, 2 * n]]
    else:
        pick = rng.integers(len(rows))
        half = rng.uniform(0.08, 0.25, 2) * n
        turn = rng.normal(0.0, 0.3)
        R = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        square = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]) * half
        corners = square @ R.T + [columns[pick], rows[pick]]
    cv2.fillConvexPoly(panel, np.round(corners).astype(np.int32), 1)
    return panel.astype(bool)
