"""Soft shadows: where a ball's shadow falls, how its edge softens, and what it leaves alone."""

import numpy as np
import trimesh

from models.geometry.camera import Camera, intrinsics_from_focal, normal_from_angles, pose_over_floor
from models.rendering.shadow_map import DirectionalLight, ShadowCaster

CAMERA = Camera(intrinsics_from_focal(150.0, 160, 120), 160, 120, pose_over_floor(normal_from_angles(0.6, 0.0), 2.4))


def floor_depth():
    points = CAMERA.floor_points(CAMERA.pixel_grid())
    depth = (points - CAMERA.T_world_camera[:3, 3]) @ CAMERA.T_world_camera[:3, 2]
    return np.where(np.isfinite(depth) & (depth < 15.0), depth, 0.0), points


def ball(centre, radius=0.25):
    mesh = trimesh.creation.icosphere(subdivisions=3, radius=radius)
    return np.asarray(mesh.vertices) + centre, np.asarray(mesh.faces)


def shadow_mask(depth, vertices, faces, direction):
    light = DirectionalLight(direction, [faces], [len(vertices)])
    with ShadowCaster(CAMERA, depth, light, stride=1) as caster:
        return caster.mask([vertices])


def test_the_shadow_lies_where_the_light_carries_it():
    depth, points = floor_depth()
    vertices, faces = ball([3.0, 0.0, 1.0])
    direction = np.array([0.3, 0.5, -1.0])
    mask = shadow_mask(depth, vertices, faces, direction)
    expected = np.array([3.3, 0.5])
    weight = np.where(depth > 0, mask, 0.0)
    found = (np.nan_to_num(points[..., :2]) * weight[..., None]).sum(axis=(0, 1)) / weight.sum()
    assert np.linalg.norm(found - expected) < 0.04
    distance = np.linalg.norm(np.nan_to_num(points[..., :2], nan=99.0) - expected, axis=-1)
    assert mask[distance < 0.1].min() > 0.9
    assert mask[distance > 0.7].max() < 0.01


def test_the_edge_is_softer_the_higher_the_ball():
    depth, _ = floor_depth()
    radii = []
    for height in (0.3, 1.6):
        vertices, faces = ball([3.0, 0.0, height])
        mask = shadow_mask(depth, vertices, faces, np.array([0.0, 0.0, -1.0]))
        radii.append(((mask > 0.1) & (mask < 0.9)).sum() / (mask >= 0.9).sum())
    assert radii[1] > 2.0 * radii[0]


def test_what_is_nearer_the_light_or_unknown_is_not_shaded():
    depth, _ = floor_depth()
    vertices, faces = ball([3.0, 0.0, 1.0])
    down = np.array([0.0, 0.0, -1.0])
    nearer = np.where(depth > 0, 0.6, 0.0)
    assert shadow_mask(nearer, vertices, faces, down).max() == 0
    assert shadow_mask(np.zeros_like(depth), vertices, faces, down).max() == 0


def test_contact_darkens_under_the_body_and_reach_ends_a_shadow():
    depth, points = floor_depth()
    vertices, faces = ball([3.0, 0.4, 0.26])
    down = np.array([0.0, 0.0, -1.0])
    with ShadowCaster(
        CAMERA, depth, DirectionalLight(down, [faces], [len(vertices)], contact_m=0.1), stride=1
    ) as caster:
        mask = caster.mask([vertices])
    distance = np.linalg.norm(np.nan_to_num(points[..., :2], nan=99.0) - [3.0, 0.4], axis=-1)
    assert mask[distance < 0.05].min() > 0.6
    assert mask[(distance > 0.2) & (distance < 0.25)].mean() < 0.3
    assert mask[distance > 0.6].max() < 0.01
    wall = np.full_like(depth, 3.0)
    heights = CAMERA.unproject(CAMERA.pixel_grid(), wall)[..., 2]
    with ShadowCaster(
        CAMERA, wall, DirectionalLight(down, [faces], [len(vertices)], contact_m=0.1), stride=1
    ) as caster:
        assert caster.mask([vertices])[heights > 0.6].max() < 0.01, "a wall above the body stays as it is"
    far, near = (DirectionalLight(down, [faces], [len(vertices)], reach_m=reach) for reach in (9.0, 0.3))
    with ShadowCaster(CAMERA, depth, far) as a, ShadowCaster(CAMERA, depth, near) as b:
        high = vertices + [0.0, 0.0, 0.8]
        assert a.mask([high]).max() > 0.8
        assert b.mask([high]).max() == 0.0


def test_contact_ends_with_distance_and_frames_repeat():
    depth, _ = floor_depth()
    vertices, faces = ball([3.0, 0.0, 1.5])
    down = np.array([0.0, 0.0, -1.0])
    with ShadowCaster(CAMERA, depth, DirectionalLight(down, [faces], [len(vertices)], contact_m=0.1)) as caster:
        high, low = caster.mask([vertices]), caster.mask([vertices - [0.0, 0.0, 1.25]])
        again = caster.mask([vertices - [0.0, 0.0, 1.25]])
    assert high.max() < 0.01
    assert low.max() > 0.5
    assert low.tobytes() == again.tobytes()
