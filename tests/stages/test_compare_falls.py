"""Cutting out real falls and walks, their counterparts, and the comparison."""

import functools

import numpy as np
import pytest

from models.animation.gait_curves import procedural_standing, procedural_walking
from models.body.model import load_body
from models.body.placement import transform_track
from models.body.tracks import rest_root, standing_pelvis_height, track_joints, track_keypoints
from models.compare_falls.counterparts import sampled_fall, simulated_fall
from models.compare_falls.fall_audit import Audit
from models.compare_falls.real_falls import Fall, LiftedClip
from models.geometry.camera import Camera, intrinsics_from_focal, normal_from_angles, pose_over_floor
from models.geometry.transforms import transform, yaw
from models.motion_sources.simulated import PhysicsFalls
from models.types import Footage, Person2D, Room
from stages import compare_falls
from stages.compare_falls import CompareFallsConfig
from stages.label import LabelConfig, find_fall

CAMERA = Camera(
    intrinsics_from_focal(600, 640, 480), 640, 480, pose_over_floor(normal_from_angles(np.radians(20), 0.0), 2.2)
)
CONFIG = CompareFallsConfig()


@pytest.fixture(scope="module")
def body():
    return load_body()


def clip_of(body, name: str, track, fps: float = 15.0) -> LiftedClip:
    """A clip in which the track is seen by the camera from behind, 3.5 m away at its start."""
    track = transform_track(track, rest_root(body, track.betas), transform(yaw(0.0), np.array([3.5, 0.0, 0.0])))
    keypoints = CAMERA.project(track_keypoints(body, track))
    count = len(keypoints)
    boxes = np.concatenate([keypoints.min(axis=1), keypoints.max(axis=1)], axis=1)
    person = Person2D(track.person, "person", np.ones(count, bool), boxes, keypoints, np.ones((count, 17)))
    footage = Footage(name, f"{name}.mp4", "s", "r", "c", np.arange(count) / fps, 640, 480, "0" * 64)
    room = Room(
        "r",
        CAMERA,
        np.zeros((480, 640, 3), np.uint8),
        np.ones((480, 640)),
        np.full((480, 640), -1),
        1.0,
        0.0,
        np.ones((10, 10), bool),
        np.zeros((10, 10, 5), int),
        np.ones((10, 10, 5)),
        np.zeros(3),
        0.5,
        (),
        0.0,
        True,
        "ok",
    )
    return LiftedClip(name, "cam", footage, (person,), (track,), {track.person: track_joints(body, track)}, room)


def falling(body, name: str) -> LiftedClip:
    """Somebody who sinks by 0.6 m between 2 and 2.6 s."""
    track = procedural_standing(body, np.zeros(10), 6.0, 15.0, np.random.default_rng(0)).people[0]
    clip = clip_of(body, name, track)
    joints = clip.joints_world[track.person]
    joints[:, :, 2] -= 0.6 * np.clip((clip.footage.timestamps_s - 2.0) / 0.6, 0.0, 1.0)[:, None]
    return clip


def test_falls_are_cut_out_about_their_onset_and_others_set_aside_with_a_reason(body):
    clips = [
        falling(body, "A01_C1"),
        falling(body, "A01_C2"),
        clip_of(body, "still", procedural_standing(body, np.zeros(10), 6.0, 15.0, np.random.default_rng(1)).people[0]),
    ]
    table = {
        f"{name}.mp4": Fall(3.0, "floor", "supine", "yes", 2.0, "backward", "standing")
        for name in ("A01_C1", "A01_C2", "still")
    }
    windows, dropped = compare_falls.falls_of(CONFIG, clips, table)
    assert [window.event for window in windows] == ["A01", "A01"], "both cameras of one event"
    assert windows[0].onset_s == pytest.approx(1.0, abs=0.07) and windows[0].times[-1] == pytest.approx(4.0, abs=0.1)
    assert compare_falls.features(windows[0], windows[0].joints)["sinks_by"] > 0.5
    assert dropped == [{"item": "still", "reason": "the fall was not lifted from before its onset to its rest"}]
    table["A01_C1.mp4"] = Fall(3.0, "floor", "supine", "yes")
    _, dropped = compare_falls.falls_of(CONFIG, clips[:1], table)
    assert dropped[0]["reason"] == "the table says neither onset nor direction"


