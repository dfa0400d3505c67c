import numpy as np
import pytest
import torch

from models.body.model import load_body
from models.body.rest_skeleton import skeleton_of
from models.body.tracks import standing_pelvis_height
from models.motion.evaluation.physical_metrics import (
    BodySurfaces,
    closest_m,
    distance_shift_cm,
    foot_skate_cm_s,
    jerk_m_s3,
    joints_of,
    stated_contacts,
)
from models.motion.features import CONTACTS, encode


@pytest.fixture(scope="module")
def body():
    return load_body()


def _standing(body, places: list[tuple[float, float, float]], frames: int = 5, velocity: float = 0.0):
    """People in T-pose whose soles are so high over the floor, sliding along x."""
    betas = torch.zeros(len(places), 10)
    rest = skeleton_of(body).rest_joints(betas)
    height = standing_pelvis_height(body, np.zeros(10))
    rotations = torch.zeros(len(places), frames, 24, 3)
    rotations[:, :, 0, 0] = np.pi / 2.0  # y up to z up
    clock = torch.arange(frames) / 20.0
    root = torch.stack([torch.tensor([x, y, height + z]) for x, y, z in places])[:, None].repeat(1, frames, 1)
    root[..., 0] += velocity * clock
    features = encode(rest, rotations, root - rest[:, None, 0])
    return features, rest, betas


def test_feet_that_slide_while_they_stand(body):
    features, rest, _ = _standing(body, [(0.0, 0.0, 0.0)], velocity=0.15)
    joints = joints_of(features, rest)
    assert stated_contacts(features).all()
    assert foot_skate_cm_s(joints, stated_contacts(features)) == pytest.approx(15.0, abs=1e-3)
    still, rest, _ = _standing(body, [(0.0, 0.0, 0.0)])
    assert foot_skate_cm_s(joints_of(still, rest), stated_contacts(still)) == pytest.approx(0.0, abs=1e-3)
    still[..., CONTACTS] = 0.0
    assert foot_skate_cm_s(joints_of(still, rest), stated_contacts(still)) is None


def test_jerk_of_a_cubic_is_its_sixth_part(body):
    clock = np.arange(10) / 20.0
    joints = np.zeros((1, 10, 22, 3))
    joints[..., 2] = 2.0 * clock[:, None] ** 3
    assert jerk_m_s3(joints) == pytest.approx(12.0)
    joints[..., 2] = (clock**2)[:, None]
    assert jerk_m_s3(joints) == pytest.approx(0.0, abs=1e-8)
    assert jerk_m_s3(joints[:, :3]) == 0.0


def test_how_deep_skin_goes_below_the_floor(body):
    surfaces = BodySurfaces(body)
    assert surfaces.penetration_cm(*_standing(body, [(0.0, 0.0, 0.001)])) == 0.0
    assert surfaces.penetration_cm(*_standing(body, [(0.0, 0.0, 0.001), (2.0, 0.0, -0.07)])) == pytest.approx(
        7.0, abs=0.05
    )


def test_people_inside_each_other(body):
    surfaces = BodySurfaces(body)
    assert surfaces.overlap_cm(*_standing(body, [(0.0, 0.0, 0.0)])) is None
    assert surfaces.overlap_cm(*_standing(body, [(0.0, 0.0, 0.0), (3.0, 0.0, 0.0)])) == 0.0
    # In one place, the largest sphere lies in its own like: as deep as two radii.
    features, rest, betas = _standing(body, [(0.0, 0.0, 0.0), (0.0, 0.0, 0.0)])
    deepest = surfaces.overlap_cm(features, rest, betas)
    assert deepest == pytest.approx(200.0 * float(next(iter(surfaces._spheres.values())).radii.max()), abs=0.01)


def test_closest_distance_and_its_shift():
    joints = np.zeros((2, 5, 22, 3))
    joints[1, :, :, 1] = 2.0
    joints[1, 3, 20, 1] = 0.5
    assert closest_m(joints) == pytest.approx(0.5)
    assert closest_m(joints[:1]) is None
    assert distance_shift_cm([0.2, 0.4], [0.3, 0.5]) == pytest.approx(10.0)
