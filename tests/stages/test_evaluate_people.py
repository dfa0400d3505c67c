"""Evaluating lifting: the truth has no error, spoiling is as ordered, fallen bodies and two cameras are told right."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from models.body.model import BodyShape, load_body, relaxed_pose
from models.body.tracks import track_joints, track_parameters
from models.compare_falls.real_falls import Fall, LiftedClip
from models.errors import InputError
from models.geometry.camera import Camera, intrinsics_from_focal, normal_from_angles, pose_over_floor
from models.geometry.camera_file import write_camera
from models.geometry.transforms import R_ZUP_YUP, axis_angle_from_matrix, matrix_from_axis_angle, yaw
from models.types import Footage, Person2D, PersonTrack
from stages import evaluate_people as people
from stages.evaluate_people import EvaluatePeopleConfig

CAMERA = Camera(
    intrinsics_from_focal(560.0, 640, 480), 640, 480, pose_over_floor(normal_from_angles(np.radians(20.0), 0.0), 2.3)
)
TIMES = np.arange(20) / 10.0


@pytest.fixture(scope="module")
def body():
    return load_body()


def upright(body, tilt: np.ndarray | None = None, height: float = 0.95, moved: float = 0.0) -> PersonTrack:
    """Somebody at ease, tilted whole (in the body's own axes), who glides sideways."""
    count = len(TIMES)
    betas = np.asarray(body.betas_from_shape(BodyShape(stature_m=1.7)), dtype=np.float64)
    orient = yaw(0.4) @ R_ZUP_YUP @ (np.eye(3) if tilt is None else tilt)
    place = np.stack([np.full(count, 4.0), moved * TIMES, np.full(count, height)], axis=1)
    return PersonTrack(
        "person_1",
        "resident",
        betas,
        np.tile(axis_angle_from_matrix(orient[None]), (count, 1)),
        np.tile(relaxed_pose(), (count, 1)),
        place,
        np.ones(count, bool),
        np.ones(count),
    )


def write_truth(folder, body, track):
    folder.mkdir(parents=True)
    with torch.no_grad():
        keypoints = body.posed(*track_parameters(track)).keypoints.double().numpy()
    flags = np.full((1, len(TIMES), 17), 2)
    flags[0, :, 4] = 0
    flags[0, :, 3] = 1
    np.savez(
        folder / "people.npz",
        person=np.array(["person_1"]),
        role=np.array(["resident"]),
        joints_world=track_joints(body, track)[None],
        keypoints_px=CAMERA.project(keypoints)[None],
        keypoints_v=flags,
        visibility=np.ones((1, len(TIMES))),
        timestamps_s=TIMES,
    )
    write_camera(CAMERA, folder / "camera.json")


def test_the_truth_itself_has_no_error(body, tmp_path):
    track = upright(body)
    write_truth(tmp_path / "clip", body, track)
    true = people.true_clip(tmp_path / "clip", 640, 480)
    assert (true.people[0].scores[0, [0, 3, 4]] == [1.0, 0.5, 0.0]).all()
    errors = people.clip_errors(body, true, [track])
    assert all(len(values) and np.abs(values).max() < 1e-3 for values in errors.values())
    moved = replace(track, transl=track.transl + [0.3, 0.0, 0.4])
    row = people.table([people.clip_errors(body, true, [moved])], 1, 1)
    assert row["root_m"] == pytest.approx(0.5, abs=1e-6) and row["mpjpe_mm"] == pytest.approx(0.0, abs=1e-3)
    sliding = people.clip_errors(body, true, [upright(body, moved=0.2)])
    assert sliding["skate"].mean() == pytest.approx(20.0, abs=0.01)


def test_what_is_no_truth(tmp_path):
    with pytest.raises(InputError, match="holds no truth of sample footage"):
        people.true_clip(tmp_path, 640, 480)


def test_detector_noise_is_as_ordered():
    count = 2000
    points = np.full((count, 17, 2), 100.0)
    box = np.tile([50.0, 60.0, 150.0, 140.0], (count, 1))
    person = Person2D("a", "resident", np.ones(count, bool), box, points, np.ones((count, 17)))
    config = EvaluatePeopleConfig(noise_px=4.0, missing_share=0.1, outlier_share=0.0)
    found = people.add_detector_noise(person, config, np.random.default_rng(0))
    seen = found.scores > 0.0
    assert abs((~seen).mean() - 0.1) < 0.005
    assert abs((found.keypoints_px[seen] - 100.0).std() - 4.0) < 0.05
    assert (found.keypoints_px[~seen] == 0.0).all()
    wild = people.add_detector_noise(
        person, config.model_copy(update={"outlier_share": 0.03, "noise_px": 0.0}), np.random.default_rng(0)
    )
    off = np.abs(wild.keypoints_px - 100.0).max(-1)[wild.scores > 0.0] > 1e-9
    assert abs(off.mean() - 0.03) < 0.004
    again = people.add_detector_noise(person, config, np.random.default_rng(0))
    assert again.keypoints_px.tobytes() == found.keypoints_px.tobytes()


TURNS = {
    "supine": Rotation.from_rotvec([-np.pi / 2, 0, 0]),
    "prone": Rotation.from_rotvec([np.pi / 2, 0, 0]),
    "left_side": Rotation.from_rotvec([0, 0, -np.pi / 2]),
    "right_side": Rotation.from_rotvec([0, 0, np.pi / 2]),
}


def lifted(body, name: str, track: PersonTrack, path: str = "") -> LiftedClip:
    footage = Footage(name, path or f"{name}.mp4", "s", "r", "c", TIMES, 640, 480, "0" * 64)
    count = len(TIMES)
    person = Person2D(
        track.person,
        "resident",
        np.ones(count, bool),
        np.zeros((count, 4)),
        np.zeros((count, 17, 2)),
        np.zeros((count, 17)),
    )
    return LiftedClip(name, "cam", footage, (person,), (track,), {track.person: track_joints(body, track)}, None)


def test_two_cameras_agree_up_to_one_rigid_transform(body):
    bend = relaxed_pose() * 0.3
    walker = upright(body, moved=0.8)
    walker = replace(walker, body_pose=walker.body_pose + np.linspace(0, 1, 20)[:, None] * bend)
    turn = yaw(2.0)
    orient = axis_angle_from_matrix(turn @ matrix_from_axis_angle(walker.global_orient))
    rest = body.rest_joints(as_tensor(walker.betas))[0].double().numpy()
    other = replace(walker, global_orient=orient, transl=(walker.transl + rest) @ turn.T - rest + [1.0, 2.0, 0.0])
    clips = [lifted(body, "A_C1", walker), lifted(body, "A_C2", other)]
    metrics = people.real_metrics(EvaluatePeopleConfig(), body, clips, {})
    assert metrics["two_camera_joint_m"] < 1e-4 and metrics["two_cameras"][0]["shift_s"] == 0.0
    joints = track_joints(body, walker)
    assert people.two_camera_distance_m(1.1 * joints, joints) > 0.02, "a scale is no rigid transform"


def as_tensor(values):
    return torch.as_tensor(values, dtype=torch.float32)


def test_falls_without_anyone_at_rest_say_so(body):
    track = replace(upright(body), visible=TIMES < 0.9)
    clips = [lifted(body, "f", track, "x/f.mp4")]
    metrics = people.real_metrics(EvaluatePeopleConfig(), body, clips, {"x/f.mp4": Fall(1.0, "floor", "supine", "yes")})
    assert metrics["fallen"] == [{"clip": "f", "reason": "nobody is seen at rest", "in_view": "yes"}]
    assert metrics["fallen_pelvis_ok_share"] is None and metrics["track_share"] == 1.0


def test_a_mattress_is_as_high_as_others_came_to_rest_on_it(body):
    supine = TURNS["supine"].as_matrix()
    heights = {"a": 0.55, "b": 0.57, "c": 0.53, "d": 0.95}
    clips = [lifted(body, name, upright(body, supine, height), f"x/{name}.mp4") for name, height in heights.items()]
    falls = {clip.footage.path: Fall(1.0, "mattress", "supine", "yes") for clip in clips}
    rows = {row["clip"]: row for row in people.real_metrics(EvaluatePeopleConfig(), body, clips, falls)["fallen"]}
    assert rows["a"]["pelvis_ok"] and not rows["d"]["pelvis_ok"], "its own height is no evidence"
    assert rows["d"]["support_m"] == pytest.approx(rows["a"]["support_m"] - 0.02, abs=0.03)
    floor = {path: replace(fall, landing_support="floor") for path, fall in falls.items()}
    assert not any(
        row["pelvis_ok"] for row in people.real_metrics(EvaluatePeopleConfig(), body, clips, floor)["fallen"]
    )


def test_a_bystander_is_not_judged_for_who_fell(body):
    clip = lifted(body, "stands", upright(body), "x/stands.mp4")
    falls = {clip.footage.path: Fall(1.0, "floor", "supine", "yes")}
    metrics = people.real_metrics(EvaluatePeopleConfig(), body, [clip], falls)
    assert metrics["fallen"][0]["reason"] == "nobody is seen at rest" and metrics["falls_judged"] == 0
