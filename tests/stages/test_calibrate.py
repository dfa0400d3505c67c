"""Camera from people: exact synthetic people give the camera back; nobody walking gives a wide interval."""

import numpy as np
import pytest
import torch

from models.body.model import BodyShape, load_body, relaxed_pose
from models.calibration.standing_people import CalibrateConfig, find_upright_people
from models.geometry.camera import Camera, intrinsics_from_focal, normal_from_angles, pose_over_floor
from models.geometry.transforms import R_ZUP_YUP, matrix_from_axis_angle, yaw
from models.sample_footage.room import RoomRenderer, sample_room, watching_camera
from models.types import Person2D
from stages import calibrate

CONFIG = CalibrateConfig(bootstrap_replicates=20)
ADULT_NOSE_M = CalibrateConfig().nose_m


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def betas(body):
    """A body whose nose is exactly where the calibration assumes a standing adult's to be."""
    stature = 1.70
    for _ in range(5):
        found = body.betas_from_shape(BodyShape(age_years=40, stature_m=stature))
        pose = torch.as_tensor(relaxed_pose()[None], dtype=torch.float32)
        args = torch.as_tensor(found)[None], torch.zeros(1, 3), pose, torch.zeros(1, 3)
        nose = float(body.posed(*args).keypoints[0, 0, 1] - body.posed(*args).surface_points[0, :, 1].min())
        stature += ADULT_NOSE_M - nose
    return found


def camera_at(pitch_deg: float, height_m: float, focal_px: float = 640.0, roll_deg: float = 0.0) -> Camera:
    normal = normal_from_angles(np.radians(pitch_deg), np.radians(roll_deg))
    return Camera(intrinsics_from_focal(focal_px, 640, 480), 640, 480, pose_over_floor(normal, height_m))


def standing_people(body, betas, camera: Camera, places: np.ndarray, rng, name: str = "person_1") -> Person2D:
    """One person standing at a row of places, facing anywhere; feet and head in view or not visible."""
    count = len(places)
    shape = torch.as_tensor(betas).expand(count, 10)
    orient = torch.as_tensor(
        np.stack([yaw(a) @ R_ZUP_YUP for a in rng.uniform(0, 2 * np.pi, count)]), dtype=torch.float32
    )
    pose = torch.as_tensor(np.tile(relaxed_pose(), (count, 1)), dtype=torch.float32)
    rotations = torch.as_tensor(matrix_from_axis_angle(pose.numpy().reshape(count, 23, 3)), dtype=torch.float32)
    transl = torch.zeros(count, 3)
    low = body.posed(shape, orient, rotations, transl).surface_points[..., 2].amin(-1)
    transl[:, :2] = torch.as_tensor(places, dtype=torch.float32)
    transl[:, 2] = -low
    pixels = camera.project(body.posed(shape, orient, rotations, transl).keypoints.double().numpy())
    inside = ((pixels > 0) & (pixels < [camera.width_px, camera.height_px])).all(axis=(1, 2))
    boxes = np.concatenate([pixels.min(axis=1), pixels.max(axis=1)], axis=1)
    scores = np.where(inside[:, None], 0.9, 0.0) * np.ones((count, 17))
    return Person2D(name, "person", inside, boxes, pixels, scores)


def walked(camera: Camera, rng, count: int = 80) -> np.ndarray:
    return np.column_stack([rng.uniform(2.5, 7.0, count), rng.uniform(-2.0, 2.0, count)])


@pytest.mark.parametrize(
    ("pitch_deg", "height_m", "focal_px"), [(8.0, 1.6, 640.0), (20.0, 2.3, 560.0), (3.0, 1.2, 700.0)]
)
def test_recovers_the_camera_of_exact_people(body, betas, pitch_deg, height_m, focal_px):
    rng = np.random.default_rng(0)
    camera = camera_at(pitch_deg, height_m, focal_px, roll_deg=1.0)
    person = standing_people(body, betas, camera, walked(camera, rng), rng)
    found = calibrate.run(CONFIG, [[person]], [np.arange(80) / 2.0], 640, 480, camera.intrinsics)
    assert found.method == "people"
    assert found.frames_used > 30
    assert abs(found.camera.pitch_deg - pitch_deg) < 1.0
    assert abs(found.camera.height_m / height_m - 1.0) < 0.03
    low, high = found.height_interval_m
    assert low < height_m < high
    assert found.residual_px < 3.0
    up = found.camera.T_world_camera[2, :3] @ camera.T_world_camera[2, :3]
    assert np.degrees(np.arccos(min(up, 1.0))) < 1.5


def test_focal_length_is_found_from_people_alone(body, betas):
    rng = np.random.default_rng(1)
    camera = camera_at(18.0, 2.2, 540.0)
    person = standing_people(body, betas, camera, walked(camera, rng, 160), rng)
    found = calibrate.run(CONFIG, [[person]], [np.arange(160) / 2.0], 640, 480)
    assert abs(found.camera.focal_px / 540.0 - 1.0) < 0.08
    assert abs(found.camera.pitch_deg - 18.0) < 1.5
    assert abs(found.camera.height_m / 2.2 - 1.0) < 0.05


