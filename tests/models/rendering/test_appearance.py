"""Clothes, shoes, hair and faces."""

from dataclasses import fields

import numpy as np
import pytest
import torch
from scipy.spatial import ConvexHull

from models.body.model import REGIONS, load_body, relaxed_pose
from models.geometry.transforms import matrix_from_axis_angle
from models.rendering.appearance import Clothing, dress_body
from models.types import BodyLook


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def standing(body):
    pose = torch.as_tensor(relaxed_pose(), dtype=torch.float32)
    return body.posed(torch.zeros(10), torch.zeros(3), pose, torch.zeros(3)).vertices.numpy()


def _bytes(one: Clothing) -> bytes:
    return b"".join(getattr(one, f.name).tobytes() for f in fields(one) if isinstance(getattr(one, f.name), np.ndarray))


def test_a_seed_is_a_look(body, standing):
    one, same, other = (dress_body(body, BodyLook(seed, 80.0), "resident") for seed in (4, 4, 5))
    assert _bytes(one) == _bytes(same) and one.apply(standing).tobytes() == same.apply(standing).tobytes()
    assert np.abs(one.colours.astype(int) - other.colours).mean() > 10.0


@pytest.mark.parametrize("role", ["resident", "carer", "visitor", "person"])
def test_nobody_is_naked(body, role):
    """Trunk, hips, thighs and feet are covered, faces and fingers are not."""
    for seed in range(12):
        one = dress_body(body, BodyLook(seed, 70.0), role)
        cover = {name: one.cloth[body.regions == index] for index, name in enumerate(REGIONS)}
        assert cover["hips"].min() > 0.95
        assert cover["torso"].mean() > 0.93
        assert cover["thigh"].mean() > 0.8
        assert cover["foot"].mean() > 0.6
        assert cover["hand"].max() < 0.6 or cover["hand"].mean() < 0.1
        assert cover["head"].mean() < 0.4
        assert one.colours.shape == body.v_template.shape and one.offsets.min() >= 0.0
        assert 0.002 < one.offsets[body.regions == REGIONS.index("torso")].mean() < 0.05


def test_the_old_are_grey_and_the_young_mostly_are_not(body):
    def saturation(age: float) -> list[float]:
        found = []
        for seed in range(10):
            one = dress_body(body, BodyLook(seed, age), "visitor")
            hair = one.colours[(body.regions == REGIONS.index("hair")) & (one.cloth > 0.9)].astype(float).mean(axis=0)
            found.append(float(np.ptp(hair) / hair.max()))
        return found

    assert np.mean(np.array(saturation(85.0)) < 0.15) > 0.8
    assert np.mean(np.array(saturation(25.0)) > 0.15) > 0.6


def test_carers_wear_uniforms_and_residents_differ(body):
    torso = body.regions == REGIONS.index("torso")

    def colours(role: str) -> np.ndarray:
        looks = (dress_body(body, BodyLook(seed, 40.0), role) for seed in range(10))
        return np.stack([np.median(one.colours[torso & (one.cloth > 0.9)], axis=0) for one in looks])

    tunics = np.array([[236, 238, 240], [116, 164, 206], [38, 54, 100], [60, 140, 140], [124, 40, 66], [148, 128, 178]])
    nearest = np.abs(colours("carer")[:, None] - tunics).max(axis=-1).min(axis=1)
    assert nearest.max() < 16.0
    assert np.abs(colours("resident")[:, None] - tunics).max(axis=-1).min(axis=1).mean() > 20.0


def test_cloth_moves_with_the_body(body, standing):
    one = dress_body(body, BodyLook(1, 75.0), "resident")
    R = matrix_from_axis_angle(np.array([0.3, -1.0, 2.0]))
    moved = (standing @ R.T + [1.0, 2.0, 3.0]).astype(np.float32)
    expected = one.apply(standing) @ R.T + [1.0, 2.0, 3.0]
    np.testing.assert_allclose(one.apply(moved), expected, atol=1e-4)


def test_cloth_lies_outside_the_skin_and_shoes_on_the_floor(body, standing):
    for seed in range(4):
        one = dress_body(body, BodyLook(seed, 75.0), "resident")
        clothed = one.apply(standing)
        assert clothed.dtype == np.float32 and np.isfinite(clothed).all()
        bare_face = (one.cloth == 0) & (body.regions == REGIONS.index("head"))
        np.testing.assert_array_equal(clothed[bare_face], standing[bare_face])
        assert np.linalg.norm(clothed - standing, axis=1).max() < 0.09
        for part in ("thigh", "shin", "upper_arm", "torso"):  # nobody gets thin by dressing
            covered = (body.regions == REGIONS.index(part)) & (one.cloth > 0.9) & (standing[:, 0] > 0)
            if covered.sum() > 100:
                depth = [np.ptp(np.quantile(mesh[covered][:, 2], [0.02, 0.98])) for mesh in (standing, clothed)]
                assert depth[1] > depth[0], part
        assert abs(clothed[:, 1].min() - standing[:, 1].min()) < 0.008  # neither sunk nor floating


def test_shoes_hide_toes(body, standing):
    """A shod foot is nearly convex: its surface lies on its convex hull."""
    one = dress_body(body, BodyLook(2, 75.0), "carer")
    low = standing[:, 1] < standing[:, 1].min() + 0.07
    foot = (body.regions == REGIONS.index("foot")) & (standing[:, 0] > 0) & low
    toes = foot & (standing[:, 2] > np.quantile(standing[foot][:, 2], 0.7))

    def depth_below_hull(mesh: np.ndarray) -> float:
        points = mesh[toes].astype(np.float64)
        hull = ConvexHull(mesh[foot].astype(np.float64)).equations
        return float(np.quantile((-(points @ hull[:, :3].T + hull[:, 3])).min(axis=1), 0.9))

    assert depth_below_hull(one.apply(standing)) < 0.5 * depth_below_hull(standing)
