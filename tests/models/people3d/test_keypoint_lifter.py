"""The keypoint regressor: what must not change its answer, what must change it exactly so, and its errors."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from models.body.model import load_body
from models.errors import InputError
from models.geometry.camera import Camera, intrinsics_from_focal, normal_from_angles, pose_over_floor
from models.geometry.transforms import transform, yaw
from models.people3d.keypoint_lifter import (
    STARTER,
    KeypointRegressor,
    PoseLift,
    PoseLiftConfig,
    load_pose_lift,
    pose_lift_digest,
    view_of,
)
from models.training.state import write_starter

TINY = PoseLiftConfig(width=24, layers=2, heads=2)
CAMERA = Camera(
    intrinsics_from_focal(560.0, 640, 480), 640, 480, pose_over_floor(normal_from_angles(np.radians(15.0), 0.0), 2.1)
)


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return PoseLift(TINY).eval()


def walk(count: int, seed: int = 0):
    """Keypoints that wander over the image, with scores, as a person's might."""
    rng = np.random.default_rng(seed)
    figure = rng.uniform([-30, -90], [30, 90], (17, 2))
    way = np.linspace([200.0, 250.0], [420.0, 230.0], count)
    points = way[:, None] + figure + rng.normal(0.0, 2.0, (count, 17, 2))
    return points, rng.uniform(0.3, 1.0, (count, 17)), np.zeros((count, 4)), np.arange(count) / 12.0


def test_view_round_trip():
    rays = torch.as_tensor(np.random.default_rng(0).normal([3, 0, -1], 0.2, (2, 5, 17, 3)), dtype=torch.float32)
    view = view_of(rays, torch.ones(2, 5, 17))
    found = view.direction(view.offset(rays))
    torch.testing.assert_close(found, torch.nn.functional.normalize(rays, dim=-1), atol=1e-5, rtol=0.0)
    ahead = view_of(torch.tensor([2.0, 0.0, -1.0]).expand(1, 1, 17, 3), torch.ones(1, 1, 17))
    torch.testing.assert_close(ahead.R_world_view[0, 0], torch.eye(3))
    torch.testing.assert_close(torch.linalg.det(view.R_world_view), torch.ones(2, 5))


def test_a_turned_and_moved_camera_turns_and_moves_the_answer(network, body):
    regressor = KeypointRegressor(network, body)
    here = regressor.regress(*walk(9), CAMERA)
    turn, shift = yaw(1.1), np.array([2.0, -3.0, 0.0])
    there = regressor.regress(*walk(9), replace(CAMERA, T_world_camera=transform(turn, shift) @ CAMERA.T_world_camera))
    np.testing.assert_allclose(there.global_orient, turn @ here.global_orient, atol=1e-4)
    np.testing.assert_allclose(there.pelvis, here.pelvis @ turn.T + shift, atol=1e-4)
    np.testing.assert_allclose(there.body_pose, here.body_pose, atol=1e-4)


def test_no_clock_no_image_size_and_no_other_window_matter(network, body):
    points, scores, boxes, times = walk(20)
    regressor = KeypointRegressor(network, body)
    here = regressor.regress(points, scores, boxes, times, CAMERA)
    later = regressor.regress(points, scores, boxes, times + 1000.0, CAMERA)
    np.testing.assert_allclose(later.pelvis, here.pelvis, atol=1e-4)
    large = CAMERA.resized(1280, 960)
    larger = regressor.regress(points * 2.0 + 0.5, scores, boxes, times, large)
    np.testing.assert_allclose(larger.pelvis, here.pelvis, atol=1e-4)


def test_batch_equals_singles_and_padding_changes_nothing(network):
    rng = np.random.default_rng(4)
    rays = torch.as_tensor(rng.normal([3, 0, -1], 0.2, (3, 8, 17, 3)), dtype=torch.float32)
    scores = torch.as_tensor(rng.uniform(0.2, 1.0, (3, 8, 17)), dtype=torch.float32)
    scores[2, 5:] = 0.0
    height, seconds = torch.tensor([1.0, 2.0, 2.5]), torch.arange(8.0).expand(3, 8) / 10.0
    mask = torch.ones(3, 8, dtype=torch.bool)
    mask[2, 5:] = False
    together = network(rays, scores, height, seconds, mask)
    for i in range(3):
        count = int(mask[i].sum())
        part = slice(i, i + 1)
        alone = network(
            rays[part, :count], scores[part, :count], height[part], seconds[part, :count], mask[part, :count]
        )
        torch.testing.assert_close(together.pelvis[i, :count], alone.pelvis[0], atol=1e-4, rtol=0.0)
        torch.testing.assert_close(together.rotations[i, :count], alone.rotations[0], atol=1e-4, rtol=0.0)


def test_someone_who_does_not_move_has_no_seams(network, body):
    points, scores, boxes, _ = walk(1)
    count = 90
    still = KeypointRegressor(network, body, window=16, overlap=6).regress(
        np.repeat(points, count, 0), np.repeat(scores, count, 0), np.zeros((count, 4)), np.arange(count) / 25.0, CAMERA
    )
    assert np.ptp(still.pelvis, axis=0).max() < 1e-4
    assert np.abs(still.body_pose - still.body_pose[0]).max() < 1e-3
    assert boxes.shape == (1, 4) and ((still.confidence > 0) & (still.confidence <= 1)).all()


def test_same_bytes_again_and_through_files(network, body, tmp_path):
    write_starter(tmp_path, network.state_dict(), TINY, {"steps": 0})
    loaded = load_pose_lift(tmp_path)
    a, b = (KeypointRegressor(loaded, body).regress(*walk(7), CAMERA) for _ in range(2))
    assert a.pelvis.tobytes() == b.pelvis.tobytes() and a.body_pose.tobytes() == b.body_pose.tobytes()
    assert len(pose_lift_digest(tmp_path)) == 64 and loaded.config == TINY


def test_what_is_no_regressor(tmp_path):
    with pytest.raises(InputError, match=r"is no keypoint regressor \(config.json and model.safetensors missing\)"):
        load_pose_lift(tmp_path)
    (tmp_path / "config.json").write_text('{"width": 24, "layers": 1, "heads": 5}')
    (tmp_path / "model.safetensors").write_bytes(b"no")
    with pytest.raises(InputError, match=r"holds no settings of a keypoint regressor \(as a whole: width \(24\)"):
        load_pose_lift(tmp_path)
    with pytest.raises(ValueError, match=r"width \(24\) must be a multiple of twice heads \(5\)"):
        PoseLiftConfig(width=24, heads=5)


def test_weights_of_before_are_read():
    """The shipped file calls modules by the names they had; what is read is as it was written."""
    written, read = load_file(STARTER / "model.safetensors"), load_pose_lift().state_dict()
    for old, new in (("spread", "std"), ("inwards.0.weight", "proj_in.0.weight"), ("outwards.bias", "proj_out.bias")):
        assert torch.equal(read[new], written[old].float())
    assert torch.equal(read["blocks.0.mlp.0.weight"], written["blocks.0.perceptron.0.weight"].float())
    assert torch.equal(read["blocks.0.norm_mlp.bias"], written["blocks.0.norm_perceptron.bias"].float())
