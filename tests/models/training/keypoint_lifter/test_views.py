"""Imagined cameras and detectors: a perfect one shows the truth, faults are as ordered, the mirror is one."""

import numpy as np
import pytest
import torch

from models.body.model import load_body
from models.people2d.simulated_detector import DetectorNoiseConfig
from models.people3d.keypoint_lifter import view_of
from models.training.corpus_tracks import corpus_tracks
from models.training.keypoint_lifter.motions import collect
from models.training.keypoint_lifter.views import WindowSource, _across_y


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def motions(body, corpus_path):
    return collect(body, corpus_tracks(corpus_path, body), acted=6, postures=6, seed=1)


@pytest.fixture(scope="module")
def source(body, motions):
    return WindowSource(motions, body, frames=12, held_out=False)


def unit(way):
    return torch.nn.functional.normalize(way, dim=-1)


def test_a_perfect_detector_sees_the_truth(body, source):
    windows = source.draw(16, np.random.default_rng(0), DetectorNoiseConfig(scale=0.0))
    inside = windows.scores > 0.5
    assert inside.float().mean() > 0.7
    assert (unit(windows.rays) - unit(windows.true_rays)).norm(dim=-1)[inside].max() < 1e-5
    transl = windows.pelvis - body.rest_joints(windows.betas)[:, None, 0]
    keypoints = body.posed(
        windows.betas[:, None], windows.rotations[:, :, 0], windows.rotations[:, :, 1:], transl
    ).keypoints
    torch.testing.assert_close(keypoints - windows.offset[:, None, None], windows.true_rays, atol=1e-4, rtol=0.0)
    torch.testing.assert_close(windows.camera_height_m, windows.offset[:, 2])
    assert windows.offset[:, 2].min() >= 0.8 and windows.offset[:, 2].max() <= 3.0


def test_people_stand_on_the_floor_whatever_their_shape(body, source):
    windows = source.draw(32, np.random.default_rng(1), DetectorNoiseConfig())
    transl = windows.pelvis - body.rest_joints(windows.betas)[:, None, 0]
    points = body.posed(
        windows.betas[:, None], windows.rotations[:, :, 0], windows.rotations[:, :, 1:], transl
    ).surface_points
    lowest = points[..., 2].amin(-1)
    assert lowest.min() > -0.03
    upright = windows.rotations[:, :, 0, 2, 1] > 0.9
    assert lowest[upright].median() < 0.02


def test_detector_noise_loses_and_scatters_keypoints(source):
    clean = source.draw(64, np.random.default_rng(2), DetectorNoiseConfig(scale=0.0))
    faulty = source.draw(64, np.random.default_rng(2), DetectorNoiseConfig())
    assert (clean.scores > 0).float().mean() - (faulty.scores > 0).float().mean() > 0.05
    both = (clean.scores > 0.5) & (faulty.scores > 0.3)
    extent = view_of(clean.true_rays, clean.scores).extent[..., None]
    error = ((unit(faulty.rays) - unit(faulty.true_rays)).norm(dim=-1) / extent)[both]
    assert 0.03 < error.median() < 0.3


def test_a_mirror_twice_is_none(source):
    windows = source.draw(4, np.random.default_rng(5), DetectorNoiseConfig())
    every = torch.ones(4, dtype=torch.bool)
    rotations, pelvis = _across_y(*_across_y(windows.rotations, windows.pelvis, every), every)
    torch.testing.assert_close(rotations, windows.rotations)
    torch.testing.assert_close(pelvis, windows.pelvis)


def test_same_generator_same_windows_and_held_out_takes_stay_out(body, motions, source):
    a, b = (source.draw(3, np.random.default_rng(9), DetectorNoiseConfig()) for _ in range(2))
    assert all(torch.equal(getattr(a, name), getattr(b, name)) for name in ("rays", "scores", "rotations", "pelvis"))
    assert len(source.rotations) == int((~motions.held_out).sum())
    assert len(WindowSource(motions, body, 12, held_out=True).rotations) == int(motions.held_out.sum())