def test_who_does_not_walk_leaves_height_open(body, betas):
    rng = np.random.default_rng(2)
    camera = camera_at(8.0, 1.6)
    still = standing_people(body, betas, camera, np.tile([4.0, 0.2], (60, 1)), rng)
    moving = standing_people(body, betas, camera, walked(camera, rng, 60), rng)
    times = [np.arange(60) / 2.0]
    stood = calibrate.run(CONFIG, [[still]], times, 640, 480)
    went = calibrate.run(CONFIG, [[moving]], times, 640, 480)

    def width(calibration):
        low, high = calibration.height_interval_m
        return (high - low) / calibration.camera.height_m

    assert width(stood) > 1.5 * width(went)
    assert stood.condition > 2.0 * went.condition


def test_two_people_narrow_the_interval(body, betas):
    rng = np.random.default_rng(3)
    camera = camera_at(15.0, 2.0)
    one = standing_people(body, betas, camera, walked(camera, rng), rng, "a")
    two = standing_people(body, betas, camera, walked(camera, rng), rng, "b")
    times = np.arange(80) / 2.0
    config = CalibrateConfig(bootstrap_replicates=40)
    alone = calibrate.run(config, [[one]], [times], 640, 480, camera.intrinsics)
    together = calibrate.run(config, [[one, two]], [times], 640, 480, camera.intrinsics)
    assert np.ptp(together.height_interval_m) < np.ptp(alone.height_interval_m)


def test_nobody_upright_is_the_prior_and_says_so():
    found = calibrate.run(CONFIG, [[]], [np.arange(5.0)], 640, 480)
    assert found.method == "prior"
    assert found.frames_used == 0
    assert found.condition == float("inf")
    low, high = found.height_interval_m
    assert high / low > 2.0


def test_same_seed_same_camera(body, betas):
    rng = np.random.default_rng(5)
    camera = camera_at(12.0, 1.9)
    person = standing_people(body, betas, camera, walked(camera, rng, 30), rng)
    a, b = (calibrate.run(CONFIG, [[person]], [np.arange(30.0)], 640, 480) for _ in range(2))
    assert a.camera.T_world_camera.tobytes() == b.camera.T_world_camera.tobytes()
    assert a.height_interval_m == b.height_interval_m


@pytest.mark.parametrize("seed", [1, 7, 9])
def test_an_empty_room_gives_tilt_and_focal_length(seed):
    rng = np.random.default_rng(seed)
    room = sample_room(rng)
    camera = watching_camera(room, rng, 640, 480)
    with RoomRenderer(room, 640, 480) as renderer:
        plate, _, _ = renderer.view(camera)
    found = calibrate.run(CONFIG, [[]], [np.arange(5.0)], 640, 480, plate=plate)
    assert found.method == "prior"
    assert found.lines_followed > 15
    up = found.camera.T_world_camera[2, :3] @ camera.T_world_camera[2, :3]
    assert np.degrees(np.arccos(min(up, 1.0))) < 1.0
    assert abs(found.camera.focal_px / camera.focal_px - 1.0) < 0.03
    low, high = found.height_interval_m
    assert high / low > 2.0, "lines know nothing of the height"


def test_lines_narrow_what_people_leave_open(body, betas):
    rng = np.random.default_rng(1)
    room = sample_room(rng)
    camera = watching_camera(room, rng, 640, 480)
    with RoomRenderer(room, 640, 480) as renderer:
        plate, _, _ = renderer.view(camera)
    world = Camera(
        camera.intrinsics, 640, 480, pose_over_floor(camera.T_world_camera[2, :3], camera.T_world_camera[2, 3])
    )
    places = np.column_stack([rng.uniform(2.0, 4.5, 60), rng.uniform(-1.0, 1.0, 60)])
    person = standing_people(body, betas, world, places, rng)
    times = [np.arange(60) / 2.0]
    with_lines = calibrate.run(CONFIG, [[person]], times, 640, 480, plate=plate)
    without = calibrate.run(CONFIG, [[person]], times, 640, 480)
    assert abs(with_lines.camera.height_m / world.height_m - 1.0) < 0.03
    assert with_lines.condition < without.condition
    assert np.ptp(with_lines.height_interval_m) < np.ptp(without.height_interval_m)


def test_each_clip_alone_is_asked_for_the_height(body, betas):
    rng = np.random.default_rng(6)
    camera = camera_at(15.0, 2.0)
    clips = [[standing_people(body, betas, camera, walked(camera, rng, 60), rng)] for _ in range(2)]
    times = [np.arange(60) / 2.0] * 3
    heights = calibrate.heights_by_clip(CONFIG, [*clips, []], times, 640, 480, camera.intrinsics)
    assert heights[2] is None, "nobody stood in it"
    assert heights[0] == pytest.approx(2.0, rel=0.03) and heights[1] == pytest.approx(2.0, rel=0.03)
    alone = calibrate.run(CONFIG, clips[:1], times[:1], 640, 480, camera.intrinsics)
    assert heights[0] == pytest.approx(alone.camera.height_m)


def test_sitting_and_lying_people_are_not_used(body, betas):
    rng = np.random.default_rng(4)
    camera = camera_at(10.0, 1.8)
    person = standing_people(body, betas, camera, walked(camera, rng, 20), rng)
    turned = person.keypoints_px[..., ::-1].copy()
    lying = Person2D("x", "person", person.visible, person.boxes_px, turned, person.scores)
    assert len(find_upright_people(CONFIG, [[lying]], [np.arange(20.0)], 480).person) == 0
    assert len(find_upright_people(CONFIG, [[person]], [np.arange(20.0)], 480).person) > 10
