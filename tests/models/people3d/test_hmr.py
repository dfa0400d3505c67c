"""The network of crops and its regressor: known places, mirrors, batches, bad input."""

import numpy as np
import pytest
import torch

from models.body.model import BodyShape, load_body, relaxed_pose
from models.errors import InputError
from models.geometry.transforms import R_ZUP_YUP, apply, invert, matrix_from_axis_angle, yaw
from models.people3d.hmr import HmrRegressor, betas_from_rest_joints, on_other_rest, pelvis_on_rays, rest_offsets
from models.people3d.hmr_network import Hmr, crop, crop_camera
from models.types import SMPL_JOINTS, SMPL_PARENTS


@pytest.fixture(scope="module")
def body():
    return load_body()


def someone(body, camera, place=(3.0, 1.4)):
    """A person with one arm and one knee up, far from the middle of the picture: truth, keypoints and box."""
    betas = body.betas_from_shape(BodyShape(age_years=70.0, stature_m=1.66, sex=0.2, build=0.7)).astype(np.float64)
    pose = relaxed_pose().reshape(23, 3).copy()
    pose[SMPL_JOINTS.index("right_shoulder") - 1] = 0.0, 0.0, 0.5
    pose[SMPL_JOINTS.index("left_hip") - 1] = -0.9, 0.0, 0.0
    pose[SMPL_JOINTS.index("left_knee") - 1] = 1.1, 0.0, 0.0
    orient = yaw(2.3) @ R_ZUP_YUP
    pelvis = np.array([*place, 0.95])
    shape = torch.as_tensor(betas).float()
    values = (shape, torch.as_tensor(orient).float(), torch.as_tensor(matrix_from_axis_angle(pose)).float())
    keypoints = (
        body.posed(*values, torch.zeros(3)).keypoints.double().numpy() - body.rest_joints(shape)[0].double().numpy()
    )
    pixels = camera.project(keypoints + pelvis)
    box = np.concatenate([pixels.min(0) - 12.0, pixels.max(0) + 12.0])
    return betas, orient, pose, pelvis, pixels, box


def knowing(config, body, camera, truth, scale=1.0):
    """A network that has learned one person by heart, whatever it sees; `scale` spoils its weak camera."""
    betas, orient, pose, pelvis, _, box = truth
    config = config.model_copy(update={"body": body.name})
    view = crop_camera(camera, box, config)
    network = Hmr(config).eval()
    for head in (network.pose, network.betas, network.camera):
        torch.nn.init.zeros_(head.weight)
    rotations = np.concatenate([(view.T_world_camera[:3, :3].T @ orient)[None], matrix_from_axis_angle(pose)])
    network.mean_pose.copy_(torch.as_tensor(rotations[..., :2].swapaxes(-1, -2).flatten()))
    network.mean_betas.copy_(torch.as_tensor(betas))
    network.rest_joints.copy_(body.J_template)
    network.rest_directions.copy_(body.J_shapedirs)
    root = body.rest_joints(torch.as_tensor(betas).float())[0].double().numpy()
    x, y, z = apply(invert(view.T_world_camera), pelvis) - root
    network.mean_camera.copy_(torch.as_tensor([scale * 2.0 * view.focal_px / (config.rows_px * z), x, y]))
    return network.requires_grad_(False)


def regress(regressor, truth, camera, scores=None, shift=0.0, frames=2):
    pixels, box = truth[4], truth[5]
    scores = np.ones(17) if scores is None else scores
    seen = pixels + shift
    return regressor.regress(
        np.tile(seen, (frames, 1, 1)),
        np.tile(scores, (frames, 1)),
        np.tile(box, (frames, 1)),
        np.arange(frames) / 15.0,
        camera,
        (np.zeros((480, 640, 3), dtype=np.uint8) for _ in range(frames)),
    )


def test_weak_camera_leads_to_the_place_in_the_world(body, camera, tiny):
    """No keypoints: everything comes from the network, which knows the body exactly in its crop."""
    truth = someone(body, camera)
    found = regress(HmrRegressor(knowing(tiny, body, camera, truth), body, flip=False), truth, camera, np.zeros(17))
    betas, orient, pose, pelvis, *_ = truth
    assert np.abs(found.pelvis - pelvis).max() < 1e-3
    assert np.abs(found.global_orient - orient).max() < 1e-4
    assert np.abs(matrix_from_axis_angle(found.body_pose.reshape(2, 23, 3)) - matrix_from_axis_angle(pose)).max() < 1e-4
    assert np.abs(found.betas - betas).max() < 1e-4
    assert (found.confidence == 0.0).all()


def test_keypoints_correct_the_weak_cameras_depth(body, camera, tiny):
    truth = someone(body, camera)
    regressor = HmrRegressor(knowing(tiny, body, camera, truth, scale=0.7), body, flip=False)
    away = np.linalg.norm(regress(regressor, truth, camera, np.zeros(17)).pelvis - truth[3], axis=1)
    assert (away > 0.9).all()
    found = regress(regressor, truth, camera)
    assert np.abs(found.pelvis - truth[3]).max() < 2e-3
    assert found.confidence.min() > 0.98
    # Two wrong keypoints hardly pull; three keypoints alone are not trusted.
    shift = np.zeros((17, 2))
    shift[[9, 15]] = 150.0, -90.0
    assert np.abs(regress(regressor, truth, camera, shift=shift).pelvis - truth[3]).max() < 0.15
    few = np.where(np.arange(17) < 3, 1.0, 0.1)
    assert np.abs(regress(regressor, truth, camera, few).pelvis - truth[3]).max() > 0.5


