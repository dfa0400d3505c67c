"""Tracks read as SMPL: the same joints however they are asked for, and a canonical place that keeps the scene."""

from dataclasses import replace

import numpy as np
import pytest

from models.body.model import BodyModel, load_body
from models.body.placement import transform_track
from models.body.subject import Subject
from models.body.tracks import body_joints, canonicalise, rest_root, standing_pelvis_height, track_joints
from models.geometry.transforms import R_ZUP_YUP, axis_angle_from_matrix, transform, yaw
from models.types import PersonTrack


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


def track_of(body: BodyModel, seed: int) -> PersonTrack:
    rng = np.random.default_rng(seed)
    orient = np.stack([axis_angle_from_matrix(yaw(angle) @ R_ZUP_YUP) for angle in rng.uniform(-3.0, 3.0, 5)])
    subject = Subject(body, rng.normal(0.0, 0.5, 10), 60.0, "person")
    return subject.track(orient, rng.normal(0.0, 0.2, (5, 69)), rng.normal(0.0, 1.0, (5, 3)))


def test_joints_of_a_track_are_joints_of_its_parameters(body: BodyModel) -> None:
    track = track_of(body, 0)
    joints = body_joints(body, track.betas, track.global_orient, track.body_pose, track.transl)
    np.testing.assert_allclose(track_joints(body, track), joints, atol=1e-6)
    np.testing.assert_allclose(joints[:, 0], track.transl + rest_root(body, track.betas), atol=1e-5)


def test_the_first_person_begins_at_the_origin_facing_x_and_the_scene_is_kept(body: BodyModel) -> None:
    tracks = (track_of(body, 1), track_of(body, 2))
    home = canonicalise(body, tracks)
    joints = [track_joints(body, track) for track in home]
    np.testing.assert_allclose(joints[0][0, 0, :2], 0.0, atol=1e-5)
    across = joints[0][0, 1] - joints[0][0, 2]
    assert abs(np.arctan2(-across[0], across[1])) < 0.2, "hips lie across the x axis"
    before = [track_joints(body, track) for track in tracks]
    apart = np.linalg.norm(joints[0][:, 0] - joints[1][:, 0], axis=-1)
    np.testing.assert_allclose(apart, np.linalg.norm(before[0][:, 0] - before[1][:, 0], axis=-1), atol=1e-5)
    np.testing.assert_allclose(joints[0][:, 0, 2], before[0][:, 0, 2], atol=1e-5)
    moved = tuple(
        transform_track(track, rest_root(body, track.betas), transform(yaw(1.1), np.array([2.0, -3.0, 0.0])))
        for track in tracks
    )
    for one, other in zip(canonicalise(body, moved), home, strict=True):
        np.testing.assert_allclose(one.transl, other.transl, atol=1e-9)


def test_the_pelvis_stands_at_the_height_of_the_legs(body: BodyModel) -> None:
    height = standing_pelvis_height(body, np.zeros(10))
    legs = track_joints(body, replace(track_of(body, 0), betas=np.zeros(10)))
    thigh, shin = (np.linalg.norm(legs[0, a] - legs[0, b]) for a, b in ((1, 4), (4, 7)))
    assert thigh + shin < height < thigh + shin + 0.25
