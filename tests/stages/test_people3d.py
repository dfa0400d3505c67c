"""Lifting people: metrics, gaps, windows; each person alone, the same bytes again."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from models.body.model import BodyShape, load_body, relaxed_pose
from models.geometry.camera import Camera, intrinsics_from_focal, normal_from_angles, pose_over_floor
from models.geometry.transforms import R_ZUP_YUP, matrix_from_axis_angle, yaw
from models.people3d.fitting.objective import FitConfig
from models.people3d.hmr_network import Hmr, HmrConfig
from models.people3d.interpenetration import InterpenetrationConfig
from models.people3d.plausibility import PlausibilityConfig
from models.types import Person2D
from stages import people3d
from stages.people3d import Crops, People3DConfig

CAMERA = Camera(
    intrinsics_from_focal(560.0, 640, 480), 640, 480, pose_over_floor(normal_from_angles(np.radians(20.0), 0.0), 2.3)
)
GLIDES = PlausibilityConfig(max_float_m=1.0, max_foot_skate_cm_s=500.0)
"""The strangers of these tests do not move their legs."""
QUICK = People3DConfig(fit=FitConfig(steps=10), plausibility=GLIDES)


@pytest.fixture(scope="module")
def body():
    return load_body()


def stroller(body, count: int, name: str = "anna", y: float = 0.0, fps: float = 8.0, there_and_back_s: float = 0.0):
    """Somebody gliding sideways through the room upright, facing where they go; and their true joints.

    With `there_and_back_s`, they go to and fro, that long for both ways, and turn once round meanwhile.
    """
    across, turn = np.linspace(-0.7, 0.7, count), np.full(count, 1.2)
    if there_and_back_s > 0.0:
        phase = 2.0 * np.pi * np.arange(count) / fps / there_and_back_s
        across, turn = -0.7 * np.cos(phase), 1.2 + phase
    betas = torch.as_tensor(body.betas_from_shape(BodyShape(age_years=50, stature_m=1.66))).expand(count, 10)
    orient = torch.as_tensor(np.stack([yaw(angle) @ R_ZUP_YUP for angle in turn]), dtype=torch.float32)
    one_pose = matrix_from_axis_angle(relaxed_pose().reshape(1, 23, 3))
    pose = torch.as_tensor(np.tile(one_pose, (count, 1, 1, 1)), dtype=torch.float32)
    transl = torch.zeros(count, 3)
    transl[:, 2] = -body.posed(betas, orient, pose, transl).surface_points[..., 2].amin(-1)
    transl[:, 0] = 4.0
    transl[:, 1] = torch.as_tensor(across + y)
    pixels = CAMERA.project(body.posed(betas, orient, pose, transl).keypoints.double().numpy())
    boxes = np.concatenate([pixels.min(axis=1), pixels.max(axis=1)], axis=1)
    person = Person2D(name, "resident", np.ones(count, bool), boxes, pixels, np.full((count, 17), 0.9))
    return person, body.posed(betas, orient, pose, transl).joints.double().numpy(), np.arange(count) / fps


def joints_of(body, track) -> np.ndarray:
    count = len(track.transl)
    arrays = (np.tile(track.betas, (count, 1)), track.global_orient, track.body_pose, track.transl)
    return body.posed(*(torch.as_tensor(a, dtype=torch.float32) for a in arrays)).joints.double().numpy()


def hide(person: Person2D, frames) -> Person2D:
    keep = np.ones(len(person.visible))
    keep[frames] = 0.0
    return replace(
        person,
        visible=keep > 0,
        boxes_px=person.boxes_px * keep[:, None],
        keypoints_px=person.keypoints_px * keep[:, None, None],
        scores=person.scores * keep[:, None],
    )


def lifted(config, people, times, body, **known):
    """Tracks and metrics of one clip."""
    return people3d.run(config, [people3d.Clip(people, times, CAMERA, **known)], body)[0]


def test_known_person_in_the_world(body):
    person, joints, times = stroller(body, 12)
    (track,), metrics = lifted(People3DConfig(fit=FitConfig(steps=100), plausibility=GLIDES), [person], times, body)
    assert np.linalg.norm(joints_of(body, track) - joints, axis=-1)[:, :22].mean() < 0.06
    assert metrics["reprojection_px_median"] < 3.0
    assert metrics["reprojection_box_share_median"] < 0.02
    assert metrics["frames_within_10_px"] == 1.0
    assert abs(metrics["stature_m"][0] - 1.66) < 0.05
    assert metrics["foot_floor_m_median"] < 0.03 and metrics["standing_frames"] > 8
    assert track.person == "anna" and track.role == "resident"
    assert track.visible.all() and np.allclose(track.confidence, 0.9)


def test_every_variant_knows_where_the_person_is(body):
    person, joints, times = stroller(body, 12)
    errors, metrics = {}, {}
    for variant in ("regress", "optimise", "hybrid"):
        config = People3DConfig(variant=variant, fit=FitConfig(steps=100), plausibility=GLIDES)
        (track,), metrics[variant] = lifted(config, [person], times, body)
        errors[variant] = np.linalg.norm(joints_of(body, track) - joints, axis=-1)[:, :22].mean()
    # The regressor alone is rough; what is fitted to exact keypoints is not.
    assert errors["regress"] < 0.25 and max(errors["optimise"], errors["hybrid"]) < 0.06
    assert metrics["hybrid"]["reprojection_px_median"] < metrics["regress"]["reprojection_px_median"]


def test_together_is_the_same_as_alone_and_again(body):
    anna, _, times = stroller(body, 6)
    bert, _, _ = stroller(body, 6, "bert", y=0.5)
    (a, b), metrics = lifted(QUICK, [anna, bert], times, body)
    (_, again), _ = lifted(QUICK, [anna, bert], times, body)
    (alone,), _ = lifted(QUICK, [bert], times, body)
    assert len(metrics["stature_m"]) == 2
    for field in ("betas", "global_orient", "body_pose", "transl", "confidence"):
        assert getattr(b, field).tobytes() == getattr(again, field).tobytes()
        # What is added up together is rounded differently.
        assert np.abs(getattr(b, field) - getattr(alone, field)).max() < 2e-3
    assert a.transl.tobytes() != b.transl.tobytes()


def test_clips_of_two_cameras_at_once_are_as_each_alone(body):
    anna, _, times = stroller(body, 6)
    high = replace(CAMERA, T_world_camera=pose_over_floor(normal_from_angles(np.radians(20.0), 0.0), 2.6))
    clips = [people3d.Clip([anna], times, CAMERA), people3d.Clip([hide(anna, [0, 1, 2])], times, CAMERA)]
    clips += [people3d.Clip([anna], times, high), people3d.Clip([], times, high)]
    low, none, raised, empty = people3d.run(QUICK, clips, body)
    assert none[0] == empty[0] == [] and "placed in 3 frames only" in none[1]["dropped"][0]["reason"]
    for (tracks, metrics), clip in ((low, clips[0]), (raised, clips[2])):
        ((alone,), own) = people3d.run(QUICK, [clip], body)[0]
        assert np.abs(tracks[0].transl - alone.transl).max() < 5e-3
        assert np.abs(tracks[0].body_pose - alone.body_pose).max() < 1e-2
        assert metrics["reprojection_px_median"] == pytest.approx(own["reprojection_px_median"], abs=0.1)
    assert np.abs(low[0][0].transl - raised[0][0].transl).max() > 0.05


def test_later_clock_changes_nothing(body):
    person, _, times = stroller(body, 6)
    (a,), _ = lifted(QUICK, [person], times, body)
    (b,), _ = lifted(QUICK, [person], times + 16.0, body)
    assert np.abs(a.transl - b.transl).max() < 1e-4


def test_gaps_are_bridged_and_say_so(body):
    person, joints, times = stroller(body, 12)
    hidden = [0, 5, 6, 11]
    (track,), _ = lifted(
        People3DConfig(fit=FitConfig(steps=60), plausibility=GLIDES), [hide(person, hidden)], times, body
    )
    assert np.flatnonzero(~track.visible).tolist() == hidden
    assert track.confidence[hidden].max() < 0.5 < track.confidence[track.visible].min()
    # In between: on the way. Before the first and after the last: held.
    error = np.linalg.norm(joints_of(body, track) - joints, axis=-1).mean(axis=1)
    assert error[[5, 6]].max() < 0.12
    assert np.array_equal(track.transl[0], track.transl[1]) and np.array_equal(track.transl[11], track.transl[10])


def test_hardly_seen_people_are_dropped_with_the_reason(body):
    person, _, times = stroller(body, 6)
    tracks, metrics = lifted(QUICK, [hide(person, [0, 1, 2])], times, body)
    assert tracks == []
    assert metrics["dropped"] == [{"person": "anna", "reason": "placed in 3 frames only"}]
    assert metrics["reprojection_px_median"] is None and metrics["foot_floor_m_median"] is None


def test_who_slides_is_dropped_with_the_reason(body):
    person, _, times = stroller(body, 12)
    tracks, metrics = lifted(People3DConfig(fit=FitConfig(steps=60)), [person], times, body)
    assert tracks == [] and metrics["world"] == []
    assert "feet in contact slide at" in metrics["dropped"][0]["reason"]


def test_a_regressor_of_crops_gets_the_frames_it_asks_for(body, tmp_path):
    config = HmrConfig(
        rows_px=32,
        columns_px=24,
        patch_px=8,
        width=16,
        layers=1,
        heads=2,
        decoder_width=16,
        decoder_layers=1,
        decoder_heads=2,
        decoder_head_width=8,
        decoder_hidden=16,
        body=body.name,
    )
    torch.manual_seed(0)
    (tmp_path / "config.json").write_text(config.model_dump_json())
    save_file(Hmr(config).state_dict(), tmp_path / "model.safetensors")
    person, _, times = stroller(body, 8)
    asked = []

    def pictures(wanted):
        asked.extend(wanted.tolist())
        return (np.full((480, 640, 3), 10 * int(index), np.uint8) for index in wanted)

    chosen = People3DConfig(variant="regress", regressor=Crops(path=str(tmp_path)), plausibility=GLIDES)
    lifted(chosen, [hide(person, [3])], times, body, frames=pictures)
    assert asked == [0, 1, 2, 4, 5, 6, 7]


def poster(body, share: float, raised_m: float, x: float = 4.5, count: int = 12) -> Person2D:
    """A picture of somebody who faces the camera, so many times as large as life, on a wall."""
    betas = torch.as_tensor(body.betas_from_shape(BodyShape(age_years=50, stature_m=1.7)))[None]
    orient = torch.as_tensor(yaw(np.pi) @ R_ZUP_YUP, dtype=torch.float32)[None]
    pose = torch.as_tensor(matrix_from_axis_angle(relaxed_pose().reshape(1, 23, 3)), dtype=torch.float32)
    points = body.posed(betas, orient, pose, torch.zeros(1, 3)).keypoints[0].double().numpy()
    points = (points - [0.0, 0.0, points[:, 2].min()]) * share
    pixels = np.tile(
        CAMERA.project(np.stack([np.full(17, x), points[:, 1], points[:, 2] + raised_m], -1)), (count, 1, 1)
    )
    boxes = np.concatenate([pixels.min(axis=1), pixels.max(axis=1)], axis=1)
    return Person2D("poster", "person", np.ones(count, bool), boxes, pixels, np.full((count, 17), 0.8))


def test_a_poster_is_nobody(body):
    times, wall = np.arange(12) / 8.0, np.full((480, 640), 4.3)
    for picture in (poster(body, 0.3, 1.2), poster(body, 0.6, 0.9)):
        tracks, metrics = lifted(People3DConfig(), [picture], times, body, depth=wall)
        assert tracks == [] and "where the room ends at 4.3 m" in metrics["dropped"][0]["reason"]
    # Somebody who stands there stays, whatever the room is said to be behind them.
    person, _, times = stroller(body, 12)
    tracks, _ = lifted(QUICK, [person], times, body, depth=wall)
    assert len(tracks) == 1


def test_feet_alone_are_dropped_with_the_reason(body):
    person, _, times = stroller(body, 12)
    scores = person.scores.copy()
    scores[:, :13] = 0.0
    tracks, metrics = lifted(QUICK, [replace(person, scores=scores)], times, body)
    assert tracks == [] and metrics["dropped"] == [{"person": "anna", "reason": "placed in 0 frames only"}]


def test_twelve_people_are_twelve_tracks(body):
    apart = [stroller(body, 8, f"p{number:02d}", y=0.35 * (number - 6)) for number in range(12)]
    config = QUICK.model_copy(update={"separation": InterpenetrationConfig(steps=0)})
    tracks, metrics = lifted(config, [one[0] for one in apart], apart[0][2], body)
    assert [track.person for track in tracks] == [f"p{number:02d}" for number in range(12)]
    places = np.array([joints_of(body, track)[:, 0, :2].mean(0) for track in tracks])
    truth = np.array([one[1][:, 0, :2].mean(0) for one in apart])
    assert np.linalg.norm(places - truth, axis=1).max() < 0.35
    assert all(set(overlap["people"]) <= {track.person for track in tracks} for overlap in metrics["overlaps"])


def test_coarse_to_fine_agrees_with_the_truth(body):
    person, joints, times = stroller(body, 24, fps=15.0)
    config = People3DConfig(
        plausibility=GLIDES, fit=FitConfig(steps=80), coarse_frames=8, fine_steps=15, window_frames=16, overlap_frames=4
    )
    (track,), metrics = lifted(config, [person], times, body)
    assert np.linalg.norm(joints_of(body, track) - joints, axis=-1)[:, :22].mean() < 0.07
    assert metrics["reprojection_px_median"] < 4.0
    # Seamless: no step at the windows' edges beyond what walking takes.
    step = np.linalg.norm(np.diff(joints_of(body, track)[:, 0], axis=0), axis=-1)
    assert step.max() < 0.12


def test_a_long_clip_is_fitted_by_pieces_without_a_seam(body):
    """Coarse frames as far apart as the whole clip would need would say nothing of how this body gets about."""
    person, joints, times = stroller(body, 150, fps=15.0, there_and_back_s=2.0)
    config = People3DConfig(
        plausibility=GLIDES,
        fit=FitConfig(steps=60, last_steps=0),
        coarse_frames=10,
        coarse_stride=3,
        fine_steps=15,
        window_frames=40,
        overlap_frames=9,
    )
    (track,), metrics = lifted(config, [person], times, body)
    found = joints_of(body, track)
    off = np.linalg.norm(found - joints, axis=-1)[:, :22].mean(-1)
    assert off.mean() < 0.06 and off.max() < 0.15
    jump = np.linalg.norm(np.diff(found, 2, axis=0), axis=-1)[:, :22].mean(-1)
    assert jump.max() < 3.0 * np.linalg.norm(np.diff(joints, 2, axis=0), axis=-1)[:, :22].mean(-1).max() + 0.02
    assert metrics["reprojection_px_median"] < 4.0


def test_windows_that_would_not_advance_are_refused():
    with pytest.raises(
        ValueError, match=r"overlap_frames \(24\) must be less than coarse_frames and window_frames \(16\)"
    ):
        People3DConfig(window_frames=16)