def test_confidence_is_agreement_with_keypoints(body, camera, tiny):
    """Another body's keypoints: the further they are from its own, the less it is believed."""
    truth = someone(body, camera)
    regressor = HmrRegressor(knowing(tiny, body, camera, truth), body, flip=False)
    side = np.max(truth[5][2:] - truth[5][:2])
    noise = np.random.default_rng(0).normal(0.0, 1.0, (17, 2))
    sure = [regress(regressor, truth, camera, shift=noise * side * share).confidence[0] for share in (0.0, 0.02, 0.1)]
    assert sure[0] > 0.98 and sure[0] > sure[1] > sure[2] and 0.2 < sure[1] < 0.8 and sure[2] < 0.3
    few = np.where(np.arange(17) % 4 == 0, 1.0, 0.0)
    assert regress(regressor, truth, camera, few).confidence[0] == pytest.approx(5 / 8, abs=0.02)


def test_long_clips_are_cut_into_batches(body, camera, random_network, tiny):
    """Frame by frame or many at once: the same answers, and frames that do not come are missed."""
    network = random_network(tiny.model_copy(update={"body": body.name}))
    truth, frames = someone(body, camera), np.zeros((5, 480, 640, 3), dtype=np.uint8)
    frames[:] = np.arange(5, dtype=np.uint8)[:, None, None, None] * 50
    arguments = (
        np.tile(truth[4], (5, 1, 1)),
        np.zeros((5, 17)),
        np.tile(truth[5], (5, 1)),
        np.arange(5) / 15.0,
        camera,
    )
    many, few = (HmrRegressor(network, body, batch=batch).regress(*arguments, iter(frames)) for batch in (32, 2))
    for name, value in vars(many).items():
        assert np.abs(value - getattr(few, name)).max() < 1e-4, name
    assert np.abs(many.global_orient[0] - many.global_orient[1]).max() > 1e-2
    with pytest.raises(ValueError, match="zip"):
        HmrRegressor(network, body).regress(*arguments, iter(frames[:4]))


def test_pelvis_on_rays_is_exact_for_true_rays():
    rng = np.random.default_rng(0)
    limbs, pelvis = rng.normal(0.0, 0.4, (3, 17, 3)), np.array([[0.5, 0.2, 3.0], [-1.0, 0.4, 5.0], [0.0, 0.0, 2.0]])
    rays = (limbs + pelvis[:, None])[..., :2] / (limbs + pelvis[:, None])[..., 2:]
    weights = np.ones((3, 17))
    weights[2, 4:] = 0.0
    found, sure = pelvis_on_rays(limbs, rays, weights, np.full(3, 0.4))
    assert np.abs(found[:2] - pelvis[:2]).max() < 1e-6 and sure.tolist() == [True, True, False]


def test_other_bodys_rest_pose_is_corrected(body):
    """A body whose rest pose has its arms lower and legs wider: the same rotations of it put our bones along its
    own."""
    rng = np.random.default_rng(0)
    ours = body.rest_joints(torch.zeros(10)).double().numpy()
    turns = matrix_from_axis_angle(rng.normal(0.0, 0.15, (24, 3)))
    theirs = ours.copy()
    for joint in range(1, 24):
        parent = SMPL_PARENTS[joint]
        theirs[joint] = theirs[parent] + turns[parent] @ (ours[joint] - ours[parent])
    rotations = matrix_from_axis_angle(rng.normal(0.0, 0.5, (6, 24, 3)))

    def posed(rest, local):
        world, joints = [local[:, 0]], [np.tile(rest[0], (6, 1))]
        for joint in range(1, 24):
            parent = SMPL_PARENTS[joint]
            world.append(world[parent] @ local[:, joint])
            joints.append(joints[parent] + world[parent] @ (rest[joint] - rest[parent]))
        return np.stack(joints, axis=1) - rest[0]

    found = posed(ours, on_other_rest(rotations, rest_offsets(ours, theirs)))
    wanted = posed(theirs, rotations)
    assert np.abs(found - wanted).max() < 1e-6
    assert np.abs(posed(ours, rotations) - wanted).max() > 0.05


def test_betas_of_another_body_are_refit(body):
    betas = np.array([1.0, -0.8, 0.5, 0, 0, 0, 0, 0, 0, 0])
    rest = body.rest_joints(torch.as_tensor(betas).float()).double().numpy()
    found = betas_from_rest_joints(body, rest + [0.3, -0.1, 0.2])
    again = body.rest_joints(torch.as_tensor(found).float()).double().numpy()
    assert np.abs((again - again[0]) - (rest - rest[0])).max() < 0.01


def test_network_of_another_body_says_so_and_keeps_the_posture(body, camera, caplog, tiny):
    truth = someone(body, camera)
    network = knowing(tiny, body, camera, truth)
    own = regress(HmrRegressor(network, body, flip=False), truth, camera)
    assert not caplog.records
    network.config = network.config.model_copy(update={"body": "smpl"})
    found = regress(HmrRegressor(network, body, flip=False), truth, camera)
    assert "trained for the body smpl" in caplog.text
    # Here the other body is the same one under another name: nothing but the ridge of the betas differs.
    assert np.abs(found.global_orient - own.global_orient).max() < 0.02
    assert np.abs(found.pelvis - own.pelvis).max() < 0.03


def test_bad_boxes_and_frames_are_named(body, camera, tiny):
    truth = someone(body, camera)
    regressor = HmrRegressor(knowing(tiny, body, camera, truth), body)
    with pytest.raises(InputError, match=r"box \[5.0, 5.0, 5.0, 90.0\]: is empty"):
        regress(regressor, (*truth[:5], np.array([5.0, 5.0, 5.0, 90.0])), camera)
    with pytest.raises(InputError, match="frame: is 320x240 for a camera of 640x480"):
        crop(np.zeros((240, 320, 3), dtype=np.uint8), camera, crop_camera(camera, truth[5], tiny), 24)
