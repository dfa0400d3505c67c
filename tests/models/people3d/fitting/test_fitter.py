"""Fitting bodies to keypoints: postures are told apart, limits bend the right way, exact people are found again."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.body.model import BodyShape, load_body, relaxed_pose
from models.errors import InputError
from models.geometry.camera import Camera, intrinsics_from_focal, normal_from_angles, pose_over_floor
from models.geometry.transforms import R_ZUP_YUP, matrix_from_axis_angle, yaw
from models.people3d.fitting.fit import fit_feet, fit_joints, upright_frames
from models.people3d.fitting.fitter import Fitter
from models.people3d.fitting.initialisation import Initialisation, initialise
from models.people3d.fitting.objective import FitConfig
from models.people3d.fitting.observations import Observation, concatenate_frames
from models.people3d.pose_prior import load_pose_prior
from models.types import SMPL_JOINTS, SupportSurface

CAMERA = Camera(
    intrinsics_from_focal(560.0, 640, 480), 640, 480, pose_over_floor(normal_from_angles(np.radians(20.0), 0.0), 2.3)
)
PRIOR = load_pose_prior()
LEAN_BACK = matrix_from_axis_angle(np.array([-np.pi / 2.0, 0.0, 0.0]))


@pytest.fixture(scope="module")
def body():
    return load_body()


def posed(body, tilts, headings, poses, places, stature_m=1.72):
    """World keypoints and joints of a body resting on the floor."""
    count = len(headings)
    betas = torch.as_tensor(body.betas_from_shape(BodyShape(age_years=50, stature_m=stature_m))).expand(count, 10)
    turned = np.stack([yaw(h) @ R_ZUP_YUP @ t for h, t in zip(headings, tilts, strict=True)])
    orient = torch.as_tensor(turned, dtype=torch.float32)
    pose = torch.as_tensor(matrix_from_axis_angle(np.reshape(poses, (count, 23, 3))), dtype=torch.float32)
    transl = torch.zeros(count, 3)
    transl[:, 2] = -body.posed(betas, orient, pose, transl).surface_points[..., 2].amin(-1)
    transl[:, :2] = torch.as_tensor(np.asarray(places), dtype=torch.float32)
    keypoints = body.posed(betas, orient, pose, transl).keypoints.double().numpy()
    return keypoints, body.posed(betas, orient, pose, transl).joints.double().numpy()


def walking(body, count=10, stature_m=1.72):
    """A few steps on a bend, at 8 frames a second."""
    phase = np.arange(count) * 0.8
    poses = np.tile(relaxed_pose().reshape(23, 3), (count, 1, 1))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        swing = sign * np.sin(phase)
        poses[:, SMPL_JOINTS.index(f"{side}_hip") - 1, 0] = -0.35 * swing
        poses[:, SMPL_JOINTS.index(f"{side}_knee") - 1, 0] = 0.15 + 0.2 * np.clip(-swing, 0, 1)
    headings = 0.4 + 0.03 * np.arange(count)
    steps = 0.12 * np.stack([np.cos(headings), np.sin(headings)], axis=-1)
    places = np.array([3.4, -0.4]) + np.cumsum(steps, axis=0)
    return posed(body, [np.eye(3)] * count, headings, poses, places, stature_m), np.arange(count) / 8.0


def test_walker_is_found_again(body):
    (keypoints, joints), times = walking(body)
    pixels, weights = CAMERA.project(keypoints), np.ones((10, 17))
    betas = body.betas_from_shape(BodyShape(age_years=50, stature_m=1.68))
    start = initialise(body, betas, CAMERA, pixels, weights, times)
    fitter = Fitter(FitConfig(steps=100), body, prior=PRIOR)
    fit = fitter.fit([Observation(pixels, weights, times, CAMERA)], [start])[0]
    assert np.linalg.norm(fit_joints(body, fit) - joints, axis=-1)[:, :22].mean() < 0.06
    assert abs(body.stature(fit.betas) - 1.72) < 0.05
    assert np.abs(fit_feet(body, fit).min(axis=1)).max() < 0.04
    assert upright_frames(body, fit).mean() > 0.7


def test_same_input_same_bytes(body):
    (keypoints, _), times = walking(body, count=5)
    pixels, weights = CAMERA.project(keypoints), np.ones((5, 17))
    betas = body.betas_from_shape(BodyShape(age_years=50, stature_m=1.68))
    fit, again = (
        Fitter(FitConfig(steps=8), body, prior=PRIOR).fit(
            [Observation(pixels, weights, times, CAMERA)], [initialise(body, betas, CAMERA, pixels, weights, times)]
        )[0]
        for _ in range(2)
    )
    assert again.transl.tobytes() == fit.transl.tobytes() and again.body_pose.tobytes() == fit.body_pose.tobytes()


def test_who_else_is_fitted_changes_nothing(body):
    """Three people of different lengths and shapes at once, and in batches of what there is room for: as each alone."""
    people, starts = [], []
    betas = body.betas_from_shape(BodyShape(age_years=50, stature_m=1.68))
    for count, stature_m in ((6, 1.6), (10, 1.85), (2, 1.7)):
        (keypoints, _), times = walking(body, count, stature_m)
        seen = Observation(CAMERA.project(keypoints), np.ones((count, 17)), times, CAMERA)
        people.append(seen)
        starts.append(initialise(body, betas, CAMERA, seen.keypoints_px, seen.weights, seen.timestamps_s))

    def fitter(**changed):
        return Fitter(FitConfig(steps=60, last_steps=6, **changed), body, prior=PRIOR)

    alone = [fitter().fit([seen], [start])[0] for seen, start in zip(people, starts, strict=True)]
    for at_once in (fitter().fit(people, starts), fitter(frames_at_once=9).fit(people, starts)):
        for fit, single in zip(at_once, alone, strict=True):
            assert np.linalg.norm(fit_joints(body, fit) - fit_joints(body, single), axis=-1).max() < 2e-3
            assert np.allclose(fit.betas, single.betas, atol=2e-2)
    known = np.array([fit.latent for fit in alone])
    assert np.array_equal([fit.latent for fit in fitter().fit(people, starts, known)], known)


def test_lying_body_rests_on_the_floor_with_its_trunk(body):
    """Along the line of sight, feet near: reprojection alone would let the trunk float towards the camera."""
    keypoints, joints = posed(body, [LEAN_BACK] * 8, [np.pi] * 8, [relaxed_pose()] * 8, [[3.6, 0.0]] * 8)
    pixels, weights, times = CAMERA.project(keypoints), np.ones((8, 17)), np.arange(8) / 8.0
    betas = body.betas_from_shape(BodyShape(age_years=50, stature_m=1.68))
    fit = Fitter(FitConfig(steps=100), body, prior=PRIOR).fit(
        [Observation(pixels, weights, times, CAMERA)], [initialise(body, betas, CAMERA, pixels, weights, times)]
    )[0]
    found = fit_joints(body, fit)
    assert np.linalg.norm(found - joints, axis=-1)[:, :22].mean() < 0.09
    assert found[:, 0, 2].max() < 0.25
    assert not upright_frames(body, fit).any()


def test_an_outlier_does_not_drag_the_body(body):
    (keypoints, joints), times = walking(body)
    pixels, weights = CAMERA.project(keypoints), np.ones((10, 17))
    pixels[4:6, 9] += [120.0, -90.0]
    betas = body.betas_from_shape(BodyShape(age_years=50, stature_m=1.68))
    start = initialise(body, betas, CAMERA, pixels, weights, times)
    fit = Fitter(FitConfig(steps=100), body, prior=PRIOR).fit([Observation(pixels, weights, times, CAMERA)], [start])[0]
    wrist = SMPL_JOINTS.index("left_wrist")
    assert np.linalg.norm(fit_joints(body, fit) - joints, axis=-1)[4:6, wrist].max() < 0.25


def test_given_shape_stays(body):
    (keypoints, _), times = walking(body, count=4)
    pixels, weights = CAMERA.project(keypoints), np.ones((4, 17))
    fitter = Fitter(FitConfig(steps=3), body, prior=PRIOR)
    start = Initialisation(
        np.tile(R_ZUP_YUP, (4, 1, 1)),
        np.tile(relaxed_pose(), (4, 1)),
        np.tile([4.0, 0.0, 0.9], (4, 1)),
        0.0,
        np.zeros(4),
    )
    fit = fitter.fit([Observation(pixels, weights, times, CAMERA)], [start], np.array([[0.5, 0.0, 0.0]]))[0]
    assert fit.latent.tolist() == [0.5, 0.0, 0.0]
    assert (
        body.stature(fit.betas)
        > body.stature(fitter.fit([Observation(pixels, weights, times, CAMERA)], [start], np.zeros((1, 3)))[0].betas)
        + 0.02
    )


def test_the_prior_keeps_an_unseen_arm_likely(body):
    """No keypoint sees the arms, and the start has an arm in an odd place: the learned prior takes that back."""
    (keypoints, _), times = walking(body, count=5)
    weights = np.ones((5, 17))
    weights[:, 7:11] = 0.0
    pixels = CAMERA.project(keypoints)
    start = initialise(
        body, body.betas_from_shape(BodyShape(age_years=50, stature_m=1.68)), CAMERA, pixels, weights, times
    )
    wrong = start.body_pose.copy().reshape(5, 23, 3)
    wrong[:, SMPL_JOINTS.index("left_shoulder") - 1] = (0.9, 0.9, 1.2)
    start = Initialisation(start.global_orient, wrong.reshape(5, 69), start.pelvis, 0.0, np.zeros(5))

    def energy(weight):
        fit = Fitter(FitConfig(steps=60, pose_prior=weight), body, prior=PRIOR).fit(
            [Observation(pixels, weights, times, CAMERA)], [start]
        )[0]
        turned = matrix_from_axis_angle(fit.body_pose.reshape(5, 23, 3)[:, :21])
        return float(PRIOR.energy(torch.as_tensor(turned, dtype=torch.float32)).mean())

    assert energy(0.2) < 0.6 * energy(0.0)


def test_a_weight_without_a_prior_is_refused(body):
    with pytest.raises(AssertionError, match="no prior was given"):
        Fitter(FitConfig(pose_prior=0.1), body)


BED = SupportSurface("bed", 0.5, np.array([[2.6, -0.5], [4.6, -0.5], [4.6, 0.5], [2.6, 0.5]]))


def test_furniture_that_is_known_carries_who_lies_on_it(body):
    """Observation along the line of sight, with nobody to say how high the bed is, a body on it is taken for one on the
    floor."""
    keypoints, joints = posed(body, [LEAN_BACK] * 8, [np.pi] * 8, [relaxed_pose()] * 8, [[3.6, 0.0]] * 8)
    keypoints[..., 2] += BED.height_m
    joints[..., 2] += BED.height_m
    pixels, weights, times = CAMERA.project(keypoints), np.ones((8, 17)), np.arange(8) / 8.0
    betas = body.betas_from_shape(BodyShape(age_years=50, stature_m=1.68))
    found = {}
    for name, supports in (("known", [BED]), ("unknown", [])):
        fitter = Fitter(FitConfig(), body, prior=PRIOR)
        fit = fitter.fit(
            [Observation(pixels, weights, times, CAMERA, supports)],
            [initialise(body, betas, CAMERA, pixels, weights, times)],
        )[0]
        found[name] = np.abs(fit_joints(body, fit) - joints)[:, 0, 2].max()
    assert found["known"] < 0.06
    assert found["unknown"] > 2.0 * found["known"]


def test_a_seat_that_is_known_carries_who_sits_on_it(body):
    """The thighs point at the camera and the feet are hidden: little else says how high and far away the hips are."""
    pose = relaxed_pose().reshape(23, 3)
    for side in ("left", "right"):
        pose[SMPL_JOINTS.index(f"{side}_hip") - 1, 0] = -1.5
        pose[SMPL_JOINTS.index(f"{side}_knee") - 1, 0] = 1.5
    keypoints, joints = posed(body, [np.eye(3)] * 8, [np.pi] * 8, [pose.reshape(69)] * 8, [[3.6, 0.0]] * 8, 1.58)
    under = 0.09
    seat = SupportSurface(
        "chair", float(joints[0, 0, 2]) - under, np.array([[3.2, -0.4], [4.0, -0.4], [4.0, 0.4], [3.2, 0.4]])
    )
    pixels, weights, times = CAMERA.project(keypoints), np.ones((8, 17)), np.arange(8) / 8.0
    weights[:, 13:] = 0.0
    betas = body.betas_from_shape(BodyShape(age_years=50, stature_m=1.68))
    start = initialise(body, betas, CAMERA, pixels, weights, times)
    away = {}
    for name, supports in (("known", [seat]), ("unknown", [])):
        fit = Fitter(FitConfig(), body, prior=PRIOR).fit(
            [Observation(pixels, weights, times, CAMERA, supports)], [start]
        )[0]
        away[name] = float(np.linalg.norm(fit_joints(body, fit)[:, 0] - joints[:, 0], axis=-1).mean())
    assert away["known"] < 0.15 and away["known"] < 0.8 * away["unknown"]


def test_nobody_stands_inside_furniture(body):
    keypoints, _ = posed(body, [np.eye(3)] * 6, [0.3] * 6, [relaxed_pose()] * 6, [[3.6, 0.44]] * 6)
    pixels, weights, times = CAMERA.project(keypoints), np.ones((6, 17)), np.arange(6) / 6.0
    betas = body.betas_from_shape(BodyShape(age_years=50, stature_m=1.68))
    start = initialise(body, betas, CAMERA, pixels, weights, times)
    inside = {}
    for name, supports in (("known", [BED]), ("unknown", [])):
        fit = Fitter(FitConfig(), body, prior=PRIOR).fit(
            [Observation(pixels, weights, times, CAMERA, supports)], [start]
        )[0]
        parameters = [torch.as_tensor(v, dtype=torch.float32) for v in (fit.global_orient, fit.body_pose, fit.transl)]
        skin = body.posed(torch.as_tensor(fit.betas), *parameters).surface_points.double().numpy()
        within = (np.abs(skin[..., 1]) < 0.5) & (skin[..., 2] < 0.5) & (skin[..., 2] > 0.25)
        inside[name] = float(np.where(within, 0.5 - np.abs(skin[..., 1]), 0.0).max())
    # The keypoints say inside, the bed says outside: between them, nearer to the bed.
    assert inside["unknown"] > 0.1
    assert inside["known"] < 0.6 * inside["unknown"]


SIDE = Camera(
    intrinsics_from_focal(480.0, 800, 600), 800, 600, pose_over_floor(normal_from_angles(np.radians(35.0), 0.1), 2.6)
)
TABLE = SupportSurface("table", 0.7, np.array([[1.0, 2.0], [1.5, 1.8], [2.0, 2.0], [2.0, 3.0], [1.0, 3.0]]))


def clips_of_three_rooms(body):
    """Who walks, who lies on a bed and who stands by it, each before a camera and among furniture of their own."""
    betas = body.betas_from_shape(BodyShape(age_years=50, stature_m=1.68))
    (strides, _), _ = walking(body, 6)
    lying, _ = posed(body, [LEAN_BACK] * 5, [np.pi] * 5, [relaxed_pose()] * 5, [[3.6, 0.0]] * 5)
    lying[..., 2] += BED.height_m
    standing, _ = posed(body, [np.eye(3)] * 4, [0.3] * 4, [relaxed_pose()] * 4, [[3.6, 0.44]] * 4)
    people, starts = [], []
    for keypoints, camera, supports in ((strides, CAMERA, ()), (lying, SIDE, (BED, TABLE)), (standing, CAMERA, (BED,))):
        times = np.arange(len(keypoints)) / 8.0
        seen = Observation(camera.project(keypoints), np.ones((len(keypoints), 17)), times, camera, supports)
        people.append(seen)
        starts.append(initialise(body, betas, camera, seen.keypoints_px, seen.weights, times))
    return people, starts


def test_clips_of_many_rooms_at_once_are_as_each_alone(body):
    people, starts = clips_of_three_rooms(body)
    fitter = Fitter(FitConfig(steps=60, last_steps=6), body, prior=PRIOR)
    for fit, seen, start in zip(fitter.fit(people, starts), people, starts, strict=True):
        alone = fitter.fit([seen], [start])[0]
        # The last, unconverged steps carry rounding on: 2 to 3 mm, by processor.
        assert np.linalg.norm(fit_joints(body, fit) - fit_joints(body, alone), axis=-1).max() < 5e-3
        # Another camera, or furniture, would be another motion.
        elsewhere = fitter.fit([replace(seen, camera=CAMERA if seen.camera is SIDE else SIDE)], [start])[0]
        assert np.linalg.norm(fit_joints(body, elsewhere) - fit_joints(body, alone), axis=-1).mean() > 0.05


def test_every_number_of_the_objective_is_put_on_the_device(body):
    """No GPU is needed: whatever is made without naming a device lands on `meta`, which does not mix with any other."""
    people, starts = clips_of_three_rooms(body)
    fitter = Fitter(FitConfig(), body, prior=PRIOR)
    with torch.device("meta"):
        latent = fitter.tensor(np.zeros((3, 3)))
        frames = concatenate_frames(
            [
                fitter.frames(number, seen, start, latent[number])
                for number, (seen, start) in enumerate(zip(people, starts, strict=True))
            ]
        )
        variables = [variable.requires_grad_() for variable in fitter.variables(starts)]
        fitter.objective(frames, latent, *variables, robust=3.0).sum().backward()
    for value in (frames.ground, frames.tops.edge, *(variable.grad for variable in variables)):
        assert value.device.type == "cpu" and torch.isfinite(value).all()


def test_a_device_that_is_not_there_is_refused(body):
    with pytest.raises(InputError, match="'cuda:77' is not there; name a device that torch finds, or cpu"):
        Fitter(FitConfig(device="cuda:77"), body, prior=PRIOR)