def test_walks_are_found_where_somebody_walks_and_nobody_falls(body):
    walk = procedural_walking(body, np.zeros(10), 9.0, 15.0, np.random.default_rng(0)).people[0]
    clips = [clip_of(body, "walk_C1", walk), clip_of(body, "walk_C2", walk), falling(body, "fall")]
    windows = compare_falls.walks_of(CONFIG, clips, {"fall.mp4": Fall(3.0, "floor", "supine", "yes")})
    assert [window.clip for window in windows] == ["walk_C1"] * 2 + ["walk_C2"] * 2
    assert all(window.fall is None for window in windows)
    events = [window.event for window in windows]
    assert events[:2] == events[2:] and events[0] != events[1], "one time seen by two cameras is one event"


def test_counterparts_are_seen_on_the_windows_frames(body):
    windows, _ = compare_falls.falls_of(
        CONFIG, [falling(body, "A01_C1")], {"A01_C1.mp4": Fall(3.0, "floor", "supine", "yes", 2.0, "left", "standing")}
    )
    make = functools.partial(simulated_fall, body)
    seen, missing = compare_falls.counterparts(CONFIG, body, make, windows[0], [], np.random.default_rng(0))
    assert len(seen) == 2 and not missing and not np.allclose(seen[0].keypoints_px, seen[1].keypoints_px)
    assert all(person.keypoints_px.shape == windows[0].person.keypoints_px.shape for person in seen)
    walk = procedural_walking(body, np.zeros(10), 9.0, 30.0, np.random.default_rng(0))
    walks = compare_falls.walks_of(
        CONFIG,
        [clip_of(body, "walk", procedural_walking(body, np.zeros(10), 5.0, 15.0, np.random.default_rng(3)).people[0])],
        {},
    )
    assert len(compare_falls.counterparts(CONFIG, body, make, walks[0], [walk], np.random.default_rng(0))[0]) == 1
    assert compare_falls.counterparts(CONFIG, body, make, walks[0], [], np.random.default_rng(0)) == ([], [])


def test_why_a_counterpart_is_missing_is_told(body):
    """The motion model is not told what comes before a fall."""
    walked = Fall(3.0, "floor", "supine", "yes", 2.0, "left", "walking")
    windows, _ = compare_falls.falls_of(CONFIG, [falling(body, "A01_C1")], {"A01_C1.mp4": walked})
    audit = Audit(functools.partial(find_fall, LabelConfig()), functools.partial(standing_pelvis_height, body), 60.0)
    make = functools.partial(sampled_fall, body, PhysicsFalls(body).sample, audit)
    found = compare_falls.counterparts(CONFIG, body, make, windows[0], [], np.random.default_rng(0))
    assert found == ([], ["begins_walking"] * 2)


def test_the_comparison_names_what_gives_the_simulation_away():
    rng = np.random.default_rng(0)

    def sample(count: int, shift: float) -> list[tuple[str, dict[str, float]]]:
        return [
            (f"{shift}{k}", {"speed": float(rng.normal(shift)), "height": float(rng.normal())}) for k in range(count)
        ]

    samples = {
        "real_falls": sample(24, 0.0),
        "simulated_falls": sample(40, 2.5),
        "real_walks": sample(2, 0.0),
        "captured_walks": sample(30, 0.0),
    }
    found = compare_falls.run(CONFIG, samples, np.random.default_rng(1))
    assert found["auc_sim_vs_real"][0] > 0.9 and next(iter(found["gives_away"])) == "speed"
    assert found["auc_walk_vs_real"] is None, "two events are too few"
    assert found["auc_real_vs_real"][1] < 0.5 < found["auc_real_vs_real"][2]
    assert found["medians"]["speed"]["simulated_falls"] > found["medians"]["speed"]["real_falls"] + 1.5
