"""A simulated fall in the place of a real one: where, when, which way, and as a detector would have it."""

import functools
from dataclasses import replace

import numpy as np
import pytest

from models.animation.gait_curves import procedural_standing, procedural_walking
from models.body.model import BodyShape, load_body
from models.body.placement import transform_track
from models.body.tracks import rest_root, standing_pelvis_height, track_joints, track_keypoints
from models.compare_falls.counterparts import (
    WantedFall,
    aligned_at_onset,
    counterpart,
    sampled_fall,
    seen_by,
    simulated_fall,
)
from models.compare_falls.fall_audit import Audit
from models.compare_falls.real_falls import Fall
from models.errors import Rejected
from models.geometry.camera import Camera, intrinsics_from_focal, normal_from_angles, pose_over_floor
from models.geometry.transforms import transform, yaw
from models.motion_sources.procedural import ProceduralEveryday
from models.motion_sources.simulated import PhysicsFalls
from models.types import Person2D
from stages.label import LabelConfig, find_fall

CAMERA = Camera(
    intrinsics_from_focal(600, 640, 480), 640, 480, pose_over_floor(normal_from_angles(np.radians(20), 0.0), 2.2)
)
TIMES = np.arange(60) / 15.0


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def stander(body):
    """Somebody who stands 4 m away, facing the camera's left, and what a perfect detector saw."""
    betas = np.asarray(
        body.betas_from_shape(BodyShape(age_years=40.0, stature_m=1.7, sex=0.5, build=0.5)), dtype=np.float64
    )
    track = procedural_standing(body, betas, 4.0, 15.0, np.random.default_rng(0), 40.0).people[0]
    track = transform_track(track, rest_root(body, betas), transform(yaw(np.pi / 2.0), np.array([4.0, 0.3, 0.0])))
    keypoints = CAMERA.project(track_keypoints(body, track))
    boxes = np.concatenate([keypoints.min(axis=1), keypoints.max(axis=1)], axis=1)
    person = Person2D("p", "person", np.ones(60, bool), boxes, keypoints, np.ones((60, 17)))
    return person, track_joints(body, track)


def test_who_is_placed_stands_and_faces_as_the_other_did(body, stander):
    _, joints = stander
    walk = procedural_walking(body, np.zeros(10), 3.0, 30.0, np.random.default_rng(1)).people[0]
    placed = track_joints(body, aligned_at_onset(body, walk, 20, joints[5]))[20]
    np.testing.assert_allclose(placed[0, :2], joints[5, 0, :2], atol=1e-6)
    hips, others = placed[1, :2] - placed[2, :2], joints[5, 1, :2] - joints[5, 2, :2]
    assert hips @ others / np.linalg.norm(hips) / np.linalg.norm(others) > np.cos(np.radians(12.0))


def test_a_detector_sees_the_body_with_faults_where_the_real_one_was_seen(body, stander):
    person, joints = stander
    walk = procedural_walking(body, np.zeros(10), 4.0, 15.0, np.random.default_rng(1)).people[0]
    walk = aligned_at_onset(body, walk, 0, joints[0])
    shown = Person2D("p", "person", np.arange(60) < 30, person.boxes_px, person.keypoints_px, person.scores)
    found = seen_by(body, walk, np.arange(60), shown, TIMES, CAMERA, np.random.default_rng(0))
    true = CAMERA.project(track_keypoints(body, walk))
    off = np.linalg.norm(found.keypoints_px - true, axis=-1)[found.visible]
    assert 0.3 < np.median(off) < 12.0, "neither perfect nor lost"
    assert found.visible[:30].mean() > 0.8 and not found.visible[30:].any()


@pytest.mark.parametrize(("direction", "support"), [("backward", "mattress"), ("forward", "floor")])
def test_a_fall_goes_where_the_real_one_went(body, stander, direction, support):
    person, joints = stander
    fall = Fall(2.5, support, "supine", "yes", 1.0, direction, "standing")
    make = functools.partial(simulated_fall, body)
    seen = counterpart(body, make, fall, person, TIMES, joints, CAMERA, np.random.default_rng(0))
    hips = seen.keypoints_px[:, 11:13].mean(axis=1)
    before, after = hips[3:12].mean(axis=0), hips[-10:].mean(axis=0)
    np.testing.assert_allclose(before, person.keypoints_px[:12, 11:13].mean(axis=(0, 1)), atol=60.0)
    assert after[1] > before[1] + 60.0, "further down in the picture"
    # Facing the camera's left, who falls forward goes left in the picture.
    assert (after[0] < before[0]) == (direction == "forward")


def test_an_ordered_fall_begins_when_the_audit_says_and_ends_as_high_as_the_mattress(body):
    """By physics as the source: half a second and more after it began to stand, on the floor or lifted onto it."""
    audit = Audit(functools.partial(find_fall, LabelConfig()), functools.partial(standing_pelvis_height, body), 60.0)
    wanted = WantedFall("push", "backward", False, "floor", 3.0)
    make = functools.partial(sampled_fall, body, PhysicsFalls(body).sample, audit)
    for seed in range(12):
        try:
            low, onset_s = make(wanted, np.random.default_rng(seed))
            break
        except Rejected as rejected:
            assert rejected.reason in ("fall_direction", "no_fall")
    high, same_s = make(replace(wanted, support="mattress"), np.random.default_rng(seed))
    assert onset_s == same_s and 0.3 < onset_s < 4.0
    first, last = high.transl[[0, -1], 2] - low.transl[[0, -1], 2]
    assert abs(first) < 0.02 and 0.14 < last < 0.22, "who lies is about as much higher"
    with pytest.raises(Rejected, match="no_fall"):
        sampled_fall(body, Stands(body).sample, audit, wanted, np.random.default_rng(0))


class Stands(ProceduralEveryday):
    """A source that has not heard what was ordered."""

    def sample(self, order, room, rng):
        return super().sample(order.model_copy(update={"event": "stand"}), room, rng)
