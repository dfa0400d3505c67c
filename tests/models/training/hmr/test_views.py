"""Rendered views: truth lies on the body, postures are as wanted, the same seed gives the same bytes."""

import cv2
import numpy as np
import pytest
import torch

from models.body.model import relaxed_pose
from models.errors import InputError
from models.geometry.camera import Camera, intrinsics_from_focal, normal_from_angles, pose_over_floor
from models.people3d.hmr_network import HmrConfig
from models.training.hmr import views as hmr_views
from models.training.hmr.dataset import Views
from models.training.hmr.views import draw_orientation, draw_shape, draw_views
from models.training.pose_prior.kinematics import Kinematics
from models.training.pose_prior.poses import Poses
from models.types import SMPL_JOINTS

SMALL = HmrConfig(rows_px=64, columns_px=48, patch_px=16, width=16, layers=1, heads=2)


def some_poses(count=60):
    """Arms and legs that move a little; a third lies, takes of ten poses, the last two held out."""
    rng = np.random.default_rng(0)
    pose = np.tile(relaxed_pose()[:63], (count, 1)) + rng.normal(0.0, 0.1, (count, 63))
    trunk = np.where(np.arange(count) % 3 == 0, 0.05, 0.97)
    take = np.arange(count) // 10
    return Poses(pose, np.zeros(count, dtype=int), take, trunk, take >= count // 10 - 2)


@pytest.fixture(scope="module")
def views(body):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hmr_views, "PEOPLE_PER_SET", 1)
        patch.setattr(hmr_views, "SHOTS_PER_PERSON", 6)
        return [draw_views(body, some_poses(), SMALL, 6, seed) for seed in (0, 0, 1)]


def test_same_seed_same_views(views):
    for name, value in vars(views[0]).items():
        assert value.tobytes() == getattr(views[1], name).tobytes()
    assert views[0].jpeg.tobytes() != views[2].jpeg.tobytes()


def test_views_are_whole(views):
    one = views[0]
    crops = one.crops()
    assert crops.shape == (len(one.ends), 64, 48, 3) and len(crops) >= 20
    assert (one.ends[-1], len(one.pose)) == (len(one.jpeg), len(one.ends))
    assert (one.seen >= hmr_views.MIN_SEEN_SHARE).all() and (one.seen <= 1.0).all()
    assert one.held_out.any() and not one.held_out.all()
    assert 0.1 < (one.trunk < 0.5).mean() < 0.8
    assert (one.transl[:, 2] > 1.0).all() and (crops.reshape(len(crops), -1).std(axis=1) > 5.0).all()


def test_truth_lies_on_the_body(body):
    """In a black room without furniture, what is bright is the person: there the true vertices project."""
    pose = pose_over_floor(normal_from_angles(np.radians(25.0), 0.0), 2.0)
    camera = Camera(intrinsics_from_focal(500.0, 640, 480), 640, 480, pose)
    stage = hmr_views._Set(camera, np.zeros((480, 640, 3), dtype=np.uint8), np.zeros((480, 640)))
    poses = some_poses(24)
    rng = np.random.default_rng(3)
    shots = list(hmr_views._shoot(body, Kinematics(body), poses.body_pose, poses.trunk, SMALL, stage, rng))
    jpeg, *truth = zip(*[shot for shot in shots if shot[6] > 0.97], strict=True)
    assert len(jpeg) >= 4
    arrays = [np.array(value) for value in truth]
    views = Views(np.concatenate(jpeg), np.cumsum([len(one) for one in jpeg]), *arrays, np.zeros(len(jpeg), dtype=bool))
    values = [torch.as_tensor(value) for value in (views.betas, views.pose[:, :3], views.pose[:, 3:], views.transl)]
    vertices = body.posed(*values).vertices.numpy()
    hits, misses = [], []
    for crop, points, focal in zip(views.crops(), vertices, views.focal_px, strict=True):
        bright = cv2.medianBlur(crop, 3).max(axis=2) > 20
        pixels = points[:, :2] / points[:, 2:] * focal + [23.5, 31.5]
        for shift, found in ((0.0, hits), (12.0, misses)):
            columns, rows = np.round(pixels + shift).astype(int).T
            inside = (columns >= 0) & (columns < 48) & (rows >= 0) & (rows < 64)
            found.append(bright[rows[inside], columns[inside]].mean())
    assert np.median(hits) > 0.9 and np.median(misses) < np.median(hits) - 0.2


def test_trunks_have_the_elevation_asked_for():
    """Whatever the body's own trunk; the lying face all ways, the leaning mostly forward."""
    rng = np.random.default_rng(0)
    for elevation in (-0.4, 0.0, 0.7, 0.99):
        forward = []
        for _ in range(200):
            line = np.array([0.0, 1.0, 0.0]) + rng.normal(0.0, 0.2, 3)
            R = draw_orientation(line, elevation, rng)
            trunk = R @ line / np.linalg.norm(line)
            assert trunk[2] == pytest.approx(elevation, abs=1e-6)
            assert np.abs(R @ R.T - np.eye(3)).max() < 1e-9 and np.linalg.det(R) > 0.0
            forward.append((R @ [0.0, 0.0, 1.0])[2] < 0.0)
        # Who stands upright leans by less than the trunks differ here.
        least, most = {0.7: (0.7, 1.0), 0.99: (0.0, 1.0)}.get(elevation, (0.3, 0.7))
        assert least <= np.mean(forward) <= most


def test_people_are_of_all_ages():
    rng = np.random.default_rng(0)
    shapes = [draw_shape(rng) for _ in range(400)]
    ages = np.array([shape.age_years for shape in shapes])
    statures = np.array([shape.stature_m for shape in shapes])
    assert (ages < 18).mean() > 0.05 and (ages > 65).mean() > 0.4 and ages.max() > 90
    assert statures[ages < 11].mean() < statures[ages > 20].mean() - 0.2


def test_nobody_is_an_error(body):
    with pytest.raises(InputError, match="nobody was seen"):
        draw_views(body, some_poses(), SMALL, 0, 0)


def test_posture_shares_hold_whatever_there_is_most_of():
    trunk = np.where(np.arange(1000) < 30, 0.1, 0.99)
    rows = hmr_views._draw_poses(trunk, 4000, np.random.default_rng(0))
    assert 0.45 < (trunk[rows] < 0.5).mean() < 0.55
    assert SMPL_JOINTS[12] == "neck"
