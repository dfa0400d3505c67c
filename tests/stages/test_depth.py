"""One scale and one offset join two predictions: recovered from synthetic ones, whatever the outliers and the order."""

import numpy as np
import pytest

from models.errors import InputError, Rejected
from stages.depth import DepthConfig, fit_disparity, run

A, B = 0.013, 0.07


class TwoNetworks:
    """Predictions that are known: metric depth is coarse truth, disparity obeys a d + b = 1 / depth exactly."""

    def __init__(self, depth, metric=None):
        self.depth, self.metric = depth, depth if metric is None else metric

    def predict_metric(self, images, focal_px=None):
        return self.metric[: len(images)]

    def predict_disparity(self, images):
        return (1.0 / self.depth[: len(images)] - B) / A


def rooms(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 1.0 + 5.0 * rng.random((count, 24, 32))


def frames(count: int) -> np.ndarray:
    return np.zeros((count, 24, 32, 3), dtype=np.uint8)


def nobody(count: int) -> np.ndarray:
    return np.zeros((count, 24, 32), dtype=bool)


@pytest.mark.parametrize("loss", ["huber", "squared"])
def test_scale_offset_and_depth_are_recovered(loss):
    depth = np.repeat(rooms(1), 3, axis=0)
    scan = run(DepthConfig(loss=loss), frames(3), nobody(3), TwoNetworks(depth), None)
    assert abs(scan.scale - A) < 1e-9 and abs(scan.offset - B) < 1e-9
    np.testing.assert_allclose(scan.depth, depth[0], rtol=1e-9)
    assert scan.valid.all() and scan.residual < 1e-9


def test_huber_withstands_a_tenth_of_wild_pixels_and_squares_do_not():
    depth = rooms(1)[0].ravel()
    rng = np.random.default_rng(1)
    metric = depth * (1.0 + 0.02 * rng.standard_normal(depth.size))
    wild = rng.random(depth.size) < 0.1
    metric[wild] = 0.4
    disparity = (1.0 / depth - B) / A
    off = {}
    for loss in ("huber", "squared"):
        a, b = fit_disparity(disparity, metric, loss)
        off[loss] = np.median(np.abs((a * disparity + b) * depth - 1.0))
    assert off["huber"] < 0.05 and off["squared"] > 0.3


def test_people_take_no_part():
    depth = np.repeat(rooms(1), 2, axis=0)
    masks = nobody(2)
    masks[0, :, :10] = True
    shown, metric = depth.copy(), depth.copy()
    shown[0, :, :10], metric[0, :, :10] = 0.9, 5.0
    scan = run(DepthConfig(loss="squared"), frames(2), masks, TwoNetworks(shown, metric), None)
    np.testing.assert_allclose(scan.depth, depth[0], rtol=1e-9)
    masks[1, :, :10] = True
    scan = run(DepthConfig(loss="squared"), frames(2), masks, TwoNetworks(shown, metric), None)
    assert not scan.valid[:, :10].any() and scan.valid[:, 10:].all() and np.isfinite(scan.depth).all()


def test_the_order_of_key_frames_does_not_matter():
    depth = rooms(5)
    metric = depth * (1.0 + 0.1 * np.random.default_rng(2).standard_normal(depth.shape))
    masks = np.random.default_rng(3).random(depth.shape) < 0.2
    order = [3, 0, 4, 2, 1]
    one = run(DepthConfig(), frames(5), masks, TwoNetworks(depth, metric), None)
    two = run(DepthConfig(), frames(5), masks[order], TwoNetworks(depth[order], metric[order]), None)
    np.testing.assert_allclose(one.depth, two.depth, rtol=1e-9)
    assert abs(one.scale - two.scale) < 1e-9 * one.scale


def test_the_focal_length_reaches_the_network():
    class Asked(TwoNetworks):
        def predict_metric(self, images, focal_px=None):
            self.focal_px = focal_px
            return self.metric

    networks = Asked(rooms(1))
    run(DepthConfig(), frames(1), nobody(1), networks, 512.0)
    assert networks.focal_px == 512.0


def test_depth_stays_within_its_limits():
    depth = rooms(1)
    depth[0, 0, 0] = 900.0
    scan = run(DepthConfig(far_m=15.0), frames(1), nobody(1), TwoNetworks(depth), None)
    assert scan.depth[0, 0] == 15.0 and scan.depth.min() >= 0.3


def test_bad_input_is_named():
    with pytest.raises(
        InputError, match="^depth: no key frame to predict depth from; give the background plate at least$"
    ):
        run(DepthConfig(), frames(0), nobody(0), TwoNetworks(rooms(1)), None)
    flat = np.full((1, 24, 32), 2.0)
    with pytest.raises(Rejected, match="^depth_fit: the relative network predicts the same disparity everywhere$"):
        run(DepthConfig(), frames(1), nobody(1), TwoNetworks(flat, rooms(1)), None)
    depth = rooms(1)
    with pytest.raises(Rejected, match="^depth_fit: the relative network sees far what the metric one sees near"):
        run(DepthConfig(), frames(1), nobody(1), TwoNetworks(depth, 8.0 - depth), None)
    with pytest.raises(Rejected, match="^depth_fit: no pixel with a depth that people do not cover$"):
        run(DepthConfig(), frames(1), ~nobody(1), TwoNetworks(depth), None)
