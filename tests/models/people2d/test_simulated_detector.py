"""A simulated detector: swapped limbs are limbs, scores are scores, and without noise it shows the truth."""

import numpy as np
import torch

from models.people2d.simulated_detector import LEGS, DetectorNoiseConfig, simulate_detections


def test_swapped_legs_are_legs():
    rng = np.random.default_rng(0)
    image = torch.as_tensor(rng.uniform(-0.2, 0.2, (200, 6, 17, 2)), dtype=torch.float32)
    still = torch.ones(200, 6)
    seconds = torch.arange(6.0).expand(200, 6) / 10.0
    places, scores = simulate_detections(
        image,
        torch.ones(200, 6, 17, dtype=torch.bool),
        torch.full((200,), 0.75),
        still,
        seconds,
        DetectorNoiseConfig(noise=0.0, bias=0.0),
        np.random.default_rng(3),
    )
    left, right = LEGS[0::2], LEGS[1::2]
    swapped = (places[:, :, left] - image[:, :, right]).norm(dim=-1).amax(-1) < 1e-5
    kept = (places[:, :, left] - image[:, :, left]).norm(dim=-1).amax(-1) < 1e-5
    assert 0.03 < swapped.float().mean() < 0.3 and kept.float().mean() > 0.4
    assert ((scores >= 0.0) & (scores <= 1.0)).all()


def test_a_perfect_detector_shows_the_truth():
    image = torch.as_tensor(np.random.default_rng(1).uniform(-0.2, 0.2, (4, 6, 17, 2)), dtype=torch.float32)
    seconds = torch.arange(6.0).expand(4, 6) / 10.0
    before, aspect, upright = torch.ones(4, 6, 17, dtype=torch.bool), torch.full((4,), 0.75), torch.ones(4, 6)
    noise = DetectorNoiseConfig(scale=0.0)
    places, scores = simulate_detections(image, before, aspect, upright, seconds, noise, np.random.default_rng(0))
    seen = scores > 0.4
    assert seen.float().mean() > 0.4
    # Somebody else's keypoints are taken now and then, whatever the detector's noise; nothing else is off.
    assert ((places - image).norm(dim=-1)[seen] < 1e-6).float().mean() > 0.85
    before[:, :, 3] = False
    _, hidden = simulate_detections(image, before, aspect, upright, seconds, noise, np.random.default_rng(0))
    assert (hidden[:, :, 3] <= 0.3).all()
